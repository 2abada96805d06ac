"""Questions of people and the passage that each was written for, and how far up a search puts it.

The pages of two publishers, whose passages are fragments for two audiences. They are not part of this repository:
gov.uk (Open Government Licence 3.0) and the US Centers for Disease Control, with the questions of FeedbackQA (Li et al.
2022, Apache-2.0).
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import tantivy

from steadylight_server.knowledge.entries import Entry
from steadylight_server.knowledge.index import Index
from steadylight_server.knowledge.ranking import BEST, Weights
from tests.searching import search

FOLDER = Path(__file__).parents[3] / "shared/data/feedbackqa_gov"
SOURCES = ("uk", "cdc")
FIRST = 10

# The passages that a query finds, by number, the best first.
Searching = Callable[[str], Sequence[int]]


@dataclass(frozen=True)
class Relevance:
    """How often the passage that a question was written for comes first, is among the first five and ten, and the mean
    of one over its place among the ten.
    """

    r1: float
    r5: float
    r10: float
    mrr: float

    @property
    def total(self) -> float:
        """All four, added up: what is tuned."""
        return sum(astuple(self))


def available() -> None:
    """Raises FileNotFoundError where the passages are not there."""
    if not FOLDER.exists():
        raise FileNotFoundError(f"{FOLDER} is needed: the passages are not part of this repository")


def passages(source: str) -> list[dict[str, Any]]:
    """Those of a source."""
    return _lines(f"{source}_passages.jsonl")


def questions(source: str, *splits: str) -> list[tuple[str, int]]:
    """Those of these splits, each with the number of its passage."""
    return [(one["text"], one["passage_id"]) for one in _lines(f"{source}_queries.jsonl") if one["split"] in splits]


def _lines(name: str) -> list[dict[str, Any]]:
    with (FOLDER / name).open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def measured(searching: Searching, asked: Iterable[tuple[str, int]]) -> Relevance:
    """Over all that is asked."""
    places = []
    for text, wanted in asked:
        found = list(searching(text))
        places.append(found.index(wanted) + 1 if wanted in found else 0)
    r1, r5, r10 = (sum(0 < place <= k for place in places) / len(places) for k in (1, 5, FIRST))
    return Relevance(r1, r5, r10, _mrr(places))


def _mrr(places: Sequence[int]) -> float:
    return sum(1 / place for place in places if 0 < place <= FIRST) / len(places)


def index(*sources: str, weights: Weights = BEST) -> Index:
    """An index of all passages of these sources: a page is an article, its passages are fragments for the source."""
    articles: dict[str, list[Entry]] = {}
    for source in sources:
        for one in passages(source):
            entry = Entry(
                article=one["uri"],
                fragment=f"{source}-{one['passage_id']}",
                locale="en",
                title=one["page_title"],
                heading=" ".join(one["section_headers"]),
                body=one["text"],
                audience=source,
            )
            articles.setdefault(one["uri"], []).append(entry)
    index = Index(weights)
    index.change(articles)
    return index


def ours(index: Index, source: str) -> Searching:
    """A search as the source's audience."""

    def found_for(text: str) -> Sequence[int]:
        found = search(index, text, audiences=[source], first=FIRST).hits
        assert {hit.entry.audience for hit in found} <= {source}, "a passage for others was found"
        return [number(hit.entry.fragment) for hit in found]

    return found_for


def number(fragment: str) -> int:
    """That of the passage which is this fragment."""
    return int(fragment.rpartition("-")[2])


def plain(texts: Collection[Mapping[str, Any]]) -> Searching:
    """Tantivy as it comes: English stemming, the same weight for title, headers and text, any of the words."""
    fields = ["title", "headers", "text"]
    builder = tantivy.SchemaBuilder().add_integer_field("id", stored=True)
    for name in fields:
        builder.add_text_field(name, tokenizer_name="en_stem")
    index = tantivy.Index(builder.build())
    writer = index.writer(num_threads=1)
    for one in texts:
        headers = " ".join(one["section_headers"])
        writer.add_document(
            tantivy.Document(id=one["passage_id"], title=one["page_title"], headers=headers, text=one["text"])
        )
    writer.commit()
    index.reload()
    searcher = index.searcher()

    def found_for(text: str) -> Sequence[int]:
        query, _ = index.parse_query_lenient(re.sub(r"[^\w\s]", " ", text), fields)
        return [searcher.doc(address)["id"][0] for _, address in searcher.search(query, FIRST).hits]

    return found_for
