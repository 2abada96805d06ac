"""`make demo`: a customer looks at a plan online, then calls. See what the agent is told.

Starts a Steadylight server on a database of its own in a temporary directory, and three channel apps beside it, each a
process with its own key: web_shop.py, ivr.py and contact_centre.py. This program plays the customer's browser and the
telephone network. It ends by itself in some seconds: with 0 if the agent was told what the customer did, where and
when, else with 1. Whatever it started it ends, also on failure and on Ctrl-C. All data is made up.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import NoReturn, TypeVar

import httpx
from rich.console import Console
from rich.text import Text

from steadylight import Client, NotFound, SteadylightError

T = TypeVar("T")

HERE = Path(__file__).parent
STEADYLIGHT = (sys.executable, "-m", "steadylight_server.cli")
CALL = "call-7d1f"
CUSTOMER, PASSWORD, MOBILE = "C-1001", "tangerine", "+447700900123"
TIMELINE = """
query Timeline($number: String!) {
  customer(by: { identifier: { kind: "customer-number", value: $number, assurance: LOGIN } }) {
    actions { nodes { channel type } }
  }
}
"""
# Seconds: for a first start on a slow machine. Everything usually takes one or two.
PATIENCE = 60.0

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
    """One step of the story."""
    console.print(Text.assemble((f"{datetime.now(UTC):%H:%M:%S}  ", "dim"), (f"{who:<9}", "bold cyan"), what))


class App:
    """A process that serves, and says on a line of its own where."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name, self.process, self._log = name, process, log

    def url(self) -> str:
        """Where it listens; waits until it does."""
        return wait_for(f"{self.name} to start", self._look)

    def _look(self) -> str | None:
        printed = self._log.read_text()
        expect(self.process.poll() is None, f"{self.name} ended with {self.process.returncode}:\n{printed}")
        found = re.search(r"is (?:ready|open): (http://[\d.:]+)", printed)
        return found[1] if found else None


class Stage:
    """The processes of the demo, in a directory that goes away with them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._apps: list[App] = []

    def start(self, name: str, *command: str | Path, **environment: str) -> App:
        """Starts a process that serves until it is ended."""
        log = self.folder / f"{name.replace(' ', '-')}.log"
        with log.open("wb") as output:
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
        status = app.process.wait(PATIENCE)
        printed = (self.folder / f"{name.replace(' ', '-')}.log").read_text()
        expect(status == 0, f"{name} ended with {status}:\n{printed}")
        return printed

    def end(self) -> None:
        """Ends what still runs, the last started first, each by its id. A second Ctrl-C does not stop this."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for app in reversed(self._apps):
            if app.process.poll() is None:
                app.process.terminate()
                try:
                    app.process.wait(20)
                except subprocess.TimeoutExpired:
                    console.print(f"{app.name} does not end by itself, and is killed.")
                    app.process.kill()
                    app.process.wait()


@contextmanager
def stage() -> Iterator[Stage]:
    """Ends everything it started, whatever happens in it."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    with tempfile.TemporaryDirectory(prefix="steadylight-demo-", ignore_cleanup_errors=True) as folder:
        stage = Stage(Path(folder))
        try:
            yield stage
        finally:
            stage.end()


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


@dataclass(frozen=True)
class House:
    """What runs: addresses, an admin's client, and the key of the app that starts last."""

    url: str
    admin: Client
    shop: str
    ivr: str
    desk_key: str


def begin(on: Stage) -> House:
    """Starts the server, and the two apps that wait for the customer."""
    data = on.folder / "data"
    url = on.start("server", *STEADYLIGHT, "serve", "--port", "0", "--data", data).url()
    say("Server", f"{url}/graphql, on a database of its own in a temporary directory")
    made = json.loads(on.run("key add", *STEADYLIGHT, "key", "add", "--admin", "--json", "--data", data))
    admin = Client(url, made["key"])
    keys = {
        "web": admin.register_channel("web", "SELF_SERVICE"),
        "ivr": admin.register_channel("ivr", "AUTOMATED_AGENT"),
        "contact-centre": admin.register_channel("contact-centre", "ASSISTED"),
    }
    say("Server", f"has three channels, each with a key of its own: {', '.join(keys)}")
    shop, ivr = (
        on.start(name, sys.executable, HERE / file, "--port", "0", STEADYLIGHT_URL=url, STEADYLIGHT_KEY=keys[channel])
        for name, file, channel in (("web shop", "web_shop.py", "web"), ("ivr", "ivr.py", "ivr"))
    )
    say("Apps", f"web shop at {shop.url()}, IVR at {ivr.url()}")
    return House(url, admin, shop.url(), ivr.url(), keys["contact-centre"])


def visit(shop: str) -> tuple[datetime, datetime]:
    """The customer's browser. The moments between which they looked at the plan."""
    with httpx.Client(base_url=shop, follow_redirects=True, timeout=PATIENCE) as browser:
        browser.get("/").raise_for_status()
        page = browser.post("/sign-in", data={"customer": CUSTOMER, "password": PASSWORD}).text
        expect(CUSTOMER in page, f"The shop does not let {CUSTOMER} in:\n{page}")
        say("Browser", f"customer {CUSTOMER} signs in to the web shop")
        before = datetime.now(UTC)
        browser.get("/plans/fibre-500").raise_for_status()
        after = datetime.now(UTC)
        say("Browser", "looks at the plan fibre-500")
        time.sleep(1)
        browser.get("/search", params={"q": "moving"}).raise_for_status()
        say("Browser", "searches the help for “moving”, and reaches for the telephone")
    return before, after


def arrived(admin: Client) -> bool | None:
    """True when the whole visit is in the customer's timeline: asked in GraphQL, as any front end may."""
    try:
        actions = admin.graphql(TIMELINE, {"number": CUSTOMER})["customer"]["actions"]["nodes"]
    except NotFound:  # nobody of that number yet
        return None
    return True if {"channel": "web", "type": "help.searched"} in actions else None


def call(ivr: str) -> dict[str, str]:
    """The telephone network. What the IVR hands over to the agent's desktop."""
    with httpx.Client(base_url=f"{ivr}/calls/{CALL}", timeout=PATIENCE) as network:

        def post(event: str, told: Mapping[str, str]) -> dict[str, dict[str, str]]:
            answer: dict[str, dict[str, str]] = network.post(f"/{event}", json=told).raise_for_status().json()
            say("IVR", f"“{answer['say']}”")
            return answer

        say("Phone", f"calls from {MOBILE}")
        answer = post("begins", {"caller": MOBILE})
        expect(answer["known"] is None, "A caller's number showed somebody's data.")
        say("IVR", "is told nothing about the caller: a number can be forged, so it is only a claim")
        text = post("number", {"customer": CUSTOMER})["sms"]["text"]
        say("Phone", f"gets a text message: “{text}”")
        answer = post("code", {"code": text.split()[-1]})
        expect(answer["known"] and "fibre-500" in answer["say"], f"The IVR was not told of the visit: {answer}")
        time.sleep(1)
        say("Phone", "presses 1")
        return post("menu", {"choice": "adviser"})["transfer"]


def answer(on: Stage, house: House, handed: Mapping[str, str]) -> str:
    """The agent's desktop. What is on its screen."""
    say(
        "Desktop", f"{handed['call']} rings; handed over with it: {handed['customer']}, proven by {handed['assurance']}"
    )
    printed = on.run(
        "desktop",
        *(sys.executable, HERE / "contact_centre.py", "--call", handed["call"]),
        *("--customer", handed["customer"], "--assurance", handed["assurance"]),
        STEADYLIGHT_URL=house.url,
        STEADYLIGHT_KEY=house.desk_key,
    )
    print(f"\n{printed}", flush=True)
    return Text.from_ansi(printed).plain


def check(screen: str, between: tuple[datetime, datetime]) -> None:
    """Raises Failed unless the agent was told who, how sure, what, where, and when to the second."""
    parts = [f"Mara Lindqvist, {CUSTOMER}", "OTP: they read back a one-time code", "In web ", "In ivr "]
    for part in parts:
        expect(part in screen, f"The screen lacks “{part}”.")
    for channel, type in (("web", "help.searched"), ("ivr", "contact.identified"), ("ivr", "menu.chosen")):
        expect(re.search(rf"{channel} +{re.escape(type)}", screen), f"The screen lacks {type} in {channel}.")

    found = re.search(r"(\d\d:\d\d:\d\d) +(?:(\d+) min )?(\d+) s +web +plan\.viewed +plan fibre-500", screen)
    shown = re.search(r"(\d\d:\d\d:\d\d) UTC", screen)
    if not found or not shown:
        raise Failed("The screen lacks the plan.")
    before, after = between
    possible = [f"{before + timedelta(seconds=n):%H:%M:%S}" for n in range(int((after - before).total_seconds()) + 2)]
    expect(found[1] in possible, f"The plan was looked at at {possible[0]}, not at {found[1]}.")
    ago = int(found[2] or 0) * 60 + int(found[3])
    apart = (_seconds(shown[1]) - _seconds(found[1])) % 86_400
    # The screen rounds a difference, the clock cuts off both of its ends.
    expect(abs(apart - ago) <= 1, f"By the clock it is {apart} s ago, by the screen {ago} s.")


def _seconds(clock: str) -> int:
    hours, minutes, seconds = map(int, clock.split(":"))
    return hours * 3600 + minutes * 60 + seconds


def main() -> int:
    """Plays the story. The exit code: 0 if the agent was told."""
    console.print("One customer, three channels, one memory. Everything here is made up.\n")
    with stage() as on:
        house = begin(on)
        console.print()
        between = visit(house.shop)
        wait_for("the visit to arrive", lambda: arrived(house.admin))
        console.print()
        handed = call(house.ivr)
        console.print()
        check(answer(on, house, handed), between)
        say("Demo", "the agent was told, to the second. Ending the server and the apps.")
        house.admin.close()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except (Failed, subprocess.TimeoutExpired, httpx.HTTPError, SteadylightError) as error:
        sys.exit(f"The demo failed. {error}")
