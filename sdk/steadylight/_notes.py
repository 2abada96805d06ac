"""Lines of JSON beside the segments: what was refused for good, and how many actions were ever dropped.

refused.jsonl   {"at": …, "code": …, "message": …, "action": {…}}
dropped.jsonl   {"at": …, "cause": count, …}: what was counted since the line before
"""

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

REFUSED = "refused.jsonl"
DROPPED = "dropped.jsonl"
# Bytes; a file that is larger becomes the old one, and the old one goes.
_LARGEST = 8_000_000


def add(home: str, name: str, note: Mapping[str, Any]) -> None:
    """One more line, written at once, so that processes may share the file. Raises OSError."""
    path = os.path.join(home, name)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(fd, json.dumps(note, ensure_ascii=False, separators=(",", ":"), default=str).encode() + b"\n")
        if os.fstat(fd).st_size > _LARGEST:
            os.replace(path, path + ".old")
    finally:
        os.close(fd)


def read(home: str, name: str) -> Iterator[dict[str, Any]]:
    """The lines, oldest first; one that was cut off is skipped."""
    for path in (os.path.join(home, name) + ".old", os.path.join(home, name)):
        try:
            with open(path, encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    try:
                        yield dict(json.loads(line))
                    except ValueError:
                        continue
        except FileNotFoundError:
            continue


def dropped(home: str) -> Counter[str]:
    """How many, by cause, over all processes and restarts."""
    total: Counter[str] = Counter()
    for line in read(home, DROPPED):
        total.update({cause: count for cause, count in line.items() if isinstance(count, int)})
    return total
