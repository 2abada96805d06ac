"""64 tasks at once, through 2 processes, link and unlink chained, overlapping groups: all comes out as computed.

After each round the stored customers are compared with a plain recomputation from the stored links.
"""

import asyncio
import tempfile
from pathlib import Path

from steadylight_server.core.embedded import EmbeddedDatabase
from tests.live.link_races import TASKS, race, sound
from tests.live.processes import ServerProcess, admin_key, keys, looking_at

from .figures import Figures

ROUNDS = 200
NAME = "steadylight"


def prove(figures: Figures) -> None:
    """Notes how many rounds ended as a plain recomputation says, with no link lost and no call refused."""
    with tempfile.TemporaryDirectory(prefix="steadylight-links-") as made:
        folder = Path(made)
        with EmbeddedDatabase.start(folder / "data") as mongod, looking_at(mongod.uri) as client:
            given = {"STEADYLIGHT_MONGODB_URI": mongod.uri, "STEADYLIGHT_DATABASE": NAME}
            key = keys(mongod.uri, NAME, web="SELF_SERVICE")["web"]
            admin = admin_key(mongod.uri, NAME)
            servers = [ServerProcess(folder / f"{number}.log", "--port", 0, **given) for number in range(2)]
            try:
                rounds = asyncio.run(race([server.url for server in servers], key, admin, client[NAME], rounds=ROUNDS))
            finally:
                for server in servers:
                    server.stop()
    figures.note("tasks at once", TASKS)
    figures.note("rounds in which customers are as recomputed", len(sound(rounds)), f"of {ROUNDS}", exactly=ROUNDS)
    figures.note("links", sum(one.links for one in rounds))
    figures.note("links lost", sum(one.lost for one in rounds), exactly=0)
    figures.note("calls that were not done", sum(one.refused_calls for one in rounds), exactly=0)
