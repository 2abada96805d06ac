"""Four channels perform one deed at once, through two servers, of which one is killed meanwhile; a receiver counts what
was done.
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

from steadylight import AsyncClient, Options, Performance
from tests.live.processes import ServerProcess, free_port, keys, wait_until
from tests.live.receiver import Receiver, effects

CHANNELS = {"web": "SELF_SERVICE", "app": "SELF_SERVICE", "ivr": "AUTOMATED_AGENT", "branch": "ASSISTED"}
# Deeds under way when a server is killed.
TOGETHER = 4
# Seconds after which another server takes over what a killed one was performing; 15 unless set.
LEASE = 2
# Patient with a server that starts anew, and quick to try it.
OPTIONS = Options(backoff_base=0.05, backoff_ceiling=0.3, spool=None)
BLUEPRINT = """\
version: 1
capabilities:
  deed.safe: {implementation: {function: deed_safe}, timeout: 10s}
  deed.once: {implementation: {function: deed_once}, timeout: 10s}
"""
# What a company installs beside the server.
FUNCTIONS = '''\
"""Does deeds by asking the receiver."""

import json
import os
import urllib.error
import urllib.request

from steadylight_server.capabilities import NotDone, Unknown, capability


def _asked(where, call):
    body = json.dumps({"key": call.key, **call.input}).encode()
    try:
        with urllib.request.urlopen(os.environ["RECEIVER"] + where, body, timeout=9) as answer:
            return json.load(answer)
    except urllib.error.URLError as error:
        if isinstance(error.reason, ConnectionRefusedError):
            raise NotDone(str(error)) from None
        raise Unknown(str(error)) from None


@capability(honours_keys=True)
def safe(call):
    return _asked("/safe", call)


@capability()
def once(call):
    return _asked("/once", call)
'''
ENTRY_POINTS = """\
[steadylight.capabilities]
deed_safe = deeds:safe
deed_once = deeds:once
"""


@dataclass(frozen=True)
class Round:
    """What one deed left behind: how many different answers there were, effects at the receiver, and actions of it."""

    answers: int
    state: str
    effects: int
    actions: int
    attempts: int

    @property
    def is_sound(self) -> bool:
        """Whether all were told the same, the timeline tells of it once, and nothing was done twice."""
        return (self.answers, self.actions) == (1, 1) and self.effects <= 1

    @property
    def is_honest(self) -> bool:
        """Whether what is said to be done was done."""
        return self.state == "UNKNOWN" or (self.state == "DONE" and self.effects == 1)


class House:
    """Two servers, a receiver, and a client for each channel; two channels ask at each server."""

    def __init__(self, folder: Path, uri: str, database: Database[dict[str, Any]]) -> None:
        self._database = database
        self._effects = folder / "effects.sqlite"
        self._receiver = Receiver(self._effects, free_port())
        installed = folder / "installed"
        (installed / "deeds-1.dist-info").mkdir(parents=True)
        (installed / "deeds.py").write_text(FUNCTIONS)
        (installed / "deeds-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: deeds\nVersion: 1\n")
        (installed / "deeds-1.dist-info" / "entry_points.txt").write_text(ENTRY_POINTS)
        given = {
            "STEADYLIGHT_MONGODB_URI": uri,
            "STEADYLIGHT_DATABASE": database.name,
            "STEADYLIGHT_PERFORMANCE_LEASE": f"{LEASE}",
            "PYTHONPATH": os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")]),
            "RECEIVER": self._receiver.url,
        }
        _apply(folder, **given)
        made = keys(uri, database.name, **CHANNELS)
        self.servers = [ServerProcess(folder / f"{number}.log", "--port", free_port(), **given) for number in range(2)]
        self._keys = list(made.values())
        self.kills = 0

    def stop(self) -> None:
        """Ends all."""
        for server in self.servers:
            server.stop()
        self._receiver.stop()

    async def race(self, capability: str, *, rounds: int, seed: int) -> list[Round]:
        """So many deeds, of a customer each, TOGETHER at a time; meanwhile a server is killed and started again."""
        chance = random.Random(seed)
        lights = [
            AsyncClient(self.servers[number % 2].url, key, options=OPTIONS) for number, key in enumerate(self._keys)
        ]
        told: list[Sequence[Performance]] = []
        try:
            while len(told) < rounds:
                names = [f"C-{uuid4()}" for _ in range(min(TOGETHER, rounds - len(told)))]
                kill = asyncio.to_thread(self._kill, chance.choice(self.servers), chance.uniform(0.05, 0.6))
                played = asyncio.gather(*(self._deed(lights, capability, name) for name in names))
                _, answers = await asyncio.gather(kill, played)
                told += answers
        finally:
            await asyncio.gather(*(light.close(0) for light in lights))
        open_ones = {"$or": [{"deeds_at": {"$exists": True}}, {"state": "RUNNING"}]}
        wait_until("all is recorded", lambda: not self._database.performances.count_documents(open_ones))
        done = Counter(effects(self._effects))
        return [self._round(each, done) for each in told]

    async def _deed(self, lights: Sequence[AsyncClient], capability: str, name: str) -> list[Performance]:
        start = asyncio.Barrier(len(lights))

        async def play(channel: str, light: AsyncClient) -> Performance:
            contact = light.customer(login=name, assurance="LOGIN").contact(key=f"{name}-{channel}")
            await start.wait()
            return await contact.perform(capability, {"amount": 5}, key="pay-5", within=90)

        return await asyncio.gather(*(play(*each) for each in zip(CHANNELS, lights, strict=True)))

    def _kill(self, server: ServerProcess, after: float) -> None:
        time.sleep(after)
        server.kill()
        server.start()
        self.kills += 1

    def _round(self, answers: Sequence[Performance], done: Counter[str]) -> Round:
        first = answers[0]
        same = {one.model_copy(update={"repeated": False}).model_dump_json() for one in answers}
        query = {"type": "capability.performed", "properties.performance": first.id}
        return Round(
            len(same), first.state, done[first.id], self._database.actions.count_documents(query), first.attempt
        )


def _apply(folder: Path, **environment: str) -> None:
    file = folder / "blueprint.yaml"
    file.write_text(BLUEPRINT)
    command = [sys.executable, "-m", "steadylight_server.cli", "apply", str(file), "--yes"]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | environment)
