"""A real MongoDB for the whole session, and real servers on it, on loopback or a Unix socket only."""

import logging
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import httpx
import pymongo
import pytest
import structlog
import uvicorn

from steadylight_server.access.models import ChannelKind
from steadylight_server.access.service import AccessService
from steadylight_server.access.store import AccessStore
from steadylight_server.app import create_app
from steadylight_server.capabilities.models import Function
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.audit import Audit, AuditStore
from steadylight_server.core.config import Settings
from steadylight_server.core.embedded import EmbeddedDatabase
from steadylight_server.core.mongo import Database
from tests.databases import Databases
from tests.factories import BY

SHARED = Path(__file__).parents[2] / "shared"
# Bytes; a worker's database comes to a tenth, and containers have 64 MB where nothing else was asked for.
ROOM_IN_MEMORY = 4 << 30


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """A command that sets up the logs of this process sends them to a stderr that is closed after its test.

    Where nobody has, a server in this process logs beside what a command prints, and not in between.
    """
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session", autouse=True)
def _plain_tracebacks() -> None:
    """Where no server has set up the logs, structlog would paint a traceback with all variables: seconds for each."""
    structlog.dev.ConsoleRenderer.get_active().exception_formatter = structlog.dev.plain_traceback


@pytest.fixture(autouse=True)
def _logged_as_by_default() -> None:
    """A server that ran in this process has set the level of all logs; the next test expects Python's own."""
    logging.getLogger().setLevel(logging.WARNING)


@pytest.fixture(autouse=True)
def _spooled_apart(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test does not deliver is no other's."""
    monkeypatch.setenv("STEADYLIGHT_SPOOL", str(tmp_path_factory.mktemp("spool", numbered=True)))


@pytest.fixture(scope="session")
def mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedDatabase]:
    """A real database, with mongod's own test commands, so that a test can make it fail.

    It keeps nothing safe: what must survive a crash is tested on databases that a test starts for itself.
    """
    with (
        _fast_folder(tmp_path_factory) as directory,
        EmbeddedDatabase.start(directory, parameters={"enableTestCommands": "1"}) as database,
    ):
        _forget_the_journal(database)
        yield database


@contextmanager
def _fast_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """In memory where there is room: a database of one's own, with its indexes, is some fifty files that are synced."""
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free >= ROOM_IN_MEMORY:
        with tempfile.TemporaryDirectory(prefix="steadylight-", dir=memory) as folder:
            yield Path(folder)
    else:
        yield tmp_path_factory.mktemp("mongod")


def _forget_the_journal(mongod: EmbeddedDatabase) -> None:
    """A majority's acknowledgement no longer waits for the disk, which is half of the cost of a write."""
    with pymongo.MongoClient[dict[str, Any]](mongod.uri) as client:
        config = client.admin.command("replSetGetConfig")["config"]
        config |= {"version": config["version"] + 1, "writeConcernMajorityJournalDefault": False}
        client.admin.command("replSetReconfig", config)


class LiveServer:
    """The real application under uvicorn, in a thread of this process, on a database of its own.

    `blueprint` is in force when it starts, and `functions` implement its capabilities.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        blueprint: str | None = None,
        functions: Mapping[str, Function] | None = None,
    ) -> None:
        assert settings.mongodb_uri is not None
        self.settings = settings
        self.client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(
            settings.mongodb_uri, tz_aware=True, uuidRepresentation="standard"
        )
        self.database = self.client[settings.database]
        if blueprint is not None:
            applied = {"text": blueprint, "applied_at": datetime.now(UTC), "by": BY}
            self.database["blueprints"].insert_one({"_id": 1, **applied})
        app = create_app(settings, functions=functions)
        config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, timeout_graceful_shutdown=2)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"
        self.admin_key = self._access("key", None)

    def key(self, channel: str, kind: str = "SELF_SERVICE", *, highest: str | None = None, scopes: Any = None) -> str:
        """A key of the channel, which is registered if need be."""
        return self._access("key", channel, kind, highest, scopes)

    def revoke(self, key: str) -> None:
        """Ends a key now."""
        self._access("revoke", key.split("_")[1])

    def graphql(self, query: str, variables: dict[str, Any] | None = None, key: str | None = None) -> dict[str, Any]:
        """The whole answer to one request, as JSON."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        body = {"query": query, "variables": variables or {}}
        # Without the certificates, which take a twentieth of a second to load.
        response = httpx.post(f"{self.url}/graphql", json=body, headers=headers, timeout=20, verify=False)
        answer: dict[str, Any] = response.json()
        return answer

    def stop(self, *, drop: bool = True) -> None:
        """Shuts down as SIGTERM does, and drops the database."""
        self._server.should_exit = True
        self._thread.join(15)
        assert not self._thread.is_alive(), "the server did not stop"
        if drop:
            self.client.drop_database(self.settings.database)
        self.client.close()
        structlog.reset_defaults()  # the application set up the logs of this process, which other tests look at

    def _access(self, what: str, *given: Any) -> str:
        async def run() -> str:
            assert self.settings.mongodb_uri is not None
            database = Database(self.settings.mongodb_uri, self.settings.database)
            access = AccessService(AccessStore(database), Audit(AuditStore(database)))
            try:
                if what == "revoke":
                    await access.revoke(given[0], by=BY)
                    return ""
                channel, kind, highest, scopes = (*given, None, None, None)[:4]
                if channel is not None and channel not in {one.name for one in await access.channels()}:
                    cap = Assurance[highest] if highest else None
                    await access.add_channel(channel, ChannelKind(kind), highest_assurance=cap, by=BY)
                return (await access.add_key(channel, scopes=scopes, by=BY))[1]
            finally:
                await database.close()

        return anyio.run(run)


def settings_for(mongod: EmbeddedDatabase, **given: Any) -> Settings:
    """Settings with a database of their own on the session's mongod."""
    given.setdefault("database", f"test-{uuid4().hex[:12]}")
    return Settings(mongodb_uri=mongod.uri, log_level="error", **given)


@pytest.fixture(scope="session")
def databases(mongod: EmbeddedDatabase) -> Iterator[Databases]:
    """Of the session's mongod, each used by one test after the other."""
    databases = Databases(mongod.uri)
    yield databases
    databases.close()


@contextmanager
def _served(mongod: EmbeddedDatabase, databases: Databases) -> Iterator[LiveServer]:
    name = databases.take()
    live = LiveServer(settings_for(mongod, database=name))
    yield live
    live.stop(drop=False)
    databases.give_back(name)


@pytest.fixture
def server(mongod: EmbeddedDatabase, databases: Databases) -> Iterator[LiveServer]:
    """A server with nothing in it."""
    with _served(mongod, databases) as live:
        yield live


@pytest.fixture(scope="module")
def shared_server(mongod: EmbeddedDatabase, databases: Databases) -> Iterator[LiveServer]:
    """A server for all tests of a module, which must not look at more than they made."""
    with _served(mongod, databases) as live:
        yield live
