"""The laws of identity, for a few worlds; `make prove-laws` shows them for ten thousand."""

from hypothesis import HealthCheck, Phase, given, settings

from tests.laws import World, hold, worlds
from tests.server.conftest import Slices

# A world takes a tenth of a second: making one that fails smaller would take minutes, and its actions tell enough.
_PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
_CHECKS = [HealthCheck.function_scoped_fixture]


@settings(max_examples=25, deadline=None, phases=_PHASES, suppress_health_check=_CHECKS)
@given(worlds)
async def test_the_laws_of_identity_hold(shared: Slices, world: World) -> None:
    await hold(shared, world)
