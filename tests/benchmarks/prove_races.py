"""32 clients record the same new identifier at the same moment through 2 server processes: one customer each time.

In half as many further rounds each client's batch names five new identifiers, in an order of its own.
"""

import asyncio
import tempfile
from pathlib import Path

from steadylight_server.core.embedded import EmbeddedDatabase
from tests.live.processes import ServerProcess, keys, looking_at
from tests.live.races import CLIENTS, race

from .figures import Figures

ROUNDS = 50
NAMES = 5
NAME = "steadylight"


def prove(figures: Figures) -> None:
    """Notes how many rounds ended with one customer per identifier, and all actions in their timelines."""
    with tempfile.TemporaryDirectory(prefix="steadylight-races-") as made:
        folder = Path(made)
        with EmbeddedDatabase.start(folder / "data") as mongod, looking_at(mongod.uri) as client:
            given = {"STEADYLIGHT_MONGODB_URI": mongod.uri, "STEADYLIGHT_DATABASE": NAME}
            key = keys(mongod.uri, NAME, web="SELF_SERVICE")["web"]
            servers = [ServerProcess(folder / f"{number}.log", "--port", 0, **given) for number in range(2)]
            try:
                urls = [server.url for server in servers]
                one = asyncio.run(race(urls, key, client[NAME], rounds=ROUNDS))
                several = asyncio.run(race(urls, key, client[NAME], rounds=ROUNDS // 2, names=NAMES))
            finally:
                for server in servers:
                    server.stop()
    figures.note("clients at once", CLIENTS)
    figures.note(
        "rounds with one customer and all actions in the timeline",
        sum(each.is_one_customer_each(1) for each in one),
        f"of {ROUNDS}",
        exactly=ROUNDS,
    )
    figures.note(
        "rounds with five customers from five identifiers in another order",
        sum(each.is_one_customer_each(NAMES) for each in several),
        f"of {ROUNDS // 2}",
        exactly=ROUNDS // 2,
    )
