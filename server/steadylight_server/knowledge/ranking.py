"""How well a fragment answers a query: BM25F, in which the fields of a text are weighed before anything is added up.

    a word's weight in the fragment = Σ over fields: weight × occurrences / (1 - b + b × length / mean length)
    score = Σ over words: idf × (k + 1) × weight / (k + weight)
    idf = ln(1 + (fragments - having + ½) / (having + ½))

(Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009.) Tantivy's own BM25 has one k and one b, adds up
fields that were saturated each for itself, and counts fragments that are not for the viewer. It only finds the
candidates, and these are ordered here, by what is counted in `statistics`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from steadylight_server.knowledge.statistics import Lengths


class Weights(NamedTuple):
    """What the order depends on."""

    title: float
    heading: float
    title_b: float
    heading_b: float
    body_b: float
    k: float
    others: float


# As `tests/benchmarks/tune_relevance.py` found them on questions of people.
BEST = Weights(title=6, heading=8, title_b=1, heading_b=1, body_b=0.8, k=5, others=0.2)


class Occurrences(NamedTuple):
    """How often a stem stands in each field of a fragment."""

    title: int = 0
    heading: int = 0
    body: int = 0


@lru_cache(maxsize=10_000)
def occurrences(title: int, heading: int, body: int) -> Occurrences:
    """One object for those that are equal: there are few, and millions of times."""
    return Occurrences(title, heading, body)


class Asked(NamedTuple):
    """A word of a query in one language: what it is worth, and the stems that stand for it, each with its share."""

    idf: float
    stems: Sequence[tuple[str, float]]


def idf(fragments: int, having: int) -> float:
    """What a word is worth that so many of the fragments have."""
    having = min(having, fragments)
    return math.log(1 + (fragments - having + 0.5) / (having + 0.5))


class Ranking:
    """What a query asks in one language, of fragments whose fields are so long in the mean."""

    def __init__(self, asked: Iterable[Asked], means: tuple[float, float, float], weights: Weights) -> None:
        self._terms = [
            (one.idf * (weights.k + 1), stem, share, index)
            for index, one in enumerate(asked)
            for stem, share in one.stems
        ]
        self._means, self._weights = means, weights

    def score(self, occurrences: Mapping[str, Occurrences], lengths: Lengths) -> float:
        """How well a fragment answers; 0 where it has none of the words."""
        title, heading, title_b, heading_b, body_b, k, _ = self._weights
        means = self._means
        title /= 1 - title_b + title_b * lengths[0] / means[0] or 1.0
        heading /= 1 - heading_b + heading_b * lengths[1] / means[1] or 1.0
        body = 1 / (1 - body_b + body_b * lengths[2] / means[2] or 1.0)
        total = weight = worth = 0.0
        last = -1
        for own, stem, share, index in self._terms:
            found = occurrences.get(stem)
            if found is None:
                continue
            if index != last:  # Stems of one word follow one another, and count together.
                total += worth * weight / (k + weight)
                weight, worth, last = 0.0, own, index
            weight += share * (title * found[0] + heading * found[1] + body * found[2])
        return total + worth * weight / (k + weight)
