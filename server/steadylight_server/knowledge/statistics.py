"""How many fragments there are, how long, and in how many each word stands: for each audience by itself.

What words are worth, how they are completed and mended, is worked out from these, added up over the audiences that a
viewer is one of. So nothing of it tells of a fragment that is not for them: what somebody finds, and in which order, is
the same as if there were nothing else.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from heapq import nsmallest
from typing import NamedTuple

from steadylight_server.knowledge.analysis import folded

_MOST_MENDED = 3  # words that are as near to a typed one as any
_SHORTEST_MENDED = 4  # characters; of shorter ones, too many are one letter apart
_LAST = "\U0010ffff"  # which no word has, and all that a word has come before
_LONG = 8  # characters, from which on two letters may be wrong


class Lengths(NamedTuple):
    """Words in each field of a fragment."""

    title: int = 0
    heading: int = 0
    body: int = 0


@dataclass
class Statistics:
    """Those of the fragments for one audience, which are in one language."""

    language: str
    fragments: int = 0
    title: int = 0
    heading: int = 0
    body: int = 0
    stems: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)

    def copy(self) -> "Statistics":
        """A copy, to be changed."""
        return Statistics(
            self.language,
            self.fragments,
            self.title,
            self.heading,
            self.body,
            Counter(self.stems),
            Counter(self.words),
        )

    def count(self, lengths: Lengths, stems: Iterable[str], words: Iterable[str], sign: int) -> None:
        """One fragment more, or less for a `sign` of -1; each stem and word of it once."""
        self.fragments += sign
        self.title += sign * lengths.title
        self.heading += sign * lengths.heading
        self.body += sign * lengths.body
        for counter, counted in ((self.stems, stems), (self.words, words)):
            for one in counted:
                counter[one] += sign
                if not counter[one]:
                    del counter[one]

    @cached_property
    def sorted_words(self) -> Sequence[str]:
        """The words in alphabetical order without accents. For when nothing is counted any more."""
        return sorted(self.words, key=folded)

    def beginning(self, prefix: str) -> Sequence[str]:
        """Words that begin so, without accents, whatever theirs."""
        first = bisect_left(self.sorted_words, prefix, key=folded)
        return self.sorted_words[first : bisect_left(self.sorted_words, prefix + _LAST, first, key=folded)]


class Listed(NamedTuple):
    """A word without its accents, as it is, and which letters are in it."""

    bare: str
    word: str
    letters: int


class Visible:
    """What is there for a viewer in one language: the sum over the audiences that they are one of."""

    def __init__(self, parts: Sequence[Statistics], sorted_words: Callable[[], Sequence[Listed]]) -> None:
        """`sorted_words` gives those of the language, of all audiences; of what is in none of the parts, nothing is
        told.
        """
        self._parts = parts
        self._sorted_words = sorted_words
        self.fragments = sum(part.fragments for part in parts)

    @cached_property
    def means(self) -> tuple[float, float, float]:
        """The mean number of words in title, heading and body; at least one."""
        sums = [sum(getattr(part, name) for part in self._parts) for name in Lengths._fields]
        title, heading, body = (max(sum / self.fragments, 1.0) for sum in sums)
        return title, heading, body

    def having(self, stem: str) -> int:
        """How many fragments have the stem."""
        return sum(part.stems.get(stem, 0) for part in self._parts)

    def having_word(self, word: str) -> int:
        """How many fragments have the word, just so."""
        return sum(part.words.get(word, 0) for part in self._parts)

    def beginning(self, prefix: str, limit: int) -> list[str]:
        """Words that begin so, whatever their accents; those that most fragments have come first."""
        prefix = folded(prefix)
        counted: Counter[str] = Counter()
        # Part by part: each has few of all words, and there may be hundreds.
        for part in self._parts:
            for word in part.beginning(prefix):
                counted[word] += part.words[word]
        return nsmallest(limit, counted, key=lambda word: (-counted[word], word))

    def near(self, word: str) -> list[str]:
        """What somebody may have meant who typed a word that is not there: the nearest ones, with the same first letter
        and one letter wrong, missing, too many or in its neighbour's place; two of them in a long word.

        Those that most fragments have come first.
        """
        typed = folded(word)
        if len(typed) < _SHORTEST_MENDED or any(one.isdigit() for one in typed):
            return []
        most = 2 if len(typed) >= _LONG else 1
        found: dict[int, list[tuple[int, str]]] = {}
        letters = _letters(typed)
        for bare, other, others in self._from(typed[0]):
            # A letter that is wrong changes two of the bits at most.
            if abs(len(bare) - len(typed)) <= most and (letters ^ others).bit_count() <= 2 * most:
                apart = distance(typed, bare, most)
                if apart <= most and (count := self.having_word(other)):
                    most = apart
                    found.setdefault(apart, []).append((-count, other))
        return [other for _, other in sorted(found.get(most, ()))[:_MOST_MENDED]]

    def _from(self, prefix: str) -> Iterator[Listed]:
        """Words of the language that begin so, whether they are in the parts or not."""
        sorted_words = self._sorted_words()
        for index in range(bisect_left(sorted_words, (prefix, "", 0)), len(sorted_words)):
            if not sorted_words[index].bare.startswith(prefix):
                break
            yield sorted_words[index]


def sorted_words(statistics: Iterable[Statistics]) -> Mapping[str, Sequence[Listed]]:
    """By language: every word, in alphabetical order without accents."""
    found: dict[str, set[str]] = {}
    for one in statistics:
        found.setdefault(one.language, set()).update(one.words)
    return {
        name: sorted(Listed(bare := folded(word), word, _letters(bare)) for word in words)
        for name, words in found.items()
    }


def _letters(word: str) -> int:
    """Which letters are in a word: a bit for each, which few others share."""
    found = 0
    for letter in word:
        found |= 1 << (ord(letter) & 63)
    return found


def distance(one: str, other: str, most: int) -> int:
    """How many letters are wrong, missing, too many or in their neighbour's place (optimal string alignment); more than
    `most` where there are more than that.
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        earlier, before, row = before, row, [i]
        for j, there in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != there))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == there:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return row[-1]
