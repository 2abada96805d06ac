"""A journey as an app holds it: what both clients' have in common, and the exchanges with the server.

What the app was told is known at once and kept like any action, so that `answer()` is a plain call in both clients. Who
asks the customer asks here first; when the server is away what was known before counts, and that it was asked is kept.
"""

from collections.abc import Generator, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from . import _operations
from ._actions import random_uuid
from ._answers import Answer as Response
from ._contact import Recording
from ._errors import (
    Internal,
    ProtocolError,
    RateLimited,
    Timeout,
    Unavailable,
    Unreachable,
)
from ._models import Answer, Asked, JourneyState, Question
from ._options import Options
from ._protocol import Flush, Request, Sleep, asking
from ._recorder import Recorder

# The errors after which what was known before counts: nobody who knows better can be reached.
_AWAY = (Timeout, Unreachable, Unavailable, RateLimited, Internal, ProtocolError)
_ODD = "The journey is not in a form that this version of the SDK knows."
Step = Request | Sleep | Flush


class Begun(NamedTuple):
    """What startJourney said."""

    state: JourneyState
    answers: dict[str, Answer]
    resumed: bool


class Errand:
    """A journey, new or picked up, in one contact."""

    def __init__(self, recorder: Recorder, options: Options, contact: Recording, begun: Begun) -> None:
        self._recorder = recorder
        self._options = options
        self._contact = contact
        self._state, self._answers, self._resumed = begun
        self._said: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}(type={self.type!r}, key={self.key!r}, status={self.status!r})"

    @property
    def id(self) -> str:
        """The server's global id; give it as `journey=` to what is recorded for it."""
        return self._state.id

    @property
    def type(self) -> str:
        """What it is."""
        return self._state.type

    @property
    def key(self) -> str:
        """The business's own name for it; empty where there is none."""
        return self._state.key

    @property
    def status(self) -> str:
        """OPEN, WAITING, COMPLETED, ABANDONED or CANCELLED, as the server said last."""
        return self._state.status

    @property
    def step(self) -> str | None:
        """The step that it is at, as the server said last."""
        return self._state.step

    @property
    def state(self) -> JourneyState:
        """All that the server said last."""
        return self._state

    @property
    def questions(self) -> tuple[Question, ...]:
        """What it asks, in order, as the blueprint declares it."""
        return self._state.questions

    @property
    def resumed(self) -> bool:
        """Whether it had begun before, in whatever channel."""
        return self._resumed

    def answer(self, question: str, value: Any) -> str | None:
        """Keeps what the customer said, as record() does; `ask` knows it at once, here, and soon everywhere.

        The action's id; None when it had to be dropped. A value of None takes an answer back.
        """
        given = {"question": str(question), "value": value}
        id = self._contact.record("journey.answered", given, journey=self.id)
        if id is not None:
            self._said[question] = value
        return id

    def _asking(self, question: str, within: float) -> Generator[Step, Response | None, Asked]:
        if self._said.get(question) is not None:
            return Asked(question=question, known=True, value=self._said[question], use="USE")
        if question in self._said and self._recorder.queue.undelivered(self._contact.key):
            yield Flush(self._contact.key, within / 2)  # What was taken back must be so at the server, too.
        given = {"journey": self.id, "question": question}
        try:
            told = yield from _exchange(
                self._recorder, self._options, self._contact, "AskQuestion", _operations.ASK_QUESTION, given, within
            )
            answer = None if told["answer"] is None else Answer.model_validate(told["answer"])
            return Asked(
                question=question,
                known=answer is not None,
                value=None if answer is None else answer.value,
                use=told["use"] if answer is not None else None,
                answer=answer,
                again=told["again"],
            )
        except (*_AWAY, KeyError, TypeError, ValidationError):
            last = None if question in self._said else self._answers.get(question)
            asked = {"question": str(question), "known": last is not None, **({"use": "USE"} if last else {})}
            self._contact.record("journey.asked", asked, journey=self.id)
            if last is None:
                return Asked(question=question, known=False, stale=True)
            return Asked(question=question, known=True, value=last.value, use="USE", answer=last, stale=True)

    def _advancing(self, step: str, within: float) -> Generator[Step, Response | None, bool]:
        given = {"journey": self.id, "step": step, "cameFrom": self.step}
        return (yield from self._changing("AdvanceJourney", _operations.ADVANCE_JOURNEY, given, within))

    def _becoming(self, status: str, outcome: str | None, within: float) -> Generator[Step, Response | None, bool]:
        given = {"journey": self.id, "status": status, "outcome": outcome}
        return (yield from self._changing("SetJourneyStatus", _operations.SET_JOURNEY_STATUS, given, within))

    def _changing(
        self, name: str, document: str, given: Mapping[str, Any], within: float
    ) -> Generator[Step, Response | None, bool]:
        told = yield from _exchange(self._recorder, self._options, self._contact, name, document, given, within)
        self._state = _read(told)
        return bool(told["isDone"])


def starting(
    recorder: Recorder, options: Options, contact: Recording, type: str, key: str, within: float
) -> Generator[Step, Response | None, Begun]:
    """Starts a journey, or picks it up. First the contact's own actions are delivered, in at most half of the time."""
    until = options.clock() + within
    if recorder.queue.undelivered(contact.key):
        yield Flush(contact.key, within / 2)
    told = yield from _exchange(
        recorder,
        options,
        contact,
        "StartJourney",
        _operations.START_JOURNEY,
        {"type": type, "key": key},
        until - options.clock(),
    )
    try:
        answers = [Answer.model_validate(one) for one in told["answers"]]
        return Begun(_read(told), {one.question: one for one in answers}, bool(told["resumed"]))
    except (KeyError, TypeError, ValidationError) as error:
        raise ProtocolError(_ODD) from error


def _exchange(
    recorder: Recorder,
    options: Options,
    contact: Recording,
    name: str,
    document: str,
    given: Mapping[str, Any],
    within: float,
) -> Generator[Request | Sleep, Response | None, dict[str, Any]]:
    """One mutation, of which the server knows a repetition by its operation id. What its payload says."""
    who = {"identifiers": list(contact._identifiers), "contact": contact.key, "operationId": random_uuid()}
    data = yield from asking(
        name,
        document,
        {"input": {**given, **who}},
        options,
        options.clock() + within,
        repeatable=True,
        token=contact._token,
    )
    told = data.get(name[0].lower() + name[1:])
    if not isinstance(told, dict):
        raise ProtocolError(_ODD)
    recorder.token = told.get("token") or recorder.token
    return told


def _read(told: Mapping[str, Any]) -> JourneyState:
    try:
        return JourneyState.model_validate(told["journey"])
    except (KeyError, ValidationError) as error:
        raise ProtocolError(_ODD) from error
