"""What recording tells, and how sure a channel is: without pydantic, which who only records need not load."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Assurance(StrEnum):
    """How sure a channel is who this is, weakest first; comparable: `Assurance.OTP < Assurance.LOGIN`."""

    CLAIMED = "CLAIMED"
    CALLER_ID = "CALLER_ID"
    KNOWLEDGE = "KNOWLEDGE"
    OTP = "OTP"
    LOGIN = "LOGIN"
    IN_PERSON = "IN_PERSON"

    @property
    def rank(self) -> int:
        """0 for the weakest."""
        return list(Assurance).index(self)

    # A str compares by letters, which would put CALLER_ID below CLAIMED.
    def __lt__(self, other: str) -> bool:
        return self.rank < Assurance(other).rank

    def __le__(self, other: str) -> bool:
        return self.rank <= Assurance(other).rank

    def __gt__(self, other: str) -> bool:
        return self.rank > Assurance(other).rank

    def __ge__(self, other: str) -> bool:
        return self.rank >= Assurance(other).rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the server decided about one action that it did not simply store."""

    #: The place in the request, or, from deliver(), in the iterable; from 0.
    index: int
    id: str | None = None
    verdict: Literal["REFUSED", "RETRY"]
    code: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something the server noticed about an action that it took."""

    index: int
    code: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Counters since the client was made, or since the fork."""

    #: record() calls that were kept for delivery.
    recorded: int = 0
    stored: int = 0
    duplicate: int = 0
    refused: int = 0
    #: Actions that were sent again after a failure; one sent three times counts twice.
    resent: int = 0
    #: record() calls given up since spool or queue was full.
    overflowed: int = 0
    #: record() calls given up since the action is too large, too deep or not to be encoded.
    unfit: int = 0
    #: record() calls after close().
    late: int = 0
    #: record() calls that `before_record` did not want, or could not judge.
    dropped: int = 0
    #: Actions that processes before this one left on disk, and that this one delivers.
    adopted: int = 0
    #: Given up since nobody took them for as long as `spool_age`.
    expired: int = 0
    #: Records of the spool that were torn by a crash, or damaged; no action can be read from them.
    damaged: int = 0
    #: record() calls that were kept in memory since the disk failed.
    unspooled: int = 0
    #: Still to be delivered, now.
    undelivered: int = 0
    #: Of these, in memory alone: the end of the process would lose them.
    unsafe: int = 0
    #: Bytes of the spool that this process is to deliver.
    spool_bytes: int = 0
    #: Failed requests since the last one that worked; 0 means that delivery works.
    failures: int = 0
    #: What the last failed request said; None as soon as one works.
    last_error: str | None = None
    #: "open" after a failed request: one request at a time tries whether the server is back.
    circuit: Literal["closed", "open"] = "closed"
    #: Seconds until it is tried again; None while the circuit is closed.
    retry_in: float | None = None
