"""First sights: many clients, through several servers, record the same new identifiers at the same moment."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from pymongo.database import Database

from steadylight import AsyncClient, Verdicts
from steadylight.testing import FAST
from tests.factories import action, login

CLIENTS = 32


@dataclass(frozen=True)
class Round:
    """What one round left behind, for each of its identifiers."""

    verdicts: Sequence[Verdicts]
    identifiers: Sequence[int]
    profiles: Sequence[int]
    actions: Sequence[int]

    def is_one_customer_each(self, names: int) -> bool:
        """Whether every action of every client is stored once, in the timeline of one customer per identifier."""
        stored = all(
            (each.stored, each.duplicate, each.refused, each.retry) == (names, 0, 0, 0) for each in self.verdicts
        )
        ones = [1] * names
        return (
            stored
            and list(self.identifiers) == ones
            and list(self.profiles) == ones
            and list(self.actions) == [CLIENTS] * names
        )


async def race(
    urls: Sequence[str], key: str, database: Database[dict[str, Any]], *, rounds: int, names: int = 1
) -> list[Round]:
    """So many rounds; in each, every client records all of `names` new identifiers, in an order of its own."""
    lights = [AsyncClient(urls[number % len(urls)], key, options=FAST) for number in range(CLIENTS)]
    try:
        return [await _round(lights, database, [f"C-{uuid4()}" for _ in range(names)]) for _ in range(rounds)]
    finally:
        await asyncio.gather(*(light.close(0) for light in lights))


async def _round(lights: Sequence[AsyncClient], database: Database[dict[str, Any]], names: Sequence[str]) -> Round:
    start = asyncio.Barrier(len(lights))

    async def record(light: AsyncClient) -> Verdicts:
        mine = [action(login(name)) for name in random.sample(names, len(names))]
        await start.wait()
        return await light.deliver(mine, within=60)

    verdicts = await asyncio.gather(*map(record, lights))
    wanted = [{"kind": "login", "value": name} for name in names]
    homes = [[one["profile_id"] for one in database.identifiers.find(each)] for each in wanted]
    return Round(
        verdicts,
        [len(each) for each in homes],
        [database.profiles.count_documents(each) for each in wanted],
        [database.actions.count_documents({"profile_id": each[0]}) if each else 0 for each in homes],
    )
