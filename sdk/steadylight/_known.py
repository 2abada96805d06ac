"""What was read before."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._models import Context


class Known:
    """The last contexts, for when the server is away; a web app makes a contact per request, so the client keeps them.

    256 of 20 actions take about 10 MB; the one unused for longest makes room.
    """

    def __init__(self, limit: int = 256) -> None:
        self._limit = limit
        self._contexts: OrderedDict[Hashable, Context] = OrderedDict()

    def get(self, who: Hashable) -> "Context | None":
        """The last one of exactly this contact with exactly these identifiers."""
        return self._contexts.get(who)

    def put(self, who: Hashable, context: "Context") -> None:
        """Remember it."""
        self._contexts[who] = context
        self._contexts.move_to_end(who)
        while len(self._contexts) > self._limit:
            self._contexts.popitem(last=False)
