"""Tells of performances on the timeline: what came of each, and the gaps that customers met.

What tells of it is the action that asked, with another type and what came of it. It is stored with the outcome, in one
write, and is on the timeline soon after; where its server died in between, another records it (`catch_up`). Its id is
made of the performance's, so that there is one of each type, whoever records it and however often.
"""

from uuid import UUID, uuid5

import structlog

from steadylight_server.capabilities.attempts import TellsOf
from steadylight_server.capabilities.models import (
    ACCEPTED,
    REFUSED,
    Offered,
    Performance,
    State,
    Why,
    performance_id,
)
from steadylight_server.capabilities.service import CapabilityService
from steadylight_server.core.clock import Clock, in_milliseconds
from steadylight_server.core.errors import Unavailable
from steadylight_server.ingest.service import Ingest
from steadylight_server.timeline.models import Action, Actor
from steadylight_server.timeline.service import TimelineService

log = structlog.get_logger("steadylight.operations")

# What a customer meets with; a scope that is missing, or a server that is away, is the company's own affair.
_GAPS = (Why.NOT_FEASIBLE, Why.ASSURANCE_TOO_LOW)


class Telling:
    """Tells what came of what was asked; `type` says how it came: PERFORMED, or SETTLED where nobody had known."""

    def __init__(
        self, capabilities: CapabilityService, timeline: TimelineService, ingest: Ingest, clock: Clock
    ) -> None:
        self._capabilities = capabilities
        self._timeline = timeline
        self._ingest = ingest
        self._clock = clock

    def of(self, asked: Action, type: str) -> TellsOf:
        """What tells of each outcome, as it is stored with it."""
        return lambda after: self._timeline.stored(self._deed(asked, after, type))

    async def record(self, done: Performance, asked: Action, type: str) -> None:
        """Puts what came of it on the timeline; again is harmless. Raises Unavailable."""
        await self._keep(done.id, self._deed(asked, done, type))

    async def refused(self, draft: Action, offered: Offered, key: str) -> None:
        """Puts a refusal on the timeline if it is a gap that a customer met: once for each key, channel and reason.

        Raises Unavailable.
        """
        if offered.why in _GAPS:
            await self._ingest.keep([_refused(draft, offered, key)])

    async def catch_up(self) -> int:
        """Records the outcomes that servers that died left; how many. Raises Unavailable."""
        done = 0
        for id, stored in await self._capabilities.unrecorded():
            try:
                await self._keep(id, self._timeline.restored(stored))
            except Unavailable:
                raise
            except Exception:  # One that cannot be recorded must not hold up the others.
                log.exception("what was performed cannot be recorded", performance=str(id))
                await self._capabilities.put_off(id)
            else:
                done += 1
        return done

    async def _keep(self, id: UUID, deed: Action) -> None:
        await self._ingest.keep([deed])
        await self._capabilities.recorded(id, deed.id)

    def _deed(self, asked: Action, after: Performance, type: str) -> Action:
        if after.state is State.ACCEPTED:
            type = ACCEPTED
        at = after.ended_at or in_milliseconds(self._clock())
        failure = {"code": after.failure.code} if after.failure else {}
        about = {"capability": after.capability, "performance": after.name, "key": after.key, "state": after.state}
        properties = {**{name: str(value) for name, value in about.items()}, **failure}
        return asked._replace(
            id=deed_id(after.id, type), type=type, at=max(at, asked.at), received_at=at, properties=properties
        )


def deed_id(performance: UUID, type: str) -> UUID:
    """The id of the action of that type that tells of the performance."""
    return uuid5(performance, type)


def by_itself(asked: Action) -> Action:
    """The same when it comes later, from nobody's visit: the contact in which it was asked for ended long ago."""
    return asked._replace(actor=Actor.SYSTEM, agent=None, contact=None, identifiers=())


def _refused(draft: Action, offered: Offered, key: str) -> Action:
    name, why = offered.capability.name, str(offered.why)
    performance = performance_id(draft.profile_id, name, key[:200])
    about = {"capability": name, "why": why, "reason": offered.reason}
    return draft._replace(id=deed_id(performance, f"{REFUSED} {draft.channel} {why}"), type=REFUSED, properties=about)
