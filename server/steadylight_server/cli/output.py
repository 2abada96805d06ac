"""What commands print: data on stdout, as a table or as one line of JSON; everything else on stderr."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import orjson
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

# Columns of a table that goes into a file or a pipe; ids and dates must not be broken there.
_PIPED_WIDTH = 200


class Failure(Exception):
    """What was asked cannot be done; the message says what to do. Exit code 1."""


def as_json(data: object) -> None:
    """One line of JSON on stdout."""
    typer.echo(orjson.dumps(data, default=str).decode())


def as_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout; an absent value is shown as a dash."""
    table = Table(*heads, box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*("-" if cell is None else str(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH, markup=False).print(table)


def complain(message: str) -> None:
    """What went wrong, on stderr."""
    typer.secho("Error: ", err=True, fg="red", bold=True, nl=False)
    typer.echo(message, err=True)


@contextmanager
def progress(total: int, *, quiet: bool) -> Iterator[Callable[[float, str], None]]:
    """A progress bar on stderr, so that stdout stays data. To be called with how much is done, and a word about it."""
    columns = (
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[said]}", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as bar:
        task = bar.add_task("", total=total, said="")
        yield lambda done, said: bar.update(task, completed=done, said=said)
