"""Traits in MongoDB: named facts about a customer. A projection of the actions that carried them: registers, of which
the latest word counts, so that order and repetition of actions do not matter.

traits   _id: made from (profile, name) · profile_id: the shard key · name ·
         said: {order, value, at, assurance, channel, action_id}, the highest order ever                index: profile

`order` is 33 bytes that sort as (whether its assurance reaches BAR, at, sequence, action id): what was said of somebody
who had proven who they are is not changed by what was said later of nobody in particular. A null value takes a trait
back.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from pymongo import IndexModel, UpdateOne

from steadylight_server.core.assurance import Assurance
from steadylight_server.core.mongo import Database, Document
from steadylight_server.core.stores import Kept, Store
from steadylight_server.timeline.models import Action, Trait

BAR = Assurance.KNOWLEDGE
# More than anybody reads; a channel that makes up names does not make the customer's page endless. What was said of
# somebody who had proven who they are goes first, so that made-up names do not hide it.
MOST_READ = 1_000


class TraitStore(Store):
    """Keeps and reads traits."""

    collections = {"traits": Kept.PROJECTION}
    indexes = {"traits": [IndexModel([("profile_id", 1)], name="profile")]}

    def __init__(self, database: Database, *, suffix: str = "") -> None:
        super().__init__(database, suffix=suffix)
        self._traits = self.collection("traits")

    async def project(self, actions: Iterable[Action]) -> None:
        """Takes the actions into account; doing so again changes nothing."""
        latest: dict[tuple[UUID, str], Document] = {}
        for action in actions:
            for name, value in action.traits.items():
                said = _said(action, value)
                before = latest.get((action.profile_id, name))
                if before is None or said["order"] > before["order"]:
                    latest[action.profile_id, name] = said
        if not latest:
            return
        registers = list(latest.items())
        there = await self._traits.insert_new([_document(place, said) for place, said in registers])
        if there:
            await self._traits.bulk_write([_change(*registers[index]) for index in there])

    async def of(self, profile_ids: Sequence[UUID]) -> list[Trait]:
        """What counts of all that was said of these profiles, by name."""
        return traits(await self._traits.aggregate(pipeline(profile_ids)))

    @property
    def name(self) -> str:
        """Of the collection, for a pipeline that joins it."""
        return self._traits.name


def pipeline(profile_ids: Sequence[UUID]) -> list[Mapping[str, Any]]:
    """The registers of these profiles; give them to `traits`."""
    return [
        {"$match": {"profile_id": {"$in": list(profile_ids)}}},
        {"$sort": {"said.order": -1}},
        {"$limit": MOST_READ},
    ]


def traits(registers: Iterable[Mapping[str, Any]]) -> list[Trait]:
    """What counts of all that was said, by name, from stored registers given in any order."""
    best: dict[str, Mapping[str, Any]] = {}
    for one in sorted(registers, key=lambda one: one["said"]["order"], reverse=True):
        best.setdefault(one["name"], one["said"])
    return [_trait(name, said) for name, said in sorted(best.items()) if said["value"] is not None]


def _said(action: Action, value: object) -> Document:
    # First the order: of two registers the database keeps the greater, and compares them field by field.
    return {
        "order": bytes([action.assurance >= BAR]) + action.position.packed(),
        "value": value,
        "at": action.at,
        "assurance": action.assurance.name,
        "channel": action.channel,
        "action_id": action.id,
    }


def _document(place: tuple[UUID, str], said: Document) -> Document:
    return {"_id": _id(place), "profile_id": place[0], "name": place[1], "said": said}


def _change(place: tuple[UUID, str], said: Document) -> UpdateOne:
    return UpdateOne({"_id": _id(place), "profile_id": place[0]}, {"$max": {"said": said}})


def _id(place: tuple[UUID, str]) -> UUID:
    profile_id, name = place
    return UUID(bytes=hashlib.blake2b(name.encode(), key=profile_id.bytes, digest_size=16).digest())


def _trait(name: str, said: Mapping[str, Any]) -> Trait:
    return Trait(name, said["value"], said["at"], Assurance[said["assurance"]], said["channel"], said["action_id"])
