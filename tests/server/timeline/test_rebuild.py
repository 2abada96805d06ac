"""Projections made anew are what they were, also when servers go on recording meanwhile."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from steadylight_server.core.mongo import Database
from steadylight_server.journeys.models import JourneyType, Threading, condition
from steadylight_server.timeline import rebuild as module
from steadylight_server.timeline.contacts import ENDED
from steadylight_server.timeline.models import Action, Subject
from steadylight_server.timeline.rebuild import rebuild
from tests.factories import fact
from tests.server.conftest import Slices

START = datetime(2026, 11, 22, 9, tzinfo=UTC)


def made(number: int) -> Action:
    return fact(
        UUID(int=number % 7),
        at=START + timedelta(minutes=number * 17 % 600),
        contact=(None, f"call-{number % 11}")[number % 2],
        type=("plan.viewed", ENDED, f"type.{number % 13}")[number % 3],
        properties={"outcome": "RESOLVED" if number % 4 else "ABANDONED"},
        received_at=START + timedelta(seconds=number),
        traits={f"trait-{number % 3}": number} if number % 5 == 0 else {},
    )


async def recorded(slices: Slices, facts: list[Action]) -> None:
    await slices.timeline.append(facts)
    await slices.timeline.project(facts)


async def projections(slices: Slices) -> list[list[dict]]:
    return [await slices.documents(name) for name in ("contacts", "action_types", "traits")]


async def test_rebuilt_projections_equal_the_live_ones_whatever_became_of_them(
    slices: Slices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHUNK", 40)
    for start in (0, 60):
        await recorded(slices, [made(number) for number in range(start, start + 60)])
    right = await projections(slices)
    # Never projected, projected wrongly, and left by a rebuild that was broken off.
    await slices.database.raw["contacts"].delete_many({"channel": "web", "slot": {"$exists": True}})
    await slices.database.raw["contacts"].update_many({}, {"$set": {"last_at": START}})
    await slices.database.raw["traits"].update_many({}, {"$set": {"said.value": "wrong"}})
    await slices.database.raw["action_types"].insert_one({"_id": "never.seen", "first_seen_at": START})
    await slices.database.raw["contacts.rebuilt"].insert_one({"_id": "left from before"})
    wrong = await projections(slices)
    progress: list[int] = []

    done = await rebuild(slices.database, progress.append)

    assert wrong != right
    assert await projections(slices) == right
    assert done == 120
    assert progress == [40, 80, 120, 120]
    assert [await store.missing_indexes() for store in slices.stores.all()] == [[]] * 14
    assert not [name for name in await slices.database.collection_names() if "rebuilt" in name]


async def test_journeys_are_rebuilt_as_they_are_declared_now(slices: Slices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK", 40)
    told = [made(number) for number in range(100)]
    about = [one._replace(subject=Subject("call", f"{number % 9}")) for number, one in enumerate(told)]
    await recorded(slices, about)
    threads, types = slices.stores.threads, slices.stores.threads.types
    types.declare({"call": JourneyType("call", threads=Threading("call", completes=condition(f'type == "{ENDED}"')))})
    none = await slices.documents("threads")
    await threads.project(about)
    right = await slices.documents("threads")
    await slices.database.raw["threads"].update_many({}, {"$set": {"last_at": START, "reopenings": []}})

    await rebuild(slices.database, others=[threads.beside])
    again = await slices.documents("threads")
    types.declare({})
    await rebuild(slices.database, others=[threads.beside])

    assert (none, len(right)) == ([], 63)
    assert [{**one, "channels": sorted(one["channels"])} for one in again] == right
    assert await slices.documents("threads") == []
    assert await threads.missing_indexes() == []


async def test_a_database_without_actions_is_rebuilt_to_nothing(slices: Slices) -> None:
    assert await rebuild(slices.database) == 0

    assert await projections(slices) == [[], [], []]


async def test_nothing_recorded_during_a_rebuild_is_lost(slices: Slices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK", 20)
    await recorded(slices, [made(number) for number in range(100)])
    number = 100
    rebuilt = asyncio.Event()

    async def record(process: Slices) -> None:
        nonlocal number
        while not rebuilt.is_set():
            number += 3
            await recorded(process, [made(number - back) for back in range(3)])
            await asyncio.sleep(0.005)

    recording = [asyncio.create_task(record(process)) for process in (slices.beside(), slices.beside())]
    await asyncio.sleep(0.05)
    await rebuild(slices.database)
    rebuilt.set()
    await asyncio.gather(*recording)

    during = await projections(slices)
    await rebuild(slices.database)
    assert number > 110
    assert during == await projections(slices)


async def test_actions_appended_between_catching_up_and_the_exchange_are_counted(
    slices: Slices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The narrowest moment: projected into the old collections after the new ones were caught up."""
    monkeypatch.setattr(module, "_CHUNK", 2)
    await recorded(slices, [made(number) for number in range(10)])
    late = [made(number) for number in range(10, 17)]
    moment = Database.moment
    asked = 0

    async def moment_and_then_record(database: Database):
        nonlocal asked
        found = await moment(database)
        asked += 1
        if asked == 1:
            await recorded(slices, late)
        return found

    monkeypatch.setattr(Database, "moment", moment_and_then_record)
    await rebuild(slices.database)
    during = await projections(slices)
    monkeypatch.setattr(Database, "moment", moment)

    await rebuild(slices.database)
    assert during == await projections(slices)
    assert {one["_id"] for one in during[1]} >= {one.type for one in late}
