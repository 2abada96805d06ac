"""graphql-transport-ws: who is let in, what is answered, and that nothing stays behind."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import websockets
from structlog.testing import capture_logs
from websockets.asyncio.client import ClientConnection, connect

from steadylight_server.core import errors as core
from steadylight_server.core import metrics
from tests.server.api.conftest import served
from tests.server.api.small import KEY, SECRET, TRUSTED, Small

AUTHORIZATION = f"Bearer {KEY}"
INIT = {"type": "connection_init", "payload": {"authorization": AUTHORIZATION}}


@pytest.fixture
async def address(small: Small) -> AsyncIterator[str]:
    async with served(small.app) as address:
        yield address


@asynccontextmanager
async def opened(address: str, **options: Any) -> AsyncIterator[ClientConnection]:
    options = {"subprotocols": ["graphql-transport-ws"], "proxy": None, **options}
    async with connect(f"ws://{address}/graphql", **options) as connection:
        yield connection


@asynccontextmanager
async def let_in(address: str) -> AsyncIterator[ClientConnection]:
    async with opened(address) as connection:
        await tell(connection, INIT)
        assert await heard(connection) == {"type": "connection_ack"}
        yield connection


async def tell(connection: ClientConnection, message: Any) -> None:
    await connection.send(json.dumps(message))


async def heard(connection: ClientConnection) -> Any:
    message = await asyncio.wait_for(connection.recv(), 5)
    assert isinstance(message, str)
    return json.loads(message)


async def subscribe(connection: ClientConnection, query: str, id: str = "1", **payload: Any) -> None:
    await tell(connection, {"type": "subscribe", "id": id, "payload": {"query": query, **payload}})


async def closed(connection: ClientConnection) -> tuple[int | None, str | None]:
    """Code and reason, whatever is heard before."""
    await asyncio.wait_for(connection.wait_closed(), 5)
    return connection.close_code, connection.close_reason


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


def code(message: Any) -> str:
    assert message["type"] == "error"
    (error,) = message["payload"]
    assert error["extensions"]["requestId"]
    return str(error["extensions"]["code"])


async def test_a_subscription_goes_on_until_it_is_completed(small: Small, address: str) -> None:
    async with let_in(address) as connection:
        await subscribe(connection, "subscription { tick }")
        first, second = await heard(connection), await heard(connection)
        await tell(connection, {"type": "complete", "id": "1"})
        await until(lambda: small.ticks.closed == 1)

        await tell(connection, {"type": "ping"})
        while (last := await heard(connection))["type"] == "next":
            pass

    assert first == {"id": "1", "type": "next", "payload": {"data": {"tick": 0}}}
    assert second == {"id": "1", "type": "next", "payload": {"data": {"tick": 1}}}
    assert last == {"type": "pong"}


async def test_a_query_may_be_asked_with_the_handshakes_credential(address: str) -> None:
    async with opened(address, additional_headers={"Authorization": AUTHORIZATION}) as connection:
        await tell(connection, {"type": "connection_init"})
        assert await heard(connection) == {"type": "connection_ack"}
        await subscribe(connection, TRUSTED, variables={"name": "Ann"}, operationName="Greet")

        assert await heard(connection) == {"id": "1", "type": "next", "payload": {"data": {"greet": "Hello Ann"}}}
        assert await heard(connection) == {"id": "1", "type": "complete"}
        assert connection.response is not None
        assert len(connection.response.headers["X-Request-Id"]) == 32


@pytest.mark.parametrize(
    "payload", [None, {}, {"authorization": "Bearer wrong"}, {"authorization": 1}, {"authorization": "Bearer ✨"}]
)
async def test_without_a_good_credential_the_socket_closes(address: str, payload: Any) -> None:
    async with opened(address) as connection:
        await tell(connection, {"type": "connection_init", "payload": payload})

        assert await closed(connection) == (4401, "Unauthorized")


async def test_the_payloads_credential_stands_before_the_handshakes(address: str) -> None:
    async with opened(address, additional_headers={"Authorization": AUTHORIZATION}) as connection:
        await tell(connection, {"type": "connection_init", "payload": {"authorization": "Bearer wrong"}})

        assert await closed(connection) == (4401, "Unauthorized")


@pytest.mark.parametrize(
    ("failure", "close"),
    [
        (core.Forbidden("No."), (4403, "Forbidden")),
        (core.Unavailable("No."), (1013, "Try again later")),
        (core.RateLimited("No."), (1013, "Try again later")),
    ],
)
async def test_who_cannot_be_let_in_is_told_by_the_close_code(
    small: Small, address: str, failure: core.SteadylightError, close: tuple[int, str]
) -> None:
    small.failure = failure

    async with opened(address) as connection:
        await tell(connection, INIT)

        assert await closed(connection) == close


async def test_a_crash_while_letting_in_closes_and_shows_nothing(small: Small, address: str) -> None:
    small.failure = RuntimeError(SECRET)

    with capture_logs() as logs:
        async with opened(address) as connection:
            await tell(connection, INIT)

            assert await closed(connection) == (1011, "Internal error")

    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["unexpected error"]


async def test_nothing_runs_before_the_init(address: str) -> None:
    async with opened(address) as connection:
        await subscribe(connection, "{ __typename }")

        assert await closed(connection) == (4401, "Unauthorized")


async def test_a_second_init_closes(address: str) -> None:
    async with let_in(address) as connection:
        await tell(connection, INIT)

        assert await closed(connection) == (4429, "Too many initialisation requests")


@pytest.mark.parametrize("protocols", [["graphql-ws"], ["other"], None])
async def test_another_protocol_is_not_spoken(address: str, protocols: Any) -> None:
    async with opened(address, subprotocols=protocols) as connection:
        assert await closed(connection) == (4406, "Subprotocol not acceptable")


async def test_a_page_of_a_foreign_origin_is_refused(address: str) -> None:
    with pytest.raises(websockets.InvalidStatus) as caught:
        async with opened(address, origin="https://evil.example"):
            pass

    assert caught.value.response.status_code == 403


@pytest.mark.parametrize("origin", ["https://desk.example", "https://Desk.example:443", "own"])
async def test_a_page_of_an_allowed_origin_or_the_servers_own_is_let_in(address: str, origin: str) -> None:
    async with opened(address, origin=f"http://{address}" if origin == "own" else origin) as connection:
        await tell(connection, INIT)

        assert await heard(connection) == {"type": "connection_ack"}


@pytest.mark.parametrize(
    "message",
    [
        "text",
        [],
        {},
        {"type": 1},
        {"type": "unknown"},
        {"type": "complete", "id": ["1"]},
        {"type": "connection_init", "payload": []},
        {"type": "subscribe", "id": [], "payload": {"query": "{ __typename }"}},
        {"type": "subscribe", "id": "1"},
        {"type": "subscribe", "id": "1", "payload": "{ __typename }"},
        {"type": "subscribe", "id": "1", "payload": {"query": 1}},
        {"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "variables": []}},
        {"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "operationName": 1}},
    ],
)
async def test_a_message_that_is_not_the_protocols_closes_and_is_no_error_of_ours(address: str, message: Any) -> None:
    with capture_logs() as logs:
        async with let_in(address) as connection:
            await tell(connection, message)

            assert (await closed(connection))[0] == 4400

    assert [line for line in logs if line["log_level"] == "error"] == []


@pytest.mark.parametrize("raw", ["{", b"\x00"])
async def test_what_is_not_json_text_closes(address: str, raw: str | bytes) -> None:
    async with let_in(address) as connection:
        await connection.send(raw)

        assert (await closed(connection))[0] == 4400


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{", "INVALID"),
        ("{ nothing }", "INVALID"),
        ("query A { __typename } query B { __typename }", "INVALID"),
        ("{ node " + "{ child " * 12 + "{ id }" + "}" * 12 + "}", "TOO_COMPLEX"),
        (TRUSTED, "INVALID"),
    ],
)
async def test_a_document_that_cannot_run_is_told_why(address: str, query: str, expected: str) -> None:
    async with let_in(address) as connection:
        await subscribe(connection, query)
        answer = await heard(connection)

    if answer["type"] == "next":  # strawberry tells a variable's error so
        answer = {"type": "error", "payload": answer["payload"]["errors"]}
    assert code(answer) == expected


async def test_an_unexpected_error_is_masked(address: str) -> None:
    with capture_logs() as logs:
        async with let_in(address) as connection:
            await subscribe(connection, "subscription { breaking }")
            await heard(connection)
            answer = await heard(connection)

    (error,) = answer["payload"]["errors"]
    assert error["message"] == "Something went wrong on our side."
    assert error["extensions"]["code"] == "INTERNAL"
    assert error["extensions"]["requestId"]
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["unexpected error"]


async def test_an_id_in_use_closes(address: str) -> None:
    async with let_in(address) as connection:
        await subscribe(connection, "subscription { tick }")
        await subscribe(connection, "subscription { tick }")

        assert await closed(connection) == (4409, "Subscriber for 1 already exists")


async def test_operations_on_one_socket_are_limited(address: str) -> None:
    async with let_in(address) as connection:
        for number in range(51):
            await subscribe(connection, "subscription { tick(every: 60) }", str(number))

        heard_ = [await heard(connection) for _ in range(51)]

    (refused,) = [message for message in heard_ if message["type"] == "error"]
    assert (refused["id"], code(refused)) == ("50", "RATE_LIMITED")


async def test_a_subscription_ends_with_its_viewers_credential(small: Small, address: str) -> None:
    async with let_in(address) as connection:
        await subscribe(connection, "subscription { tick }")
        await heard(connection)

        small.ended.set()

        assert await closed(connection) == (4401, "Credential ended")
    await until(lambda: small.ticks.closed == small.ticks.began == 1)


async def test_a_credential_that_cannot_be_watched_keeps_nothing_open(small: Small, address: str) -> None:
    small.broken_watch = True

    with capture_logs() as logs:
        async with opened(address) as connection:
            await tell(connection, INIT)

            assert await closed(connection) == (1013, "Try again later")

    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["unexpected error"]


async def test_clients_that_vanish_leave_nothing_behind(small: Small, address: str) -> None:
    tasks_before = len(asyncio.all_tasks())
    open_before = metrics._subscriptions._value.get()

    with capture_logs() as logs:
        for _ in range(50):
            async with let_in(address) as connection:
                await subscribe(connection, "subscription { tick(every: 0.001) }", "a")
                await subscribe(connection, "subscription { tick(every: 60) }", "b")
                while (await heard(connection))["id"] != "b":
                    pass
                connection.transport.abort()
        await until(lambda: small.ticks.closed == 100)
        await until(lambda: len(asyncio.all_tasks()) == tasks_before)

    assert (small.ticks.began, small.ticks.closed) == (100, 100)
    assert metrics._subscriptions._value.get() == open_before
    assert [line for line in logs if line["log_level"] == "error"] == []
