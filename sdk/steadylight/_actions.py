"""Makes an action once and for all: its id, its place in the order, and its bytes.

What is encoded here is sent unchanged however often, so a repetition tells the same fact as the first try.
"""

import itertools
import json
import math
import os
import sys
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import Enum
from json.encoder import encode_basestring as _quoted
from typing import Any, NamedTuple
from zlib import crc32

from ._json import SerializationError, to_json

#: Bytes of one action's properties as JSON, and how deep they may nest, properties themselves being the first level.
MAX_PROPERTIES = 32_768
MAX_DEPTH = 8
#: How many traits an action has, and their bytes as JSON.
MAX_TRAITS = 50
MAX_TRAIT_BYTES = 8_192
# A ready-made action is judged by the server; this only stops one that contains itself.
_MAX_READY_DEPTH = 60
# The database's integers have 64 bits; a longer one would lose digits on the way.
_LEAST, _MOST = -(2**63), 2**63 - 1
#: Contacts are counted in so many buckets, which take the same memory however many there are.
BUCKETS = 1 << 14
# Where the counter of ids ends.
_COUNTER = (1 << 34) - 1
_BYTES = tuple(f"{number:02x}" for number in range(256))
#: Types as members of their actions, by name: a host has few, and each would be written anew each time.
TYPES: dict[str, str] = {}
_MOST_TYPES, _LONGEST_TYPE = 1_000, 200
_BY_CUSTOMER = b',"actor":"CUSTOMER"}'
_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class Unfit(ValueError):
    """The action cannot be sent; the message says why."""


class Entry(NamedTuple):
    """An action on its way."""

    #: As it was given; None where the payload alone tells it.
    given_id: str | None
    #: The contact it belongs to, so that a context can wait for this contact's own actions; None where nobody waits.
    contact: str | None
    payload: bytes
    #: Its place in an iterable of ready-made actions, or in its segment; -1 for what waits in memory.
    place: int = -1
    #: The file of the spool that it came from, which is told when it is done.
    segment: Any = None

    @property
    def id(self) -> str:
        """Of the action. encode() writes it first; one that somebody gave and that needs escapes stays as written."""
        return self.payload[7 : self.payload.find(b'"', 7)].decode() if self.given_id is None else self.given_id


class Ids:
    """UUIDv7 (RFC 9562) that only go up within a process, and the sequence numbers beside them; without a lock.

    An id has 48 bits of milliseconds, a counter of 34 bits and 40 random bits: from os.urandom, not the random module,
    since a host that seeds that one would make the same ids in every process.
    """

    __slots__ = ("_begun", "_latest", "_quarter", "_second", "_series", "count", "ends", "moment")

    def __init__(self) -> None:
        #: Sequence numbers: in this process, from 1 on.
        self.count = itertools.count(1)
        self.start_over()

    def start_over(self) -> None:
        """Forget the noise: a forked child must not go on with what its parent goes on with, too."""
        # At random, so that two processes count differently; low enough not to reach the counter's end soon.
        self._begun = int.from_bytes(os.urandom(4), "big") & ~0xFF
        self._latest = 0
        # What was written last, with what it was written for: most of it is the same for many, and dear to write.
        self._quarter = self._series = self._second = -1, ""
        #: How ids end, by the last byte of the number.
        self.ends = _ends()
        #: Of the latest: the millisecond, the number but for its last byte, how ids begin then, and what stands
        #: between an action's id and its number, which is when it happened.
        self.moment = -1, -1, "", ""

    def stamp(self) -> tuple[str, int, str]:
        """A new id, its number, and the time of day in UTC to the millisecond."""
        number = next(self.count)
        begin, told = self.turn(time.time_ns() // 1_000_000, number)
        return begin + self.ends[number & 0xFF], number, told[8:32]  # Between quotes, after "at".

    def uuid7(self) -> str:
        """A new id."""
        return self.stamp()[0]

    def turn(self, now: int, number: int) -> tuple[str, str]:
        """What `moment` tells from this millisecond and this number on: how ids begin, and what follows them."""
        last, count = number & 0xFF, number + self._begun & _COUNTER
        if not last:
            self.ends = _ends()
            self._latest += not count  # It begins anew, and goes on with a later millisecond.
        latest = self._latest = max(self._latest, now)  # Also where the clock went back.
        quarter, high = self._quarter  # of a second, nearly: what the last byte counts
        if latest >> 8 != quarter:
            _, high = self._quarter = latest >> 8, f"{latest >> 16:08x}-{latest >> 8 & 0xFF:02x}"
        series, middle = self._series
        if count >> 8 != series:
            low = f"{0x7000_8000 | (count >> 22 & 0xFFF) << 16 | count >> 8 & 0x3FFF:08x}"
            _, middle = self._series = count >> 8, f"-{low[:4]}-{low[4:]}-"
        second, day = self._second
        if now // 1_000 != second:
            second = now // 1_000
            _, day = self._second = second, f'","at":"{datetime.fromtimestamp(second, UTC).isoformat()[:19]}.'
        begin = f"{high}{_BYTES[latest & 0xFF]}{middle}"
        told = f'{day}{str(now % 1_000 + 1_000)[1:]}Z","sequence":'
        self.moment = now, number - last, begin, told
        return begin, told


def _ends() -> list[str]:
    """The ends of 256 ids: the last byte of the counter, and random ones."""
    mixed = bytearray(256 * 6)
    mixed[::6] = bytes(range(256))
    for place in range(1, 6):
        mixed[place::6] = os.urandom(256)
    return mixed.hex("-", 6).split("-")


#: One per process: order among actions of the same moment is by this counter.
IDS = Ids()


def random_uuid() -> str:
    """A UUIDv4: for what nobody should guess."""
    number = int.from_bytes(os.urandom(16), "big") & ~(0xF000_C000 << 48) | 0x4000_8000 << 48
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def rfc3339(moment: datetime) -> str:
    """In UTC, to the millisecond, which is what the server keeps. A naive time is taken as UTC."""
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def bucket(contact: str) -> int:
    """Contacts that share one are waited for together, which is late at worst, never early."""
    return crc32(contact.encode("utf-8", "surrogatepass")) % BUCKETS


class Common:
    """What the actions of a contact share while nothing more becomes known of who it is: written once for all.

    Of contacts there are thousands: each is few objects, and small.
    """

    __slots__ = ("bucket", "by_customer", "contact", "identifiers")

    def __init__(self, contact: str | None = None, identifiers: tuple[Mapping[str, str], ...] = ()) -> None:
        self.contact = contact
        self.identifiers = identifiers
        self.bucket = 0 if contact is None else bucket(contact)
        members = self.members
        #: How nearly all actions end as JSON: these members, each after a comma, and that the customer acts.
        self.by_customer = b"," + (_quickly(members) or dumps(members))[1:-1] + _BY_CUSTOMER if members else b"}"

    @property
    def members(self) -> dict[str, Any]:
        """What is shared."""
        return {} if self.contact is None else {"identifiers": self.identifiers, "contact": self.contact}

    @property
    def json(self) -> bytes:
        """How others end: it is told elsewhere who acts."""
        return self.by_customer[: -len(_BY_CUSTOMER)] + b"}"


def typed(name: str) -> str:
    """A type as a member of its action, remembered in TYPES from now on if it is as short as types are.

    Raises TypeError for what is no text.
    """
    told = f',"type":{_quoted(name)}'
    if len(told) <= _LONGEST_TYPE:
        if len(TYPES) >= _MOST_TYPES:
            TYPES.clear()
        TYPES[name] = told
    return told


def encode(head: dict[str, Any], rest: bytes, properties: Mapping[str, Any] | None, changes: list[str]) -> bytes:
    """The JSON of a new action, which ends with `rest`. What JSON lacks becomes text, and is named in `changes`.

    Raises Unfit.
    """
    if "traits" in head:
        head["traits"] = _fit_traits(head["traits"], changes)
        if not head["traits"]:
            del head["traits"]
    begin = (_quickly(head) or _encoded(head, _MAX_READY_DEPTH, changes))[:-1]
    if not properties:
        return begin + rest
    return b"".join((begin, b',"properties":', _fit_properties(properties, changes), rest))


def _fit_properties(properties: Any, changes: list[str]) -> bytes:
    if not isinstance(properties, Mapping):
        raise Unfit(f"properties must be a mapping, not {type(properties).__name__}")
    plain = _plain(properties, 0, MAX_DEPTH, changes)
    told = _quickly(plain) or dumps(plain)
    if len(told) > MAX_PROPERTIES:
        raise Unfit(f"its properties take {len(told):,} bytes of the {MAX_PROPERTIES:,} allowed")
    return told


def _quickly(value: Mapping[str, Any]) -> bytes | None:
    """JSON at a fourth of the cost; None where it takes a closer look."""
    try:
        return to_json(value)
    except (SerializationError, UnicodeError):
        return None


def _fit_traits(traits: Any, changes: list[str]) -> dict[str, Any]:
    """They are few: each is looked at, and their bytes are counted."""
    if not isinstance(traits, Mapping):
        raise Unfit(f"traits must be a mapping, not {type(traits).__name__}")
    plain: dict[str, Any] = _plain(traits, 0, MAX_DEPTH, changes)
    if len(plain) > MAX_TRAITS:
        raise Unfit(f"it has {len(plain)} traits of the {MAX_TRAITS} allowed")
    if (size := len(dumps(plain))) > MAX_TRAIT_BYTES:
        raise Unfit(f"its traits take {size:,} bytes of the {MAX_TRAIT_BYTES:,} allowed")
    return plain


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


def _encoded(value: Mapping[str, Any], deepest: int, changes: list[str]) -> bytes:
    try:
        return dumps(value)
    except (TypeError, ValueError):
        return dumps(_plain(value, 0, deepest, changes))


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
        return int(value) if _LEAST <= value <= _MOST else _told(str(int(value)), "a long integer", changes)
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
    if isinstance(value, date) or _is_uuid(value):
        return str(value)
    return _told(str(value), f"a {kind.__name__}", changes)


def _is_uuid(value: Any) -> bool:
    """Whoever made one has loaded the module, which takes as long as three of ours."""
    module = sys.modules.get("uuid")
    return module is not None and isinstance(value, module.UUID)


def _name(key: Any, changes: list[str]) -> str:
    return str.__str__(key) if isinstance(key, str) else _told(str(key), f"a {type(key).__name__} as a name", changes)


def _told(text: str, what: str, changes: list[str]) -> str:
    changes.append(what)
    return text
