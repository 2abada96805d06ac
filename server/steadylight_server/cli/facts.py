"""`steadylight schema` and `steadylight version`: what this installation is."""

import platform
from importlib.metadata import PackageNotFoundError, version

import typer

from steadylight import __version__
from steadylight_server.cli.options import AsJson
from steadylight_server.cli.output import as_json

# What most reports of a fault turn on.
LIBRARIES = ("strawberry-graphql", "graphql-core", "starlette", "uvicorn", "uvloop", "httptools", "motor", "pymongo")


def add_to(program: typer.Typer) -> None:
    """Adds the commands."""
    program.command(
        "schema",
        epilog="Example: steadylight schema > schema.graphql",
        help="Print the GraphQL schema, as SDL, or as an introspection result with --json.",
    )(schema)
    program.command("version", epilog="Example: steadylight version --json", help="Print the version.")(show_version)


def schema(json: AsJson = False) -> None:
    """Prints the schema."""
    from steadylight_server.api.schema import printed, schema

    if json:
        as_json(schema().introspect())
    else:
        typer.echo(printed().rstrip())


def show_version(json: AsJson = False) -> None:
    """Prints the versions of Steadylight, of Python and, as JSON, of the libraries."""
    python = platform.python_version()
    if json:
        as_json({"steadylight": __version__, "python": python, "libraries": installed()})
    else:
        typer.echo(f"steadylight {__version__} (Python {python}, {platform.system()} {platform.machine()})")


def installed() -> dict[str, str | None]:
    """The version of each library; None for one that is not there."""

    def of(name: str) -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    return {name: of(name) for name in LIBRARIES}
