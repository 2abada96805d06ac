"""Blueprints in MongoDB. A ledger, only ever appended to: the one in force is that with the highest number.

blueprints     _id: number, 1, 2, 3 … · text: the YAML as it was applied · applied_at · by: who, as the audit names
               them · restores?: the number of the one that it brought back
"""

from pymongo.errors import DuplicateKeyError

from steadylight_server.blueprint.models import Version
from steadylight_server.core.errors import Conflict
from steadylight_server.core.mongo import Database, Document
from steadylight_server.core.stores import Kept, Store


class BlueprintStore(Store):
    """Adds to the blueprints and reads them."""

    collections = {"blueprints": Kept.LEDGER}

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._blueprints = self.collection("blueprints")

    async def add(self, version: Version) -> None:
        """Stores it. Raises Conflict where there is one with its number."""
        document = version.model_dump(exclude={"number"}, exclude_none=True)
        try:
            await self._blueprints.insert_one({"_id": version.number, **document})
        except DuplicateKeyError:
            raise Conflict("Somebody else applied a blueprint meanwhile. Look at the difference again.") from None

    async def latest_number(self) -> int:
        """Of the one in force; 0 where there is none."""
        found = await self._blueprints.find({}, without=("text",), sort=[("_id", -1)], limit=1)
        return found[0]["_id"] if found else 0

    async def version(self, number: int) -> Version | None:
        """The one with that number."""
        document = await self._blueprints.find_one({"_id": number})
        return _version(document) if document else None

    async def versions(self) -> list[Version]:
        """All, the latest first."""
        return [_version(document) for document in await self._blueprints.find({}, sort=[("_id", -1)])]


def _version(document: Document) -> Version:
    return Version(
        number=document["_id"],
        text=document["text"],
        applied_at=document["applied_at"],
        by=document["by"],
        restores=document.get("restores"),
    )
