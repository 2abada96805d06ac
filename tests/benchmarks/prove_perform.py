"""One deed performed by 4 channels at once, through 2 servers of which one is killed: done once, all told the same.

Against a receiver that honours keys, and against one that does not: there what nobody can know is UNKNOWN.
"""

import asyncio
import os
import tempfile
from pathlib import Path

from steadylight_server.core.embedded import EmbeddedDatabase
from tests.live.perform_races import CHANNELS, House
from tests.live.processes import looking_at

from .figures import Figures

ROUNDS = int(os.environ.get("STEADYLIGHT_PROOF_ROUNDS", "100"))


def prove(figures: Figures) -> None:
    """Notes how many deeds were sound, for each of the two receivers."""
    with tempfile.TemporaryDirectory(prefix="steadylight-perform-") as made:
        folder = Path(made)
        with EmbeddedDatabase.start(folder / "data") as mongod, looking_at(mongod.uri) as client:
            house = House(folder, mongod.uri, client["steadylight"])
            try:
                safe = asyncio.run(house.race("deed.safe", rounds=ROUNDS, seed=5))
                kills = house.kills
                once = asyncio.run(house.race("deed.once", rounds=ROUNDS, seed=6))
            finally:
                house.stop()
    figures.note("channels at once, through 2 servers", len(CHANNELS))
    figures.note("keys honoured: deeds", len(safe))
    figures.note("keys honoured: servers killed meanwhile", kills, at_least=ROUNDS // 4)
    figures.note("keys honoured: deeds done once", sum(one.effects == 1 for one in safe), exactly=ROUNDS)
    figures.note("keys honoured: deeds of which all are told that they are done", _done(safe), exactly=ROUNDS)
    figures.note("keys honoured: deeds of which all channels are told the same", _alike(safe), exactly=ROUNDS)
    figures.note("keys honoured: deeds with one action", sum(one.actions == 1 for one in safe), exactly=ROUNDS)
    figures.note("keys honoured: deeds that took several attempts", sum(one.attempts > 1 for one in safe), at_least=1)
    figures.note("not honoured: deeds", len(once))
    figures.note("not honoured: servers killed meanwhile", house.kills - kills, at_least=ROUNDS // 4)
    figures.note("not honoured: deeds done twice", sum(one.effects > 1 for one in once), exactly=0)
    figures.note("not honoured: deeds of which all channels are told the same", _alike(once), exactly=ROUNDS)
    figures.note("not honoured: deeds with one action", sum(one.actions == 1 for one in once), exactly=ROUNDS)
    figures.note("not honoured: deeds said to be done that are, or UNKNOWN", _honest(once), exactly=ROUNDS)
    figures.note("not honoured: deeds that are UNKNOWN", sum(one.state == "UNKNOWN" for one in once), at_least=1)
    figures.note("of these, really done", sum(one.state == "UNKNOWN" and one.effects == 1 for one in once))


def _done(rounds: list) -> int:
    return sum(one.state == "DONE" for one in rounds)


def _alike(rounds: list) -> int:
    return sum(one.answers == 1 for one in rounds)


def _honest(rounds: list) -> int:
    return sum(one.is_honest for one in rounds)
