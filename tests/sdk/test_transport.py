"""Requests on a real socket, where time and truncation happen."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from steadylight import ProtocolError, Timeout, Unreachable
from steadylight._answers import Answer, Response
from steadylight._async_transport import AsyncTransport
from steadylight._options import Endpoint
from steadylight._protocol import Request
from steadylight._transport import BlockingTransport, _Deadline
from tests.sdk.conftest import done

Serve = Callable[[Callable[[socket.socket], None]], str]
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nX-Request-Id: r-1\r\n"


def read(connection: socket.socket) -> None:
    """One request; its head and its body may come apart."""
    received = b""
    while not received.endswith(b"{}"):
        piece = connection.recv(65_536)
        if not piece:
            raise ConnectionResetError
        received += piece


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Gives each connection to the function, after its request was read."""
    listening: list[socket.socket] = []

    def serve(answer: Callable[[socket.socket], None]) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listening.append(listener)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    with contextlib.suppress(OSError):  # The client hangs up first, as it should.
                        read(connection)
                        answer(connection)

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/graphql"

    yield serve
    for listener in listening:
        listener.close()


@pytest.fixture(params=[BlockingTransport, AsyncTransport], ids=["blocking", "async"])
def send(request: pytest.FixtureRequest) -> Callable[..., object]:
    async def send(url: str, timeout: float = 5.0) -> Answer:
        transport = request.param(Endpoint(url, "k"))
        try:
            answer: Answer = await done(transport.send(Request(b"{}", {}, timeout)))
            return answer
        finally:
            await done(transport.close())

    return send


async def test_an_answer_comes_with_its_headers_in_lower_case(serve: Serve, send: Callable[..., object]) -> None:
    url = serve(lambda connection: connection.sendall(HEAD + b"content-length: 2\r\n\r\n{}"))

    answer = await done(send(url))

    assert isinstance(answer, Response)
    assert (answer.status, answer.body, answer.headers["x-request-id"]) == (200, b"{}", "r-1")


async def test_a_connection_cut_in_the_middle_is_unreachable(serve: Serve, send: Callable[..., object]) -> None:
    url = serve(lambda connection: connection.sendall(HEAD + b"content-length: 200\r\n\r\n{"))

    assert isinstance(await done(send(url)), Unreachable)


async def test_nobody_listening_is_unreachable(send: Callable[..., object]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/graphql"

    answer = await done(send(url))

    assert isinstance(answer, Unreachable)
    assert url in str(answer)


async def test_an_answer_in_the_wrong_encoding_is_a_protocol_error(serve: Serve, send: Callable[..., object]) -> None:
    url = serve(lambda connection: connection.sendall(HEAD + b"content-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}"))

    assert isinstance(await done(send(url)), ProtocolError)


async def test_silence_ends_at_the_deadline(serve: Serve, send: Callable[..., object]) -> None:
    url = serve(lambda connection: time.sleep(3))
    began = time.monotonic()

    assert isinstance(await done(send(url, timeout=0.2)), Timeout)

    assert 0.15 < time.monotonic() - began < 1.5


async def test_an_answer_that_drips_ends_at_the_deadline(serve: Serve, send: Callable[..., object]) -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(HEAD + b"content-length: 100\r\n\r\n")
        for _ in range(100):
            connection.sendall(b" ")
            time.sleep(0.05)

    url = serve(drip)
    began = time.monotonic()

    assert isinstance(await done(send(url, timeout=0.3)), Timeout)

    assert 0.25 < time.monotonic() - began < 1.5


async def test_connections_are_kept_alive(send: Callable[..., object], serve: Serve) -> None:
    connections: list[int] = []

    def twice(connection: socket.socket) -> None:
        connections.append(1)
        for _ in range(2):
            connection.sendall(HEAD + b"content-length: 2\r\n\r\n{}")
            read(connection)

    transport = BlockingTransport(Endpoint(serve(twice), "k"))
    answers = [transport.send(Request(b"{}", {}, 5.0)) for _ in range(2)]
    transport.close()

    assert [isinstance(answer, Response) for answer in answers] == [True, True]
    assert connections == [1]


def test_requests_carry_key_and_version() -> None:
    seen: list[httpx.Request] = []

    def watch(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    transport = BlockingTransport(Endpoint("http://host/graphql", "sl_key"), httpx.MockTransport(watch))
    transport.send(Request(b"{}", {"Content-Encoding": "gzip"}, 1.0))
    transport.close()

    (request,) = seen
    assert (request.method, str(request.url)) == ("POST", "http://host/graphql")
    assert request.headers["authorization"] == "Bearer sl_key"
    assert request.headers["accept"] == "application/graphql-response+json, application/json;q=0.9"
    assert request.headers["content-encoding"] == "gzip"
    assert request.headers["user-agent"].startswith("steadylight-python/")


async def test_without_a_loop_the_async_transport_has_a_blocking_twin(serve: Serve) -> None:
    url = serve(lambda connection: connection.sendall(HEAD + b"content-length: 2\r\n\r\n{}"))
    transport = AsyncTransport(Endpoint(url, "k"))

    twin = transport.blocking()
    assert twin is not None
    answer = twin.send(Request(b"{}", {}, 5.0))
    twin.close()
    await transport.close()

    assert isinstance(answer, Response)


def test_deadlines_shrink_and_never_reach_zero() -> None:
    deadline = _Deadline(0.01)
    first = deadline["connect"]
    time.sleep(0.02)

    assert 0.001 < first <= 0.01
    assert {phase: deadline[phase] for phase in deadline} == dict.fromkeys(("connect", "read", "write", "pool"), 0.001)
    assert len(deadline) == 4
    assert deadline.is_over
