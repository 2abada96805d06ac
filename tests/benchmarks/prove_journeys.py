"""Many start, answer and take further one journey at once, through 2 servers: one journey, nothing lost, losers told.

Then 300 journeys stall and are abandoned while both servers are killed, one at a time: each fires once.
"""

import asyncio
import os
import tempfile
from pathlib import Path

from steadylight_server.core.embedded import EmbeddedDatabase
from tests.live.journey_races import CLIENTS, apply, begin, fire, race
from tests.live.processes import ServerProcess, keys, looking_at

from .figures import Figures

ROUNDS = int(os.environ.get("STEADYLIGHT_PROOF_ROUNDS", "100"))
JOURNEYS = 300
NAME = "steadylight"


def prove(figures: Figures) -> None:
    """Notes how many rounds were sound, and how many journeys fired once."""
    with tempfile.TemporaryDirectory(prefix="steadylight-journeys-") as made:
        folder = Path(made)
        with EmbeddedDatabase.start(folder / "data") as mongod, looking_at(mongod.uri) as client:
            given = {"STEADYLIGHT_MONGODB_URI": mongod.uri, "STEADYLIGHT_DATABASE": NAME}
            apply(folder, **given)
            made_of = keys(mongod.uri, NAME, web="SELF_SERVICE", sms="AUTOMATED_AGENT")
            servers = [ServerProcess(folder / f"{number}.log", "--port", 0, **given) for number in range(2)]
            try:
                urls = [server.url for server in servers]
                rounds = asyncio.run(race(urls, list(made_of.values()), client[NAME], rounds=ROUNDS))
                asyncio.run(begin(servers[0].url, made_of["web"], JOURNEYS))
                fired = fire(servers, client[NAME], seconds=24, seed=6)
            finally:
                for server in servers:
                    server.stop()
    figures.note("clients at once, through 2 servers", CLIENTS)
    figures.note("rounds", len(rounds))
    figures.note("rounds with one journey", sum(one.journeys == 1 for one in rounds), exactly=ROUNDS)
    figures.note("rounds in which one client alone began it", sum(one.new == 1 for one in rounds), exactly=ROUNDS)
    figures.note("rounds in which one step was taken", sum(one.winners == 1 for one in rounds), exactly=ROUNDS)
    figures.note(
        "losers who were told what came first", sum(one.told for one in rounds), exactly=ROUNDS * (CLIENTS - 1)
    )
    figures.note("answers kept", sum(one.answers for one in rounds), exactly=ROUNDS * (CLIENTS + 1))
    figures.note("rounds in which every answer is the latest", sum(one.right for one in rounds), exactly=ROUNDS)
    figures.note("servers killed while journeys were due", fired.kills, at_least=5)
    figures.note("journeys that stalled and were abandoned once each", fired.once, exactly=JOURNEYS)
    figures.note("journeys that are abandoned", fired.abandoned, exactly=JOURNEYS)
    figures.note("seconds by which the slowest was late, killed servers' starts included", fired.latest, "s")
