"""Who was shown which version of an article, made from actions. A projection: whoever repeats it changes nothing.

showings   _id: the action's id · article · version · profile_id: whose home the action was given · order: at, sequence
           and id in 32 bytes that sort so · sequence · at · channel · contact? · fragments: ids · rendering? ·
           locale? · hash?: of what was shown
           index: shown = (article, version, order)
"""

from collections.abc import Sequence
from typing import Any, Self

from pymongo import IndexModel, ReplaceOne

from steadylight_server.core.mongo import Database, Document
from steadylight_server.core.paging import Page, Position, Window
from steadylight_server.core.stores import Kept, Store
from steadylight_server.knowledge.models import Showing


class ShowingStore(Store):
    """Projects and pages showings."""

    collections = {"showings": Kept.PROJECTION}
    indexes = {"showings": [IndexModel([("article", 1), ("version", 1), ("order", 1)], name="shown")]}

    def __init__(self, database: Database, *, suffix: str = "") -> None:
        super().__init__(database, suffix=suffix)
        self._showings = self.collection("showings")

    def beside(self, suffix: str) -> Self:
        """The same, over a second set of collections."""
        return type(self)(self.database, suffix=suffix)

    async def project(self, showings: Sequence[Showing]) -> None:
        """Keeps them; again, or in another order, is harmless: an action never changes."""
        changes: list[Any] = [ReplaceOne({"_id": one.id}, _document(one), upsert=True) for one in showings]
        if changes:
            await self._showings.bulk_write(changes)

    async def page(self, article: str, version: int, window: Window) -> Page[Showing]:
        """Who was shown that version, by time: what was done last comes first."""
        earlier, later = window.before, window.after
        span: Document = {}
        if later is not None:
            span["$lt"] = later.packed()
        if earlier is not None:
            span["$gt"] = earlier.packed()
        query = {"article": article, "version": version, **({"order": span} if span else {})}
        sort = [("order", 1 if window.backwards else -1)]
        found = await self._showings.find(query, sort=sort, limit=window.limit + 1)
        return Page.of([_showing(one) for one in found], window)


def _document(one: Showing) -> Document:
    optional = {"contact": one.contact, "rendering": one.rendering, "locale": one.locale, "hash": one.hash}
    return {
        "_id": one.id,
        "article": one.article,
        "version": one.version,
        "profile_id": one.profile_id,
        "order": one.position.packed(),
        "sequence": one.position.sequence,
        "at": one.at,
        "channel": one.channel,
        "fragments": list(one.fragments),
        **{name: value for name, value in optional.items() if value is not None},
    }


def _showing(found: Document) -> Showing:
    return Showing(
        id=found["_id"],
        position=Position(found["at"], found["sequence"], found["_id"]),
        article=found["article"],
        version=found["version"],
        profile_id=found["profile_id"],
        at=found["at"],
        channel=found["channel"],
        contact=found.get("contact"),
        fragments=tuple(found["fragments"]),
        rendering=found.get("rendering"),
        locale=found.get("locale"),
        hash=found.get("hash"),
    )
