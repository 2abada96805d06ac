"""Merging and parting two customers of 100,000 actions each takes no longer than two of 10; the timeline is in order.

The two pairs take turns. The merged timeline is read page by page, newest first.
"""

import asyncio
import itertools
import statistics
import tempfile
import time
from pathlib import Path
from uuid import UUID, uuid4

from steadylight_server.app import Stores, open_database
from steadylight_server.core.audit import Audit
from steadylight_server.core.config import Settings
from steadylight_server.core.embedded import EmbeddedDatabase
from steadylight_server.core.paging import Window
from steadylight_server.identity.models import Key
from steadylight_server.identity.service import IdentityService
from steadylight_server.timeline.models import ActionFilter, Order
from steadylight_server.timeline.service import TimelineService
from tests.factories import BY

from .data import history
from .figures import Figures

LARGE, SMALL = 100_000, 10
ROUNDS = 30


def prove(figures: Figures) -> None:
    """Notes how long a merge and its undoing take, large over small, and whether the merged timeline is in order."""
    with tempfile.TemporaryDirectory(prefix="steadylight-merge-") as made:
        with EmbeddedDatabase.start(Path(made) / "data") as mongod:
            settings = Settings(mongodb_uri=mongod.uri, database="steadylight", log_level="error")
            asyncio.run(_merges(figures, settings))


async def _merges(figures: Figures, settings: Settings) -> None:
    assert settings.mongodb_uri is not None
    async with open_database(settings, settings.mongodb_uri) as (_, stores):
        identity = IdentityService(stores.identity)
        timeline = TimelineService(stores.actions, stores.contacts, stores.types, stores.traits)
        audit = Audit(stores.audit)
        names = [Key("customer-number", name) for name in ("large-1", "large-2", "small-1", "small-2")]
        found = await identity.resolve(names)
        ids = [found[name] for name in names]
        for id, count in zip(ids, (LARGE, LARGE, SMALL, SMALL), strict=True):
            await _fill(stores, id, count)
        times: dict[int, list[float]] = {LARGE: [], SMALL: []}
        for _ in range(ROUNDS):
            for count, pair in ((LARGE, ids[:2]), (SMALL, ids[2:])):
                began = time.perf_counter()
                link = await identity.links.decide((pair[0], pair[1]), id=uuid4(), by=BY, why="one person")
                await identity.links.retire(link.id, by=BY, why="two people")
                times[count].append(time.perf_counter() - began)
                await audit.note(who=BY, deed="customer.merged")
        await identity.links.decide((ids[0], ids[1]), id=uuid4(), by=BY, why="one person")
        customer = await identity.customer(ids[0])
        read, position = 0, None
        is_ordered = True
        after: str | None = None
        for _ in range(20):
            window = Window.of(100, after, None, None)
            page = await timeline.page(customer.profile_ids, ActionFilter(), Order.NEWEST_FIRST, window)
            for action in page.items:
                is_ordered = is_ordered and (position is None or action.position <= position)
                position = action.position
            read += len(page.items)
            after = page.items[-1].position.cursor()
    small, large = (statistics.median(times[count]) for count in (SMALL, LARGE))
    figures.note("a merge and its undoing, two customers of 10 actions each", small * 1000, "ms")
    figures.note("the same with 100,000 actions each, over that", large / small, at_most=1.5)
    figures.note("actions of the merged timeline read in pages", read, exactly=2_000)
    figures.note("read in order", is_ordered, exactly=True)


async def _fill(stores: Stores, profile_id: UUID, count: int) -> None:
    coming = history([profile_id], count, per_visit=50)
    while some := list(itertools.islice(coming, 2_000)):
        await stores.actions.append(some)
