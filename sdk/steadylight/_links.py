"""Which identifiers the in-memory server holds for one customer's: those that one action proved."""

from collections.abc import Sequence
from datetime import datetime

from ._plain import Assurance
from ._rules import IdentifierInput

#: A kind and a value; three and more for personas, which are what somebody did before it was known who they are.
Home = tuple[str, ...]
_Order = tuple[int, datetime, str, int]


class Links:
    """Identifiers, in the order in which they were first seen, and what joins them."""

    def __init__(self) -> None:
        self._seen: list[Home] = []
        self._joined: dict[tuple[Home, Home], _Order] = {}
        self._personas: dict[Home, tuple[datetime, str, Home]] = {}

    def see(self, home: Home) -> None:
        """Somebody is here, for the first time or again."""
        if home not in self._seen:
            self._seen.append(home)

    def prove(self, proven: Sequence[IdentifierInput], at: datetime, id: str) -> None:
        """One action proved them all: the first is where it belongs."""
        first = (proven[0].kind, proven[0].value)
        for rank, other in enumerate(proven[1:]):
            key = (other.kind, other.value)
            if key != first:
                self.see(key)
                order = (-_rank(min(proven[0].assurance, other.assurance)), at, id, rank)
                pair = (min(first, key), max(first, key))
                self._joined[pair] = min(order, self._joined.get(pair, order))

    def join(self, persona: Home, home: Home, at: datetime, id: str) -> None:
        """Somebody known acted under a persona: it is theirs, if theirs was the first."""
        if persona[0] == "persona":  # The app names it. One of a contact is made by what is done there unproven alone.
            self.see(persona)
        first = (at, id, home)
        self._personas[persona] = min(first, self._personas.get(persona, first))

    def taken(self, persona: Home) -> datetime | None:
        """Since when it is somebody's."""
        return self._personas[persona][0] if persona in self._personas else None

    def of(self, home: Home) -> list[Home]:
        """All that are the same customer, the oldest first: the surer and the earlier link counts before the others."""
        groups = {one: {one} for one in self._seen}
        for pair in sorted(self._joined, key=self._joined.__getitem__):
            one, other = groups[pair[0]], groups[pair[1]]
            if one is not other and sum(key[0] == "login" for key in one | other) <= 1:
                whole = one | other
                for key in whole:
                    groups[key] = whole
        for persona, (_, _, whose) in self._personas.items():
            if persona in groups and whose in groups:
                groups[whose] |= {persona}
                groups[persona] = groups[whose]
        return sorted(groups.get(home, set()), key=self._seen.index)


def _rank(assurance: Assurance) -> int:
    return list(Assurance).index(assurance)
