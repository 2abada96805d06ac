"""Deeds performed by several channels at once, through servers that are killed."""

import asyncio
from pathlib import Path

import pytest

from steadylight_server.core.embedded import EmbeddedDatabase
from tests.live.perform_races import House
from tests.live.processes import looking_at


@pytest.mark.timeout(300)
def test_a_deed_is_done_once_and_told_alike_whatever_dies(tmp_path: Path) -> None:
    with EmbeddedDatabase.start(tmp_path / "data") as mongod, looking_at(mongod.uri) as client:
        house = House(tmp_path, mongod.uri, client["steadylight"])
        try:
            safe = asyncio.run(house.race("deed.safe", rounds=8, seed=1))
            once = asyncio.run(house.race("deed.once", rounds=8, seed=2))
        finally:
            house.stop()

    assert house.kills == 4
    assert all(one.is_sound and one.is_honest for one in (*safe, *once)), (safe, once)
    assert [(one.state, one.effects) for one in safe] == [("DONE", 1)] * 8
