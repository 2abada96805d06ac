"""customerActivity over real WebSockets: what one server process takes, the followers of another are told."""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from steadylight import AsyncClient
from steadylight.testing import FAST
from steadylight_server.access.gate import Gate
from steadylight_server.access.models import Viewer
from steadylight_server.core.embedded import EmbeddedDatabase
from tests.conftest import LiveServer, settings_for
from tests.factories import action, batch, login
from tests.live.conftest import Pair
from tests.live.follower import PROTOCOL, Follower
from tests.live.processes import ServerProcess, wait_until

RECORD = "mutation R($input: RecordActionsInput!) { recordActions(input: $input) { stored } }"


def by(name: str) -> dict[str, Any]:
    return {"identifier": login(name)}


async def open_for(follower: Follower, light: AsyncClient, name: str, id: str = "1") -> None:
    """Returns when the follower is told of what happens: the protocol does not say when a subscription is open."""
    await light.deliver([action(login(name), type="customer.came")])
    await follower.follow(by(name), id)
    while True:
        await light.deliver([action(login(name), type="heart.beat")])
        try:
            message = await follower.heard(within=0.5)
        except TimeoutError:
            continue
        assert message["type"] == "next", message
        return


async def after_the_beats(follower: Follower) -> dict[str, Any]:
    """The next action that is not one of `open_for`."""
    while (heard := await follower.activity())["type"] in ("customer.came", "heart.beat"):
        pass
    return heard


def streams(pair: Pair) -> int:
    """How many change streams on the actions the database serves now."""
    pipeline: list[dict[str, Any]] = [
        {"$currentOp": {"allUsers": True, "idleCursors": True}},
        {"$match": {"ns": f"{pair.database.name}.actions", "$or": [_STREAM, {"cursor": {"$exists": True}}]}},
    ]
    return len(list(pair.database.client.admin.aggregate(pipeline)))


_STREAM = {"command.pipeline.0.$changeStream": {"$exists": True}}


def open_ones(server: ServerProcess) -> float:
    return server.metric("steadylight_subscriptions")


async def test_what_one_server_takes_the_followers_of_another_are_told(pair: Pair) -> None:
    ann, bob = f"ann-{uuid4()}", f"bob-{uuid4()}"
    async with (
        AsyncClient(pair.first.url, pair.key, options=FAST) as light,
        Follower.at(pair.second.url, pair.key) as follower,
        Follower.at(pair.first.url, pair.key) as neighbour,
    ):
        await open_for(follower, light, ann)
        await open_for(neighbour, light, ann)
        sent = [action(login(ann), type="plan.viewed", properties={"number": number}) for number in range(3)]
        await light.deliver([sent[0], action(login(bob)), *sent[1:]])

        for each in (follower, neighbour):
            heard = [await after_the_beats(each), await each.activity(), await each.activity()]

            assert sorted(heard, key=lambda one: one["sequence"]) == [
                {
                    "id": f"act_{one['id'].replace('-', '')}",
                    "type": "plan.viewed",
                    "channel": "web",
                    "sequence": one["sequence"],
                    "properties": one["properties"],
                }
                for one in sent
            ]


async def test_one_socket_follows_several_customers_until_each_is_completed(pair: Pair) -> None:
    ann, bob = f"ann-{uuid4()}", f"bob-{uuid4()}"
    async with (
        AsyncClient(pair.first.url, pair.key, options=FAST) as light,
        Follower.at(pair.second.url, pair.key) as follower,
    ):
        await open_for(follower, light, ann, "ann")
        await follower.tell({"type": "complete", "id": "ann"})
        await open_for(follower, light, bob, "bob")
        await light.deliver([action(login(ann), type="plan.viewed"), action(login(bob), type="plan.left")])

        assert (await after_the_beats(follower))["type"] == "plan.left"


async def test_clients_that_vanish_leave_nothing_behind(pair: Pair) -> None:
    name = f"ann-{uuid4()}"
    server = pair.second
    async with AsyncClient(pair.first.url, pair.key, options=FAST) as light:
        wait_until("the followers of before are gone", lambda: open_ones(server) == 0)
        wait_until("their stream is closed", lambda: streams(pair) == 0)
        at_once = asyncio.Barrier(31)
        async with asyncio.TaskGroup() as group:
            for number in range(30):
                group.create_task(vanish(server.url, pair.key, light, name, number, at_once))
            await at_once.wait()
            wait_until("all are counted", lambda: open_ones(server) == 40)
            assert streams(pair) == 1
            await at_once.wait()
        wait_until("no subscription is counted", lambda: open_ones(server) == 0)
        wait_until("the stream is given back", lambda: streams(pair) == 0)

        # And whoever comes next is served as ever.
        async with Follower.at(server.url, pair.key) as follower:
            await open_for(follower, light, name)
            assert (open_ones(server), streams(pair)) == (1, 1)

    wait_until("that one is gone, too", lambda: open_ones(server) == 0 and streams(pair) == 0)


async def vanish(url: str, key: str, light: AsyncClient, name: str, number: int, at_once: asyncio.Barrier) -> None:
    """Cuts the connection without a word: just let in, subscribed twice, or in the middle of being told."""
    async with Follower.at(url, key) as follower:
        if number % 3 == 1:
            await light.deliver([action(login(name))])
            await follower.follow(by(name))
            await follower.follow(by(name), "2")
        elif number % 3 == 2:
            await open_for(follower, light, name)
            await follower.follow(by(name), "2")
        await at_once.wait()
        await at_once.wait()
        follower.connection.transport.abort()


async def test_nobody_can_be_followed_who_cannot_be_found(pair: Pair) -> None:
    async with Follower.at(pair.second.url, pair.key) as follower:
        unfit: list[tuple[dict[str, Any], str]] = [
            ({"identifier": login(f"nobody-{uuid4()}")}, "NOT_FOUND"),
            ({"identifier": login("C-1001", "CLAIMED")}, "NOT_FOUND"),
            ({"id": "cus_x"}, "NOT_FOUND"),
            ({}, "INVALID"),
        ]
        for number, (given, code) in enumerate(unfit):
            await follower.follow(given, str(number))
            heard = await follower.heard()
            errors = heard["payload"] if heard["type"] == "error" else heard["payload"]["errors"]

            assert (heard["id"], [each["extensions"]["code"] for each in errors]) == (str(number), [code])
            if heard["type"] == "next":
                assert await follower.heard() == {"type": "complete", "id": str(number)}


@pytest.fixture
def watchful(mongod: EmbeddedDatabase, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveServer]:
    """A server that looks at credentials ten times a second instead of every five, and lets one foreign page in."""
    ended = Gate.ended

    async def soon(self: Gate, viewer: Viewer, *, check_every: float) -> None:
        await ended(self, viewer, check_every=check_every / 50)

    monkeypatch.setattr(Gate, "ended", soon)
    live = LiveServer(settings_for(mongod, allowed_origins=("https://desk.example",)))
    yield live
    live.stop()


@pytest.fixture
def watched_key(watchful: LiveServer) -> str:
    return watchful.key("web")


async def test_a_subscription_ends_with_the_key_that_opened_it(watchful: LiveServer, watched_key: str) -> None:
    name = f"ann-{uuid4()}"
    async with (
        AsyncClient(watchful.url, watched_key, options=FAST) as light,
        Follower.at(watchful.url, watched_key) as follower,
    ):
        await open_for(follower, light, name)
        began = asyncio.get_running_loop().time()
        await asyncio.to_thread(watchful.revoke, watched_key)

        assert await follower.closed() == 4401
        assert asyncio.get_running_loop().time() - began < 3


async def test_a_page_of_a_foreign_origin_is_turned_away(watchful: LiveServer, watched_key: str) -> None:
    address = f"{watchful.url.replace('http', 'ws', 1)}/graphql"
    for origin in ("https://evil.example", "http://desk.example", "https://desk.example.evil.example", "null"):
        with pytest.raises(InvalidStatus) as refused:
            async with connect(address, origin=Origin(origin), subprotocols=[PROTOCOL], proxy=None):
                pass
        assert refused.value.response.status_code == 403

    for origin in ("https://desk.example", watchful.url):
        async with Follower.at(watchful.url, watched_key, origin=origin) as follower:
            await follower.tell({"type": "ping"})
            assert await follower.heard() == {"type": "pong"}


@pytest.fixture
def narrow(mongod: EmbeddedDatabase) -> Iterator[tuple[LiveServer, str, str]]:
    """A server on which a credential may have two operations open; the keys of two channels."""
    live = LiveServer(settings_for(mongod, max_subscriptions=2))
    keys = live.key("web"), live.key("ivr")
    live.graphql(RECORD, {"input": {"batch": batch(action(login("C-1")))}}, keys[0])
    yield live, *keys
    live.stop()


async def test_who_follows_too_much_over_all_its_sockets_is_rate_limited(narrow: tuple[LiveServer, str, str]) -> None:
    live, key, other = narrow
    by_login = by("C-1")
    async with (
        Follower.at(live.url, key) as first,
        Follower.at(live.url, key) as second,
        Follower.at(live.url, other) as third,
    ):
        await first.follow(by_login, "1")
        await second.follow(by_login, "2")
        await asyncio.sleep(0.5)
        await second.follow(by_login, "3")
        refused = await second.heard()
        await third.follow(by_login, "4")
        await first.tell({"type": "complete", "id": "1"})
        await asyncio.sleep(0.5)
        await second.follow(by_login, "5")

        for follower in (second, third):  # neither the place that was freed nor the other credential is refused
            with pytest.raises(TimeoutError):
                await follower.heard(0.5)

    assert (refused["type"], refused["id"]) == ("error", "3")
    assert [each["extensions"]["code"] for each in refused["payload"]] == ["RATE_LIMITED"]
