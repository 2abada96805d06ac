"""What is searched, as it is kept in memory: fragments as plain texts, their words counted, and all of them at once.

In tantivy a fragment has   number: by which it is found here · article, audience, topic, locale: terms that a query
asks for · stems: each of its stems as `language:stem`, and once more for each level that it reaches by how often it
stands where: `language3:stem`. What tantivy finds best is nearly what `ranking` does, and depends on the fragment and
the query alone: its own scores would depend on the lengths of fragments that are not for who asks.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
    """A fragment as it is searched: plain texts. `audience` is the key of whom it is for; `source` is the caller's."""

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

    `numbers` are an article's; `statistics` are by audience and language.
    """

    searcher: tantivy.Searcher
    entries: Mapping[int, Indexed] = field(default_factory=dict)
    numbers: Mapping[str, Sequence[int]] = field(default_factory=dict)
    statistics: Mapping[str, Mapping[str, Statistics]] = field(default_factory=dict)
    _views: dict[frozenset[str], Mapping[str, Visible]] = field(default_factory=dict)

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
