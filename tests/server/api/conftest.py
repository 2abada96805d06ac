"""A small graph on the real HTTP face, served by a real uvicorn on a free loopback port."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from starlette.types import ASGIApp

from tests.server.api.small import KEY, Small


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
    listener = socket.socket()
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
