"""Kills `steadylight import customers` and its database in the middle, runs it again, and looks at what is there."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pymongo.errors import PyMongoError

from steadylight_server.core.embedded import EmbeddedDatabase, running
from tests.live.processes import looking_at

MAP = """
source: crm
key: id
identifiers:
  - {kind: email, column: email, assurance: OTP}
  - {kind: person, columns: [given, family, born], assurance: LOGIN}
traits:
  town: town
  balance: {column: balance, type: integer}
at: changed
"""
# Of each of these sorts of fault about one row in a hundred.
SORTS = ("cells", "bytes", "key", "number", "time", "contradiction", "too long")


@dataclass
class Sample:
    """A file, what of it must be there in the end, and which lines must be refused, with how the reason begins."""

    file: Path
    map: Path
    good: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: list[tuple[int, str]] = field(default_factory=list)
    people: dict[str, set[str]] = field(default_factory=dict)  # the records of each, by e-mail address

    @property
    def rows(self) -> int:
        """All of them."""
        return len(self.good) + len(self.refused)


def sample(folder: Path, count: int) -> Sample:
    """So many rows of a CRM in which every fifth customer is there more than once; some rows have a line break."""
    chance = random.Random(11)
    made = Sample(folder / "crm.csv", folder / "crm.map.yaml")
    made.map.write_text(MAP)
    line = 2
    with made.file.open("wb") as file:
        file.write(b"id,email,given,family,born,town,balance,changed\n")
        for number in range(count):
            sort = chance.choice(SORTS) if chance.random() < len(SORTS) / 100 else ""
            person = number if chance.random() < 0.8 else chance.randrange(number + 1)
            row, why = _row(number, person, sort, chance)
            file.write(row)
            if why:
                made.refused.append((line, why))
            else:
                key = f"R-{number}"
                made.good[key] = {"town": _town(number), "balance": number % 1_000}
                made.people.setdefault(f"p{person}", set()).add(key)
            line += row.count(b"\n")
    return made


def _town(number: int) -> str:
    return f"Town {number % 300}" if number % 10 else f"Town\n{number % 300}"


def _row(number: int, person: int, sort: str, chance: random.Random) -> tuple[bytes, str]:
    """As it is written, and how the reason to refuse it begins; none if it is good."""
    cells = [
        f"R-{number}", f"p{person}@mail.example", f"G{person}", f"F{person}", f"19{50 + person % 50}-03-04",
        f'"{_town(number)}"', str(number % 1_000), f"2026-0{1 + number % 9}-01",
    ]  # fmt: skip
    why = ""
    if sort == "cells":
        cells = cells[: chance.randrange(1, 8)]
        why = f"{len(cells)} cells where the header has 8"
    elif sort == "bytes":
        cells[2], why = "D\udcfcrer", "not utf-8: "
    elif sort == "key":
        cells[0], why = "", "id: empty"
    elif sort == "number":
        cells[6], why = "much", "balance: 'much' is no integer"
    elif sort == "time":
        cells[7], why = "1.3.2026", "changed: '1.3.2026' is no date"
    elif sort == "contradiction":
        cells[0], cells[7], why = "R-0", "2026-01-01", "says something else than line 2"
    elif sort == "too long":
        cells[1], why = "x" * 300, "email: String should have at most 256 characters"
    return (",".join(cells) + "\n").encode("utf-8", "surrogateescape"), why


@dataclass(frozen=True)
class Survival:
    """What the last run said and what is there then; counts, but for `told`."""

    told: Mapping[str, Any]
    code: int
    seconds: float  # of all runs together
    stored_at_kills: Sequence[int]
    actions: int
    records: int
    wrong_traits: int
    wrong_customers: int
    wrong_remarks: int
    intents: int


def survive(folder: Path, made: Sample, *, kills: int) -> Survival:
    """Imports the file, with so many kills spread over it."""
    data = folder / "data"
    began = time.monotonic()
    at_kills = [_killed(data, made, len(made.good) * number // (kills + 1)) for number in range(1, kills + 1)]
    process = _start(data, made)
    printed, _ = process.communicate(timeout=3_000)
    seconds = time.monotonic() - began
    with EmbeddedDatabase.start(data) as mongod, looking_at(mongod.uri) as client:
        database = client.steadylight
        profiles = {one["_id"]: one for one in database.profiles.find()}
        records = {one["value"].removeprefix("crm#"): one for one in profiles.values() if one["kind"] == "record"}
        traits: dict[str, dict[str, Any]] = {key: {} for key in records}
        for one in database.traits.find():
            traits[profiles[one["profile_id"]]["value"].removeprefix("crm#")][one["name"]] = one["said"]["value"]
        customers: dict[Any, set[str]] = {}
        for key, one in records.items():
            customers.setdefault(one["customer_id"], set()).add(key)
        return Survival(
            told=json.loads(printed),
            code=process.returncode,
            seconds=seconds,
            stored_at_kills=at_kills,
            actions=database.actions.count_documents({}),
            records=len(records),
            wrong_traits=sum(traits.get(key) != made.good.get(key) for key in traits.keys() | made.good.keys()),
            wrong_customers=len(
                {frozenset(one) for one in customers.values()} ^ {frozenset(one) for one in made.people.values()}
            ),
            wrong_remarks=_wrong_remarks(made),
            intents=database.intents.count_documents({}),
        )


def _wrong_remarks(made: Sample) -> int:
    """Lines that the report lacks, has too much, has twice, or has for another reason."""
    lines = made.file.with_name(f"{made.file.name}.report.jsonl").read_text().splitlines()
    found = [(one["line"], one["why"]) for one in map(json.loads, lines)]
    wrong = abs(len(found) - len(made.refused))
    return wrong + sum(
        one != line or not why.startswith(wanted)
        for (one, why), (line, wanted) in zip(found, made.refused, strict=False)
    )


def _start(data: Path, made: Sample) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "steadylight_server.cli", "import", "customers", str(made.file), "--json"]
    return subprocess.Popen(
        [*command, "--map", str(made.map), "--data", str(data)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"STEADYLIGHT_INTENT_LEASE": "1", "STEADYLIGHT_LOG_LEVEL": "error"},
    )


def _killed(data: Path, made: Sample, due: int) -> int:
    """How many actions were stored when the import was killed, with its database, at `due` or later."""
    process = _start(data, made)
    stored = 0
    while stored < due:
        assert process.poll() is None, "the import ended before it was killed"
        time.sleep(0.02)
        if (uri := running(data)) is not None:
            with suppress(PyMongoError), looking_at(uri) as client:
                while stored < due and process.poll() is None:
                    stored = client.steadylight.actions.count_documents({})
                    time.sleep(0.02)
    mongod = int((data / "database/data/mongod.lock").read_text())
    process.kill()
    process.communicate()
    with suppress(ProcessLookupError):  # it dies with its owner, and may have been faster
        os.kill(mongod, signal.SIGKILL)
    return stored
