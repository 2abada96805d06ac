"""Two server processes on one database of the session's mongod."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from pymongo.database import Database

from steadylight_server.core.embedded import EmbeddedDatabase
from tests.live.processes import ServerProcess, keys, looking_at


@dataclass(frozen=True)
class Pair:
    """The two, and what both look at."""

    first: ServerProcess
    second: ServerProcess
    database: Database[Any]
    key: str

    @property
    def urls(self) -> list[str]:
        """Of both."""
        return [self.first.url, self.second.url]


@pytest.fixture(scope="module")
def pair(mongod: EmbeddedDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Shared by the tests of a module, which must not look at more than they made. `key` is the channel web's."""
    logs = tmp_path_factory.mktemp("logs")
    name = f"test-{uuid4().hex[:12]}"
    given = {"STEADYLIGHT_MONGODB_URI": mongod.uri, "STEADYLIGHT_DATABASE": name}
    key = keys(mongod.uri, name, web="SELF_SERVICE")["web"]
    with ExitStack() as stack:
        client = stack.enter_context(looking_at(mongod.uri))
        stack.callback(client.drop_database, name)
        servers = [ServerProcess(logs / f"{number}.log", "--port", 0, **given) for number in range(2)]
        for server in servers:
            stack.callback(server.stop)
        yield Pair(servers[0], servers[1], client[name], key)
