"""Databases for tests. To make one with its indexes takes mongod a ninth of a second; to empty one, a fiftieth."""

from collections.abc import Mapping
from typing import Any, get_type_hints
from uuid import uuid4

import pymongo
from pymongo import WriteConcern
from pymongo.collection import Collection

from steadylight_server.app import Stores
from steadylight_server.core.stores import Store

# A collection with more documents is dropped: its indexes are made sooner than its documents are deleted.
MANY = 1_000


class Databases:
    """Names of databases in which there is nothing; some were used before, and have their indexes still.

    Who looks at how a database is made takes a name of their own.
    """

    def __init__(self, uri: str) -> None:
        self._client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(uri, uuidRepresentation="standard")
        self._free: list[str] = []
        stores: list[type[Store]] = list(get_type_hints(Stores).values())
        self._declared = {name: {"_id_"} for store in stores for name in store.collections}
        for store in stores:
            for name, indexes in store.indexes.items():
                self._declared[name] |= {index.document["name"] for index in indexes}

    def take(self) -> str:
        """The name of an empty one, which nobody else has."""
        return self._free.pop() if self._free else f"test-{uuid4().hex[:12]}"

    def give_back(self, name: str) -> None:
        """Leaves nothing in it. What is not as the stores declare it is dropped, and made anew by who takes it."""
        database = self._client[name]
        for found in database.list_collections():
            collection = database[found["name"]]
            if self._is_as_declared(collection, found["options"]) and collection.estimated_document_count() <= MANY:
                collection.delete_many({})
            elif not collection.name.startswith("system."):
                collection.drop()
        # Majority reads see that all is gone, since they see this.
        database.get_collection("audit", write_concern=WriteConcern("majority")).delete_many({})
        self._free.append(name)

    def _is_as_declared(self, collection: Collection[Any], options: Mapping[str, Any]) -> bool:
        return not options and self._declared.get(collection.name) == {*collection.index_information()}

    def close(self) -> None:
        """Ends the connection; the databases go with their mongod."""
        self._client.close()
