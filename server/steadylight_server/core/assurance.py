"""How sure a channel is who it is talking to."""

from enum import IntEnum


class Assurance(IntEnum):
    """Weakest first: the order is the meaning. Stored and sent by name, so that a level can be added between two."""

    CLAIMED = 1  # said so
    CALLER_ID = 2  # the network says so; can be forged
    KNOWLEDGE = 3  # knew something only they should know
    OTP = 4  # read back a one-time code
    LOGIN = 5  # signed in
    IN_PERSON = 6  # showed a document to an employee
