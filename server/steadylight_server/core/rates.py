"""How often one credential, and all together for one customer, may ask: counted by all servers together.

The notation, the windows and the verdict are those of the library limits: `20000/10 seconds` admits that many in each
fixed window (`FixedWindowRateLimiter`). A window begins with the first request after the one before has ended. Fixed,
because it needs one number and one time to be agreed on, whatever the rate; the price is that a burst around the end of
a window can be twice the rate: all of one window's at its end, all of the next one's at its beginning. Where that is
too much, halve the rate and its seconds.

What is counted lies in the database, but far from the limit no request waits for it:

    unshared   what a server admitted and has not yet told       below 2 % of the limit, told within a quarter second
    from there on a request waits for the exchange                one at a time, for all that wait
    at the limit it is refused from memory until the window ends  no exchange at all

So each server can admit at most 2 % more than all together should, and a limit below 100 is kept exactly, because
every request of it is exchanged. While the database cannot answer, each server counts by itself.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Mapping, Sequence
from contextvars import Context
from enum import StrEnum

import limits
import structlog
from limits.aio.storage import Storage
from limits.aio.strategies import FixedWindowRateLimiter

from steadylight_server.core import metrics
from steadylight_server.core.counters import Added, Counter, CounterStore
from steadylight_server.core.errors import RateLimited, Unavailable

log = structlog.get_logger("steadylight.rates")

UNLIMITED = "unlimited"

# Seconds until others know what was admitted, if it is too little to wait for.
SHARED_WITHIN = 0.25
# The part of the limit that a server may admit before others know. Two servers stay within 4 % of it.
UNSHARED = 0.02
# Seconds that a request waits for the exchange: what takes longer is no database that can answer.
PATIENCE = 0.5
# Seconds without waiting for an exchange after one that failed.
PAUSE = 1.0
# Names remembered for each rate, some 500 bytes each. The one that was longest quiet is forgotten first.
REMEMBERED = 50_000


class Rate(StrEnum):
    """What is limited."""

    CREDENTIAL = "CREDENTIAL"  # all requests with one credential
    CUSTOMER = "CUSTOMER"  # all requests that speak for one customer


_OF = {Rate.CREDENTIAL: "with this credential", Rate.CUSTOMER: "for this customer"}


def notation(text: str) -> str:
    """The text, if it is a rate such as `20000/10 seconds` or `5 per minute`, or `unlimited`. Raises ValueError."""
    _parsed(text)
    return text


def _parsed(text: str) -> limits.RateLimitItem | None:
    """None for `unlimited`."""
    if text.strip().lower() == UNLIMITED:
        return None
    try:
        (item,) = limits.parse_many(text)
        if item.amount < 1:
            raise ValueError("nobody would be admitted")
    except ValueError as error:
        raise ValueError(
            f"{text!r} is no rate. Write one such as '20000/10 seconds' or '5 per minute', or '{UNLIMITED}'."
        ) from error
    return item


class Rates:
    """Admits or refuses. To be closed."""

    def __init__(self, store: CounterStore, *, credential: str = UNLIMITED, customer: str = UNLIMITED) -> None:
        """The rates in the notation that `notation` accepts. Raises ValueError for another."""
        given = {Rate.CREDENTIAL: _parsed(credential), Rate.CUSTOMER: _parsed(customer)}
        self._items = {rate: item for rate, item in given.items() if item is not None}
        self._counts = {rate: Counts(store, item.amount) for rate, item in self._items.items()}
        self._limiters = {rate: FixedWindowRateLimiter(counts) for rate, counts in self._counts.items()}

    async def admit(self, rate: Rate, id: str) -> None:
        """Counts one request. Raises RateLimited, with the seconds until the window ends, if it is one too many."""
        item = self._items.get(rate)
        if item is None:
            return
        limiter = self._limiters[rate]
        if await limiter.hit(item, rate, id):
            return
        metrics.rate_refused(rate.lower())
        stats = await limiter.get_window_stats(item, rate, id)
        # Upwards, so that whoever obeys is admitted.
        seconds = math.ceil(max(stats.reset_time - time.time(), 0.001) * 1000) / 1000
        raise RateLimited(
            f"At most {item.amount:,} requests in {item.multiples} {item.GRANULARITY.name}(s) {_OF[rate]}. "
            f"Try again in {seconds:.3g} seconds, and ask less often.",
            retry_after=seconds,
        )

    async def close(self) -> None:
        """Ends what runs in the background. What was not yet told to others is not told any more."""
        for counts in self._counts.values():
            await counts.close()


class _Bucket:
    """What is counted under one name: each that is admitted takes the next number."""

    __slots__ = ("ends", "exchange", "known", "last", "name", "seconds", "shared")

    def __init__(self, name: str, seconds: int, now: float) -> None:
        self.name = name
        self.seconds = seconds  # of a window
        self.last = 0  # the number taken last
        self.shared = 0  # up to this number, all servers' count has been told …
        self.known = 0  # … and was this
        self.ends = now + seconds  # of the window, by this process's timer; a guess before the first exchange
        self.exchange: asyncio.Task[None] | None = None

    @property
    def unshared(self) -> int:
        """How many others do not know of."""
        return self.last - self.shared

    def count(self, number: int) -> int:
        """The place in the window of the one that has this number, by what is known now."""
        return self.known + number - self.shared

    def begin_anew(self, now: float) -> None:
        """The window is over, and with it what others do not know of it."""
        self.known, self.shared, self.ends = 0, self.last, now + self.seconds

    def learn(self, counter: Counter, number: int, now: float) -> None:
        """What all servers counted, this one's up to `number`."""
        self.known, self.shared, self.ends = counter.count, max(self.shared, number), now + counter.left


class Counts(Storage):
    """A storage for the strategies of limits: counts in memory, and exchanges with the other servers."""

    STORAGE_SCHEME = None

    def __init__(self, store: CounterStore, limit: int) -> None:
        """All names in it have the same limit."""
        super().__init__()
        self._store = store
        self._limit = limit
        self._most_unshared = max(1, int(limit * UNSHARED))
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()  # the one that was longest quiet first
        self._waiting: dict[str, _Bucket] = {}  # those to be shared in the background
        self._background: asyncio.Task[None] | None = None
        self._exchanges: set[asyncio.Task[None]] = set()
        self._paused_until = 0.0
        self._is_closed = False

    @property
    def base_exceptions(self) -> type[Exception]:
        """What limits could wrap in an error of its own."""
        return Unavailable

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """The place in the window of the last of so many. One that is above the limit is not counted.

        Waits for others' counts when they know too little of this server's.
        """
        now = _now()
        bucket = self._bucket(key, expiry, now)
        number = bucket.last + amount
        if bucket.count(number) > self._limit:
            return bucket.count(number)
        bucket.last = number
        while bucket.shared < number and bucket.unshared >= self._most_unshared and _now() >= self._paused_until:
            exchange = bucket.exchange or self._begin_exchange([bucket])
            done, _ = await asyncio.wait({exchange}, timeout=PATIENCE)
            if not done:
                self._pause()
        if bucket.unshared:
            self._share_soon(bucket)
        return bucket.count(number)

    async def get(self, key: str) -> int:
        """What is counted in the window under way, as far as this server knows."""
        bucket = self._buckets.get(key)
        return bucket.count(bucket.last) if bucket and bucket.ends > _now() else 0

    async def get_expiry(self, key: str) -> float:
        """When the window ends, or now where there is none: seconds since 1970 by this server's clock."""
        bucket = self._buckets.get(key)
        return time.time() + max(0.0, bucket.ends - _now() if bucket else 0.0)

    async def check(self) -> bool:
        """Whether the database answers."""
        try:
            await self._store.database.ping()
        except Unavailable:
            return False
        return True

    async def clear(self, key: str) -> None:
        """Begins anew with that name, here and for all who have not counted it yet."""
        self._buckets.pop(key, None)
        await self._store.forget(key)

    async def reset(self) -> None:
        """Begins anew with all names."""
        self._buckets.clear()
        await self._store.begin_anew()

    async def close(self) -> None:
        """Returns when nothing runs in the background any more, or ever will."""
        self._is_closed, self._paused_until = True, math.inf
        tasks = [*self._exchanges, *([self._background] if self._background else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _bucket(self, name: str, seconds: int, now: float) -> _Bucket:
        """That of the name, in the window under way."""
        bucket = self._buckets.get(name)
        if bucket is None:
            self._forget_the_quiet(now)
            bucket = self._buckets[name] = _Bucket(name, seconds, now)
        else:
            self._buckets.move_to_end(name)
            if bucket.ends <= now:
                bucket.begin_anew(now)
        return bucket

    def _forget_the_quiet(self, now: float) -> None:
        """Two for each that comes, so that no request pays for many."""
        for bucket in [bucket for _, bucket in zip(range(2), self._buckets.values(), strict=False)]:
            if bucket.ends <= now or len(self._buckets) >= REMEMBERED:
                del self._buckets[bucket.name]

    def _begin_exchange(self, buckets: Sequence[_Bucket]) -> asyncio.Task[None]:
        # Not in the context of the request: its session ends sooner, and its other readers wait for this as well.
        task = asyncio.create_task(self._exchange(buckets), context=Context())
        self._exchanges.add(task)
        task.add_done_callback(self._exchanges.discard)
        for bucket in buckets:
            bucket.exchange = task
        return task

    async def _exchange(self, buckets: Sequence[_Bucket]) -> None:
        """Tells the others and learns from them. What could not be told is told again, and at worst counted twice."""
        told = {bucket.name: bucket.last for bucket in buckets}
        added = [Added(bucket.name, bucket.unshared, bucket.seconds) for bucket in buckets]
        try:
            counters = await self._tell(added)
        except Unavailable:
            self._pause()
        except Exception:
            self._pause()
            log.exception("rates are not shared with other servers; trying again", seconds=PAUSE)
        else:
            for bucket in buckets:
                if counter := counters.get(bucket.name):
                    bucket.learn(counter, told[bucket.name], _now())
        finally:
            for bucket in buckets:
                bucket.exchange = None
                if bucket.unshared:
                    self._share_soon(bucket)

    def _tell(self, added: Sequence[Added]) -> Awaitable[Mapping[str, Counter]]:
        return self._store.add_all(added) if len(added) > 1 else self._tell_one(added[0])

    async def _tell_one(self, added: Added) -> Mapping[str, Counter]:
        return {added.name: await self._store.add(added)}

    def _pause(self) -> None:
        self._paused_until = max(self._paused_until, _now() + PAUSE)

    def _share_soon(self, bucket: _Bucket) -> None:
        if self._is_closed:
            return
        self._waiting[bucket.name] = bucket
        if self._background is None or self._background.done():
            self._background = asyncio.create_task(self._share(), context=Context())

    async def _share(self) -> None:
        """Runs as long as there is something to share."""
        while self._waiting:
            await asyncio.sleep(SHARED_WITHIN)
            waiting, self._waiting = self._waiting, {}
            now = _now()
            due = [b for b in waiting.values() if b.unshared and b.exchange is None and b.ends > now]
            if due:
                await self._begin_exchange(due)


def _now() -> float:
    """Seconds of a timer that never jumps."""
    return time.monotonic()
