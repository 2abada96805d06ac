"""Makes an action of each row, as a map says.

It is of the type `customer.imported`, done by the source itself. Its first identifier is the row's own, of the kind
`record`, which comes before all others: so each row has a profile of its own, at which its traits and all its links
hang, and a link that turns out wrong is taken back without a trace.

The id follows from source, key, time and content, so the same file again says the same. Two rows of one key and one
time that say different things contradict each other: the first one counts, the other is refused.
"""

import re
import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from math import isfinite
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import orjson

from steadylight_server.core.clock import in_milliseconds
from steadylight_server.identity.models import RECORD
from steadylight_server.identity.values import bare, is_common
from steadylight_server.imports.models import Fault, ImportMap, MappedIdentifier, Row
from steadylight_server.timeline.models import IMPORTED

_NAMESPACE = UUID("5d1cb2a5-6a5c-5f0e-9d3a-0c1f4b5f7e11")
_INTEGER = re.compile(r"[+-]?\d{1,19}")
_TRUTHS = {
    **dict.fromkeys(("true", "yes", "y", "t", "1"), True),
    **dict.fromkeys(("false", "no", "n", "f", "0"), False),
}


class Mapped(NamedTuple):
    """A row's action, ready to be recorded, the line it came from and its key."""

    line: int
    key: str
    action: dict[str, Any]


class _Unfit(Exception):
    """What a cell holds is not what the map says; the message names the column."""


class Mapper:
    """Maps the rows of one file. `at` is the time of those that say none."""

    def __init__(self, map: ImportMap, at: datetime) -> None:
        self._map = map
        self._at = at
        self._seen = _Seen()

    def map(self, row: Row) -> Mapped | Fault:
        """The action, or why there is none."""
        key = None
        try:
            key = _joined(_cell(row.cells, column) for column in self._map.key)
            if key is None:
                raise _Unfit(f"{' + '.join(self._map.key)}: empty, so nothing says which record it is")
            action = self._action(row.cells, key)
        except _Unfit as unfit:
            return Fault(row.line, key, str(unfit))
        before = self._seen.before(f"{action['at']} {key}", row.line, action["id"])
        if before is not None:
            return Fault(row.line, key, f"says something else than line {before}, of the same key and time")
        return Mapped(row.line, key, action)

    def _action(self, cells: Mapping[str, Any], key: str) -> dict[str, Any]:
        said = {name: _trait(cells.get(one.column), one.column, one.type) for name, one in self._map.traits.items()}
        action = {
            "sequence": self._map.revision,
            "type": IMPORTED,
            "actor": "SYSTEM",
            "at": self._time(cells),
            "identifiers": [
                {"kind": RECORD, "value": f"{self._map.source}#{key}", "assurance": "LOGIN"},
                *(found for one in self._map.identifiers if (found := _identifier(one, cells))),
            ],
            "traits": {name: value for name, value in said.items() if value is not None},
        }
        content = orjson.dumps(action, option=orjson.OPT_SORT_KEYS)
        return {"id": str(uuid5(_NAMESPACE, content.decode())), **action}

    def _time(self, cells: Mapping[str, Any]) -> str:
        column = self._map.at
        text = _cell(cells, column) if column else None
        at = self._at if text is None else moment(text)
        if at is None:
            raise _Unfit(f"{column}: {_shown(text)} is no date and no time")
        return in_milliseconds(at).isoformat()


class _Seen:
    """The rows so far, in a file of its own as soon as they are many: where and what each key and time said."""

    def __init__(self) -> None:
        self._rows = sqlite3.connect("")
        self._rows.execute("CREATE TABLE seen (place TEXT PRIMARY KEY, line INTEGER, id TEXT) WITHOUT ROWID")

    def before(self, place: str, line: int, id: str) -> int | None:
        """The line of an earlier row that said something else there."""
        if self._rows.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (place, line, id)).rowcount:
            return None
        found = self._rows.execute("SELECT line, id FROM seen WHERE place = ?", (place,)).fetchone()
        return None if found[1] == id else int(found[0])


def moment(text: str) -> datetime | None:
    """The time that the text says, UTC where it does not say; a date is its first moment. None for what is no time."""
    if text.isdigit() and len(text) != 8:
        return None  # seconds since 1970, or half a date
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _cell(cells: Mapping[str, Any], column: str) -> str | None:
    """The text of a cell; None where it is empty. Raises _Unfit for what is neither text nor a whole number."""
    value = cells.get(column)
    if isinstance(value, str):
        return value.strip() or None
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise _Unfit(f"{column}: neither text nor a whole number")


def _joined(parts: Any) -> str | None:
    """One text of several, which no others give; None where one is missing."""
    found: list[str | None] = list(parts)
    if len(found) == 1:
        return found[0]
    written = [part.replace("\\", "\\\\").replace("|", "\\|") for part in found if part is not None]
    return "|".join(written) if len(written) == len(found) else None


def _identifier(one: MappedIdentifier, cells: Mapping[str, Any]) -> dict[str, str] | None:
    parts = [_cell(cells, column) for column in one.parts]
    if len(parts) > 1:
        # As a whole it would pass for somebody: `unknown|unknown|1970-01-01`.
        parts = [None if part is None or is_common(bare(part)) else part for part in parts]
    value = _joined(parts)
    return None if value is None else {"kind": one.kind, "value": value, "assurance": one.assurance}


def _trait(value: Any, column: str, type: str | None) -> Any:
    """What the cell says, as what it shall be; None where it says nothing. Raises _Unfit."""
    if isinstance(value, str):
        value = value.strip()
    if value is None or value == "":
        return None
    if type is None:
        return value
    try:
        return _TYPES[type](value)
    except ValueError:
        raise _Unfit(f"{column}: {_shown(value)} is no {type}") from None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    return str(value)


def _integer(value: Any) -> int:
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str) or "_" in str(value):
        raise ValueError
    number = float(value)
    if not isfinite(number):
        raise ValueError
    return number


def _boolean(value: Any) -> bool:
    found = _TRUTHS.get(str(value).casefold())
    if found is None:
        raise ValueError
    return found


def _date(value: Any) -> str:
    return date.fromisoformat(_text(value)).isoformat()


_TYPES: Mapping[str, Callable[[Any], Any]] = {
    "text": _text,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
}


def _shown(value: object) -> str:
    """Enough of it to find it."""
    text = value if isinstance(value, str) else str(value)
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
