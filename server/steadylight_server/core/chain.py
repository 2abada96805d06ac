"""The chain that the audit's entries make: how each is hashed, and what is wrong with a log, without a database.

An entry's `hash` is the SHA-256, in hexadecimal, of its JSON without `hash`: one object with the names of `Entry`,
sorted; no white space; UTF-8, nothing escaped that need not be; `at` as text, such as `2026-11-22T04:16:48.123Z`.
`previous` is the hash of the entry before, 64 zeros in the first. In Python, with `entry` read from JSON:

    text = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    hashlib.sha256(text.encode()).hexdigest()

So no entry can be changed, moved, inserted or removed without all later hashes changing, and the head's. Somebody who
rewrites these as well is found out by whoever kept a sequence and its hash elsewhere.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict

Document = dict[str, Any]

# What stands for the entry before the first.
GENESIS = "0" * 64
HEAD = "head"

_FORM: Mapping[str, type] = {
    "_id": int,
    "at": datetime,
    "who": dict,
    "deed": str,
    "whom": list,
    "fields": list,
    "why": str,
    "request": str,
    "previous": str,
    "hash": str,
}


class Entry(BaseModel):
    """What was noted once. `why` is a reason or a contact; `request` is empty outside of one."""

    model_config = ConfigDict(frozen=True)

    sequence: int
    at: datetime
    who: Mapping[str, str]
    deed: str
    whom: tuple[str, ...]
    fields: tuple[str, ...]
    why: str
    request: str
    previous: str
    hash: str


class Fault(NamedTuple):
    """The first thing that is wrong with the log, in words, and the earliest entry that it touches."""

    sequence: int
    said: str


class Walk:
    """The state of a verification: the entries so far are good, up to the first fault."""

    def __init__(self, expect: tuple[int, str] | None) -> None:
        self.count, self.hash = 0, GENESIS
        self.fault: Fault | None = None
        self._expect = expect

    def step(self, document: Document) -> None:
        """Judges the next entry."""
        if self.fault is not None:
            return
        sequence, id = self.count + 1, document["_id"]
        if not _is_whole(id) or id < sequence:
            self.fail(sequence, f"In the place of entry {sequence} is one with the id {id!r}, which was inserted.")
        elif id > sequence:
            self.fail(sequence, f"{_missing(sequence, id - 1)}: the next one is {id}.")
        elif not is_formed(document):
            self.fail(sequence, f"Entry {sequence} was changed: it is not of the form in which entries are written.")
        elif digest(document) != document["hash"]:
            moved = "" if document["previous"] == self.hash else ", or moved here from another place"
            self.fail(sequence, f"Entry {sequence} was changed{moved}: its hash is not that of its content.")
        elif document["previous"] != self.hash:
            self._part(sequence)
        else:
            self._accept(sequence, document["hash"])

    def end(self, heads: Sequence[Document]) -> None:
        """Judges the end of the log."""
        if self.fault is not None:
            return
        if self._expect is not None and self._expect[0] > self.count:
            missing = _missing(self.count + 1, self._expect[0])
            self.fail(self.count + 1, f"{missing}: the log was cut, for entry {self._expect[0]} was noted.")
        elif not heads and self.count:
            self.fail(self.count, f"Entry {self.count} is the last one, but the head, which should say so, is missing.")
        elif heads and (len(heads) > 1 or not is_head(heads[0])):
            self.fail(self.count, f"The head was changed, which should say that entry {self.count} is the last one.")
        elif heads:
            self._compare(heads[0]["sequence"], heads[0]["hash"])

    def fail(self, sequence: int, said: str) -> None:
        """Ends it with this fault."""
        self.fault = Fault(sequence, said)

    def _accept(self, sequence: int, hash: str) -> None:
        if self._expect is not None and self._expect[0] == sequence and self._expect[1] != hash:
            said = f"Entry {sequence} is not the one that was noted: it was rewritten, or one before it was."
            self.fail(sequence, said)
        else:
            self.count, self.hash = sequence, hash

    def _part(self, sequence: int) -> None:
        """An entry that is sound by itself follows another one than that which is there."""
        before = sequence - 1
        if before:
            said = f"Entry {before} or {sequence} was replaced: {sequence} was written after another {before}."
        else:
            said = "Entry 1 was replaced: it says that another one came before it."
        self.fail(max(before, 1), said)

    def _compare(self, sequence: int, hash: str) -> None:
        """The head with the last entry."""
        if sequence > self.count:
            missing = _missing(self.count + 1, sequence)
            self.fail(self.count + 1, f"{missing} at the end: the head says that entry {sequence} is the last one.")
        elif sequence < self.count:
            said = f"Entry {sequence + 1} was added, or the head was changed: it says that {sequence} is the last one."
            self.fail(sequence + 1, said)
        elif hash != self.hash:
            self.fail(sequence, f"Entry {sequence} was replaced, or the head was changed: it names another hash.")


def digest(document: Document) -> str:
    """The hash of a stored entry, as the module says; a `hash` that it has does not count."""
    content = {name: value for name, value in document.items() if name not in ("_id", "hash")}
    content |= {"sequence": document["_id"], "at": instant(document["at"])}
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def instant(at: datetime) -> str:
    """A UTC time as it is hashed and shown: to the millisecond, with a Z."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def chained(deeds: Sequence[Document], after: int, previous: str) -> list[Document]:
    """The entries that these deeds become behind the entry of that sequence and hash."""
    entries = []
    for sequence, deed in enumerate(deeds, after + 1):
        entry = {"_id": sequence, **deed, "previous": previous}
        previous = digest(entry)
        entries.append({**entry, "hash": previous})
    return entries


def moved(head: Document | None, deeds: Sequence[Document]) -> Document:
    """The head with these deeds behind it."""
    entries = chained(deeds, *((head["sequence"], head["hash"]) if head else (0, GENESIS)))
    return {"_id": HEAD, "sequence": entries[-1]["_id"], "hash": entries[-1]["hash"], "group": entries}


def merged(entries: list[Document], heads: Sequence[Document], after: int, upto: int | None) -> list[Document]:
    """The entries, and those of the head's group that belong between them and are not there yet."""
    there = [entry["_id"] for entry in entries]
    group = heads[0].get("group", []) if heads and is_head(heads[0]) else []
    if not group or not all(_is_whole(id) for id in there):
        return entries
    missing = [
        entry
        for entry in group
        if entry["_id"] not in there and after < entry["_id"] and (upto is None or entry["_id"] < upto)
    ]
    return sorted([*entries, *missing], key=lambda entry: entry["_id"])


def is_formed(document: Document) -> bool:
    """Whether types and names are an entry's: JSON, which is hashed, writes some values of different types alike."""
    if document.keys() != _FORM.keys() or not all(isinstance(document[name], kind) for name, kind in _FORM.items()):
        return False
    texts = (*document["whom"], *document["fields"], *document["who"], *document["who"].values())
    return all(isinstance(one, str) for one in texts)


def is_head(document: Document) -> bool:
    """Whether it has the form of the head."""
    group = document.get("group", [])
    return (
        document.keys() - {"group"} == {"_id", "sequence", "hash"}
        and document["_id"] == HEAD
        and _is_whole(document["sequence"])
        and isinstance(group, list)
        and all(isinstance(entry, dict) and _is_whole(entry.get("_id")) for entry in group)
    )


def _is_whole(number: object) -> bool:
    """Whether it is an integer, as a sequence is: for Python True, and for MongoDB 1.0, equals 1."""
    return isinstance(number, int) and not isinstance(number, bool)


def _missing(first: int, last: int) -> str:
    return f"Entry {first} is missing" if first == last else f"Entries {first} to {last} are missing"
