"""The one door to MongoDB: connection, sessions, transactions, and driver errors made ours where they enter.

Stores are given a `Collection`, which offers just what they use. Whatever runs inside `Database.session()` or
`Database.transaction()` takes part in it without saying so: the session travels in a context variable, because it
belongs to the request and not to any one call.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TypeVar

from bson.timestamp import Timestamp as Timestamp
from motor.motor_asyncio import AsyncIOMotorChangeStream, AsyncIOMotorClient, AsyncIOMotorClientSession
from pymongo import IndexModel as IndexModel
from pymongo import WriteConcern as WriteConcern
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
from pymongo.monitoring import ConnectionPoolListener
from pymongo.operations import UpdateOne
from pymongo.read_concern import ReadConcern
from pymongo.results import InsertManyResult

from steadylight_server.core import metrics
from steadylight_server.core.causality import Moment
from steadylight_server.core.errors import Unavailable

DUPLICATE_KEY = 11000
Document = dict[str, Any]
Change = Mapping[str, Any] | Sequence[Mapping[str, Any]]  # operators, or a pipeline
T = TypeVar("T")

MAJORITY = WriteConcern("majority")
ACKNOWLEDGED = WriteConcern(1)

# No answer within this many seconds and the caller is told UNAVAILABLE. Less than the SDK's own patience of 10 s.
PATIENCE = 5.0
# A transaction that keeps colliding gives up after this many seconds.
TRANSACTION_PATIENCE = 20.0

# Server codes that mean "not now": shutting down, stepping down, read concern not reachable yet.
_PASSING = {50, 72, 91, 112, 134, 189, 246, 251, 262, 10107, 11600, 11602, 13435, 13436}
_session: ContextVar[AsyncIOMotorClientSession | None] = ContextVar("session", default=None)


@contextmanager
def translated() -> Iterator[None]:
    """Raises Unavailable for a driver error that passes with time; others are faults of ours and stay as they are."""
    try:
        yield
    except (ConnectionFailure, ExecutionTimeout, WaitQueueTimeoutError, WTimeoutError, WriteConcernError) as error:
        raise Unavailable("The database cannot answer now. Try again shortly.") from error
    except PyMongoError as error:
        passing = isinstance(error, OperationFailure) and error.code in _PASSING
        if passing or _is_transient(error) or _is_in_doubt(error):
            raise Unavailable("The database cannot answer now. Try again shortly.") from error
        raise


def _is_transient(error: BaseException | None) -> bool:
    return isinstance(error, PyMongoError) and (
        error.has_error_label("TransientTransactionError") or error.has_error_label("RetryableWriteError")
    )


def _is_in_doubt(error: PyMongoError) -> bool:
    """Whether a bulk was done by one member that may yet lose it: the driver calls that no WriteConcernError."""
    return isinstance(error, BulkWriteError) and bool(error.details.get("writeConcernErrors"))


class _Pool(ConnectionPoolListener):
    """Shows the pool to operators: how many connections are open, and how many of them are in use."""

    def connection_created(self, event: object) -> None:
        metrics.pool_changed("open", 1)

    def connection_closed(self, event: object) -> None:
        metrics.pool_changed("open", -1)

    def connection_checked_out(self, event: object) -> None:
        metrics.pool_changed("in_use", 1)

    def connection_checked_in(self, event: object) -> None:
        metrics.pool_changed("in_use", -1)

    def _unused(self, event: object) -> None:
        """What else the driver tells."""

    pool_created = pool_ready = pool_cleared = pool_closed = _unused
    connection_ready = connection_check_out_started = connection_check_out_failed = _unused


class Collection:
    """What stores use of one collection. Reads honour the session they run in; errors are translated."""

    def __init__(self, database: "Database", name: str, *, write_concern: WriteConcern = MAJORITY) -> None:
        self.name = name
        self._of: Any = database.raw.get_collection(name, write_concern=write_concern)

    async def find_one(self, query: Mapping[str, Any], projection: Mapping[str, Any] | None = None) -> Document | None:
        """The one document that matches, or None."""
        with translated():
            return await self._of.find_one(query, projection, session=_session.get())

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
        cursor = self._of.find(query, shown, session=_session.get(), limit=limit)
        if sort:
            cursor = cursor.sort(list(sort))
        with translated():
            return await cursor.to_list(None)

    async def each(self, query: Mapping[str, Any]) -> AsyncIterator[Document]:
        """What matches, in natural order, without holding it all in memory."""
        with translated():
            async for document in self._of.find(query, batch_size=1000):
                yield document

    async def aggregate(self, pipeline: Sequence[Mapping[str, Any]]) -> list[Document]:
        """The documents that the pipeline yields."""
        with translated():
            return await self._of.aggregate(list(pipeline), session=_session.get()).to_list(None)

    async def insert_one(self, document: Document) -> None:
        """Stores one document. Raises DuplicateKeyError where a unique index has it already."""
        with translated():
            await self._of.insert_one(document, session=_session.get())

    async def insert_many(self, documents: Sequence[Document]) -> InsertManyResult:
        """Stores all it can, in no order. Raises BulkWriteError for the rest."""
        with translated():
            return await self._of.insert_many(documents, ordered=False, session=_session.get())

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
            result = await self._of.update_one(query, change, upsert=upsert, session=_session.get())
        return result.matched_count, result.upserted_id is not None

    async def find_one_and_update(
        self, query: Mapping[str, Any], change: Change, *, upsert: bool = False
    ) -> Document | None:
        """Changes one document atomically and returns it as it was changed; None where nothing matched."""
        with translated():
            return await self._of.find_one_and_update(
                query, change, upsert=upsert, return_document=True, session=_session.get()
            )

    async def bulk_write(self, changes: Sequence[UpdateOne]) -> None:
        """Applies the updates in no order, in one round trip."""
        with translated():
            await self._of.bulk_write(changes, ordered=False, session=_session.get())

    async def delete_one(self, query: Mapping[str, Any]) -> None:
        """Removes one document, if it is there."""
        with translated():
            await self._of.delete_one(query, session=_session.get())

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
        with translated():
            await self._of.rename(other.name, dropTarget=True)

    async def create_indexes(self, indexes: Sequence[IndexModel]) -> None:
        """Makes the indexes that are not there yet."""
        with translated():
            await self._of.create_indexes(list(indexes))

    async def index_names(self) -> set[str]:
        """The names of the indexes that exist."""
        with translated():
            return set(await self._of.index_information())

    @asynccontextmanager
    async def inserts(self) -> AsyncIterator["Inserts"]:
        """What is inserted from now on. Raises Unavailable where the stream cannot be opened."""
        pipeline = [{"$match": {"operationType": "insert"}}]
        async with AsyncExitStack() as stack:
            with translated():
                stream = await stack.enter_async_context(self._of.watch(pipeline, max_await_time_ms=1000))
            inserts = Inserts(stream)
            await inserts.open()
            yield inserts


class Inserts:
    """A change stream of insertions. It survives a change of primary; `at` is the moment of the latest one given."""

    def __init__(self, stream: AsyncIOMotorChangeStream) -> None:
        self._stream = stream
        self._first: Any = None
        self.at: Timestamp | None = None

    async def open(self) -> None:
        """Returns when nothing that is inserted from now on can be missed."""
        with translated():
            self._first = await self._stream.try_next()

    async def next(self) -> Document | None:
        """The next document inserted; None when there was none for a second. Raises Unavailable."""
        event, self._first = self._first, None
        if event is None:
            with translated():
                event = await self._stream.try_next()
        if event is None:
            return None
        self.at = event["clusterTime"]
        return event["fullDocument"]


class Database:
    """A connection pool and one database in it."""

    def __init__(self, uri: str, name: str) -> None:
        self.client = AsyncIOMotorClient(
            uri,
            appname="steadylight",
            tz_aware=True,
            uuidRepresentation="standard",
            # Its bookkeeping costs a third of an insert and half of an update. Whoever calls repeats, and may: every
            # write on the hot path is safe to repeat. Transactions are repeated here.
            retryWrites=False,
            retryReads=True,
            serverSelectionTimeoutMS=int(PATIENCE * 1000),
            connectTimeoutMS=int(PATIENCE * 1000),
            timeoutMS=int(PATIENCE * 2 * 1000),
            event_listeners=[_Pool()],
        )
        self.raw = self.client.get_database(name, write_concern=MAJORITY, read_concern=ReadConcern("majority"))

    def collection(self, name: str, *, write_concern: WriteConcern = MAJORITY) -> Collection:
        """The collection of that name. A write to it is done when it meets the write concern."""
        return Collection(self, name, write_concern=write_concern)

    async def ping(self) -> None:
        """Returns when the database answers. Raises Unavailable."""
        with translated():
            await self.raw.command("ping")

    async def about(self) -> Document:
        """What the server says of itself: `version`; `setName` in a replica set, `msg: isdbgrid` in a cluster."""
        with translated():
            return {**await self.raw.command("buildInfo"), **await self.raw.command("hello")}

    async def server_time(self) -> datetime:
        """The database server's own clock, UTC."""
        with translated():
            moment: datetime = (await self.raw.command("hello"))["localTime"]
        return moment.replace(tzinfo=UTC)  # commands are decoded without time zones, whatever the client's options

    async def collection_names(self) -> list[str]:
        """The names of all collections, sorted."""
        with translated():
            return sorted(await self.raw.list_collection_names())

    async def moment(self) -> Timestamp:
        """The database's own logical time, to compare with `Inserts.at`."""
        with translated():
            return (await self.raw.command("ping"))["operationTime"]

    async def close(self) -> None:
        """Gives the connections back."""
        self.client.close()

    @asynccontextmanager
    async def session(self, after: Moment | None = None) -> AsyncIterator["Session"]:
        """Everything inside is causally ordered, and sees at least what was written `after` that moment."""
        session = await self.client.start_session(causal_consistency=True)
        if after is not None:
            session.advance_cluster_time(after.gossip())
            session.advance_operation_time(after.operation_time)
        token = _session.set(session)
        try:
            yield Session(session)
        finally:
            _session.reset(token)
            await session.end_session()

    async def transaction(self, work: Callable[[], Awaitable[T]]) -> T:
        """What `work` returns, once all its writes are committed together.

        `work` is run again from the start when it collided with another, so it must do nothing but read and write
        the database. Motor's own `with_transaction` lets a write conflict at commit escape; this retries on both
        error labels, with a short random pause, until TRANSACTION_PATIENCE is over. Raises Unavailable then.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + TRANSACTION_PATIENCE
        attempt = 0
        async with await self.client.start_session(causal_consistency=True) as session:
            while True:
                token = _session.set(session)
                try:
                    session.start_transaction(ReadConcern("snapshot"), MAJORITY)
                    try:
                        result = await work()
                    except BaseException:
                        if session.in_transaction:
                            await session.abort_transaction()
                        raise
                    await self._commit(session, end)
                    return result
                except (Unavailable, PyMongoError) as error:
                    cause = error.__cause__ if isinstance(error, Unavailable) else error
                    if not _is_transient(cause) or loop.time() > end:
                        with translated():
                            raise
                finally:
                    _session.reset(token)
                attempt += 1
                await asyncio.sleep(random.uniform(0, min(0.2, 0.002 * 2**attempt)))

    @staticmethod
    async def _commit(session: AsyncIOMotorClientSession, end: float) -> None:
        """Commits; asks again while the answer is unknown, which is safe: a commit happens once."""
        while True:
            try:
                return await session.commit_transaction()
            except PyMongoError as error:
                unknown = error.has_error_label("UnknownTransactionCommitResult")
                if not unknown or asyncio.get_running_loop().time() > end:
                    raise


class Session:
    """A causally ordered run of reads and writes."""

    def __init__(self, raw: AsyncIOMotorClientSession) -> None:
        self._raw = raw

    @property
    def moment(self) -> Moment | None:
        """The moment of the latest read or write in it, for a token; None before the first."""
        if self._raw.operation_time is None or self._raw.cluster_time is None:
            return None
        return Moment.of(self._raw.operation_time, self._raw.cluster_time)
