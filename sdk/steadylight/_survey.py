"""A look into a spool from outside, for people: nothing is locked, changed or delivered."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from . import _notes
from ._owner import Owner, channel, owners, siblings
from ._segment import Foreign, Segment


@dataclass(frozen=True, slots=True)
class Survey:
    """What there is for one key; `keys` are other keys of the same address that left something."""

    folder: str
    channel: str | None
    undelivered: int
    bytes: int
    processes: int
    foreign: int
    refused: int
    dropped: dict[str, int] = field(default_factory=dict)
    keys: tuple[str, ...] = ()

    def told(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def survey(home: str) -> Survey:
    """Counts all in a folder. Raises OSError."""
    found = list(_segments(home))
    return Survey(
        folder=home,
        channel=channel(home),
        undelivered=sum(len(payloads) for _, payloads in found),
        bytes=sum(os.path.getsize(path) for path, _ in found if os.path.exists(path)),
        processes=sum(1 for _ in owners(home)),
        foreign=sum(1 for folder in owners(home) for path in _paths(folder) if _read(path) is None),
        refused=sum(1 for _ in _notes.read(home, _notes.REFUSED)),
        dropped=dict(_notes.dropped(home)),
        keys=tuple(os.path.basename(sibling) for sibling in siblings(home)),
    )


def undelivered(home: str) -> Iterator[bytes]:
    """The actions that are on disk, oldest file first, as they will be sent."""
    for _, payloads in _segments(home):
        yield from payloads


def refused(home: str) -> Iterator[dict[str, Any]]:
    """What the server refused for good, with code and message; oldest first."""
    return _notes.read(home, _notes.REFUSED)


def _segments(home: str) -> Iterator[tuple[str, list[bytes]]]:
    for folder in owners(home):
        for path in _paths(folder):
            if (payloads := _read(path)) is not None:
                yield path, payloads


def _paths(folder: str) -> list[str]:
    with suppress(OSError):  # Delivered and removed meanwhile.
        return Owner(folder, -1).paths()
    return []


def _read(path: str) -> list[bytes] | None:
    """None for what is no segment of this version."""
    try:
        return Segment.payloads(path)
    except Foreign:
        return None
    except OSError:
        return []
