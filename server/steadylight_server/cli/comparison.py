"""`steadylight parity check`: performs a capability through every channel with the same input, and compares."""

import asyncio
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import orjson
import typer

from steadylight import Client, Conflict, Forbidden, Invalid, NotFound, Options, Unavailable
from steadylight_server.cli.database import access, declared, opened
from steadylight_server.cli.differences import ABSENT, Difference, differences
from steadylight_server.cli.local import local_server
from steadylight_server.cli.options import AsJson, Data, assurance, operator, settings
from steadylight_server.cli.output import Failure, as_json, as_table
from steadylight_server.core.config import Settings

if TYPE_CHECKING:
    from steadylight_server.capabilities.models import Capability

_PERFORM = """
mutation Check($input: PerformCapabilityInput!) {
  performCapability(input: $input) { performance { state output failure { code message } } }
}
"""
_UNFINISHED = ("RUNNING", "ACCEPTED")
_RESULTS = ("DONE", "FAILED")
# Seconds between two looks at what goes on by itself; and for the request itself, beside what is waited for.
_PAUSE, _MARGIN = 0.5, 10.0
# Seconds that its keys are good for, beside what is waited for.
_SPARE = 60.0
# Characters of a value in the table; all of it is in the JSON.
_MOST_SHOWN = 60


def add_to(group: typer.Typer) -> None:
    """Adds the command."""
    group.command(
        "check",
        epilog="Example: steadylight parity check statement.view --input input.json --customer customer-number=77",
        help="Perform a capability through every channel that offers it, each with a key of its own and the same "
        "input, and show where the results differ. It is performed for real, once in each channel, and is on the "
        "customer's timeline. Exit code 1 when results differ, or no channel has one.",
    )(check)


def check(
    capability: Annotated[str, typer.Argument(help="Which, by name.", show_default=False)],
    input: Annotated[
        typer.FileBinaryRead, typer.Option(help="A file with the input, a JSON object; - reads it from stdin.")
    ],
    customer: Annotated[
        str, typer.Option(help="For whom: an identifier as KIND=VALUE.", metavar="KIND=VALUE", show_default=False)
    ],
    sure: Annotated[
        str | None,
        typer.Option(
            "--assurance",
            help="How sure each channel says it is. Left out: as the capability asks.",
            show_default=False,
        ),
    ] = None,
    channel: Annotated[
        list[str] | None, typer.Option(help="Only this channel; may be given again. Left out: all that offer it.")
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            help="A JSON pointer to what may differ, as /output/printedAt; * is any one step. May be given again."
        ),
    ] = None,
    patience: Annotated[float, typer.Option(min=0, help="Seconds to wait for what goes on by itself.")] = 30.0,
    url: Annotated[
        str | None,
        typer.Option(help="The running server of this database. Left out: one is started here.", show_default=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. Without a terminal it must be given.")] = False,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Performs, compares, and prints what differs. Raises Failure, EmbeddedError and the SDK's errors."""
    kind, _, value = customer.partition("=")
    if not kind or not value:
        raise typer.BadParameter("Write it like customer-number=77.", param_hint="--customer")
    if wrong := [pointer for pointer in ignore or () if not pointer.startswith("/")]:
        raise typer.BadParameter(f"{wrong[0]!r} is no JSON pointer: it begins with /.", param_hint="--ignore")
    from steadylight_server.app import database_uri

    given = _object(input.read())
    with ExitStack() as stack:
        uri = stack.enter_context(database_uri(settings(data), join=True))
        chosen = settings(data).model_copy(update={"mongodb_uri": uri})
        found = asyncio.run(_found(chosen, capability))
        channels = asyncio.run(_offering(chosen, found, channel or ()))
        _confirm(found, channels, yes=yes, json=json)
        if url is None:
            url = stack.enter_context(local_server(chosen)).url
        # Each channel may be waited for twice that long: a request may begin just before the time is up.
        lasting = timedelta(seconds=len(channels) * (2 * patience + _MARGIN) + _SPARE)
        keys = stack.enter_context(_keys(chosen, channels, found, lasting))
        level = (assurance(sure) if sure else found.assurance).name
        asked = {
            "capability": capability,
            "input": given,
            "identifiers": [{"kind": kind, "value": value, "assurance": level}],
        }
        results = {name: _performed(url, keys[name], asked, patience) for name in channels}
    reference = channels[0]
    differing = {name: differences(results[reference], results[name], ignored=ignore or ()) for name in channels[1:]}
    state = _state(results[reference])
    has_result = any(differing.values()) or state in _RESULTS
    if has_result or json:
        _tell(reference, results, differing, json=json)
    if not has_result:
        raise Failure(f"No channel has a result to compare: {state}.")
    if any(differing.values()):
        raise typer.Exit(1)


def _object(text: bytes) -> Mapping[str, Any]:
    try:
        given = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Failure(f"The input is no JSON: {error}.") from None
    if not isinstance(given, dict):
        raise Failure("The input is no JSON object.")
    return given


async def _found(chosen: Settings, name: str) -> "Capability":
    """Raises Failure for what the blueprint in force does not declare."""
    assert chosen.mongodb_uri is not None
    async with opened(chosen, chosen.mongodb_uri) as (_, stores):
        found = await declared(stores)
    if name not in found:
        there = ", ".join(sorted(found)) or "none"
        raise Failure(f"The blueprint in force declares no capability {name}. There are: {there}.")
    return found[name]


async def _offering(chosen: Settings, capability: "Capability", wanted: Sequence[str]) -> list[str]:
    """The channels to compare: those that offer it whole come first, then by name. Raises Failure."""
    from steadylight_server.capabilities.models import Offer

    async with access(chosen) as service:
        known = [one.name for one in await service.channels()]
    if unknown := [name for name in wanted if name not in known]:
        raise Failure(f"There is no channel called {unknown[0]}. There are: {', '.join(known) or 'none'}.")
    offers = {name: capability.binding(name).offer for name in wanted or known}
    offering = [name for name, offer in offers.items() if offer is not Offer.NOT_FEASIBLE]
    if len(offering) < 2:
        raise Failure(
            f"{capability.name} is offered in {len(offering)} of these channels: there is nothing to compare."
        )
    return sorted(offering, key=lambda name: (offers[name] is Offer.LIMITED, name))


def _confirm(capability: "Capability", channels: Sequence[str], *, yes: bool, json: bool) -> None:
    """Raises Failure where nobody can be asked, Abort where somebody says no."""
    if yes:
        return
    what = f"{capability.name} is performed for real, {len(channels)} times: in {', '.join(channels)}."
    if json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Failure(f"{what} Say --yes if that is meant.")
    typer.confirm(f"{what} Go on?", abort=True)


@contextmanager
def _keys(
    chosen: Settings, channels: Sequence[str], capability: "Capability", lasting: timedelta
) -> Iterator[Mapping[str, str]]:
    """A key of each channel, with the scopes that the capability takes, until this is left.

    They end by themselves when `lasting` is over: who is killed ends nothing.
    """
    from steadylight_server.access.models import CHANNEL_SCOPES

    made: dict[str, tuple[str, str]] = {}

    async def make() -> None:
        async with access(chosen) as service:
            scopes = CHANNEL_SCOPES | capability.scopes
            for name in channels:
                credential, key = await service.add_key(name, scopes=scopes, lasting=lasting, by=operator())
                made[name] = credential.id, key

    async def end() -> None:
        async with access(chosen) as service:
            await service.revoke(*(id for id, _ in made.values()), by=operator())

    try:
        asyncio.run(make())
        yield {name: key for name, (_, key) in made.items()}
    finally:
        asyncio.run(end())


def _performed(url: str, key: str, asked: Mapping[str, Any], patience: float) -> Mapping[str, Any]:
    """What comes of it in the key's channel, as a document to compare; a refusal is its code and words."""
    deed = {"input": {**asked, "key": f"check-{uuid4().hex}", "within": patience}}
    until = time.monotonic() + patience
    with Client(url, key, options=Options(spool=None)) as client:
        while True:
            try:
                told = client.graphql(_PERFORM, deed, within=patience + _MARGIN)["performCapability"]["performance"]
            except (Conflict, Forbidden, Invalid, NotFound, Unavailable) as error:
                return {"refused": {"code": error.code, "message": error.message}}
            if told["state"] not in _UNFINISHED or time.monotonic() >= until:
                return {name: said for name, said in told.items() if said is not None}
            time.sleep(_PAUSE)


def _state(result: Mapping[str, Any]) -> str:
    return str(result.get("state") or result["refused"]["code"])


def _tell(
    reference: str,
    results: Mapping[str, Mapping[str, Any]],
    differing: Mapping[str, Sequence[Difference]],
    *,
    json: bool,
) -> None:
    if json:
        told = {channel: [_document(one) for one in found] for channel, found in differing.items()}
        as_json({"reference": reference, "results": results, "differences": told})
        return
    rows = [
        [channel, one.pointer, _short(one.one), _short(one.other)]
        for channel, found in differing.items()
        for one in found
    ]
    if not rows:
        typer.echo(f"The same in {', '.join(results)}: {_state(results[reference])}.")
        return
    as_table(["channel", "at", f"{reference} has", "it has"], rows)


def _document(difference: Difference) -> Mapping[str, Any]:
    """What is absent on one side is absent here, too."""
    sides = {"reference": difference.one, "channel": difference.other}
    return {"pointer": difference.pointer, **{name: said for name, said in sides.items() if said is not ABSENT}}


def _short(said: Any) -> str:
    text = "absent" if said is ABSENT else orjson.dumps(said).decode()
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
