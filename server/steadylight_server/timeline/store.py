"""Actions in MongoDB. A ledger: appended to, never changed.

actions   _id: action id · profile_id: its home, the shard key · order: 32 bytes that sort as (at, sequence, id) ·
          facets: see below · channel · type · at · sequence · actor · identifiers: [{kind, value, assurance}] ·
          properties · received_at · contact? · journey? · agent? · subject?: {kind, id} ·
          claimed_at?: what the device's clock said, where `at` was corrected · traits?: {name: value} ·
          assurance?: of who it was, where anybody proved who they are                  index: timeline

One multikey index, `(profile_id, facets, order)`, serves every combination of filters: `facets` lists, for each
subset of channel, type and subject, the text that a query for that subset looks for. Every page is thus one run of
neighbouring keys. Eight keys in one index cost less to write than eight indexes, and no combination scans.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import product
from struct import Struct
from typing import Any
from uuid import UUID

import bson
from bson.binary import Binary
from bson.raw_bson import RawBSONDocument
from pymongo import IndexModel
from pymongo.errors import BulkWriteError

from steadylight_server.core.assurance import Assurance
from steadylight_server.core.mongo import DUPLICATE_KEY, Database, Document, Inserts, Timestamp
from steadylight_server.core.paging import Page, Position, Window, milliseconds, packed
from steadylight_server.core.stores import Kept, Store
from steadylight_server.identity.models import Identifier
from steadylight_server.timeline.models import Action, ActionFilter, Order, Outcome, Subject

# What only the index needs is left out of what is read by the page.
_INDEXED = ("facets", "order")
# Says of a document in which collection it was found.
_BESIDE = "beside"
_FIRST = UUID(int=0)
_LEVELS = {level.name: level for level in Assurance}


class ActionStore(Store):
    """Appends and pages actions."""

    collections = {"actions": Kept.LEDGER}
    indexes = {"actions": [IndexModel([("profile_id", 1), ("facets", 1), ("order", 1)], name="timeline")]}

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._actions = self.collection("actions")

    async def append(self, actions: Sequence[Action]) -> list[Outcome]:
        """Stores what is new; one outcome per action, in order."""
        try:
            await self._actions.insert_many(_documents(actions))
        except BulkWriteError as error:
            failed = {one["index"]: one["code"] for one in error.details["writeErrors"]}
        else:
            return [Outcome.STORED] * len(actions)
        repeated = [actions[index].id for index, code in failed.items() if code == DUPLICATE_KEY]
        stored = {action.id: action async for action in self.by_ids(repeated)}

        def outcome(index: int, action: Action) -> Outcome:
            if index not in failed:
                return Outcome.STORED
            if failed[index] != DUPLICATE_KEY:
                return Outcome.RETRY
            return Outcome.DUPLICATE if action.says_the_same_as(stored[action.id]) else Outcome.CONFLICT

        return [outcome(index, action) for index, action in enumerate(actions)]

    async def by_ids(self, ids: Sequence[UUID]) -> AsyncIterator[Action]:
        """Those that are stored, in no order."""
        for found in await self._actions.find({"_id": {"$in": list(ids)}}) if ids else ():
            yield restored(found)

    async def all(self) -> AsyncIterator[Action]:
        """Every action, in no order. For rebuilding projections, never for a request."""
        async for found in self._actions.each({}):
            yield restored(found)

    @asynccontextmanager
    async def appended(self) -> AsyncIterator["Appended"]:
        """What is appended from now on."""
        async with self._actions.inserts() as inserts:
            yield Appended(inserts)

    async def page(
        self, profile_ids: Sequence[UUID], wanted: ActionFilter, order: Order, window: Window
    ) -> Page[Action]:
        """One part of the timeline of these profiles."""
        query, sort = page_query(profile_ids, wanted, order, window)
        found = await self._actions.find(query, without=_INDEXED, sort=sort, limit=window.limit + 1)
        return Page.of([restored(one) for one in found], window)

    async def elsewhere(
        self, profile_ids: Sequence[UUID], channels: Collection[str], since: datetime, until: datetime, limit: int
    ) -> list[Action]:
        """What these profiles did in any of these channels, the oldest first; `until` is exclusive."""
        low, high = (Position(at, 0, _FIRST).packed() for at in (since, until))
        query: Document = {
            "profile_id": {"$in": list(profile_ids)},
            "facets": {"$in": [facet(channel, None, None) for channel in channels]},
            "order": {"$gte": low, "$lt": high},
        }
        found = await self._actions.find(query, without=_INDEXED, sort=[("order", 1)], limit=limit)
        return [restored(one) for one in found]

    async def recent(
        self, profile_ids: Sequence[UUID], limit: int, beside: Mapping[str, Sequence[Mapping[str, Any]]]
    ) -> tuple[list[Action], dict[str, list[Document]]]:
        """The newest actions of these profiles, and what the pipelines find in the collections of these names: one
        round trip for all.
        """
        query, sort = page_query(profile_ids, ActionFilter(), Order.NEWEST_FIRST, Window(limit))
        others = [
            {"$unionWith": {"coll": name, "pipeline": [*pipeline, {"$set": {_BESIDE: name}}]}}
            for name, pipeline in beside.items()
        ]
        # What only the index needs comes along: to take it out of a few actions costs more than to decode it.
        found = await self._actions.aggregate([{"$match": query}, {"$sort": dict(sort)}, {"$limit": limit}, *others])
        actions: list[Action] = []
        rest: dict[str, list[Document]] = {name: [] for name in beside}
        for one in found:
            if (name := one.pop(_BESIDE, None)) is None:
                actions.append(restored(one))
            else:
                rest[name].append(one)
        return actions, rest


class Appended:
    """A stream of new actions."""

    def __init__(self, inserts: Inserts) -> None:
        self._inserts = inserts

    async def next(self) -> Action | None:
        """The next action; None when there was none for a second. Raises Unavailable."""
        found = await self._inserts.next()
        return restored(found) if found is not None else None

    def has_reached(self, moment: Timestamp) -> bool:
        """Whether everything appended up to that moment of `Database.moment` was given."""
        return self._inserts.at is not None and self._inserts.at >= moment


def page_query(
    profile_ids: Sequence[UUID], wanted: ActionFilter, order: Order, window: Window
) -> tuple[Document, list[tuple[str, int]]]:
    """The query and sort of one page: an equality on each leading field of the index, a range on the last."""
    forwards = (order is Order.OLDEST_FIRST) != window.backwards
    low = [Position(wanted.since, 0, _FIRST).packed()] if wanted.since else []
    high = [Position(wanted.until, 0, _FIRST).packed()] if wanted.until else []
    earlier, later = (window.after, window.before) if order is Order.OLDEST_FIRST else (window.before, window.after)
    span: Document = {}
    if low:
        span["$gte"] = low[0]
    if high:
        span["$lt"] = high[0]
    if earlier and (not low or earlier.packed() >= low[0]):
        span.pop("$gte", None)
        span["$gt"] = earlier.packed()
    if later and (not high or later.packed() < high[0]):
        span["$lt"] = later.packed()
    query: Document = {
        "profile_id": profile_ids[0] if len(profile_ids) == 1 else {"$in": list(profile_ids)},
        "facets": facet(wanted.channel, wanted.type, wanted.subject),
    }
    return query | ({"order": span} if span else {}), [("order", 1 if forwards else -1)]


def facet(channel: str | None, type: str | None, subject: Subject | None) -> str:
    """The text under which actions with these attributes are found; None leaves one open."""
    about = f"{subject.kind}\x1f{subject.id}" if subject else ""
    return f"{_side(channel)}\x1e{_side(type)}\x1e{about}"


def _side(wanted: str | None) -> str:
    """An open side is empty; an empty name, which nothing has, must not read as one."""
    return "" if wanted is None else wanted or "\x1d"


def _facets(channel: str, type: str, subject: Subject | None) -> list[str]:
    """Every text under which an action is found: 4, or 8 with a subject."""
    choices = product((channel, None), (type, None), (subject, None) if subject else (None,))
    return [facet(*chosen) for chosen in choices]


def _documents(actions: Iterable[Action]) -> list[RawBSONDocument]:
    """Actions as they are stored; what is absent takes no space.

    A batch has many actions of few customers, about few things: who acted and what was done are written once each and
    put together with what is the action's own. The elements of a document lie side by side, so that the elements of
    three, one after the other, are those of one document.
    """
    whos: dict[object, bytes] = {}
    whats: dict[object, bytes] = {}
    made = []
    for action in actions:
        # By address, which costs less than by value: the actions of one batch share these, and keep them alive.
        person = (id(action.profile_id), id(action.identifiers), id(action.assurance), id(action.received_at))
        place = (person, action.contact, action.journey, action.agent)
        if (who := whos.get(place)) is None:
            who = whos[place] = _elements(_who(action))
        kind = (action.channel, action.type, action.subject, action.actor)
        if (what := whats.get(kind)) is None:
            what = whats[kind] = _elements(_what(action))
        elements = b"".join((_own(action), who, what))
        made.append(RawBSONDocument(b"".join((_LENGTH.pack(len(elements) + 5), elements, b"\0"))))
    return made


def stored(action: Action) -> Mapping[str, Any]:
    """One action as it is stored."""
    return _documents([action])[0]


def _elements(document: Document) -> bytes:
    """Without the length before them and the zero after them."""
    return bson.encode(document)[4:-1]


# What has the same shape in every action is laid out by hand: type and name of each element, then its value.
_LENGTH = Struct("<i")
_OWN = Struct("<10s16s12s32s4sq10sq")
_ID, _ORDER, _AT, _SEQUENCE = b"\x05_id\0\x10\0\0\0\x04", b"\x05order\0\x20\0\0\0\0", b"\x09at\0", b"\x12sequence\0"


def _own(action: Action) -> bytes:
    """What is another in each action of a batch."""
    at, id = milliseconds(action.at), action.id.bytes
    order = packed(action.at, action.sequence, id)
    own = _OWN.pack(_ID, id, _ORDER, order, _AT, at, _SEQUENCE, action.sequence)
    told: Document = {"properties": action.properties}
    if action.claimed_at is not None:
        told["claimed_at"] = action.claimed_at
    if action.traits:
        told["traits"] = action.traits
    return own + _elements(told)


def _who(action: Action) -> Document:
    """The same for all actions of one customer in one contact."""
    who: Document = {
        "profile_id": Binary.from_uuid(action.profile_id),
        "identifiers": [
            {"kind": kind, "value": value, "assurance": assurance.name} for kind, value, assurance in action.identifiers
        ],
        "received_at": action.received_at,
    }
    if action.assurance is not Assurance.CLAIMED:
        who["assurance"] = action.assurance.name
    given = {"contact": action.contact, "journey": action.journey, "agent": action.agent}
    return who | {name: value for name, value in given.items() if value is not None}


def _what(action: Action) -> Document:
    """The same for all actions of one type about one subject."""
    subject = action.subject
    about = {"subject": {"kind": subject.kind, "id": subject.id}} if subject is not None else {}
    return {
        "facets": _facets(action.channel, action.type, subject),
        "channel": action.channel,
        "type": action.type,
        "actor": action.actor,
        **about,
    }


def restored(document: Mapping[str, Any]) -> Action:
    """A stored action."""
    given = document.get
    subject = given("subject")
    # By place, in the order of Action: by name it takes twice as long, and a context has many.
    return Action(
        document["_id"],
        document["sequence"],
        document["type"],
        document["at"],
        document["channel"],
        document["profile_id"],
        tuple([Identifier(one["kind"], one["value"], _LEVELS[one["assurance"]]) for one in document["identifiers"]]),
        document["actor"],
        document["properties"],
        document["received_at"],
        given("contact"),
        given("journey"),
        given("agent"),
        Subject(subject["kind"], subject["id"]) if subject else None,
        given("claimed_at"),
        given("traits", {}),
        _LEVELS[given("assurance", "CLAIMED")],
    )
