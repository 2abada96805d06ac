"""A graph of a few fields that succeed, refuse, break and go on, to test what is around any graph."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import strawberry
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from strawberry.scalars import JSON

from steadylight_server.access.models import Viewer
from steadylight_server.api import errors, http, socket
from steadylight_server.api.limits import Limits
from steadylight_server.core import errors as core
from steadylight_server.core.config import Settings
from steadylight_server.core.metrics import exposition
from steadylight_server.core.requests import RequestMiddleware
from tests.factories import viewer

KEY = "sl_0123456789ab_good"
SECRET = "ann@example.org"  # what a customer owns and nothing may show
TRUSTED = "query Greet($name: String!) { greet(name: $name) }"


@dataclass
class Context:
    viewer: Viewer | None
    ended: asyncio.Event
    broken_watch: bool = False

    async def begin(self) -> None:
        """Nothing is counted."""

    async def watch_credential(self) -> None:
        if self.broken_watch:
            raise RuntimeError(SECRET)
        await self.ended.wait()


@dataclass
class Ticks:
    """How many subscriptions began and how many were closed."""

    began: int = 0
    closed: int = 0


class Colour(Enum):
    RED = "red"


@strawberry.type
class Node:
    id: int

    @strawberry.field
    def child(self) -> "Node":
        return Node(id=self.id + 1)

    @strawberry.field
    def broken(self) -> str:
        raise RuntimeError(SECRET)


Info = strawberry.Info[Any, None]


@strawberry.type
class Query:
    @strawberry.field
    def greet(self, name: str) -> str:
        return f"Hello {name}"

    @strawberry.field
    def node(self) -> Node:
        return Node(id=0)

    @strawberry.field
    def maybe(self) -> Node | None:
        return Node(id=0)

    @strawberry.field
    def document(self) -> JSON:
        return JSON({"text": "ä🏃"})

    @strawberry.field
    def broken(self) -> str:
        raise RuntimeError(SECRET)

    @strawberry.field
    def misfit(self) -> Colour:
        return SECRET  # type: ignore[return-value]

    @strawberry.field
    def refuse(self, code: str) -> str | None:
        if code == "UNAVAILABLE":
            raise core.Unavailable("Try later.", retry_after=2.5)
        by_code = {error.code: error for error in core.SteadylightError.__subclasses__()}
        raise by_code[code](f"No: {code}.")


@strawberry.type
class Mutation:
    @strawberry.mutation
    def rename(self, to: str) -> str:
        return to


def subscription(ticks: Ticks) -> type:
    @strawberry.type
    class Subscription:
        @strawberry.subscription
        async def tick(self, every: float = 0.01) -> AsyncIterator[int]:
            ticks.began += 1
            try:
                for number in range(1_000_000):
                    yield number
                    await asyncio.sleep(every)
            finally:
                ticks.closed += 1

        @strawberry.subscription
        async def breaking(self) -> AsyncIterator[int]:
            yield 1
            raise RuntimeError(SECRET)

    return Subscription


@dataclass
class Small:
    """The application and what a test may look at or change."""

    settings: Settings = field(default_factory=lambda: Settings(allowed_origins=("https://desk.example",)))
    ticks: Ticks = field(default_factory=Ticks)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    failure: Exception | None = None
    broken_watch: bool = False

    async def begin(self) -> None:
        """Nothing is counted."""

    def __post_init__(self) -> None:
        limits = Limits.from_settings(self.settings)
        self.schema = errors.Schema(Query, Mutation, subscription(self.ticks), limits=limits, trusted=[TRUSTED])
        self.app = Starlette(
            routes=[
                Route("/graphql", http.GraphQLEndpoint(self.schema, self.context_for, self.settings)),
                WebSocketRoute("/graphql", socket.GraphQLSocket(self.schema, self.context_for, self.settings)),
                Route("/metrics", exposition),
                Route("/crash", crash),
                Route("/conflict", conflict),
            ],
            middleware=[Middleware(RequestMiddleware)],
            exception_handlers=errors.HANDLERS,
        )

    async def context_for(self, connection: HTTPConnection) -> Context:
        if self.failure is not None:
            raise self.failure
        given = connection.headers.get("authorization")
        if given is None:
            return Context(None, self.ended)
        if given != f"Bearer {KEY}":
            raise core.Unauthenticated("The key is not known.")
        return Context(viewer(), self.ended, self.broken_watch)


async def crash(request: Request) -> PlainTextResponse:
    raise RuntimeError(SECRET)


async def conflict(request: Request) -> PlainTextResponse:
    raise core.Conflict("Taken.")
