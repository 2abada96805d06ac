"""FEBRL's made-up people with known duplicates, imported as any CRM is; and what wrong numbers among them do.

Each record is one channel's view of a person, and the number in its `rec_id` says whose. The files are not part of
this repository; they are synthetic (Freely Extensible Biomedical Record Linkage, BSD-3-Clause).
"""

import csv
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

from steadylight_server.access.models import ADMIN_SCOPES
from steadylight_server.api.info import Services
from steadylight_server.app import open_services
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.config import Settings
from steadylight_server.identity.kinds import DECLARED, Kind
from steadylight_server.identity.models import RECORD, Key, Link
from steadylight_server.identity.values import Normaliser
from steadylight_server.imports.mapper import Mapper
from steadylight_server.imports.models import read_map
from steadylight_server.imports.reader import opened
from steadylight_server.imports.service import Importer, Tally, source
from tests.factories import BY, viewer

FOLDER = Path(__file__).parents[3] / "shared/data/febrl"
SETS = {1: ["dataset1.csv"], 2: ["dataset2.csv"], 3: ["dataset3.csv"], 4: ["dataset4a.csv", "dataset4b.csv"]}
NUMBER, PERSON = "soc-sec-id", "person"
MAP = f"""
source: febrl
key: rec_id
identifiers:
  - {{kind: {NUMBER}, column: soc_sec_id, assurance: LOGIN}}
  - {{kind: {PERSON}, columns: [given_name, surname, date_of_birth, postcode], assurance: LOGIN}}
traits: [given_name, surname, suburb, postcode, state]
"""
# The composite is compared without case; the number, which nobody declares, letter by letter.
KINDS = (*DECLARED, Kind(PERSON, Assurance.LOGIN, 500, Normaliser.FOLDED))
AT = datetime(2026, 11, 1, tzinfo=UTC)

Row = dict[str, str]
Partition = frozenset[frozenset[str]]


def rows(number: int) -> list[Row]:
    """The records of a set."""
    found: list[Row] = []
    for name in SETS[number]:
        with (FOLDER / name).open(newline="") as file:
            found += csv.DictReader(file, skipinitialspace=True)
    return found


def written(file: Path, some: Sequence[Row]) -> Path:
    """The file, with these records."""
    with file.open("w", newline="") as text:
        writer = csv.DictWriter(text, some[0].keys())
        writer.writeheader()
        writer.writerows(some)
    return file


@asynccontextmanager
async def house(uri: str, name: str) -> AsyncIterator[Services]:
    """A server's slices, on a database of that name."""
    settings = Settings(mongodb_uri=uri, database=name, log_level="error")
    async with open_services(settings, uri) as services:
        services.identity.kinds.declare(KINDS)
        yield services


async def imported(services: Services, files: Iterable[Path]) -> Tally:
    """The files, imported; what became of the rows of the last one."""
    map = read_map(MAP)
    speaker = await source(services.access, map.source, BY)
    for file in files:
        with opened(file, map.columns) as found:
            tally = await Importer(services.ingest, speaker, Mapper(map, AT), lambda tally, remarks: None).run(found)
        assert (tally.imported, tally.refused) == (tally.rows, 0)
    return tally


def key(rec_id: str) -> Key:
    """What leads to a record."""
    return Key(RECORD, f"febrl#{rec_id}")


async def partition(services: Services, some: Collection[str]) -> Partition:
    """Which records are one customer."""
    profiles = await services.identity.known([key(rec_id) for rec_id in some])
    assert len(profiles) == len(some)
    names = {profile_id: key.value.removeprefix("febrl#") for key, profile_id in profiles.items()}
    found: set[frozenset[str]] = set()
    left = set(names)
    while left:
        customer = await services.identity.customer(next(iter(left)))
        left -= set(customer.profile_ids)
        found.add(frozenset(names[id] for id in customer.profile_ids if id in names))
    return frozenset(found)


def person(rec_id: str) -> str:
    """Whose record it is, says the file."""
    number = re.match(r"rec-(\d+)-", rec_id)
    assert number
    return number[1]


@dataclass(frozen=True)
class Quality:
    """Pairs of records: in one customer, of these of one person, and all of one person."""

    found: int
    right: int
    all: int

    @property
    def precision(self) -> float:
        return self.right / self.found

    @property
    def recall(self) -> float:
        return self.right / self.all


def quality(found: Partition) -> Quality:
    """Beside the truth of the file."""
    people = Counter(person(rec_id) for customer in found for rec_id in customer)
    right = sum(_pairs(count) for one in found for count in Counter(map(person, one)).values())
    return Quality(sum(_pairs(len(one)) for one in found), right, sum(map(_pairs, people.values())))


def _pairs(count: int) -> int:
    return count * (count - 1) // 2


@dataclass(frozen=True)
class Planted:
    """Records of which some have the number of somebody else, and the same ones without any number."""

    wrong: list[Row]
    without: list[Row]
    rec_ids: Sequence[str]


def planted(some: Sequence[Row], count: int) -> Planted:
    """Gives so many records the number of another person."""
    chance = random.Random(4)
    numbers: Mapping[str, str] = {one["rec_id"]: one["soc_sec_id"] for one in some}
    chosen = chance.sample(sorted(numbers), count)
    taken = {}
    for rec_id in chosen:
        others = [other for other in numbers if person(other) != person(rec_id) and other not in chosen]
        taken[rec_id] = numbers[chance.choice(others)]
    wrong = [one | {"soc_sec_id": taken.get(one["rec_id"], one["soc_sec_id"])} for one in some]
    without = [one | {"soc_sec_id": "" if one["rec_id"] in taken else one["soc_sec_id"]} for one in some]
    return Planted(wrong, without, chosen)


async def numbers_links(services: Services, rec_ids: Iterable[str]) -> list[Link]:
    """The links that these records' numbers made, found from what is stored of the records alone.

    Those of a record's profile that its own action proved, to a profile of the number's kind; refused ones too.
    """
    found: list[Link] = []
    for rec_id in rec_ids:
        profile_id = await services.identity.profile(key(rec_id))
        assert profile_id is not None
        for link in await services.identity.links.of([profile_id]):
            assert link.action_id is not None
            action = await services.timeline.action(link.action_id)
            (other,) = set(link.profile_ids) - {profile_id}
            if action.profile_id == profile_id and (await _key(services, other)).kind == NUMBER:
                found.append(link)
    return found


async def _key(services: Services, profile_id: UUID) -> Key:
    customer = await services.identity.customer(profile_id)
    return next(profile.key for profile in customer.profiles if profile.id == profile_id)


async def undo(services: Services, links: Iterable[Link]) -> None:
    """Takes them back, as an employee does, audited."""
    admin = viewer(None, scopes=ADMIN_SCOPES)
    for link in links:
        await services.operations.unlink(admin, link, id=uuid4(), why="the number is somebody else's")


async def undone(services: Services) -> int:
    """How many links were taken back, says the audit."""
    entries = await services.audit.entries(limit=10_000)
    return sum(entry.deed == "customer.unlinked" for entry in entries)
