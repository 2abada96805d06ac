"""The integration, in a small app; served by gunicorn in tests/live."""

import asyncio
from collections.abc import Callable
from typing import Any

import django
import pytest
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.test import AsyncRequestFactory, RequestFactory
from django.urls import path

from steadylight import AsyncClient
from steadylight.integrations.django import Who, middleware
from steadylight.testing import Server


def view(request: Any, plan: str) -> HttpResponse:
    request.contact.record("plan.viewed", {"plan": plan})
    return HttpResponse(request.contact.key)


async def later(request: Any, plan: str) -> HttpResponse:
    await asyncio.sleep(0)
    return view(request, plan)


urlpatterns = [path("plan/<plan>", view), path("later/<plan>", later)]
steadylight: Callable[..., Any] = lambda get_response: get_response  # noqa: E731 - each test puts its own here


@pytest.fixture(autouse=True, scope="module")
def _configured() -> None:
    settings.configure(
        ROOT_URLCONF=__name__,
        MIDDLEWARE=[f"{__name__}.steadylight"],
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="for this test",
        LOGGING_CONFIG=None,
    )
    django.setup()


@pytest.fixture
def bind(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, Who], None]:
    def bind(light: Any, who: Who) -> None:
        monkeypatch.setitem(globals(), "steadylight", middleware(light=light, who=who))

    return bind


def get(url: str, **headers: str) -> Any:
    handler = WSGIHandler()
    return handler.get_response(RequestFactory(headers=headers).get(url))


def told(server: Server) -> list[tuple[Any, ...]]:
    return [
        (action.contact, [each.value for each in action.identifiers], action.properties) for action in server.actions
    ]


def test_a_request_has_its_contact(server: Server, bind: Callable[..., None]) -> None:
    with server.client() as light:
        bind(
            light,
            lambda request: light.customer(login=request.headers["user"], assurance="LOGIN").contact(
                request.headers["visit"]
            ),
        )
        assert get("/plan/fibre", user="C-1", visit="s-1").content == b"s-1"

    assert told(server) == [("s-1", ["C-1"], {"plan": "fibre"})]


async def test_an_asynchronous_view_has_it_too(server: Server, bind: Callable[..., None]) -> None:
    light: AsyncClient = server.async_client()
    bind(light, lambda request: light.contact("s-2"))

    answer: Any = await ASGIHandler().get_response_async(AsyncRequestFactory().get("/later/cable"))
    await light.close()

    assert answer.content == b"s-2"
    assert told(server) == [("s-2", [], {"plan": "cable"})]


def test_a_visit_of_nobody_has_a_nameless_contact(
    server: Server, bind: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(request: HttpRequest) -> None:
        raise KeyError("user")

    with server.client() as light:
        bind(light, broken)
        assert get("/plan/fibre").status_code == 200

    assert [action.identifiers for action in server.actions] == [()]
    assert "who() raised" in caplog.text
