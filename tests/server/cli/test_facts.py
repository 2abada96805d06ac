"""`steadylight schema` and `steadylight version`."""

import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from steadylight import __version__
from steadylight_server.cli import facts

from .conftest import Steadylight

SCHEMA = Path(__file__).parents[3] / "schema/schema.graphql"


def test_the_schema_is_printed_as_it_is_committed(steadylight: Steadylight) -> None:
    assert steadylight("schema").stdout == SCHEMA.read_text()
    assert steadylight.json("schema")["__schema"]["queryType"]["name"] == "Query"


def test_the_version_is_printed(steadylight: Steadylight) -> None:
    told = steadylight.json("version")

    assert steadylight("version").stdout.startswith(f"steadylight {__version__} (Python {platform.python_version()}, ")
    assert (told["steadylight"], told["libraries"]["pymongo"]) == (__version__, version("pymongo"))


def test_a_library_that_is_not_there_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "LIBRARIES", ("no-such-library",))

    assert facts.installed() == {"no-such-library": None}


@pytest.mark.parametrize(("missing", "code"), [("typer", 1), ("steadylight_server.core", 1)])
def test_without_the_server_the_command_says_what_to_install(missing: str, code: int) -> None:
    program = f"import sys; sys.modules[{missing!r}] = None; from steadylight_server.cli import main; main()"

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)

    assert ended.returncode == code
    if missing == "typer":
        assert ended.stderr == (
            "The server is not installed here (typer is missing): pip install 'steadylight[server]'\n"
        )
    else:
        assert "Traceback" in ended.stderr  # a fault of ours, not a missing library
