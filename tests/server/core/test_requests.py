"""The request id, the access log and the last catch."""

from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, get_contextvars
from structlog.testing import capture_logs

from steadylight_server.core.requests import RequestMiddleware, failure, request_id


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def answering(scope: Scope, receive: Receive, send: Send) -> None:
    bind_contextvars(channel="web")
    body = f"{request_id()} {get_contextvars()['request_id']}".encode()
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": body})


async def breaking(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("ann@example.org")


async def breaking_off(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    raise RuntimeError("ann@example.org")


async def get(app: Any, path: str = "/", **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(RequestMiddleware(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://steadylight", headers=headers) as client:
        return await client.get(path)


async def messages(app: Any, kind: str) -> list[Message]:
    """What the application sends for one request, as the server sees it."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": f"{kind}.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await RequestMiddleware(app)({"type": kind, "method": "GET", "path": "/", "headers": []}, receive, send)
    return sent


async def test_a_request_gets_an_id_that_is_in_the_logs_and_in_the_answer() -> None:
    response = await get(answering)

    made = response.headers["x-request-id"]
    assert len(made) == 32
    assert response.text == f"{made} {made}"
    assert request_id() == ""


@pytest.mark.parametrize("given", ["12345678", "a.b_c-D9", "x" * 64])
async def test_a_callers_id_is_kept(given: str) -> None:
    response = await get(answering, **{"X-Request-Id": given})

    assert response.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["1234567", "x" * 65, "ann@example.org", "12345678 ", "1234/5678"])
async def test_what_does_not_look_like_an_id_is_replaced(given: str) -> None:
    response = await get(answering, **{"X-Request-Id": given})

    assert response.headers["x-request-id"] != given.strip()
    assert len(response.headers["x-request-id"]) == 32


@pytest.mark.parametrize(("path", "level"), [("/graphql?query=secret", "info"), ("/healthz", "debug")])
async def test_one_line_tells_of_a_request_and_never_its_query(path: str, level: str) -> None:
    with capture_logs() as logs:
        await get(answering, path, Authorization="Bearer secret")

    (line,) = logs
    assert line.pop("ms") >= 0
    assert line == {
        "event": "request",
        "log_level": level,
        "method": "GET",
        "path": path.partition("?")[0],
        "status": 200,
    }


async def test_what_one_request_bound_is_not_in_the_next() -> None:
    bound: list[dict[str, Any]] = []

    async def looking(scope: Scope, receive: Receive, send: Send) -> None:
        bound.append(get_contextvars())
        await answering(scope, receive, send)

    await get(looking, **{"X-Request-Id": "request-1"})
    await get(looking, **{"X-Request-Id": "request-2"})

    assert bound == [{"request_id": "request-1"}, {"request_id": "request-2"}]


async def test_what_escapes_is_told_as_our_fault_and_logged_once() -> None:
    with capture_logs() as logs:
        response = await get(breaking)

    extensions = {"code": "INTERNAL", "requestId": response.headers["x-request-id"]}
    assert response.status_code == 500
    assert response.json() == {"errors": [{"message": "Something went wrong on our side.", "extensions": extensions}]}
    assert [(line["event"], line["log_level"]) for line in logs] == [("unexpected error", "error"), ("request", "info")]


async def test_an_answer_that_breaks_off_is_not_finished() -> None:
    sent = await messages(breaking_off, "http")

    assert [message.get("body") for message in sent] == [None, b"half"]


async def test_a_socket_that_breaks_is_closed() -> None:
    sent = await messages(breaking, "websocket")

    assert sent == [{"type": "websocket.close", "code": 1011, "reason": "Internal error"}]


async def test_a_caller_who_leaves_is_no_error() -> None:
    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        return

    with capture_logs() as logs:
        await messages(silent, "http")

    assert [(line["event"], line["status"]) for line in logs] == [("request", 499)]


async def test_start_and_stop_pass_through() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    await RequestMiddleware(app)({"type": "lifespan"}, None, None)  # type: ignore[arg-type]

    assert seen == ["lifespan"]


def test_a_failure_has_one_shape() -> None:
    assert failure("INVALID", "No.", field="at") == {
        "message": "No.",
        "extensions": {"code": "INVALID", "field": "at", "requestId": ""},
    }
