"""Everything below the graph on a real database, and ways to make that database fail."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any

import httpx
import pytest
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from pymongo.errors import AutoReconnect, PyMongoError
from pymongo.read_concern import ReadConcern

from steadylight_server.access.gate import Gate
from steadylight_server.access.service import AccessService
from steadylight_server.access.tokens import Tokens
from steadylight_server.app import Stores, open_database
from steadylight_server.capabilities.declared import Capabilities
from steadylight_server.capabilities.implementations import Implementations
from steadylight_server.capabilities.models import Function
from steadylight_server.capabilities.service import CapabilityService
from steadylight_server.context.service import ContextService
from steadylight_server.core import mongo
from steadylight_server.core.audit import Audit
from steadylight_server.core.clock import now
from steadylight_server.core.collection import Collection
from steadylight_server.core.config import Settings
from steadylight_server.core.embedded import EmbeddedDatabase
from steadylight_server.core.http import Http
from steadylight_server.core.mongo import Database
from steadylight_server.identity.service import IdentityService
from steadylight_server.ingest.service import Ingest
from steadylight_server.insights.service import Insights
from steadylight_server.journeys.service import JourneyService
from steadylight_server.knowledge.editing import Editing
from steadylight_server.knowledge.search import SearchService
from steadylight_server.knowledge.service import KnowledgeService
from steadylight_server.operations.capabilities import CapabilityOperations
from steadylight_server.operations.journeys import JourneyOperations
from steadylight_server.timeline.service import TimelineService
from tests.conftest import settings_for
from tests.databases import Databases

# What `Slices.failing` needs to answer as a unique index would.
TAKEN = {"errorCode": 11000, "errorExtraInfo": {"keyPattern": {"_id": 1}, "keyValue": {"_id": "taken"}}}
# Made once: a client of the real network loads all certificates, a fifteenth of a second.
NOWHERE = Http(transport=httpx.MockTransport(lambda request: httpx.Response(404)))
SECRET = b"signs the tokens of these tests!"


class Clock:
    """The present, unless a test says what time it is."""

    at: datetime | None = None

    def __call__(self) -> datetime:
        return self.at or now()


class Slices:
    """The slices of one server process: what `app.open_services` makes, without its workers."""

    def __init__(self, settings: Settings, database: Database, clock: Clock) -> None:
        self.settings, self.database, self.clock = settings, database, clock
        self.stores = Stores.of(database, settings)
        self.audit = Audit(self.stores.audit, clock=clock)
        self.access = AccessService(self.stores.access, self.audit, clock=clock)
        self.gate = Gate(self.stores.access, Tokens((), NOWHERE), clock=clock)
        self.identity = IdentityService(self.stores.identity, clock=clock)
        self.timeline = TimelineService(
            self.stores.actions, self.stores.contacts, self.stores.types, self.stores.traits
        )
        self.knowledge = KnowledgeService(self.stores.articles, self.stores.showings, clock=clock)
        self.editing = Editing(self.stores.articles, self.audit, clock=clock)
        self.search = SearchService(self.knowledge)
        self.journeys = JourneyService(
            self.stores.journeys,
            self.stores.answers,
            self.stores.threads,
            self.identity,
            self.timeline,
            clock=clock,
        )
        #: What implements capabilities, by name.
        self.functions: dict[str, Function] = {}
        self.declared = Capabilities(Implementations(functions=self.functions))
        self.insights = Insights(
            self.stores.gaps, self.identity, self.timeline, self.access, lambda: self.declared.declared, clock=clock
        )
        self.ingest = Ingest(
            database,
            self.stores.intents,
            self.identity,
            self.timeline,
            self.journeys,
            self.knowledge,
            self.insights,
            token_secret=SECRET,
            clock=clock,
        )
        self.errands = JourneyOperations(database, self.journeys, self.ingest)
        self.capabilities = CapabilityService(self.stores.performances, self.declared, clock=clock)
        self.performing = CapabilityOperations(
            database, self.capabilities, self.identity, self.timeline, self.journeys, self.ingest, clock=clock
        )
        self.context = ContextService(
            database, self.identity, self.timeline, self.journeys, token_secret=SECRET, clock=clock
        )

    def beside(self) -> "Slices":
        """Another process on the same database: it remembers nothing of what this one knows."""
        return Slices(self.settings, self.database, self.clock)

    async def documents(self, collection: str, **query: Any) -> list[dict[str, Any]]:
        """What is stored, by id; also what the majority has not confirmed yet."""
        latest = self.database.raw.get_collection(collection, read_concern=ReadConcern("local"))
        return [dict(found) async for found in latest.find(query).sort("_id")]

    async def plan(self, command: Mapping[str, Any]) -> "Plan":
        """How the database runs a command."""
        codecs: CodecOptions[Mapping[str, Any]] = CodecOptions(
            uuid_representation=UuidRepresentation.STANDARD, tz_aware=True
        )
        explained = await self.database.raw.command(
            {"explain": command, "verbosity": "executionStats"}, codec_options=codecs
        )
        return Plan(explained)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[list[dict[str, Any]]]:
        """What the database did meanwhile, as its own profiler says; the list is filled at the end."""
        done: list[dict[str, Any]] = []
        raw = self.database.client.get_database(self.settings.database)
        await raw.command("profile", 2)
        try:
            yield done
        finally:
            await raw.command("profile", 0)
            own = {"$ne": f"{self.settings.database}.system.profile"}
            queries = ({"op": {"$ne": "command"}}, {"command.aggregate": {"$exists": True}})
            for kind in (*queries, {"command.findAndModify": {"$exists": True}}):
                done += [dict(one) async for one in raw["system.profile"].find({"ns": own, **kind})]
            await raw["system.profile"].drop()

    @asynccontextmanager
    async def failing(
        self, *commands: str, collection: str | None = None, times: int | None = None, **how: Any
    ) -> AsyncIterator[None]:
        """The database fails these commands as told by mongod's own `failCommand`; for `times` times, else for good."""
        namespace = {"namespace": f"{self.settings.database}.{collection}"} if collection else {}
        admin = self.database.client.admin
        mode: Any = {"times": times} if times else "alwaysOn"
        data = {"failCommands": list(commands), **namespace, **how}
        await admin.command("configureFailPoint", "failCommand", mode=mode, data=data)
        try:
            yield
        finally:
            for last in (False,) * 20 + (True,):
                try:
                    await admin.command("configureFailPoint", "failCommand", mode="off")
                    break
                except AutoReconnect:  # What failed told the driver that the server is gone; it looks again.
                    if last:
                        raise
                    await asyncio.sleep(0.1)


class Plan:
    """What `explain` says of one query, or of the first collection of a pipeline."""

    def __init__(self, explained: Any) -> None:
        whole = explained["stages"][0]["$cursor"] if "stages" in explained else explained
        self.stages = frozenset(_stages(whole["queryPlanner"]["winningPlan"]))
        self.returned: int = whole["executionStats"]["nReturned"]
        self.keys: int = whole["executionStats"]["totalKeysExamined"]
        self.documents: int = whole["executionStats"]["totalDocsExamined"]

    def is_frugal(self, profiles: int = 1) -> bool:
        """Whether it went straight to what it returned: no scan, no sort in memory, few keys."""
        return not self.stages & {"COLLSCAN", "SORT"} and self.keys <= 2 * self.returned + profiles

    def __repr__(self) -> str:
        return f"{self.returned} returned, {self.keys} keys, {self.documents} documents, {sorted(self.stages)}"


def _stages(plan: Any) -> list[str]:
    plan = plan.get("queryPlan", plan)
    inner = [plan["inputStage"]] if "inputStage" in plan else plan.get("inputStages", [])
    return [plan["stage"], *(stage for one in inner for stage in _stages(one))]


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Slices]:
    """The slices on a fresh database, which is dropped afterwards."""
    assert settings.mongodb_uri is not None
    async with open_database(settings, settings.mongodb_uri) as (database, _):
        yield Slices(settings, database, Clock())
        await database.client.drop_database(settings.database)


@asynccontextmanager
async def _empty(mongod: EmbeddedDatabase, databases: Databases) -> AsyncIterator[Slices]:
    """The slices on a database that others may have used before."""
    settings = settings_for(mongod, database=databases.take())
    assert settings.mongodb_uri is not None
    async with open_database(settings, settings.mongodb_uri) as (database, _):
        yield Slices(settings, database, Clock())
    databases.give_back(settings.database)


@pytest.fixture
async def slices(mongod: EmbeddedDatabase, databases: Databases) -> AsyncIterator[Slices]:
    """A database of one's own."""
    async with _empty(mongod, databases) as slices:
        yield slices


@pytest.fixture(scope="module")
async def shared(mongod: EmbeddedDatabase, databases: Databases) -> AsyncIterator[Slices]:
    """A database for all tests of a module, which must not look at more than they made."""
    async with _empty(mongod, databases) as slices:
        yield slices


@pytest.fixture
async def house(shared: Slices) -> Slices:
    """The module's database, with services that remember nothing and a clock that runs."""
    return Slices(shared.settings, shared.database, Clock())


@pytest.fixture
async def notes(shared: Slices) -> Collection:
    """A collection of which no slice knows, with one document."""
    collection = shared.database.collection("notes")
    await collection.drop()
    await collection.insert_one({"_id": "first", "count": 0})
    return collection


@pytest.fixture
async def hasty(shared: Slices, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """The same database for somebody who waits for a moment only, since the driver tries again till time is up."""
    monkeypatch.setattr(mongo, "PATIENCE", 1.2)
    assert shared.settings.mongodb_uri is not None
    database = Database(shared.settings.mongodb_uri, shared.settings.database)
    await database.ping()
    yield database
    with suppress(PyMongoError):  # it ends itself, too
        await shared.database.client.admin.command("killAllSessions", [])  # a transaction left open holds its locks
    await database.close()
