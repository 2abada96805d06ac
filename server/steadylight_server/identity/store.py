"""Identifiers and profiles in MongoDB. A ledger: profile ids, once shown, must resolve for ever.

identifiers    kind · value (normalised) · profile_id · created_at        unique: (kind, value), the shard key
profiles       _id: profile id, UUIDv7 · customer_id: id of the oldest profile of its customer · kind · value ·
               created_at                                                 index: customer_id
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from pymongo import IndexModel
from pymongo.errors import BulkWriteError

from steadylight_server.core.mongo import Database, Document
from steadylight_server.core.stores import Kept, Store
from steadylight_server.identity.models import Key, Profile


class Taken(Exception):
    """Somebody else made one of these identifiers first: look again."""


class IdentityStore(Store):
    """Reads and writes identifiers and profiles."""

    collections = {"identifiers": Kept.LEDGER, "profiles": Kept.LEDGER}
    indexes = {
        "identifiers": [IndexModel([("kind", 1), ("value", 1)], name="identifier", unique=True)],
        "profiles": [IndexModel([("customer_id", 1)], name="customer")],
    }

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._identifiers = self.collection("identifiers")
        self._profiles = self.collection("profiles")

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

    async def family(self, profile_id: UUID) -> Sequence[Profile]:
        """All profiles of the customer that this profile is part of, oldest first; one round trip."""
        found = await self._profiles.aggregate(
            [
                {"$match": {"_id": profile_id}},
                {
                    "$lookup": {
                        "from": "profiles",
                        "localField": "customer_id",
                        "foreignField": "customer_id",
                        "as": "family",
                    }
                },
                {"$project": {"family": 1}},
            ]
        )
        family = [_profile(document) for document in found[0]["family"]] if found else []
        return sorted(family, key=lambda profile: (profile.created_at, profile.id))


def _profile(document: Document) -> Profile:
    return Profile(
        id=document["_id"],
        customer_id=document["customer_id"],
        key=Key(document["kind"], document["value"]),
        created_at=document["created_at"],
    )
