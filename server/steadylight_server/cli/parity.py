"""`steadylight parity`: which capability is offered in which channel, and what customers do who meet a gap."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from steadylight_server.cli import comparison
from steadylight_server.cli.database import declared, opened
from steadylight_server.cli.options import AsJson, Data, duration, settings
from steadylight_server.cli.output import as_json, as_table
from steadylight_server.core.config import Settings

if TYPE_CHECKING:
    from steadylight_server.capabilities.parity import Row
    from steadylight_server.insights.models import Met, Report

group = typer.Typer(
    invoke_without_command=True,
    epilog="Example: steadylight parity --since 7d --json",
    help="Show which capability is offered in which channel, why not in others, which gaps customers met, and in which "
    "channel they were seen soon after. `parity check` performs one through every channel and compares.",
)
comparison.add_to(group)

Since = Annotated[str, typer.Option(help="How long ago: gaps that were met since then are counted.", metavar="7d")]
Within = Annotated[
    str, typer.Option(help="How soon after a gap somebody counts as having changed; 24h at most.", metavar="30m")
]
_WORDS = {"AVAILABLE": "yes", "LIMITED": "limited", "NOT_FEASIBLE": "no", "UNDECLARED": "not declared"}


@group.callback()
def parity(
    asked: typer.Context, since: Since = "30d", within: Within = "30m", data: Data = None, json: AsJson = False
) -> None:
    """Prints the report, unless another command was asked for."""
    if asked.invoked_subcommand is not None:
        return
    from steadylight_server.app import database_uri

    chosen = settings(data)
    ago, soon = duration(since), duration(within)
    with database_uri(chosen, join=True) as uri:
        report = asyncio.run(_report(chosen, uri, datetime.now(UTC) - ago, soon))
    if json:
        as_json(_document(report))
    elif report.rows:
        _print(report)
    else:
        typer.echo("The blueprint declares no capability. Declare one below `capabilities`, and apply it.")


async def _report(chosen: Settings, uri: str, since: datetime, within: timedelta) -> "Report":
    from steadylight_server.access.service import AccessService
    from steadylight_server.core.audit import Audit
    from steadylight_server.identity.service import IdentityService
    from steadylight_server.insights.service import Insights
    from steadylight_server.timeline.service import TimelineService

    async with opened(chosen, uri) as (_, stores):
        found = await declared(stores)
        timeline = TimelineService(stores.actions, stores.contacts, stores.types, stores.traits)
        access = AccessService(stores.access, Audit(stores.audit))
        insights = Insights(stores.gaps, IdentityService(stores.identity), timeline, access, lambda: found)
        return await insights.parity(since=since, within=within)


def _document(report: "Report") -> Mapping[str, Any]:
    return {
        "capabilities": [
            {
                "capability": row.capability,
                "label": row.label or None,
                "channels": {
                    cell.channel: {"parity": cell.parity, "reason": cell.reason or None} for cell in row.cells
                },
            }
            for row in report.rows
        ],
        "gaps": [
            {
                "capability": met.capability,
                "channel": met.channel,
                "why": met.why,
                "times": met.times,
                "customers": met.customers,
                "changed": met.changed,
                "changes": met.changes,
            }
            for met in report.met
        ],
        "since": report.since,
        "within_seconds": report.within.total_seconds(),
        "complete": report.is_complete,
    }


def _print(report: "Report") -> None:
    as_table(["capability", *(cell.channel for cell in report.rows[0].cells)], map(_row, report.rows))
    if reasons := list(_reasons(report.rows)):
        as_table(["capability", "channel", "is", "because"], reasons)
    if not report.met:
        typer.echo("No customer met a gap.")
        return
    heads = ["gap met", "channel", "why", "times", "customers", "changed channel", "to"]
    as_table(heads, map(_met, report.met))
    if not report.is_complete:
        typer.echo("More gaps were met than are looked at; these are the latest. Ask for less: --since 1d.")


def _row(row: "Row") -> Sequence[object]:
    return [row.capability, *(_WORDS[cell.parity] for cell in row.cells)]


def _reasons(rows: "Sequence[Row]") -> Iterator[Sequence[object]]:
    for row in rows:
        for cell in row.cells:
            if cell.reason:
                yield [row.capability, cell.channel, _WORDS[cell.parity], cell.reason]


def _met(met: "Met") -> Sequence[object]:
    to = ", ".join(f"{channel} {times:,}" for channel, times in met.changes.items()) or None
    return [met.capability, met.channel, met.why, f"{met.times:,}", f"{met.customers:,}", f"{met.changed:,}", to]
