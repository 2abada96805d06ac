"""What every program that plays stories does: chooses them, opens a house, plays them, and ends with an exit code."""

import argparse
import inspect
import signal
import sys
from collections.abc import Mapping
from types import FrameType, ModuleType
from typing import NoReturn

import httpx

from steadylight import SteadylightError

from .house import opened
from .stage import Failed, console, stage


def run(what: str, stories: Mapping[str, ModuleType], motto: str, hint: str = "") -> NoReturn:
    """Plays the stories that the command line names, or all. Ends the program: with 0 if all came out, else 1."""
    try:
        _play(what, stories, motto, hint)
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(130)
    except (Failed, httpx.HTTPError, SteadylightError) as error:
        sys.exit(f"Something did not come out. {error}")


def _play(what: str, stories: Mapping[str, ModuleType], motto: str, hint: str) -> None:
    titles = "\n".join(f"  {name:<10} {inspect.getdoc(story)}" for name, story in stories.items())
    parser = argparse.ArgumentParser(
        description=f"{what}:\n\n{titles}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", nargs="*", help="play these alone, in this order")
    names = parser.parse_args().name or list(stories)
    if unknown := [name for name in names if name not in stories]:
        parser.error(f"there is no story {unknown[0]!r}; there are {', '.join(stories)}")

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    console.print(f"{motto} Everything here is made up.\n")
    with stage() as on, opened(on) as house:
        for place, name in enumerate(names, 1):
            console.print(f"\n[bold]{place}. {inspect.getdoc(stories[name])}[/]\n")
            stories[name].play(house)
        console.print("\nAll came out as it should. Ending the server and the apps.")
        if hint:
            console.print(hint)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    """Ends the program on a signal, and on the way out all that it started."""
    raise SystemExit(128 + number)
