"""Which of an article's fragments a viewer is shown, as a condition of each: what `view.shown` decides, beforehand.

A fragment is shown to whom its audience holds for, in one of the locales that they read, unless the same fragment is
for them in a better one. Thousands of fragments have few distinct selections; each is evaluated once for a search, and
the fragments with those that hold are what is searched.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from steadylight_server.knowledge.audience import Audience
from steadylight_server.knowledge.models import Content, Fragment, fallbacks


@dataclass(frozen=True)
class Selection:
    """`own` is the article's locale; `others` are the same fragment's in other locales."""

    audience: Audience
    locale: str
    own: str
    others: frozenset[tuple[Audience, str]] = frozenset()

    @classmethod
    def of(cls, fragment: Fragment, content: Content) -> "Selection":
        """That of one of the content's fragments."""
        same = (one for one in content.fragments if one.id == fragment.id and one.locale != fragment.locale)
        others = frozenset((one.audience, one.locale) for one in same)
        return cls(fragment.audience, fragment.locale, content.locale, others)

    @property
    def audiences(self) -> Iterable[Audience]:
        """All that it asks for."""
        return [self.audience, *(audience for audience, _ in self.others)]

    def holds(self, held: Collection[Audience], wanted: Mapping[str, int]) -> bool:
        """Whether somebody is shown it for whom just these audiences hold, and to whom these locales are the better the
        lower their number.
        """
        place = wanted.get(self.locale)
        if place is None or self.audience not in held:
            return False
        return not any(audience in held and wanted.get(locale, place) < place for audience, locale in self.others)


class Selections:
    """All there are, numbered. A number is this process's own, and never another's."""

    def __init__(self) -> None:
        self._numbers: dict[Selection, str] = {}
        self._next = 0

    def key(self, selection: Selection) -> str:
        """Its number, as a term to search by."""
        if selection not in self._numbers:
            self._numbers[selection] = str(self._next)
            self._next += 1
        return self._numbers[selection]

    def keep(self, keys: Collection[str]) -> None:
        """Forgets all others."""
        self._numbers = {selection: key for selection, key in self._numbers.items() if key in keys}

    def audiences(self) -> frozenset[Audience]:
        """Those that any of them asks for, each once."""
        return frozenset(audience for selection in self._numbers for audience in selection.audiences)

    def holding(self, held: Collection[Audience], locale: str | None) -> list[str]:
        """The numbers of those that hold for whom just these audiences hold, who asks for that locale."""
        wanted: dict[str, Mapping[str, int]] = {}
        found = []
        for selection, key in self._numbers.items():
            if selection.own not in wanted:
                places = enumerate(fallbacks(locale, selection.own))
                wanted[selection.own] = {name: place for place, name in places}
            if selection.holds(held, wanted[selection.own]):
                found.append(key)
        return found
