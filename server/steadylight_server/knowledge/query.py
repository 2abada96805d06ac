"""One search: what somebody typed, as a query to tantivy over what is for them, and the order of what it finds."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import tantivy
from tantivy import Occur, Query

from steadylight_server.knowledge.analysis import Word, analyser, words
from steadylight_server.knowledge.entries import LEVELS, Indexed, State, term
from steadylight_server.knowledge.ranking import Asked, Ranking, Weights, idf
from steadylight_server.knowledge.statistics import Visible

MOST_QUERY = 500  # characters; what is typed beyond them is not looked at
MOST_RANKED = 50  # candidates that are put in order: half of the cost of 100, and nearly the same first ten
MOST_SUGGESTIONS = 20
_MOST_WORDS = 32  # different ones of a query, the first
# Of these that are not there, the first, for which others are looked for: 20 ms each in a large house.
_MOST_STRANGE = 8
_MOST_COMPLETED = 10  # words that the last one may be the beginning of
_BEGUN = 0.5  # what a completed word counts for, beside one that was typed whole
_MENDED = 0.8  # the same of a mended one
_MOST_COUNTED = 100  # topics
_MANY = 30  # values of a filter, beyond which they are looked for as a set
_BEST = 3  # fragments of an article, which speak for one another

# By language: the words of a query as they stand for stems that are there.
Terms = Mapping[str, Sequence[Asked]]


@dataclass(frozen=True)
class Count:
    """How many fragments were found with a topic, or in a locale."""

    name: str
    count: int


class Search:
    """What of a state is for these audiences."""

    def __init__(self, state: State, schema: tantivy.Schema, weights: Weights, audiences: Collection[str]) -> None:
        self._searcher, self._entries, self._gone = state.searcher, state.entries, state.gone
        self._schema, self._weights = schema, weights
        self._audiences = frozenset(audiences).intersection(state.statistics)
        self._view = state.visible(self._audiences)

    def asked(self, query: str) -> tuple[Terms, str | None]:
        """What the query asks for, and what was meant, where words of it are not there but others are near; else None.

        A word that says nothing by itself is left out, unless there are no others.
        """
        query = query[:MOST_QUERY]
        typed = list({word.text: word for word in words(query)}.values())[:_MOST_WORDS]
        is_open = {word.text: word.end == len(query) for word in typed[-1:]}
        known = {word.text: self._known(word.text, is_open.get(word.text, False)) for word in typed}
        strange = [word for word in typed if not known[word.text]][:_MOST_STRANGE]
        mended = {word: near for word in strange if (near := self._near(word.text))}
        for word, near in mended.items():
            known[word.text] = {name: self._stems(name, found, _MENDED) for name, found in near.items()}
        asked = {}
        for name, view in self._view.items():
            rules = analyser(name)
            telling = [word.text for word in typed if not rules.is_stop_word(word.text)] or [one.text for one in typed]
            # Forms of one word are asked for once.
            distinct = {tuple(stems): stems for word in telling if (stems := known[word].get(name))}
            if distinct:
                asked[name] = [_asked(view, stems) for stems in distinct.values()]
        return asked, _meant(query, mended) if mended else None

    def _known(self, word: str, is_open: bool) -> dict[str, Mapping[str, float]]:
        """By language: the stems that stand for a word, with their shares; none in a language that does not have it."""
        found: dict[str, Mapping[str, float]] = {}
        for name, view in self._view.items():
            stem = analyser(name).stem(word)
            stems = {stem: 1.0} if view.having(stem) else {}
            if is_open:
                stems = {**self._stems(name, view.beginning(word, _MOST_COMPLETED), _BEGUN), **stems}
            if stems:
                found[name] = stems
        return found

    def _near(self, word: str) -> Mapping[str, Sequence[str]]:
        """By language: words that may have been meant."""
        return {name: found for name, view in self._view.items() if (found := view.near(word))}

    def _stems(self, name: str, words: Iterable[str], share: float) -> Mapping[str, float]:
        return {analyser(name).stem(word): share for word in words}

    def query(self, asked: Terms, topics: Collection[str] = (), locales: Collection[str] = ()) -> Query:
        """Any of the words, in what is for the audiences; and has one of the topics, and locales, where any are named.

        What a word is worth is said here: tantivy would count it over all fragments.
        """
        found = []
        for name, terms in asked.items():
            for stem, worth in ((stem, share * one.idf) for one in terms for stem, share in one.stems):
                for level, gain in enumerate(LEVELS):
                    having = self._having(term(name, stem, level))
                    found.append((Occur.Should, Query.const_score_query(having, gain * worth)))
        return Query.boolean_query([(Occur.Must, Query.boolean_query(found)), *self._filters(topics, locales)])

    def _having(self, text: str) -> Query:
        return Query.term_query(self._schema, "stems", text, index_option="basic")

    def _filters(self, topics: Collection[str] = (), locales: Collection[str] = ()) -> Iterator[tuple[Occur, Query]]:
        wanted = {"audience": self._audiences, "topic": topics, "locale": locales}
        for name, values in wanted.items():
            if values or name == "audience":
                yield Occur.Must, Query.const_score_query(self._one_of(name, sorted(values)), 0.0)
        if self._gone:
            yield Occur.MustNot, self._one_of("article", sorted(self._gone))

    def _one_of(self, field: str, values: Sequence[str]) -> Query:
        """Has one of the values. A set of them is made anew for each search, by a look at all that has one."""
        if len(values) > _MANY:
            return Query.term_set_query(self._schema, field, values)
        terms = [Query.term_query(self._schema, field, one, index_option="basic") for one in values]
        return Query.boolean_query([(Occur.Should, term) for term in terms])

    def look(self, query: Query) -> tantivy.SearchResult:
        """The best candidates by tantivy's lights, at most `MOST_RANKED`, and how many there are. For any thread."""
        return self._searcher.search(query, limit=MOST_RANKED, count=True)

    def candidates(self, looked: tantivy.SearchResult) -> tuple[list[Indexed], int]:
        """What is worth putting in order, whatever the weights; and how many there are."""
        numbers = self._searcher.fast_field_values("number", [address for _, address in looked.hits])
        return [self._entries[int(number)] for number in numbers if number is not None], _total(looked)

    def ranked(
        self, candidates: Sequence[Indexed], asked: Terms, weights: Weights | None = None
    ) -> list[tuple[float, Indexed]]:
        """The candidates with their scores, the best first, what is equal by its names."""
        weights = weights or self._weights
        rankings = {name: Ranking(terms, self._view[name].means, weights) for name, terms in asked.items()}
        scored = [(rankings[one.language].score(one.occurrences, one.lengths), one) for one in candidates]
        scored = _beside_others(scored, weights.others)
        scored.sort(key=_order)
        return scored

    def counted(self, query: Query) -> tuple[Sequence[Count], Sequence[Count]]:
        """What was found by topic and by locale, the most frequent first. For any thread."""
        fields = {name: {"terms": {"field": name, "size": _MOST_COUNTED}} for name in ("topic", "locale")}
        told = self._searcher.aggregate(query, fields)
        topics, locales = (
            sorted((Count(one["key"], int(one["doc_count"])) for one in told[name]["buckets"]), key=_most)
            for name in fields
        )
        return topics, locales

    def completed(self, text: str, limit: int) -> list[str]:
        """The text with its last word completed, so that something is found by all its words; at most so many."""
        typed = list(words(text[:MOST_QUERY]))[:_MOST_WORDS]
        if not typed or typed[-1].end < len(text):
            return []
        last = typed[-1]
        counted: Counter[str] = Counter()
        for name, view in self._view.items():
            rules = analyser(name)
            before = {rules.stem(word.text) for word in typed[:-1] if not rules.is_stop_word(word.text)}
            for word in view.beginning(last.text, MOST_SUGGESTIONS):
                if not rules.is_stop_word(word):
                    both = {*before, rules.stem(word)}
                    counted[word] += self._having_all(name, both) if before else view.having_word(word)
        best = sorted((-count, word) for word, count in counted.items() if count)
        return [text[: last.start] + word for _, word in best[:limit]]

    def _having_all(self, name: str, stems: Iterable[str]) -> int:
        """How many fragments have all of the stems."""
        terms = [(Occur.Must, self._having(term(name, stem))) for stem in sorted(stems)]
        query = Query.boolean_query([*terms, *self._filters()])
        return _total(self._searcher.search(query, limit=1, count=True))


def _beside_others(scored: Sequence[tuple[float, Indexed]], share: float) -> list[tuple[float, Indexed]]:
    """The scores, with a share of what the best of the same article have in the mean: of fragments that answer equally
    well, that of an article of which more do is the likelier.
    """
    of: dict[str, list[float]] = {}
    for score, one in scored:
        of.setdefault(one.entry.article, []).append(score)
    more = {article: share * sum(sorted(scores)[-_BEST:]) / _BEST for article, scores in of.items()}
    return [(score + more[one.entry.article], one) for score, one in scored]


def _total(answer: tantivy.SearchResult) -> int:
    return int(answer.count)  # type: ignore[attr-defined]  # tantivy's stub leaves it out


def _asked(view: Visible, stems: Mapping[str, float]) -> Asked:
    """A word is worth what is written whole, where that is there."""
    whole = [stem for stem, share in stems.items() if share == 1.0]
    return Asked(idf(view.fragments, sum(map(view.having, whole or stems))), list(stems.items()))


def _meant(query: str, mended: Mapping[Word, Mapping[str, Sequence[str]]]) -> str:
    """The query with the best word in place of each that is not there."""
    parts, last = [], 0
    for word in sorted(mended, key=lambda word: word.start):
        best = next(iter(mended[word].values()))[0]
        parts += [query[last : word.start], best]
        last = word.end
    return "".join([*parts, query[last:]])


def _order(scored: tuple[float, Indexed]) -> tuple[float, str, str, str]:
    score, one = scored
    return -score, one.entry.article, one.entry.fragment, one.entry.locale


def _most(count: Count) -> tuple[int, str]:
    return -count.count, count.name
