"""Makes an action once and for all: its id, its place in the order, and its bytes.

What is encoded here is sent unchanged however often, so a repetition tells the same fact as the first try.
"""

import itertools
import json
import math
import os
import threading
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

#: Bytes of one action's properties as JSON, and how deep they may nest, properties themselves being the first level.
MAX_PROPERTIES = 32_768
MAX_DEPTH = 8
# A ready-made action is judged by the server; this only stops one that contains itself.
_MAX_READY_DEPTH = 60
_INT64 = 2**63
_SIMPLE = frozenset((str, bool, float, type(None)))
_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class Unfit(ValueError):
    """The action cannot be sent; the message says why."""


class Entry(NamedTuple):
    """An action on its way."""

    id: str
    #: The contact it belongs to, so that a context can wait for this contact's own actions; None where nobody waits.
    contact: str | None
    payload: bytes
    #: Its place in an iterable of ready-made actions; -1 for recorded ones.
    place: int = -1


class Ids:
    """UUIDv7 (RFC 9562) that only go up within a process, and the sequence counter beside them."""

    def __init__(self) -> None:
        self._sequence = itertools.count(1)
        self.start_over()

    def start_over(self) -> None:
        """Forget the last id: a forked child must not count on from where its parent counts on too."""
        self._lock = threading.RLock()
        self._last = 0

    def sequence(self) -> int:
        """The next number of this process."""
        return next(self._sequence)

    def uuid7(self) -> str:
        """48 bits of milliseconds, then 73 random bits; a second one in the same millisecond counts on from the first.

        os.urandom, not the random module: a host that seeds that one would make the same ids in every process.
        """
        noise = int.from_bytes(os.urandom(10), "big")
        fresh = (time.time_ns() // 1_000_000) << 74 | noise >> 7
        with self._lock:
            if fresh <= self._last:
                fresh = self._last + 1 + (noise & 0xFFFFFFFF)
            self._last = fresh
        high, low = fresh >> 62, fresh & 0x3FFF_FFFF_FFFF_FFFF
        whole = (high >> 12) << 80 | 7 << 76 | (high & 0xFFF) << 64 | 2 << 62 | low
        text = f"{whole:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


#: One per process: order among actions of the same moment is by this counter.
IDS = Ids()


def rfc3339(moment: datetime) -> str:
    """In UTC, to the millisecond, which is what the server keeps. A naive time is taken as UTC."""
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def encode(head: Mapping[str, Any], properties: Mapping[str, Any] | None, changes: list[str]) -> bytes:
    """The JSON of a new action. What JSON lacks becomes text, and is named in `changes`. Raises Unfit."""
    body = _encoded(head, _MAX_READY_DEPTH, changes)
    if not properties:
        return body
    if not isinstance(properties, Mapping):
        raise Unfit(f"properties must be a mapping, not {type(properties).__name__}")
    told = _encoded(properties, MAX_DEPTH, changes, is_checked=_is_simple(properties))
    if len(told) > MAX_PROPERTIES:
        raise Unfit(f"its properties take {len(told):,} bytes of the {MAX_PROPERTIES:,} allowed")
    return body[:-1] + b',"properties":' + told + b"}"


def encode_ready(action: Mapping[str, Any]) -> bytes:
    """The JSON of an action that somebody else made. Raises Unfit when it cannot be JSON at all."""
    return dumps(_plain(action, 0, _MAX_READY_DEPTH, []))


def dumps(value: object) -> bytes:
    """Compact JSON in UTF-8. Raises ValueError or TypeError for what JSON lacks."""
    text = _JSON.encode(value)
    try:
        return text.encode()
    except UnicodeEncodeError:  # A lone surrogate, as a broken decoder upstream leaves it: no UTF-8 exists for it.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _encoded(value: Mapping[str, Any], deepest: int, changes: list[str], *, is_checked: bool = True) -> bytes:
    """Without a copy where nothing needs to be changed, which is a fifth of the time."""
    if is_checked:
        try:
            return dumps(value)
        except (TypeError, ValueError):
            pass
    return dumps(_plain(value, 0, deepest, changes))


def _is_simple(properties: Mapping[str, Any]) -> bool:
    """Flat, and of such values that only a float could be amiss, which the encoder itself finds."""
    for value in properties.values():
        kind = type(value)
        if kind not in _SIMPLE and not (kind is int and -_INT64 <= value < _INT64):
            return False
    return type(properties) is dict


def _plain(value: Any, depth: int, deepest: int, changes: list[str]) -> Any:
    """The value in JSON's own types. Most properties are text and small numbers, so those come first."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if isinstance(value, Enum):
        return _plain(value.value, depth, deepest, changes)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        # The database's integers have 64 bits; a longer one would lose digits on the way.
        return int(value) if -_INT64 <= value < _INT64 else _told(str(int(value)), "a long integer", changes)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _told(str(float(value)), "a number that is none", changes)
    if isinstance(value, Mapping | list | tuple | set | frozenset) and depth >= deepest:
        raise Unfit(f"it nests deeper than {deepest} levels")
    if isinstance(value, Mapping):
        return {_name(key, changes): _plain(each, depth + 1, deepest, changes) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each, depth + 1, deepest, changes) for each in value]
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, date | UUID):
        return str(value)
    return _told(str(value), f"a {kind.__name__}", changes)


def _name(key: Any, changes: list[str]) -> str:
    return str.__str__(key) if isinstance(key, str) else _told(str(key), f"a {type(key).__name__} as a name", changes)


def _told(text: str, what: str, changes: list[str]) -> str:
    changes.append(what)
    return text
