"""`steadylight admin link`, `agent link` and `session`: how employees sign in to a browser, and are signed out."""

import asyncio
from typing import Annotated, Any

import typer

from steadylight_server.access.models import Credential, Role
from steadylight_server.cli.database import access
from steadylight_server.cli.options import AsJson, Data, operator, settings
from steadylight_server.cli.output import as_json, as_table
from steadylight_server.core.clock import now
from steadylight_server.core.config import Settings

admin = typer.Typer(help="Admins who sign in to a browser.", no_args_is_help=True)
agent = typer.Typer(help="Agents who sign in to a browser.", no_args_is_help=True)
session = typer.Typer(help="Who is signed in.", no_args_is_help=True)

Url = Annotated[
    str | None,
    typer.Option(
        help="Where the server is reached. Left out: STEADYLIGHT_HOST and STEADYLIGHT_PORT, on this machine.",
        show_default=False,
    ),
]


@admin.command(
    "link",
    epilog="Example: steadylight admin link --url https://steadylight.example.com",
    help="Print a link that signs one browser in as an admin, once, within an hour.",
)
def _admin_link(
    name: Annotated[str | None, typer.Argument(help="Whose. Left out: who runs this.", show_default=False)] = None,
    url: Url = None,
    data: Data = None,
    json: AsJson = False,
) -> None:
    _link(Role.ADMIN, name or operator()["name"], None, url, settings(data), json)


@agent.command(
    "link",
    epilog="Example: steadylight agent link a.singh --channel contact-centre",
    help="Print a link that signs one browser in as an agent, once, within an hour.",
)
def _agent_link(
    name: Annotated[str, typer.Argument(help="Whose: the audit shows it.")],
    channel: Annotated[
        str | None,
        typer.Option(help="The channel in whose open contacts the agent sees customers.", show_default=False),
    ] = None,
    url: Url = None,
    data: Data = None,
    json: AsJson = False,
) -> None:
    _link(Role.AGENT, name, channel, url, settings(data), json)


@session.command("list", epilog="Example: steadylight session list --json", help="Show who is signed in, oldest first.")
def _list(data: Data = None, json: AsJson = False) -> None:
    async def run() -> list[Credential]:
        async with access(settings(data)) as service:
            return await service.sessions()

    sessions = [_shown(one) for one in asyncio.run(run()) if one.is_good(now())]
    if json:
        as_json(sessions)
    elif sessions:
        as_table(["id", "role", "name", "channel", "until", "last used at"], [list(one.values()) for one in sessions])
    else:
        typer.echo("Nobody is signed in.")


@session.command(
    "end", epilog="Example: steadylight session end 3f2a90b1c4d5", help="Sign somebody out, on every server."
)
def _end(
    id: Annotated[str, typer.Argument(help="The session's id, as `session list` shows it.")],
    data: Data = None,
    json: AsJson = False,
) -> None:
    async def run() -> None:
        async with access(settings(data)) as service:
            await service.revoke(id, by=operator())

    asyncio.run(run())
    if json:
        as_json({"ended": id})
    else:
        typer.echo(f"Session {id} is over.")


def _link(role: Role, name: str, channel: str | None, url: str | None, chosen: Settings, json: bool) -> None:
    if url is not None and not url.startswith(("https://", "http://")):
        raise typer.BadParameter(f"{url!r} is no address. Write it like https://light.example.com.", param_hint="--url")

    async def run() -> tuple[Credential, str]:
        async with access(chosen) as service:
            return await service.add_link(role, name, channel=channel, by=operator())

    made, secret = asyncio.run(run())
    link = sign_in_url(url or _url(chosen), secret)
    if json:
        as_json({"link": link, "name": made.name, "role": made.role.value, "expires_at": made.expires_at})
    else:
        typer.echo(f"Signs {name} in as {'an admin' if role is Role.ADMIN else 'an agent'}, once, within an hour:")
        typer.echo(f"\n    {link}\n")


def sign_in_url(server: str, secret: str) -> str:
    """What a browser opens. The secret stands behind the #, which is sent to nobody."""
    return f"{server.rstrip('/')}/sign-in#{secret}"


def _url(chosen: Settings) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(chosen.host, chosen.host)
    return f"http://[{host}]:{chosen.port}" if ":" in host else f"http://{host}:{chosen.port}"


def _shown(one: Credential) -> dict[str, Any]:
    return {
        "id": one.id,
        "role": one.role.value,
        "name": one.name,
        "channel": one.channel,
        "expires_at": one.expires_at and one.expires_at.isoformat(timespec="seconds"),
        "last_used_at": one.last_used_at and one.last_used_at.isoformat(timespec="seconds"),
    }
