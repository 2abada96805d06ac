"""Identifiers and profiles in MongoDB. A ledger: profile ids, once shown, must resolve for ever.

identifiers    kind · value (normalised) · profile_id · created_at        unique: (kind, value), the shard key
profiles       _id: profile id, UUIDv7 · customer_id: id of the oldest profile of its customer · kind · value ·
               created_at · version?: how often its customer's links were worked out, on the oldest profile, so that
               two who do so at once collide                              index: customer_id
links          _id · profile_ids: two, the lower first · reason · assurance · at · made_at · action_id? · rank? · by? ·
               why? · refusal? · retired_at? · retired_by? · retired_why?        indexes: profile_ids, of both; made_at
               of those that were refused
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pymongo import IndexModel, ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError

from steadylight_server.core.assurance import Assurance
from steadylight_server.core.mongo import Database, Document
from steadylight_server.core.stores import Kept, Store
from steadylight_server.identity.models import Key, Link, Profile, Reason, Refusal

# Around a link are its two customers, and those whom refused links lead to. More is an identifier that nobody blocked.
_MOST_AROUND = 500

_TOGETHER = {"from": "profiles", "localField": "customer_id", "foreignField": "customer_id", "as": "family"}
_JOINED: list[Mapping[str, Any]] = [{"$lookup": _TOGETHER}, {"$project": {"family": 1}}]

Relinking = Callable[[Sequence[Profile], Sequence[Link]], tuple[Mapping[UUID, UUID], Mapping[UUID, Refusal]]]


class Crowded(Exception):
    """The links around a profile lead to more people than can be worked out at once."""


class Taken(Exception):
    """Somebody else made one of these identifiers first: look again."""


class IdentityStore(Store):
    """Reads and writes identifiers and profiles."""

    collections = {"identifiers": Kept.LEDGER, "profiles": Kept.LEDGER, "links": Kept.LEDGER}
    indexes = {
        "identifiers": [IndexModel([("kind", 1), ("value", 1)], name="identifier", unique=True)],
        "profiles": [IndexModel([("customer_id", 1)], name="customer")],
        "links": [
            IndexModel([("profile_ids", 1)], name="profiles"),
            IndexModel([("made_at", 1)], name="refused", partialFilterExpression={"refusal": {"$exists": True}}),
        ],
    }

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._identifiers = self.collection("identifiers")
        self._profiles = self.collection("profiles")
        self._links = self.collection("links")

    async def profile_ids(self, keys: Iterable[Key]) -> dict[Key, UUID]:
        """The profile of each key that has one; one round trip."""
        by_kind: dict[str, list[str]] = {}
        for key in keys:
            by_kind.setdefault(key.kind, []).append(key.value)
        if not by_kind:
            return {}
        clauses = [{"kind": kind, "value": {"$in": values}} for kind, values in by_kind.items()]
        found = await self._identifiers.find(clauses[0] if len(clauses) == 1 else {"$or": clauses})
        return {Key(one["kind"], one["value"]): one["profile_id"] for one in found}

    async def add(self, profiles: Mapping[Key, UUID], at: datetime) -> None:
        """Makes a profile for each key, all or none. Raises Taken when one of the keys has a profile by now."""

        async def work() -> None:
            await self._identifiers.insert_many(
                [
                    {"kind": key.kind, "value": key.value, "profile_id": id, "created_at": at}
                    for key, id in profiles.items()
                ]
            )
            await self._profiles.insert_many(
                [
                    {"_id": id, "customer_id": id, "kind": key.kind, "value": key.value, "created_at": at}
                    for key, id in profiles.items()
                ]
            )

        try:
            await self.database.transaction(work)
        except BulkWriteError as error:
            raise Taken from error

    async def link(self, id: UUID) -> Link | None:
        """The link of that id."""
        document = await self._links.find_one({"_id": id})
        return link_of(document) if document else None

    async def links(self, profile_ids: Iterable[UUID]) -> list[Link]:
        """All links of these profiles, the oldest first."""
        found = await self._links.find({"profile_ids": {"$in": list(profile_ids)}}, sort=[("made_at", 1), ("_id", 1)])
        return [link_of(document) for document in found]

    async def refused(self, limit: int) -> list[Link]:
        """Links that join nothing because of a rule, the oldest first."""
        query = {"refusal": {"$exists": True}, "reason": {"$ne": "PERSONA"}, "retired_at": {"$exists": False}}
        return [link_of(document) for document in await self._links.find(query, sort=[("made_at", 1)], limit=limit)]

    async def links_by_id(self, ids: Iterable[UUID]) -> dict[UUID, Link]:
        """Those that are stored."""
        return {one["_id"]: link_of(one) for one in await self._links.find({"_id": {"$in": list(ids)}})}

    async def relink(self, change: Callable[[], Awaitable[Sequence[UUID]]], work: Relinking) -> None:
        """One transaction: `change` writes links and says which profiles they touch, `work` says who is whom then.

        The profiles that it is given are all that any link leads to from those, and all of their customers'.
        """

        async def run() -> None:
            touched = await change()
            if touched:
                profiles, links = await self.around(touched, locking=True)
                await self._write(profiles, links, *work(profiles, links))

        await self.database.transaction(run)

    async def put_links(self, links: Sequence[Link]) -> None:
        """Stores each in the place of what it was; one round trip."""
        await self._links.bulk_write([ReplaceOne({"_id": link.id}, _document(link), upsert=True) for link in links])

    async def add_links(self, links: Sequence[Link]) -> None:
        """Stores those that are not there."""
        await self._links.insert_new([_document(link) for link in links])

    async def hubs(self, profile_ids: Iterable[UUID]) -> list[UUID]:
        """Those of these profiles that have more links than can be worked out, personas' aside."""
        found = []
        for id in profile_ids:
            query = {"profile_ids": id, "reason": {"$ne": Reason.PERSONA.value}}
            if len(await self._links.find(query, limit=_MOST_AROUND)) == _MOST_AROUND:
                found.append(id)
        return found

    async def around(self, touched: Sequence[UUID], *, locking: bool = False) -> tuple[list[Profile], list[Link]]:
        """Everybody whom the touched profiles' links lead to, refused ones too, and these links.

        `locking` makes whoever changes the same customers in another transaction begin anew. Raises Crowded.
        """
        profiles: dict[UUID, Profile] = {}
        links: dict[UUID, Link] = {}
        edge = set(touched)
        while edge:
            roots = await self._profiles.find({"_id": {"$in": list(edge)}})
            customer_ids = {document["customer_id"] for document in roots} - {
                one.customer_id for one in profiles.values()
            }
            if locking:
                await self._profiles.update_many({"_id": {"$in": list(customer_ids)}}, {"$inc": {"version": 1}})
            found = await self._profiles.find({"customer_id": {"$in": list(customer_ids)}})
            new = {document["_id"]: _profile(document) for document in found}
            profiles |= new
            more = {link.id: link for link in await self.links(new)} if new else {}
            links |= more
            edge = {id for link in more.values() for id in link.profile_ids} - profiles.keys()
            if sum(not one.is_persona for one in profiles.values()) > _MOST_AROUND + len(touched):
                raise Crowded
        return list(profiles.values()), list(links.values())

    async def _write(
        self,
        profiles: Sequence[Profile],
        links: Sequence[Link],
        customer_ids: Mapping[UUID, UUID],
        refused: Mapping[UUID, Refusal],
    ) -> None:
        """What has changed of who is whom."""
        moves = [
            UpdateOne({"_id": one.id}, {"$set": {"customer_id": customer_ids[one.id]}})
            for one in profiles
            if one.customer_id != customer_ids[one.id]
        ]
        if moves:
            await self._profiles.bulk_write(moves)
        changes = [
            UpdateOne({"_id": link.id}, {"$set": {"refusal": now.value}} if now else {"$unset": {"refusal": ""}})
            for link in links
            if (now := refused.get(link.id)) is not link.refusal and not link.is_retired
        ]
        if changes:
            await self._links.bulk_write(changes)

    async def lock(self, profile_id: UUID) -> None:
        """Makes whoever changes the same customer in another transaction begin anew."""
        found = await self._profiles.find_one({"_id": profile_id}, {"customer_id": 1})
        if found is not None:
            await self._profiles.update_one({"_id": found["customer_id"]}, {"$inc": {"version": 1}})

    async def family(self, profile_id: UUID) -> Sequence[Profile]:
        """All profiles of the customer that this profile is part of, oldest first; one round trip."""
        return (await self.families([profile_id])).get(profile_id, [])

    async def families(self, profile_ids: Collection[UUID]) -> dict[UUID, Sequence[Profile]]:
        """The same of each of these profiles that is there; one round trip for all."""
        found = await self._profiles.aggregate([{"$match": {"_id": {"$in": list(profile_ids)}}}, *_JOINED])
        return {one["_id"]: self.together(one["family"]) for one in found}

    @property
    def name(self) -> str:
        """Of the profiles' collection, for a pipeline that joins it."""
        return self._profiles.name

    @staticmethod
    def pipeline(customer_id: UUID) -> list[Mapping[str, Any]]:
        """The profiles of a customer; give them to `together`."""
        return [{"$match": {"customer_id": customer_id}}]

    @staticmethod
    def together(found: Iterable[Mapping[str, Any]]) -> Sequence[Profile]:
        """The profiles that were found, oldest first."""
        return sorted(map(_profile, found), key=lambda profile: (profile.created_at, profile.id))


def _document(link: Link) -> Document:
    optional = {
        "action_id": link.action_id,
        "rank": link.rank or None,
        "by": dict(link.by) or None,
        "why": link.why or None,
        "refusal": link.refusal and link.refusal.value,
        "retired_at": link.retired_at,
        "retired_by": dict(link.retired_by) or None,
        "retired_why": link.retired_why or None,
    }
    return {
        "_id": link.id,
        "profile_ids": list(link.profile_ids),
        "reason": link.reason.value,
        "assurance": link.assurance.name,
        "at": link.at,
        "made_at": link.made_at,
        **{name: value for name, value in optional.items() if value is not None},
    }


def link_of(document: Document) -> Link:
    """A link as it is stored."""
    one, other = document["profile_ids"]
    return Link(
        id=document["_id"],
        profile_ids=(one, other),
        reason=Reason(document["reason"]),
        assurance=Assurance[document["assurance"]],
        at=document["at"],
        made_at=document["made_at"],
        action_id=document.get("action_id"),
        rank=document.get("rank", 0),
        by=document.get("by", {}),
        why=document.get("why", ""),
        refusal=Refusal(document["refusal"]) if "refusal" in document else None,
        retired_at=document.get("retired_at"),
        retired_by=document.get("retired_by", {}),
        retired_why=document.get("retired_why", ""),
    )


def _profile(document: Mapping[str, Any]) -> Profile:
    return Profile(
        id=document["_id"],
        customer_id=document["customer_id"],
        key=Key(document["kind"], document["value"]),
        created_at=document["created_at"],
    )
