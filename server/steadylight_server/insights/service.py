"""Says where channels differ in what they offer, and what customers do who meet such a gap."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple, TypeVar
from uuid import UUID

from steadylight_server.access.service import AccessService
from steadylight_server.capabilities.models import Capability
from steadylight_server.capabilities.parity import matrix
from steadylight_server.core.clock import Clock, now
from steadylight_server.core.errors import Invalid
from steadylight_server.identity.models import Customer
from steadylight_server.identity.service import IdentityService
from steadylight_server.insights.models import Gap, Met, Report
from steadylight_server.insights.store import GapStore
from steadylight_server.timeline.models import Action, Actor
from steadylight_server.timeline.service import TimelineService

T = TypeVar("T")

# What is looked at for one report; each gap costs a small indexed read.
MOST_GAPS = 2_000
WITHIN = timedelta(minutes=30)
LONGEST_WITHIN = timedelta(hours=24)
SINCE = timedelta(days=30)
# What a system sends by itself may stand between a gap and what the customer does next.
_MOST_BETWEEN = 50
# Reads under way at once: a report must not keep customers waiting.
_TOGETHER = 8


class Insights:
    """Brings the measures up to the actions, and reads them."""

    def __init__(
        self,
        gaps: GapStore,
        identity: IdentityService,
        timeline: TimelineService,
        access: AccessService,
        declared: Callable[[], Mapping[str, Capability]],
        *,
        clock: Clock = now,
    ) -> None:
        """`declared` says which capabilities are in force, by name."""
        self._gaps = gaps
        self._identity = identity
        self._timeline = timeline
        self._access = access
        self._declared = declared
        self._clock = clock

    async def project(self, actions: Sequence[Action]) -> None:
        """Brings the measures up to these actions; again is harmless."""
        await self._gaps.project(actions)

    async def parity(self, *, since: datetime | None = None, within: timedelta = WITHIN) -> Report:
        """The matrix, and the gaps that were met since then; in the last 30 days, unless said. Raises Invalid."""
        if not timedelta() < within <= LONGEST_WITHIN:
            raise Invalid("within: more than nothing, and at most 24 hours.")
        since = self._clock() - SINCE if since is None else since
        channels = [channel.name for channel in await self._access.channels()]
        found = await self._gaps.since(since, MOST_GAPS + 1)
        gaps = found[:MOST_GAPS]
        customers = await self._identity.customers([gap.profile_id for gap in gaps])
        met = [_Meeting(gap, customers[gap.profile_id]) for gap in gaps]
        moves = await _together([partial(self._next, one, channels, within) for one in met])
        return Report(
            rows=matrix(self._declared(), channels),
            met=_counted(met, moves),
            since=since,
            within=within,
            is_complete=len(found) <= MOST_GAPS,
        )

    async def _next(self, met: "_Meeting", channels: Collection[str], within: timedelta) -> Action | None:
        """The first that the customer did, or was done for them, in another channel; None where there is nothing."""
        others = [channel for channel in channels if channel != met.gap.channel]
        since, profile_ids = met.gap.at, met.customer.profile_ids
        after = await self._timeline.elsewhere(profile_ids, others, since, since + within, _MOST_BETWEEN)
        # What a system sends by itself, an e-mail say, brought nobody there.
        return next((one for one in after if one.actor != Actor.SYSTEM and one.is_of_a_contact), None)


class _Meeting(NamedTuple):
    """A gap, and who met it."""

    gap: Gap
    customer: Customer


def _counted(meetings: Sequence[_Meeting], moves: Sequence[Action | None]) -> list[Met]:
    """By capability, channel and why; the gap that was met most comes first."""
    together: dict[tuple[str, str, str], list[tuple[UUID, Action | None]]] = defaultdict(list)
    for (gap, customer), move in zip(meetings, moves, strict=True):
        together[gap.capability, gap.channel, gap.why].append((customer.id, move))
    counted = []
    for (capability, channel, why), told in together.items():
        moved = {move.id: (customer, move.channel) for customer, move in told if move is not None}
        changes = Counter(to for _, to in moved.values())
        counted.append(
            Met(
                capability,
                channel,
                why,
                times=len(told),
                customers=len({customer for customer, _ in told}),
                changed=len({customer for customer, _ in moved.values()}),
                changes=dict(sorted(changes.items(), key=lambda one: (-one[1], one[0]))),
            )
        )
    return sorted(counted, key=lambda one: (-one.times, one.capability, one.channel, one.why))


async def _together(reads: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """What each finds, in order; a few at once."""
    free = asyncio.Semaphore(_TOGETHER)

    async def one(read: Callable[[], Awaitable[T]]) -> T:
        async with free:
            return await read()

    return list(await asyncio.gather(*map(one, reads)))
