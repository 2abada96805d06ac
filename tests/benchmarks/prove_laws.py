"""Who is whom does not depend on order or repetition, and a merge taken back leaves no trace: 10,000 made-up worlds.

Each world is recorded twice, once in order and once shuffled, repeated, and dealt out to two servers at once; all five
laws of `tests/laws.py` are checked in each.
"""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings

from steadylight_server.core.config import Settings
from steadylight_server.core.embedded import EmbeddedDatabase
from tests.laws import World, hold, worlds
from tests.server.conftest import opened

from .figures import Figures

WORLDS = 10_000
_CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


def prove(figures: Figures) -> None:
    """Notes how many worlds kept all laws."""
    kept = actions = 0
    with (
        tempfile.TemporaryDirectory() as made,
        EmbeddedDatabase.start(Path(made)) as mongod,
        asyncio.Runner() as runner,
    ):
        house = opened(Settings(mongodb_uri=mongod.uri, database="laws", log_level="error"))
        slices = runner.run(house.__aenter__())

        @settings(
            max_examples=WORLDS, deadline=None, database=None, suppress_health_check=_CHECKS, phases=[Phase.generate]
        )
        @given(worlds)
        def laws(world: World) -> None:
            nonlocal kept, actions
            runner.run(hold(slices, world))
            kept += 1
            actions += 2 * len(world.told)
            if kept % 500 == 0:
                print(f"   {kept:,} worlds", flush=True)

        laws()
        runner.run(house.__aexit__(None, None, None))
    figures.note("worlds in which all five laws hold", kept, f"of {WORLDS}", at_least=WORLDS)
    figures.note("actions recorded in them", actions)
