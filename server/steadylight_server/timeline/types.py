"""The types of action ever seen, in MongoDB. A projection of the actions: a minimum, so order does not matter.

action_types   _id: type · first_seen_at: of the action that the server received first
"""

from collections.abc import Iterable
from datetime import datetime

from pymongo.errors import DuplicateKeyError

from steadylight_server.core.mongo import Database
from steadylight_server.core.stores import Kept, Store
from steadylight_server.timeline.models import Action

# Types already noted by this process; more than any company declares, little enough to hold.
_MOST_KNOWN = 10_000


class TypeStore(Store):
    """Notes types."""

    collections = {"action_types": Kept.PROJECTION}

    def __init__(self, database: Database, *, suffix: str = "") -> None:
        super().__init__(database, suffix=suffix)
        self._types = self.collection("action_types")
        self._known: dict[str, datetime] = {}  # by when; another server may have received one before, and crashed

    async def project(self, actions: Iterable[Action]) -> list[Action]:
        """Takes the actions into account; returns the first action of each type that nobody noted before."""
        first: dict[str, Action] = {}
        for action in actions:
            known = first[action.type].received_at if action.type in first else self._known.get(action.type)
            if known is None or action.received_at < known:
                first[action.type] = action
        new = [action for action in first.values() if await self._add(action.type, action.received_at)]
        if len(self._known) < _MOST_KNOWN:
            self._known.update({type: action.received_at for type, action in first.items()})
        return new

    async def _add(self, type: str, at: datetime) -> bool:
        try:
            _, made = await self._types.update_one({"_id": type}, {"$min": {"first_seen_at": at}}, upsert=True)
        except DuplicateKeyError:  # two servers met the type at once, and both are right to have tried
            return await self._add(type, at)
        return made
