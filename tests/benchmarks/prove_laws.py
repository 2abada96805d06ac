"""Who is whom does not depend on order or repetition, and a merge taken back leaves no trace: 10,000 made-up worlds.

Each world is recorded twice, once in order and once shuffled, repeated, and dealt out to two servers at once; all five
laws of `tests/laws.py` are checked in each.
"""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from steadylight_server.core.config import Settings
from steadylight_server.core.embedded import EmbeddedDatabase
from tests.laws import World, hold, worlds
from tests.server.conftest import Slices, opened

from .figures import Figures

WORLDS = 10_000
TOGETHER = 5  # at once, since each mostly waits for the database; they share nothing
_CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


def prove(figures: Figures) -> None:
    """Notes how many worlds kept all laws."""
    with tempfile.TemporaryDirectory() as made, EmbeddedDatabase.start(Path(made)) as mongod:
        kept, actions = asyncio.run(_kept(Settings(mongodb_uri=mongod.uri, database="laws", log_level="error")))
    figures.note("worlds in which all five laws hold", kept, f"of {WORLDS}", at_least=WORLDS)
    figures.note("actions recorded in them", actions)


async def _kept(settings: Settings) -> tuple[int, int]:
    """Worlds that kept the laws, and the actions in them; stops at the first that does not. Raises AssertionError."""
    kept = actions = 0

    @settings_of_hypothesis(
        max_examples=WORLDS // TOGETHER,
        deadline=None,
        database=None,
        suppress_health_check=_CHECKS,
        phases=[Phase.generate],
    )
    @given(st.lists(worlds, min_size=TOGETHER, max_size=TOGETHER))
    def laws(some: list[World]) -> None:
        nonlocal kept, actions
        asyncio.run_coroutine_threadsafe(_hold(house, some), loop).result()
        kept += len(some)
        actions += 2 * sum(len(world.told) for world in some)
        if kept % 500 == 0:
            print(f"   {kept:,} worlds", flush=True)

    loop = asyncio.get_running_loop()
    async with opened(settings) as house:
        await asyncio.to_thread(laws)
    return kept, actions


async def _hold(house: Slices, some: list[World]) -> None:
    await asyncio.gather(*(hold(house, world) for world in some))
