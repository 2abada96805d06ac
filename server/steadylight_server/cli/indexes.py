"""`steadylight indexes`: the indexes that the server's queries need."""

import asyncio
from typing import Annotated, Any

import typer

from steadylight_server.cli.database import opened
from steadylight_server.cli.options import AsJson, Data, settings
from steadylight_server.cli.output import as_json, as_table
from steadylight_server.core.config import Settings


def add_to(program: typer.Typer) -> None:
    """Adds the command."""
    program.command(
        "indexes",
        epilog="Example: steadylight indexes --check --json",
        help="Make the indexes that are missing, and list all. `serve` makes them, too, at its start; on a large "
        "database that takes a while, so make them beforehand.",
    )(indexes)


def indexes(
    check: Annotated[bool, typer.Option("--check", help="Make none; exit code 1 if one is missing.")] = False,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Prints each declared index with its state: present, made or missing."""
    from steadylight_server.app import database_uri

    chosen = settings(data)
    with database_uri(chosen, join=True) as uri:
        found = asyncio.run(_found(chosen, uri, make=not check))
    if json:
        as_json(found)
    else:
        heads = ["collection", "index", "keys", "unique", "state"]
        rows = [
            [one["collection"], one["name"], _keys(one), "yes" if one["unique"] else None, one["state"]]
            for one in found
        ]
        as_table(heads, rows)
    if any(one["state"] == "missing" for one in found):
        raise typer.Exit(1)


async def _found(chosen: Settings, uri: str, *, make: bool) -> list[dict[str, Any]]:
    async with opened(chosen, uri, with_indexes=False) as (_, stores):
        missing = {name for store in stores.all() for name in await store.missing_indexes()}
        if make:
            for store in stores.all():
                await store.create_indexes()
    state = "made" if make else "missing"
    return [
        {
            "collection": collection,
            "name": index.document["name"],
            "keys": dict(index.document["key"]),
            "unique": bool(index.document.get("unique")),
            "state": state if f"{collection}.{index.document['name']}" in missing else "present",
        }
        for store in stores.all()
        for collection, declared in store.indexes.items()
        for index in declared
    ]


def _keys(index: dict[str, Any]) -> str:
    return ", ".join(f"{name} {way}" for name, way in index["keys"].items())
