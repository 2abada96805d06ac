"""The queue between record() and delivery: what both kinds of it offer, and the one in memory."""

import threading
from collections import Counter, deque
from collections.abc import Sequence
from typing import Protocol

from ._actions import Entry


class Queue(Protocol):
    """Keeps actions from record() until a final verdict. Thread-safe; its methods are quick."""

    def put(self, id: str, contact: str | None, payload: bytes, at: int | None = None) -> bool:
        """Keep it. False: no room, and it is not kept. `at` is the contact's bucket, from who knows it."""

    def take(self, count: int, size: int) -> list[Entry]:
        """The oldest, at most so many and so many bytes, at least one if there is any; kept until discarded."""

    def give_back(self, entries: Sequence[Entry], *, last: bool = False) -> None:
        """Taken, but to be sent again: before everything else or, if `last`, after it."""

    def discard(self, entries: Sequence[Entry]) -> None:
        """These have their final verdict."""

    def waiting(self) -> int:
        """How many `take` could bring now."""

    def undelivered(self, contact: str | None = None) -> int:
        """How many have no final verdict, taken ones included; of all, or of one contact."""

    def recorded(self) -> int:
        """How many were ever put."""

    def unsafe(self) -> int:
        """How many the end of this process would lose."""

    def close(self) -> None:
        """Nothing is put any more."""

    def abandon(self) -> None:
        """In a forked child: it is the parent's."""


class MemoryQueue:
    """A queue bounded by bytes. When it is full the newest is turned away: what is in it came first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.RLock()
        self._entries: deque[Entry] = deque()
        self._size = 0
        self._count = 0
        self._recorded = 0
        self._contacts: Counter[str] = Counter()

    def put(self, id: str, contact: str | None, payload: bytes, at: int | None = None) -> bool:
        with self._lock:
            if self._size + len(payload) > self._limit:
                return False
            self._size += len(payload)
            self._count += 1
            self._recorded += 1
            if contact is not None:
                self._contacts[contact] += 1
            self._entries.append(Entry(id, contact, payload))
            return True

    def take(self, count: int, size: int) -> list[Entry]:
        with self._lock:
            return taken(self._entries, count, size)

    def give_back(self, entries: Sequence[Entry], *, last: bool = False) -> None:
        with self._lock:
            if last:
                self._entries.extend(entries)
            else:
                self._entries.extendleft(reversed(entries))

    def discard(self, entries: Sequence[Entry]) -> None:
        with self._lock:
            for entry in entries:
                self._size -= len(entry.payload)
                self._count -= 1
                if entry.contact is not None:
                    self._contacts[entry.contact] -= 1
                    if not self._contacts[entry.contact]:
                        del self._contacts[entry.contact]

    def waiting(self) -> int:
        return len(self._entries)

    def recorded(self) -> int:
        return self._recorded

    def unsafe(self) -> int:
        return self._count

    def close(self) -> None:
        pass

    def abandon(self) -> None:
        pass

    def undelivered(self, contact: str | None = None) -> int:
        return self._count if contact is None else self._contacts.get(contact, 0)


def taken(entries: deque[Entry], count: int, size: int) -> list[Entry]:
    """Removes the first from `entries`: at most so many and so many bytes, but at least one if there is any."""
    batch: list[Entry] = []
    while entries and len(batch) < count:
        size -= len(entries[0].payload) + 1  # and a comma
        if size < 0 and batch:
            break
        batch.append(entries.popleft())
    return batch
