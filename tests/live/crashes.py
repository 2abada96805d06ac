"""Kills a server and its database again and again while the SDK delivers, and counts what is there afterwards."""

import os
import signal
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio
from pymongo.database import Database as Looked

from steadylight import Client, Options, Verdicts
from steadylight_server.core.embedded import running
from steadylight_server.core.mongo import Database
from steadylight_server.timeline.rebuild import rebuild
from tests.live.processes import ServerProcess, free_port, keys, looking_at, wait_until

# Seconds after which another server takes over what a killed one left half done; 30 in production.
LEASE = 3
PROJECTED = ("contacts", "action_types")
# Small batches, so that each kill meets some under way; short pauses, so that the server is tried again at once.
OPTIONS = Options(batch_count=50, backoff_base=0.05, backoff_ceiling=0.5, request_timeout=10.0)
Action = Mapping[str, Any]


@dataclass(frozen=True)
class Survival:
    """What a run with kills left behind; counts."""

    kills: int
    verdicts: Verdicts
    stored: int
    customers: int
    lost_acknowledged: int
    left_half_done: int
    intents: int
    projected: int
    differences: int


def survive(folder: Path, by_channel: Mapping[str, Sequence[Action]], *, kills: int) -> Survival:
    """Delivers the actions of each channel through a client of its own, with so many kills spread over the run."""
    data = folder / "data"
    server = ServerProcess(
        folder / "server.log", "--port", free_port(), "--data", data, STEADYLIGHT_INTENT_LEASE=f"{LEASE}"
    )
    try:
        uri = running(data)
        assert uri is not None
        with looking_at(uri) as client:
            database = client.get_database("steadylight")
            delivery = _Delivery(
                server.url, keys(uri, "steadylight", **dict.fromkeys(by_channel, "ASSISTED")), by_channel
            )
            lost, left = _kill_while(delivery, server, data, database, kills)
            verdicts = delivery.verdicts()
            wait_until("no intent is left", lambda: database.intents.count_documents({}) == 0, within=60)
            before = _dump(database)
            anyio.run(_rebuild, uri)
            after = _dump(database)
            return Survival(
                kills=kills,
                verdicts=verdicts,
                stored=database.actions.count_documents({}),
                customers=database.profiles.count_documents({}),
                lost_acknowledged=lost,
                left_half_done=left,
                intents=database.intents.count_documents({}),
                projected=len(before),
                differences=sum(before.get(key) != after.get(key) for key in before.keys() | after.keys()),
            )
    finally:
        server.stop()


class _Delivery:
    """All channels at once, each in a thread."""

    def __init__(self, url: str, keys: Mapping[str, str], by_channel: Mapping[str, Sequence[Action]]) -> None:
        self.total = sum(map(len, by_channel.values()))
        self._lights = {channel: Client(url, keys[channel], options=OPTIONS) for channel in by_channel}
        self._so_far: dict[str, int] = {}
        self._pool = ThreadPoolExecutor(len(by_channel))
        self._results = [self._pool.submit(self._deliver, *each) for each in by_channel.items()]

    def _deliver(self, channel: str, actions: Sequence[Action]) -> Verdicts:
        def note(verdicts: Verdicts) -> None:
            self._so_far[channel] = verdicts.stored + verdicts.duplicate

        return self._lights[channel].deliver(actions, on_progress=note, within=300)

    @property
    def acknowledged(self) -> int:
        """How many actions the server called stored or duplicate, so far."""
        return sum(list(self._so_far.values()))

    def has_delivered(self, count: int) -> bool:
        """Whether at least so many are acknowledged."""
        return self.acknowledged >= count

    def verdicts(self) -> Verdicts:
        """The sum, when all is delivered."""
        each = [result.result() for result in self._results]
        self._pool.shutdown()
        for light in self._lights.values():
            light.close(0)
        names = ("stored", "duplicate", "refused", "retry")
        return Verdicts(**{name: sum(getattr(one, name) for one in each) for name in names})


def _kill_while(
    delivery: _Delivery, server: ServerProcess, data: Path, database: Looked[dict[str, Any]], kills: int
) -> tuple[int, int]:
    """How many acknowledged actions were not there after a restart, and how many batches were left half done."""
    lost = left = 0
    for number in range(1, kills + 1):
        due = delivery.total * number // (kills + 1)
        wait_until(f"{due} of {delivery.total} delivered", partial(delivery.has_delivered, due), within=120)
        mongod = int((data / "database/data/mongod.lock").read_text())
        acknowledged = delivery.acknowledged
        server.kill()
        _kill_if_there(mongod)
        server.start()
        left += database.intents.count_documents({})
        lost += max(0, acknowledged - database.actions.count_documents({}))
    return lost, left


def _kill_if_there(pid: int) -> None:
    with suppress(ProcessLookupError):  # it dies with its server, and may have been faster
        os.kill(pid, signal.SIGKILL)


def _dump(database: Looked[dict[str, Any]]) -> dict[tuple[str, Any], dict[str, Any]]:
    """Every projected document, by collection and id."""
    return {(name, found["_id"]): found for name in PROJECTED for found in database[name].find()}


async def _rebuild(uri: str) -> int:
    database = Database(uri, "steadylight")
    try:
        return await rebuild(database)
    finally:
        await database.close()
