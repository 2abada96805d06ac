"""The command line in this process, on a database of the session's mongod; and real processes of it."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from steadylight_server.cli.commands import program
from steadylight_server.core.embedded import EmbeddedDatabase


@pytest.fixture
def environment(mongod: EmbeddedDatabase, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database of the test's own, named by the variables that every command reads; its name."""
    name = f"test-{uuid4().hex[:12]}"
    monkeypatch.setenv("STEADYLIGHT_MONGODB_URI", mongod.uri)
    monkeypatch.setenv("STEADYLIGHT_DATABASE", name)
    return name


class Steadylight:
    """`steadylight …`, in this process."""

    def __call__(self, *arguments: object, code: int = 0) -> Result:
        """What it printed; it must end with the exit code."""
        # Wide, so that rich breaks no sentence.
        result = CliRunner(env={"COLUMNS": "200"}).invoke(
            program, [str(one) for one in arguments], prog_name="steadylight"
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result

    def json(self, *arguments: object, code: int = 0) -> Any:
        """The one line of JSON on stdout."""
        printed = self(*arguments, "--json", code=code).stdout
        assert printed.count("\n") == 1, printed
        return json.loads(printed)


@pytest.fixture
def steadylight() -> Steadylight:
    """The command line; with `environment`, on that database."""
    return Steadylight()


class Process:
    """`steadylight …`, in a process of its own."""

    def __init__(self, *arguments: object, **environment: str) -> None:
        command = [sys.executable, "-m", "steadylight_server.cli", *map(str, arguments)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment
        )

    def url(self) -> str:
        """Where it serves, as soon as it says so."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"(http://\S+)/graphql", line)
        assert found, line + self.end()[1]
        return found[1]

    def end(self, signal: int = signal.SIGTERM) -> tuple[int, str]:
        """Sends it the signal; its exit code, and what it said on stderr."""
        self.process.send_signal(signal)
        return self.wait()

    def wait(self) -> tuple[int, str]:
        """Its exit code, and what it said on stderr."""
        _, said = self.process.communicate(timeout=90)
        return self.process.returncode, said


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    """Starts processes, and ends those that are left."""
    started: list[Process] = []

    def start(*arguments: object, **environment: str) -> Process:
        started.append(Process(*arguments, **environment))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.end()
        for stream in (one.process.stdout, one.process.stderr):
            assert stream is not None
            stream.close()


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Writes a log of actions: dicts become JSON, text is kept as it is."""

    def write(*lines: object, name: str = "log.jsonl") -> Path:
        file = tmp_path / name
        file.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
        return file

    return write
