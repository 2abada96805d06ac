"""The gaps that customers met, in MongoDB. A projection of the actions of one type; it only ever grows, so that order
and repetition of actions do not matter.

gaps      _id: the action's id · profile_id: the shard key · capability · channel · why · at
          index: recent = (at)

Whom a gap drove to another channel is not kept: it is what they did next, which is read from the timeline by its index
when somebody asks, and may be recorded before the gap is.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Self

from pymongo import IndexModel

from steadylight_server.capabilities.models import REFUSED
from steadylight_server.core.mongo import Database
from steadylight_server.core.stores import Kept, Store
from steadylight_server.insights.models import Gap
from steadylight_server.timeline.models import Action

# Channels record gaps, too, and say of them what they like.
_MOST = 100


class GapStore(Store):
    """Keeps and reads gaps."""

    collections = {"gaps": Kept.PROJECTION}
    indexes = {"gaps": [IndexModel([("at", -1)], name="recent")]}

    def __init__(self, database: Database, *, suffix: str = "") -> None:
        super().__init__(database, suffix=suffix)
        self._gaps = self.collection("gaps")

    def beside(self, suffix: str) -> Self:
        """The same, over a second set of collections."""
        return type(self)(self.database, suffix=suffix)

    async def project(self, actions: Iterable[Action]) -> None:
        """Takes the actions into account; doing so again changes nothing."""
        if met := [gap for action in actions if (gap := _gap(action)) is not None]:
            await self._gaps.insert_new([_document(gap) for gap in met])

    async def since(self, at: datetime, limit: int) -> list[Gap]:
        """Those that were met then or later, the latest first; at most `limit`."""
        found = await self._gaps.find({"at": {"$gte": at}}, sort=[("at", -1)], limit=limit)
        return [
            Gap(one["_id"], one["profile_id"], one["capability"], one["channel"], one["why"], one["at"])
            for one in found
        ]


def _gap(action: Action) -> Gap | None:
    """The gap that an action tells of; None where it tells of none, or does not say of what."""
    capability = action.properties.get("capability") if action.type == REFUSED else None
    if not isinstance(capability, str):
        return None
    why = str(action.properties.get("why", ""))
    return Gap(action.id, action.profile_id, capability[:_MOST], action.channel, why[:_MOST], action.at)


def _document(gap: Gap) -> dict[str, Any]:
    said: Mapping[str, Any] = gap._asdict()
    return {"_id": gap.id, **{name: value for name, value in said.items() if name != "id"}}
