"""`steadylight rebuild`: makes the projections anew from the actions, journeys by the blueprint in force."""

import asyncio
import time

import typer

from steadylight_server.cli.database import opened
from steadylight_server.cli.options import AsJson, Data, settings
from steadylight_server.cli.output import as_json, progress
from steadylight_server.core.config import Settings


def add_to(program: typer.Typer) -> None:
    """Adds the command."""
    program.command(
        "rebuild",
        epilog="Example: steadylight rebuild --data /var/lib/steadylight",
        help="Make everything that is derived from actions anew: contacts, traits, the types that were seen, answers, "
        "gaps that were met, who was shown which article, and the journeys that the blueprint in force threads. "
        "Servers can go on recording meanwhile.",
    )(rebuild)


def rebuild(data: Data = None, json: AsJson = False) -> None:
    """Rebuilds, and says of how many actions."""
    from steadylight_server.app import database_uri

    chosen = settings(data)
    with database_uri(chosen, join=True) as uri:
        actions, seconds = asyncio.run(_rebuilt(chosen, uri, quiet=json))
    if json:
        as_json({"actions": actions, "seconds": round(seconds, 3)})
    else:
        typer.echo(f"Rebuilt from {actions:,} actions in {seconds:.1f} s.")


async def _rebuilt(chosen: Settings, uri: str, *, quiet: bool) -> tuple[int, float]:
    from steadylight_server.blueprint.watch import Watch
    from steadylight_server.identity.kinds import Kinds
    from steadylight_server.ingest.showings import ShowingsRebuilt
    from steadylight_server.timeline.rebuild import rebuild

    async with opened(chosen, uri) as (database, stores):
        await Watch(stores.blueprints, Kinds(), stores.threads.types, None, lambda: None).refresh()
        total = await database.collection("actions").count({})
        began = time.monotonic()
        with progress(total, quiet=quiet) as at:
            actions = await rebuild(
                database,
                lambda done: at(done, f"{done:,} actions"),
                others=[
                    stores.threads.beside,
                    stores.answers.beside,
                    stores.gaps.beside,
                    lambda suffix: ShowingsRebuilt(stores.showings.beside(suffix)),
                ],
            )
        return actions, time.monotonic() - began
