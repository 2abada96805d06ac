"""`steadylight channel`: the apps through which customers and the company meet."""

import asyncio
from typing import Annotated, Any

import typer

from steadylight_server.access.models import Channel, ChannelKind
from steadylight_server.cli.database import access
from steadylight_server.cli.options import AsJson, Data, assurance, operator, settings
from steadylight_server.cli.output import as_json, as_table
from steadylight_server.core.assurance import Assurance

group = typer.Typer(help="Channels: the apps that record and read.", no_args_is_help=True)


@group.command(
    "add", epilog="Example: steadylight channel add contact-centre --kind ASSISTED", help="Register a channel."
)
def _add(
    name: Annotated[str, typer.Argument(help="1 to 50 lower-case letters, digits and hyphens, a letter first.")],
    kind: Annotated[
        ChannelKind, typer.Option(help="Who acts at the company's end.", case_sensitive=False)
    ] = ChannelKind.SELF_SERVICE,
    highest_assurance: Annotated[
        Assurance | None,
        typer.Option(
            parser=assurance,
            metavar="LEVEL",
            help=f"The most its word counts for: {', '.join(level.name for level in Assurance)}. "
            "Left out: IN_PERSON if ASSISTED, else LOGIN.",
        ),
    ] = None,
    data: Data = None,
    json: AsJson = False,
) -> None:
    async def run() -> tuple[Channel, str]:
        async with access(settings(data)) as service:
            channel = await service.add_channel(name, kind, highest_assurance=highest_assurance, by=operator())
            return channel, (await service.add_key(name, by=operator()))[1]

    channel, key = asyncio.run(run())
    if json:
        as_json({**_shown(channel), "key": key})
        return
    typer.echo(f"Channel {channel.name} ({channel.kind}, up to {channel.highest_assurance.name}). Its key, shown once:")
    typer.echo(f"\n    {key}\n\nGive it to the app as STEADYLIGHT_KEY.")


@group.command("list", epilog="Example: steadylight channel list --json", help="Show all channels, by name.")
def _list(data: Data = None, json: AsJson = False) -> None:
    async def run() -> list[Channel]:
        async with access(settings(data)) as service:
            return await service.channels()

    channels = [_shown(channel) for channel in asyncio.run(run())]
    if json:
        as_json(channels)
    elif channels:
        as_table(["name", "kind", "highest assurance", "created at"], [list(one.values()) for one in channels])
    else:
        typer.echo("There is no channel yet. Add one: steadylight channel add web")


def _shown(channel: Channel) -> dict[str, Any]:
    return {
        "name": channel.name,
        "kind": channel.kind.value,
        "highest_assurance": channel.highest_assurance.name,
        "created_at": channel.created_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
    }
