"""What all servers counted together, in MongoDB: one document for each name that is counted in a window of time.

rates     _id: digest of what is counted, so that nobody is named and no name is long · count: in this window ·
          ends_at: of this window · left: milliseconds from the latest count to there                  index: over (TTL)

A window begins with the first that is counted after the one before has ended, and both are told by the database's own
clock: a server whose clock is wrong neither shortens nor prolongs one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from pymongo.operations import UpdateOne

from steadylight_server.core.collection import Document
from steadylight_server.core.mongo import ACKNOWLEDGED, Database, IndexModel
from steadylight_server.core.stores import Kept, Store


@dataclass(frozen=True)
class Added:
    """So much to be added to what is counted under that name, in windows of so many seconds."""

    name: str
    amount: int
    seconds: int


@dataclass(frozen=True)
class Counter:
    """What all servers counted in the window under way, which ends in `left` seconds."""

    count: int
    left: float


class CounterStore(Store):
    """Adds and tells the sum."""

    collections = {"rates": Kept.TRANSIENT}
    indexes = {"rates": [IndexModel([("ends_at", 1)], name="over", expireAfterSeconds=0)]}

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        # A caller waits for one counter, and its answer comes from the write itself. Nobody waits for many, and they
        # are read afterwards, which needs the majority's acknowledgement to show what was written.
        self._one = self.collection("rates", write_concern=ACKNOWLEDGED)
        self._many = self.collection("rates")

    async def add(self, added: Added) -> Counter:
        """Counts, in one round trip. Raises Unavailable; whether it was counted is unknown then."""
        found = await self._one.find_one_and_update({"_id": _id(added.name)}, _counted(added), upsert=True)
        assert found is not None
        return _counter(found)

    async def add_all(self, added: Sequence[Added]) -> Mapping[str, Counter]:
        """Counts, and returns by name what is counted then: two round trips for all. Raises Unavailable as `add`."""
        names = {_id(one.name): one.name for one in added}
        await self._many.bulk_write([UpdateOne({"_id": _id(one.name)}, _counted(one), upsert=True) for one in added])
        return {names[found["_id"]]: _counter(found) for found in await self._many.find({"_id": {"$in": list(names)}})}

    async def forget(self, name: str) -> None:
        """Begins anew with that name."""
        await self._one.delete_one({"_id": _id(name)})


def _id(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=16).digest()


def _counter(document: Document) -> Counter:
    # Times are cut to milliseconds: one more, so that nobody comes back too soon.
    return Counter(document["count"], (document["left"] + 1) / 1000)


def _counted(added: Added) -> list[Mapping[str, Any]]:
    is_over = {"$lte": ["$ends_at", "$$NOW"]}  # as is a window that never was: what is missing comes first in the order
    end = {"$add": ["$$NOW", added.seconds * 1000]}
    return [
        {
            "$set": {
                "count": {"$add": [{"$cond": [is_over, 0, "$count"]}, added.amount]},
                "ends_at": {"$cond": [is_over, end, "$ends_at"]},
            }
        },
        {"$set": {"left": {"$subtract": ["$ends_at", "$$NOW"]}}},
    ]
