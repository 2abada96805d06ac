"""A server of one command's own, on loopback, for as long as the command runs."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from steadylight_server.cli.database import access
from steadylight_server.cli.options import operator
from steadylight_server.cli.output import Failure
from steadylight_server.cli.serve import listen, url_of
from steadylight_server.core.config import Settings


@dataclass(frozen=True)
class LocalServer:
    """Where it is, an admin's key for it, and the keys that are revoked when it ends, that one included."""

    url: str
    key: str
    ending: list[str]


@contextmanager
def local_server(settings: Settings) -> Iterator[LocalServer]:
    """A server that answers.

    It works on the settings' database, beside a server that has that open. Raises EmbeddedError, Unavailable, Failure.
    """
    from steadylight_server.app import database_uri

    with database_uri(settings, join=True) as uri:
        # Errors alone: its log would be mixed with the command's own lines.
        own = settings.model_copy(update={"mongodb_uri": uri, "log_level": "error"})
        key = asyncio.run(_key(own))
        ending = [key]
        try:
            with _serving(own) as url:
                yield LocalServer(url, key, ending)
        finally:
            asyncio.run(_revoke(own, ending))


@contextmanager
def _serving(settings: Settings) -> Iterator[str]:
    """In a thread, not a process: it cannot be left behind, nor die alone."""
    import uvicorn

    from steadylight_server.app import create_app

    config = uvicorn.Config(
        create_app(settings), http="httptools", log_config=None, access_log=False, timeout_graceful_shutdown=2
    )
    server = uvicorn.Server(config)
    with listen("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), name="steadylight-server", daemon=True)
        thread.start()
        try:
            while not server.started:
                if not thread.is_alive():
                    raise Failure("The server on this machine did not start. The log above says why.")
                time.sleep(0.01)
            yield url_of(listener)
        finally:
            server.should_exit = True
            thread.join()


async def _key(settings: Settings) -> str:
    async with access(settings) as service:
        return (await service.add_key(None, by=operator()))[1]


async def _revoke(settings: Settings, keys: list[str]) -> None:
    async with access(settings) as service:
        await service.revoke(*(key.split("_")[1] for key in keys), by=operator())
