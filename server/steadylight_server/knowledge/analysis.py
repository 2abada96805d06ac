"""Words and what is left of them when their endings are taken off: what is searched for, and what is searched in.

Both go through here, so that they always agree. A text is cut into words at whatever is no letter or digit; where words
are not divided by spaces, as in Chinese and Japanese, each character is one. A word is made lower-case, its ending is
taken off by the rules of its language (the Snowball stemmers of tantivy), and then its accents: who types `kundigen`
finds `Kündigung`.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from functools import cache, lru_cache
from typing import NamedTuple

from tantivy import Filter, TextAnalyzer, TextAnalyzerBuilder, Tokenizer

# Han, Hiragana and Katakana: a word for each character.
_ALONE = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_ALONE}]|[^\W_{_ALONE}]+")
_JOINED = re.compile(rf"[^\W_{_ALONE}]")
_LONGEST = 60  # characters; what is longer is no word, and would only fill the index

# fmt: off
_STEMMERS = {
    "ar": "arabic", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish", "fi": "finnish",
    "fr": "french", "hu": "hungarian", "it": "italian", "nb": "norwegian", "nl": "dutch", "nn": "norwegian",
    "no": "norwegian", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sv": "swedish", "ta": "tamil",
    "tr": "turkish",
}
# fmt: on
# Tantivy knows no stop words of these.
_WITHOUT_STOP_WORDS = frozenset({"arabic", "greek", "romanian", "tamil", "turkish"})
# Its list for English has the 33 of Lucene: nothing of what questions begin with, or of what an apostrophe cuts off.
_QUESTIONS = (
    "about am any been being can could d did didn do does doesn doing don from had has have having he her hers him his"
    " how i its ll m may me might mine must my our ours re s shall she should so some t than them themselves those to"
    " us ve was we were what when where which while who whom whose why would you your yours"
)


class Word(NamedTuple):
    """A word of a text, in lower case, and where it stands there."""

    text: str
    start: int
    end: int


def words(text: str) -> Iterator[Word]:
    """The words of a text, in order."""
    for found in _WORD.finditer(text):
        word = found[0]
        if len(word) <= _LONGEST:
            yield Word(word.lower(), found.start(), found.end())


def texts(text: str) -> list[str]:
    """The same without their places, which is several times as fast."""
    return [word.lower() for word in _WORD.findall(text) if len(word) <= _LONGEST]


@lru_cache(maxsize=100_000)
def folded(word: str) -> str:
    """A word without accents, for comparing how words begin and how far they are from one another."""
    return "".join(one for one in unicodedata.normalize("NFKD", word) if not unicodedata.combining(one))


def language(locale: str) -> str:
    """The language of a locale: `de` of de-CH."""
    return locale.partition("-")[0].lower()


class Analyser:
    """The rules of one language; a language without a stemmer has words as they are."""

    def __init__(self, language: str) -> None:
        stemmer = _STEMMERS.get(language)
        self._stems = _chain(*([Filter.stemmer(stemmer)] if stemmer else []))
        stops = [] if stemmer is None or stemmer in _WITHOUT_STOP_WORDS else [Filter.stopword(stemmer)]
        # Accents are foreign to English and to the rules of its endings; others' rules need them.
        self._is_bare = language == "en"
        if self._is_bare:
            stops.append(Filter.custom_stopword(_QUESTIONS.split()))
        self._stops = _chain(*stops)
        self.stem = lru_cache(maxsize=200_000)(self._stem)
        self.is_stop_word = lru_cache(maxsize=200_000)(self._is_stop_word)
        self._beginnings: dict[str, str] = {}

    def _is_stop_word(self, word: str) -> bool:
        """Whether the word says nothing of what somebody looks for."""
        return not self._stops.analyze(word)

    def learn(self, words: Iterable[str]) -> None:
        """These words are somewhere in what is searched."""
        for word in words:
            stem = self.stem(word)
            known = self._beginnings.get(stem, word)
            while not word.startswith(known):
                known = known[:-1]
            self._beginnings[stem] = known

    def places(self, text: str, stems: Collection[str]) -> list[Word]:
        """Where the stems stand in a text, in order: each as the stem, not as it is written there.

        They are looked for by what all words with that stem begin with, of those that were ever learnt: to take a text
        apart costs twenty times as much.
        """
        lowered = text.lower()
        beginnings = [self._beginnings.get(stem, "") for stem in stems]
        if not all(beginnings) or len(lowered) != len(text):
            read = ((self.stem(word.text), word) for word in words(text))
            return [Word(stem, word.start, word.end) for stem, word in read if stem in stems]
        found: dict[int, Word] = {}
        for beginning in beginnings:
            at = lowered.find(beginning)
            while at >= 0:
                whole = _WORD.match(lowered, at)
                end = whole.end() if whole else at + 1
                is_cut = (
                    at and lowered[at - 1].isalnum() and _JOINED.match(lowered, at - 1) and _JOINED.match(lowered, at)
                )
                if not is_cut and (stem := self.stem(lowered[at:end])) in stems:
                    found[at] = Word(stem, at, end)
                at = lowered.find(beginning, end)
        return [found[at] for at in sorted(found)]

    def _stem(self, word: str) -> str:
        """What the forms of the word have in common, without accents."""
        word = folded(word) if self._is_bare else word
        return folded(next(iter(self._stems.analyze(word)), word))


@cache
def analyser(language: str) -> Analyser:
    """That of a language; those that have no rules are told apart all the same."""
    return Analyser(language)


def _chain(*filters: Filter) -> TextAnalyzer:
    builder = TextAnalyzerBuilder(Tokenizer.raw()).filter(Filter.lowercase())
    for one in filters:
        builder = builder.filter(one)
    return builder.filter(Filter.ascii_fold()).build()
