"""One attempt at a capability: the lease, the deadline, and what an implementation's end means.

What comes of an attempt:

    an output that fits its schema    DONE
    a handle                          ACCEPTED
    Failed                            FAILED
    an output that does not fit       UNKNOWN, INVALID_OUTPUT: it answered, so it did something, and would answer alike
    NotDone                           nothing is kept and the caller is told UNAVAILABLE, if it was the first attempt
    Unknown, the deadline, a crash    tried again with the same key where that is safe, else UNKNOWN, and never repeated

Who calls hands over how an outcome is told as an action; it is stored in the same write.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from dataclasses import dataclass, replace
from typing import Any

import structlog

from steadylight_server.capabilities.declared import Capabilities
from steadylight_server.capabilities.models import (
    MOST_CODE,
    MOST_HANDLE,
    MOST_MESSAGE,
    MOST_OUTPUT_BYTES,
    Answer,
    Call,
    Capability,
    CustomerRef,
    Failed,
    Failure,
    Implementation,
    Left,
    NotDone,
    Performance,
    Progress,
    State,
    Unknown,
)
from steadylight_server.capabilities.store import PerformanceStore, running, written
from steadylight_server.core.clock import Clock, in_milliseconds, now
from steadylight_server.core.errors import Unavailable

log = structlog.get_logger("steadylight.capabilities")

# An implementation that honours keys and never answers is given up after these, and two minutes of pauses.
MOST_ATTEMPTS = 8
# Seconds between progress that is written down.
_TOLD_EVERY = 0.2
_MOST_PAUSE = 60.0
NOTHING_DONE = "What does it cannot be reached now. Nothing was done; try again."

# The action that tells what has come of a performance, as it is stored.
TellsOf = Callable[[Performance], Mapping[str, Any]]


@dataclass(frozen=True)
class Outcome:
    """What has come of an attempt. `output` is JSON."""

    state: State
    output: str | None = None
    failure: Failure | None = None
    handle: str | None = None


class Attempts:
    """Makes attempts that their caller has leased."""

    def __init__(self, store: PerformanceStore, declared: Capabilities, *, clock: Clock = now) -> None:
        self._store = store
        self._declared = declared
        self._clock = clock

    async def attempt(self, left: Left, customer: CustomerRef, tells_of: TellsOf) -> Performance | None:
        """What came of one attempt, which the caller has leased; None where somebody else has it by now.

        It is still RUNNING where it is to be tried again. Raises Unavailable where certainly nothing was done.
        """
        one = left.performance
        capability = self._declared.declared.get(one.capability)
        implementation = self._declared.implementation(capability) if capability else None
        is_elsewhere = capability is not None and capability.implementation.place != left.place
        if one.attempt > 1 and (is_elsewhere or not left.is_safe):
            return await self._end(one, _INTERRUPTED, tells_of)
        if one.attempt > MOST_ATTEMPTS:  # whoever tried it did not live to give it up
            return await self._end(one, _NO_ANSWER, tells_of)
        if capability is None or implementation is None or (one.attempt > 1 and implementation.unavailable):
            return await self._again(one, tells_of)  # perhaps at another server, which has it
        is_safe = left.is_safe and implementation.honours_keys and not is_elsewhere
        if one.attempt > 1 and not is_safe:
            return await self._end(one, _INTERRUPTED, tells_of)
        call = Call(
            capability=capability.name,
            key=one.name,
            input=left.input,
            customer=customer,
            channel=one.channel,
            assurance=one.assurance,
            attempt=one.attempt,
            performance_id=one.id,
            given_key=one.key,
            timeout=capability.timeout.total_seconds(),
        )
        async with self._held(one) as tell:
            try:
                outcome = await self._outcome(capability, implementation, call, tell)
            except NotDone as error:
                log.warning("a capability cannot be called", capability=one.capability, why=str(error))
                if one.attempt == 1:
                    await self._store.forget(one.id, one.attempt)
                    raise Unavailable(NOTHING_DONE) from None
                return await self._again(one, tells_of)
            except Unknown as error:
                log.warning("nobody knows whether it was done", performance=one.name, why=str(error))
                if is_safe:
                    return await self._again(one, tells_of)
                outcome = _NO_ANSWER
            return await self._end(one, outcome, tells_of)

    async def _outcome(
        self, capability: Capability, implementation: Implementation, call: Call, tell: Callable[[Progress], None]
    ) -> Outcome:
        """Raises NotDone, Unknown."""
        if why := implementation.unavailable:
            raise NotDone(why)
        try:
            async with asyncio.timeout(call.timeout):
                answer = await implementation(call, tell)
        except Failed as error:
            return Outcome(
                State.FAILED, failure=Failure(str(error.code)[:MOST_CODE], str(error.message)[:MOST_MESSAGE])
            )
        except (NotDone, Unknown):
            raise
        except TimeoutError:
            raise Unknown(f"No answer within {call.timeout:g} seconds.") from None
        except Exception as error:
            log.exception("what implements a capability broke", capability=capability.name)
            raise Unknown(f"It broke: {type(error).__name__}.") from None
        return self._judged(capability, answer)

    def _judged(self, capability: Capability, answer: Answer) -> Outcome:
        try:
            if answer.handle is None:
                return Outcome(State.DONE, output=self.output(capability, answer.output))
            if not isinstance(answer.handle, str):
                raise ValueError("handle: text is wanted")
            return Outcome(State.ACCEPTED, handle=answer.handle[:MOST_HANDLE])
        except ValueError as error:
            log.error("a capability answered what its schema forbids", capability=capability.name, why=str(error))
            return Outcome(State.UNKNOWN, failure=Failure("INVALID_OUTPUT", str(error)[:MOST_MESSAGE]))

    @staticmethod
    def output(capability: Capability, output: Mapping[str, Any] | None) -> str:
        """As it is kept. Raises ValueError."""
        output = {} if output is None else output
        if not isinstance(output, Mapping):
            raise ValueError("output: an object is wanted")
        text = written(output)
        if len(text) > MOST_OUTPUT_BYTES:
            raise ValueError(f"output: at most {MOST_OUTPUT_BYTES:,} bytes")
        if faults := capability.output.faults(dict(output)):
            raise ValueError("\n".join(f"output{fault}" for fault in faults))
        return text

    async def _again(self, one: Performance, tells_of: TellsOf) -> Performance | None:
        """Leaves it for a later attempt, unless there were many."""
        if one.attempt >= MOST_ATTEMPTS:
            return await self._end(one, _NO_ANSWER, tells_of)
        await self._store.put_off(one.id, one.attempt, min(_MOST_PAUSE, 2.0 ** (one.attempt - 1)))
        return one

    async def _end(self, one: Performance, outcome: Outcome, tells_of: TellsOf) -> Performance | None:
        """Stores what came of it. Tries for as long as the lease is held: what is known must not be lost."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._store.lease_seconds
        while True:
            try:
                return await self.ended(one, running(one.attempt), outcome, tells_of)
            except Unavailable:
                if loop.time() > until:
                    raise
                await asyncio.sleep(0.2)

    async def ended(
        self, one: Performance, where: Mapping[str, Any], outcome: Outcome, tells_of: TellsOf
    ) -> Performance | None:
        """The performance with what came of it, stored; None where it is not as `where` says."""
        at = in_milliseconds(self._clock())
        after = replace(one, state=outcome.state, failure=outcome.failure, ended_at=at)
        return await self._store.end(
            one.id,
            where,
            outcome.state,
            deeds=[tells_of(after)],
            at=at,
            output=outcome.output,
            failure=outcome.failure,
            handle=outcome.handle,
        )

    @asynccontextmanager
    async def _held(self, one: Performance) -> AsyncIterator[Callable[[Progress], None]]:
        """The lease is extended while this is entered, and progress that is told is written down."""
        latest: list[Progress] = []
        told = asyncio.Event()

        def tell(progress: Progress) -> None:
            done = progress.done
            latest[:] = [
                Progress(
                    None if done is None else min(1.0, max(0.0, done)),
                    progress.message[:MOST_MESSAGE],
                    in_milliseconds(self._clock()),
                )
            ]
            told.set()

        async def hold() -> None:
            while True:
                with suppress(TimeoutError):
                    await asyncio.wait_for(told.wait(), self._store.lease_seconds / 3)
                told.clear()
                with suppress(Unavailable):  # the lease lasts for more than one of these
                    if latest:
                        await self._store.report(one.id, latest.pop(), attempt=one.attempt)
                    if not await self._store.extend(one.id, one.attempt):
                        return
                await asyncio.sleep(_TOLD_EVERY)

        # Without the request's session, which is not for two at once.
        holding = asyncio.create_task(hold(), context=Context())
        try:
            yield tell
        finally:
            holding.cancel()
            with suppress(asyncio.CancelledError):
                await holding


_NO_ANSWER = Outcome(
    State.UNKNOWN, failure=Failure("NO_ANSWER", "What does it did not answer. It may have been done, or not.")
)
_INTERRUPTED = Outcome(
    State.UNKNOWN,
    failure=Failure("INTERRUPTED", "It was interrupted. It may have been done, or not, and is not tried again."),
)
