"""An import of 100,000 rows, killed three times: every good row is there once, every bad one is told with its line.

One row in a hundred has a fault of each of seven sorts. Import and database are killed with SIGKILL, and run again.
"""

import tempfile
from pathlib import Path

from tests.live.imports import SORTS, sample, survive

from .figures import Figures

ROWS = 100_000
KILLS = 3


def prove(figures: Figures) -> None:
    """Notes what the last run said, and what is there."""
    with tempfile.TemporaryDirectory(prefix="steadylight-import-") as folder:
        made = sample(Path(folder), ROWS)
        survived = survive(Path(folder), made, kills=KILLS)
    good, told = len(made.good), survived.told
    figures.note("rows", told["rows"], exactly=ROWS)
    figures.note("of these good", good)
    figures.note("with a fault of one of so many sorts", len(SORTS))
    figures.note("times that import and database were killed", len(survived.stored_at_kills), exactly=KILLS)
    figures.note("stored when it was killed first", survived.stored_at_kills[0], at_least=1)
    figures.note("stored when it was killed last", survived.stored_at_kills[-1], at_most=good - 1)
    figures.note("imported or there already, says the last run", told["imported"] + told["unchanged"], exactly=good)
    figures.note("refused", told["refused"], exactly=len(made.refused))
    figures.note("actions", survived.actions, exactly=good)
    figures.note("profiles of records", survived.records, exactly=good)
    figures.note("records with other traits than in the file", survived.wrong_traits, exactly=0)
    figures.note("customers of other records than their e-mail addresses say", survived.wrong_customers, exactly=0)
    figures.note("refused rows that the report lacks, or tells otherwise", survived.wrong_remarks, exactly=0)
    figures.note("batches left half done", survived.intents, exactly=0)
    figures.note("all four runs", survived.seconds, "s")
    figures.note("the last run", told["rows"] / told["seconds"], "rows/s")
