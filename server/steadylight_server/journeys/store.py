"""Journeys in MongoDB. A ledger: who came first at a step is known from nowhere else.

journeys   _id · profile_id: whose it was when it began, the shard key · type: its name · rules?: what the blueprint
           declared of the type then · key: the business's own name for it, or "" · status · step? · revision: counts
           its changes · started: {at, channel} · changed?: {at, channel} · active_at: when anything was last done about
           it · outcome? · reopened: how often · stalled_at? · due_at?: when something becomes of it by itself ·
           done: the ids of its latest operations, so that a repetition is known · deeds?: actions that tell of it and
           are not recorded yet · deeds_at?: since when
           indexes: same = (profile_id, type, key); latest = (profile_id, status, started.at, _id), downwards, where
           WAITING and OPEN come before the others; due = (due_at); unrecorded = (deeds_at)

Each change carries, in the same write, the action that tells of it. Who changed the journey records it and takes it
out; if they die in between another does, and the action's id makes it one.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pymongo import IndexModel, UpdateOne

from steadylight_server.core import outbox
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.mongo import Database, Document
from steadylight_server.core.outbox import Outbox
from steadylight_server.core.stores import Kept, Store
from steadylight_server.journeys.models import (
    Category,
    Form,
    Journey,
    JourneyType,
    Question,
    Reuse,
    Sensitivity,
    Status,
)

_OPEN = [status.value for status in Status if status.is_open]
# Operations whose repetition is known; a client repeats within seconds.
_REMEMBERED = -20


class JourneyStore(Store):
    """Keeps and reads journeys."""

    collections = {"journeys": Kept.LEDGER}
    indexes = {
        "journeys": [
            IndexModel([("profile_id", 1), ("type", 1), ("key", 1)], name="same"),
            IndexModel([("profile_id", 1), ("status", -1), ("started.at", -1), ("_id", -1)], name="latest"),
            IndexModel([("due_at", 1)], name="due", sparse=True),
            outbox.INDEX,
        ]
    }

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._journeys = self.collection("journeys")
        self.outbox = Outbox(self._journeys)

    async def one(self, id: UUID) -> Journey | None:
        """The journey of that id."""
        found = await self._journeys.find_one({"_id": id})
        return journey(found) if found else None

    async def same(self, profile_ids: Collection[UUID], type: str, key: str) -> list[Journey]:
        """The journeys of these profiles that have that type and key, open or not."""
        query = {"profile_id": {"$in": list(profile_ids)}, "type": type, "key": key}
        return [journey(found) for found in await self._journeys.find(query)]

    async def of(self, profile_ids: Collection[UUID], limit: int) -> list[Journey]:
        """The journeys of these profiles: those that are open first, then by when they began, the latest first."""
        return self.latest(await self._journeys.aggregate(self.pipeline(profile_ids, limit)))

    @property
    def name(self) -> str:
        """Of the collection, for a pipeline that joins it."""
        return self._journeys.name

    @staticmethod
    def pipeline(profile_ids: Collection[UUID], limit: int) -> list[Mapping[str, Any]]:
        """What `of` looks for; give it to `latest`."""
        return [
            {"$match": {"profile_id": {"$in": list(profile_ids)}}},
            {"$sort": {"status": -1, "started.at": -1, "_id": -1}},
            {"$limit": limit},
        ]

    @staticmethod
    def latest(found: Iterable[Mapping[str, Any]]) -> list[Journey]:
        """What the pipeline found: those that are open first, then by when they began, the latest first."""
        return sorted(map(journey, found), key=lambda one: (one.status.is_open, one.age), reverse=True)

    async def did(self, id: UUID, operation: UUID) -> bool:
        """Whether that operation changed the journey."""
        return await self._journeys.find_one({"_id": id, "done": operation}, {"_id": 1}) is not None

    async def add(self, new: Journey, operation: UUID, deed: Mapping[str, Any], at: datetime) -> None:
        """Stores a new one, with the action that tells of it."""
        await self._journeys.insert_one({**_document(new), "done": [operation], "deeds": [deed], "deeds_at": at})

    async def change(
        self,
        id: UUID,
        where: Mapping[str, Any],
        change: Mapping[str, Any],
        *,
        operation: UUID,
        deed: Mapping[str, Any],
        at: datetime,
    ) -> Journey | None:
        """The journey as it is changed, with the action that tells of it; None where it is not as `where` says."""
        pushed = {"deeds": deed, "done": {"$each": [operation], "$slice": _REMEMBERED}}
        found = await self._journeys.find_one_and_update(
            {"_id": id, **where},
            {
                "$set": {"deeds_at": at, **change.get("$set", {})},
                "$inc": {"revision": 1, **change.get("$inc", {})},
                "$push": pushed,
                **({"$unset": change["$unset"]} if "$unset" in change else {}),
            },
        )
        return journey(found) if found else None

    async def postpone(self, id: UUID, due_at: datetime, until: datetime | None) -> None:
        """What was to become of it at `due_at` comes later, or not at all."""
        change = {"$unset": {"due_at": ""}} if until is None else {"$set": {"due_at": until}}
        await self._journeys.update_one({"_id": id, "due_at": due_at}, change)

    async def owners(self, ids: Collection[UUID]) -> dict[UUID, UUID]:
        """The profile of each of these journeys that is there."""
        found = await self._journeys.aggregate(
            [{"$match": {"_id": {"$in": list(ids)}}}, {"$project": {"profile_id": True}}]
        )
        return {one["_id"]: one["profile_id"] for one in found}

    async def touch(self, times: Mapping[UUID, datetime]) -> None:
        """Something was done about each of these then; again, or in another order, is harmless."""
        await self._journeys.bulk_write(
            [UpdateOne({"_id": id}, {"$max": {"active_at": at}}) for id, at in times.items()]
        )

    async def due(self, at: datetime, limit: int) -> list[Journey]:
        """Those of which something is to become by then, the longest overdue first."""
        query = {"due_at": {"$lte": at}}
        return [journey(one) for one in await self._journeys.find(query, sort=[("due_at", 1)], limit=limit)]


def being(*statuses: Status) -> Mapping[str, Any]:
    """For `change`: the journey has one of these."""
    return {"status": {"$in": [status.value for status in statuses]}}


def _document(new: Journey) -> Document:
    optional = {
        "rules": _rules(new.type) if new.type.version else None,
        "step": new.step,
        "due_at": new.due_at,
    }
    return {
        "_id": new.id,
        "profile_id": new.profile_id,
        "type": new.type.name,
        "key": new.key,
        "status": new.status.value,
        "revision": new.revision,
        "started": {"at": new.started_at, "channel": new.started_in},
        "active_at": new.active_at,
        "reopened": 0,
        **{name: value for name, value in optional.items() if value is not None},
    }


def journey(found: Mapping[str, Any]) -> Journey:
    """A journey as it is stored."""
    changed = found.get("changed", {})
    return Journey(
        id=found["_id"],
        profile_id=found["profile_id"],
        type=_type(found["type"], found.get("rules")),
        key=found["key"],
        status=Status(found["status"]),
        started_at=found["started"]["at"],
        started_in=found["started"]["channel"],
        active_at=found["active_at"],
        revision=found["revision"],
        step=found.get("step"),
        changed_at=changed.get("at"),
        changed_in=changed.get("channel"),
        outcome=found.get("outcome"),
        reopened=found["reopened"],
        stalled_at=found.get("stalled_at"),
        due_at=found.get("due_at"),
    )


def _rules(type: JourneyType) -> Document:
    return {
        "version": type.version,
        "label": type.label,
        "category": type.category.value,
        "steps": list(type.steps),
        "questions": [_question(one) for one in type.questions.values()],
        "stalls_after": _seconds(type.stalls_after),
        "abandoned_after": _seconds(type.abandoned_after),
        "resume": type.resume.name,
        "resume_in": {channel: level.name for channel, level in type.resume_in.items()},
    }


def _type(name: str, rules: Mapping[str, Any] | None) -> JourneyType:
    if rules is None:
        return JourneyType(name)
    return JourneyType(
        name,
        rules["version"],
        rules["label"],
        Category(rules["category"]),
        tuple(rules["steps"]),
        {one["name"]: _question_of(one) for one in rules["questions"]},
        _span(rules["stalls_after"]),
        _span(rules["abandoned_after"]),
        Assurance[rules["resume"]],
        {channel: Assurance[level] for channel, level in rules["resume_in"].items()},
    )


def _question(one: Question) -> Document:
    return {
        "name": one.name,
        "label": one.label,
        "form": one.form and one.form.value,
        "pattern": one.pattern,
        "choices": list(one.choices),
        "sensitivity": one.sensitivity.value,
        "fresh_for": _seconds(one.fresh_for),
        "reuse": one.reuse.value,
        "assurance": one.assurance.name,
        "shared": one.is_shared,
    }


def _question_of(one: Mapping[str, Any]) -> Question:
    return Question(
        one["name"],
        one["label"],
        Form(one["form"]) if one["form"] else None,
        one["pattern"],
        tuple(one["choices"]),
        Sensitivity(one["sensitivity"]),
        _span(one["fresh_for"]),
        Reuse(one["reuse"]),
        Assurance[one["assurance"]],
        one["shared"],
    )


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()


def _span(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
