"""Journeys that many start, answer and take further at once, through several servers; and servers that are killed while
journeys are due.
"""

import asyncio
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from pymongo.database import Database

from steadylight import AsyncClient, AsyncJourney
from steadylight.testing import FAST
from tests.live.processes import ServerProcess, wait_until

CLIENTS = 64
BLUEPRINT = """\
version: 1
journeys:
  hasty: {stalls_after: 2s, abandoned_after: 5s}
"""


@dataclass(frozen=True)
class Round:
    """What one round left behind."""

    journeys: int
    new: int
    winners: int
    told: int
    answers: int
    right: bool

    @property
    def is_sound(self) -> bool:
        """Whether there is one journey, begun once; one step, of which all losers were told; and every answer."""
        return (self.journeys, self.new, self.winners, self.told, self.answers, self.right) == (
            1,
            1,
            1,
            CLIENTS - 1,
            CLIENTS + 1,
            True,
        )


async def race(
    urls: Sequence[str], keys: Sequence[str], database: Database[dict[str, Any]], *, rounds: int
) -> list[Round]:
    """So many rounds, of a customer each: every client starts the journey, answers two questions and takes a step."""
    lights = [
        AsyncClient(urls[number % len(urls)], keys[number % len(keys)], options=FAST) for number in range(CLIENTS)
    ]
    try:
        return [await _round(lights, database, f"C-{uuid4()}") for _ in range(rounds)]
    finally:
        await asyncio.gather(*(light.close(0) for light in lights))


async def _round(lights: Sequence[AsyncClient], database: Database[dict[str, Any]], name: str) -> Round:
    start = asyncio.Barrier(len(lights))

    async def play(number: int, light: AsyncClient) -> tuple[AsyncJourney, bool]:
        contact = light.customer(login=name, assurance="LOGIN").contact(key=f"{name}-{number}")
        await start.wait()
        journey = await contact.journey("race", within=60)
        journey.answer(f"own-{number}", number)
        journey.answer("common", number)
        await start.wait()
        is_done = await journey.advance(f"step-{number}", within=60)
        assert await light.flush(60) == 0
        return journey, is_done

    played = await asyncio.gather(*(play(number, light) for number, light in enumerate(lights)))
    ids = {journey.id for journey, _ in played}
    (step,) = {journey.step for journey, is_done in played if is_done}
    profile = database.identifiers.find_one({"kind": "login", "value": name})
    assert profile is not None
    mine = {"profile_id": profile["profile_id"]}
    (id, *_) = ids
    registers = {one["question"]: one["said"] for one in database.answers.find({**mine, "journey": id})}
    said = list(database.actions.find({**mine, "type": "journey.answered", "properties.question": "common"}))
    latest = max(said, key=lambda one: one["order"])
    own = all(registers[f"own-{number}"]["value"] == number for number in range(len(lights)))
    return Round(
        database.journeys.count_documents(mine) if len(ids) == 1 else len(ids),
        sum(not journey.resumed for journey, _ in played),
        sum(is_done for _, is_done in played),
        sum(
            journey.step == step and journey.state.changed_in is not None for journey, is_done in played if not is_done
        ),
        len(registers),
        own and registers["common"]["action_id"] == latest["_id"],
    )


@dataclass(frozen=True)
class Fired:
    """What became of journeys by themselves while servers were killed."""

    journeys: int
    kills: int
    #: Journeys with exactly one action that tells that they stalled, and one that they were abandoned.
    once: int
    abandoned: int
    #: Seconds by which the slowest was late, by the time that its action states.
    latest: float


def apply(folder: Path, **environment: str) -> None:
    """Puts the blueprint in force."""
    file = folder / "blueprint.yaml"
    file.write_text(BLUEPRINT)
    command = [sys.executable, "-m", "steadylight_server.cli", "apply", str(file), "--yes"]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | environment)


async def begin(url: str, key: str, count: int) -> None:
    """So many customers begin a journey each, and leave."""
    async with AsyncClient(url, key, options=FAST) as light:
        people = [light.customer(login=f"H-{uuid4()}", assurance="LOGIN").contact() for _ in range(count)]
        for some in range(0, count, 50):
            await asyncio.gather(*(one.journey("hasty", within=60) for one in people[some : some + 50]))


def fire(servers: Sequence[ServerProcess], database: Database[dict[str, Any]], *, seconds: float, seed: int) -> Fired:
    """Kills a server at a time, and starts it again, while the journeys are due; then all is waited for."""
    chance, kills, until = random.Random(seed), 0, time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(chance.uniform(0.2, 0.8))
        server = chance.choice(servers)
        server.kill()
        server.start()
        kills += 1
    wait_until("all is recorded", lambda: not database.journeys.count_documents({"deeds_at": {"$exists": True}}))
    wait_until("nothing is due", lambda: not database.journeys.count_documents({"due_at": {"$exists": True}}))
    wait_until("all is recorded", lambda: not database.journeys.count_documents({"deeds_at": {"$exists": True}}))
    journeys = list(database.journeys.find({"type": "hasty"}))
    told: Counter[tuple[str, str]] = Counter()
    late = [0.0]
    began = {f"jrn_{one['_id'].hex}": one["started"]["at"] for one in journeys}
    for one in database.actions.find({"journey": {"$in": list(began)}, "actor": "SYSTEM"}):
        told[one["journey"], one["type"]] += 1
        wait = 2 if one["type"] == "journey.stalled" else 5
        late.append((one["at"] - began[one["journey"]]).total_seconds() - wait)
    once = sum(told[name, "journey.stalled"] == 1 and told[name, "journey.changed"] == 1 for name in began)
    return Fired(len(journeys), kills, once, sum(one["status"] == "ABANDONED" for one in journeys), max(late))
