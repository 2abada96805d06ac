"""Real server processes: `steadylight serve`, which a test may stop as an operator does, or kill."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
from pymongo import MongoClient

from steadylight_server.access.models import ChannelKind
from steadylight_server.access.service import AccessService
from steadylight_server.access.store import AccessStore
from steadylight_server.core.audit import Audit, AuditStore
from steadylight_server.core.mongo import Database
from tests.factories import BY


class ServerProcess:
    """`steadylight serve` in a process of its own; what it says on stderr is in the file `log`."""

    def __init__(self, log: Path, *arguments: object, **environment: str) -> None:
        self._command = [sys.executable, "-m", "steadylight_server.cli", "serve", *map(str, arguments)]
        self._environment = {"STEADYLIGHT_LOG_LEVEL": "warning", "STEADYLIGHT_LOG_FORMAT": "json", **environment}
        self._log = log
        self.start()

    def start(self) -> None:
        """Starts it, again if need be; `url` is where it serves as soon as this returns."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=os.environ | self._environment,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"(http://\S+)/graphql", line)
        assert found, f"{line}{self._log.read_text()[-2000:]}"
        self.url = found[1]

    def metrics(self) -> dict[str, float]:
        """What /metrics shows, by series: `name{label="value",…}`, the labels in alphabetical order."""
        lines = httpx.get(f"{self.url}/metrics", verify=False).text.splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {series: float(value) for series, value in pairs}

    def metric(self, name: str, **labels: str) -> float:
        """The value of the series with exactly these labels; 0 where there is none yet."""
        return self.metrics().get(series(name, **labels), 0.0)

    def kill(self) -> None:
        """`kill -9`, without a word."""
        self.process.kill()
        self.wait()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Until it has ended; the exit code."""
        code = self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


def series(name: str, **labels: str) -> str:
    """As /metrics writes it."""
    told = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{told}}}" if told else name


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def keys(uri: str, database: str, **channels: str) -> dict[str, str]:
    """A new key for each channel, given with its kind and registered if need be."""

    async def make() -> dict[str, str]:
        connected = Database(uri, database)
        access = AccessService(AccessStore(connected), Audit(AuditStore(connected)))
        try:
            there = {channel.name for channel in await access.channels()}
            for name, kind in channels.items():
                if name not in there:
                    await access.add_channel(name, ChannelKind(kind), by=BY)
            return {name: (await access.add_key(name, by=BY))[1] for name in channels}
        finally:
            await connected.close()

    return anyio.run(make)


def admin_key(uri: str, database: str) -> str:
    """A new key of an admin."""

    async def make() -> str:
        connected = Database(uri, database)
        try:
            access = AccessService(AccessStore(connected), Audit(AuditStore(connected)))
            return (await access.add_key(None, by=BY))[1]
        finally:
            await connected.close()

    return anyio.run(make)


def looking_at(uri: str) -> MongoClient[dict[str, Any]]:
    """For a look into the database, past the server."""
    return MongoClient(uri, uuidRepresentation="standard", tz_aware=True)


def wait_until(what: str, is_so: Callable[[], bool], within: float = 60) -> None:
    """Returns when `is_so()`; fails when it is not within so many seconds."""
    end = time.monotonic() + within
    while not is_so():
        assert time.monotonic() < end, f"not within {within:g} s: {what}"
        time.sleep(0.05)
