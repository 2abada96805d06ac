"""The processes of the demo: started, waited for, and ended whatever happens; and how the demo talks."""

import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.text import Text

T = TypeVar("T")

# Seconds: for a first start on a slow machine. Everything usually takes one or two.
PATIENCE = 60.0
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

console = Console(highlight=False, soft_wrap=True)


class Failed(Exception):
    """The demo did not go as it should."""


def expect(holds: object, otherwise: str) -> None:
    """Raises Failed. Not an `assert`, which `python -O` leaves out."""
    if not holds:
        raise Failed(otherwise)


def wait_for(what: str, look: Callable[[], T | None]) -> T:
    """What `look` returns, as soon as it is something. Raises Failed."""
    until = time.monotonic() + PATIENCE
    while (found := look()) is None:
        expect(time.monotonic() < until, f"Waited {PATIENCE:g} s for {what}.")
        time.sleep(0.05)
    return found


def say(who: str, what: str) -> None:
    """One step of a story."""
    console.print(Text.assemble((f"{datetime.now(UTC):%H:%M:%S}  ", "dim"), (f"{who:<9}", "bold cyan"), what))


def show(printed: str) -> str:
    """Prints an app's screen as it is. The same without its colours."""
    print(f"\n{printed}", flush=True)
    return Text.from_ansi(printed).plain


def seconds_between(before: datetime, after: datetime) -> list[str]:
    """Each second of that time, as a clock in UTC shows it."""
    count = int((after - before.replace(microsecond=0)).total_seconds())
    return [f"{before + timedelta(seconds=number):%H:%M:%S}" for number in range(count + 1)]


def free_port() -> int:
    """A port of loopback that is free now: for an app whose address others must know before it runs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class App:
    """A process that serves, and says on a line of its own where."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name, self.process, self.log = name, process, log

    def url(self) -> str:
        """Where it listens; waits until it does. Raises Failed, with what it printed, if it ended."""
        return wait_for(f"{self.name} to start", self._look)

    def _look(self) -> str | None:
        printed = self.log.read_text()
        expect(self.process.poll() is None, f"{self.name} ended with {self.process.returncode}:\n{printed}")
        found = re.search(r"is (?:ready|open): (http://[\d.:]+)", printed)
        return found[1] if found else None


class Stage:
    """The processes, in a directory that goes away with them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._apps: list[App] = []

    def start(self, name: str, *command: str | Path, **environment: str) -> App:
        """Starts a process that serves until it is ended."""
        log = self.folder / f"{name.replace(' ', '-')}-{len(self._apps)}.log"
        with log.open("wb") as output, _held():  # a process that is started is one that will be ended
            process = subprocess.Popen(
                command,
                env=_environment(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C comes to us alone, and we end them in order
            )
            app = App(name, process, log)
            self._apps.append(app)
        return app

    def run(self, name: str, *command: str | Path, **environment: str) -> str:
        """Runs a process to its end. What it printed; raises Failed with that if it failed."""
        app = self.start(name, *command, **environment)
        try:
            status: int | str = app.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            status = f"no end after {PATIENCE:g} s"
        printed = app.log.read_text()
        expect(status == 0, f"{name} ended with {status}:\n{printed}")
        return printed

    def end(self) -> None:
        """Ends what still runs, each by its id: side by side, the last started is told first."""
        for app in reversed(self._apps):
            if app.process.poll() is None:
                app.process.terminate()
        for app in reversed(self._apps):
            try:
                app.process.wait(20)
            except subprocess.TimeoutExpired:
                console.print(f"{app.name} does not end by itself, and is killed.")
                app.process.kill()
                app.process.wait()


@contextmanager
def stage() -> Iterator[Stage]:
    """Ends everything it started, whatever happens in it; a second Ctrl-C waits for that."""
    with tempfile.TemporaryDirectory(prefix="steadylight-demo-", ignore_cleanup_errors=True) as folder:
        stage = Stage(Path(folder))
        try:
            yield stage
        finally:
            with _held():
                stage.end()


@contextmanager
def _held() -> Iterator[None]:
    """Signals that end a program wait until this is done."""
    caught: list[int] = []
    before = {number: signal.signal(number, lambda number, _: caught.append(number)) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for held in caught:
            signal.raise_signal(held)


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    """Ours, without the settings of any other Steadylight, and with what this app is to use."""
    # Which program is the database stays the machine's business.
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("STEADYLIGHT_") or name == "STEADYLIGHT_MONGOD"
    }
    colours = {"FORCE_COLOR": "1"} if console.is_terminal else {}
    return ours | colours | {"COLUMNS": "110", "PYTHONUNBUFFERED": "1"} | dict(given)
