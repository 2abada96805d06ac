"""What stands behind record(): actions are encoded, kept, and leave when the server has judged them.

They are kept on disk (`_spool`), or in memory where there is no disk (`_queue`). Nothing here waits for the network or
for a lock of who delivers, and nothing raises into the host. A signal handler may record in the middle of a record().
"""

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from time import time_ns
from typing import Any
from zlib import adler32

from . import _notes, _operations
from ._actions import IDS, MAX_PROPERTIES, TYPES, Common, Entry, Unfit, encode, rfc3339, typed
from ._answers import Answer, Judgement, read
from ._errors import (
    Forbidden,
    Internal,
    RateLimited,
    SteadylightError,
    Timeout,
    Unauthenticated,
    Unavailable,
    Unreachable,
)
from ._json import SerializationError, to_json
from ._options import Endpoint, Options, utc_now
from ._plain import Stats, Verdict
from ._protocol import Request, request
from ._queue import MemoryQueue, Queue
from ._scrubbing import Dropped, Scrubbing

try:
    from . import _owner, _spool
    from ._segment import FRAME, MARK, frame
except ImportError:  # No fcntl: Windows.
    _spool = None  # type: ignore[assignment]

log = logging.getLogger("steadylight")

#: Called with the action as it was sent, and why it was refused.
OnRefused = Callable[[dict[str, Any], Verdict], None]

# Errors after which the same question may be asked again later.
_AWAY = (Timeout, Unreachable, Unavailable, RateLimited, Internal, Unauthenticated, Forbidden)
_NOTHING = Common()
# record() calls an action's type by that name.
_kind_of = type
# Seconds between two notes of what was dropped.
_NOTE_EVERY = 5.0


class Recorder:
    """Takes actions from the host, and is the source that the delivery plays. See the module for its promises."""

    def __init__(self, options: Options, on_refused: OnRefused | None = None, endpoint: Endpoint | None = None) -> None:
        self._options = options
        self._on_refused = on_refused
        self._scrubbing = Scrubbing(options)
        self._reads_clock = options.now is utc_now
        #: What is given is kept as it is.
        self._is_plain = self._reads_clock and not self._scrubbing.is_needed
        #: Called when as many were recorded as whoever delivers is `missing`; set by it.
        self.wake: Callable[[], None] = lambda: None
        self._warned: set[str] = set()
        self._home = None if endpoint is None else self._found_home(endpoint)
        self.queue: Queue = MemoryQueue(0)
        self.start_over()

    def _found_home(self, endpoint: Endpoint) -> str | None:
        if _spool is None:
            self._warn("disk", "There is no spool on this system: what is undelivered when the app ends is lost.")
            return None
        try:
            return _owner.home(endpoint, self._options)
        except OSError as error:
            self._warn("disk", "There is no spool: %s. What is undelivered when the app ends is lost.", error)
            return None

    def start_over(self) -> None:
        """Empty, with fresh locks and counters: at the start, and in a forked child.

        What the parent had queued is the parent's to deliver; its locks may be held by threads that the child lacks.
        """
        self.queue.abandon()
        self.spool = None if self._home is None else self._opened(self._home)
        self.queue = MemoryQueue(self._options.queue_bytes) if self.spool is None else self.spool
        self._free = [] if self.spool is None else self.spool.free
        #: Of the last answer: a read that presents it sees what was delivered until then.
        self.token: str | None = None
        self._lock = threading.RLock()
        self._beginning = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._noted: Counter[str] = Counter()
        self._note_at = 0.0
        self._warned = set()
        self._failures = 0
        #: Failed requests, ever.
        self.failed_ever = 0
        self._last_error: str | None = None
        self._retry_at: float | None = None
        self._knows_channel = self.spool is None
        self._is_closed = False
        #: So many more actions, and whoever delivers is woken; 0 where it does not wait for any.
        self.missing = 1
        #: Bytes of an action that is taken: none at all, once it is closed.
        self._largest = self._options.batch_bytes

    def _opened(self, home: str) -> "_spool.Spool":
        options = self._options
        return _spool.Spool(
            home,
            limit=options.spool_bytes,
            age=options.spool_age,
            memory=options.queue_bytes,
            on_trouble=self._warn_of_disk,
        )

    def _warn_of_disk(self, error: OSError) -> None:
        told = "The spool cannot be written (%s): actions are kept in memory until the app ends."
        self._warn("disk", told, error)

    def begin(self, *, other_keys: bool = False) -> None:
        """Adopts what dead processes left; by whoever delivers, before the first batch."""
        if self.spool is not None and self._home is not None:
            try:
                with self._beginning:  # Who asks for other keys has the earlier ones adopted when it returns.
                    adopted = self.spool.adopt()
                    if other_keys:
                        adopted += sum(self.spool.adopt(sibling) for sibling in _owner.siblings(self._home))
                if adopted:
                    log.info("%d actions that a process before this one left are delivered now", adopted)
            except OSError as error:
                self._warn("adopt", "The spool cannot be read: %s", error)

    @property
    def has_inheritance(self) -> bool:
        """Whether there may be something to deliver before anything is recorded."""
        return self.spool is not None and self.spool.has_others()

    @property
    def failed_now(self) -> bool:
        """Whether the last request failed."""
        return self._failures > 0

    def close(self) -> None:
        """From now on record() keeps nothing, since nobody would deliver it."""
        self._is_closed, self._largest = True, 0
        self._note_drops(now=True)
        with suppress(OSError):  # What is on disk stays there.
            self.queue.close()

    def record(
        self,
        type: str,
        properties: Mapping[str, Any] | None = None,
        common: Common = _NOTHING,
        more: Mapping[str, Any] | None = None,
        id: object = None,
        at: object = None,
    ) -> str | None:
        """Keep one action, with what its contact's have in common and what this one has `more`; without, a customer's.

        Its id, or None when it could not be kept: counted, and warned of once for each cause.

        Nearly all actions happen now, have nothing more, and flat properties. For these it is written out here what
        _encoded() and Segment.append() do for any: to call five functions instead takes the host an eighth longer.
        """
        try:
            payload = None
            if more is None and at is None and id is None and self._is_plain:
                try:
                    try:
                        typed_as = TYPES[type]
                    except KeyError:
                        typed_as = typed(type)
                    told = b""
                    if properties and _kind_of(properties) is dict:
                        for value in properties.values():
                            kind = _kind_of(value)
                            if kind is str:
                                continue
                            if kind is int:
                                if -0x8000_0000_0000_0000 <= value <= 0x7FFF_FFFF_FFFF_FFFF:
                                    continue
                            elif kind is float:
                                if value - value == 0.0:  # Neither endless nor no number.
                                    continue
                            elif kind is bool or value is None:
                                continue
                            break
                        else:
                            told = to_json(properties)
                    if (told or not properties) and len(told) <= MAX_PROPERTIES:
                        now, number = time_ns() // 1_000_000, next(IDS.count)
                        last = number & 0xFF
                        moment, above, begin, middle = IDS.moment
                        if now != moment or number - last != above:
                            begin, middle = IDS.turn(now, number)
                        new = begin + IDS.ends[last]
                        if told:
                            head = f'{{"id":"{new}{middle}{number}{typed_as},"properties":'.encode()
                            payload = head + told + common.by_customer
                        else:
                            payload = f'{{"id":"{new}{middle}{number}{typed_as}'.encode() + common.by_customer
                except (TypeError, UnicodeError, SerializationError):
                    pass  # The long way tells what is wrong, if anything is.
            if payload is None:
                new, payload = self._encoded(type, properties, common, more, id, at)
            size, place, is_kept = len(payload), common.bucket, False
            if size > self._largest:
                self._refuse(size)
                return None
            try:
                lane = self._free.pop()
            except IndexError:  # There is none, or others are writing to all.
                pass
            else:
                try:
                    segment = lane.segment
                    end = segment.end + FRAME + size
                    if end <= segment.room:
                        record = frame(MARK, size, adler32(payload, place + 1), place) + payload
                        segment.map[segment.end : end] = record  # type: ignore[index]  # Where there is room.
                        segment.written += 1
                        segment.end = end
                        lane.buckets[place] += 1
                        is_kept = True
                finally:
                    self._free.append(lane)
            if is_kept or self.queue.put(new, common.contact, payload, place):
                # Threads that count at the same moment may miss one; then company is waited for to the end. Whoever
                # comes to nothing, or below, wakes: else a thread that sleeps without end could be left to.
                missing = self.missing
                if missing:
                    self.missing = missing - 1
                    if missing <= 1:
                        self.wake()
                return new
            self._overflowed()
        except Exception as error:  # A broken __str__, an exhausted memory: never the host's problem.
            self._not_kept(type, error)
        return None

    def _not_kept(self, type: str, error: Exception) -> None:
        if isinstance(error, Dropped):
            self._count("dropped")
            return
        self._count("unfit")
        if isinstance(error, Unfit):
            self._warn("unfit", "An action of type %r was not recorded: %s.", _short(type), error)
        else:
            self._warn("error", "An action was not recorded: %s.", error.__class__.__name__)

    def _encoded(
        self,
        type: str,
        properties: Mapping[str, Any] | None,
        common: Common,
        more: Mapping[str, Any] | None,
        id: object,
        at: object,
    ) -> tuple[str, bytes]:
        """The id and the bytes of an action that is not like most. Raises Unfit and Dropped."""
        new, number, now = IDS.stamp()
        id = str(id) if id else new
        if at is None and self._reads_clock:
            at = now
        elif not isinstance(at, str):
            at = self._told_time(at or self._options.now())
        head = {"id": id, "at": at, "sequence": number, "type": type}
        shared = common.by_customer
        if more is not None:
            head.update(more)
            shared = common.json
            if "subject" in more and not isinstance(more["subject"], Mapping):
                head["subject"] = dict(zip(("kind", "id"), more["subject"], strict=False))
        if self._scrubbing.is_needed:
            head, properties = self._scrubbed({"actor": "CUSTOMER", **head, **common.members}, properties)
            id, shared = str(head.pop("id")), b"}"
            head = {"id": id, **head}  # first, whatever the hook made of it
        changes: list[str] = []
        payload = encode(head, shared, properties, changes)
        if changes:
            told = "Properties of type %r hold %s, which JSON lacks; it is recorded as text."
            self._warn("text", told, _short(type), changes[0])
        return id, payload

    def _refuse(self, size: int) -> None:
        """What is too large, or too late. Raises Unfit."""
        if size > self._options.batch_bytes:
            raise Unfit(f"it takes {size:,} bytes of the {self._options.batch_bytes:,} that a request may hold")
        self._count("late")
        self._warn("late", "Actions recorded after close() are lost. Close the client when the app ends, not before.")

    def _overflowed(self) -> None:
        self._count("overflowed")
        kept, limit = ("queue", self._options.queue_bytes)
        if self.spool is not None and self.spool.trouble is None:
            kept, limit = ("spool", self._options.spool_bytes)
        told = "The %s of %d bytes is full: new actions are lost until the server takes some. Last failure: %s"
        self._warn("overflow", told, kept, limit, self._last_error or "none")

    def _told_time(self, at: Any) -> str:
        if at.tzinfo is None:
            self._warn("naive", "A time without time zone was recorded; it is taken as UTC. Pass an aware datetime.")
        return rfc3339(at)

    def _scrubbed(
        self, head: dict[str, Any], properties: Mapping[str, Any] | None
    ) -> tuple[dict[str, Any], Mapping[str, Any] | None]:
        try:
            return self._scrubbing.scrubbed(head, properties)
        except (Dropped, Unfit):
            raise
        except Exception as error:
            # What could not be scrubbed may hold what nobody should see.
            self._warn("scrub", "before_record raised %s: actions for which it does are dropped.", type(error).__name__)
            raise Dropped from error

    # What the protocol asks of a source.

    def take(self, count: int, size: int) -> list[Entry]:
        return [] if self._is_closed else self.queue.take(count, size)

    def give_back(self, batch: Sequence[Entry]) -> None:
        # The interpreter's end clears away a delivery whose thread it stopped, maybe with the queue's lock in hand.
        if not self._is_closed:
            self.queue.give_back(batch)

    def settle(self, batch: Sequence[Entry], judgement: Judgement) -> None:
        """Count, tell of refusals, and keep what is to be sent again."""
        self.token = judgement.token or self.token
        self._failures, self._last_error, self._retry_at = 0, None, None
        self._warned -= {"Unauthenticated", "Forbidden"}
        letters = judgement.letters
        for letter, name in (("S", "stored"), ("D", "duplicate"), ("X", "refused"), ("R", "resent")):
            self._count(name, letters.count(letter))
        for verdict in judgement.exceptions:
            if verdict.verdict == "REFUSED" and 0 <= verdict.index < len(batch):
                self._refused(batch[verdict.index], verdict)
        if "R" in letters:
            retries = [entry for entry, letter in zip(batch, letters, strict=True) if letter == "R"]
            batch = [entry for entry, letter in zip(batch, letters, strict=True) if letter != "R"]
            self.queue.give_back(retries, last=True)
        self.queue.discard(batch)
        self._note_drops()
        log.debug("%d actions got their verdicts; %d are left", len(letters), self.queue.undelivered())

    def failed(self, error: SteadylightError, batch: Sequence[Entry]) -> None:
        self._count("resent", len(batch))
        self._failures += 1
        self.failed_ever += 1
        self._last_error = str(error)
        log.debug("%d actions will be sent again: %s", len(batch), error)
        if isinstance(error, Unauthenticated | Forbidden):
            told = "The server refuses this channel's key: %s Actions are kept until the key is repaired."
            self._warn(type(error).__name__, told, error)

    def pausing(self, seconds: float) -> None:
        """Whoever delivers waits so long before it tries again."""
        self._retry_at = self._options.clock() + seconds

    def question(self) -> Request | None:
        """Which channel is this key of? Asked once, so that what was recorded with an earlier key is found again."""
        if self._knows_channel or self._home is None:
            return None
        try:
            self._knows_channel = _owner.channel(self._home) is not None and not _owner.siblings(self._home)
        except OSError:
            self._knows_channel = True
        if self._knows_channel:
            return None
        return request("WhoAmI", _operations.WHO_AM_I, None, self._options.request_timeout)

    def answered(self, answer: Answer) -> SteadylightError | None:
        """What came back. The error, if it is to be asked again."""
        try:
            name = read(answer, self._options.now())["viewer"]["channel"]
            self._knows_channel = True
            if isinstance(name, str) and self._home is not None and self.spool is not None:
                _owner.learn(self._home, name)
                for sibling in _owner.siblings(self._home):
                    if _owner.channel(sibling) == name:
                        self.spool.adopt(sibling)
        except _AWAY as error:
            return error
        except Exception as error:
            # A server that answers so has no channel to tell of, or the disk fails; nothing recorded depends on it.
            log.debug("The channel of this key could not be learnt: %s", type(error).__name__)
            self._knows_channel = True
        return None

    def _refused(self, entry: Entry, verdict: Verdict) -> None:
        told = "The server refused an action for good (%s: %s). Pass on_refused= to be told of each; this is said once."
        self._warn("refused", told, verdict.code, verdict.message)
        action = json.loads(entry.payload)
        if self._home is not None:
            note = {"at": rfc3339(self._options.now()), "code": verdict.code, "message": verdict.message}
            self._note(_notes.REFUSED, {**note, "action": action})
        if self._on_refused is not None:
            try:
                self._on_refused(action, verdict)
            except Exception:
                log.exception("on_refused raised; delivery goes on")

    def stats(self) -> Stats:
        """The counters, now."""
        met = Counter() if self.spool is None else self.spool.counts
        retry_in = None if self._retry_at is None else max(0.0, self._retry_at - self._options.clock())
        return Stats(
            **{name: self._counts[name] for name in _COUNTED},
            **{name: met[name] for name in _MET},
            recorded=self.queue.recorded(),
            undelivered=self.queue.undelivered(),
            unsafe=self.queue.unsafe(),
            spool_bytes=0 if self.spool is None else self.spool.size,
            failures=self._failures,
            last_error=self._last_error,
            circuit="open" if self._failures else "closed",
            retry_in=retry_in if self._failures else None,
        )

    def _count(self, name: str, by: int = 1) -> None:
        with self._lock:
            self._counts[name] += by

    def _note_drops(self, *, now: bool = False) -> None:
        """Adds to the spool's own account of what was ever dropped, now and then."""
        if self._home is None or (not now and time.monotonic() < self._note_at):
            return
        self._note_at = time.monotonic() + _NOTE_EVERY
        met = Counter() if self.spool is None else self.spool.counts
        total = Counter({name: self._counts[name] + met[name] for name in _DROPPED})
        with self._lock:
            new, self._noted = total - self._noted, total
        if new:
            self._note(_notes.DROPPED, {"at": rfc3339(self._options.now()), **new})

    def _note(self, name: str, note: Mapping[str, Any]) -> None:
        try:
            _notes.add(self._home or "", name, note)
        except OSError as error:
            self._warn(
                "disk", "The spool cannot be written (%s): refusals and drops are counted in memory only.", error
            )

    def _warn(self, cause: str, told: str, *values: object) -> None:
        """Once per cause; remembered before it is logged, since a log handler may itself record."""
        if cause not in self._warned:
            self._warned.add(cause)
            log.warning(told, *values)


_COUNTED = ("stored", "duplicate", "refused", "resent", "overflowed", "unfit", "late", "dropped")
_MET = ("adopted", "expired", "damaged", "unspooled")
_DROPPED = ("refused", "overflowed", "unfit", "late", "dropped", "expired", "damaged")


def _short(text: object) -> str:
    return str(text)[:60]
