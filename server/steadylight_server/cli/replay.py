"""`steadylight replay`: sends a log of actions through the SDK, each through the channel that its line names."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from steadylight import Options
from steadylight_server.cli.actionlog import windows
from steadylight_server.cli.census import Census
from steadylight_server.cli.local import local_server
from steadylight_server.cli.options import AsJson, Data, settings
from steadylight_server.cli.output import as_json, progress
from steadylight_server.cli.senders import Senders
from steadylight_server.cli.sending import Sending

# Lines in memory at once: enough for whole batches of each channel where lines of several alternate.
_WINDOW = 5_000


def add_to(program: typer.Typer) -> None:
    """Adds the command."""
    program.command(
        "replay",
        epilog="Example: steadylight replay actions.jsonl.gz --url https://light.example.com --key sl_... --json",
        help="Send a log of actions, one a line as schema/actions.schema.json says. Sent again, nothing is stored "
        "twice. Lines that are refused are named on stderr and counted; they do not stop the rest, and the exit code "
        "is 0. A server that is away is waited for.",
    )(replay)


def replay(
    file: Annotated[
        Path, typer.Argument(help="JSON lines, plain or gzipped.", exists=True, dir_okay=False, show_default=False)
    ],
    url: Annotated[
        str | None, typer.Option(help="A running server. Left out: one is started here, on --data.", show_default=False)
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            help="An admin's key, which fetches one per channel; or a channel's, for its lines alone. "
            "With --url; left out: STEADYLIGHT_KEY.",
            show_default=False,
        ),
    ] = None,
    data: Data = None,
    batch: Annotated[int, typer.Option(min=1, max=500, help="Most actions in one request.")] = 500,
    json: AsJson = False,
) -> None:
    """Sends the file and says what became of it. Raises Failure, EmbeddedError and the SDK's errors."""
    if url is None and key is not None:
        raise typer.BadParameter("A key is for a server that runs: give its --url, too.", param_hint="--key")
    if url is not None and data is not None:
        raise typer.BadParameter("Give the --url of a server, or --data for one here.", param_hint="--data")
    with ExitStack() as stack:
        ending: list[str] | None = None
        if url is None:
            server = stack.enter_context(local_server(settings(data)))
            url, key, ending = server.url, server.key, server.ending
        senders = stack.enter_context(Senders(url, key, Options(batch_count=batch, spool=None)))
        if ending is not None:
            stack.callback(lambda: ending.extend(senders.keys))
        census = stack.enter_context(Census())
        with progress(file.stat().st_size, quiet=json) as at:
            sending = Sending(senders, at)
            began = time.monotonic()
            for window in windows(file, _WINDOW):
                sending.send(window)
                for lines in window.lines.values():
                    census.add(lines)
            seconds = time.monotonic() - began
        customers = census.count(senders.asking)
        sending.tell_the_rest()
    _tell(sending, customers, seconds, json=json)


def _tell(sending: Sending, customers: int | None, seconds: float, *, json: bool) -> None:
    counts = {
        "sent": sending.sent,
        "stored": sending.stored,
        "duplicate": sending.duplicate,
        "refused": sending.refused,
        "customers": customers,
    }
    if json:
        as_json({**counts, "seconds": round(seconds, 3)})
        return
    told = ", ".join(f"{'?' if count is None else f'{count:,}'} {name}" for name, count in counts.items())
    typer.echo(f"{told}; {seconds:.1f} s, {sending.sent / max(seconds, 0.001):,.0f} actions/s")
