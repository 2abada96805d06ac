"""A real cross-channel log through the real SDK into the real server, and back page by page."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pymongo
import pytest

from steadylight_server.core.embedded import running
from tests.conftest import SHARED, LiveServer
from tests.factories import action, login
from tests.live.processes import wait_until

LOG = SHARED / "data/servicenow_incidents/actions_multichannel.jsonl.gz"
PAGE = """
query Page($after: String) {
  customer(by: {identifier: {kind: "caller_id", value: "Caller 90", assurance: LOGIN}}) {
    actions(first: 50, after: $after, order: OLDEST_FIRST) {
      nodes { id at sequence channel }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""


def steadylight(*arguments: object) -> "subprocess.Popen[str]":
    """The command, in a process of its own."""
    command = [sys.executable, "-m", "steadylight_server.cli", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)


def replay(file: Path, url: str, key: str) -> dict[str, Any]:
    """The line with which `replay --json` ends, without its seconds."""
    with steadylight("replay", file, "--url", url, "--key", key, "--json") as process:
        said, complaints = process.communicate(timeout=100)
    assert process.returncode == 0, complaints
    told: dict[str, Any] = json.loads(said.splitlines()[-1])
    assert told.pop("seconds") > 0
    return told


@pytest.mark.skipif(not LOG.exists(), reason="needs the incident log of the shared data, which is not here")
@pytest.mark.timeout(240)
def test_a_real_log_is_stored_once_and_a_caller_is_seen_over_all_channels(server: LiveServer) -> None:
    first = replay(LOG, server.url, server.admin_key)
    again = replay(LOG, server.url, server.admin_key)

    counts = {"sent": 10_323, "refused": 0, "customers": 148}
    assert first == {"stored": 10_323, "duplicate": 0, **counts}
    assert again == {"stored": 0, "duplicate": 10_323, **counts}

    pages: list[list[dict[str, Any]]] = []
    after = None
    while True:
        page = server.graphql(PAGE, {"after": after}, server.admin_key)["data"]["customer"]["actions"]
        pages.append(page["nodes"])
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    seen = [one for nodes in pages for one in nodes]
    assert [len(nodes) for nodes in pages] == [50, 50, 50, 50, 50, 8]
    assert len({one["id"] for one in seen}) == 258
    assert seen == sorted(seen, key=lambda one: (one["at"], one["sequence"]))
    assert {one["channel"] for one in seen} == {"phone", "web", "email", "desk"}


@pytest.mark.timeout(180)
def test_a_replay_outlives_its_server(tmp_path: Path) -> None:
    channels = ("web", "ivr", "desk")
    lines = [action(login(f"C-{n % 40}"), channel=channels[n % 3]) for n in range(6_000)]
    log = tmp_path / "log.jsonl"
    log.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    data = tmp_path / "data"
    server = steadylight("serve", "--port", 0, "--data", data)
    url = url_of(server)
    with steadylight("key", "add", "--admin", "--json", "--data", data) as made:
        key = json.loads(made.communicate(timeout=60)[0])["key"]
    replaying = steadylight("replay", log, "--url", url, "--key", key, "--json", "--batch", 100)
    try:
        wait_until("the replay is under way", lambda: count(data) > 0, within=60)
        assert replaying.poll() is None
        kill(server, signal.SIGKILL)
        time.sleep(0.5)
        server = steadylight("serve", "--port", url.rpartition(":")[2], "--data", data)
        url_of(server)

        told = json.loads(replaying.communicate(timeout=120)[0])
        stored = count(data)
    finally:
        for process in (replaying, server):
            kill(process, signal.SIGTERM)

    assert (told["sent"], told["refused"], told["customers"]) == (6_000, 0, 40)
    assert told["stored"] + told["duplicate"] == 6_000
    assert stored == 6_000


def url_of(server: "subprocess.Popen[str]") -> str:
    """Where it serves, as soon as it says so."""
    assert server.stdout is not None
    found = re.search(r"(http://\S+)/graphql", server.stdout.readline())
    assert found
    return found[1]


def kill(process: "subprocess.Popen[str]", number: int) -> None:
    """Ends it, if it has not ended."""
    if process.poll() is None:
        process.send_signal(number)
    process.communicate(timeout=30)


def count(data: Path) -> int:
    """How many actions the embedded database holds."""
    with pymongo.MongoClient[dict[str, Any]](running(data)) as client:
        return client["steadylight"]["actions"].count_documents({})
