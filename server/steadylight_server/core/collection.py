"""What stores use of one collection of MongoDB, with driver errors made ours where they enter."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any

import pymongo
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp
from motor.motor_asyncio import AsyncIOMotorChangeStream, AsyncIOMotorClientSession, AsyncIOMotorCollection
from pymongo import IndexModel
from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    WaitQueueTimeoutError,
    WriteConcernError,
    WTimeoutError,
)
from pymongo.operations import ReplaceOne, UpdateOne
from pymongo.results import InsertManyResult

from steadylight_server.core.errors import Unavailable

DUPLICATE_KEY = 11000
# For the last question of a stream, which takes up to a second: nobody's end waits longer for the database.
_MOST_SECONDS = 5.0
Document = dict[str, Any]
Change = Mapping[str, Any] | Sequence[Mapping[str, Any]]  # operators, or a pipeline

# Server codes that mean "not now": shutting down, stepping down, read concern not reachable yet.
_PASSING = {50, 72, 91, 112, 134, 189, 246, 251, 262, 10107, 11600, 11602, 13435, 13436}
# The session of the request in hand, if it has one.
CURRENT: ContextVar[AsyncIOMotorClientSession | None] = ContextVar("session", default=None)


@contextmanager
def translated() -> Iterator[None]:
    """Raises Unavailable for a driver error that passes with time; others are faults of ours and stay as they are."""
    try:
        yield
    except (ConnectionFailure, ExecutionTimeout, WaitQueueTimeoutError, WTimeoutError, WriteConcernError) as error:
        raise Unavailable("The database cannot answer now. Try again shortly.") from error
    except PyMongoError as error:
        passing = isinstance(error, OperationFailure) and error.code in _PASSING
        if passing or is_transient(error) or _is_in_doubt(error):
            raise Unavailable("The database cannot answer now. Try again shortly.") from error
        raise


def is_transient(error: BaseException | None) -> bool:
    """Whether the same transaction, or write, may succeed if it is run again."""
    return isinstance(error, PyMongoError) and (
        error.has_error_label("TransientTransactionError") or error.has_error_label("RetryableWriteError")
    )


def _is_in_doubt(error: PyMongoError) -> bool:
    """Whether a bulk was done by one member that may yet lose it: the driver calls that no WriteConcernError."""
    return isinstance(error, BulkWriteError) and bool(error.details.get("writeConcernErrors"))


class Collection:
    """What stores use of one collection. Reads honour the session they run in; errors are translated."""

    def __init__(self, of: AsyncIOMotorCollection) -> None:
        self.name = of.name
        self._of: Any = of

    async def find_one(self, query: Mapping[str, Any], projection: Mapping[str, Any] | None = None) -> Document | None:
        """The one document that matches, or None."""
        with translated():
            return await self._of.find_one(query, projection, session=CURRENT.get())

    async def find(
        self,
        query: Mapping[str, Any],
        *,
        without: Sequence[str] = (),
        sort: Sequence[tuple[str, int]] | None = None,
        limit: int = 0,
    ) -> list[Document]:
        """What matches, in `sort`'s order, `without` these fields; at most `limit`, or all when it is 0."""
        shown = dict.fromkeys(without, 0) or None
        cursor = self._of.find(query, shown, session=CURRENT.get(), limit=limit)
        if sort:
            cursor = cursor.sort(list(sort))
        with translated():
            return await cursor.to_list(None)

    async def each(self, query: Mapping[str, Any]) -> AsyncIterator[Document]:
        """What matches, in natural order, without holding it all in memory."""
        with translated():
            async for document in self._of.find(query, batch_size=1000, session=CURRENT.get()):
                yield document

    async def aggregate(self, pipeline: Sequence[Mapping[str, Any]]) -> list[Document]:
        """The documents that the pipeline yields."""
        with translated():
            return await self._of.aggregate(list(pipeline), session=CURRENT.get()).to_list(None)

    async def insert_one(self, document: Document) -> None:
        """Stores one document. Raises DuplicateKeyError where a unique index has it already."""
        with translated():
            await self._of.insert_one(document, session=CURRENT.get())

    async def insert_many(self, documents: Sequence[Document | RawBSONDocument]) -> InsertManyResult:
        """Stores all it can, in no order. Raises BulkWriteError for the rest."""
        with translated():
            return await self._of.insert_many(documents, ordered=False, session=CURRENT.get())

    async def insert_new(self, documents: Sequence[Document]) -> list[int]:
        """Stores those whose id is not there yet; the places in the list of the others."""
        try:
            await self.insert_many(documents)
        except BulkWriteError as error:
            failures = error.details["writeErrors"]
            if any(failure["code"] != DUPLICATE_KEY for failure in failures):
                raise
            return [failure["index"] for failure in failures]
        return []

    async def update_one(self, query: Mapping[str, Any], change: Change, *, upsert: bool = False) -> tuple[int, bool]:
        """Changes one document atomically. Returns how many matched, and whether one was made."""
        with translated():
            result = await self._of.update_one(query, change, upsert=upsert, session=CURRENT.get())
        return result.matched_count, result.upserted_id is not None

    async def update_many(self, query: Mapping[str, Any], change: Change) -> None:
        """Changes all that match, each atomically."""
        with translated():
            await self._of.update_many(query, change, session=CURRENT.get())

    async def find_one_and_update(
        self, query: Mapping[str, Any], change: Change, *, upsert: bool = False
    ) -> Document | None:
        """Changes one document atomically and returns it as it was changed; None where nothing matched."""
        with translated():
            return await self._of.find_one_and_update(
                query, change, upsert=upsert, return_document=True, session=CURRENT.get()
            )

    async def bulk_write(self, changes: Sequence[UpdateOne | ReplaceOne[Document]]) -> int:
        """Applies the changes in no order, in one round trip. Returns how many of them found a document."""
        with translated():
            result = await self._of.bulk_write(changes, ordered=False, session=CURRENT.get())
        matched: int = result.matched_count
        return matched

    async def delete_one(self, query: Mapping[str, Any]) -> None:
        """Removes one document, if it is there."""
        with translated():
            await self._of.delete_one(query, session=CURRENT.get())

    async def distinct(self, field: str) -> list[Any]:
        """The values of a field that has an index, each once, in no order; None for what lacks it."""
        with translated():
            return await self._of.distinct(field, session=CURRENT.get())

    async def count(self, query: Mapping[str, Any]) -> int:
        """How many match. Scans: for operators and tests, never for a request."""
        with translated():
            return await self._of.count_documents(query)

    async def create(self) -> None:
        """Makes it, empty. Raises where it exists."""
        with translated():
            await self._of.database.create_collection(self.name)

    async def drop(self) -> None:
        """Removes the collection and its indexes."""
        with translated():
            await self._of.drop()

    async def replace(self, other: "Collection") -> None:
        """Takes the name of `other`, whose contents go, in one step."""
        with translated(), pymongo.timeout(0):
            await self._of.rename(other.name, dropTarget=True)

    async def create_indexes(self, indexes: Sequence[IndexModel]) -> None:
        """Makes the indexes that are not there yet, however long that takes."""
        with translated(), pymongo.timeout(0):
            await self._of.create_indexes(list(indexes))

    async def index_names(self) -> set[str]:
        """The names of the indexes that exist."""
        with translated():
            return set(await self._of.index_information())

    @asynccontextmanager
    async def inserts(self) -> AsyncIterator["Inserts"]:
        """What is inserted from now on. Raises Unavailable where the stream cannot be opened."""
        async with self._watched(["insert"]) as inserts:
            yield inserts

    @asynccontextmanager
    async def changes(self, *, deletions: bool = False) -> AsyncIterator["Inserts"]:
        """What is inserted or changed from now on, as it is when it is told. Raises Unavailable as `inserts`.

        With `deletions`, what is deleted comes too, as its key alone.
        """
        types = ["insert", "update", "replace", *(["delete"] if deletions else [])]
        async with self._watched(types, full_document="updateLookup") as changes:
            yield changes

    @asynccontextmanager
    async def _watched(self, types: Sequence[str], **how: str) -> AsyncIterator["Inserts"]:
        pipeline = [{"$match": {"operationType": {"$in": list(types)}}}]
        async with AsyncExitStack() as stack:
            with translated():  # once the cursor is there, nothing that comes later can be missed
                stream = await stack.enter_async_context(self._of.watch(pipeline, max_await_time_ms=1000, **how))
            inserts = Inserts(stream)
            stack.push_async_callback(inserts.settled)
            yield inserts


class Inserts:
    """A change stream of insertions, or of all that is stored; `at` is the moment of the latest one given.

    It survives a change of primary.
    """

    def __init__(self, stream: AsyncIOMotorChangeStream) -> None:
        self._stream = stream
        self._asked: asyncio.Future[Any] | None = None
        self.at: Timestamp | None = None

    async def settled(self) -> None:
        """Returns when no question is under way, whose asker may have gone: a second, as a rule.

        A cursor that is closed beneath a question is lost to the driver, which opens another that nobody closes.
        """
        if self._asked is not None:
            await asyncio.wait({self._asked}, timeout=_MOST_SECONDS)
            if self._asked.done() and not self._asked.cancelled():
                self._asked.exception()  # which nobody asks for any more

    async def next(self) -> Document | None:
        """The next document; None when there was none for a second, or it is gone. Raises Unavailable."""
        self._asked = asyncio.ensure_future(self._stream.try_next())
        with translated():
            event = await asyncio.shield(self._asked)
        if event is None and not self._stream.alive:  # its collection was dropped
            raise Unavailable("The stream of changes has ended. Read anew.")
        if event is None:
            return None
        self.at = event["clusterTime"]
        return event["documentKey"] if event["operationType"] == "delete" else event.get("fullDocument")
