"""What runs beside requests: it goes on when the database does not, and leaves nothing behind."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from steadylight_server import workers as module
from steadylight_server.capabilities import Call, capability
from steadylight_server.capabilities.models import Capability, FunctionBinding, State
from steadylight_server.core.errors import Unavailable
from steadylight_server.ingest.service import Ingest
from steadylight_server.ingest.store import Intent, IntentStore
from steadylight_server.operations.models import Asker
from steadylight_server.timeline.models import Action
from steadylight_server.workers import Activity, sweeping, taking_over
from tests.factories import fact, login, viewer
from tests.server.conftest import SECRET, Slices

GONE = {"errorCode": 50}  # MaxTimeMSExpired: passes, and no change stream goes on after it by itself
OUR_FAULT = {"errorCode": 2}  # BadValue


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
def ingest(house: Slices) -> Ingest:
    """To which every intent is old."""
    intents = IntentStore(house.database, lease_seconds=0)
    return Ingest(
        house.database,
        intents,
        house.identity,
        house.timeline,
        house.journeys,
        house.knowledge,
        house.insights,
        token_secret=SECRET,
    )


async def half_done(house: Slices) -> Action:
    """What a server left that crashed between append and project.

    Appended first: a sweeper to which every intent is old would close it before the action is there.
    """
    one = fact(uuid4(), contact="1")
    await house.timeline.append([one])
    await house.stores.intents.open(Intent(uuid4(), [one.id]))
    return one


async def finished(house: Slices, one: Action) -> None:
    async with asyncio.timeout(60):
        while not await house.documents("contacts", profile_id=one.profile_id) or await house.documents("intents"):
            await asyncio.sleep(0.01)


async def test_the_sweeper_finishes_what_was_left_half_done(house: Slices, ingest: Ingest) -> None:
    before = await half_done(house)

    with capture_logs() as logs:
        async with sweeping(ingest, every=0.01):
            await finished(house, before)
            during = await half_done(house)
            await finished(house, during)
            await until(lambda: len(logs) == 2)

    assert logs[0] == {"event": "finished batches that were left half done", "batches": 1, "log_level": "info"}


@pytest.mark.parametrize(
    ("trouble", "event"),
    [
        (GONE, "the database cannot be swept now; trying again"),
        (OUR_FAULT, "sweeping failed; trying again"),
    ],
)
async def test_the_sweeper_survives_a_database_that_fails(
    house: Slices, ingest: Ingest, trouble: dict[str, Any], event: str
) -> None:
    one = await half_done(house)

    with capture_logs() as logs:
        async with house.failing("findAndModify", collection="intents", **trouble):
            async with sweeping(ingest, every=0.01):
                await until(lambda: len(logs) >= 2)
                untouched = await house.documents("intents")
                await house.database.client.admin.command("configureFailPoint", "failCommand", mode="off")
                await finished(house, one)

    assert len(untouched) == 1
    assert {entry["event"] for entry in logs[:2]} == {event}


async def test_the_sweeper_ends_with_its_server(house: Slices, ingest: Ingest) -> None:
    async with sweeping(ingest, every=0.01):
        pass

    one = await half_done(house)
    await asyncio.sleep(0.05)

    assert await house.documents("contacts", profile_id=one.profile_id) == []
    await ingest.finish_old()


@pytest.fixture
async def activity(house: Slices) -> AsyncIterator[Activity]:
    activity = Activity(house.timeline)
    yield activity
    await activity.close()


async def record(house: Slices, *profiles: UUID) -> list[Action]:
    """One action of each, appended by another process."""
    facts = [fact(profile) for profile in profiles]
    await house.beside().timeline.append(facts)
    return facts


async def take(actions: AsyncIterator[Action], count: int) -> list[Action]:
    async with asyncio.timeout(60):
        return [await anext(actions) for _ in range(count)]


async def streams(house: Slices) -> int:
    """How many change streams are open on the actions of this database."""
    cursors = house.database.client.admin.aggregate(
        [
            {"$currentOp": {"idleCursors": True, "allUsers": True}},
            {"$match": {"ns": f"{house.settings.database}.actions", "type": {"$in": ["op", "idleCursor"]}}},
            {"$match": {"cursor": {"$exists": True}}},
        ]
    )
    return len(await cursors.to_list(None))


async def until_streams(house: Slices, count: int) -> None:
    """A stream that was given back ends with the question under way, which takes up to a second."""
    for _ in range(600):
        if (there := await streams(house)) == count:
            return
        await asyncio.sleep(0.1)
    pytest.fail(f"There are {there} streams, not {count}, after a minute.")


async def test_followers_are_given_what_their_customers_do(house: Slices, activity: Activity) -> None:
    ann, bob = uuid4(), uuid4()
    async with (
        activity.follow([ann]) as one,
        activity.follow([ann]) as other,
        activity.follow([ann, bob]) as both,
    ):
        followers = activity.followers
        await until_streams(house, 1)
        first, _, third = await record(house, ann, uuid4(), bob)

        given = [await take(one, 1), await take(other, 1), await take(both, 2)]

    assert given == [[first], [first], [first, third]]
    assert followers == 3
    assert activity.followers == 0


async def test_nothing_is_missed_from_the_moment_of_following(house: Slices, activity: Activity) -> None:
    ann = uuid4()
    await record(house, ann)
    async with activity.follow([ann]) as actions:
        recorded = [(await record(house, ann))[0] for _ in range(5)]

        assert await take(actions, 5) == recorded


async def test_who_leaves_gives_the_stream_back_when_nobody_else_follows(house: Slices, activity: Activity) -> None:
    ann, bob = uuid4(), uuid4()
    async with activity.follow([ann]) as actions:
        async with activity.follow([bob]):
            pass
        recorded = await record(house, ann)
        still = await take(actions, 1)

    assert still == recorded
    assert activity._pump is None
    await until_streams(house, 0)


async def test_following_again_opens_the_stream_again(house: Slices, activity: Activity) -> None:
    ann = uuid4()
    for _ in range(2):
        async with activity.follow([ann]) as actions:
            recorded = await record(house, ann)

            assert await take(actions, 1) == recorded


async def test_who_does_not_read_is_told_so_and_delays_nobody(
    house: Slices, activity: Activity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_UNREAD", 3)
    ann = uuid4()
    async with activity.follow([ann]) as slow, activity.follow([ann]) as quick:
        recorded = []
        for _ in range(6):
            recorded += await record(house, ann)
            assert await take(quick, 1) == recorded[-1:]

        assert await take(slow, 3) == recorded[:3]
        with pytest.raises(Unavailable, match="Too far behind"):
            await take(slow, 1)


@pytest.mark.parametrize(("trouble", "events"), [(GONE, []), (OUR_FAULT, ["the stream of new actions broke"])])
async def test_a_stream_that_breaks_ends_its_followers_and_can_be_followed_again(
    house: Slices, activity: Activity, trouble: dict[str, Any], events: list[str]
) -> None:
    ann = uuid4()

    with capture_logs() as logs:
        async with activity.follow([ann]) as one, activity.follow([uuid4()]) as other:
            async with house.failing("getMore", collection="actions", **trouble):
                for actions in (one, other):
                    with pytest.raises(Unavailable, match="The stream of new actions was lost"):
                        await take(actions, 1)
            async with activity.follow([ann]) as again:
                recorded = await record(house, ann)

                assert await take(again, 1) == recorded

    assert [entry["event"] for entry in logs] == events
    assert activity.followers == 0


async def test_a_stream_that_cannot_be_opened_is_unavailable(house: Slices, activity: Activity) -> None:
    async with house.failing("aggregate", collection="actions", **GONE):
        results = await asyncio.gather(*(follow_once(activity) for _ in range(3)), return_exceptions=True)

    assert [str(result) for result in results] == ["New actions cannot be followed now. Try again shortly."] * 3
    assert activity.followers == 0
    await follow_once(activity)


async def follow_once(activity: Activity) -> None:
    async with activity.follow([uuid4()]):
        pass


async def test_many_that_come_and_go_leave_nothing_behind(house: Slices, activity: Activity) -> None:
    ann = uuid4()

    async def visit(number: int) -> list[Action]:
        await asyncio.sleep(number % 5 * 0.02)
        async with activity.follow([ann]) as actions:
            (one,) = await record(house, ann)
            while (given := (await take(actions, 1))[0]) != one:
                pass
            return [given]

    seen = await asyncio.gather(*(visit(number) for number in range(20)))

    assert len(seen) == 20
    assert (activity.followers, activity._followers, activity._pump) == (0, {}, None)
    await until_streams(house, 0)


async def test_what_a_crashed_server_was_performing_is_taken_over_also_after_a_fault(house: Slices) -> None:
    calls: list[Call] = []

    @capability(honours_keys=True)
    async def view(call: Call) -> dict[str, Any]:
        calls.append(call)
        if call.attempt == 1:
            await asyncio.Event().wait()
        return {"attempt": call.attempt}

    beside = house.beside()
    for slices in (house, beside):
        slices.functions["view"] = view
        slices.capabilities.declared.declare({"view": Capability("view", FunctionBinding("view"))})
        slices.stores.performances.lease_seconds = 0.2
    asker = Asker(uuid4(), [login(uuid4().hex)], "c-1")
    began = (await house.performing.perform(viewer("web"), asker, "view", {}, "k-1", within=0)).result.performance
    await until(lambda: calls)
    await house.performing.close()

    with capture_logs() as logs:
        async with house.failing("findAndModify", collection="performances", times=2, **OUR_FAULT):
            async with taking_over(beside.performing, every=0.01):
                await until(lambda: [log for log in logs if "failed; trying again" in log["event"]])
                done = (await beside.performing.perform(viewer("app"), asker, "view", {}, "k-1")).result.performance

    assert (done.id, done.state, done.output, done.attempt) == (began.id, State.DONE, {"attempt": 2}, 2)
    async with house.failing("find", collection="performances", **GONE):
        with capture_logs() as logs:
            async with taking_over(beside.performing, every=0.01):
                await until(lambda: logs)
    assert "cannot be looked after now" in logs[0]["event"]
