"""Who did or read what, of whom, and why: a log that is only ever added to, and that shows when somebody changed it.

audit        _id: sequence, 1, 2, 3 … without gaps · at · who: text by name, such as role, name, channel · deed ·
             whom: global ids of customers · fields: sorted names of what was read · why · request · previous · hash
             indexes: whom, who, at; each newest first
audit_head   _id: "head" · sequence and hash of the latest entry · group?: the latest entries, until they are in `audit`

What an entry's hash is, and what it proves, is said in `core/chain`. The log holds no customer's data: ids and names of
fields only.

Entries become part of the log in one atomic change of the head, which carries them until they are in `audit`; whoever
writes next puts them there if the server that began died. A transaction would do the same, but one that is left open
by a killed server locks the head until MongoDB ends it: a minute and more in which nobody could note anything.
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from contextvars import Context
from datetime import datetime
from typing import Any, NamedTuple

import orjson
import structlog
from pydantic import BaseModel, ConfigDict

from steadylight_server.core.chain import HEAD, Entry, Fault, Walk, is_formed, is_head, merged, moved
from steadylight_server.core.clock import Clock, in_milliseconds, now
from steadylight_server.core.errors import Unavailable
from steadylight_server.core.mongo import ACKNOWLEDGED, Database, Document, IndexModel
from steadylight_server.core.requests import request_id
from steadylight_server.core.stores import Kept, Store

log = structlog.get_logger("steadylight.audit")

# Entries in one group, and bytes of their JSON. The head carries a group, and no document can have more than 16 MB.
_MOST_TOGETHER, _LARGEST = 500, 4_000_000
# Seconds in which the head must be moved, however many servers want to; less than the SDK's own patience of 10.
_PATIENCE = 8.0
# Entries in memory while the log is verified.
_PAGE = 1000
_NEWEST = (("at", -1), ("_id", -1))


class Report(BaseModel):
    """What `verify` found: how many entries are as they were written, the hash of the last of them, the first fault."""

    model_config = ConfigDict(frozen=True)

    count: int
    hash: str
    fault: Fault | None = None


class Altered(Exception):
    """Somebody changed an entry so that it cannot be shown. `verify` says which."""


class AuditStore(Store):
    """Adds to the log and reads it. Nothing here changes or removes an entry."""

    collections = {"audit": Kept.LEDGER, "audit_head": Kept.LEDGER}
    indexes = {
        "audit": [
            IndexModel([("whom", 1), *_NEWEST], name="whom"),
            IndexModel([("who.name", 1), *_NEWEST], name="who"),
            IndexModel([*_NEWEST], name="at"),
        ]
    }

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._entries = self.collection("audit")
        self._head = self.collection("audit_head")
        # To settle is to copy what the majority has: where the last step survives, those before it do.
        self._copies = self.collection("audit", write_concern=ACKNOWLEDGED)
        self._copied = self.collection("audit_head", write_concern=ACKNOWLEDGED)
        self._settled = ""  # the hash of the head settled last, which may look as if it was not for a moment

    async def append(self, deeds: Sequence[Document]) -> None:
        """Stores them all, in this order, behind what any server stored before; or none. Raises Unavailable.

        A deed is an entry's document without `_id`, `previous` and `hash`.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + _PATIENCE
        while True:
            head = await self._head.find_one({"_id": HEAD})
            if head is not None:
                await self._settle(head)
            latest = moved(head, deeds)
            if await self._move(head, latest):
                break
            self._settled = ""
            if loop.time() > end:
                raise Unavailable("Too many servers write the audit log now. Try again shortly.")
            await asyncio.sleep(random.uniform(0, 0.01))
        with suppress(Unavailable):  # they are stored: whoever writes next settles them
            await self._settle(latest)

    async def after(self, id: int | None, limit: int) -> tuple[list[Document], bool, list[Document]]:
        """The entries that follow the one with this id, or the first: some `limit` of them.

        And whether these are all; and the heads, at the same moment.
        """

        async def work() -> tuple[list[Document], bool, list[Document]]:
            query = {} if id is None else {"_id": {"$gt": id}}
            entries = await self._entries.find(query, sort=[("_id", 1)], limit=limit)
            heads = await self._head.find({}, limit=2)
            if len(entries) == limit:
                return merged(entries, heads, id or 0, entries[-1]["_id"]), False, heads
            # An id that is no number sorts behind all numbers, and a comparison with a number does not find it.
            last = await self._entries.find({}, sort=[("_id", -1)], limit=1)
            known = [id, *(entry["_id"] for entry in entries)]
            strange = [entry for entry in last if entry["_id"] not in known]
            return [*merged(entries, heads, id or 0, None), *strange], True, heads

        return await self.database.transaction(work)

    async def latest(self, query: Mapping[str, Any], limit: int) -> list[Document]:
        """The entries that match, newest first; at most `limit`."""
        # In a transaction, which on its own also sees what the majority is about to confirm.
        return await self.database.transaction(lambda: self._entries.find(query, sort=_NEWEST, limit=limit))

    async def _move(self, head: Document | None, latest: Document) -> bool:
        """Puts the latest head in the place of this one; False when that is not the head any more."""
        if head is None:
            return not await self._head.insert_new([latest])
        # With a group again it lost its settling to a change of primary: to go on would lose the group.
        known = {**{name: head[name] for name in ("_id", "sequence", "hash")}, "group": {"$exists": False}}
        matched, _ = await self._head.update_one(known, {"$set": latest})
        return matched == 1

    async def _settle(self, head: Document) -> None:
        """Puts the head's group where all entries are, if it is not there yet."""
        if "group" in head and head["hash"] != self._settled:
            await self._copies.insert_new(head["group"])
            await self._copied.update_one({"_id": HEAD, "hash": head["hash"]}, {"$unset": {"group": ""}})
            self._settled = head["hash"]


class Audit:
    """The log as the slices see it. One for each process; several processes share one log.

    Notes that come while one is being written are written together next, as one group.
    """

    def __init__(self, store: AuditStore, *, clock: Clock = now) -> None:
        self._store = store
        self._clock = clock
        self._waiting: list[_Note] = []
        self._writer: asyncio.Task[None] | None = None

    async def note(
        self,
        *,
        who: Mapping[str, str],
        deed: str,
        whom: Iterable[str] = (),
        fields: Iterable[str] = (),
        why: str = "",
    ) -> None:
        """Returns when the entry is stored by the majority. It takes part in no transaction of the caller.

        Raises Unavailable when it cannot be, or nobody knows: what was to be noted must then not be done.
        """
        entry = {
            "at": in_milliseconds(self._clock()),
            "who": {name: _text(value) for name, value in who.items()},
            "deed": deed,
            "whom": [_text(one) for one in whom],
            "fields": sorted({_text(one) for one in fields}),
            "why": _text(why),
            "request": request_id(),
        }
        note = _Note(entry, len(orjson.dumps(entry)), asyncio.get_running_loop().create_future())
        self._waiting.append(note)
        if self._writer is None:
            # In a context of its own: it belongs to no request, and to no session of one.
            self._writer = asyncio.create_task(self._write(), context=Context())
        if (error := await note.outcome) is not None:
            raise Unavailable("The audit log cannot be written now, so nothing was done. Try again shortly.") from error

    async def entries(
        self, *, whom: str | None = None, who: str | None = None, since: datetime | None = None, limit: int = 50
    ) -> list[Entry]:
        """Newest first, at most `limit`: those that name this customer, by somebody of this name, not before `since`.

        Raises Altered for one that is no entry any more.
        """
        query: Document = {"whom": whom} if whom is not None else {}
        if who is not None:
            query["who.name"] = who
        if since is not None:
            query["at"] = {"$gte": since}
        try:
            return [_entry(document) for document in await self._store.latest(query, limit)]
        except Exception as error:
            if not _is_unreadable(error):
                raise
            raise Altered("One of these entries cannot be read: it was changed.") from error

    async def verify(
        self, expect: tuple[int, str] | None = None, *, progress: Callable[[int, int], None] | None = None
    ) -> Report:
        """Reads the whole log in order, a page at a time, up to its first fault. Servers can go on writing.

        `expect` is a sequence and its hash, noted earlier and kept elsewhere. `progress` is called with how many
        entries were read, and how many there are. Raises Unavailable.
        """
        walk = Walk(expect)
        id, size = None, _PAGE
        while walk.fault is None:
            try:
                documents, is_end, heads = await self._store.after(id, size)
            except Exception as error:
                if not _is_unreadable(error):
                    raise
                if size == 1:
                    said = f"Entry {walk.count + 1}, or the head, was changed: it holds what no server writes."
                    walk.fail(walk.count + 1, said)
                size = 1  # finds the one of the page
                continue
            for document in documents:
                walk.step(document)
            if progress is not None:
                progress(walk.count, max([walk.count, *(one["sequence"] for one in heads if is_head(one))]))
            if is_end:
                walk.end(heads)
                break
            id = documents[-1]["_id"]
        return Report(count=walk.count, hash=walk.hash, fault=walk.fault)

    async def _write(self) -> None:
        """Writes until nobody waits."""
        batch: list[_Note] = []
        try:
            while self._waiting:
                # Who has gone in the meantime will not do the deed either.
                self._waiting = [note for note in self._waiting if not note.outcome.done()]
                size = _fitting(self._waiting)
                batch, self._waiting = self._waiting[:size], self._waiting[size:]
                if batch:
                    _tell(batch, await self._outcome([note.entry for note in batch]))
        finally:
            # Somebody may wait still if this was cancelled, because the loop is ending.
            self._writer = None
            batch, self._waiting = [*batch, *self._waiting], []
            _tell(batch, asyncio.CancelledError())

    async def _outcome(self, entries: Sequence[Document]) -> Exception | None:
        """None when they are stored, or why they are not."""
        try:
            await self._store.append(entries)
        except Unavailable as error:
            return error
        except Exception as error:
            # Such as a head that is none.
            log.exception("the audit log refuses entries: run `steadylight audit verify`", entries=len(entries))
            return error
        return None


class _Note(NamedTuple):
    """What one caller waits for: the outcome is None, or why the entry is not known to be stored."""

    entry: Document
    size: int
    outcome: asyncio.Future[BaseException | None]


def _fitting(notes: Sequence[_Note]) -> int:
    """How many of these can be one group; at least one, if there is one."""
    size = 0
    for number, note in enumerate(notes[:_MOST_TOGETHER]):
        size += note.size
        if size > _LARGEST and number:
            return number
    return _MOST_TOGETHER


def _tell(notes: Iterable[_Note], outcome: BaseException | None) -> None:
    for note in notes:
        if not note.outcome.done():
            note.outcome.set_result(outcome)


def _entry(document: Document) -> Entry:
    if not is_formed(document):
        raise Altered(f"Entry {document['_id']} cannot be shown: it was changed.")
    return Entry(sequence=document["_id"], **{name: value for name, value in document.items() if name != "_id"})


def _is_unreadable(error: Exception) -> bool:
    """Whether what is stored is nothing that Python can hold, such as a date after the year 9999."""
    return type(error).__module__ == "bson.errors"


def _text(text: str) -> str:
    """Half a surrogate, which a token can name somebody by, is text in Python but in no encoding: made a `?`."""
    return text.encode(errors="replace").decode()
