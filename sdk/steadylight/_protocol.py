"""How the SDK talks with the server, without any I/O.

An exchange is a generator. It yields a step, is sent what the step brought, and returns its result:

    Request   send this, and send back the Answer: a response, or the network's error as a value
    Sleep     wait so many seconds; whoever plays may wake up early, but not before `least`
    Idle      nothing to send; go on when there is
    Flush     deliver first what a contact recorded; only who reads asks for it

Both clients, the background thread and the background task merely play exchanges; every decision is here:

- whole-request failure (network, 429, 5xx, UNAVAILABLE, RATE_LIMITED, INTERNAL, garbage): the same actions again, after
  a pause drawn from 0 to a bound that doubles up to one ceiling ("full jitter": clients that failed together do not
  come back together), on top of what Retry-After asks for;
- UNAUTHENTICATED, FORBIDDEN: the actions are kept, and tried again at the ceiling, since a key can be repaired;
- INVALID, TOO_COMPLEX for a whole batch: halves, until the one action that spoils it is alone, and that is refused;
- per action: only RETRY is sent again. REFUSED is final and holds up nobody.

An action's id makes repetition harmless: what was stored already comes back as DUPLICATE.
"""

import gzip
import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from . import _operations
from ._actions import Entry, rfc3339
from ._answers import Answer, Judgement, judge, read
from ._errors import (
    Forbidden,
    Invalid,
    RateLimited,
    SteadylightError,
    Timeout,
    TooComplex,
    Unauthenticated,
    Unavailable,
    Unreachable,
)
from ._options import Options
from ._plain import Verdict

# Below this, gzip costs more than the bytes it saves.
_GZIP_FROM = 1_000
# Level 1 takes a quarter of the time of the default and leaves a sixth more bytes, measured on batches of actions.
_GZIP_LEVEL = 1
_LARGEST_EXPONENT = 30


@dataclass(frozen=True, slots=True)
class Request:
    """One POST to the endpoint; `timeout` in seconds for the whole of it."""

    body: bytes = field(repr=False)
    headers: Mapping[str, str]
    timeout: float


class Sleep(NamedTuple):
    """Seconds to wait; somebody in a hurry may cut it down to `least`, which the server asked for."""

    seconds: float
    least: float = 0.0


class Idle(NamedTuple):
    """Nothing to send for now."""


class Flush(NamedTuple):
    """Deliver what this contact recorded, within so many seconds."""

    contact: str
    seconds: float


Step = Request | Sleep | Idle
Delivery = Generator[Step, Answer | None, None]
Asking = Generator[Request | Sleep, Answer | None, dict[str, Any]]


class Source(Protocol):
    """Where actions come from and where their verdicts go."""

    def take(self, count: int, size: int) -> list[Entry]:
        """The next actions, at most so many and so many bytes, but at least one if there is any."""

    def settle(self, batch: Sequence[Entry], judgement: Judgement) -> None:
        """Act on the verdicts; actions with R come from `take` again, after everything else."""

    def give_back(self, batch: Sequence[Entry]) -> None:
        """These were taken and not judged; they come from `take` again, before everything else."""

    def failed(self, error: SteadylightError, batch: Sequence[Entry]) -> None:
        """A whole request failed and its actions will be sent again."""

    def pausing(self, seconds: float) -> None:
        """The next try is so far away."""

    def question(self) -> Request | None:
        """What it wants to know of the server when there is nothing to send."""

    def answered(self, answer: Answer) -> SteadylightError | None:
        """What came back. The error, if it is to be asked again after a pause."""


class Backoff:
    """The schedule of pauses: full jitter under one ceiling, begun anew when something worked."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._attempt = 0

    def reset(self) -> None:
        """Something worked."""
        self._attempt = 0

    def after(self, error: SteadylightError | None) -> Sleep:
        """The pause after this failure; None after answers that asked to try some actions again."""
        bound = min(self._options.backoff_ceiling, self._options.backoff_base * 2**self._attempt)
        self._attempt = min(self._attempt + 1, _LARGEST_EXPONENT)
        least = (error and error.retry_after) or 0.0
        if isinstance(error, Unauthenticated | Forbidden):
            return Sleep(max(self._options.backoff_ceiling, least), least)
        return Sleep(least + self._options.jitter() * bound, least)


def request(
    operation: str,
    document: str,
    variables: Mapping[str, Any] | None,
    timeout: float,
    headers: Mapping[str, str] | None = None,
) -> Request:
    """One GraphQL operation as a request."""
    body: dict[str, Any] = {"query": document}
    if operation:
        body["operationName"] = operation
    if variables:
        body["variables"] = variables
    return _packed(json.dumps(body, separators=(",", ":")).encode(), timeout, headers)


def recording(batch: Sequence[Entry], options: Options, timeout: float) -> Request:
    """These actions as a request. `sent_at` is now, at each sending: the server corrects clocks by it."""
    sent_at = rfc3339(options.now()).encode()
    actions = b",".join(entry.payload for entry in batch)
    return _packed(b"".join((_HEAD, sent_at, b'","actions":[', actions, b"]}}}}")), timeout)


_HEAD = (
    b'{"operationName":"RecordActions","query":'
    + json.dumps(_operations.RECORD_ACTIONS).encode()
    + b',"variables":{"input":{"batch":{"sent_at":"'
)


def _packed(body: bytes, timeout: float, headers: Mapping[str, str] | None = None) -> Request:
    headers = headers or {}
    if len(body) <= _GZIP_FROM:
        return Request(body, headers, timeout)
    return Request(gzip.compress(body, _GZIP_LEVEL, mtime=0), {"Content-Encoding": "gzip", **headers}, timeout)


def delivery(
    source: Source, options: Options, *, until: float | None = None, patient: bool = True, brief: bool = False
) -> Delivery:
    """Sends what the source holds, batch after batch.

    Patient, it never ends: it idles when there is nothing, and outlasts a refused key. Otherwise it ends when the
    source is empty, or at `until` on the options' clock, and raises Unauthenticated or Forbidden, since somebody is
    there to be told. Brief, it also ends instead of pausing. However it ends, actions without a verdict are given back.
    """
    backoff = Backoff(options)
    again: list[list[Entry]] = []

    def pause(error: SteadylightError | None) -> Sleep:
        pause = _shorter(backoff.after(error), _left(until, options))
        source.pausing(pause.seconds)
        return pause

    try:
        while (left := _left(until, options)) > 0:
            batch = again.pop() if again else source.take(options.batch_count, options.batch_bytes)
            if not batch:
                if brief or not patient:
                    return
                if (question := source.question()) is None:
                    yield Idle()
                elif (error := source.answered(_certain((yield question)))) is not None:
                    yield pause(error)
                continue
            again.append(batch)
            answer = _certain((yield recording(batch, options, min(options.request_timeout, left))))
            try:
                judgement = judge(answer, len(batch), options.now())
            except (Invalid, TooComplex) as error:
                middle = len(batch) // 2
                if not middle:
                    source.settle(batch, _refusal(batch[0], error))
                again.pop()
                again += [half for half in (batch[middle:], batch[:middle]) if middle]
            except SteadylightError as error:
                if not patient and isinstance(error, Unauthenticated | Forbidden):
                    raise
                source.failed(error, batch)
                if brief:
                    return
                yield pause(error)
            else:
                source.settle(batch, judgement)
                again.pop()
                if set(judgement.letters) != {"R"}:
                    backoff.reset()
                if "R" in judgement.letters:
                    if brief:
                        return
                    yield pause(None)
    finally:
        for batch in again:
            source.give_back(batch)


def _certain(answer: Answer | None) -> Answer:
    assert answer is not None
    return answer


def asking(
    operation: str,
    document: str,
    variables: Mapping[str, Any] | None,
    options: Options,
    until: float,
    *,
    repeatable: bool,
    token: str | None = None,
) -> Asking:
    """The `data` of one operation, by `until` on the options' clock; `token` is the customer's own, if there is one.

    A repeatable one is asked again while the server says that it cannot answer now and time remains. Raises the error
    tree; Timeout when the time is up, unless an answer came in it: that tells more than that a last try had no time.
    """
    backoff = Backoff(options)
    headers = {} if token is None else {"Steadylight-Customer": token}
    told: SteadylightError | None = None
    while (left := until - options.clock()) > 0:
        answer = yield request(operation, document, variables, left, headers)
        assert answer is not None
        try:
            return read(answer, options.now())
        except (Unavailable, RateLimited, Unreachable) as error:
            pause = backoff.after(error)
            if not repeatable or options.clock() + pause.seconds >= until:
                raise
            told = error
        except Timeout as error:
            if told is None:
                raise
            raise told from error
        yield pause
    raise told or Timeout("The time was up before the question could be asked.")


def _left(until: float | None, options: Options) -> float:
    return float("inf") if until is None else until - options.clock()


def _shorter(pause: Sleep, left: float) -> Sleep:
    """No pause goes beyond the deadline."""
    return Sleep(min(pause.seconds, left), min(pause.least, left)) if left < pause.seconds else pause


def _refusal(entry: Entry, error: SteadylightError) -> Judgement:
    told = Verdict(index=0, id=entry.id, verdict="REFUSED", code="INVALID", message=error.message)
    return Judgement("X", (told,))
