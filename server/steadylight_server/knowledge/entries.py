"""What is searched, as it is kept in memory: fragments as plain texts, their words counted, and all of them at once.

In tantivy a fragment has   number: by which it is found here · article, audience, topic, locale: terms that a query
asks for · stems: each of its stems as `language:stem`, and once more for each level that it reaches by how often it
stands where: `language3:stem`. What tantivy finds best is nearly what `ranking` does, and depends on the fragment and
the query alone: its own scores would depend on the lengths of fragments that are not for who asks.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property, partial
from sys import intern
from typing import Any, NamedTuple

import tantivy

from steadylight_server.knowledge.analysis import analyser, language, texts
from steadylight_server.knowledge.ranking import BEST, Asked, Occurrences, Ranking, occurrences
from steadylight_server.knowledge.statistics import Lengths, Listed, Statistics, Visible, sorted_words

# By level: what a stem must be worth in a fragment to reach it, by `ranking` with fields of usual lengths.
_REACHED = (0.0, 1.0, 2.2, 4.0)
_USUAL = (8.0, 6.0, 100.0)
# By level: how much more than at the one below a stem counts that reaches it.
LEVELS = (0.6, 0.85, 1.1, 1.5)
_MOST_VIEWS = 100  # sets of audiences for which what was worked out is kept until the next change


@dataclass(frozen=True)
class Entry:
    """A fragment as it is searched: plain texts. `audience` is the key of whom it is for; `source` is the caller's.

    From `expires_at` on, which is the article's, it is not there.
    """

    article: str
    fragment: str
    locale: str
    title: str
    heading: str
    body: str
    audience: str
    version: int = 1
    keywords: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    expires_at: datetime | None = None
    source: Any = None


class Indexed(NamedTuple):
    """A fragment with its words counted. `occurrences` are by stem, `words` as they are written, in lower case."""

    entry: Entry
    language: str
    lengths: Lengths
    occurrences: Mapping[str, Occurrences]
    words: frozenset[str]


@dataclass(frozen=True)
class State:
    """All that is searched, as it was after one change. What it holds is never changed, but for what it remembers.

    `numbers` are an article's; `statistics` are by audience and language. `ends` says when which articles end, the next
    first; `gone` are those that have ended, and that tantivy alone still has.
    """

    searcher: tantivy.Searcher
    entries: Mapping[int, Indexed] = field(default_factory=dict)
    numbers: Mapping[str, Sequence[int]] = field(default_factory=dict)
    statistics: Mapping[str, Mapping[str, Statistics]] = field(default_factory=dict)
    ends: Sequence[tuple[datetime, str]] = ()
    gone: frozenset[str] = frozenset()
    _views: dict[frozenset[str], Mapping[str, Visible]] = field(default_factory=dict)
    _lasting: dict[frozenset[str], datetime | None] = field(default_factory=dict)
    _later: dict[int, "State"] = field(default_factory=dict)

    def at(self, moment: datetime) -> "State":
        """What is there at that moment: without what has ended, as if it had never been there."""
        over = bisect_right(self.ends, moment, key=lambda end: end[0])
        if not over:
            return self
        if over not in self._later:
            self._later.clear()
            self._later[over] = self._without(over)
        return self._later[over]

    def _without(self, over: int) -> "State":
        """The same without so many of the articles that end next. A few milliseconds, once for each that ends."""
        ended = frozenset(article for _, article in self.ends[:over])
        counting = Counting(self.statistics)
        for number in (number for article in ended for number in self.numbers[article]):
            counting.count(self.entries[number], -1)
        numbers = {article: several for article, several in self.numbers.items() if article not in ended}
        return State(self.searcher, self.entries, numbers, counting.counted(), self.ends[over:], self.gone | ended)

    def lasts(self, audiences: frozenset[str]) -> datetime | None:
        """When the first of what is there for these audiences ends; None where nothing does."""
        if audiences not in self._lasting:
            if len(self._lasting) >= _MOST_VIEWS:
                self._lasting.clear()
            theirs = (moment for moment, article in self.ends if self._is_for(article, audiences))
            self._lasting[audiences] = next(theirs, None)
        return self._lasting[audiences]

    def _is_for(self, article: str, audiences: Collection[str]) -> bool:
        return any(self.entries[number].entry.audience in audiences for number in self.numbers[article])

    def visible(self, audiences: frozenset[str]) -> Mapping[str, Visible]:
        """What is there for these audiences, by language: that of most fragments comes first."""
        if (known := self._views.get(audiences)) is not None:
            return known
        parts: dict[str, list[Statistics]] = {}
        for key in audiences.intersection(self.statistics):
            for one in self.statistics[key].values():
                parts.setdefault(one.language, []).append(one)
        views = [(name, Visible(several, partial(self._listed, name))) for name, several in parts.items()]
        view = dict(sorted(views, key=lambda named: (-named[1].fragments, named[0])))
        if len(self._views) >= _MOST_VIEWS:
            self._views.clear()
        self._views[audiences] = view
        return view

    @cached_property
    def _words(self) -> Mapping[str, Sequence[Listed]]:
        return sorted_words(one for several in self.statistics.values() for one in several.values())

    def _listed(self, language: str) -> Sequence[Listed]:
        return self._words[language]


class Counting:
    """Statistics that are being changed: of what changes, a copy."""

    def __init__(self, before: Mapping[str, Mapping[str, Statistics]]) -> None:
        self._before = before
        self._changed: dict[tuple[str, str], Statistics] = {}

    def count(self, one: Indexed, sign: int) -> None:
        """One fragment more, or less for a `sign` of -1."""
        key = (one.entry.audience, one.language)
        if key not in self._changed:
            known = self._before.get(key[0], {}).get(key[1])
            self._changed[key] = known.copy() if known else Statistics(one.language)
        self._changed[key].count(one.lengths, one.occurrences, one.words, sign)

    def counted(self) -> Mapping[str, Mapping[str, Statistics]]:
        """All as it is now, without audiences of which nothing is left."""
        found = {audience: dict(several) for audience, several in self._before.items()}
        for (audience, name), one in self._changed.items():
            found.setdefault(audience, {})[name] = one
        left = {key: {name: one for name, one in several.items() if one.fragments} for key, several in found.items()}
        return {key: several for key, several in left.items() if several}


def schema() -> tantivy.Schema:
    """That of the fragments in tantivy."""
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("number", fast=True)
    for name in ("article", "audience"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    for name in ("topic", "locale"):
        builder.add_text_field(name, fast=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("stems", tokenizer_name="whitespace", index_option="basic")
    return builder.build()


def indexed(entry: Entry) -> Indexed:
    """The fragment with its words counted."""
    name = language(entry.locale)
    rules = analyser(name)
    entry = replace(entry, body=" ".join(entry.body.split()))
    fields = [texts(entry.title), texts(" ".join([entry.heading, *entry.keywords])), texts(entry.body)]
    every = {intern(word) for several in fields for word in several}
    rules.learn(every)
    title, heading, body = (Counter(map(rules.stem, several)) for several in fields)
    stems = {stem: occurrences(title[stem], heading[stem], body[stem]) for stem in {**title, **heading, **body}}
    lengths = Lengths(*(sum(not rules.is_stop_word(word) for word in several) for several in fields))
    return Indexed(entry, name, lengths, stems, frozenset(every))


def document(number: int, one: Indexed) -> tantivy.Document:
    """The fragment as tantivy is given it."""
    return tantivy.Document(
        number=number,
        article=one.entry.article,
        audience=one.entry.audience,
        locale=one.entry.locale,
        topic=list(one.entry.topics),
        stems=" ".join(_levelled(one)),
    )


def term(language: str, stem: str, level: int = 0) -> str:
    """A stem as it stands in tantivy, where it reaches that level; each reaches the first."""
    return f"{language}{level or ''}:{stem}"


def _levelled(one: Indexed) -> Iterable[str]:
    for stem in one.occurrences:
        worth = Ranking([Asked(1.0, [(stem, 1.0)])], _USUAL, BEST).score(one.occurrences, one.lengths)
        for level in range(bisect_right(_REACHED, worth)):
            yield term(one.language, stem, level)
