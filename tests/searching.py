"""A search of an index in one call, as the server does it by steps."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from steadylight_server.knowledge.index import Index
from steadylight_server.knowledge.question import Found


def search(
    index: Index,
    query: str,
    *,
    audiences: Collection[str],
    at: datetime | None = None,
    topics: Collection[str] = (),
    locales: Collection[str] = (),
    first: int = 10,
    offset: int = 0,
    counts: bool = False,
) -> Found:
    """So many hits behind the offset; with `counts` also topics and locales of all that was found."""
    question = index.ask(query, audiences=audiences, at=at, topics=topics, locales=locales)
    if question is None:
        return Found()
    found = question.found(question.look(), first=first, offset=offset)
    if not counts:
        return found
    by_topic, by_locale = question.counted()
    return replace(found, topics=by_topic, locales=by_locale)
