"""Finds what the order of what is found should depend on: `python -m tests.benchmarks.tune_relevance`, some minutes.

One weight after another is set to the best of a few values, until a whole round changes nothing: once from where BM25
begins, once from what is in force. It climbs on the questions for training; those for validation judge what it comes
to, and those for the test are not looked at. Which fragments are put in order does not depend on the weights, so each
question is searched for once and its candidates are ordered anew at each step. What comes of it is written into
`ranking.BEST` by hand, where it is the better by the validation too.
"""

from collections.abc import Callable, Mapping, Sequence
from statistics import mean

from steadylight_server.knowledge.entries import Indexed
from steadylight_server.knowledge.index import Index
from steadylight_server.knowledge.query import Search, Terms
from steadylight_server.knowledge.ranking import BEST, Weights

from .relevance import FIRST, SOURCES, Relevance, available, index, measured, number, questions

GRID: Mapping[str, Sequence[float]] = {
    "title": (2, 3, 4, 6, 8, 12),
    "heading": (2, 3, 4, 6, 8, 12),
    "title_b": (0.5, 0.75, 1),
    "heading_b": (0.5, 0.75, 1),
    "body_b": (0.6, 0.7, 0.75, 0.8, 0.9),
    "others": (0, 0.1, 0.2, 0.3),
    "k": (1.2, 2, 3, 4, 5, 6, 8, 10),
}
PLAIN = Weights(title=1, heading=1, title_b=0.75, heading_b=0.75, body_b=0.75, k=1.2, others=0)
ROUNDS = 4
LEAST = 0.0005  # by which a value must be better, so that none is chosen by chance

Candidates = tuple[Search, Terms, Sequence[Indexed]]
Worth = Callable[[Weights], Mapping[str, Relevance]]


def main() -> None:
    """Prints each step that was better, where each climb ends, and what the validation says of it."""
    available()
    indexes = {source: index(source) for source in SOURCES}
    trained, judged = (worth(indexes, split) for split in ("train", "valid"))
    for name, start in {"plain BM25": PLAIN, "what is in force": BEST}.items():
        print(f"from {name}:", flush=True)
        found = climbed(start, trained)
        for what, weights in {"found": found, "in force": BEST}.items():
            print(f"{what}: {weights}")
            for split, measure in {"train": trained, "valid": judged}.items():
                told = measure(weights)
                print(f"   {split} {total(told):.4f} {told}", flush=True)


def climbed(best: Weights, measure: Worth) -> Weights:
    """Where no step along one of the weights is better, or the rounds are over."""
    value = total(measure(best))
    for _ in range(ROUNDS):
        before = best
        for name, values in GRID.items():
            for other in [best._replace(**{name: one}) for one in values]:
                if other != best and (reached := total(measure(other))) > value + LEAST:
                    best, value = other, reached
                    print(f"   {value:.4f} {name} {getattr(best, name)}", flush=True)
        if best == before:
            break
    return best


def total(found: Mapping[str, Relevance]) -> float:
    """The mean over the sources of what is tuned."""
    return mean(one.total for one in found.values())


def worth(indexes: Mapping[str, Index], split: str) -> Worth:
    """How well the questions of a split find their passages with any weights, by source."""
    asked = {source: questions(source, split) for source in SOURCES}
    ready = {source: _searched(indexes[source], source, asked[source]) for source in SOURCES}

    def one(source: str, weights: Weights) -> Relevance:
        return measured(lambda text: _ordered(*ready[source][text], weights), asked[source])

    return lambda weights: {source: one(source, weights) for source in SOURCES}


def _searched(index: Index, source: str, asked: Sequence[tuple[str, int]]) -> Mapping[str, Candidates]:
    """By question: what finds its passage, but for the order."""
    search = index.opened([source])
    terms = {text: search.asked(text)[0] for text, _ in asked}
    found = {text: search.candidates(search.look(search.query(one)))[0] if one else () for text, one in terms.items()}
    return {text: (search, one, found[text]) for text, one in terms.items()}


def _ordered(search: Search, terms: Terms, candidates: Sequence[Indexed], weights: Weights) -> Sequence[int]:
    return [number(one.entry.fragment) for _, one in search.ranked(candidates, terms, weights)[:FIRST]]


if __name__ == "__main__":
    main()
