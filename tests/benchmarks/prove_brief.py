"""Short forms of a context keep their budgets, show nothing redacted, and do not depend on order: 1,000 contexts.

Each is made up, with marks in all that must not be seen; the laws of `tests/briefs.py` are checked in each.
"""

from hypothesis import HealthCheck, Phase, given, settings

from tests.briefs import World, hold, worlds

from .figures import Figures

CONTEXTS = 1_000
_CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


def prove(figures: Figures) -> None:
    """Notes in how many contexts all laws hold, and what was in them."""
    kept = journeys = answers = 0

    @settings(
        max_examples=CONTEXTS, deadline=None, database=None, suppress_health_check=_CHECKS, phases=[Phase.generate]
    )
    @given(worlds)
    def laws(world: World) -> None:
        nonlocal kept, journeys, answers
        hold(world)
        kept += 1
        journeys += len(world.context.journeys)
        answers += sum(map(len, world.answers.values()))

    laws()
    figures.note("contexts in which all laws hold", kept, f"of {CONTEXTS}", at_least=CONTEXTS)
    figures.note("journeys in them", journeys)
    figures.note("answers in them", answers)
