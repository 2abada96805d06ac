"""A real service desk's log, which knows of no journeys, becomes 24,918 of them, in whatever order it is replayed.

The example blueprint is applied to a fresh database and the log replayed; then again on another one with its lines
shuffled. What `steadylight journeys` counts is what was computed on the raw rows; both databases hold the same threads.
"""

import gzip
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from steadylight_server.core.embedded import EmbeddedDatabase

from .figures import Figures

ROOT = Path(__file__).parents[2]
LOG = ROOT.parent / "shared/data/servicenow_incidents/actions.jsonl.gz"
BLUEPRINT = ROOT / "examples/service-desk.yaml"
JOURNEYS = 24_918
REOPENED = 275
COUNTS = {"group_reassignments": 17_915, "person_reassignments": 2_089}
BY_CHANNEL = {"phone": 24_684, "web": 161, "email": 61, "ivr": 9, "desk": 3}
SEED = 7


def prove(figures: Figures) -> None:
    """Notes what was counted in each database, and how many threads differ between them."""
    if not LOG.exists():
        raise FileNotFoundError(f"{LOG} is needed: the logs are not part of this repository")
    with tempfile.TemporaryDirectory(prefix="steadylight-threads-") as made:
        first, second = Path(made, "in-order"), Path(made, "shuffled")
        note(figures, "in order", first, LOG)
        note(figures, "shuffled", second, shuffled(Path(made, "shuffled.jsonl.gz")))
        one, other = threads(first), threads(second)
    differ = sum(one.get(about) != other.get(about) for about in one.keys() | other.keys())
    figures.note("threads that differ between the two databases", differ, exactly=0)
    figures.note("threads compared", len(one), exactly=JOURNEYS)


def note(figures: Figures, what: str, data: Path, log: Path) -> None:
    """Replays the log on a fresh database, and notes what was counted there."""
    steadylight("apply", BLUEPRINT, "--yes", data=data)
    replayed = steadylight("replay", log, data=data)
    figures.note(f"{what}: stored", replayed["stored"], exactly=replayed["sent"])
    figures.note(f"{what}: speed", replayed["sent"] / replayed["seconds"], "actions/s")
    began = time.monotonic()
    (counted,) = steadylight("journeys", data=data)
    figures.note(f"{what}: journeys", counted["journeys"], exactly=JOURNEYS)
    figures.note(f"{what}: completed", counted["completed"], exactly=JOURNEYS)
    figures.note(f"{what}: reopened", counted["reopened"], exactly=REOPENED)
    for name, count in COUNTS.items():
        figures.note(f"{what}: {name}", counted["counts"][name], exactly=count)
    for channel, count in BY_CHANNEL.items():
        figures.note(f"{what}: began in {channel}", counted["by_channel"][channel], exactly=count)
    figures.note(f"{what}: other channels", len(counted["by_channel"].keys() - BY_CHANNEL.keys()), exactly=0)
    figures.note(f"{what}: counting them", time.monotonic() - began, "s")


def steadylight(*arguments: object, data: Path) -> Any:
    """What the command said, as JSON."""
    command = [sys.executable, "-m", "steadylight_server.cli", *map(str, arguments), "--data", str(data), "--json"]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(printed.splitlines()[-1])


def shuffled(file: Path) -> Path:
    """The log with its lines in another order."""
    with gzip.open(LOG, "rt", encoding="utf-8") as log:
        lines = log.readlines()
    random.Random(SEED).shuffle(lines)
    with gzip.open(file, "wt", encoding="utf-8", compresslevel=1) as other:
        other.writelines(lines)
    return file


def threads(data: Path) -> dict[tuple[str, ...], dict[str, Any]]:
    """The threads that are stored, by caller, type and subject, their sets in order; profiles' ids differ each time."""
    with EmbeddedDatabase.start(data) as embedded, MongoClient[dict[str, Any]](embedded.uri) as client:
        database = client["steadylight"]
        callers = {one["_id"]: f"{one['kind']} {one['value']}" for one in database["profiles"].find()}
        found: dict[tuple[str, ...], dict[str, Any]] = {}
        for one in database["threads"].find({}, {"_id": 0}):
            about = (callers[one.pop("profile_id")], one["type"], one["subject"]["kind"], one["subject"]["id"])
            sets = {"channels": one["channels"], "reopenings": one.get("reopenings", []), **one.get("counts", {})}
            found[about] = {**one, "counts": None, **{name: sorted(ids) for name, ids in sets.items()}}
        return found
