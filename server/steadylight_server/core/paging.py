"""Keyset paging as Relay has it: first/after forwards, last/before backwards, never an offset."""

import base64
import binascii
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar
from uuid import UUID

from steadylight_server.core.errors import Invalid

DEFAULT_PAGE = 20
MAX_PAGE = 100

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LAYOUT = struct.Struct(">Qq16s")
_OFFSET = 1 << 63  # makes times before 1970 sort before the others, byte by byte
T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, order=True)
class Position:
    """A place in a timeline: the total order is `(at, sequence, id)`; times are whole milliseconds."""

    at: datetime
    sequence: int
    id: UUID

    def packed(self) -> bytes:
        """32 bytes that sort as the position does: an index on them pages by one range of one field."""
        return packed(self.at, self.sequence, self.id.bytes)

    def cursor(self) -> str:
        """Opaque text for a client."""
        return base64.urlsafe_b64encode(self.packed()).rstrip(b"=").decode()

    @classmethod
    def from_cursor(cls, cursor: str) -> "Position":
        """Raises Invalid for text that is no cursor."""
        try:
            at, sequence, id = _LAYOUT.unpack(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
            return cls(_EPOCH + (at - _OFFSET) * _MILLISECOND, sequence, UUID(bytes=id))
        except (binascii.Error, struct.error, ValueError, OverflowError) as error:
            raise Invalid("The cursor is not one of ours. Pass on what pageInfo or an edge gave you.") from error


def packed(at: datetime, sequence: int, id: bytes) -> bytes:
    """`Position.packed` without making a position: what is done 500 times a batch."""
    return _LAYOUT.pack(milliseconds(at) + _OFFSET, sequence, id)


def milliseconds(at: datetime) -> int:
    """Since 1970, whole ones."""
    since = at - _EPOCH
    return since.days * 86_400_000 + since.seconds * 1_000 + since.microseconds // 1_000


@dataclass(frozen=True)
class Window:
    """Which part of an ordered whole is asked for. `backwards` counts from the end."""

    limit: int = DEFAULT_PAGE
    after: Position | None = None
    before: Position | None = None
    backwards: bool = False

    @classmethod
    def of(
        cls, first: int | None = None, after: str | None = None, last: int | None = None, before: str | None = None
    ) -> "Window":
        """From Relay's arguments. Raises Invalid beyond MAX_PAGE, below 1, or for `first` and `last` together."""
        if first is not None and last is not None:
            raise Invalid("Give first or last, not both.")
        limit = DEFAULT_PAGE if first is None and last is None else first if first is not None else last
        assert limit is not None
        if not 1 <= limit <= MAX_PAGE:
            raise Invalid(f"A page has 1 to {MAX_PAGE} entries, not {limit}.")
        return cls(
            limit,
            Position.from_cursor(after) if after else None,
            Position.from_cursor(before) if before else None,
            backwards=last is not None,
        )


@dataclass(frozen=True)
class Page(Generic[T]):
    """One part, in the order of the whole, and whether there is more on either side."""

    items: Sequence[T]
    has_next: bool = False
    has_previous: bool = False

    @classmethod
    def of(cls, fetched: Sequence[T], window: Window) -> "Page[T]":
        """From `limit + 1` entries fetched in the direction of the window; the extra one only says that there is more.

        As Relay allows, the far side is answered from the arguments: whoever comes from a cursor has left something.
        """
        sides = {"is_after": window.after is not None, "is_before": window.before is not None}
        return cls.cut(fetched, window.limit, backwards=window.backwards, **sides)

    @classmethod
    def cut(cls, fetched: Sequence[T], limit: int, *, backwards: bool, is_after: bool, is_before: bool) -> "Page[T]":
        """The same where a place is no Position: `is_after` and `is_before` say which cursors were given."""
        more = len(fetched) > limit
        items = fetched[:limit]
        if backwards:
            return cls(list(reversed(items)), has_next=is_before, has_previous=more)
        return cls(items, has_next=more, has_previous=is_after)

    def map(self, change: Callable[[T], U]) -> "Page[U]":
        """The same page of other things."""
        return Page([change(item) for item in self.items], self.has_next, self.has_previous)
