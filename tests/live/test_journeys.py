"""Journeys through several servers at once, and through servers that are killed."""

import asyncio
from pathlib import Path

import pytest

from steadylight_server.core.embedded import EmbeddedDatabase
from tests.live.journey_races import apply, begin, fire, race
from tests.live.processes import ServerProcess, keys, looking_at

NAME = "steadylight"


@pytest.mark.timeout(300)
def test_one_journey_whoever_asks_at_once_and_each_due_time_once_whatever_dies(tmp_path: Path) -> None:
    with EmbeddedDatabase.start(tmp_path / "data") as mongod, looking_at(mongod.uri) as client:
        given = {"STEADYLIGHT_MONGODB_URI": mongod.uri, "STEADYLIGHT_DATABASE": NAME}
        apply(tmp_path, **given)
        made = keys(mongod.uri, NAME, web="SELF_SERVICE", sms="AUTOMATED_AGENT")
        servers = [ServerProcess(tmp_path / f"{number}.log", "--port", 0, **given) for number in range(2)]
        try:
            rounds = asyncio.run(race([one.url for one in servers], list(made.values()), client[NAME], rounds=2))
            asyncio.run(begin(servers[0].url, made["web"], 30))
            fired = fire(servers, client[NAME], seconds=4, seed=1)
        finally:
            for server in servers:
                server.stop()

    assert all(one.is_sound for one in rounds), rounds
    assert (fired.journeys, fired.once, fired.abandoned) == (30, 30, 30)
    assert fired.kills > 0
