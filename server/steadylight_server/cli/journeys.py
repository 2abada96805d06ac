"""`steadylight journeys`: how many journeys the blueprint threads, and what was counted in them."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from steadylight_server.cli.database import opened
from steadylight_server.cli.options import AsJson, Data, settings
from steadylight_server.cli.output import as_json, as_table
from steadylight_server.core.config import Settings

if TYPE_CHECKING:
    from steadylight_server.journeys.models import Threaded


def add_to(program: typer.Typer) -> None:
    """Adds the command."""
    program.command(
        "journeys",
        epilog="Example: steadylight journeys --data /var/lib/steadylight --json",
        help="Show how many journeys of each type were threaded from actions, how many were completed and reopened, "
        "what was counted in them, and in which channels they began. Reads them all.",
    )(journeys)


def journeys(data: Data = None, json: AsJson = False) -> None:
    """Prints a row for each type."""
    from steadylight_server.app import database_uri

    chosen = settings(data)
    with database_uri(chosen, join=True) as uri:
        found = asyncio.run(_counted(chosen, uri))
    if json:
        as_json([asdict(one) for one in found])
    elif found:
        heads = ["type", "journeys", "completed", "reopened", "counted", "began in"]
        rows = [
            [
                one.type,
                f"{one.journeys:,}",
                f"{one.completed:,}",
                f"{one.reopened:,}",
                _lines(one.counts),
                _lines(one.by_channel),
            ]
            for one in found
        ]
        as_table(heads, rows)
    else:
        typer.echo(
            "No journey was threaded yet: `threads` in a type of journey says which actions are of one. What was "
            "recorded before it was declared, `steadylight rebuild` threads."
        )


async def _counted(chosen: Settings, uri: str) -> "list[Threaded]":
    async with opened(chosen, uri) as (_, stores):
        return await stores.threads.counted()


def _lines(counts: Mapping[str, int]) -> str | None:
    return "\n".join(f"{name} {count:,}" for name, count in counts.items()) or None
