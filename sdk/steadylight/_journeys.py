"""Journeys of a Client; loaded with the first one."""

from collections.abc import Generator
from typing import Protocol, TypeVar

from ._answers import Answer
from ._contact import Recording
from ._journey import Begun, Errand, Step
from ._models import Asked
from ._options import Options
from ._recorder import Recorder

T = TypeVar("T")


class Player(Protocol):
    """Whoever plays exchanges: a Client."""

    def _play(self, exchange: Generator[Step, Answer | None, T]) -> T: ...


class Journey(Errand):
    """One thing that a customer wants to get done, in a contact of a Client."""

    def __init__(self, light: Player, recorder: Recorder, options: Options, contact: Recording, begun: Begun) -> None:
        super().__init__(recorder, options, contact, begun)
        self._light = light

    def ask(self, question: str, *, within: float = 0.3) -> Asked:
        """What is known of a question, in whatever channel it was said: ask here before you ask the customer.

        That it came up is kept, so that it shows who is asked twice. A server that is away is no error: what was
        known before counts, or nothing. Raises NotFound for a journey that is not this contact's, Forbidden.
        """
        return self._light._play(self._asking(question, within))

    def advance(self, step: str, *, within: float = 0.3) -> bool:
        """Goes to a step, from the one that this app knows of. False where somebody else changed it first: `state`
        says what they did. Raises the error tree.
        """
        return self._light._play(self._advancing(step, within))

    def complete(self, outcome: str | None = None, *, within: float = 0.3) -> bool:
        """It is done. False where somebody ended it first: `state` says how. Raises the error tree."""
        return self._light._play(self._becoming("COMPLETED", outcome, within))

    def cancel(self, outcome: str | None = None, *, within: float = 0.3) -> bool:
        """The customer does not want it any more. As `complete`."""
        return self._light._play(self._becoming("CANCELLED", outcome, within))

    def wait(self, *, within: float = 0.3) -> bool:
        """It waits for somebody who is not the customer, and does not stall meanwhile. As `complete`."""
        return self._light._play(self._becoming("WAITING", None, within))

    def reopen(self, *, within: float = 0.3) -> bool:
        """It goes on, after it waited or was completed. As `complete`; raises Conflict where another one is open."""
        return self._light._play(self._becoming("OPEN", None, within))
