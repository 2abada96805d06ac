"""What 8 processes of 4 threads record while their server is killed every 5 s is stored once, in each one's order.

The server is `steadylight serve` on its embedded database, which dies with it; its store is the judge.
"""

import os
import tempfile
from pathlib import Path

from tests.live.endurance import endure

from .figures import Figures

SECONDS = float(os.environ.get("STEADYLIGHT_PROOF_SECONDS", "60"))


def prove(figures: Figures) -> None:
    """A minute of recording."""
    with tempfile.TemporaryDirectory(prefix="steadylight-endurance-") as folder:
        endured = endure(Path(folder), processes=8, threads=4, seconds=SECONDS, every=5)
    figures.note("times the server was killed", endured.kills, at_least=1)
    figures.note("actions recorded", endured.made, at_least=1)
    figures.note("actions in the database", endured.stored, exactly=endured.made)
    figures.note("of these under an id of their own", endured.ids, exactly=endured.made)
    figures.note("refused", endured.refused, exactly=0)
    figures.note("threads whose actions read back in the order recorded", endured.in_order, exactly=32)
