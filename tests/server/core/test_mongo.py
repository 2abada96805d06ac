"""The door to MongoDB: its sessions and its transactions."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson.timestamp import Timestamp
from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from steadylight_server.core import mongo
from steadylight_server.core.collection import Collection
from steadylight_server.core.embedded import EmbeddedDatabase
from steadylight_server.core.errors import Unavailable
from steadylight_server.core.mongo import Database
from tests.server.conftest import Slices

NETWORK = {"closeConnection": True}
COLLIDED = {"errorCode": 112, "errorLabels": ["TransientTransactionError"]}
UNKNOWN_COMMIT = {"errorCode": 50, "errorLabels": ["UnknownTransactionCommitResult"]}


async def test_a_database_that_is_not_there_is_unavailable(shared: Slices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mongo, "PATIENCE", 0.1)
    nowhere = mongo.Database("mongodb://127.0.0.1:9/", "nowhere")

    with pytest.raises(Unavailable):
        await nowhere.ping()
    with pytest.raises(Unavailable):
        await nowhere.collection("notes").find_one({})
    with pytest.raises(Unavailable):
        async with nowhere.session():
            await nowhere.collection("notes").find_one({})

    await nowhere.close()


async def test_the_database_tells_its_time_and_collections(shared: Slices, notes: Collection) -> None:
    before = await shared.database.moment()
    await notes.insert_one({})

    assert abs(await shared.database.server_time() - datetime.now(UTC)) < timedelta(seconds=5)
    assert await shared.database.moment() > before
    assert {"version", "setName"} <= set(await shared.database.about())
    assert {"actions", "notes"} <= set(await shared.database.collection_names())


async def test_a_transaction_stores_all_or_nothing(shared: Slices, notes: Collection) -> None:
    async def fail() -> None:
        await notes.update_one({"_id": "first"}, {"$set": {"count": 1}})
        raise LookupError("halfway")

    async def work() -> str:
        await notes.insert_one({"_id": "second"})
        await notes.update_one({"_id": "first"}, {"$set": {"count": 2}})
        return "done"

    with pytest.raises(LookupError, match="halfway"):
        await shared.database.transaction(fail)
    untouched = await notes.find_one({"_id": "first"})
    result = await shared.database.transaction(work)

    assert untouched == {"_id": "first", "count": 0}
    assert result == "done"
    assert await notes.find({}, sort=[("_id", 1)]) == [{"_id": "first", "count": 2}, {"_id": "second"}]


async def test_transactions_that_collide_run_again_until_all_have_counted(shared: Slices, notes: Collection) -> None:
    async def count_up() -> None:
        found = await notes.find_one({"_id": "first"})
        assert found is not None
        await notes.update_one({"_id": "first"}, {"$set": {"count": found["count"] + 1}})

    await asyncio.gather(*(shared.database.transaction(count_up) for _ in range(12)))

    assert await notes.find_one({"_id": "first"}) == {"_id": "first", "count": 12}


@pytest.mark.parametrize("trouble", [COLLIDED, UNKNOWN_COMMIT, NETWORK])
async def test_a_commit_that_fails_in_passing_is_made_once(
    shared: Slices, notes: Collection, trouble: dict[str, Any]
) -> None:
    async def count_up() -> None:
        await notes.update_one({"_id": "first"}, {"$inc": {"count": 1}})

    async with shared.failing("commitTransaction", times=2, **trouble):
        await shared.database.transaction(count_up)

    assert await notes.find_one({"_id": "first"}) == {"_id": "first", "count": 1}


@pytest.mark.parametrize("trouble", [COLLIDED, UNKNOWN_COMMIT, NETWORK])
async def test_a_transaction_that_never_gets_through_is_unavailable_in_the_end(
    shared: Slices, hasty: Database, trouble: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongo, "TRANSACTION_PATIENCE", 0.05)
    notes = hasty.collection("notes")

    async def count_up() -> None:
        await notes.update_one({"_id": "first"}, {"$inc": {"count": 1}})

    async with shared.failing("commitTransaction", **trouble):
        with pytest.raises(Unavailable):
            await hasty.transaction(count_up)


async def test_a_fault_in_a_transaction_is_not_tried_again(shared: Slices, notes: Collection) -> None:
    runs = 0

    async def repeat() -> None:
        nonlocal runs
        runs += 1
        await notes.insert_one({"_id": "first"})

    with pytest.raises(DuplicateKeyError):
        await shared.database.transaction(repeat)

    assert runs == 1


async def test_a_session_has_a_moment_once_it_was_used(shared: Slices, notes: Collection) -> None:
    async with shared.database.session() as session:
        before = session.moment
        await notes.insert_one({"_id": "written"})
        written = session.moment

    assert before is None
    assert written is not None
    async with shared.database.session(written) as reader:
        assert await notes.find_one({"_id": "written"}) == {"_id": "written"}
        assert reader.moment is not None
        assert reader.moment.operation_time >= written.operation_time


async def test_a_read_after_a_moment_that_has_not_come_is_unavailable(shared: Slices, notes: Collection) -> None:
    async with shared.database.session() as session:
        await notes.find_one({})
        assert session.moment is not None
        present = session.moment
    future = replace(present, operation_time=Timestamp(present.operation_time.time + 3600, 1))

    async with shared.database.session(future):
        with pytest.raises(Unavailable):
            await notes.find_one({})
        with pytest.raises(Unavailable):
            [one async for one in notes.each({})]


@pytest.mark.parametrize("command", ["createIndexes", "renameCollection"])
async def test_what_takes_long_on_a_large_collection_may_take_as_long_as_it_takes(
    house: Slices, mongod: EmbeddedDatabase, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(mongo, "PATIENCE", 0.2)
    database = Database(mongod.uri, house.settings.database)
    large = database.collection(f"large-{command}")
    await large.insert_one({"_id": 1})

    async with house.failing(command, blockConnection=True, blockTimeMS=700, times=1, appName="steadylight"):
        if command == "createIndexes":
            await large.create_indexes([IndexModel([("at", 1)], name="at")])
        else:
            await large.replace(database.collection("renamed"))

    names = await large.index_names() if command == "createIndexes" else await database.collection_names()
    assert ("at" if command == "createIndexes" else "renamed") in names
    await database.close()
