"""The composition root: settings, database, stores, services, and the ASGI application that serves them."""

import gc
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, fields

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute

from steadylight_server.access.gate import Gate
from steadylight_server.access.service import AccessService
from steadylight_server.access.store import AccessStore
from steadylight_server.access.tokens import Tokens
from steadylight_server.api import graphiql, sign_in
from steadylight_server.api.credentials import HEADERS, who_asks
from steadylight_server.api.errors import HANDLERS
from steadylight_server.api.http import GraphQLEndpoint
from steadylight_server.api.info import Services
from steadylight_server.api.limits import Limits
from steadylight_server.api.schema import schema
from steadylight_server.api.socket import GraphQLSocket
from steadylight_server.blueprint.store import BlueprintStore
from steadylight_server.blueprint.watch import Watch, watching
from steadylight_server.capabilities.declared import Capabilities
from steadylight_server.capabilities.implementations import Implementations
from steadylight_server.capabilities.models import Function
from steadylight_server.capabilities.service import CapabilityService
from steadylight_server.capabilities.store import PerformanceStore
from steadylight_server.capabilities.webhook import Webhooks
from steadylight_server.context.service import ContextService
from steadylight_server.context.viewpoints import Viewpoints
from steadylight_server.core import logs, metrics
from steadylight_server.core.audit import Audit, AuditStore
from steadylight_server.core.config import Settings
from steadylight_server.core.counters import CounterStore
from steadylight_server.core.embedded import EmbeddedDatabase, running
from steadylight_server.core.http import Http
from steadylight_server.core.mongo import Database
from steadylight_server.core.rates import Rates
from steadylight_server.core.requests import RequestMiddleware
from steadylight_server.core.stores import Store
from steadylight_server.identity.service import IdentityService
from steadylight_server.identity.store import IdentityStore
from steadylight_server.ingest.service import Ingest
from steadylight_server.ingest.store import IntentStore
from steadylight_server.insights.service import Insights
from steadylight_server.insights.store import GapStore
from steadylight_server.journeys.answers import AnswerStore
from steadylight_server.journeys.declared import JourneyTypes
from steadylight_server.journeys.service import JourneyService
from steadylight_server.journeys.store import JourneyStore
from steadylight_server.journeys.threads import ThreadStore
from steadylight_server.knowledge.editing import Editing
from steadylight_server.knowledge.search import SearchService
from steadylight_server.knowledge.service import KnowledgeService
from steadylight_server.knowledge.showings import ShowingStore
from steadylight_server.knowledge.store import ArticleStore
from steadylight_server.operations.capabilities import CapabilityOperations
from steadylight_server.operations.journeys import JourneyOperations
from steadylight_server.operations.service import Operations
from steadylight_server.timeline.contacts import ContactStore
from steadylight_server.timeline.service import TimelineService
from steadylight_server.timeline.store import ActionStore
from steadylight_server.timeline.traits import TraitStore
from steadylight_server.timeline.types import TypeStore
from steadylight_server.workers import Activity, PerformanceProgress, catching_up, refreshing, sweeping, taking_over

TOKEN_SECRET = "token"


@dataclass(frozen=True)
class Stores:
    """Every store there is. The house test compares this list with what the database holds."""

    access: AccessStore
    identity: IdentityStore
    actions: ActionStore
    contacts: ContactStore
    types: TypeStore
    traits: TraitStore
    threads: ThreadStore
    intents: IntentStore
    audit: AuditStore
    counters: CounterStore
    blueprints: BlueprintStore
    journeys: JourneyStore
    answers: AnswerStore
    performances: PerformanceStore
    gaps: GapStore
    articles: ArticleStore
    showings: ShowingStore

    @classmethod
    def of(cls, database: Database, settings: Settings) -> "Stores":
        """All stores of one database."""
        return cls(
            AccessStore(database),
            IdentityStore(database),
            ActionStore(database),
            ContactStore(database),
            TypeStore(database),
            TraitStore(database),
            ThreadStore(database, JourneyTypes()),
            IntentStore(database, lease_seconds=settings.intent_lease),
            AuditStore(database),
            CounterStore(database),
            BlueprintStore(database),
            JourneyStore(database),
            AnswerStore(database),
            PerformanceStore(database, lease_seconds=settings.performance_lease),
            GapStore(database),
            ArticleStore(database),
            ShowingStore(database),
        )

    def all(self) -> Sequence[Store]:
        """In no particular order."""
        return tuple(getattr(self, field.name) for field in fields(self))


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
async def open_services(
    settings: Settings, uri: str, *, functions: Mapping[str, Function] | None = None
) -> AsyncIterator[Services]:
    """Everything the graph calls, with its workers running. `functions` as for `create_app`."""
    async with open_database(settings, uri) as (database, stores):
        audit = Audit(stores.audit)
        access = AccessService(stores.access, audit)
        http = Http()
        signed_with = {
            name: [secret.get_secret_value() for secret in secrets]
            for name, secrets in settings.webhook_secrets.items()
        }
        webhooks = Webhooks(http, signed_with, http_hosts=settings.webhook_http_hosts)
        gate = Gate(stores.access, Tokens(settings.issuers, http))
        rates = Rates(stores.counters, credential=settings.rate_per_credential, customer=settings.rate_per_customer)
        identity = IdentityService(stores.identity)
        timeline = TimelineService(stores.actions, stores.contacts, stores.types, stores.traits)
        secret = await access.secret(TOKEN_SECRET)
        knowledge = KnowledgeService(stores.articles, stores.showings)
        editing = Editing(stores.articles, audit)
        search = SearchService(knowledge)
        journeys = JourneyService(stores.journeys, stores.answers, stores.threads, identity, timeline)
        declared = Capabilities(Implementations(functions=functions, webhooks=webhooks))
        insights = Insights(stores.gaps, identity, timeline, access, lambda: declared.declared)
        ingest = Ingest(
            database, stores.intents, identity, timeline, journeys, knowledge, insights, token_secret=secret
        )
        context = ContextService(database, identity, timeline, journeys, token_secret=secret)
        viewpoints = Viewpoints(access, identity, timeline)
        operations = Operations(identity, audit)
        activity = Activity(timeline)
        errands = JourneyOperations(database, journeys, ingest)
        capabilities = CapabilityService(stores.performances, declared)
        performing = CapabilityOperations(database, capabilities, identity, timeline, journeys, ingest)
        progress = PerformanceProgress(capabilities)
        watch = Watch(stores.blueprints, identity.kinds, journeys.types, declared, gate.forget_channels)
        async with (
            watching(watch),
            search.following(),
            sweeping(ingest, every=settings.intent_lease / 4),
            catching_up(errands),
            refreshing(gate),
        ):
            try:
                async with taking_over(performing):  # which ends before what is performed does
                    yield Services(
                        access,
                        gate,
                        audit,
                        rates,
                        identity,
                        timeline,
                        knowledge,
                        editing,
                        search,
                        journeys,
                        context,
                        viewpoints,
                        operations,
                        errands,
                        capabilities,
                        performing,
                        insights,
                        ingest,
                        activity,
                        progress,
                        database.ping,
                    )
            finally:
                await performing.close(within=settings.drain_seconds)
                await activity.close()
                await progress.close()
                await rates.close()
                search.close()
                await webhooks.close()
                await http.close()


def create_app(settings: Settings | None = None, *, functions: Mapping[str, Function] | None = None) -> Starlette:
    """The ASGI application. `STEADYLIGHT_MONGODB_URI` must be set; `steadylight serve` sets it to an embedded one.

    `functions` implement capabilities, by the names that the blueprint uses, in the place of those that are installed.
    """
    settings = settings or Settings()
    uri = settings.mongodb_uri
    if uri is None:
        raise ValueError("create_app needs STEADYLIGHT_MONGODB_URI. `steadylight serve` runs a database of its own.")
    logs.configure(settings.log_level, settings.log_format)
    graph = schema(Limits.from_settings(settings))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_services(settings, uri, functions=functions) as services:
            app.state.services = services
            _tune_the_collector()
            yield

    return Starlette(
        routes=[
            Route("/graphql", GraphQLEndpoint(graph, who_asks, settings)),
            WebSocketRoute("/graphql", GraphQLSocket(graph, who_asks, settings)),
            *graphiql.routes(),
            *sign_in.routes(),
            Route("/healthz", _healthz),
            Route("/readyz", _readyz),
            Route("/metrics", metrics.exposition),
        ],
        middleware=[Middleware(RequestMiddleware), *_cors(settings)],
        exception_handlers=HANDLERS,
        lifespan=lifespan,
    )


def _cors(settings: Settings) -> Sequence[Middleware]:
    """Lets pages of the origins in the settings query, without a cookie; else no page but this server's own."""
    if not settings.allowed_origins:
        return ()
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=["GET", "POST"],
            allow_headers=[*HEADERS, "content-type", "x-request-id"],
            expose_headers=["X-Request-Id", "Retry-After"],
            max_age=600,
        )
    ]


def _tune_the_collector() -> None:
    """A batch of 500 makes some ten thousand containers that all go at once; at Python's default of 700 the collector
    walks the heap time and again meanwhile, which is a third of the cost of recording. What is there at the start, the
    articles that can be searched above all, is millions of objects that stay: they are not walked at all.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def _healthz(request: Request) -> Response:
    """The process answers."""
    return JSONResponse({"status": "ok"})


async def _readyz(request: Request) -> Response:
    """The database answers, too. Raises Unavailable, which is told as a 503."""
    await request.app.state.services.ping()
    return JSONResponse({"status": "ready"})
