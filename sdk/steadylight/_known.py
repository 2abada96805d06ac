"""What was read before."""

from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime, timedelta
from typing import Generic, NamedTuple, TypeVar

from ._options import Options

T = TypeVar("T")


class Moment(NamedTuple):
    """A moment by both clocks: one may stand still while the machine sleeps, the other may be set back."""

    clock: float
    now: datetime

    @classmethod
    def of(cls, options: Options) -> "Moment":
        """The present."""
        return cls(options.clock(), options.now())

    def later(self, seconds: float | None) -> "Moment | None":
        """So many seconds later; None for never."""
        try:
            return None if seconds is None else Moment(self.clock + seconds, self.now + timedelta(seconds=seconds))
        except OverflowError:
            return None

    def is_over(self, options: Options) -> bool:
        """Whether it has come, by whichever clock is first."""
        return self.clock <= options.clock() or self.now <= options.now()


class Known(Generic[T]):
    """The last contexts, or articles, for when the server is away; a web app makes a contact per request, so the client
    keeps them.

    256 contexts of 20 actions take about 10 MB; the one unused for longest makes room.
    """

    def __init__(self, limit: int = 256) -> None:
        self._limit = limit
        self._last: OrderedDict[Hashable, tuple[T, Moment | None]] = OrderedDict()

    def get(self, who: Hashable) -> T | None:
        """The last one of exactly this contact with exactly these identifiers."""
        if who not in self._last:
            return None
        self._last.move_to_end(who)
        return self._last[who][0]

    def standing_in(self, who: Hashable, options: Options) -> T | None:
        """The same, unless it has ended by now."""
        _, until = self._last.get(who, (None, None))
        return None if until is not None and until.is_over(options) else self.get(who)

    def drop(self, who: Hashable) -> None:
        """Forget it."""
        self._last.pop(who, None)

    def put(self, who: Hashable, what: T, until: Moment | None = None) -> None:
        """Remember it; it may stand in until then, or for ever."""
        self._last[who] = (what, until)
        self._last.move_to_end(who)
        while len(self._last) > self._limit:
            self._last.popitem(last=False)
