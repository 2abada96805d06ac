"""Journeys that nobody began by name, in MongoDB: threaded from actions about one subject, as blueprints declare. A
projection, kept with minimum, maximum and sets only, so that order and repetition of actions do not matter.

threads   _id: made from (profile, type, subject), so that every server makes the same · profile_id: the shard key ·
          type: the journey's · subject: {kind, id} · first: {order, at, channel}, of the earliest action · last_at ·
          turn?: {order, at, channel, status}, of the latest action that completed or reopened it · channels: [name] ·
          reopenings?: [action id] · counts?: {name: [action id]}                 index: recent = (profile_id, last_at)

`order` is 32 bytes that sort as (at, sequence, action id). What a customer of several profiles did about one subject is
put together when it is read. A set ends at MOST_COUNTED.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Self
from uuid import UUID

from pymongo import IndexModel, UpdateOne

from steadylight_server.core.mongo import Database, Document
from steadylight_server.core.stores import Kept, Store
from steadylight_server.journeys.declared import JourneyTypes
from steadylight_server.journeys.models import Status, Thread, Threaded
from steadylight_server.timeline.models import Action, Subject

# Of one kind in one journey. More is a machine's doing, and would one day be more than a document holds.
MOST_COUNTED = 1_000
# An insert costs a fourth of an upsert, but is wasted on what is there: threads that this process has met are updated,
# and inserted only if they turn out to be gone. This many take some 10 MB.
_MOST_MET = 50_000
_SIZE = {"$size": {"$ifNull": ["$reopenings", []]}}
_Place = tuple[UUID, str, Subject]  # profile, type, subject: one stored piece of a thread
_Part = tuple[Action, frozenset[str]]  # and the conditions of the type that hold for it


class ThreadStore(Store):
    """Keeps and reads threads, as the `types` in force declare them."""

    collections = {"threads": Kept.PROJECTION}
    indexes = {"threads": [IndexModel([("profile_id", 1), ("last_at", -1)], name="recent")]}

    def __init__(self, database: Database, types: JourneyTypes, *, suffix: str = "") -> None:
        super().__init__(database, suffix=suffix)
        self.types = types
        self._threads = self.collection("threads")
        self._met: OrderedDict[UUID, None] = OrderedDict()

    def beside(self, suffix: str) -> Self:
        """The same, over a second set of collections."""
        return type(self)(self.database, self.types, suffix=suffix)

    async def project(self, actions: Iterable[Action]) -> None:
        """Takes the actions into account; doing so again changes nothing."""
        if not self.types.threadings or not (pieces := self._pieces(actions)):
            return
        met = [piece for piece in pieces if piece.id in self._met]
        new = [piece for piece in pieces if piece.id not in self._met]
        if met and await self._threads.bulk_write([piece.change() for piece in met]) < len(met):
            new = pieces  # one is gone, or has a set that is full
        if new:
            there = await self._threads.insert_new([piece.document() for piece in new])
            if there:
                await self._threads.bulk_write([change for index in there for change in new[index].changes()])
        self._remember(pieces)

    async def of(self, profile_ids: Sequence[UUID], limit: int) -> list[Thread]:
        """The threads of a customer with these profiles in which anything was done last; the latest first."""
        mine = {"profile_id": {"$in": list(profile_ids)}}
        # Each has at most one piece per profile, so these are pieces of `limit` threads, if there are as many.
        found = await self._threads.find(mine, sort=[("last_at", -1)], limit=limit * len(profile_ids))
        latest = list(dict.fromkeys(map(_about, found)))[:limit]
        if len(profile_ids) > 1:
            ids = [_id((profile_id, *about)) for about in latest for profile_id in profile_ids]
            found = await self._threads.find({"_id": {"$in": ids}, **mine})
        pieces: dict[tuple[str, Subject], list[Document]] = {}
        for piece in found:
            pieces.setdefault(_about(piece), []).append(piece)
        return [self._thread(pieces[about]) for about in latest if about in pieces]

    async def counted(self) -> list[Threaded]:
        """All threads by type, each profile's counted as one. Scans: for operators, never for a request."""
        begun = await self._threads.aggregate(
            [
                {
                    "$group": {
                        "_id": {"type": "$type", "channel": "$first.channel"},
                        "journeys": {"$sum": 1},
                        "completed": {"$sum": {"$cond": [{"$eq": ["$turn.status", Status.COMPLETED.value]}, 1, 0]}},
                        "reopened": {"$sum": {"$min": [_SIZE, 1]}},
                    }
                },
                {"$sort": {"journeys": -1, "_id": 1}},
            ]
        )
        counts = await self._threads.aggregate(
            [
                {"$project": {"type": 1, "counts": {"$objectToArray": "$counts"}}},
                {"$unwind": "$counts"},
                {"$set": {"found": {"$min": [{"$size": "$counts.v"}, MOST_COUNTED]}}},
                {"$group": {"_id": {"type": "$type", "name": "$counts.k"}, "found": {"$sum": "$found"}}},
                {"$sort": {"_id": 1}},
            ]
        )
        return [_threaded(name, begun, counts) for name in sorted({one["_id"]["type"] for one in begun})]

    def _pieces(self, actions: Iterable[Action]) -> list["_Piece"]:
        """What the actions are of threads."""
        threadings = self.types.threadings
        together: dict[_Place, dict[bytes, _Part]] = {}
        for action in actions:
            if action.subject is None or action.journey is not None or action.subject.kind not in threadings:
                continue
            facts = _facts(action, action.subject)
            for name, threading in threadings[action.subject.kind]:
                holding = threading.asked.holding(facts)
                if threading.when is None or "when" in holding:
                    place = (action.profile_id, name, action.subject)
                    together.setdefault(place, {})[action.position.packed()] = (action, holding)
        return [_piece(place, parts) for place, parts in together.items()]

    def _remember(self, pieces: Iterable["_Piece"]) -> None:
        self._met.update(dict.fromkeys(piece.id for piece in pieces))
        for _ in range(len(self._met) - _MOST_MET):
            self._met.popitem(last=False)

    def _thread(self, pieces: Sequence[Document]) -> Thread:
        """One thread of the pieces that the profiles of one customer have of it."""
        first = min(pieces, key=lambda piece: piece["first"]["order"])
        turns = [piece["turn"] for piece in pieces if "turn" in piece]
        turn: Document = max(turns, key=lambda one: one["order"], default={})
        names = sorted({name for piece in pieces for name in piece.get("counts", ())})
        return Thread(
            id=first["_id"],
            profile_id=first["profile_id"],
            type=self.types.of(first["type"]),
            subject=_about(first)[1],
            status=Status(turn.get("status", Status.OPEN)),
            started_at=first["first"]["at"],
            started_in=first["first"]["channel"],
            active_at=max(piece["last_at"] for piece in pieces),
            channels=tuple(sorted({channel for piece in pieces for channel in piece["channels"]})),
            reopened=_count(piece.get("reopenings", ()) for piece in pieces),
            counts={name: _count(piece.get("counts", {}).get(name, ()) for piece in pieces) for name in names},
            changed_at=turn.get("at"),
            changed_in=turn.get("channel"),
        )


class _Piece(NamedTuple):
    """What some actions are of one thread. `sets` are ids of actions, by the path of the field."""

    id: UUID
    place: _Place
    first: Document
    last_at: datetime
    turn: Document | None
    channels: Sequence[str]
    sets: Mapping[str, Sequence[UUID]]

    def document(self) -> Document:
        """As it is stored first."""
        profile_id, name, subject = self.place
        made: Document = {
            "_id": self.id,
            "profile_id": profile_id,
            "type": name,
            "subject": {"kind": subject.kind, "id": subject.id},
            "first": self.first,
            "last_at": self.last_at,
            "channels": self.channels,
        }
        if self.turn is not None:
            made["turn"] = self.turn
        for path, ids in self.sets.items():
            outer, _, inner = path.partition(".")
            if inner:
                made.setdefault(outer, {})[inner] = ids
            else:
                made[outer] = ids
        return made

    def change(self) -> UpdateOne:
        """What it makes of one that is stored and has no full set."""
        where, change = self._registers()
        for path, ids in self.sets.items():
            where[_full(path)] = {"$exists": False}
            change["$addToSet"][path] = {"$each": ids}
        return UpdateOne(where, change)

    def changes(self) -> Iterator[UpdateOne]:
        """The same, one for each set, so that those that are full stay as they are."""
        yield UpdateOne(*self._registers())
        for path, ids in self.sets.items():
            where = {"_id": self.id, "profile_id": self.place[0], _full(path): {"$exists": False}}
            yield UpdateOne(where, {"$addToSet": {path: {"$each": ids}}})

    def _registers(self) -> tuple[Document, Document]:
        latest = {"last_at": self.last_at} | ({"turn": self.turn} if self.turn else {})
        channels = {"channels": {"$each": self.channels}}
        where = {"_id": self.id, "profile_id": self.place[0]}
        return where, {"$min": {"first": self.first}, "$max": latest, "$addToSet": channels}


def _piece(place: _Place, parts: Mapping[bytes, _Part]) -> _Piece:
    """The piece of a thread that these are, given by their order."""
    orders = sorted(parts)
    first, last = parts[orders[0]][0], parts[orders[-1]][0]
    turn: Document | None = None
    sets: dict[str, list[UUID]] = {}
    for order in orders:
        action, holding = parts[order]
        if status := _status(holding):
            # First the order: of two registers the database keeps the greater, and compares them field by field.
            turn = {"order": order, "at": action.at, "channel": action.channel, "status": status.value}
        for name in holding - {"when", "completes"}:
            sets.setdefault("reopenings" if name == "reopens" else name, []).append(action.id)
    began = {"order": orders[0], "at": first.at, "channel": first.channel}
    channels = sorted({action.channel for action, _ in parts.values()})
    return _Piece(_id(place), place, began, last.at, turn, channels, sets)


def _status(holding: frozenset[str]) -> Status | None:
    """What an action makes of the thread; one that does both leaves it open."""
    if "reopens" in holding:
        return Status.OPEN
    return Status.COMPLETED if "completes" in holding else None


def _facts(action: Action, subject: Subject) -> Mapping[str, Any]:
    """What a condition may ask of the action: FACTS."""
    return {
        "type": action.type,
        "channel": action.channel,
        "actor": action.actor,
        "subject": {"kind": subject.kind, "id": subject.id},
        "properties": action.properties,
        "agent": action.agent or "",
    }


def _full(path: str) -> str:
    """The place in a set that is taken once it is full."""
    return f"{path}.{MOST_COUNTED - 1}"


def _id(place: _Place) -> UUID:
    profile_id, name, subject = place
    text = f"{name}\x1f{subject.kind}\x1f{subject.id}"
    return UUID(bytes=hashlib.blake2b(text.encode(), key=profile_id.bytes, digest_size=16).digest())


def _about(piece: Mapping[str, Any]) -> tuple[str, Subject]:
    return piece["type"], Subject(piece["subject"]["kind"], piece["subject"]["id"])


def _count(sets: Iterable[Iterable[UUID]]) -> int:
    return min(len({id for one in sets for id in one}), MOST_COUNTED)


def _threaded(name: str, begun: Sequence[Document], counts: Sequence[Document]) -> Threaded:
    mine = [one for one in begun if one["_id"]["type"] == name]
    return Threaded(
        name,
        journeys=sum(one["journeys"] for one in mine),
        completed=sum(one["completed"] for one in mine),
        reopened=sum(one["reopened"] for one in mine),
        counts={one["_id"]["name"]: one["found"] for one in counts if one["_id"]["type"] == name},
        by_channel={one["_id"].get("channel"): one["journeys"] for one in mine},
    )
