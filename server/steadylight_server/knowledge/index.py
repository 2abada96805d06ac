"""What is searched: the fragments that are published, in memory, found by tantivy. No database, no clock, no I/O.

Each fragment has one audience, by its key, and whoever searches names the keys of those that they are one of. The keys
are terms of the query, so that nothing else is looked at; and whatever depends on other fragments, as what a word is
worth, comes from the statistics of these audiences alone (`statistics`). Tantivy finds the candidates by constants
(`entries`, `query`) and not by its own BM25; the best of them are put in order by `ranking`.

A change is seen whole or not at all: a search works on the state that was there when it began. Changes may come from
any thread, one at a time; searches from any number of them meanwhile.
"""

import threading
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import tantivy

from steadylight_server.knowledge.entries import Counting, Entry, Indexed, State, document, indexed, schema
from steadylight_server.knowledge.query import MOST_SUGGESTIONS, Search
from steadylight_server.knowledge.question import Question
from steadylight_server.knowledge.ranking import BEST, Weights

_HEAP = 15_000_000  # bytes in which a change is prepared; tantivy's least


class Index:
    """Fragments that can be searched, each by whom it is for."""

    def __init__(self, weights: Weights = BEST) -> None:
        #: What the order depends on.
        self.weights = weights
        self._schema = schema()
        self._index = tantivy.Index(self._schema)
        self._writer = self._index.writer(heap_size=_HEAP, num_threads=1)
        self._changing = threading.Lock()
        self._next = 0
        self._state = State(self._index.searcher())

    def __len__(self) -> int:
        """How many fragments there are."""
        return len(self._state.entries)

    def __contains__(self, article: str) -> bool:
        """Whether anything of the article is there."""
        return article in self._state.numbers

    @property
    def audiences(self) -> Collection[str]:
        """The keys of those for whom anything is there."""
        return self._state.statistics.keys()

    def ended(self, at: datetime) -> Collection[str]:
        """Articles that have ended by then. They are not found any more; the next change may take them out."""
        return self._state.at(at).gone

    def put(self, article: str, entries: Sequence[Entry]) -> None:
        """These are the article's fragments from now on; none takes it out."""
        self.change({article: entries})

    def remove(self, article: str) -> None:
        """Takes the article out. One that is not there is none."""
        self.change({article: ()})

    def change(self, articles: Mapping[str, Sequence[Entry]]) -> None:
        """These are the fragments of these articles from now on; all is seen at once."""
        counted = {article: [indexed(entry) for entry in entries] for article, entries in articles.items()}
        with self._changing:
            self._change(counted)

    def replace(self, articles: Mapping[str, Sequence[Entry]]) -> None:
        """These articles, and no others, are there from now on; all is seen at once."""
        counted = {article: [indexed(entry) for entry in entries] for article, entries in articles.items()}
        with self._changing:
            self._change({**{article: [] for article in self._state.numbers}, **counted})

    def _change(self, articles: Mapping[str, Sequence[Indexed]]) -> None:
        before = self._state
        entries, numbers = dict(before.entries), dict(before.numbers)
        statistics = Counting(before.statistics)
        for article, several in articles.items():
            if article in numbers:
                self._writer.delete_documents_by_term("article", article)
            for number in numbers.pop(article, ()):
                statistics.count(entries.pop(number), -1)
            for one in several:
                entries[self._next] = one
                numbers[article] = [*numbers.get(article, ()), self._next]
                self._writer.add_document(document(self._next, one))
                statistics.count(one, 1)
                self._next += 1
        self._writer.commit()
        self._index.reload()
        ends = sorted((at, slug) for slug, of in numbers.items() if (at := entries[of[0]].entry.expires_at) is not None)
        self._state = State(self._index.searcher(), entries, numbers, statistics.counted(), ends)

    def ask(
        self,
        query: str,
        *,
        audiences: Collection[str],
        at: datetime | None = None,
        topics: Collection[str] = (),
        locales: Collection[str] = (),
    ) -> Question | None:
        """What somebody asks of what is for these audiences at that moment, to be answered by steps; None where nothing
        can be found. Without a moment, also of what has ended.

        Whatever somebody types is a query. A word that is not there is mended where others are near, and the last one,
        with nothing behind it, may be the beginning of another. `topics` and `locales` narrow it to fragments with one
        of them.
        """
        state = self._at(at)
        search = Search(state, self._schema, self.weights, audiences)
        asked, meant = search.asked(query)
        if not asked:
            return None
        return Question(search, asked, search.query(asked, topics, locales), meant, state.lasts(frozenset(audiences)))

    def suggest(
        self, text: str, *, audiences: Collection[str], at: datetime | None = None, limit: int = 5
    ) -> list[str]:
        """The text with its last word completed, as often as there is something to be found by it all.

        Those by which most is found come first; nothing where the text does not end in a word.
        """
        return self.opened(audiences, at).completed(text, min(limit, MOST_SUGGESTIONS))

    def opened(self, audiences: Collection[str], at: datetime | None = None) -> Search:
        """What is there for these audiences, at a moment or in any case, to be searched by steps."""
        return Search(self._at(at), self._schema, self.weights, audiences)

    def _at(self, moment: datetime | None) -> State:
        return self._state if moment is None else self._state.at(moment)
