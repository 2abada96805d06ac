"""What every store declares about itself, so that backup, rebuild and index creation need no list of their own."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import ClassVar

from steadylight_server.core.mongo import MAJORITY, Collection, Database, IndexModel, WriteConcern


class Kept(StrEnum):
    """What happens to a collection when things go wrong."""

    LEDGER = "LEDGER"  # backed up; nothing else knows what it holds
    PROJECTION = "PROJECTION"  # rebuilt from the ledgers
    TRANSIENT = "TRANSIENT"  # work under way; empty when all is at rest


class Store:
    """A slice's documents, indexes and queries, side by side in its module."""

    collections: ClassVar[Mapping[str, Kept]] = {}
    indexes: ClassVar[Mapping[str, Sequence[IndexModel]]] = {}

    def __init__(self, database: Database, *, suffix: str = "") -> None:
        """`suffix` goes behind the name of each collection: a rebuild fills a second set beside the first."""
        self.database = database
        self._suffix = suffix

    def collection(self, name: str, *, write_concern: WriteConcern = MAJORITY) -> Collection:
        """One of the declared collections."""
        assert name in self.collections, f"{name} is not declared"
        return self.database.collection(name + self._suffix, write_concern=write_concern)

    async def create_indexes(self) -> None:
        """Makes the indexes that are not there yet."""
        for collection, indexes in self.indexes.items():
            await self.collection(collection).create_indexes(indexes)

    async def missing_indexes(self) -> list[str]:
        """`collection.index` for each declared index that the database lacks."""
        missing = []
        for collection, indexes in self.indexes.items():
            there = await self.collection(collection).index_names()
            declared = [index.document["name"] for index in indexes]
            missing += [f"{collection}.{name}" for name in declared if name not in there]
        return missing

    async def begin_anew(self) -> None:
        """Leaves the collections empty, with their indexes, whatever was in them before."""
        for name in self.collections:
            await self.collection(name).drop()
            await self.collection(name).create()
        await self.create_indexes()

    async def take_the_place_of(self, other: "Store") -> None:
        """Moves each collection under the other's name; what was there is gone."""
        for name in self.collections:
            await self.collection(name).replace(other.collection(name))
