"""`steadylight import customers`: the customers that another system knows, each row a record of its own."""

import asyncio
import codecs
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import orjson
import typer

from steadylight_server.cli.database import services
from steadylight_server.cli.options import AsJson, Data, operator, settings
from steadylight_server.cli.output import Failure, as_json, progress
from steadylight_server.core.config import Settings
from steadylight_server.core.errors import Invalid

if TYPE_CHECKING:
    from steadylight_server.imports.mapper import Mapper
    from steadylight_server.imports.models import ImportMap
    from steadylight_server.imports.reader import Rows
    from steadylight_server.imports.service import Remark, Tally
    from steadylight_server.ingest.service import Ingest

group = typer.Typer(help="Customers of other systems.", no_args_is_help=True)

# More would scroll the first ones away; all are in the report.
_MOST_SHOWN = 10
_ENCODING = "utf-8-sig"  # with or without a byte order mark


@group.callback()
def _group() -> None:
    """One command is a group's all the same: others will follow."""


def _moment(text: str) -> datetime:
    from steadylight_server.imports.mapper import moment

    at = moment(text)
    if at is None:
        raise typer.BadParameter(f"{text!r} is no time. Write it like 2026-11-20 or 2026-11-20T09:30:00Z.")
    return at


def _encoding(name: str) -> str:
    try:
        return _ENCODING if codecs.lookup(name).name == "utf-8" else name
    except LookupError:
        raise typer.BadParameter(f"{name!r} is no encoding. Write it like utf-8, cp1252, utf-16.") from None


def _delimiter(text: str) -> str:
    one = {"tab": "\t", "\\t": "\t"}.get(text, text)
    if len(one) != 1 or one in '\r\n"':
        raise typer.BadParameter("A delimiter is one character, or `tab`.")
    return one


@group.command(
    "customers",
    epilog="Example: steadylight import customers crm.csv --map crm.map.yaml --dry-run",
    help="Import customers from CSV with a header, or from JSON lines (.jsonl, .ndjson). Each row becomes one record "
    "of the source that the map names. Imported again, nothing is stored twice. Rows that are refused do not stop the "
    "rest: each is in the report with its line, and the exit code is 1.",
)
def _customers(
    file: Annotated[Path, typer.Argument(help="The rows.", exists=True, dir_okay=False, show_default=False)],
    map: Annotated[
        Path,
        typer.Option(
            help="Which columns are what, as schema/import.schema.json says.",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ],
    source: Annotated[str | None, typer.Option(help="In the place of the map's source.", show_default=False)] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            parser=_moment,
            metavar="TIME",
            help="The time of rows that say none. Left out: when the file was changed last.",
            show_default=False,
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Where each refused row and each warning is written, a JSON object a line. "
            "Left out: beside the file, as FILE.report.jsonl.",
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    delimiter: Annotated[
        str | None,
        typer.Option(
            parser=_delimiter,
            metavar="CHARACTER",
            help="Between the cells of CSV. Left out: a comma, in a .tsv file a tab.",
            show_default=False,
        ),
    ] = None,
    encoding: Annotated[
        str, typer.Option(parser=_encoding, metavar="NAME", help="Of CSV, such as cp1252 or utf-16.")
    ] = "utf-8",
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Read file and map, open no database. What only the server would refuse is not known."
        ),
    ] = False,
    data: Data = None,
    json: AsJson = False,
) -> None:
    from steadylight_server.imports.mapper import Mapper
    from steadylight_server.imports.reader import opened

    declared = _map(map, source)
    changed_at = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    chosen = settings(data)
    separated = delimiter or ("\t" if file.suffix.lower() == ".tsv" else ",")
    with opened(file, declared.columns, delimiter=separated, encoding=encoding) as rows:
        with _reported(report or file.with_name(f"{file.name}.report.jsonl")) as reporting:
            run = _Run(file, rows, Mapper(declared, as_of or changed_at), reporting, quiet=json)
            began = time.monotonic()
            tally = asyncio.run(run.tried() if dry_run else run.imported(chosen, declared.source))
            seconds = time.monotonic() - began
            reporting.tell_the_rest(tally, rows.missing)
    _tell(tally, reporting.file, seconds, dry_run=dry_run, json=json)
    if tally.refused:
        raise typer.Exit(1)


def _map(file: Path, source: str | None) -> "ImportMap":
    from steadylight_server.imports.models import read_map, with_source

    try:
        declared = read_map(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{file} cannot be read as text: {error}.") from None
    except Invalid as error:
        raise Failure(f"{file} is no map.\n{error.message}") from None
    try:
        return declared if source is None else with_source(declared, source)
    except Invalid as error:
        raise typer.BadParameter(error.message, param_hint="--source") from None


class _Run:
    """One import, with a bar of how far in the file it is."""

    def __init__(self, file: Path, rows: "Rows", mapper: "Mapper", reporting: "_Report", *, quiet: bool) -> None:
        self._file = file
        self._rows = rows
        self._mapper = mapper
        self._reporting = reporting
        self._quiet = quiet

    async def imported(self, chosen: Settings, source: str) -> "Tally":
        from steadylight_server.imports import service

        async with services(chosen) as there:
            viewer = await service.source(there.access, source, operator())
            why = f"{self._file.name} as {source}"
            await there.audit.note(who=operator(), deed="customers.imported", why=why)
            return await self._run(there.ingest, viewer)

    async def tried(self) -> "Tally":
        return await self._run(None, None)

    async def _run(self, ingest: "Ingest | None", viewer: Any) -> "Tally":
        from steadylight_server.imports.service import Importer

        with progress(self._file.stat().st_size, quiet=self._quiet) as at:

            def told(tally: "Tally", remarks: "Sequence[Remark]") -> None:
                for one in remarks:
                    self._reporting.add(one)
                at(self._rows.position, f"{tally.rows:,} rows, {tally.refused:,} refused")

            return await Importer(ingest, viewer, self._mapper, told).run(self._rows)


class _Report:
    """Every remark in a file, and the first refusals on stderr."""

    def __init__(self, file: Path, to: IO[bytes]) -> None:
        self.file = file
        self._to = to
        self._shown = 0

    def add(self, one: "Remark") -> None:
        told = {"line": one.line, "key": one.key, "refused": one.is_refused, "why": one.message}
        self._to.write(orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE))
        if one.is_refused and self._shown < _MOST_SHOWN:
            self._shown += 1
            of = f" ({one.key})" if one.key else ""
            typer.echo(f"line {one.line}{of} is refused: {one.message}", err=True)

    def tell_the_rest(self, tally: "Tally", missing: Collection[str]) -> None:
        """What was not shown, and what the map names that was nowhere."""
        if tally.refused > self._shown:
            typer.echo(f"... and {tally.refused - self._shown:,} more; all are in {self.file}.", err=True)
        if missing and tally.rows:
            typer.echo(f"No row had {', '.join(sorted(missing))}: is the map right?", err=True)


@contextmanager
def _reported(file: Path) -> "Iterator[_Report]":
    try:
        to = file.open("wb")
    except OSError as error:
        raise Failure(f"The report {file} cannot be written: {error.strerror}. Name another with --report.") from None
    with to:
        yield _Report(file, to)


def _tell(tally: "Tally", report: Path, seconds: float, *, dry_run: bool, json: bool) -> None:
    if json:
        as_json({**asdict(tally), "report": str(report), "seconds": round(seconds, 3)})
        return
    done = f"{tally.imported:,} imported, {tally.unchanged:,} unchanged"
    if dry_run:
        done = f"{tally.rows - tally.refused:,} fit the map, nothing was imported"
    speed = f"{seconds:.1f} s, {tally.rows / max(seconds, 0.001):,.0f} rows/s"
    typer.echo(f"{tally.rows:,} rows: {done}, {tally.refused:,} refused, {tally.warnings:,} warnings; {speed}")
    if tally.refused or tally.warnings:
        typer.echo(f"Each is in {report}.")
