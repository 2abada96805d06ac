"""Contacts in MongoDB. A projection of the actions, kept with minimum and maximum only, so that order and repetition
of actions do not matter.

contacts  _id: made from (profile, channel, key or slot), so that every server makes the same · profile_id: the shard
          key · channel · key?: the channel's name for the contact · slot?: see below · first_at · last_at ·
          ended?: {order, outcome}, the latest `contact.ended` · met?: {at, id, assurance}, the first action of somebody
          known, where there is a key
          indexes: recent = (profile_id, last_at); met = (channel, key), of those where somebody known was met

What an import brought, and what became of a journey by itself, is no contact. Another action without a contact key
belongs to the contact from which no gap of GAP parts it. Such contacts are kept in slots of GAP: two actions of one
slot are never parted by a gap, and adjacent slots are joined at read time where less than a gap lies between the end of
the one and the start of the other.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any
from uuid import UUID

from pymongo import IndexModel, UpdateOne

from steadylight_server.core.assurance import Assurance
from steadylight_server.core.mongo import Database, Document
from steadylight_server.core.stores import Kept, Store
from steadylight_server.timeline.models import Action, Contact, Met

GAP = timedelta(minutes=30)
# An insert costs a fourth of an upsert, so pieces that this process has not met are inserted, and changed only if they
# turn out to be there. This many take some 20 MB.
_MOST_MET = 50_000
ENDED = "contact.ended"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_Place = tuple[UUID, str, str | None, int | None]  # profile, channel, and key or slot: one stored piece of a contact


class ContactStore(Store):
    """Keeps and reads contacts."""

    collections = {"contacts": Kept.PROJECTION}
    indexes = {
        "contacts": [
            IndexModel([("profile_id", 1), ("last_at", -1)], name="recent"),
            IndexModel([("channel", 1), ("key", 1)], name="met", partialFilterExpression={"met": {"$exists": True}}),
        ]
    }

    def __init__(self, database: Database, *, suffix: str = "") -> None:
        super().__init__(database, suffix=suffix)
        self._contacts = self.collection("contacts")
        self._met: OrderedDict[_Place, None] = OrderedDict()

    @property
    def name(self) -> str:
        """Of the collection, for a pipeline that joins it."""
        return self._contacts.name

    async def project(self, actions: Iterable[Action]) -> None:
        """Takes the actions into account; doing so again changes nothing."""
        pieces = _pieces(actions)
        met = {place: piece for place, piece in pieces.items() if place in self._met}
        new = [(place, piece) for place, piece in pieces.items() if place not in self._met]
        if new:
            there = await self._contacts.insert_new([_document(place, piece) for place, piece in new])
            met.update(new[index] for index in there)
        if met:
            await self._contacts.bulk_write([_change(place, piece) for place, piece in met.items()])
        self._remember(pieces)

    async def keyed(self, profile_ids: Sequence[UUID], channel: str, key: str) -> list[Contact]:
        """The contacts of that key in the channel, one for each of these profiles that took part in it."""
        ids = [_id((profile_id, channel, key, None)) for profile_id in profile_ids]
        return contacts(await self._contacts.find({"_id": {"$in": ids}, "profile_id": {"$in": list(profile_ids)}}))

    async def latest(self, profile_ids: Sequence[UUID], limit: int) -> list[Document]:
        """The latest stored pieces of contacts of these profiles; give them to `contacts`."""
        return await self._contacts.aggregate(recent_pipeline(profile_ids, limit))

    async def met(self, contacts: Collection[tuple[str, str]]) -> list[tuple[tuple[str, str], Met]]:
        """Whom anybody knew in these contacts, given as (channel, key)."""
        if not contacts:
            return []
        named = [{"channel": channel, "key": key} for channel, key in contacts]
        found = await self._contacts.find({"$or": named, "met": {"$exists": True}})
        return [((one["channel"], one["key"]), _met(one)) for one in found]

    def _remember(self, places: Iterable[_Place]) -> None:
        self._met.update(dict.fromkeys(places))
        for _ in range(len(self._met) - _MOST_MET):
            self._met.popitem(last=False)


def recent_pipeline(profile_ids: Sequence[UUID], limit: int) -> list[Mapping[str, Any]]:
    """What `latest` looks for."""
    return [
        {"$match": {"profile_id": {"$in": list(profile_ids)}}},
        {"$sort": {"last_at": -1}},
        {"$limit": limit},
    ]


def contacts(pieces: Iterable[Mapping[str, Any]], most: int | None = None) -> list[Contact]:
    """Whole contacts, the latest first, at most so many, from stored pieces given in any order."""
    whole: list[Document] = []
    latest: dict[tuple[str, str | None, UUID | None], Document] = {}  # the contact that is under way at each place
    for piece in sorted(pieces, key=lambda one: one["first_at"]):
        # Of a key there is one contact, though who it is may have become clear in the middle of it.
        place = (piece["channel"], piece.get("key"), None if "key" in piece else piece["profile_id"])
        before = latest.get(place)
        if before is not None and ("key" in piece or piece["first_at"] - before["last_at"] < GAP):
            _append(before, piece)
            continue
        whole.append({**piece})
        latest[place] = whole[-1]
    whole.sort(key=lambda one: (one["last_at"], one["_id"]), reverse=True)
    return [_contact(one) for one in whole[:most]]


def _contact(document: Mapping[str, Any]) -> Contact:
    return Contact(
        id=document["_id"],
        profile_id=document["profile_id"],
        channel=document["channel"],
        key=document.get("key"),
        first_at=document["first_at"],
        last_at=document["last_at"],
        is_ended="ended" in document,
        outcome=document["ended"]["outcome"] if "ended" in document else None,
    )


def _append(contact: Document, piece: Mapping[str, Any]) -> None:
    """Takes a later piece into a contact."""
    contact["last_at"] = max(contact["last_at"], piece["last_at"])
    endings = [one["ended"] for one in (contact, piece) if "ended" in one]
    if endings:
        contact["ended"] = max(endings, key=lambda ending: ending["order"])


def _met(document: Mapping[str, Any]) -> Met:
    first = document["met"]
    return Met(document["profile_id"], first["at"], first["id"], Assurance[first["assurance"]])


def _slot(action: Action) -> int | None:
    return (action.at - _EPOCH) // GAP if action.contact is None else None


def _pieces(actions: Iterable[Action]) -> dict[_Place, Document]:
    """The pieces of contacts that the actions make up."""
    together: dict[_Place, list[Action]] = {}
    for action in actions:
        if action.is_of_a_contact:
            place = (action.profile_id, action.channel, action.contact, _slot(action))
            together.setdefault(place, []).append(action)
    return {place: _piece(some) for place, some in together.items()}


def _piece(actions: Sequence[Action]) -> Document:
    """The piece of a contact that these actions are."""
    times = [action.at for action in actions]
    piece: Document = {"first_at": min(times), "last_at": max(times)}
    if known := [one for one in actions if one.contact is not None and one.assurance is not Assurance.CLAIMED]:
        first = min(known, key=attrgetter("at", "id"))
        piece["met"] = {"at": first.at, "id": first.id, "assurance": first.assurance.name}
    if endings := [one for one in actions if one.type == ENDED]:
        last = max(endings, key=attrgetter("position"))
        outcome = last.properties.get("outcome")
        ended = None if outcome is None else str(outcome)[:100]
        piece["ended"] = {"order": last.position.packed(), "outcome": ended}
    return piece


def _document(place: _Place, piece: Document) -> Document:
    """A piece as it is stored first."""
    profile_id, channel, key, slot = place
    named = {"slot": slot} if key is None else {"key": key}
    return {"_id": _id(place), "profile_id": profile_id, "channel": channel, **named, **piece}


def _change(place: _Place, piece: Document) -> UpdateOne:
    """What more actions make of a piece that is stored."""
    made = _document(place, piece)
    latest = {name: made.pop(name) for name in ("last_at", "ended") if name in made}
    earliest = {name: made.pop(name) for name in ("first_at", "met") if name in made}
    where = {"_id": made.pop("_id"), "profile_id": made.pop("profile_id")}
    return UpdateOne(where, {"$min": earliest, "$max": latest, "$setOnInsert": made}, upsert=True)


def _id(place: _Place) -> UUID:
    profile_id, channel, key, slot = place
    text = f"{channel}\x1fslot\x1f{slot}" if key is None else f"{channel}\x1fkey\x1f{key}"
    return UUID(bytes=hashlib.blake2b(text.encode(), key=profile_id.bytes, digest_size=16).digest())
