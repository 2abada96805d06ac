"""`steadylight audit`: who did or read what of customers, and whether that log is still as it was written."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from steadylight_server.cli.database import opened
from steadylight_server.cli.options import AsJson, Data, duration, settings
from steadylight_server.cli.output import Failure, as_json, as_table, complain, progress
from steadylight_server.core.clock import now
from steadylight_server.core.config import Settings

if TYPE_CHECKING:
    from steadylight_server.core.audit import Audit, Report
    from steadylight_server.core.chain import Entry

group = typer.Typer(help="The audit log: who did or read what, of whom, and why.", no_args_is_help=True)

_NOTED = re.compile(r"(\d{1,15}):([0-9a-f]{64})")


@group.command(
    "verify",
    epilog="Example: steadylight audit verify --expect 1201:9f86d081…",
    help="Read the whole log, and say whether an entry was changed, moved, inserted or removed. Changes nothing. "
    "Exit code 1 when one was.",
)
def _verify(
    expect: Annotated[
        str | None,
        typer.Option(
            metavar="SEQ:HASH",
            help="What an earlier verification said to keep. Without it nobody notices if all that "
            "follows a change was rewritten, or the log was cut, by somebody who knew how.",
            show_default=False,
        ),
    ] = None,
    data: Data = None,
    json: AsJson = False,
) -> None:
    noted = _noted(expect)

    async def run(chosen: Settings, uri: str) -> "Report":
        async with _audit(chosen, uri) as audit:
            with progress(1, quiet=json or not _is_watched()) as at:
                return await audit.verify(
                    noted, progress=lambda done, total: at(done / max(total, 1), f"{done:,} entries")
                )

    report = _run(run, settings(data))
    keep = f"{report.count}:{report.hash}"
    if json:
        fault = report.fault and {"sequence": report.fault.sequence, "said": report.fault.said}
        as_json({"ok": fault is None, "entries": report.count, "keep": keep, "fault": fault})
    elif report.fault is not None:
        complain(f"{report.fault.said} The entries before it are as they were written: {report.count:,}.")
    else:
        typer.echo(
            f"{report.count:,} entries, all as they were written. Keep this line where nobody who can write to the "
            f"database can change it, and verify with it as --expect:\n\n    {keep}\n"
        )
    if report.fault is not None:
        raise typer.Exit(1)


@group.command(
    "list",
    epilog="Example: steadylight audit list --customer cus_0192f0c17d1e7c3a9b7e5d2a4f6b8c90 --since 30d",
    help="Show the latest entries, newest first.",
)
def _list(
    customer: Annotated[
        str | None, typer.Option(metavar="ID", help="Only those of this customer, by its id.", show_default=False)
    ] = None,
    who: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only what somebody of this name did.", show_default=False)
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Such as 12h, 30d, 2026-01-31 or 2026-01-31T08:00Z.", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 50,
    data: Data = None,
    json: AsJson = False,
) -> None:
    begin = _since(since)

    async def run(chosen: Settings, uri: str) -> "list[Entry]":
        from steadylight_server.core.audit import Altered

        async with _audit(chosen, uri) as audit:
            try:
                return await audit.entries(whom=customer, who=who, since=begin, limit=limit)
            except Altered as error:
                raise Failure(f"{error} Run steadylight audit verify.") from error

    entries = [_shown(entry) for entry in _run(run, settings(data))]
    if json:
        as_json(entries)
    elif entries:
        heads = ["sequence", "at", "who", "deed", "whom", "fields", "why"]
        as_table(heads, [[_cell(entry[head]) for head in heads] for entry in entries])
    else:
        typer.echo("There is no such entry.")


def _is_watched() -> bool:
    """Whether somebody sees a progress bar."""
    return sys.stderr.isatty()


def _run(work: Any, chosen: Settings) -> Any:
    """What `work` returns, on the database of the settings; a running embedded one is joined, else one is started."""
    from steadylight_server.app import database_uri

    with database_uri(chosen, join=True) as uri:
        return asyncio.run(work(chosen, uri))


@asynccontextmanager
async def _audit(chosen: Settings, uri: str) -> "AsyncIterator[Audit]":
    from steadylight_server.core.audit import Audit, AuditStore

    async with opened(chosen, uri, with_indexes=False) as (database, _):
        yield Audit(AuditStore(database))


def _noted(text: str | None) -> tuple[int, str] | None:
    """A sequence and its hash, as `verify` prints them."""
    if text is None:
        return None
    found = _NOTED.fullmatch(text.strip())
    if not found:
        raise typer.BadParameter("Give it as verify printed it: a number, a colon, a hash.", param_hint="--expect")
    return int(found[1]), found[2]


def _since(text: str | None) -> datetime | None:
    """So long ago, or that time; UTC unless it says otherwise."""
    if text is None:
        return None
    try:
        return now() - duration(text)
    except OverflowError:
        return None  # before there were years
    except typer.BadParameter:
        pass
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is no time. Write it like 12h, 30d, 2026-01-31 or 2026-01-31T08:00Z.", param_hint="--since"
        ) from None


def _shown(entry: "Entry") -> dict[str, Any]:
    """The entry as its hash is made of it, and the hash."""
    from steadylight_server.core.chain import instant

    return {**entry.model_dump(), "at": instant(entry.at)}


def _cell(value: Any) -> object:
    if isinstance(value, dict):
        value = value.values()
    elif isinstance(value, str | int):
        return value or None
    return ", ".join(one for one in value if one) or None
