"""Real questions find the passage they were written for sooner than by plain tantivy, and never one for others.

Two publishers' pages: each alone, and both in one index with the audience as the filter, on the test questions. What
the order depends on was chosen by `tune_relevance` on other questions. Plain tantivy is measured in the same run, and
once more as it was measured before.
"""

from dataclasses import asdict

from tests.searching import search

from .figures import Figures
from .relevance import FIRST, SOURCES, available, index, measured, ours, passages, plain, questions

# Plain tantivy, as it was measured before this index was written.
BEFORE = {"uk": (0.385, 0.671, 0.771, 0.505), "cdc": (0.537, 0.804, 0.860, 0.646)}
NAMES = {"r1": "R@1", "r5": "R@5", "r10": f"R@{FIRST}", "mrr": f"MRR@{FIRST}"}
CLOSE = 0.01


def prove(figures: Figures) -> None:
    """A few seconds."""
    available()
    together = index(*SOURCES)
    for source in SOURCES:
        asked = questions(source, "test")
        figures.note(f"{source}: questions", len(asked))
        baseline = asdict(measured(plain(passages(source)), asked))
        alone = asdict(measured(ours(index(source), source), asked))
        both = asdict(measured(ours(together, source), asked))
        for (name, label), before in zip(NAMES.items(), BEFORE[source], strict=True):
            figures.note(f"{source}: {label} of plain tantivy", baseline[name])
            figures.note(f"{source}: {label}, alone", alone[name], at_least=max(baseline[name], before) + 1e-9)
            figures.note(f"{source}: {label}, both together", both[name], at_least=alone[name] - CLOSE)
    other = {source: [text for text, _ in questions(source, "test")] for source in SOURCES}
    wrong = sum(
        hit.entry.audience != mine
        for mine in SOURCES
        for texts in other.values()
        for text in texts
        for hit in search(together, text, audiences=[mine]).hits
    )
    figures.note("passages for the other audience among all that was found, whatever was asked", wrong, exactly=0)
