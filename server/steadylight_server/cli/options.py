"""Options that several commands share, and the settings that come of them and of `STEADYLIGHT_*`."""

import getpass
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from steadylight_server.core.assurance import Assurance
from steadylight_server.core.config import Settings

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d{1,9})([smhd])|0")

Data = Annotated[
    Path | None,
    typer.Option(
        help="Directory of the embedded database, also of one that a server is running now. "
        "Left out: STEADYLIGHT_DATA, else ./steadylight-data. Not used with STEADYLIGHT_MONGODB_URI.",
        file_okay=False,
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, on one line.")]


def settings(data: Path | None = None, **given: Any) -> Settings:
    """The settings, with what was given on the command line in the place of the environment's.

    A usage error when a directory was given beside STEADYLIGHT_MONGODB_URI: one of the two would silently be ignored.
    """
    chosen = {name: value for name, value in (given | {"data": data}).items() if value is not None}
    made = Settings(**chosen)
    if data is not None and made.mongodb_uri is not None:
        raise typer.BadParameter(
            "STEADYLIGHT_MONGODB_URI names another database. Leave out --data, or unset that variable.",
            param_hint="--data",
        )
    return made


def operator() -> dict[str, str]:
    """Who works on the command line, for the audit."""
    try:
        return {"role": "OPERATOR", "name": getpass.getuser()}
    except (OSError, KeyError):  # a container's user may have no name
        return {"role": "OPERATOR", "name": str(os.getuid())}


def assurance(name: str) -> Assurance:
    """The level of that name, in either case."""
    try:
        return Assurance[name.upper().replace("-", "_")]
    except KeyError:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(level.name for level in Assurance)}.") from None


def duration(text: str) -> timedelta:
    """A length of time written as `90s`, `30m`, `24h`, `7d` or `0`."""
    found = _DURATION.fullmatch(text.strip())
    if not found:
        raise typer.BadParameter(
            f"{text!r} is no length of time. Write it like 90s, 30m, 24h, 7d, or 0.", param_hint="--overlap"
        )
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]] if found[1] else 0)


def settings_fault(error: ValidationError) -> str:
    """Which variables are wrong and how; never their values, since an address can hold a password."""
    faults = [f"STEADYLIGHT_{'_'.join(map(str, one['loc'])).upper()}: {one['msg']}" for one in error.errors()]
    return "The settings are not right. " + "; ".join(faults)
