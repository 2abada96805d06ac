"""The part of a text that shows why it was found, with the words that were looked for marked."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from steadylight_server.knowledge.analysis import Word

WIDTH = 240  # characters of a snippet, about three lines on a page
_MOST_PLACES = 200  # the first, which are looked at for the best piece
_CLOSE = 1e-9  # by which sums of the same in another order may differ
_LONGEST = 30  # characters that are left out at a side so that no word is cut


@dataclass(frozen=True)
class Marked:
    """A piece of a text, and which of its characters are marked: (start, end), in order, without overlaps."""

    text: str
    ranges: Sequence[tuple[int, int]] = ()

    @property
    def html(self) -> str:
        """Escaped, with `<mark>` around what is marked: the only element in it."""
        parts, last = [], 0
        for start, end in self.ranges:
            parts += [html.escape(self.text[last:start]), "<mark>", html.escape(self.text[start:end]), "</mark>"]
            last = end
        return "".join([*parts, html.escape(self.text[last:])])


def snippet(text: str, places: Sequence[Word], worths: Mapping[str, float], width: int = WIDTH) -> Marked:
    """The piece of the text in which what was looked for is worth most, each counted once.

    `places` are where they stand, in order; `worths` says how much each is worth.
    """
    start, end = _window(places[:_MOST_PLACES], worths, len(text), width)
    start, end = _at_words(text, start, end)
    before, after = "… " if start > 0 else "", " …" if end < len(text) else ""
    shift = len(before) - start
    ranges = [(word.start + shift, word.end + shift) for word in places if start <= word.start and word.end <= end]
    return Marked(f"{before}{text[start:end]}{after}", ranges)


def _window(places: Sequence[Word], worths: Mapping[str, float], length: int, width: int) -> tuple[int, int]:
    """Where the words that are worth most stand within the width; the beginning, where none is there."""
    best, worth, first, last = 0, 0.0, 0, 0
    inside: dict[str, int] = {}  # how often what stands between the opening and the next is there
    total, following = 0.0, 0
    for index, opening in enumerate(places):
        while following < len(places) and (following == index or places[following].end - opening.start <= width):
            name = places[following].text
            if not inside.get(name):
                total += worths[name]
            inside[name] = inside.get(name, 0) + 1
            following += 1
        if total > worth + _CLOSE:
            best, worth, first, last = index, total, opening.start, places[following - 1].end
        inside[opening.text] -= 1
        if not inside[opening.text]:
            total -= worths[opening.text]
    if not worth:
        return 0, min(length, width)
    # What is before the first of them is read first: a third of the room that is left.
    start = max(first - max(width - (last - first), 0) // 3, 0)
    if best == 0 and last <= width:
        start = 0
    end = min(start + width, length)
    return max(end - width, 0) if end == length else start, max(end, last)


def _at_words(text: str, start: int, end: int) -> tuple[int, int]:
    """The piece without what is left of a word at either side, where words are divided by spaces."""
    if start > 0 and text[start - 1] != " ":
        start = text.find(" ", start, start + _LONGEST) + 1 or start
    if end < len(text) and text[end] != " ":
        space = text.rfind(" ", max(end - _LONGEST, start), end)
        end = space if space >= 0 else end
    return start, end
