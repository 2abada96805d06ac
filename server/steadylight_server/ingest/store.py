"""Intents in MongoDB: one small document per batch under way, so that a crash in the middle is finished by somebody.

intents   _id: batch id · action_ids · channel · lease_until: by the database's own clock      index: lease

Written before the actions and deleted after their projections.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from pymongo import IndexModel

from steadylight_server.core.mongo import Database
from steadylight_server.core.stores import Kept, Store


@dataclass(frozen=True)
class Intent:
    """A batch that was begun."""

    id: UUID
    action_ids: Sequence[UUID]


class IntentStore(Store):
    """Opens, closes and leases intents."""

    collections = {"intents": Kept.TRANSIENT}
    indexes = {"intents": [IndexModel([("lease_until", 1)], name="lease")]}

    def __init__(self, database: Database, *, lease_seconds: float) -> None:
        super().__init__(database)
        self._intents = self.collection("intents")
        self._lease = {"$add": ["$$NOW", int(lease_seconds * 1000)]}

    async def open(self, intent: Intent) -> None:
        """Says that these actions are about to be stored. Nobody else touches them for the time of the lease."""
        fields = {"action_ids": list(intent.action_ids), "lease_until": self._lease}
        await self._intents.update_one({"_id": intent.id}, [{"$set": fields}], upsert=True)

    async def close(self, intent: Intent) -> None:
        """Says that all is done."""
        await self._intents.delete_one({"_id": intent.id})

    async def lease_old(self) -> Intent | None:
        """One intent whose lease is over, leased anew to the caller; None when all is at rest."""
        found = await self._intents.find_one_and_update(
            {"$expr": {"$lt": ["$lease_until", "$$NOW"]}}, [{"$set": {"lease_until": self._lease}}]
        )
        return Intent(found["_id"], found["action_ids"]) if found else None
