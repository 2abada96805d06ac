"""`make demo`: four stories of customers whom every channel knows, played one after the other on one server.

Starts a Steadylight server on a database of its own in a temporary directory, and channel apps beside it, each a
process with its own key. This program plays the customers, their browsers and the telephone network. `python
examples/demo.py NAME` plays one story. It ends by itself in some seconds: with 0 if every story came out as it should,
else with 1. Whatever it started it ends, also on failure and on Ctrl-C. All data is made up.
"""

import argparse
import inspect
import signal
import sys
from types import FrameType
from typing import NoReturn

import httpx

from steadylight import SteadylightError
from stories import deposit, interest, own_page, roaming  # type: ignore[import-not-found]  # they are beside this file
from stories.house import opened  # type: ignore[import-not-found]
from stories.stage import Failed, console, stage  # type: ignore[import-not-found]

STORIES = {"interest": interest, "roaming": roaming, "deposit": deposit, "own-page": own_page}


def stop(number: int, frame: FrameType | None) -> NoReturn:
    """Ends the program on a signal, and on the way out all that it started."""
    raise SystemExit(128 + number)


def main() -> int:
    """Plays the stories. The exit code: 0, since a story that does not come out raises."""
    titles = "\n".join(f"  {name:<10} {inspect.getdoc(story)}" for name, story in STORIES.items())
    parser = argparse.ArgumentParser(
        description=f"Plays stories of customers in several channels:\n\n{titles}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="*", help="play these alone, in this order")
    names = parser.parse_args().name or list(STORIES)
    if unknown := [name for name in names if name not in STORIES]:
        parser.error(f"there is no story {unknown[0]!r}; there are {', '.join(STORIES)}")

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    console.print("One memory for every channel. Everything here is made up.\n")
    with stage() as on, opened(on) as house:
        for place, name in enumerate(names, 1):
            console.print(f"\n[bold]{place}. {inspect.getdoc(STORIES[name])}[/]\n")
            STORIES[name].play(house)
        console.print("\nAll came out as it should. Ending the server and the apps.")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except (Failed, httpx.HTTPError, SteadylightError) as error:
        sys.exit(f"The demo failed. {error}")
