"""Says what a channel may offer, and does it once: the leases, the deadline, and what an implementation's end means.

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
import json
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from contextvars import Context
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from steadylight_server.capabilities.declared import Capabilities
from steadylight_server.capabilities.models import (
    MOST_CODE,
    MOST_HANDLE,
    MOST_INPUT_BYTES,
    MOST_KEY,
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
    Offer,
    Offered,
    Performance,
    Progress,
    State,
    Unknown,
    Why,
    performance_id,
)
from steadylight_server.capabilities.store import Changed, PerformanceStore, being, digest, running, written
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.clock import Clock, in_milliseconds, now
from steadylight_server.core.errors import Conflict, Invalid, NotFound, Unavailable

log = structlog.get_logger("steadylight.capabilities")

# Seconds after which somebody else records what whoever ended a performance left.
LEFT_AFTER = timedelta(seconds=10)
# An implementation that honours keys and never answers is given up after these, and two minutes of pauses.
MOST_ATTEMPTS = 8
# Seconds between progress that is written down.
_TOLD_EVERY = 0.2
_MOST_PAUSE = 60.0
_TOGETHER = 100
_NOTHING = "There is no such performance."

# The action that tells what has come of a performance, as it is stored.
TellsOf = Callable[[Performance], Mapping[str, Any]]


@dataclass(frozen=True)
class Outcome:
    """What has come of an attempt. `output` is JSON."""

    state: State
    output: str | None = None
    failure: Failure | None = None
    handle: str | None = None


class CapabilityService:
    """The only way to capabilities and performances."""

    def __init__(self, store: PerformanceStore, declared: Capabilities, *, clock: Clock = now) -> None:
        self._store = store
        self._clock = clock
        self.declared = declared

    def offered(
        self, capability: Capability, channel: str, assurance: Assurance, may: Callable[[str], bool]
    ) -> Offered:
        """What there is to it in that channel, for a customer of whom the channel is that sure.

        `may` says whether the channel's credential has a scope. What only a person can change is told first.
        """
        binding = capability.binding(channel)
        if binding.offer is Offer.NOT_FEASIBLE:
            return Offered(capability, False, Why.NOT_FEASIBLE, binding.reason)
        if missing := sorted(scope for scope in capability.scopes if not may(scope)):
            return Offered(capability, False, Why.SCOPE_MISSING, f"This credential lacks {', '.join(missing)}.")
        if assurance < capability.assurance:
            needed = f"It takes somebody who has proven who they are by {capability.assurance.name}."
            return Offered(capability, False, Why.ASSURANCE_TOO_LOW, needed)
        if self.declared.implementation(capability).unavailable is not None:
            return Offered(capability, False, Why.UNAVAILABLE, "What does it cannot be reached now. Try again shortly.")
        if binding.offer is Offer.LIMITED:
            return Offered(capability, True, Why.LIMITED, binding.reason)
        return Offered(capability, True)

    def read(self, capability: Capability, input: object, key: str) -> str:
        """The input as it is kept. Raises Invalid, with a JSON pointer for each fault."""
        if not 0 < len(key) <= MOST_KEY:
            raise Invalid(f"key: 1 to {MOST_KEY} characters.")
        if not isinstance(input, Mapping):
            raise Invalid("input: an object is wanted.")
        try:
            text = written(input)
        except ValueError as error:
            raise Invalid(f"input: {error}.") from None
        if len(text) > MOST_INPUT_BYTES:
            raise Invalid(f"input: at most {MOST_INPUT_BYTES:,} bytes.")
        if faults := capability.input.faults(input):
            raise Invalid("\n".join(f"input{fault}" for fault in faults))
        return text

    async def one(self, id: UUID) -> Performance:
        """Raises NotFound."""
        if (found := await self._store.one(id)) is None:
            raise NotFound(_NOTHING)
        return found

    async def same(self, profile_ids: Collection[UUID], capability: str, key: str, input: str) -> Performance | None:
        """What became of that key of these profiles, None where it is free. Raises Conflict for another input."""
        found = await self._store.same(profile_ids, capability, key)
        # Two where customers were merged who had both used it.
        for one in found:
            if one.digest == digest(input):
                return one
        if found:
            raise Conflict(f"The key {key!r} was used for this with another input. Use another key for another deed.")
        return None

    async def begin(
        self,
        capability: Capability,
        profile_id: UUID,
        key: str,
        input: str,
        *,
        channel: str,
        assurance: Assurance,
        asked: Mapping[str, Any],
        at: datetime,
    ) -> Performance | None:
        """A new one, leased to the caller, who runs it; None where somebody else just made it."""
        new = Performance(
            id=performance_id(profile_id, capability.name, key),
            profile_id=profile_id,
            capability=capability.name,
            key=key,
            digest=digest(input),
            state=State.RUNNING,
            channel=channel,
            assurance=assurance,
            begun_at=at,
            label=capability.label,
        )
        is_safe = self.declared.implementation(capability).honours_keys
        place = capability.implementation.place
        return new if await self._store.begin(new, input, asked, is_safe=is_safe, place=place) else None

    @staticmethod
    def begun(capability: Capability, one: Performance, input: str) -> Left:
        """What `begin` made, for `attempt`: the first, so that nothing can have been done before."""
        return Left(one, json.loads(input), {}, is_safe=True, place=capability.implementation.place)

    async def take_over(self) -> Left | None:
        """An attempt that nobody holds any more, leased to the caller as the next; None when all is at rest."""
        return await self._store.take_over()

    async def attempt(self, left: Left, customer: CustomerRef, tells_of: TellsOf) -> Performance | None:
        """What came of one attempt, which the caller has leased; None where somebody else has it by now.

        It is still RUNNING where it is to be tried again. Raises Unavailable where certainly nothing was done.
        """
        one = left.performance
        capability = self.declared.declared.get(one.capability)
        implementation = self.declared.implementation(capability) if capability else None
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
                    raise Unavailable("What does it cannot be reached now. Nothing was done; try again.") from None
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
                return Outcome(State.DONE, output=self._output(capability, answer.output))
            if not isinstance(answer.handle, str):
                raise ValueError("handle: text is wanted")
            return Outcome(State.ACCEPTED, handle=answer.handle[:MOST_HANDLE])
        except ValueError as error:
            log.error("a capability answered what its schema forbids", capability=capability.name, why=str(error))
            return Outcome(State.UNKNOWN, failure=Failure("INVALID_OUTPUT", str(error)[:MOST_MESSAGE]))

    @staticmethod
    def _output(capability: Capability, output: Mapping[str, Any] | None) -> str:
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
                return await self._ended(one, running(one.attempt), outcome, tells_of)
            except Unavailable:
                if loop.time() > until:
                    raise
                await asyncio.sleep(0.2)

    async def _ended(
        self, one: Performance, where: Mapping[str, Any], outcome: Outcome, tells_of: TellsOf
    ) -> Performance | None:
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

    async def report(self, id: UUID, progress: Progress) -> Performance:
        """How far one that was accepted has come. Raises NotFound, Conflict where it is over, Invalid, and Unavailable
        while it is not known that it was accepted.
        """
        if progress.done is not None and not 0 <= progress.done <= 1:
            raise Invalid("done: from 0 to 1.")
        if len(progress.message) > MOST_MESSAGE:
            raise Invalid(f"message: at most {MOST_MESSAGE} characters.")
        told = await self._store.report(id, replace(progress, at=in_milliseconds(self._clock())))
        if told is None:
            one = await self.one(id)
            _check_is_answered(one)
            raise Conflict(f"It is {one.state}, not ACCEPTED.")
        return told

    async def complete(
        self, id: UUID, output: Mapping[str, Any] | None, failure: Failure | None, tells_of: TellsOf
    ) -> tuple[Performance, bool]:
        """What came of one that was accepted, or whose outcome was unknown; and whether this said so first.

        The same again is harmless. Raises NotFound, Invalid for an output that does not fit, Conflict where something
        else came of it, and Unavailable while it is not known that it was accepted.
        """
        one = await self.one(id)
        _check_is_answered(one)
        outcome = self._reported(one, output, failure)
        done = await self._ended(one, being(State.ACCEPTED, State.UNKNOWN), outcome, tells_of)
        if done is not None:
            return done, True
        one = await self.one(id)
        is_same = (one.state, one.failure) == (outcome.state, outcome.failure) and (
            outcome.output is None or written(one.output or {}) == outcome.output
        )
        if not is_same:
            raise Conflict(f"It is {one.state} already, and nothing else can come of it.")
        return one, False

    def _reported(self, one: Performance, output: Mapping[str, Any] | None, failure: Failure | None) -> Outcome:
        if (output is None) == (failure is None):
            raise Invalid("output or failure, one of the two.")
        if failure is not None:
            if not 0 < len(failure.code) <= MOST_CODE or len(failure.message) > MOST_MESSAGE:
                raise Invalid(f"code: 1 to {MOST_CODE} characters; message: at most {MOST_MESSAGE}.")
            return Outcome(State.FAILED, failure=failure)
        try:
            return Outcome(State.DONE, output=self._output(self.declared.of(one.capability), output))
        except ValueError as error:
            raise Invalid(str(error)) from None

    async def asked(self, id: UUID) -> Mapping[str, Any]:
        """The action that asked for it, as it is stored. Raises NotFound."""
        if (found := await self._store.asked(id)) is None:
            raise NotFound(_NOTHING)
        return found

    async def unrecorded(self) -> list[tuple[UUID, Mapping[str, Any]]]:
        """Actions that whoever died before they had recorded them left, each with its performance."""
        left = await self._store.unrecorded(self._clock() - LEFT_AFTER, _TOGETHER)
        return [(id, deed) for id, deeds in left for deed in deeds]

    async def recorded(self, id: UUID, deed: UUID) -> None:
        """It is on the timeline."""
        await self._store.recorded(id, [deed])

    def changed(self) -> AbstractAsyncContextManager[Changed]:
        """Performances as they change, from now on."""
        return self._store.changed()

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


def _check_is_answered(one: Performance) -> None:
    """Raises Unavailable: who goes on with it may be faster than its own answer, and must not take that for the end."""
    if one.state is State.RUNNING:
        raise Unavailable("It is RUNNING: that it goes on is not known here yet. Try again.")


_NO_ANSWER = Outcome(
    State.UNKNOWN, failure=Failure("NO_ANSWER", "What does it did not answer. It may have been done, or not.")
)
_INTERRUPTED = Outcome(
    State.UNKNOWN,
    failure=Failure("INTERRUPTED", "It was interrupted. It may have been done, or not, and is not tried again."),
)
