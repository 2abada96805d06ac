"""A small graph on the real HTTP face, served by a real uvicorn on a free loopback port."""

import asyncio
import json
import socket as sockets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, TypeVar

import anyio
import httpx
import pytest
import uvicorn
from starlette.types import ASGIApp
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from steadylight_server.access.service import AccessService
from steadylight_server.access.store import AccessStore
from steadylight_server.core.audit import Audit, AuditStore
from steadylight_server.core.mongo import Database
from tests.conftest import LiveServer
from tests.server.api.small import KEY, Small

T = TypeVar("T")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def small() -> Small:
    return Small()


@pytest.fixture
async def client(small: Small) -> AsyncIterator[httpx.AsyncClient]:
    """In process, with the good key."""
    transport = httpx.ASGITransport(small.app)
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://steadylight", headers=headers) as client:
        yield client


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """The application behind uvicorn, at the address given: `127.0.0.1:<port>`."""
    listener = sockets.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    while not server.started:
        assert not serving.done()
        await asyncio.sleep(0.01)
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        listener.close()


def with_access(server: LiveServer, do: Callable[[AccessService], Awaitable[T]]) -> T:
    """What the service answers, on the server's database, as another process would ask it."""

    async def run() -> T:
        assert server.settings.mongodb_uri is not None
        database = Database(server.settings.mongodb_uri, server.settings.database)
        try:
            return await do(AccessService(AccessStore(database), Audit(AuditStore(database))))
        finally:
            await database.close()

    return anyio.run(run)


def http(method: str, url: str, **given: Any) -> httpx.Response:
    """The answer to one request, over a connection of its own; the certificates it does not need are not loaded."""
    return httpx.request(method, url, verify=False, trust_env=False, **given)


def outcome(response: httpx.Response) -> str:
    """The role that was let in, or the code of the refusal."""
    answer = response.json()
    return answer["errors"][0]["extensions"]["code"] if "errors" in answer else answer["data"]["viewer"]["role"]


@contextmanager
def socket(
    server: LiveServer, headers: dict[str, str] | None = None, origin: str | None = None
) -> Iterator[ClientConnection]:
    with connect(
        server.url.replace("http", "ws") + "/graphql",
        subprotocols=[Subprotocol("graphql-transport-ws")],
        additional_headers=headers,
        origin=Origin(origin) if origin else None,
        proxy=None,
    ) as connection:
        yield connection


def init(connection: ClientConnection, **payload: str) -> Any:
    """The answer, or the close code."""
    connection.send(json.dumps({"type": "connection_init", "payload": payload}))
    try:
        return json.loads(connection.recv(5))["type"]
    except ConnectionClosed as closed:
        return closed.rcvd and closed.rcvd.code


def end_of(connection: ClientConnection) -> tuple[int, str]:
    """Close code and reason, whatever is heard before."""
    with suppress(ConnectionClosed):
        while True:
            connection.recv(5)
    assert connection.close_code is not None
    return connection.close_code, connection.close_reason or ""
