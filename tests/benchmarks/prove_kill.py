"""A replay survives five kills: each action stored exactly once, nothing left half done, projections as rebuilt.

The multichannel log of a real service desk is delivered through the SDK to `steadylight serve` on its embedded
database. Five times, in the middle of it, server and mongod are killed with SIGKILL and started again.
"""

import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

from tests.live.crashes import survive
from tests.live.test_kill import log

from .figures import Figures

LOG = Path(__file__).parents[3] / "shared/data/servicenow_incidents/actions_multichannel.jsonl.gz"
KILLS = 5


def actions() -> dict[str, list[dict[str, Any]]]:
    """The log by channel; where it is absent, a made-up one of the same size."""
    if not LOG.exists():
        return {"web": log(5_000), "desk": log(5_323)}
    by_channel: dict[str, list[dict[str, Any]]] = {}
    with gzip.open(LOG, "rt", encoding="utf-8") as lines:
        for line in lines:
            action = json.loads(line)
            by_channel.setdefault(action.pop("channel"), []).append(action)
    return by_channel


def prove(figures: Figures) -> None:
    """Notes what was sent and what is there."""
    by_channel = actions()
    total = sum(map(len, by_channel.values()))
    with tempfile.TemporaryDirectory(prefix="steadylight-kill-") as folder:
        survived = survive(Path(folder), by_channel, kills=KILLS)
    verdicts = survived.verdicts
    figures.note("times that server and database were killed", survived.kills, exactly=KILLS)
    figures.note("actions sent", verdicts.sent, exactly=total)
    figures.note("actions called stored or duplicate", verdicts.stored + verdicts.duplicate, exactly=total)
    figures.note("of these duplicate: stored before a kill, acknowledged after it", verdicts.duplicate)
    figures.note("actions in the database", survived.stored, exactly=total)
    figures.note("customers", survived.customers, exactly=148 if LOG.exists() else 60)
    figures.note("acknowledged actions lost", survived.lost_acknowledged, exactly=0)
    figures.note("batches left half done by the kills", survived.left_half_done)
    figures.note("of these left in the end", survived.intents, exactly=0)
    figures.note("projected documents", survived.projected, at_least=1)
    figures.note("of these other than `rebuild` makes them", survived.differences, exactly=0)
