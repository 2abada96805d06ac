"""`python -m steadylight check`: can this machine work with that server and that key? `spool`: what waits on disk?"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace

from ._client import Client
from ._errors import Misconfigured
from ._models import Check
from ._options import KEY_VARIABLE, SPOOL_VARIABLE, URL_VARIABLE, Options, endpoint

try:
    from . import _survey
    from ._owner import home
except ImportError:  # No fcntl: Windows.
    home = None  # type: ignore[assignment]


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 when all is well, 1 when there are problems, 2 for a wrong command line."""
    given = _parser().parse_args(arguments)
    code: int = given.run(given)
    return code


def _check(given: argparse.Namespace) -> int:
    try:
        # It records nothing, and delivers nothing that waits on disk.
        with Client(given.url, given.key, options=Options(spool=None)) as light:
            found = light.check(within=given.within)
    except Misconfigured as error:
        found = Check(url=given.url or "", problems=(error.message,))
    _print(found.model_dump_json() if given.json else _report(found))
    return 0 if found.ok else 1


def _spool(given: argparse.Namespace) -> int:
    if home is None:
        sys.stderr.write("There is no spool on this system.\n")
        return 1
    options = Options(spool="auto" if given.spool is None else given.spool)
    try:
        folder = home(endpoint(given.url, given.key), options)
    except (Misconfigured, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if folder is None:
        sys.stderr.write(f"There is no spool: {SPOOL_VARIABLE} turns it off.\n")
        return 1
    code: int = given.deed(given, folder, options)
    return code


def _stats(given: argparse.Namespace, folder: str, options: Options) -> int:
    told = _survey.survey(folder).told()
    _print(json.dumps(told) if given.json else "\n".join(f"{name:12} {_shown(value)}" for name, value in told.items()))
    return 0


def _show(given: argparse.Namespace, folder: str, options: Options) -> int:
    lines = (
        (json.dumps(note, ensure_ascii=False) for note in _survey.refused(folder))
        if given.refused
        else (payload.decode("utf-8", "replace") for payload in _survey.undelivered(folder))
    )
    for line in lines:
        _print(line)
    return 0


def _drain(given: argparse.Namespace, folder: str, options: Options) -> int:
    with Client(given.url, given.key, options=replace(options, linger=0.0)) as light:
        light._shared.recorder.begin(other_keys=given.all_keys)
        left = light.flush(given.within)
        stats = light.stats()
    _print(f"{stats.stored} stored, {stats.duplicate} were there already, {stats.refused} refused, {left} left")
    if left:
        sys.stderr.write(f"Not within {given.within:g} s. Last failure: {stats.last_error or 'none'}\n")
    return 1 if left else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m steadylight",
        description="Tools for apps that embed Steadylight.",
        epilog="Example:  STEADYLIGHT_KEY=sl_...  python -m steadylight check --url http://127.0.0.1:8000",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check = commands.add_parser("check", help="try URL, key and clock, and say what to do about what is wrong")
    check.set_defaults(run=_check)
    _add_endpoint(check)
    check.add_argument("--within", type=float, default=5.0, metavar="SECONDS", help="how long to try; default 5")
    check.add_argument("--json", action="store_true", help="print the report as one line of JSON")
    spool = commands.add_parser("spool", help="look at what waits on disk, or deliver it")
    spool.set_defaults(run=_spool)
    deeds = spool.add_subparsers(required=True, metavar="WHAT")
    stats = deeds.add_parser("stats", help="count what waits, was refused and was dropped")
    stats.add_argument("--json", action="store_true", help="print one line of JSON")
    stats.set_defaults(deed=_stats)
    show = deeds.add_parser("show", help="print what waits, one action a line; it names customers")
    show.add_argument("--refused", action="store_true", help="what the server refused instead, and why")
    show.set_defaults(deed=_show)
    drain = deeds.add_parser("drain", help="deliver what dead processes left, and end")
    drain.add_argument("--within", type=float, default=60.0, metavar="SECONDS", help="how long to try; default 60")
    drain.add_argument(
        "--all-keys",
        action="store_true",
        help="also what was recorded with other keys for this URL: only if they are all of this channel",
    )
    drain.set_defaults(deed=_drain)
    for each in (stats, show, drain):
        _add_endpoint(each)
        each.add_argument("--spool", metavar="FOLDER", help=f"{SPOOL_VARIABLE} unless given")
    return parser


def _add_endpoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", help=f"where the server is; {URL_VARIABLE} unless given")
    parser.add_argument("--key", help=f"the channel's key; {KEY_VARIABLE} unless given, and safer there")


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


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{count} {cause}" for cause, count in value.items()) or "none"
    return ", ".join(map(str, value)) or "none" if isinstance(value, tuple | list) else str(value)


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
