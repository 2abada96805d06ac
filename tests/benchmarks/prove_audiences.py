"""Viewers of all sorts are shown what is for them and nothing else, over GraphQL and the SDK, in every rendering.

Worlds of articles and viewers are drawn by hypothesis, with random conditions; what each viewer is to be shown, to find
and to be counted is worked out a second time, by rules of the tests' own.
"""

import os
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from rich.progress import Progress

from steadylight_server.core.embedded import EmbeddedDatabase
from tests.matrix import Matrix, World, worlds

from .figures import Figures

WORLDS = int(os.environ.get("STEADYLIGHT_PROOF_WORLDS", "150"))
LEAST, MOST = 3, 8  # articles, and viewers, of a world
_CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


def prove(figures: Figures) -> None:
    """Ten minutes; stops at the first world in which an answer is another than it is to be, and tells its smallest."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedDatabase.start(Path(folder)) as database:
        matrix = Matrix(database)
        try:
            _looked(matrix)
        finally:
            matrix.close()
    figures.note("worlds", matrix.counts["worlds"], at_least=WORLDS)
    figures.note("viewer and article: pairs", matrix.counts["pairs"], at_least=WORLDS * LEAST * LEAST)
    figures.note("of these, shown", matrix.counts["shown"], at_least=matrix.counts["pairs"] // 5)
    figures.note("of these, not there", matrix.counts["pairs"] - matrix.counts["shown"], at_least=WORLDS)
    figures.note("renderings compared", matrix.counts["renderings"], at_least=WORLDS * 100)


def _looked(matrix: Matrix) -> None:
    with Progress() as progress:
        bar = progress.add_task("worlds", total=WORLDS)

        @settings(max_examples=WORLDS, deadline=None, database=None, print_blob=True, suppress_health_check=_CHECKS)
        @given(worlds(least=LEAST, most=MOST))
        def law(world: World) -> None:
            matrix.hold(world)
            progress.advance(bar)
            if matrix.counts["worlds"] % 20 == 0 and not progress.console.is_terminal:
                print(f"   {matrix.counts['worlds']:,} worlds, {matrix.counts['pairs']:,} pairs", flush=True)

        law()
