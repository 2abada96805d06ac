"""All commands, put together; and what a failure looks like: one message on stderr and exit code 1, no traceback."""

from typing import Any

import typer
from pydantic import ValidationError

from steadylight import SteadylightError as ClientError
from steadylight_server.cli import (
    article_files,
    articles,
    audit,
    blueprints,
    channels,
    doctor,
    facts,
    imports,
    indexes,
    journeys,
    keys,
    links,
    parity,
    rebuild,
    replay,
    serve,
)
from steadylight_server.cli.options import settings_fault
from steadylight_server.cli.output import Failure, complain
from steadylight_server.core.config import Settings
from steadylight_server.core.errors import SteadylightError
from steadylight_server.core.mongod import EmbeddedError


class _Program(typer.core.TyperGroup):
    """Tells expected failures of any command; what is unexpected keeps its traceback, since that is a fault of ours."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except ValidationError as error:
            if error.title != Settings.__name__:
                raise
            complain(settings_fault(error))
        except (Failure, SteadylightError, EmbeddedError, ClientError) as error:
            complain(str(error))
        raise typer.Exit(1)


program = typer.Typer(
    cls=_Program,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="One memory of the customer for every channel. Start with [bold]steadylight serve[/].",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for noun in (serve, blueprints, replay, journeys, facts, indexes, rebuild, doctor):
    noun.add_to(program)
program.add_typer(channels.group, name="channel")
program.add_typer(blueprints.group, name="blueprint")
program.add_typer(imports.group, name="import")
program.add_typer(keys.group, name="key")
program.add_typer(links.admin, name="admin")
program.add_typer(links.agent, name="agent")
program.add_typer(links.session, name="session")
article_files.add_to(articles.group)
program.add_typer(articles.group, name="articles")
program.add_typer(audit.group, name="audit")
program.add_typer(parity.group, name="parity")
