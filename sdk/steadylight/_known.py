"""What was read before."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Known(Generic[T]):
    """The last contexts, or articles, for when the server is away; a web app makes a contact per request, so the client
    keeps them.

    256 contexts of 20 actions take about 10 MB; the one unused for longest makes room.
    """

    def __init__(self, limit: int = 256) -> None:
        self._limit = limit
        self._last: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, who: Hashable) -> T | None:
        """The last one of exactly this contact with exactly these identifiers."""
        return self._last.get(who)

    def drop(self, who: Hashable) -> None:
        """Forget it."""
        self._last.pop(who, None)

    def put(self, who: Hashable, what: T) -> None:
        """Remember it."""
        self._last[who] = what
        self._last.move_to_end(who)
        while len(self._last) > self._limit:
            self._last.popitem(last=False)
