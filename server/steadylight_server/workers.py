"""What runs beside requests: the sweeper of unfinished batches, what becomes of journeys by themselves, what crashed
servers were performing, the watch over credentials that end, and the fan-out of news to who follows them.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Generic, Protocol, TypeVar
from uuid import UUID

import structlog

from steadylight_server.access.gate import Gate
from steadylight_server.access.service import TRUST
from steadylight_server.capabilities.models import Forgotten, Performance
from steadylight_server.capabilities.service import CapabilityService
from steadylight_server.core.errors import SteadylightError, Unavailable
from steadylight_server.ingest.service import Ingest
from steadylight_server.operations.capabilities import CapabilityOperations
from steadylight_server.operations.journeys import JourneyOperations
from steadylight_server.timeline.models import Action
from steadylight_server.timeline.service import TimelineService

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
log = structlog.get_logger("steadylight.workers")

# A follower this far behind is not reading; it is told so instead of filling the memory.
_MOST_UNREAD = 1_000


@asynccontextmanager
async def _repeating(
    work: Callable[[], Awaitable[object]], every: float, *, unavailable: str, failed: str
) -> AsyncIterator[None]:
    """The work is done again and again for as long as this is entered, with so many seconds in between."""
    task = asyncio.create_task(_repeat(work, every, unavailable, failed))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _repeat(work: Callable[[], Awaitable[object]], every: float, unavailable: str, failed: str) -> None:
    while True:
        try:
            await work()
        except Unavailable:
            log.warning(unavailable, seconds=every)
        except Exception:
            log.exception(f"{failed} failed; trying again", seconds=every)
        await asyncio.sleep(every)


@asynccontextmanager
async def sweeping(ingest: Ingest, *, every: float) -> AsyncIterator[None]:
    """Finishes what crashed servers left half done, looking every so many seconds."""

    async def sweep() -> None:
        if finished := await ingest.finish_old():
            log.info("finished batches that were left half done", batches=finished)

    away = "the database cannot be swept now; trying again"
    async with _repeating(sweep, every, unavailable=away, failed="sweeping"):
        yield


@asynccontextmanager
async def catching_up(journeys: JourneyOperations, *, every: float = 1.0) -> AsyncIterator[None]:
    """Journeys stall and are abandoned when it is time, and what a crashed server did to one gets on the timeline."""
    away = "journeys cannot be looked after now; trying again"
    async with _repeating(journeys.catch_up, every, unavailable=away, failed="looking after journeys"):
        yield


@asynccontextmanager
async def taking_over(capabilities: CapabilityOperations, *, every: float = 1.0) -> AsyncIterator[None]:
    """What a crashed server was performing is taken over, and what it performed gets on the timeline."""
    away = "performances cannot be looked after now; trying again"
    async with _repeating(capabilities.catch_up, every, unavailable=away, failed="looking after performances"):
        yield


@asynccontextmanager
async def refreshing(gate: Gate, *, every: float = TRUST / 2.5) -> AsyncIterator[None]:
    """Forgets credentials that ended on any server, looking every so many seconds."""
    away = "credentials cannot be refreshed now; each request asks for itself"
    try:
        async with _repeating(gate.refresh, every, unavailable=away, failed="refreshing credentials"):
            yield
    finally:
        with suppress(Unavailable):
            await gate.mark_used()


class Stream(Protocol[T_co]):
    """What comes, one by one."""

    async def next(self) -> T_co | None:
        """The next; None when there was none for a while. Raises Unavailable."""
        ...


class Feed(Generic[T]):
    """What is new, from any server, to who follows it. One change stream per process, open while somebody follows."""

    def __init__(
        self,
        opened: Callable[[], AbstractAsyncContextManager[Stream[T]]],
        whose: Callable[[T], UUID],
        *,
        what: str,
        then: str,
    ) -> None:
        """For people: `what` it is, as "new actions", and what to do `then`, where some may have been missed."""
        self._opened = opened
        self._whose = whose
        self._what = what
        self._then = then
        self._followers: dict[UUID, set[_Follower[T]]] = {}
        self._pump: asyncio.Task[None] | None = None
        self._is_open = asyncio.Event()

    @property
    def followers(self) -> int:
        """How many follow somebody now."""
        return len({follower for followers in self._followers.values() for follower in followers})

    @asynccontextmanager
    async def follow(self, ids: Iterable[UUID]) -> AsyncIterator[AsyncIterator[T]]:
        """What is of these ids, as it comes; nothing is missed once this is entered.

        The iterator raises Unavailable when the stream is lost or its reader is too slow: read what there is, and
        follow again.
        """
        follower = _Follower[T](f"Too far behind. {self._then}")
        wanted = list(ids)
        for id in wanted:
            self._followers.setdefault(id, set()).add(follower)
        try:
            await self._ensure_open()
            yield follower.given()
        finally:
            for id in wanted:
                self._followers[id].discard(follower)
                if not self._followers[id]:
                    del self._followers[id]
            if not self._followers:
                await self.close()

    async def close(self) -> None:
        """Gives the change stream back."""
        pump, self._pump = self._pump, None
        if pump is not None:
            pump.cancel()
            with suppress(asyncio.CancelledError):
                await pump

    async def _ensure_open(self) -> None:
        """Returns when the stream is open. Raises Unavailable when it cannot be."""
        if self._pump is None or self._pump.done():
            self._is_open = asyncio.Event()
            self._pump = asyncio.create_task(self._run(self._is_open))
        opened = asyncio.create_task(self._is_open.wait())
        await asyncio.wait({opened, self._pump}, return_when=asyncio.FIRST_COMPLETED)
        opened.cancel()
        if self._pump is None or self._pump.done():
            raise Unavailable(f"{self._what.capitalize()} cannot be followed now. Try again shortly.")

    async def _run(self, is_open: asyncio.Event) -> None:
        try:
            async with self._opened() as stream:
                is_open.set()
                while True:
                    if (one := await stream.next()) is not None:
                        for follower in self._followers.get(self._whose(one), ()):
                            follower.give(one)
        except Exception as error:
            if not isinstance(error, SteadylightError):
                log.exception(f"the stream of {self._what} broke")
            for followers in self._followers.values():
                for follower in followers:
                    follower.end(f"The stream of {self._what} was lost. {self._then}")


class Activity(Feed[Action]):
    """New actions of customers, as they are appended, by their profile."""

    def __init__(self, timeline: TimelineService) -> None:
        super().__init__(
            timeline.appended,
            lambda action: action.profile_id,
            what="new actions",
            then="Read the timeline, and follow again.",
        )


class PerformanceProgress(Feed[Performance | Forgotten]):
    """Performances by their id, as they change; of what was not done, that it is forgotten."""

    def __init__(self, capabilities: CapabilityService) -> None:
        super().__init__(
            capabilities.changed,
            lambda performance: performance.id,
            what="performances",
            then="Read what has become of it, and follow again.",
        )


class _Follower(Generic[T]):
    """What one subscription has not read yet."""

    def __init__(self, too_slow: str) -> None:
        self._unread: asyncio.Queue[T | Unavailable] = asyncio.Queue()
        self._too_slow = too_slow

    def give(self, one: T) -> None:
        if self._unread.qsize() < _MOST_UNREAD:
            self._unread.put_nowait(one)
        elif self._unread.qsize() == _MOST_UNREAD:
            self.end(self._too_slow)

    def end(self, why: str) -> None:
        self._unread.put_nowait(Unavailable(why))

    async def given(self) -> AsyncIterator[T]:
        while True:
            one = await self._unread.get()
            if isinstance(one, Unavailable):
                raise one
            yield one
