"""A question to one state of what is searched, answered by steps: whatever changes meanwhile is not seen.

What tantivy does is the largest step, and the only one that does without Python's lock: it may run in any thread.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import tantivy

from steadylight_server.knowledge.analysis import analyser
from steadylight_server.knowledge.entries import Entry, Indexed
from steadylight_server.knowledge.query import Count, Search, Terms
from steadylight_server.knowledge.ranking import Asked
from steadylight_server.knowledge.snippets import Marked, snippet


class Hit(NamedTuple):
    """A fragment that was found; the score says nothing beyond this one search."""

    entry: Entry
    score: float
    snippet: Marked


@dataclass(frozen=True)
class Found:
    """What was found, the best first. `total` counts all, of which the best `MOST_RANKED` can be had.

    `meant` is the query with words that are there in place of those that are not; None where nothing was mended.
    `until` is when the first of what is there for who searched ends; None where nothing does.
    """

    hits: Sequence[Hit] = ()
    total: int = 0
    meant: str | None = None
    topics: Sequence[Count] = ()
    locales: Sequence[Count] = ()
    until: datetime | None = None


@dataclass(frozen=True)
class Question:
    """What somebody asked for, as a query over what is for them."""

    search: Search
    asked: Terms
    query: tantivy.Query
    meant: str | None
    until: datetime | None

    def look(self) -> tantivy.SearchResult:
        """What tantivy finds. For any thread."""
        return self.search.look(self.query)

    def found(self, looked: tantivy.SearchResult, *, first: int = 10, offset: int = 0) -> Found:
        """What that comes to: so many hits behind the offset."""
        candidates, total = self.search.candidates(looked)
        page = self.search.ranked(candidates, self.asked)[offset : offset + first]
        worths = {name: _worths(terms) for name, terms in self.asked.items()}
        hits = [Hit(one.entry, score, _snippet(one, worths[one.language])) for score, one in page]
        return Found(hits, total, self.meant, until=self.until)

    def counted(self) -> tuple[Sequence[Count], Sequence[Count]]:
        """What was found by topic and by locale, the most frequent first. For any thread."""
        return self.search.counted(self.query)


def _worths(terms: Sequence[Asked]) -> Mapping[str, float]:
    return {stem: term.idf for term in terms for stem, _ in term.stems}


def _snippet(one: Indexed, worths: Mapping[str, float]) -> Marked:
    rules = analyser(one.language)
    stems = {stem for stem in worths if stem in one.occurrences and one.occurrences[stem].body}
    return snippet(one.entry.body, rules.places(one.entry.body, stems), worths)
