"""What stands behind record(): actions are encoded, queued, and leave when the server has judged them.

The queue is the small `Queue` below, so that another keeper (on disk, say) can take its place. Nothing here waits for
the network, and nothing raises into the host. Locks are re-entrant: a signal handler may record in the middle of a
record().
"""

import json
import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from ._actions import IDS, Entry, Unfit, encode, rfc3339
from ._answers import Judgement
from ._errors import Forbidden, SteadylightError, Unauthenticated
from ._models import Stats, Verdict
from ._options import Options

log = logging.getLogger("steadylight")

#: Called with the action as it was sent, and why it was refused.
OnRefused = Callable[[dict[str, Any], Verdict], None]


class Queue(Protocol):
    """Keeps actions from record() until a final verdict. Thread-safe; its methods are quick."""

    def put(self, entry: Entry) -> bool:
        """Keep it. False: no room, and it is not kept."""

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


class MemoryQueue:
    """A queue bounded by bytes. When it is full the newest is turned away: what is in it came first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.RLock()
        self._entries: deque[Entry] = deque()
        self._size = 0
        self._count = 0
        self._contacts: Counter[str] = Counter()

    def put(self, entry: Entry) -> bool:
        with self._lock:
            if self._size + len(entry.payload) > self._limit:
                return False
            self._size += len(entry.payload)
            self._count += 1
            if entry.contact is not None:
                self._contacts[entry.contact] += 1
            self._entries.append(entry)
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


class Recorder:
    """Takes actions from the host, and is the source that the delivery plays. See the module for its promises."""

    def __init__(self, options: Options, on_refused: OnRefused | None = None) -> None:
        self._options = options
        self._on_refused = on_refused
        #: Tells the delivery that there is something new; set by whoever delivers.
        self.wake: Callable[[], None] = lambda: None
        self.start_over()

    def start_over(self) -> None:
        """Empty, with fresh locks and counters: at the start, and in a forked child.

        What the parent had queued is the parent's to deliver; its locks may be held by threads that the child lacks.
        """
        self.queue: Queue = MemoryQueue(self._options.queue_bytes)
        #: Of the last answer: a read that presents it sees what was delivered until then.
        self.token: str | None = None
        self._lock = threading.RLock()
        self._counts: Counter[str] = Counter()
        self._warned: set[str] = set()
        self._failures = 0
        self._last_error: str | None = None
        self._is_closed = False

    def close(self) -> None:
        """From now on record() keeps nothing, since nobody would deliver it."""
        self._is_closed = True

    def record(self, head: dict[str, Any], properties: Mapping[str, Any] | None, contact: str | None) -> str | None:
        """Queue one action. Its id, or None when it could not be kept: counted, and warned of once for each cause."""
        try:
            return self._record(head, properties, contact)
        except Unfit as error:
            self._count("unfit")
            self._warn("unfit", "An action of type %r was not recorded: %s.", _short(head.get("type")), error)
        except Exception as error:  # A broken __str__, an exhausted memory: never the host's problem.
            self._count("unfit")
            self._warn("error", "An action was not recorded: %s.", type(error).__name__)
        return None

    def _record(self, head: dict[str, Any], properties: Mapping[str, Any] | None, contact: str | None) -> str | None:
        head = {"id": head.pop("id", None) or IDS.uuid7(), "sequence": IDS.sequence(), **head}
        at = head.get("at") or self._options.now()
        if not isinstance(at, str):
            if at.tzinfo is None:
                self._warn(
                    "naive", "A time without time zone was recorded; it is taken as UTC. Pass an aware datetime."
                )
            head["at"] = rfc3339(at)
        changes: list[str] = []
        payload = encode(head, properties, changes)
        if changes:
            told = "Properties of type %r hold %s, which JSON lacks; it is recorded as text."
            self._warn("text", told, _short(head["type"]), changes[0])
        if self._is_closed:
            self._count("late")
            self._warn(
                "late", "Actions recorded after close() are lost. Close the client when the app ends, not before."
            )
            return None
        if not self.queue.put(Entry(str(head["id"]), contact, payload)):
            self._count("overflowed")
            told = "The queue of %d bytes is full: new actions are lost until the server takes some. Last failure: %s"
            self._warn("overflow", told, self._options.queue_bytes, self._last_error or "none")
            return None
        self._count("recorded")
        self.wake()
        return str(head["id"])

    # What the protocol asks of a source.

    def take(self, count: int, size: int) -> list[Entry]:
        return self.queue.take(count, size)

    def give_back(self, batch: Sequence[Entry]) -> None:
        self.queue.give_back(batch)

    def settle(self, batch: Sequence[Entry], judgement: Judgement) -> None:
        """Count, tell of refusals, and keep what is to be sent again."""
        self.token = judgement.token or self.token
        self._failures, self._last_error = 0, None
        self._warned -= {"Unauthenticated", "Forbidden"}
        retries = [entry for entry, letter in zip(batch, judgement.letters, strict=True) if letter == "R"]
        final = [entry for entry, letter in zip(batch, judgement.letters, strict=True) if letter != "R"]
        for letter, name in (("S", "stored"), ("D", "duplicate"), ("X", "refused"), ("R", "resent")):
            self._count(name, judgement.letters.count(letter))
        for verdict in judgement.exceptions:
            if verdict.verdict == "REFUSED" and 0 <= verdict.index < len(batch):
                self._refused(batch[verdict.index], verdict)
        self.queue.give_back(retries, last=True)
        self.queue.discard(final)

    def failed(self, error: SteadylightError, batch: Sequence[Entry]) -> None:
        self._count("resent", len(batch))
        self._failures += 1
        self._last_error = str(error)
        log.debug("%d actions will be sent again: %s", len(batch), error)
        if isinstance(error, Unauthenticated | Forbidden):
            told = "The server refuses this channel's key: %s Actions are kept until the key is repaired."
            self._warn(type(error).__name__, told, error)

    def _refused(self, entry: Entry, verdict: Verdict) -> None:
        told = "The server refused an action for good (%s: %s). Pass on_refused= to be told of each; this is said once."
        self._warn("refused", told, verdict.code, verdict.message)
        if self._on_refused is not None:
            try:
                self._on_refused(json.loads(entry.payload), verdict)
            except Exception:
                log.exception("on_refused raised; delivery goes on")

    def stats(self) -> Stats:
        """The counters, now."""
        return Stats(
            **{name: self._counts[name] for name in _COUNTED},
            undelivered=self.queue.undelivered(),
            failures=self._failures,
            last_error=self._last_error,
        )

    def _count(self, name: str, by: int = 1) -> None:
        with self._lock:
            self._counts[name] += by

    def _warn(self, cause: str, told: str, *values: object) -> None:
        """Once per cause; remembered before it is logged, since a log handler may itself record."""
        if cause not in self._warned:
            self._warned.add(cause)
            log.warning(told, *values)


_COUNTED = ("recorded", "stored", "duplicate", "refused", "resent", "overflowed", "unfit", "late")


def _short(text: object) -> str:
    return str(text)[:60]
