"""The middleware, in a small app, with either client."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from steadylight.integrations.starlette import SteadylightMiddleware
from steadylight.testing import Server
from tests.sdk.conftest import Light, done


async def view(request: Request) -> PlainTextResponse:
    request.state.contact.record("plan.viewed", {"plan": request.query_params["plan"]})
    return PlainTextResponse(request.state.contact.key)


def app(light: Light, who: Callable[[HTTPConnection], Any]) -> Starlette:
    app = Starlette(routes=[Route("/plan", view)])
    app.add_middleware(SteadylightMiddleware, light=light, who=who)
    return app


async def visit(app: Starlette, **headers: str) -> str:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as http:
        return (await http.get("/plan?plan=fibre", headers=headers)).text


async def lifespan(app: Starlette) -> list[str]:
    """Starts the app and shuts it down; the messages it sent."""
    coming = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[str] = []

    async def receive() -> Any:
        return coming.pop(0)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await app({"type": "lifespan", "state": {}}, receive, send)
    return sent


async def test_a_request_has_its_contact(light: Light, server: Server) -> None:
    def who(connection: HTTPConnection) -> Any:
        return light.customer(login=connection.headers["user"], assurance="LOGIN").contact(
            connection.headers["session"]
        )

    key = await visit(app(light, who), user="C-1", session="s-1")
    await done(light.flush())

    assert key == "s-1"
    assert [(item.contact, item.identifiers[0].value) for item in server.actions] == [("s-1", "C-1")]


async def test_who_may_be_async_and_may_not_know(light: Light, server: Server) -> None:
    async def who(connection: HTTPConnection) -> Any:
        return None

    keys = {await visit(app(light, who)) for _ in range(2)}
    await done(light.flush())

    assert len(keys) == 2
    assert {item.contact for item in server.actions} == keys


async def test_a_page_does_not_fail_because_nobody_can_say_whose_visit_it_is(
    light: Light, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    def who(connection: HTTPConnection) -> Any:
        raise LookupError("no session")

    assert await visit(app(light, who)) != ""
    assert "who() raised" in caplog.text


async def test_shutting_down_flushes(light: Light, server: Server) -> None:
    shop = app(light, lambda connection: None)
    light.contact("k").record("a.b")

    assert await lifespan(shop) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]

    assert len(server.actions) == 1
    assert light.stats().undelivered == 0
