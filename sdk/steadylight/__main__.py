"""`python -m steadylight check`: can this machine work with that server and that key?"""

import argparse
import sys
from collections.abc import Sequence

from ._client import Client
from ._errors import Misconfigured
from ._models import Check
from ._options import KEY_VARIABLE, URL_VARIABLE


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 when all is well, 1 when there are problems, 2 for a wrong command line."""
    given = _parser().parse_args(arguments)
    try:
        with Client(given.url, given.key) as light:
            found = light.check(within=given.within)
    except Misconfigured as error:
        found = Check(url=given.url or "", problems=(error.message,))
    print(found.model_dump_json() if given.json else _report(found))  # noqa: T201
    return 0 if found.ok else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m steadylight",
        description="Tools for apps that embed Steadylight.",
        epilog="Example:  STEADYLIGHT_KEY=sl_...  python -m steadylight check --url http://127.0.0.1:8000",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check = commands.add_parser("check", help="try URL, key and clock, and say what to do about what is wrong")
    check.add_argument("--url", help=f"where the server is; {URL_VARIABLE} unless given")
    check.add_argument("--key", help=f"the channel's key; {KEY_VARIABLE} unless given, and safer there")
    check.add_argument("--within", type=float, default=5.0, metavar="SECONDS", help="how long to try; default 5")
    check.add_argument("--json", action="store_true", help="print the report as one line of JSON")
    return parser


def _report(found: Check) -> str:
    lines = [f"URL      {found.url or 'none'}"]
    if found.latency is not None:
        lines.append(
            f"channel  {found.channel or 'none'}, at most {found.highest_assurance}, {', '.join(found.scopes)}"
        )
        lines.append(f"clock    {found.clock_skew:+.1f} s from the server's")
        lines.append(f"latency  {found.latency * 1000:.0f} ms")
    lines += [f"problem  {problem}" for problem in found.problems]
    lines.append("All is well." if found.ok else f"{len(found.problems)} to repair.")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
