"""Two real logs through `steadylight replay`: every action stored once, every customer's timeline whole and in order.

The multichannel log twice: the second time everything is a duplicate. Then one customer of an identifier kind that
nobody declared is paged through. Then the whole log of the same service desk, on another fresh database.
"""

import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from steadylight import Client
from steadylight_server.core.embedded import running
from tests.live.processes import ServerProcess, keys

from .figures import Figures

LOGS = Path(__file__).parents[3] / "shared/data/servicenow_incidents"
CALLER = {"kind": "caller_id", "value": "Caller 90", "assurance": "LOGIN"}
PAGE = 50
TIMELINE = """query($by: CustomerBy!, $after: String) {
  customer(by: $by) {
    actions(first: %d, after: $after, order: OLDEST_FIRST) {
      edges { node { id at sequence channel } } pageInfo { hasNextPage endCursor }
    }
  }
}"""


def prove(figures: Figures) -> None:
    """Notes the counts that `replay` printed, and what the pages held."""
    if not LOGS.exists():
        raise FileNotFoundError(f"{LOGS} is needed: the logs are not part of this repository")
    with tempfile.TemporaryDirectory(prefix="steadylight-replay-") as made:
        data, other = Path(made, "multichannel"), Path(made, "whole")
        first = replay("actions_multichannel.jsonl.gz", data)
        note(figures, "multichannel log", first, sent=10_323, stored=10_323, duplicate=0, refused=0, customers=148)
        again = replay("actions_multichannel.jsonl.gz", data)
        note(figures, "the same again", again, sent=10_323, stored=0, duplicate=10_323, refused=0)
        page_through(figures, data)
        whole = replay("actions.jsonl.gz", other)
        note(figures, "whole log", whole, sent=134_308, stored=134_308, duplicate=0, refused=0, customers=5_247)


def replay(name: str, data: Path) -> dict[str, Any]:
    """What `steadylight replay --json` said at its end."""
    command = [
        sys.executable,
        "-m",
        "steadylight_server.cli",
        "replay",
        str(LOGS / name),
        "--data",
        str(data),
        "--json",
    ]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    told: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return told


def note(figures: Figures, what: str, told: dict[str, Any], **wanted: int) -> None:
    """Each count with its bound, and the speed."""
    for name, count in wanted.items():
        figures.note(f"{what}: {name}", told[name], exactly=count)
    figures.note(f"{what}: speed", told["sent"] / told["seconds"], "actions/s")


def page_through(figures: Figures, data: Path) -> None:
    """One caller's timeline, page by page, beside what the log says."""
    mine = [action for action in lines() if any(one["value"] == CALLER["value"] for one in action["identifiers"])]
    wanted = [f"act_{action['id'].replace('-', '')}" for action in sorted(mine, key=place)]
    server = ServerProcess(data.parent / "server.log", "--port", 0, "--data", data)
    try:
        uri = running(data)
        assert uri is not None
        pages = list(timeline(server.url, keys(uri, "steadylight", reader="ASSISTED")["reader"]))
    finally:
        server.stop()
    nodes = [edge["node"] for page in pages for edge in page]
    figures.note("Caller 90: actions", len(nodes), exactly=258)
    figures.note(f"Caller 90: pages of {PAGE}", len(pages), exactly=6)
    figures.note("Caller 90: different actions", len({node["id"] for node in nodes}), exactly=258)
    figures.note(
        "Caller 90: actions at another place than by (at, sequence, id)",
        sum(node["id"] != id for node, id in zip(nodes, wanted, strict=True)),
        exactly=0,
    )
    channels = {"phone", "web", "email", "desk"}
    figures.note("Caller 90: channels", len(channels & {node["channel"] for node in nodes}), "of 4", exactly=4)


def lines() -> Iterator[dict[str, Any]]:
    """The multichannel log."""
    with gzip.open(LOGS / "actions_multichannel.jsonl.gz", "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def place(action: dict[str, Any]) -> tuple[datetime, int, str]:
    """Where it belongs in the timeline."""
    return datetime.fromisoformat(action["at"]), action["sequence"], action["id"]


def timeline(url: str, key: str) -> Iterator[list[dict[str, Any]]]:
    """The edges of each page, oldest first."""
    after: str | None = None
    with Client(url, key) as light:
        while True:
            asked = {"by": {"identifier": CALLER}, "after": after}
            actions = light.graphql(TIMELINE % PAGE, asked)["customer"]["actions"]
            yield actions["edges"]
            if not actions["pageInfo"]["hasNextPage"]:
                return
            after = actions["pageInfo"]["endCursor"]
