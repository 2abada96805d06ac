"""Actions that tell of a change, kept with what they tell of, in the same write, until they are on the timeline.

A document with some has   deeds: the actions as they are stored · deeds_at: since when somebody should have recorded
them, of which there is a sparse index. Who makes the change pushes them and records them; if they die in between
another does, and each action's id makes it one.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from steadylight_server.core.mongo import Collection, Document, IndexModel

INDEX = IndexModel([("deeds_at", 1)], name="unrecorded", sparse=True)


class Outbox:
    """What of a collection's documents is not on the timeline yet."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def unrecorded(self, before: datetime, limit: int) -> list[tuple[UUID, list[Document]]]:
        """Documents with actions that nobody recorded since before then, and these actions; the longest left first."""
        found = await self._collection.find({"deeds_at": {"$lt": before}}, sort=[("deeds_at", 1)], limit=limit)
        return [(one["_id"], one.get("deeds", [])) for one in found]

    async def recorded(self, id: UUID, deeds: Iterable[UUID]) -> None:
        """These actions are on the timeline. One write: who dies in between two leaves it to be looked after."""
        left = {
            "$filter": {"input": {"$ifNull": ["$deeds", []]}, "cond": {"$not": [{"$in": ["$$this._id", list(deeds)]}]}}
        }
        is_over = {"$eq": [{"$size": "$deeds"}, 0]}
        await self._collection.update_one(
            {"_id": id},
            [{"$set": {"deeds": left}}, {"$set": {"deeds_at": {"$cond": [is_over, "$$REMOVE", "$deeds_at"]}}}],
        )

    async def put_off(self, id: UUID, until: datetime) -> None:
        """Its actions cannot be recorded now: others come first."""
        await self._collection.update_one({"_id": id, "deeds_at": {"$lt": until}}, {"$set": {"deeds_at": until}})
