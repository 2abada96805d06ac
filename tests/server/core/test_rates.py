"""Rates that all servers keep together, on a real database."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import pytest
from limits import parse
from limits.aio.strategies import FixedWindowRateLimiter
from structlog.testing import capture_logs

from steadylight_server.core import metrics, rates
from steadylight_server.core.counters import Added, CounterStore
from steadylight_server.core.errors import RateLimited
from steadylight_server.core.mongo import Database
from steadylight_server.core.rates import Counts, Rate, Rates, notation
from tests.server.conftest import Slices

Opened = Callable[..., Rates]


@pytest.fixture
async def store(shared: Slices) -> CounterStore:
    """With nothing counted."""
    store = CounterStore(shared.database)
    await store.begin_anew()
    return store


@pytest.fixture
async def server(store: CounterStore) -> AsyncIterator[Opened]:
    """Makes the rates of one server, with a limit for credentials."""
    made = []

    def make(credential: str = "unlimited", customer: str = "unlimited") -> Rates:
        made.append(Rates(store, credential=credential, customer=customer))
        return made[-1]

    yield make
    for one in made:
        await one.close()


async def admitted(servers: list[Rates], id: str, requests: int, rate: Rate = Rate.CREDENTIAL) -> int:
    """How many of so many requests, all at once, in turn through the servers."""
    turns = [servers[number % len(servers)].admit(rate, id) for number in range(requests)]
    outcomes = await asyncio.gather(*turns, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, RateLimited)]
    assert all(outcome is None or isinstance(outcome, RateLimited) for outcome in outcomes), outcomes
    return requests - len(refused)


async def counted(shared: Slices) -> list[int]:
    """What the database counted, in no order of meaning."""
    return sorted(document["count"] for document in await shared.documents("rates"))


async def test_a_small_limit_is_exact_over_two_servers(server: Opened) -> None:
    servers = [server("5/minute"), server("5/minute")]

    assert await admitted(servers, "one after the other", 1) == 1
    assert await admitted(servers, "one after the other", 30) == 4
    assert await admitted(servers, "all at once", 30) == 5


async def test_a_flood_through_two_servers_stays_within_four_percent(server: Opened) -> None:
    servers = [server("1000/minute"), server("1000/minute")]

    async def flood(through: Rates) -> int:
        passed = 0
        for _ in range(200):
            passed += await admitted([through], "flood", 1)
            await asyncio.sleep(0)
        return passed

    total = sum(await asyncio.gather(*(flood(servers[number % 2]) for number in range(16))))

    assert 1000 <= total <= 1038


async def test_ids_and_rates_are_counted_apart(server: Opened) -> None:
    one = server("2/minute", "3/minute")

    assert await admitted([one], "a", 5) == 2
    assert await admitted([one], "b", 5) == 2
    assert await admitted([one], "a", 5, Rate.CUSTOMER) == 3


async def test_a_refusal_says_when_to_come_back_and_then_admits(server: Opened) -> None:
    servers = [server("3/1 second"), server("3/1 second")]
    assert await admitted(servers, "again", 3) == 3

    with pytest.raises(RateLimited, match=r"^At most 3 requests in 1 second\(s\) with this credential\. ") as told:
        await servers[0].admit(Rate.CREDENTIAL, "again")
    assert await admitted(servers, "again", 5) == 0
    await asyncio.sleep(told.value.retry_after)

    assert 0.5 < told.value.retry_after <= 1.01
    assert told.value.extensions["code"] == "RATE_LIMITED"
    assert await admitted(servers, "again", 8) == 3


async def test_far_from_the_limit_nothing_is_asked_of_the_database(shared: Slices, server: Opened) -> None:
    one = server("1000/minute")

    async with shared.watched() as done:
        assert await admitted([one], "few", 19) == 19
        before = await counted(shared)
    assert before == []
    assert [each for each in done if each["op"] != "query"] == []


async def test_what_is_refused_asks_nothing_of_the_database(shared: Slices, server: Opened) -> None:
    one = server("3/minute")
    assert await admitted([one], "spent", 4) == 3
    await asyncio.sleep(rates.SHARED_WITHIN * 2)

    async with shared.watched() as done:
        assert await admitted([one], "spent", 100) == 0
        await asyncio.sleep(rates.SHARED_WITHIN * 2)

    assert done == []


async def test_others_know_within_a_moment(shared: Slices, server: Opened) -> None:
    first, second = server("1000/minute"), server("1000/minute")

    await admitted([first], "a", 3)
    await admitted([first], "b", 7)
    await asyncio.sleep(rates.SHARED_WITHIN + 0.5)
    assert await counted(shared) == [3, 7]
    await admitted([second], "a", 10)
    await asyncio.sleep(rates.SHARED_WITHIN + 0.5)

    assert await counted(shared) == [7, 13]
    assert await second._counts[Rate.CREDENTIAL].get(parse("1000/minute").key_for(Rate.CREDENTIAL, "a")) == 13


async def test_a_request_counts_outside_of_the_session_it_runs_in(shared: Slices, server: Opened) -> None:
    one = server("1000/minute")

    async with shared.database.session():
        assert await admitted([one], "in a session", 30) == 30
    await asyncio.sleep(rates.SHARED_WITHIN + 0.5)

    assert await counted(shared) == [30]


@pytest.mark.parametrize("how", [{"errorCode": 112}, {"closeConnection": True}])
async def test_without_the_database_each_server_counts_by_itself(
    shared: Slices, server: Opened, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]
) -> None:
    monkeypatch.setattr(rates, "PAUSE", 0.3)
    servers = [server("5/minute"), server("5/minute")]

    async with shared.failing("findAndModify", "update", collection="rates", **how):
        assert await admitted(servers, "a", 20) == 10
        assert await admitted(servers, "b", 2) == 2
    await asyncio.sleep(rates.SHARED_WITHIN + rates.PAUSE + 0.5)

    assert await counted(shared) == [2, 10]
    assert await admitted(servers, "a", 4) == 0
    assert await admitted(servers, "b", 10) == 3


async def test_a_fault_of_ours_is_logged_and_refuses_nobody(shared: Slices, server: Opened) -> None:
    one = server("5/minute")

    with capture_logs() as logged:
        async with shared.failing("findAndModify", collection="rates", errorCode=2):
            assert await admitted([one], "a", 7) == 5

    assert [(line["log_level"], line["seconds"]) for line in logged] == [("error", rates.PAUSE)]


async def test_a_database_that_hangs_is_not_waited_for(
    shared: Slices, server: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "PATIENCE", 0.1)
    one = server("5/minute")

    async with shared.failing("findAndModify", collection="rates", blockConnection=True, blockTimeMS=1500):
        started = time.perf_counter()
        passed = [await admitted([one], "a", 1) for _ in range(7)]
        took = time.perf_counter() - started

    assert passed == [1, 1, 1, 1, 1, 0, 0]
    assert took < 1


async def test_unlimited_asks_nothing_and_remembers_nothing(shared: Slices, server: Opened) -> None:
    one = server("unlimited", " Unlimited ")
    before = asyncio.all_tasks()

    async with shared.watched() as done:
        assert await admitted([one], "anybody", 1000) == 1000

    assert asyncio.all_tasks() == before
    assert done == []


async def test_closing_leaves_no_task(shared: Slices, store: CounterStore) -> None:
    before = asyncio.all_tasks()
    one = Rates(store, credential="5/minute", customer="1000/minute")
    async with shared.failing("findAndModify", collection="rates", blockConnection=True, blockTimeMS=400):
        waiting = asyncio.create_task(one.admit(Rate.CREDENTIAL, "a"))
        await one.admit(Rate.CUSTOMER, "b")
        await asyncio.sleep(0.05)

        await one.close()
        await waiting
        await one.admit(Rate.CREDENTIAL, "a")
        await one.admit(Rate.CUSTOMER, "b")

    assert asyncio.all_tasks() == before


async def test_the_quiet_are_forgotten(store: CounterStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "REMEMBERED", 10)
    item = parse("1000/1 second")
    counts = Counts(store, item.amount)
    limiter = FixedWindowRateLimiter(counts)

    for number in range(100):
        await limiter.hit(item, "busy")
        await limiter.hit(item, str(number))
    at_once = len(counts._buckets)
    busy = await counts.get(item.key_for("busy"))
    await asyncio.sleep(1.8)
    for name in ("new", "newer", "newest", "latest", "last", "very last"):
        await limiter.hit(item, name)
    await counts.close()

    assert (at_once, busy) == (10, 100)
    assert list(counts._buckets) == [
        item.key_for(name) for name in ("new", "newer", "newest", "latest", "last", "very last")
    ]


async def test_refusals_are_counted_for_operators(server: Opened) -> None:
    def shown() -> float:
        return metrics._registry.get_sample_value("steadylight_rate_limited_total", {"rate": "customer"}) or 0

    before = shown()

    await admitted([server(customer="1/minute")], "a", 4, Rate.CUSTOMER)

    assert shown() - before == 3


async def test_the_library_can_begin_anew(store: CounterStore) -> None:
    item = parse("2/minute")
    counts = Counts(store, item.amount)
    limiter = FixedWindowRateLimiter(counts)

    async def passes(name: str) -> list[bool]:
        return [await limiter.hit(item, name) for _ in range(3)]

    first = await passes("a"), await passes("b")
    await limiter.clear(item, "a")
    after_clear = await passes("a"), await passes("b")
    await counts.reset()
    after_reset = await passes("a"), await passes("b")
    unheard = await limiter.get_window_stats(item, "unheard")

    once, again = [True, True, False], [False, False, False]
    assert (first, after_clear, after_reset) == ((once, once), (once, again), (once, once))
    assert unheard.remaining == 2
    assert abs(unheard.reset_time - time.time()) < 1
    assert await counts.check()


async def test_the_library_hears_of_a_database_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steadylight_server.core.mongo.PATIENCE", 0.1)
    nowhere = Database("mongodb://127.0.0.1:9/", "nowhere")

    assert not await Counts(CounterStore(nowhere), 5).check()

    await nowhere.close()


async def test_many_servers_open_a_window_together(shared: Slices, store: CounterStore) -> None:
    names = [f"{uuid4()}" for _ in range(20)]

    counters = await asyncio.gather(*(store.add(Added(name, 1, 60)) for name in names for _ in range(8)))
    several = await asyncio.gather(*(store.add_all([Added(name, 2, 60) for name in names]) for _ in range(8)))

    assert sorted(counter.count for counter in counters) == sorted(list(range(1, 9)) * 20)
    # One that waited for another's write tells the time as of its own beginning: later by as long as it waited.
    assert all(50 < counter.left < 70 for counter in counters), counters
    assert all(set(found) == set(names) for found in several)
    assert await counted(shared) == [24] * 20


@pytest.mark.parametrize("text", ["20000/10 seconds", "5 per minute", "1/day", "unlimited"])
def test_a_rate_is_told_in_the_librarys_notation(text: str) -> None:
    assert notation(text) == text


@pytest.mark.parametrize("text", ["", "many", "5", "5/fortnight", "0/second", "-1/second", "1/second; 5/minute"])
def test_another_notation_is_refused_at_start(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no rate\. Write one such as '20000/10 seconds'"):
        notation(text)
