"""`steadylight doctor`: tries what the server needs, and says what to do about what is not right."""

import asyncio
import os
import platform
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer
from pydantic import ValidationError

from steadylight_server.cli.database import opened
from steadylight_server.cli.facts import installed
from steadylight_server.cli.options import AsJson, Data, settings, settings_fault
from steadylight_server.cli.output import Failure, as_json
from steadylight_server.core.clock import now
from steadylight_server.core.config import Settings
from steadylight_server.core.errors import SteadylightError
from steadylight_server.core.mongod import EmbeddedError

if TYPE_CHECKING:
    from steadylight_server.app import Stores
    from steadylight_server.core.mongo import Database

# Of the SDK, which may share the environment.
_OTHER_VARIABLES = {"STEADYLIGHT_URL", "STEADYLIGHT_KEY", "STEADYLIGHT_SPOOL"}
# The embedded one; what the tests run on.
_OLDEST_TRIED = (6, 0)
# Seconds. From the second on the server corrects the times of actions, as ingest does with a channel's clock.
_CLOCK_WARN, _CLOCK_FAIL = 1.0, 30.0
# Bytes. Below the second mongod's journal and checkpoints have no room.
_DISK_WARN, _DISK_FAIL = 2_000_000_000, 200_000_000
_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@dataclass(frozen=True)
class Finding:
    """One thing that was tried."""

    check: str
    state: Literal["ok", "warn", "fail"]
    said: str
    to_do: str | None = None


def add_to(program: typer.Typer) -> None:
    """Adds the command."""
    program.command(
        "doctor",
        epilog="Example: steadylight doctor --data /var/lib/steadylight --json",
        help="Check settings, libraries, database, indexes, clock and disk, and say what to do. Changes nothing. "
        "Exit code 1 when something fails.",
    )(doctor)


def doctor(data: Data = None, json: AsJson = False) -> None:
    """Prints the findings, each as soon as it is there."""
    findings = []
    for finding in _findings(data):
        findings.append(finding)
        if not json:
            _print(finding)
    failed = any(finding.state == "fail" for finding in findings)
    if json:
        as_json({"ok": not failed, "checks": [asdict(finding) for finding in findings]})
    if failed:
        raise typer.Exit(1)


def _print(finding: Finding) -> None:
    typer.secho(f"{finding.state:4}  ", fg=_COLOURS[finding.state], bold=True, nl=False)
    typer.echo(f"{finding.check:10}  {finding.said}")
    if finding.to_do:
        typer.echo(f"{'':18}{finding.to_do}")


def _findings(data: Path | None) -> Iterator[Finding]:
    yield _libraries()
    try:
        chosen = settings(data)
    except ValidationError as error:
        yield Finding("settings", "fail", settings_fault(error), "Correct or unset these variables.")
        return
    yield _variables()
    if chosen.mongodb_uri is None:
        yield _disk(chosen.data)
    yield from _database(chosen)


def _libraries() -> Finding:
    versions = installed()
    said = ", ".join([f"Python {platform.python_version()}", *(f"{name} {found}" for name, found in versions.items())])
    missing = [name for name, found in versions.items() if found is None]
    if missing:
        return Finding("libraries", "warn", said, f"{', '.join(missing)}: pip install 'steadylight[server]'")
    return Finding("libraries", "ok", said)


def _variables() -> Finding:
    """A misspelt variable is silently ignored by everybody else."""
    known = {f"STEADYLIGHT_{name.upper()}" for name in Settings.model_fields} | _OTHER_VARIABLES
    there = {name for name in os.environ if name.upper().startswith("STEADYLIGHT_")}
    unknown = sorted(name for name in there if name.upper() not in known)
    if unknown:
        return Finding("settings", "warn", f"{', '.join(unknown)} means nothing to Steadylight.", "Is it misspelt?")
    return Finding("settings", "ok", f"{len(there)} of {len(known)} variables are set; the rest has its default.")


def _disk(data: Path) -> Finding:
    place = Path(os.path.abspath(data))
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    said = f"{free / 1e9:.1f} GB free for {data}"
    if free < _DISK_WARN:
        return Finding("disk", "fail" if free < _DISK_FAIL else "warn", said, "Make room, or move it with --data.")
    return Finding("disk", "ok", said)


def _database(chosen: Settings) -> Iterator[Finding]:
    from steadylight_server.app import database_uri

    with ExitStack() as stack:
        is_new = chosen.mongodb_uri is None and not (chosen.data / "database").exists()
        if is_new:
            # The doctor leaves nothing behind: whether a database can run here is tried elsewhere.
            elsewhere = stack.enter_context(tempfile.TemporaryDirectory(prefix="steadylight-doctor-"))
            chosen = chosen.model_copy(update={"data": Path(elsewhere)})
        try:
            uri = stack.enter_context(database_uri(chosen, join=True))
            yield from asyncio.run(_examined(chosen, uri, is_new=is_new))
        except (EmbeddedError, Failure) as error:
            yield Finding("database", "fail", str(error))
        except SteadylightError as error:
            yield Finding("database", "fail", error.message, "Does it run, and is STEADYLIGHT_MONGODB_URI right?")


async def _examined(chosen: Settings, uri: str, *, is_new: bool) -> list[Finding]:
    async with opened(chosen, uri, with_indexes=False) as (database, stores):
        return [finding async for finding in _examine(database, stores, is_new=is_new)]


async def _examine(database: "Database", stores: "Stores", *, is_new: bool) -> AsyncIterator[Finding]:
    about = await database.about()
    yield _kind(about["version"], about.get("setName"), about.get("msg") == "isdbgrid")
    yield await _clock(database)
    missing = [name for store in stores.all() for name in await store.missing_indexes()]
    if is_new:
        yield Finding("indexes", "ok", "There is no database yet; `steadylight serve` makes it with its indexes.")
    elif missing:
        yield Finding("indexes", "warn", f"Missing: {', '.join(missing)}.", "Run: steadylight indexes")
    else:
        yield Finding("indexes", "ok", "All are there.")


def _kind(version: str, replica_set: str | None, is_cluster: bool) -> Finding:
    where = f"replica set {replica_set}" if replica_set else "a sharded cluster" if is_cluster else "standalone"
    said = f"MongoDB {version}, {where}"
    if where == "standalone":
        return Finding("database", "fail", said, "Transactions need a replica set, which may have a single member.")
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST_TRIED:
        oldest = ".".join(map(str, _OLDEST_TRIED))
        return Finding("database", "warn", said, f"Nothing older than {oldest} is tried by the tests; update it.")
    return Finding("database", "ok", said)


async def _clock(database: "Database") -> Finding:
    asked = now()
    theirs = await database.server_time()
    off = abs((theirs - (asked + (now() - asked) / 2)).total_seconds())
    said = f"This machine and the database's differ by {off:.3f} s."
    if off > _CLOCK_WARN:
        return Finding("clock", "fail" if off > _CLOCK_FAIL else "warn", said, "Synchronise both clocks (NTP).")
    return Finding("clock", "ok", said)
