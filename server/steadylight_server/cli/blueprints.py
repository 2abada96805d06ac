"""`steadylight apply` and `steadylight blueprint`: what business people declare, version by version."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from steadylight_server.cli.database import blueprints
from steadylight_server.cli.options import AsJson, Data, operator, settings
from steadylight_server.cli.output import Failure, as_json, as_table
from steadylight_server.core.config import Settings
from steadylight_server.core.errors import Invalid

if TYPE_CHECKING:
    from steadylight_server.blueprint.models import Version
    from steadylight_server.blueprint.service import BlueprintService, Plan

group = typer.Typer(help="Blueprints: channels and kinds of identifier, as declared.", no_args_is_help=True)

# Sign and colour of each way in which something can change.
_SIGNS = {"ADDED": ("+", "green"), "CHANGED": ("~", "yellow"), "REMOVED": ("-", "red"), "KEPT": ("=", "blue")}

Yes = Annotated[
    bool, typer.Option("--yes", "-y", help="Do not ask. Without a terminal, or with --json, nobody is asked.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the difference, and change nothing.")]


def add_to(program: typer.Typer) -> None:
    """Adds `apply`."""
    program.command(
        "apply",
        epilog="Example: steadylight apply blueprint.yaml --dry-run",
        help="Put a blueprint in force: check it, show what it changes, ask, store it as the next version. Running "
        "servers notice by themselves.",
    )(apply)


def apply(
    file: Annotated[Path, typer.Argument(help="The YAML file.", exists=True, dir_okay=False)],
    yes: Yes = False,
    dry_run: DryRun = False,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Applies the file."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{file} cannot be read as text: {error}.") from None

    async def run() -> None:
        async with blueprints(settings(data)) as service:
            try:
                plan = await service.plan(text)
            except Invalid as error:
                raise Failure(f"{file} is no blueprint.\n{error.message}") from None
            await _carry_out(service, plan, yes=yes, dry_run=dry_run, json=json)

    asyncio.run(run())


@group.command(
    "show",
    epilog="Example: steadylight blueprint show --version 3 > blueprint.yaml",
    help="Print the blueprint in force, or an earlier one, as it was applied.",
)
def _show(
    version: Annotated[int | None, typer.Option(min=1, help="Which one.", show_default="the one in force")] = None,
    data: Data = None,
    json: AsJson = False,
) -> None:
    found = asyncio.run(_version(settings(data), version))
    if json:
        as_json({**_shown(found), "text": found.text})
    else:
        typer.echo(found.text, nl=not found.text.endswith("\n"))


@group.command("list", epilog="Example: steadylight blueprint list --json", help="Show all versions, the latest first.")
def _list(data: Data = None, json: AsJson = False) -> None:
    async def run() -> "list[Version]":
        async with blueprints(settings(data)) as service:
            return await service.versions()

    versions = [_shown(one) for one in asyncio.run(run())]
    if json:
        as_json(versions)
    elif versions:
        rows = [
            [one["version"], "in force" if not place else None, one["applied_at"], one["by"], one["restores"]]
            for place, one in enumerate(versions)
        ]
        as_table(["version", "state", "applied at", "by", "as version"], rows)
    else:
        typer.echo("No blueprint was applied yet. Apply one: steadylight apply FILE")


@group.command(
    "rollback",
    epilog="Example: steadylight blueprint rollback    or, to version 3: steadylight blueprint rollback 3",
    help="Put an earlier version in force again, as a new version equal to it.",
)
def _rollback(
    version: Annotated[
        int | None, typer.Argument(min=1, help="Which one. Left out: the one before that in force.", show_default=False)
    ] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    data: Data = None,
    json: AsJson = False,
) -> None:
    async def run() -> None:
        async with blueprints(settings(data)) as service:
            plan = await service.plan_rollback(version)
            await _carry_out(service, plan, yes=yes, dry_run=dry_run, json=json)

    asyncio.run(run())


async def _carry_out(service: "BlueprintService", plan: "Plan", *, yes: bool, dry_run: bool, json: bool) -> None:
    """Shows the difference, asks if there is whom to ask, and applies."""
    if not json:
        _print(plan)
    asks = plan.is_new and not yes and not dry_run and not json and _is_a_terminal()
    applies = plan.is_new and not dry_run and (not asks or typer.confirm("Apply this?"))
    if applies:
        await service.apply(plan, by=operator())
    if json:
        changes = [{"how": change.how.value, "what": change.what} for change in plan.changes]
        number = plan.number if plan.is_new else plan.number - 1
        as_json({"version": number, "applied": applies, "changes": changes})
    elif applies:
        again = f", equal to version {plan.restores}" if plan.restores else ""
        typer.echo(f"Version {plan.number} is in force{again}. Running servers follow within a second.")
    elif plan.is_new:
        typer.echo("Nothing was changed.")


def _print(plan: "Plan") -> None:
    for change in plan.changes:
        sign, colour = _SIGNS[change.how.value]
        typer.secho(f"{sign} {change.what}", fg=colour)
    if not plan.is_new:
        typer.echo(f"This is in force already, as version {plan.number - 1}.")
    elif not plan.changes:
        typer.echo("It changes nothing that is in force; only its text is new.")


def _is_a_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


async def _version(chosen: Settings, number: int | None) -> "Version":
    async with blueprints(chosen) as service:
        return await service.version(number)


def _shown(version: "Version") -> dict[str, Any]:
    return {
        "version": version.number,
        "applied_at": version.applied_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "by": version.by.get("name"),
        "restores": version.restores,
    }
