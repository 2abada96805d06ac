"""One collection: what stores do with it, the driver's errors made ours, and its stream of insertions."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo import IndexModel
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure
from pymongo.operations import UpdateOne

from steadylight_server.core.collection import Collection, Document
from steadylight_server.core.errors import Unavailable
from steadylight_server.core.mongo import Database
from tests.server.conftest import Slices

SHUTDOWN = {"errorCode": 91}
NETWORK = {"closeConnection": True}
OUR_FAULT = {"errorCode": 2}  # BadValue: asking again would not help
NOT_CONFIRMED: dict[str, Any] = {"writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"}}


async def test_what_is_written_is_found(notes: Collection) -> None:
    await notes.insert_many([{"_id": "b", "count": 2}, {"_id": "c", "count": 3}])

    assert await notes.find_one({"_id": "b"}) == {"_id": "b", "count": 2}
    assert await notes.find_one({"_id": "b"}, {"count": 1, "_id": 0}) == {"count": 2}
    assert await notes.find_one({"_id": "z"}) is None
    assert [one["_id"] for one in await notes.find({}, sort=[("count", -1)], limit=2)] == ["c", "b"]
    assert await notes.find({"_id": "c"}, without=["count"]) == [{"_id": "c"}]
    assert sorted([one["_id"] async for one in notes.each({})]) == ["b", "c", "first"]
    assert await notes.aggregate([{"$match": {"count": {"$gt": 2}}}, {"$unset": "count"}]) == [{"_id": "c"}]
    assert await notes.count({}) == 3


async def test_an_update_says_what_it_did(notes: Collection) -> None:
    matched = await notes.update_one({"_id": "first"}, {"$set": {"count": 5}})
    missed = await notes.update_one({"_id": "other"}, {"$set": {"count": 5}})
    made = await notes.update_one({"_id": "other"}, {"$set": {"count": 6}}, upsert=True)

    assert (matched, missed, made) == ((1, False), (0, False), (0, True))
    assert await notes.find_one_and_update({"_id": "first"}, {"$inc": {"count": 1}}) == {"_id": "first", "count": 6}
    assert await notes.find_one_and_update({"_id": "nobody"}, {"$inc": {"count": 1}}) is None


async def test_updates_in_bulk_and_a_removal(notes: Collection) -> None:
    await notes.bulk_write([UpdateOne({"_id": id}, {"$max": {"count": 9}}, upsert=True) for id in ("first", "new")])
    await notes.delete_one({"_id": "first"})
    await notes.delete_one({"_id": "first"})

    assert await notes.find({}) == [{"_id": "new", "count": 9}]


async def test_a_repeated_id_is_a_duplicate_key(notes: Collection) -> None:
    with pytest.raises(DuplicateKeyError):
        await notes.insert_one({"_id": "first"})
    with pytest.raises(BulkWriteError):
        await notes.insert_many([{"_id": "first"}, {"_id": "second"}])

    assert await notes.count({"_id": "second"}) == 1


async def test_only_what_is_new_is_inserted(notes: Collection) -> None:
    there = await notes.insert_new([{"_id": "second"}, {"_id": "first"}, {"_id": "third"}])
    again = await notes.insert_new([{"_id": "fourth"}])

    assert (there, again) == ([1], [])
    assert await notes.count({}) == 4


async def test_an_insertion_that_fails_otherwise_is_a_fault(shared: Slices, notes: Collection) -> None:
    await shared.database.raw.command("collMod", "notes", validator={"count": {"$ne": 7}})

    with pytest.raises(BulkWriteError):
        await notes.insert_new([{"_id": "first"}, {"_id": "second", "count": 7}])


@pytest.mark.parametrize("trouble", [SHUTDOWN, NETWORK])
async def test_trouble_that_passes_is_unavailable(shared: Slices, hasty: Database, trouble: dict[str, Any]) -> None:
    notes = hasty.collection("notes")

    async def each() -> None:
        [one async for one in notes.each({})]

    calls = [
        notes.find_one({}),
        notes.find({}),
        each(),
        notes.aggregate([]),
        notes.insert_one({}),
        notes.insert_many([{}]),
        notes.update_one({}, {"$set": {"count": 1}}),
        notes.bulk_write([UpdateOne({}, {"$set": {"count": 1}})]),
        notes.find_one_and_update({}, {"$set": {"count": 1}}),
        notes.delete_one({}),
        notes.count({}),
        notes.drop(),
        notes.create_indexes([IndexModel([("count", 1)], name="count")]),
        notes.index_names(),
        hasty.collection_names(),
    ]
    commands = ("find", "aggregate", "insert", "update", "findAndModify", "delete", "drop", "createIndexes")

    async with shared.failing(*commands, "listIndexes", "listCollections", **trouble):
        results = await asyncio.gather(*calls, return_exceptions=True)

    assert [type(result) for result in results] == [Unavailable] * len(calls)
    assert isinstance(results[0], Unavailable)
    assert results[0].extensions == {"code": "UNAVAILABLE", "retryAfter": 1.0}


async def test_one_lost_connection_is_not_noticed(shared: Slices, notes: Collection) -> None:
    async with shared.failing("find", collection="notes", times=1, **NETWORK):
        assert await notes.find_one({}) == {"_id": "first", "count": 0}


async def test_a_fault_of_ours_stays_as_it_is(shared: Slices, notes: Collection) -> None:
    async with shared.failing("find", collection="notes", **OUR_FAULT):
        with pytest.raises(OperationFailure) as caught:
            await notes.find_one({})

    assert caught.value.code == 2


async def test_a_write_that_the_majority_did_not_confirm_is_unavailable(shared: Slices, hasty: Database) -> None:
    notes = hasty.collection("notes")

    async with shared.failing("insert", "update", collection="notes", **NOT_CONFIRMED):
        results = await asyncio.gather(
            notes.insert_one({}),
            notes.insert_many([{}]),
            notes.update_one({}, {"$set": {"count": 1}}),
            notes.bulk_write([UpdateOne({}, {"$set": {"count": 1}})]),
            return_exceptions=True,
        )

    assert [type(result) for result in results] == [Unavailable] * 4


async def test_insertions_are_given_in_order_from_the_opening_on(notes: Collection) -> None:
    await notes.insert_one({"_id": "before"})
    async with notes.inserts() as inserts:
        unseen = inserts.at
        await notes.insert_one({"_id": "a"})
        await notes.update_one({"_id": "a"}, {"$set": {"count": 1}})
        await notes.insert_one({"_id": "b"})

        given = [await inserts.next(), await inserts.next()]
        moment = inserts.at
        nothing = await inserts.next()

    assert unseen is None
    assert [one and one["_id"] for one in given] == ["a", "b"]
    assert moment is not None
    assert nothing is None


async def test_a_stream_outlives_a_lost_cursor(shared: Slices, notes: Collection) -> None:
    async with notes.inserts() as inserts:
        await notes.insert_one({"_id": "a"})
        first = await inserts.next()
        async with shared.failing("getMore", collection="notes", times=1, **NETWORK):
            await notes.insert_one({"_id": "b"})

            second = await inserts.next()

    assert (first, second) == ({"_id": "a"}, {"_id": "b"})


async def test_a_stream_that_cannot_go_on_is_unavailable(shared: Slices, hasty: Database) -> None:
    notes = hasty.collection("notes")

    async with notes.inserts() as inserts:
        async with shared.failing("getMore", "aggregate", collection="notes", **NETWORK):
            with pytest.raises(Unavailable):
                await inserts.next()

    async with shared.failing("aggregate", collection="notes", **SHUTDOWN):
        with pytest.raises(Unavailable):
            async with notes.inserts():
                pass


async def test_documents_come_back_aware_and_with_their_uuids(notes: Collection) -> None:
    at = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    document: Document = {"_id": "typed", "at": at, "bytes": b"\0\xff"}

    await notes.insert_one(document)

    assert await notes.find_one({"_id": "typed"}) == {"_id": "typed", "at": at, "bytes": b"\0\xff"}
