"""A signed call of another system, and what can be known of its effect afterwards.

    200, 201 with a JSON object          Told: it was done, and this is the output
    202 with {"handle": …}               Told: it goes on over there, under that name
    4xx with {"code": …, "message": …}   Rejected: it was not done and will not be
    any other 4xx, and 401, 429 always   Undone: the other side did not look at what was to be done
    409 without a code                   Unsure: the same call is under way there; so are 408, 5xx, redirects, no JSON
    no connection, an open circuit       Undone: nothing was sent
    no whole answer in time              Unsure: it was sent

What was certainly not done is tried again, after a random pause (full jitter) or the one that `Retry-After` asks for.
What is unsure is tried again only where the receiver honours keys: it does what has one key once, however often it is
asked. All attempts of a call end within its deadline, and share its id, its key and its bytes; each is signed anew,
with its own time. What was unsure once stays so, unless a later attempt is told.

Receivers, addresses and answers are named in the log by the webhook's name and a reason, never by what was said.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import orjson
import structlog

from steadylight_server.core import metrics
from steadylight_server.core.circuit import Circuit, Open, Passage
from steadylight_server.core.clock import Clock, now
from steadylight_server.core.http import Busy, Line, Reply, Unanswered, Unsent
from steadylight_server.core.signatures import signed

log = structlog.get_logger("steadylight.webhook")

ATTEMPTS = 3
# Seconds. The n-th repetition waits for a random part of FIRST * 2^n, LONGEST at most.
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0

_MOST_CODE = 50
_MOST_HANDLE = 200
# About the request, or its sender, whoever the customer is: so a body with a code tells customers nothing.
_NOT_OURS = frozenset({401, 405, 406, 411, 413, 414, 415, 417, 421, 426, 428, 429, 431})
# Of these, the one that time may heal.
_TOO_MANY = 429
# The other side does not know either.
_UNSURE = frozenset({408, 425, 499})
_CONFLICT = 409


@dataclass(frozen=True)
class Told:
    """What the other side says came of it: the output, or the name of what goes on there."""

    output: Mapping[str, Any] | None = None
    handle: str | None = None


class Rejected(Exception):
    """It was not done and will not be; `code` and `message` are the other side's, for whoever asked."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


class Undone(Exception):
    """Certainly nothing was done. The message is for operators."""


class Unsure(Exception):
    """It may have been done, or not. The message is for operators."""


class _Again(Exception):
    """This attempt came to nothing.

    Whether it may have been done; whether time may heal it, and after which seconds; whether the other side is well.
    """

    def __init__(
        self, why: str, *, unsure: bool, heals: bool = True, after: float = 0.0, is_well: bool = False
    ) -> None:
        super().__init__(why)
        self.unsure = unsure
        self.heals = heals
        self.after = after
        self.is_well = is_well


class Webhook:
    """One thing that another system does when it is asked. To be closed."""

    def __init__(
        self,
        name: str,
        line: Line,
        keys: Sequence[bytes],
        *,
        honours_keys: bool,
        circuit: Circuit | None = None,
        attempts: int = ATTEMPTS,
        clock: Clock = now,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`keys` are the secrets' bytes, each of which signs; `jitter` answers from 0 to 1."""
        self.name = name
        self.honours_keys = honours_keys
        self.circuit = circuit or Circuit(name)
        self._line = line
        self._keys = keys
        self._attempts = attempts
        self._clock = clock
        self._jitter = jitter

    @property
    def is_open(self) -> bool:
        """Whether its circuit turns calls away now."""
        return self.circuit.is_open

    async def call(self, id: str, key: str, body: bytes, *, seconds: float) -> Told:
        """What came of it, within `seconds`. Raises Rejected, Undone, Unsure.

        `id` names the deed, without a full stop; `key`, printable ASCII, is by what the receiver knows a repetition.
        """
        began, outcome = time.monotonic(), "unsure"
        try:
            told = await self._call(id, key, body, began + seconds)
            outcome = "accepted" if told.handle is not None else "done"
            return told
        except Rejected:
            outcome = "rejected"
            raise
        except Undone:
            outcome = "undone"
            raise
        finally:
            metrics.webhook_called(self.name, outcome, time.monotonic() - began)

    async def close(self) -> None:
        """Gives the connections back."""
        await self._line.close()

    async def _call(self, id: str, key: str, body: bytes, deadline: float) -> Told:
        is_unsure, attempt = False, 0
        while True:
            attempt += 1
            try:
                with self.circuit.passage() as passage:
                    return await self._attempt(passage, id, key, body, deadline - time.monotonic())
            except Open as error:
                self._give_up(id, attempt, "its circuit is open", is_unsure, after=error.retry_after)
            except _Again as error:
                why, is_unsure = str(error), is_unsure or error.unsure
                pause = max(error.after, self._jitter() * min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt))
                may = error.heals and (self.honours_keys or not is_unsure)
                if not may or attempt >= self._attempts or time.monotonic() + pause >= deadline:
                    self._give_up(id, attempt, why, is_unsure)
                log.info("a webhook is called again", webhook=self.name, id=id, attempt=attempt, why=why)
            await asyncio.sleep(pause)

    def _give_up(self, id: str, attempt: int, why: str, is_unsure: bool, **more: float) -> NoReturn:
        log.warning(
            "a webhook was called in vain",
            webhook=self.name,
            id=id,
            attempts=attempt,
            why=why,
            may_be_done=is_unsure,
            **more,
        )
        raise (Unsure if is_unsure else Undone)(f"{self.name}: {why}")

    async def _attempt(self, passage: Passage, id: str, key: str, body: bytes, seconds: float) -> Told:
        """What was told. Raises Rejected, and _Again for all else."""
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": key,
            **signed(self._keys, id, int(self._clock().timestamp()), body),
        }
        try:
            reply = await self._line.post(body, headers, seconds=seconds)
            told = _judged(reply)
        except Busy as error:
            raise _Again(str(error), unsure=False) from error  # which says nothing about the other side
        except Unsent as error:
            passage.failed()
            raise _Again(str(error), unsure=False) from error
        except Unanswered as error:
            passage.failed()
            raise _Again(str(error), unsure=True) from error
        except Rejected:
            passage.worked()
            raise
        except _Again as error:
            passage.worked() if error.is_well else passage.failed()
            raise
        passage.worked()
        return told


def _judged(reply: Reply) -> Told:
    """What an answer says. Raises Rejected, _Again."""
    status, after = reply.status, _seconds(reply.headers.get("retry-after"))
    said = _object(reply.body)
    if status in (200, 201):
        if said is None:
            raise _Again(f"answers {status} without a JSON object", unsure=True, after=after)
        return Told(output=said)
    if status == 202:
        handle = said.get("handle") if said is not None else None
        if not isinstance(handle, str) or not 1 <= len(handle) <= _MOST_HANDLE:
            raise _Again("answers 202 without a handle", unsure=True, after=after)
        return Told(handle=handle)
    if status in _NOT_OURS:
        raise _Again(f"answers {status}", unsure=False, heals=status == _TOO_MANY, after=after)
    if not 400 <= status < 500 or status in _UNSURE:
        raise _Again(f"answers {status}", unsure=True, after=after)
    if (rejection := _rejection(said)) is not None:
        raise rejection
    if status == _CONFLICT:
        raise _Again("answers 409 without a code", unsure=True, after=after, is_well=True)
    raise _Again(f"answers {status} without a code", unsure=False, heals=False, is_well=True)


def _object(body: bytes) -> Mapping[str, Any] | None:
    """The JSON object, or None where it is none."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return said if isinstance(said, dict) else None


def _rejection(said: Mapping[str, Any] | None) -> Rejected | None:
    """A code of printable ASCII without spaces, and a message, which may be missing. None where it is none."""
    if said is None:
        return None
    code, message = said.get("code"), said.get("message", "")
    if not isinstance(code, str) or not isinstance(message, str):
        return None
    is_code = 1 <= len(code) <= _MOST_CODE and code.isascii() and code.isprintable() and " " not in code
    return Rejected(code, message) if is_code else None


def _seconds(retry_after: str | None) -> float:
    """Of a Retry-After in seconds; 0 for a date, which legacy clocks get wrong, and for what is none."""
    return float(retry_after) if retry_after is not None and retry_after.isascii() and retry_after.isdigit() else 0.0
