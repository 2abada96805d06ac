"""Intents in MongoDB: one small document per batch under way, so that a crash in the middle is finished by somebody.

intents   _id: batch id · action_ids: 16 bytes each, in one field: a list of 500 would cost as much as the actions ·
          leased_at: by the database's own clock                                                index: lease

Written before the actions and deleted after their projections, with the plain acknowledgement: the log keeps their
order, so where the actions survive a crash, the intent does. Where a change of primary parts the two, the sender, who
had no answer, sends the batch again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from pymongo import IndexModel

from steadylight_server.core.mongo import ACKNOWLEDGED, Database
from steadylight_server.core.stores import Kept, Store


@dataclass(frozen=True)
class Intent:
    """A batch that was begun."""

    id: UUID
    action_ids: Sequence[UUID]


class IntentStore(Store):
    """Opens, closes and leases intents."""

    collections = {"intents": Kept.TRANSIENT}
    indexes = {"intents": [IndexModel([("leased_at", 1)], name="lease")]}

    def __init__(self, database: Database, *, lease_seconds: float) -> None:
        super().__init__(database)
        self._intents = self.collection("intents", write_concern=ACKNOWLEDGED)
        self._over = {"$lt": ["$leased_at", {"$subtract": ["$$NOW", int(lease_seconds * 1000)]}]}

    async def open(self, intent: Intent) -> None:
        """Says that these actions are about to be stored. Nobody else touches them for the time of the lease."""
        packed = b"".join([id.bytes for id in intent.action_ids])
        await self._intents.update_one({"_id": intent.id}, {"$set": {"action_ids": packed}, **_LEASED}, upsert=True)

    async def close(self, intent: Intent) -> None:
        """Says that all is done."""
        await self._intents.delete_one({"_id": intent.id})

    async def lease_old(self) -> Intent | None:
        """One intent whose lease is over, leased anew to the caller; None when all is at rest."""
        found = await self._intents.find_one_and_update({"$expr": self._over}, _LEASED)
        if found is None:
            return None
        packed = found["action_ids"]
        return Intent(found["_id"], [UUID(bytes=packed[at : at + 16]) for at in range(0, len(packed), 16)])


_LEASED = {"$currentDate": {"leased_at": True}}
