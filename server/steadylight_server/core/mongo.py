"""The one door to MongoDB: connection, sessions and transactions.

Stores are given a `Collection`, which offers just what they use. Whatever runs inside `Database.session()` or
`Database.transaction()` takes part in it without saying so: the session travels in a context variable, because it
belongs to the request and not to any one call.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from bson.timestamp import Timestamp as Timestamp
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorClientSession
from pymongo import IndexModel as IndexModel
from pymongo import WriteConcern as WriteConcern
from pymongo.errors import PyMongoError
from pymongo.monitoring import ConnectionPoolListener
from pymongo.read_concern import ReadConcern

from steadylight_server.core import metrics
from steadylight_server.core.causality import Moment
from steadylight_server.core.collection import CURRENT, is_transient, translated
from steadylight_server.core.collection import DUPLICATE_KEY as DUPLICATE_KEY
from steadylight_server.core.collection import Collection as Collection
from steadylight_server.core.collection import Document as Document
from steadylight_server.core.collection import Inserts as Inserts
from steadylight_server.core.errors import Unavailable

T = TypeVar("T")
_session: Any = AsyncIOMotorClientSession  # its types do not say how it is made

MAJORITY = WriteConcern("majority")
ACKNOWLEDGED = WriteConcern(1)

# No answer within this many seconds and the caller is told UNAVAILABLE. Less than the SDK's own patience of 10 s.
PATIENCE = 5.0
# A transaction that keeps colliding gives up after this many seconds.
TRANSACTION_PATIENCE = 10.0


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
            timeoutMS=int(PATIENCE * 1000),  # for each operation, finding a server and connecting included
            serverSelectionTimeoutMS=int(PATIENCE * 1000),  # for closing, which heeds no timeoutMS, without a database
            event_listeners=[_Pool()],
        )
        self.raw = self.client.get_database(name, write_concern=MAJORITY, read_concern=ReadConcern("majority"))

    def collection(self, name: str, *, write_concern: WriteConcern = MAJORITY) -> Collection:
        """The collection of that name. A write to it is done when it meets the write concern."""
        return Collection(self.raw.get_collection(name, write_concern=write_concern))

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
            return (await self.raw.command("ping", session=CURRENT.get()))["operationTime"]

    async def close(self) -> None:
        """Gives the connections back."""
        self.client.close()

    @asynccontextmanager
    async def session(self, after: Moment | None = None) -> AsyncIterator["Session"]:
        """Everything inside is causally ordered, and sees at least what was written `after` that moment."""
        # Neither its start nor its end asks the server anything: motor would go to a thread and back for each.
        driver: Any = self.client
        raw = driver.delegate.start_session(causal_consistency=True)
        session: AsyncIOMotorClientSession = _session(raw, driver)
        if after is not None:
            session.advance_cluster_time(after.gossip())
            session.advance_operation_time(after.operation_time)
        token = CURRENT.set(session)
        try:
            yield Session(session)
        finally:
            CURRENT.reset(token)
            raw.end_session()

    async def transaction(self, work: Callable[[], Awaitable[T]]) -> T:
        """What `work` returns, once all its writes are committed together.

        `work` is run again from the start when it collided with another, so it must do nothing but read and write
        the database. Motor's own `with_transaction` lets a write conflict at commit escape; this retries on both
        error labels, with a short random pause, until TRANSACTION_PATIENCE is over. Raises Unavailable then.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + TRANSACTION_PATIENCE
        attempt = 0
        outer = CURRENT.get()
        async with await self.client.start_session(causal_consistency=True) as session:
            while True:
                token = CURRENT.set(session)
                try:
                    session.start_transaction(ReadConcern("snapshot"), MAJORITY)
                    try:
                        result = await work()
                    except BaseException:
                        if session.in_transaction:
                            await session.abort_transaction()
                        raise
                    await self._commit(session, end)
                    if outer is not None and session.cluster_time and session.operation_time:
                        # What is read there next, and the token that it gives, hold this too.
                        outer.advance_cluster_time(session.cluster_time)
                        outer.advance_operation_time(session.operation_time)
                    return result
                except (Unavailable, PyMongoError) as error:
                    cause = error.__cause__ if isinstance(error, Unavailable) else error
                    if not is_transient(cause) or loop.time() > end:
                        with translated():
                            raise
                finally:
                    CURRENT.reset(token)
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
