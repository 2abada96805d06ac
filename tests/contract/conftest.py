"""One fixture for a Steadylight of either sort, reached by either client: all four must answer a test alike."""

import inspect
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from uuid import uuid4
from weakref import WeakKeyDictionary

import httpx
import pytest

from steadylight import AsyncClient, Client
from steadylight._operations import OPERATIONS
from steadylight.testing import FAST, Server
from tests.conftest import LiveServer

#: A Client or an AsyncClient; tests call what both have.
Light = Any
T = TypeVar("T")
# A real key costs a connection, so that each is made once for each server.
KEYS: WeakKeyDictionary[object, dict[Any, str]] = WeakKeyDictionary()


async def done(value: Any) -> Any:
    """What a verb of either client brings."""
    return await value if inspect.isawaitable(value) else value


def aside(work: Callable[[], T]) -> T:
    """What `work` returns, done in a thread: it runs an event loop of its own, and a test has one already."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


class House:
    """A Steadylight, real or in memory, and one kind of client for it."""

    def __init__(
        self, server: LiveServer | Server, made_of: type[Client] | type[AsyncClient], transport: Any = None
    ) -> None:
        self.url = server.url
        self.admin_key = server.admin_key
        self._server = server
        self._made_of = made_of
        self._transport = transport
        self._made: list[Light] = []
        self._http = httpx.Client(transport=transport, verify=False)

    def key(self, channel: str, kind: str = "SELF_SERVICE", highest: str | None = None) -> str:
        """A key of the channel, which is registered if need be; the same one each time."""
        keys = KEYS.setdefault(self._server, {})
        if (channel, kind, highest) not in keys:
            keys[channel, kind, highest] = self.new_key(channel, kind, highest)
        return keys[channel, kind, highest]

    def new_key(self, channel: str, kind: str = "SELF_SERVICE", highest: str | None = None) -> str:
        """Another key of the channel."""
        server = self._server
        if isinstance(server, Server):
            return server.key(channel, kind, highest)
        return aside(lambda: server.key(channel, kind, highest=highest))

    def revoke(self, key: str) -> None:
        """Ends a key now."""
        aside(lambda: self._server.revoke(key))

    def connect(self, channel: str = "web", kind: str = "SELF_SERVICE", **given: Any) -> Light:
        """A client of the channel, closed at the end of the test."""
        if "key" not in given:
            given["key"] = self.key(channel, kind)
        given = {"options": FAST, "transport": self._transport, **given}
        self._made.append(self._made_of(self.url, **given))
        return self._made[-1]

    def ask(
        self, operation: str, input: dict[str, Any] | None, key: str | None, query: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        """One of the SDK's operations over plain HTTP: the status and the body."""
        body: dict[str, Any] = {"query": query or OPERATIONS[operation], "operationName": operation or None}
        if input is not None:
            body["variables"] = {"input": input}
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        response = self._http.post(f"{self.url}/graphql", json=body, headers=headers, timeout=20)
        return response.status_code, response.json()

    def record(self, batch: object, key: str) -> dict[str, Any]:
        """The VerdictBatch of one recordActions, or its first error's extensions."""
        _, body = self.ask("RecordActions", {"batch": batch}, key)
        if "errors" in body:
            told: dict[str, Any] = body["errors"][0]["extensions"]
            return told
        verdicts: dict[str, Any] = body["data"]["recordActions"]["verdicts"]
        return verdicts

    async def close(self) -> None:
        """Ends all clients without waiting."""
        self._http.close()
        for light in self._made:
            await done(light.close(timeout=0))


@pytest.fixture(params=["real", "memory"])
def server_of_either_sort(request: pytest.FixtureRequest) -> LiveServer | Server:
    """The real one is shared by the tests of a module; the one in memory is new each time."""
    return request.getfixturevalue("shared_server") if request.param == "real" else Server()


@pytest.fixture(params=[Client, AsyncClient], ids=["sync", "async"])
async def house(request: pytest.FixtureRequest, server_of_either_sort: LiveServer | Server) -> AsyncIterator[House]:
    """Each of the four."""
    server = server_of_either_sort
    made = House(server, request.param, server.transport if isinstance(server, Server) else None)
    yield made
    await made.close()


@pytest.fixture
def name() -> str:
    """A name that nobody has: the real server is shared by the tests of a module."""
    return f"n{uuid4().hex[:12]}"
