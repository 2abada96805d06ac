"""A log of actions read line by line, window by window, so that no file is too large.

One action a line, as `$defs/line` of schema/actions.schema.json: what the SDK sends, and the `channel` that did it.
"""

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

import orjson

from steadylight_server.cli.output import Failure

# A line's action has at most 32 KB of properties and little else.
_LONGEST_LINE = 1_000_000
_CHANNEL = re.compile(r"[a-z][a-z0-9-]{0,49}")
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """One action, without its channel, and where it stands; the first line is 1."""

    number: int
    action: dict[str, Any]


class Fault(NamedTuple):
    """Why a line is refused before anybody is asked."""

    number: int
    message: str


@dataclass
class Window:
    """Neighbouring lines by channel. `position` is how many bytes of the file were read up to its end."""

    lines: dict[str, list[Line]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    count: int = 0
    position: int = 0


def windows(file: Path, size: int) -> Iterator[Window]:
    """The log, `size` lines at a time, blank ones left out. Raises Failure where it cannot be read on."""
    number = 0
    window = Window()
    with _opened(file) as (raw, content):
        try:
            for number, text in enumerate(_lines(content), 1):
                if text is not None and not text.strip():
                    continue
                _take(window, number, text)
                if window.count == size:
                    window.position = raw.tell()
                    yield window
                    window = Window()
        except (OSError, EOFError, zlib.error) as error:
            if window.count:
                yield window
            raise Failure(f"{file} cannot be read after line {number}: {error}. What was before is sent.") from error
        window.position = raw.tell()
    if window.count:
        yield window


@contextmanager
def _opened(file: Path) -> Iterator[tuple[IO[bytes], IO[bytes] | gzip.GzipFile]]:
    """The file, and its content, which is unpacked if it is gzip's whatever its name."""
    try:
        raw = file.open("rb")
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}.") from error
    with raw:
        packed = raw.read(len(_GZIP)) == _GZIP
        raw.seek(0)
        if packed:
            with gzip.open(raw) as content:
                yield raw, content
        else:
            yield raw, raw


def _lines(content: IO[bytes] | gzip.GzipFile) -> Iterator[bytes | None]:
    """Each line; None in the place of one that is too long to be an action."""
    first = True
    while text := content.readline(_LONGEST_LINE):
        if first:
            text, first = text.removeprefix(_BOM), False
        if len(text) < _LONGEST_LINE or text.endswith(b"\n"):
            yield text
            continue
        while text and not text.endswith(b"\n"):
            text = content.readline(_LONGEST_LINE)
        yield None


def _take(window: Window, number: int, text: bytes | None) -> None:
    window.count += 1
    action = _action(text)
    if isinstance(action, str):
        window.faults.append(Fault(number, action))
        return
    channel = action.pop("channel", None)
    if not isinstance(channel, str) or not _CHANNEL.fullmatch(channel):
        window.faults.append(Fault(number, "channel: the name of a channel is missing, or is no name"))
        return
    window.lines.setdefault(channel, []).append(Line(number, action))


def _action(text: bytes | None) -> dict[str, Any] | str:
    """The line as JSON, or why it is none."""
    if text is None:
        return f"longer than {_LONGEST_LINE:,} bytes"
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return f"not JSON: {error}"
    return value if isinstance(value, dict) else "not a JSON object"
