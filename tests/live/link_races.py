"""Chained, overlapping links made and taken back by many tasks through several servers at the same moment."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import httpx

from steadylight import AsyncClient
from steadylight.testing import FAST
from steadylight_server.identity.models import Key, Profile
from steadylight_server.identity.partition import partition
from steadylight_server.identity.store import link_of
from tests.factories import action

TASKS = 64
# Identifiers of one round: a chain through all of them, some of them logins, and shortcuts across it.
NAMES = 12
RETIRED = 8
UNLINK = "mutation U($input: UnlinkInput!) { unlink(input: $input) { link { status } } }"


@dataclass(frozen=True)
class Round:
    """What one round left behind."""

    is_as_computed: bool
    links: int
    lost: int
    refused_calls: int


async def race(urls: Sequence[str], key: str, admin_key: str, database: Any, *, rounds: int) -> list[Round]:
    """So many rounds, each with TASKS tasks at once: most record what joins two identifiers, some take a link back."""
    lights = [AsyncClient(urls[number % len(urls)], key, options=FAST) for number in range(TASKS)]
    # A connection for each: one that was kept could be closed by the server at the moment it is used again.
    limits = httpx.Limits(max_connections=TASKS, max_keepalive_connections=0)
    headers = {"Authorization": f"Bearer {admin_key}"}
    async with httpx.AsyncClient(headers=headers, limits=limits, timeout=60, verify=False) as admin:
        try:
            return [await _round(lights, admin, urls, database) for _ in range(rounds)]
        finally:
            await asyncio.gather(*(light.close(0) for light in lights))


async def _round(lights: Sequence[AsyncClient], admin: httpx.AsyncClient, urls: Sequence[str], database: Any) -> Round:
    kinds = ["login", "login", *["account"] * (NAMES - 2)]
    random.shuffle(kinds)
    names = [{"kind": kind, "value": uuid4().hex, "assurance": "LOGIN"} for kind in kinds]
    chain = list(pairwise(names))
    refused = 0

    async def join(light: AsyncClient, pair: tuple[Mapping[str, str], Mapping[str, str]]) -> None:
        nonlocal refused
        verdicts = await light.deliver([action(dict(pair[0]), dict(pair[1]))], within=60)
        refused += verdicts.stored != 1

    async def part(url: str, id: UUID) -> None:
        nonlocal refused
        given = {"operationId": str(uuid4()), "link": f"lnk_{id.hex}", "why": "race"}
        body = {"query": UNLINK, "variables": {"input": given}}
        answer = (await admin.post(f"{url}/graphql", json=body)).json()
        refused += "errors" in answer

    half = len(lights) // 2
    await asyncio.gather(*(join(light, random.choice(chain)) for light in lights[:half]))
    links = [one["_id"] for one in _links(database, _profiles(database, names))]
    retired = random.sample(links, min(RETIRED, len(links)))
    rest = [tuple(random.sample(names, 2)) for _ in range(len(lights) - half - len(retired))]
    await asyncio.gather(
        *(join(light, (pair[0], pair[1])) for light, pair in zip(lights[half:], rest, strict=False)),
        *(part(urls[number % len(urls)], id) for number, id in enumerate(retired)),
    )

    profiles = _profiles(database, names)
    stored = [link_of(one) for one in _links(database, profiles)]
    outcome = partition(profiles, stored, {"login": 1})
    is_as_computed = {one.id: one.customer_id for one in profiles} == dict(outcome.customer_ids) and {
        link.id: link.refusal for link in stored if link.refusal
    } == dict(outcome.refused)
    lost = sum(link.is_retired for link in stored) - len(retired)
    return Round(is_as_computed, len(stored), abs(lost), refused)


def _profiles(database: Any, names: Sequence[Mapping[str, str]]) -> list[Profile]:
    values = [name["value"] for name in names]
    return [
        Profile(one["_id"], one["customer_id"], Key(one["kind"], one["value"]), one["created_at"])
        for one in database.profiles.find({"value": {"$in": values}})
    ]


def _links(database: Any, profiles: Sequence[Profile]) -> list[dict[str, Any]]:
    return list(database.links.find({"profile_ids": {"$in": [one.id for one in profiles]}}))


def sound(rounds: Sequence[Round]) -> list[Round]:
    """Those that came out as computed, with no link lost and no call refused."""
    return [one for one in rounds if one.is_as_computed and not one.lost and not one.refused_calls]
