"""The composition root: settings, database, stores, services, and the ASGI application that serves them."""

import gc
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute

from steadylight_server.access.service import AccessService
from steadylight_server.access.store import AccessStore
from steadylight_server.api import graphiql
from steadylight_server.api.errors import HANDLERS
from steadylight_server.api.http import GraphQLEndpoint
from steadylight_server.api.info import Context, Services
from steadylight_server.api.limits import Limits
from steadylight_server.api.schema import schema
from steadylight_server.api.socket import GraphQLSocket
from steadylight_server.context.service import ContextService
from steadylight_server.core import logs, metrics
from steadylight_server.core.config import Settings
from steadylight_server.core.embedded import EmbeddedDatabase, running
from steadylight_server.core.errors import Unauthenticated
from steadylight_server.core.mongo import Database
from steadylight_server.core.requests import RequestMiddleware
from steadylight_server.core.stores import Store
from steadylight_server.identity.service import IdentityService
from steadylight_server.identity.store import IdentityStore
from steadylight_server.ingest.service import Ingest
from steadylight_server.ingest.store import IntentStore
from steadylight_server.timeline.contacts import ContactStore
from steadylight_server.timeline.service import TimelineService
from steadylight_server.timeline.store import ActionStore
from steadylight_server.timeline.types import TypeStore
from steadylight_server.workers import Activity, sweeping

TOKEN_SECRET = "token"


@dataclass(frozen=True)
class Stores:
    """Every store there is. The house test compares this list with what the database holds."""

    access: AccessStore
    identity: IdentityStore
    actions: ActionStore
    contacts: ContactStore
    types: TypeStore
    intents: IntentStore

    @classmethod
    def of(cls, database: Database, settings: Settings) -> "Stores":
        """All stores of one database."""
        return cls(
            AccessStore(database),
            IdentityStore(database),
            ActionStore(database),
            ContactStore(database),
            TypeStore(database),
            IntentStore(database, lease_seconds=settings.intent_lease),
        )

    def all(self) -> Sequence[Store]:
        """In no particular order."""
        return (self.access, self.identity, self.actions, self.contacts, self.types, self.intents)


@contextmanager
def database_uri(settings: Settings, *, join: bool = False) -> Iterator[str]:
    """The address of the database that the settings name, or of an embedded one that runs as long as this is entered.

    With `join`, an embedded database that another process runs in the same directory is used as it is: so that
    commands work beside a running server. Raises EmbeddedError.
    """
    if settings.mongodb_uri is not None:
        yield settings.mongodb_uri
    elif join and (uri := running(settings.data)) is not None:
        yield uri
    else:
        with EmbeddedDatabase.start(settings.data, mongod=settings.mongod) as embedded:
            yield embedded.uri


@asynccontextmanager
async def open_database(settings: Settings, uri: str) -> AsyncIterator[tuple[Database, Stores]]:
    """The database with its indexes made."""
    database = Database(uri, settings.database)
    try:
        stores = Stores.of(database, settings)
        for store in stores.all():
            await store.create_indexes()
        yield database, stores
    finally:
        await database.close()


@asynccontextmanager
async def open_services(settings: Settings, uri: str) -> AsyncIterator[Services]:
    """Everything the graph calls, with its workers running."""
    async with open_database(settings, uri) as (database, stores):
        access = AccessService(stores.access, remember_seconds=settings.key_cache_seconds)
        identity = IdentityService(stores.identity)
        timeline = TimelineService(stores.actions, stores.contacts, stores.types)
        secret = await access.secret(TOKEN_SECRET)
        ingest = Ingest(database, stores.intents, identity, timeline, token_secret=secret)
        context = ContextService(database, identity, timeline, token_secret=secret)
        activity = Activity(timeline)
        async with sweeping(ingest, every=settings.intent_lease / 4):
            try:
                yield Services(access, identity, timeline, context, ingest, activity, database.ping)
            finally:
                await activity.close()


def create_app(settings: Settings | None = None) -> Starlette:
    """The ASGI application. `STEADYLIGHT_MONGODB_URI` must be set; `steadylight serve` sets it to an embedded one."""
    settings = settings or Settings()
    uri = settings.mongodb_uri
    if uri is None:
        raise ValueError("create_app needs STEADYLIGHT_MONGODB_URI. `steadylight serve` runs a database of its own.")
    logs.configure(settings.log_level, settings.log_format)
    graph = schema(Limits.from_settings(settings))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_services(settings, uri) as services:
            app.state.services = services
            _tune_the_collector()
            yield

    return Starlette(
        routes=[
            Route("/graphql", GraphQLEndpoint(graph, _context_for, settings)),
            WebSocketRoute("/graphql", GraphQLSocket(graph, _context_for, settings)),
            *graphiql.routes(),
            Route("/healthz", _healthz),
            Route("/readyz", _readyz),
            Route("/metrics", metrics.exposition),
        ],
        middleware=[Middleware(RequestMiddleware)],
        exception_handlers=HANDLERS,
        lifespan=lifespan,
    )


def _tune_the_collector() -> None:
    """A batch of 500 makes some ten thousand containers that all go at once; at Python's default of 700 the collector
    walks the heap time and again meanwhile, which is a third of the cost of recording.
    """
    gc.set_threshold(50_000, 20, 50)


async def _context_for(connection: HTTPConnection) -> Context:
    """Who is asking. Raises Unauthenticated for a credential that is no good; none at all is nobody in particular."""
    services: Services = connection.app.state.services
    header = connection.headers.get("authorization")
    if header is None:
        return Context(services)
    scheme, _, key = header.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("Send the key as `Authorization: Bearer <key>`.")
    return Context(services, await services.access.authenticate(key.strip()))


async def _healthz(request: Request) -> Response:
    """The process answers."""
    return JSONResponse({"status": "ok"})


async def _readyz(request: Request) -> Response:
    """The database answers, too. Raises Unavailable, which is told as a 503."""
    await request.app.state.services.ping()
    return JSONResponse({"status": "ready"})
