"""`steadylight key`: the credentials of channels and of admins."""

import asyncio
from datetime import datetime
from typing import Annotated, Any

import typer

from steadylight_server.access.models import ADMIN_SCOPES, CHANNEL_MAY_HAVE, Credential, Scope
from steadylight_server.access.service import AccessService
from steadylight_server.cli.database import access
from steadylight_server.cli.options import AsJson, Data, duration, operator, settings
from steadylight_server.cli.output import as_json, as_table
from steadylight_server.core.clock import now

group = typer.Typer(help="Keys of channels and of admins.", no_args_is_help=True)

ChannelName = Annotated[str | None, typer.Argument(metavar="CHANNEL", help="Whose key.", show_default=False)]
Admin = Annotated[bool, typer.Option("--admin", help="An admin's key instead of a channel's.")]


@group.command(
    "add",
    epilog="Example: steadylight key add web    or, for tools: steadylight key add --admin",
    help="Make a key. It is printed once, and stored only as a hash.",
)
def _add(
    channel: ChannelName = None,
    admin: Admin = False,
    scope: Annotated[
        list[Scope] | None,
        typer.Option(
            help="What it may do; again for more. Left out: what such a key does as a rule.", show_default=False
        ),
    ] = None,
    data: Data = None,
    json: AsJson = False,
) -> None:
    owner = _owner(channel, admin)
    possible = ADMIN_SCOPES if owner is None else CHANNEL_MAY_HAVE
    scopes = frozenset(scope) if scope else None
    if scopes and not scopes <= possible:
        whose = "an admin's key" if owner is None else "a channel's key"
        raise typer.BadParameter(f"{whose} can have {', '.join(sorted(possible))} only.", param_hint="--scope")

    async def run() -> tuple[Credential, str]:
        async with access(settings(data)) as service:
            return await service.add_key(owner, scopes=scopes, by=operator())

    _print(*asyncio.run(run()), json=json)


@group.command(
    "rotate",
    epilog="Example: steadylight key rotate web --overlap 24h",
    help="Make a new key; those there are end after the overlap, in which apps can change over.",
)
def _rotate(
    channel: ChannelName = None,
    admin: Admin = False,
    overlap: Annotated[str, typer.Option(metavar="TIME", help="Such as 30m, 24h, 7d, or 0 for at once.")] = "24h",
    data: Data = None,
    json: AsJson = False,
) -> None:
    owner = _owner(channel, admin)
    during = duration(overlap)

    async def run() -> tuple[Credential, str]:
        async with access(settings(data)) as service:
            return await service.rotate(owner, overlap=during, by=operator())

    _print(*asyncio.run(run()), json=json)


@group.command("revoke", epilog="Example: steadylight key revoke 3f2a90b1c4d5", help="End a key now, for good.")
def _revoke(
    id: Annotated[str, typer.Argument(help="The key's id, as `key list` shows it; not the key itself.")],
    data: Data = None,
    json: AsJson = False,
) -> None:
    async def run() -> None:
        async with access(settings(data)) as service:
            await service.revoke(id, by=operator())

    asyncio.run(run())
    if json:
        as_json({"revoked": id})
    else:
        typer.echo(f"Key {id} is revoked, on every server.")


@group.command(
    "list",
    epilog="Example: steadylight key list web --json",
    help="Show a channel's keys, or everybody's; oldest first. Never the secrets: nobody has them.",
)
def _list(
    channel: ChannelName = None,
    admin: Admin = False,
    ended: Annotated[bool, typer.Option("--ended", help="Also those that were revoked or have expired.")] = False,
    data: Data = None,
    json: AsJson = False,
) -> None:
    async def run() -> list[Credential]:
        async with access(settings(data)) as service:
            if channel is not None or admin:
                return await _of(service, _owner(channel, admin))
            owners = [None, *(one.name for one in await service.channels())]
            return [key for owner in owners for key in await service.keys(owner)]

    keys = [_shown(credential) for credential in asyncio.run(run()) if ended or credential.is_good(now())]
    if json:
        as_json(keys)
    elif keys:
        rows = [
            [
                key["id"],
                key["channel"] or "(admin)",
                key["state"],
                ", ".join(key["scopes"]),
                key["created_at"],
                key["last_used_at"] or "never",
            ]
            for key in keys
        ]
        as_table(["id", "channel", "state", "scopes", "created at", "last used at"], rows)
    else:
        typer.echo("There is no key yet. Add one: steadylight key add CHANNEL")


async def _of(service: AccessService, channel: str | None) -> list[Credential]:
    """Raises NotFound for a channel that is none, whose keys would look like none at all."""
    if channel is not None:
        await service.channel(channel)
    return await service.keys(channel)


def _owner(channel: str | None, admin: bool) -> str | None:
    """The channel's name, None for an admin; a usage error unless it is exactly one of them."""
    if admin == (channel is not None):
        raise typer.BadParameter("Name a channel, or say --admin.", param_hint="CHANNEL")
    return channel


def _print(credential: Credential, key: str, *, json: bool) -> None:
    if json:
        as_json({**_shown(credential), "key": key})
        return
    whose = f"channel {credential.channel}" if credential.channel else "an admin"
    typer.echo(f"Key {credential.id} of {whose}, for {', '.join(sorted(credential.scopes))}. Shown once:")
    typer.echo(f"\n    {key}\n")


def _shown(credential: Credential) -> dict[str, Any]:
    return {
        "id": credential.id,
        "channel": credential.channel,
        "scopes": sorted(credential.scopes),
        "state": _state(credential),
        "created_at": _text(credential.created_at),
        "expires_at": credential.expires_at and _text(credential.expires_at),
        "revoked_at": credential.revoked_at and _text(credential.revoked_at),
        "last_used_at": credential.last_used_at and _text(credential.last_used_at),
    }


def _state(credential: Credential) -> str:
    if credential.revoked_at is not None:
        return "revoked"
    if not credential.is_good(now()):
        return "expired"
    return f"good until {_text(credential.expires_at)}" if credential.expires_at else "good"


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
