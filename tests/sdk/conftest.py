"""Both clients through one fixture: a test calls the same verbs, and awaits `done(...)` of what reads."""

import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from steadylight import AsyncClient, Client, Options
from steadylight.testing import FAST, Server

#: A Client or an AsyncClient; tests call what both have.
Light = Any
Connect = Callable[..., Light]


@pytest.fixture
def server() -> Server:
    return Server()


async def done(value: Any) -> Any:
    """What a verb of either client brings."""
    return await value if inspect.isawaitable(value) else value


@pytest.fixture(params=[Client, AsyncClient], ids=["blocking", "async"])
async def connect(request: pytest.FixtureRequest, server: Server) -> AsyncIterator[Connect]:
    """Makes a client of the server, or of any other transport, and closes it at the end without waiting."""
    made: list[Light] = []

    def connect(channel: str = "web", kind: str = "SELF_SERVICE", **given: Any) -> Light:
        settings: dict[str, Any] = {"options": FAST, "transport": server.transport, **given}
        if "key" not in settings:
            settings["key"] = server.key(channel, kind)
        made.append(request.param(server.url, **settings))
        return made[-1]

    yield connect
    for light in made:
        await done(light.close(timeout=0))


@pytest.fixture
def light(connect: Connect) -> Light:
    """A client of the channel `web`."""
    return connect()


@pytest.fixture
def patient() -> Options:
    """A schedule that no test can wait for: a pause that is not cut short shows."""
    return Options(linger=0.0, backoff_base=600.0, backoff_ceiling=600.0, jitter=lambda: 1.0, spool=None)
