"""Several worker processes behind one port: they count as one, and one of them may die."""

import asyncio
import http.client
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from steadylight import Client
from steadylight.testing import FAST
from steadylight_server.core.embedded import EmbeddedDatabase
from tests.factories import action, batch, login
from tests.live.follower import Follower
from tests.live.processes import ServerProcess, keys, looking_at, series, wait_until

RECORD = "mutation R($input: RecordActionsInput!) { recordActions(input: $input) { verdicts } }"


class Workers:
    """A server of two workers, and a key for it."""

    def __init__(self, server: ServerProcess, keys: dict[str, str]) -> None:
        self.server = server
        self.keys = keys

    def pids(self) -> set[int]:
        """Of the workers; multiprocessing's resource tracker stands beside them."""
        children = Path(f"/proc/{self.server.process.pid}/task/{self.server.process.pid}/children").read_text()
        return {int(pid) for pid in children.split() if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()}

    def record(self, channel: str, *actions: dict[str, object]) -> None:
        """One batch over a connection of its own, so that either worker may take it."""
        with httpx.Client(verify=False, timeout=60) as connection:
            response = connection.post(
                f"{self.server.url}/graphql",
                json={"query": RECORD, "variables": {"input": {"batch": batch(*actions)}}},
                headers={"Authorization": f"Bearer {self.keys[channel]}"},
            )
        assert "errors" not in response.json(), response.text

    def counted(self) -> dict[tuple[str, str], float]:
        """Actions by channel and verdict, as /metrics has it."""
        shown = self.server.metrics()
        return {
            (channel, verdict): shown.get(series("steadylight_actions_total", channel=channel, verdict=verdict), 0.0)
            for channel in ("web", "desk")
            for verdict in ("STORED", "DUPLICATE", "REFUSED", "RETRY")
        }


@pytest.fixture(scope="module")
def workers(mongod: EmbeddedDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    name = f"test-{uuid4().hex[:12]}"
    made = keys(mongod.uri, name, web="SELF_SERVICE", desk="ASSISTED")
    server = ServerProcess(
        tmp_path_factory.mktemp("logs") / "server.log",
        "--port",
        0,
        "--workers",
        2,
        STEADYLIGHT_MONGODB_URI=mongod.uri,
        STEADYLIGHT_DATABASE=name,
    )
    workers = Workers(server, made)
    wait_until("both workers are there", lambda: len(workers.pids()) == 2)
    yield workers
    server.stop()
    with looking_at(mongod.uri) as client:
        client.drop_database(name)


def test_every_action_is_counted_once_whichever_worker_took_it(workers: Workers) -> None:
    before = workers.counted()
    requests = workers.server.metric("steadylight_requests_total", method="POST", status="200")
    for _ in range(20):
        first = action(login("C-1001"))
        workers.record("web", first, action(login("C-1001")), action(login("C-1001"), type=""))
        workers.record("desk", action(login("C-1001")))
        workers.record("web", first)

    scraped = [workers.counted() for _ in range(5)]

    assert scraped == [scraped[0]] * 5
    assert {key: count - before[key] for key, count in scraped[0].items() if count != before[key]} == {
        ("web", "STORED"): 40,
        ("web", "DUPLICATE"): 20,
        ("web", "REFUSED"): 20,
        ("desk", "STORED"): 20,
    }
    assert workers.server.metric("steadylight_requests_total", method="POST", status="200") - requests == 60
    assert workers.server.metric("steadylight_database_connections", state="open") >= 2


async def test_a_worker_that_is_killed_is_replaced_and_what_it_had_open_is_not_open(workers: Workers) -> None:
    key = workers.keys["web"]
    workers.record("web", action(login("C-1001")))
    counted = workers.counted()
    pids = workers.pids()
    async with asyncio.TaskGroup() as group:
        held = [group.create_task(hold(workers.server.url, key)) for _ in range(8)]
        while workers.server.metric("steadylight_subscriptions") < 8:
            await asyncio.sleep(0.05)

        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            deadline = time.monotonic() + 60
            while pid in workers.pids() or len(workers.pids()) < 2:
                assert time.monotonic() < deadline, "no worker took its place"
                await asyncio.sleep(0.05)

    assert [task.result() for task in held] == [1006] * 8
    assert workers.pids().isdisjoint(pids)
    with Client(workers.server.url, key, options=FAST) as light:
        assert light.deliver([action(login("C-1001"))], within=20).stored == 1
    assert workers.server.metric("steadylight_subscriptions") == 0
    assert workers.counted() == {**counted, ("web", "STORED"): counted["web", "STORED"] + 1}


async def hold(url: str, key: str) -> int | None:
    """Follows a customer until the connection breaks; the close code."""
    async with Follower.at(url, key) as follower:
        await follower.follow({"identifier": login("C-1001")})
        return await follower.closed(within=60)


def test_a_request_under_way_is_answered_before_the_workers_stop(mongod: EmbeddedDatabase, tmp_path: Path) -> None:
    name = f"test-{uuid4().hex[:12]}"
    server = ServerProcess(
        tmp_path / "server.log",
        "--port",
        0,
        "--workers",
        2,
        STEADYLIGHT_MONGODB_URI=mongod.uri,
        STEADYLIGHT_DATABASE=name,
    )
    body = b'{"query": "{ __typename }"}'
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    connection.putrequest("POST", "/graphql")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:10])
    time.sleep(0.3)  # until a worker has it in hand

    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    connection.send(body[10:])
    answer = connection.getresponse()

    assert (answer.status, answer.read()) == (200, b'{"data":{"__typename":"Query"}}')
    connection.close()
    assert server.wait() == 0
    with looking_at(mongod.uri) as client:
        client.drop_database(name)
