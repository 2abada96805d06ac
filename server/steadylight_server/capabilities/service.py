"""Says what a channel may offer, begins a deed once for each key, and keeps what came of it; `attempts` does it.

Who calls hands over how an outcome is told as an action; it is stored in the same write.
"""

import json
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from steadylight_server.capabilities.attempts import Attempts, Outcome, TellsOf
from steadylight_server.capabilities.declared import Capabilities
from steadylight_server.capabilities.models import (
    MOST_CODE,
    MOST_INPUT_BYTES,
    MOST_KEY,
    MOST_MESSAGE,
    Capability,
    CustomerRef,
    Failure,
    Left,
    Offer,
    Offered,
    Performance,
    Progress,
    State,
    Why,
    performance_id,
)
from steadylight_server.capabilities.store import Changed, PerformanceStore, being, digest, written
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.clock import Clock, in_milliseconds, now
from steadylight_server.core.errors import Conflict, Invalid, NotFound, Unavailable

# Seconds after which somebody else records what whoever ended a performance left.
LEFT_AFTER = timedelta(seconds=10)
# How long one waits that cannot be recorded, so that many of them do not keep the others from it.
PUT_OFF = timedelta(minutes=1)
_TOGETHER = 100
_NOTHING = "There is no such performance."


class CapabilityService:
    """The only way to capabilities and performances."""

    def __init__(self, store: PerformanceStore, declared: Capabilities, *, clock: Clock = now) -> None:
        self._store = store
        self._clock = clock
        self.declared = declared
        self._attempts = Attempts(store, declared, clock=clock)

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

    async def same(
        self, profile_ids: Collection[UUID], capability: str, key: str, input: str, journey: str | None = None
    ) -> Performance | None:
        """What became of that key of these profiles, None where it is free. Raises Conflict for another input, and for
        another journey; who names none is told of it all the same.
        """
        found = await self._store.same(profile_ids, capability, key)
        # Two where customers were merged who had both used it.
        alike = [one for one in found if one.digest == digest(input)]
        for one in alike:
            if journey in (None, one.journey):
                return one
        if found:
            other = "for another journey, or for none" if alike else "with another input"
            raise Conflict(f"The key {key!r} was used for this {other}. Use another key for another deed.")
        return None

    async def is_used_in(
        self, profile_ids: Collection[UUID], capability: str, key: str, channel: str, contact: str | None
    ) -> bool:
        """Whether one of these profiles has that key, and it was asked for in that contact."""
        return await self._store.is_used_in(profile_ids, capability, key, channel, contact)

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
        journey: str | None = None,
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
            journey=journey,
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
        """What came of one attempt, which the caller has leased; see `Attempts.attempt`."""
        return await self._attempts.attempt(left, customer, tells_of)

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
        done = await self._attempts.ended(one, being(State.ACCEPTED, State.UNKNOWN), outcome, tells_of)
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
            return Outcome(State.DONE, output=self._attempts.output(self.declared.of(one.capability), output))
        except ValueError as error:
            raise Invalid(str(error)) from None

    async def asked(self, id: UUID) -> Mapping[str, Any]:
        """The action that asked for it, as it is stored. Raises NotFound."""
        if (found := await self._store.asked(id)) is None:
            raise NotFound(_NOTHING)
        return found

    async def unrecorded(self) -> list[tuple[UUID, Mapping[str, Any]]]:
        """Actions that whoever died before they had recorded them left, each with its performance."""
        left = await self._store.outbox.unrecorded(self._clock() - LEFT_AFTER, _TOGETHER)
        return [(id, deed) for id, deeds in left for deed in deeds]

    async def put_off(self, id: UUID) -> None:
        """What tells of it cannot be recorded now; others come first."""
        await self._store.outbox.put_off(id, self._clock() + PUT_OFF)

    async def recorded(self, id: UUID, deed: UUID) -> None:
        """It is on the timeline."""
        await self._store.outbox.recorded(id, [deed])

    def changed(self) -> AbstractAsyncContextManager[Changed]:
        """Performances as they change, from now on."""
        return self._store.changed()


def _check_is_answered(one: Performance) -> None:
    """Raises Unavailable: who goes on with it may be faster than its own answer, and must not take that for the end."""
    if one.state is State.RUNNING:
        raise Unavailable("It is RUNNING: that it goes on is not known here yet. Try again.")
