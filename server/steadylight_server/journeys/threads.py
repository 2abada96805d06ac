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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, Self
from uuid import UUID

from pymongo import IndexModel, UpdateOne

from steadylight_server.core.mongo import Database, Document
from steadylight_server.core.stores import Kept, Store
from steadylight_server.journeys.declared import JourneyTypes
from steadylight_server.journeys.models import Status, Thread, Threaded, Threading
from steadylight_server.timeline.models import Action, Subject

# Of one kind in one journey. More is a machine's doing, and would one day be more than a document holds.
MOST_COUNTED = 1_000
_SIZE = {"$size": {"$ifNull": ["$reopenings", []]}}
_Place = tuple[UUID, str, Subject]  # profile, type, subject: one stored piece of a thread
_Facts = Mapping[str, Any]


class ThreadStore(Store):
    """Keeps and reads threads, as the `types` in force declare them."""

    collections = {"threads": Kept.PROJECTION}
    indexes = {"threads": [IndexModel([("profile_id", 1), ("last_at", -1)], name="recent")]}

    def __init__(self, database: Database, types: JourneyTypes, *, suffix: str = "") -> None:
        super().__init__(database, suffix=suffix)
        self.types = types
        self._threads = self.collection("threads")

    def beside(self, suffix: str) -> Self:
        """The same, over a second set of collections."""
        return type(self)(self.database, self.types, suffix=suffix)

    async def project(self, actions: Iterable[Action]) -> None:
        """Takes the actions into account; doing so again changes nothing."""
        if not self.types.threadings:
            return
        pieces = list(self._pieces(actions).items())
        if not pieces:
            return
        there = await self._threads.insert_new([_document(*one) for one in pieces])
        if there:
            await self._threads.bulk_write([change for index in there for change in _changes(*pieces[index])])

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
        return [self._thread(pieces[about]) for about in latest]

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

    def _pieces(self, actions: Iterable[Action]) -> dict[_Place, Document]:
        """What the actions are of threads."""
        threadings = self.types.threadings
        together: dict[_Place, tuple[Threading, list[tuple[Action, _Facts]]]] = {}
        for action in actions:
            if action.subject is None or action.journey is not None:
                continue
            for name, threading in threadings.get(action.subject.kind, ()):
                facts = _facts(action, action.subject)
                if threading.when is None or threading.when.holds(facts):
                    place = (action.profile_id, name, action.subject)
                    together.setdefault(place, (threading, []))[1].append((action, facts))
        return {place: _piece(*some) for place, some in together.items()}

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


def _facts(action: Action, subject: Subject) -> _Facts:
    """What a condition may ask of the action: FACTS."""
    return {
        "type": action.type,
        "channel": action.channel,
        "actor": action.actor,
        "subject": {"kind": subject.kind, "id": subject.id},
        "properties": action.properties,
        "agent": action.agent or "",
    }


def _piece(threading: Threading, actions: Sequence[tuple[Action, _Facts]]) -> Document:
    """The piece of a thread that these actions are."""
    done = [action for action, _ in actions]
    first = min(done, key=attrgetter("position"))
    piece: Document = {
        "first": {"order": first.position.packed(), "at": first.at, "channel": first.channel},
        "last_at": max(action.at for action in done),
        "channels": sorted({action.channel for action in done}),
    }
    if turns := list(_turns(threading, actions)):
        piece["turn"] = max(turns, key=lambda turn: turn["order"])
    if threading.reopens and (reopenings := _those(threading.reopens.holds, actions)):
        piece["reopenings"] = reopenings
    counts = {name: _those(condition.holds, actions) for name, condition in threading.counts.items()}
    if found := {name: ids for name, ids in counts.items() if ids}:
        piece["counts"] = found
    return piece


def _turns(threading: Threading, actions: Iterable[tuple[Action, _Facts]]) -> Iterator[Document]:
    """What completed or reopened it; an action that does both leaves it open."""
    for action, facts in actions:
        if threading.reopens is not None and threading.reopens.holds(facts):
            status = Status.OPEN
        elif threading.completes is not None and threading.completes.holds(facts):
            status = Status.COMPLETED
        else:
            continue
        # First the order: of two registers the database keeps the greater, and compares them field by field.
        yield {"order": action.position.packed(), "at": action.at, "channel": action.channel, "status": status.value}


def _those(holds: Callable[[_Facts], bool], actions: Iterable[tuple[Action, _Facts]]) -> list[UUID]:
    """The ids of the actions for which it holds, each once."""
    return sorted({action.id for action, facts in actions if holds(facts)})


def _document(place: _Place, piece: Document) -> Document:
    """A piece as it is stored first."""
    profile_id, name, subject = place
    about = {"kind": subject.kind, "id": subject.id}
    return {"_id": _id(place), "profile_id": profile_id, "type": name, "subject": about, **piece}


def _changes(place: _Place, piece: Document) -> Iterator[UpdateOne]:
    """What more actions make of a piece that is stored."""
    where = {"_id": _id(place), "profile_id": place[0]}
    latest = {name: piece[name] for name in ("last_at", "turn") if name in piece}
    channels = {"channels": {"$each": piece["channels"]}}
    yield UpdateOne(where, {"$min": {"first": piece["first"]}, "$max": latest, "$addToSet": channels})
    sets = {f"counts.{name}": ids for name, ids in piece.get("counts", {}).items()}
    for name, ids in (sets | {"reopenings": piece.get("reopenings", ())}).items():
        if ids:
            is_full = {f"{name}.{MOST_COUNTED - 1}": {"$exists": False}}
            yield UpdateOne(where | is_full, {"$addToSet": {name: {"$each": ids}}})


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
