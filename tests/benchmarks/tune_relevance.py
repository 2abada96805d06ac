"""Finds what the order of what is found should depend on: `python -m tests.benchmarks.tune_relevance`, half an hour.

One weight after another is set to the best of a few values, twice over, on the questions for training and validation;
those for the test are not looked at. What comes of it is written into `ranking.BEST` by hand.
"""

from collections.abc import Mapping, Sequence

from steadylight_server.knowledge.index import Index
from steadylight_server.knowledge.ranking import BEST, Weights

from .relevance import SOURCES, Relevance, available, index, measured, ours, questions

GRID: Mapping[str, Sequence[float]] = {
    "title": (2, 3, 4, 6, 8, 12),
    "heading": (2, 3, 4, 6, 8, 12),
    "title_b": (0.5, 0.75, 1),
    "heading_b": (0.5, 0.75, 1),
    "body_b": (0.6, 0.7, 0.75, 0.8, 0.9),
    "others": (0, 0.1, 0.2, 0.3),
    "k": (1.2, 2, 3, 4, 5, 6, 8, 10),
}
ROUNDS = 2
LEAST = 0.0005  # by which a value must be better, so that none is chosen by chance


def main() -> None:
    """Prints each step that was better, and the best."""
    available()
    asked = {source: questions(source, "train", "valid") for source in SOURCES}
    indexes = {source: index(source) for source in SOURCES}

    def worth(weights: Weights) -> tuple[float, Mapping[str, Relevance]]:
        found = {source: _measured(indexes[source], weights, source, asked[source]) for source in SOURCES}
        return sum(one.total for one in found.values()) / len(found), found

    best = Weights(title=1, heading=1, title_b=0.75, heading_b=0.75, body_b=0.75, k=1.2, others=0)
    value, _ = worth(best)
    for _ in range(ROUNDS):
        for name, values in GRID.items():
            for other in (best._replace(**{name: one}) for one in values):
                total, found = worth(other)
                if total > value + LEAST:
                    best, value = other, total
                    print(round(value, 4), best, found, flush=True)
    print("the best:", best, "in force:", BEST)


def _measured(index: Index, weights: Weights, source: str, asked: Sequence[tuple[str, int]]) -> Relevance:
    index.weights = weights
    return measured(ours(index, source), asked)


if __name__ == "__main__":
    main()
