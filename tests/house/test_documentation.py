"""The READMEs' tables list what there is, no more and no less: settings, options, commands, codes, metrics, stores."""

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx
import typer.main

from steadylight import Options
from steadylight_server.app import Stores
from steadylight_server.cli.commands import program
from steadylight_server.core.config import Settings
from steadylight_server.core.errors import Retryable, SteadylightError
from tests.conftest import LiveServer

ROOT = Path(__file__).parents[2]


def table(file: str, head: str) -> list[list[str]]:
    """The cells of the table whose head begins so, without backticks."""
    text = (ROOT / file).read_text()
    found = re.search(rf"^\| {re.escape(head)}[^\n]*\n\|[-|]+\n((?:\|[^\n]*\n)+)", text, re.MULTILINE)
    assert found, f"{file} has no table that begins with {head}"
    return [[cell.strip().replace("`", "") for cell in row.strip("|").split("|")] for row in found[1].splitlines()]


def written(default: Any) -> str:
    """A default as the tables write it."""
    if default in (None, (), {}):
        return "none"
    return f"{default:.15g}" if isinstance(default, float) else str(default)


def codes(kind: type[SteadylightError] = SteadylightError) -> Iterator[str]:
    """Of an error and all below it; one that only groups others has none of its own."""
    if kind is not Retryable:
        yield kind.code
    for below in kind.__subclasses__():
        yield from codes(below)


def test_every_setting_is_listed_with_its_default() -> None:
    rows = [row[:2] for row in table("README.md", "variable")]

    assert rows == [
        [f"STEADYLIGHT_{name.upper()}", written(field.default)] for name, field in Settings.model_fields.items()
    ]


def test_every_option_of_the_sdk_is_listed_with_its_default() -> None:
    rows = [row[:2] for row in table("sdk/README.md", "option")]

    listed = [option for option in fields(Options) if option.repr]
    assert rows == [[option.name, written(option.default)] for option in listed]


def test_every_command_is_listed() -> None:
    command: Any = typer.main.get_command(program)
    there = {
        f"steadylight {name} {below}".strip()
        for name, found in command.commands.items()
        for below in ("", *getattr(found, "commands", ()))
        if below or not hasattr(found, "commands") or found.invoke_without_command
    }

    assert {row[0] for row in table("README.md", "command")} == there | {"python -m steadylight check"}


def test_every_error_code_is_listed() -> None:
    assert sorted(row[0] for row in table("README.md", "code")) == sorted(set(codes()))


def test_every_metric_is_listed(server: LiveServer) -> None:
    server.graphql("{ __typename }")
    exposed = httpx.get(f"{server.url}/metrics").text
    families = re.findall(r"^# TYPE (steadylight_\w+) (\w+)$", exposed, re.MULTILINE)

    listed = {(row[0], row[1]) for row in table("server/README.md", "name")}
    assert {(name, kind) for name, kind in families if not name.endswith("_created")} == listed


def test_every_collection_is_listed_with_how_it_is_kept() -> None:
    stores: Any = Stores.__annotations__.values()
    there = {(name, kept.value) for store in stores for name, kept in store.collections.items()}

    assert {(row[0], row[1]) for row in table("server/README.md", "collection")} == there
