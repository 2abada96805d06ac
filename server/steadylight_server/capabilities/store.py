"""Performances in MongoDB. A ledger: that something was done, and what came of it, is known from nowhere else.

performances   _id: made of profile, capability and key · profile_id: whose key it is, the shard key · capability: its
               name · label · key · digest: of the input, which tells whether a repetition asks for the same ·
               journey?: which it belongs to, as actions name it · input?:
               as JSON, while it may be tried again · state · channel, assurance: of who began it · begun_at · attempt:
               counts how often it was tried · lease?: until when whoever tries it has it for themselves, by the
               database's own clock · is_safe: whether it may be tried again where nobody knows what came of it ·
               place: which function or webhook tries it, and so knows its key · asked: the action that asked for it ·
               output?: as JSON · failure?: {code, message} · handle?: what whoever goes on with it calls it ·
               progress?: {done?, message, at} · ended_at? · deeds?: actions that tell of it and are not recorded yet ·
               deeds_at?: since when
               indexes: same = (profile_id, capability, key), unique; expired = (lease); unrecorded = (deeds_at)

Input and output are JSON text: BSON has other names, numbers and depths. Whoever tries it holds the lease and names the
attempt in each write: one who was held up for so long that another took over changes nothing any more. Each outcome
carries, in the same write, the action that tells of it, as a journey's does.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from steadylight_server.capabilities.models import Failure, Forgotten, Left, Performance, Progress, State
from steadylight_server.core import outbox
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.mongo import Database, Document, Inserts
from steadylight_server.core.outbox import Outbox
from steadylight_server.core.stores import Kept, Store


def written(said: Mapping[str, Any]) -> str:
    """As JSON, the same for two that say the same: in whatever order, and whether a number came as 1 or as 1.0.

    Raises ValueError for what is no JSON.
    """
    try:
        return json.dumps(_plain(said), sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, RecursionError) as error:
        raise ValueError(f"this is no JSON: {error}") from None


def digest(text: str) -> bytes:
    """Of what was `written`."""
    return hashlib.sha256(text.encode()).digest()


def _plain(said: object) -> object:
    if isinstance(said, float) and said.is_integer() and abs(said) < 2**53:
        return int(said)
    if isinstance(said, Mapping):
        if not all(isinstance(name, str) for name in said):
            raise ValueError("this is no JSON: a name is text")
        return {name: _plain(one) for name, one in said.items()}
    return [_plain(one) for one in said] if isinstance(said, list | tuple) else said


class PerformanceStore(Store):
    """Keeps and reads performances."""

    collections = {"performances": Kept.LEDGER}
    indexes = {
        "performances": [
            IndexModel([("profile_id", 1), ("capability", 1), ("key", 1)], name="same", unique=True),
            IndexModel([("lease", 1)], name="expired", sparse=True),
            outbox.INDEX,
        ]
    }

    def __init__(self, database: Database, *, lease_seconds: float) -> None:
        super().__init__(database)
        self._performances = self.collection("performances")
        self.outbox = Outbox(self._performances)
        self.lease_seconds = lease_seconds

    async def one(self, id: UUID) -> Performance | None:
        """The performance of that id."""
        found = await self._performances.find_one({"_id": id}, _SHOWN)
        return performance(found) if found else None

    async def same(self, profile_ids: Collection[UUID], capability: str, key: str) -> list[Performance]:
        """Those of these profiles that have that key, the earliest first: two where customers were merged."""
        query = {"profile_id": {"$in": list(profile_ids)}, "capability": capability, "key": key}
        found = await self._performances.find(query, without=_HIDDEN)
        return sorted(map(performance, found), key=lambda one: (one.begun_at, one.id))

    async def is_used_in(
        self, profile_ids: Collection[UUID], capability: str, key: str, channel: str, contact: str | None
    ) -> bool:
        """Whether one of these profiles has that key, and it was asked for in that contact."""
        here = {"channel": channel, "asked.contact": contact}
        query = {"profile_id": {"$in": list(profile_ids)}, "capability": capability, "key": key, **here}
        return contact is not None and await self._performances.find_one(query, {"_id": 1}) is not None

    async def begin(self, new: Performance, input: str, asked: Mapping[str, Any], *, is_safe: bool, place: str) -> bool:
        """Stores a new one, leased to the caller; False where its key is used."""
        given: Document = {
            "profile_id": new.profile_id,
            "capability": new.capability,
            "label": new.label,
            "key": new.key,
            "digest": new.digest,
            "input": input,
            "state": State.RUNNING.value,
            "channel": new.channel,
            "assurance": new.assurance.name,
            "begun_at": new.begun_at,
            "attempt": 1,
            "is_safe": is_safe,
            "place": place,
            "asked": asked,
            **({"journey": new.journey} if new.journey is not None else {}),
        }
        literal = {name: {"$literal": value} for name, value in given.items()}
        # An insert cannot ask the database what time it is; an update that finds nothing can.
        try:
            _, is_new = await self._performances.update_one(
                {"_id": new.id, "attempt": 0}, [{"$set": {**literal, "lease": self._until()}}], upsert=True
            )
        except DuplicateKeyError:
            return False
        return is_new

    async def extend(self, id: UUID, attempt: int) -> bool:
        """Holds on to it for another lease; False where somebody else has it."""
        matched, _ = await self._performances.update_one(_held(id, attempt), [{"$set": {"lease": self._until()}}])
        return matched > 0

    async def report(self, id: UUID, progress: Progress, *, attempt: int | None = None) -> Performance | None:
        """How far it has come, as it is then; None where it is over, or somebody else has it."""
        where = {"_id": id, "state": State.ACCEPTED.value} if attempt is None else _held(id, attempt)
        found = await self._performances.find_one_and_update(where, {"$set": {"progress": _progress(progress)}})
        return performance(found) if found else None

    async def end(
        self,
        id: UUID,
        where: Mapping[str, Any],
        state: State,
        *,
        deeds: Iterable[Mapping[str, Any]],
        at: datetime,
        output: str | None = None,
        failure: Failure | None = None,
        handle: str | None = None,
    ) -> Performance | None:
        """What has come of it, with the actions that tell of that; None where it is not as `where` says."""
        told = {
            "output": output,
            "failure": failure and {"code": failure.code, "message": failure.message},
            "handle": handle,
            "ended_at": at if state.is_over else None,
        }
        change: Document = {
            "$set": {
                "state": state.value,
                "deeds_at": at,
                **{name: value for name, value in told.items() if value is not None},
            },
            "$push": {"deeds": {"$each": list(deeds)}},
            "$unset": {"lease": "", "input": "", **({"failure": ""} if failure is None else {})},
        }
        found = await self._performances.find_one_and_update({"_id": id, **where}, change)
        return performance(found) if found else None

    async def forget(self, id: UUID, attempt: int) -> None:
        """Nothing was done: the key is free again."""
        await self._performances.delete_one(_held(id, attempt))

    async def put_off(self, id: UUID, attempt: int, seconds: float) -> None:
        """Whoever held it lets it go; it is tried again after so many seconds."""
        await self._performances.update_one(_held(id, attempt), [{"$set": {"lease": _after(seconds)}}])

    async def take_over(self) -> Left | None:
        """One whose lease is over, leased to the caller as the next attempt; None where there is none."""
        found = await self._performances.find_one_and_update(
            {"lease": {"$exists": True}, "$expr": {"$lt": ["$lease", "$$NOW"]}},
            [{"$set": {"lease": self._until(), "attempt": {"$add": ["$attempt", 1]}}}],
        )
        if found is None:
            return None
        return Left(performance(found), json.loads(found["input"]), found["asked"], found["is_safe"], found["place"])

    async def asked(self, id: UUID) -> Mapping[str, Any] | None:
        """The action that asked for it, as it is stored."""
        found = await self._performances.find_one({"_id": id}, {"asked": 1})
        return found["asked"] if found else None

    @asynccontextmanager
    async def changed(self) -> AsyncIterator["Changed"]:
        """What is changed from now on."""
        async with self._performances.changes(deletions=True) as changes:
            yield Changed(changes)

    def _until(self) -> Document:
        return _after(self.lease_seconds)


class Changed:
    """A stream of performances as they change."""

    def __init__(self, changes: Inserts) -> None:
        self._changes = changes

    async def next(self) -> Performance | Forgotten | None:
        """The next one that changed, as it is by then; None when there was none for a second. Raises Unavailable."""
        found = await self._changes.next()
        if found is None:
            return None
        return performance(found) if "state" in found else Forgotten(found["_id"])


# What is kept for whoever tries it again, and no part of what it is.
_HIDDEN = ("input", "asked", "deeds")
_SHOWN = dict.fromkeys(_HIDDEN, 0)


def running(attempt: int) -> Mapping[str, Any]:
    """For `end`: the caller's attempt is the one that counts."""
    return {"state": State.RUNNING.value, "attempt": attempt}


def being(*states: State) -> Mapping[str, Any]:
    """For `end`: it has one of these."""
    return {"state": {"$in": [state.value for state in states]}}


def _held(id: UUID, attempt: int) -> Document:
    return {"_id": id, **running(attempt)}


def _after(seconds: float) -> Document:
    return {"$add": ["$$NOW", int(timedelta(seconds=seconds) / timedelta(milliseconds=1))]}


def _progress(progress: Progress) -> Document:
    told = {"done": progress.done, "message": progress.message, "at": progress.at}
    return {name: value for name, value in told.items() if value is not None}


def performance(found: Mapping[str, Any]) -> Performance:
    """A performance as it is stored."""
    failure, progress = found.get("failure"), found.get("progress")
    return Performance(
        id=found["_id"],
        profile_id=found["profile_id"],
        capability=found["capability"],
        key=found["key"],
        digest=found["digest"],
        state=State(found["state"]),
        channel=found["channel"],
        assurance=Assurance[found["assurance"]],
        begun_at=found["begun_at"],
        attempt=found["attempt"],
        output=json.loads(found["output"]) if "output" in found else None,
        failure=Failure(failure["code"], failure["message"]) if failure else None,
        handle=found.get("handle"),
        progress=Progress(progress.get("done"), progress["message"], progress.get("at")) if progress else None,
        ended_at=found.get("ended_at"),
        label=found["label"],
        journey=found.get("journey"),
    )
