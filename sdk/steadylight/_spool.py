"""The queue on disk: what record() gave survives the end of the process, however it ends.

Whoever records takes a lane that nobody is writing to, and appends to that lane's segment (`_segment`): there is no
lock to wait for, and a signal handler that records in the middle of a record() merely takes another lane. The sender
reads the segments in the order they were begun, and a file goes when all in it have their final verdict.

What becomes of what:

    end of the process, in any way    the next process with this key adopts what is left (`_owner`)
    a fork                            the child begins a folder of its own; what was there stays the parent's
    more than `spool_bytes`           the newest is turned away: who records is told so by None
    older than `spool_age`            the file is dropped whole
    no disk, a full one, a read-only  kept in memory, within `queue_bytes`; the disk is tried again every 10 seconds
    torn or damaged                   skipped; what is intact around it is delivered
    a file of another version         left alone
"""

import itertools
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from ._actions import BUCKETS, Entry, bucket
from ._owner import Owner, owners
from ._queue import MemoryQueue, taken
from ._segment import FRAME, HEADER, Foreign, Segment

#: Bytes of a segment.
SEGMENT = 1 << 20
# Seconds until a disk that failed is tried again.
_TRY_AGAIN = 10.0
# Seconds that close() waits for who is in the middle of recording.
_LAST_WORDS = 0.1
# Batches that the server wants again later; beyond so many nothing new is read, so that memory is bounded.
_LATE_BATCHES = 20


class Full(Exception):
    """No room within `spool_bytes`."""


class Lane:
    """A segment that is being written, by one caller at a time. Taken by put(), and by Recorder.record()."""

    __slots__ = ("_before", "buckets", "segment")

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self._before = 0
        # This and `count` only go up, so that no reader needs the lock: what is undelivered is their sum less what is
        # done.
        self.buckets = [0] * BUCKETS

    @property
    def count(self) -> int:
        """Actions that were written to it."""
        written = self.segment.written  # First, so that it is never too few while goes_on() comes between.
        return self._before + written

    def goes_on(self, segment: Segment) -> None:
        """With another segment."""
        self._before += self.segment.written
        self.segment = segment


class Spool:
    """See the module. What `take` and all below it do is the sender's, and has a lock of its own."""

    def __init__(
        self,
        home: str,
        *,
        limit: int = 1_000_000_000,
        age: float = 2_592_000.0,
        memory: int = 32_000_000,
        segment: int = SEGMENT,
        clock: Callable[[], float] = time.time,
        on_trouble: Callable[[OSError], None] = lambda error: None,
    ) -> None:
        """`on_trouble` is told each time that the disk fails anew."""
        self.home = home
        self._limit = limit
        self._age = age
        self._segment_bytes = min(segment, limit)
        self._clock = clock
        self._on_trouble = on_trouble
        self._memory = MemoryQueue(memory)
        #: What was met on the way: expired, damaged, unspooled, adopted.
        self.counts: Counter[str] = Counter()
        #: Why the disk cannot be written; None while it can.
        self.trouble: OSError | None = None
        self._try_again_at = 0.0
        self._is_closed = False
        self._own: Owner | None = None
        self._being_born = threading.RLock()
        self._numbers = itertools.count(1)
        self._lanes: list[Lane] = []
        #: Those that nobody is writing to. Taking one out, and putting it back, is one step: nobody else comes between.
        self.free: list[Lane] = []
        self._segments: list[Segment] = []
        self._lock = threading.RLock()
        self._adopted, self._adopted_buckets = 0, [0] * BUCKETS
        self._done, self._done_buckets = 0, [0] * BUCKETS
        self._out = 0
        self._again: deque[Entry] = deque()
        self._late: deque[Entry] = deque()
        self._is_late_turn = False

    # What records.

    def put(self, id: str, contact: str | None, payload: bytes, at: int | None = None) -> bool:
        """Keep it. False: no room, and it is not kept. `at` is the contact's bucket, from who knows it."""
        if at is None:
            at = 0 if contact is None else bucket(contact)
        size = FRAME + len(payload)
        try:
            try:
                lane = self.free.pop()
            except IndexError:
                lane = Lane(self._made(size))
                self._lanes.append(lane)
            try:
                while not lane.segment.append(at, payload):
                    lane.goes_on(self._after(lane.segment, size))
                lane.buckets[at] += 1
                return True
            finally:
                self.free.append(lane)
        except Full:
            return False
        except OSError as error:
            return self._unspooled(error, id, contact, payload)

    def _after(self, segment: Segment, size: int) -> Segment:
        """The segment that a lane goes on with."""
        segment.seal()
        # Where all of it was delivered already, nobody else would make the room. If the sender is at it, it will.
        if segment.is_done and self._lock.acquire(False):
            try:
                self._retire(segment)
            finally:
                self._lock.release()
        return self._made(size)

    def _made(self, size: int) -> Segment:
        size = max(self._segment_bytes, HEADER + size)
        held = self.size
        if self._is_closed or (held and held + size > self._limit):
            raise Full
        if self.trouble is not None and self._clock() < self._try_again_at:
            raise self.trouble
        if self._own is None:
            with self._being_born:
                self._own = self._own or Owner.newborn(self.home)
        segment = Segment.create(self._own, next(self._numbers), size)
        self._segments.append(segment)
        self.trouble = None
        return segment

    def _unspooled(self, error: OSError, id: str, contact: str | None, payload: bytes) -> bool:
        """The disk failed."""
        if error is not self.trouble:
            self.trouble = error
            self._try_again_at = self._clock() + _TRY_AGAIN
            self._on_trouble(error)
        kept = self._memory.put(id, contact, payload)
        self.counts["unspooled"] += kept
        return kept

    # What counts.

    def undelivered(self, contact: str | None = None) -> int:
        """How many have no final verdict, taken ones included; of all, or of one contact and those of its bucket."""
        held = self._memory.undelivered(contact)
        if contact is None:
            return max(0, sum(lane.count for lane in self._lanes) + self._adopted - self._done + held)
        at = bucket(contact)
        written = sum(lane.buckets[at] for lane in self._lanes) + self._adopted_buckets[at]
        return max(0, written - self._done_buckets[at] + held)

    def waiting(self) -> int:
        """How many `take` could bring now."""
        return max(0, self.undelivered() - self._out)

    def recorded(self) -> int:
        """How many were ever put."""
        return sum(lane.count for lane in self._lanes) + self._memory.recorded()

    def unsafe(self) -> int:
        """How many the end of this process would lose."""
        return self._memory.undelivered()

    @property
    def size(self) -> int:
        """Bytes on disk that this process is to deliver."""
        return sum(segment.size for segment in list(self._segments))

    # What delivers.

    def take(self, count: int, size: int) -> list[Entry]:
        """The oldest, at most so many and so many bytes, at least one if there is any; kept until discarded."""
        with self._lock:
            batch = taken(self._again, count, size)
            if not batch and len(self._late) >= (count if self._is_late_turn else _LATE_BATCHES * count):
                batch = taken(self._late, count, size)
                self._is_late_turn = False
            elif not batch:
                batch = self._new(count, size) or self._memory.take(count, size) or taken(self._late, count, size)
                self._is_late_turn = True
            self._out += len(batch)
            return batch

    def _new(self, count: int, size: int) -> list[Entry]:
        """From the segments; a batch may come from several."""
        batch: list[Entry] = []
        for segment in list(self._segments):
            try:
                if segment.is_fresh and segment.is_sealed and self._clock() - segment.age > self._age:
                    self._drop(segment, "expired")
                    continue
                records, damaged = segment.take(count, size, at_least=not batch)
            except OSError:  # Somebody deleted it.
                self._drop(segment, "damaged")
                continue
            self.counts["damaged"] += damaged
            batch += [Entry(None, None, payload, start, segment) for start, _, _, payload in records if payload]
            count -= len(records)
            size -= sum([len(payload) + 1 for _, _, _, payload in records if payload])
            if segment.is_done:
                self._retire(segment)
            elif segment.read < segment.end:
                break
        return batch

    def give_back(self, entries: Sequence[Entry], *, last: bool = False) -> None:
        """Taken, but to be sent again: before everything else or, if `last`, in turns with what is new."""
        with self._lock:
            self._out -= len(entries)
            if last:
                self._late.extend(entries)
            else:
                self._again.extendleft(reversed(entries))

    def discard(self, entries: Sequence[Entry]) -> None:
        """These have their final verdict."""
        with self._lock:
            self._out -= len(entries)
            self._memory.discard([entry for entry in entries if entry.segment is None])
            touched: dict[Segment, None] = {}
            for entry in entries:
                segment = entry.segment
                if segment is not None and (at := segment.settle(entry.place)) is not None:
                    self._done_buckets[at] += 1
                    self._done += 1
                    touched[segment] = None
            for segment in touched:
                if segment.is_done:
                    self._retire(segment)
                    continue
                with suppress(OSError):  # What cannot be noted is sent again after a restart, which is harmless.
                    segment.acknowledge()

    def _drop(self, segment: Segment, cause: str) -> None:
        """All that is left in it."""
        lost = 0
        try:
            while records := segment.take(10_000, self._limit)[0]:
                for record in records:
                    segment.settle(record.start)
                    self._done_buckets[record.bucket] += 1
                lost += len(records)
        except OSError:
            pass
        lost += segment.forget()
        self._done += lost
        self.counts[cause] += lost
        if segment.is_done:
            self._retire(segment)

    def _retire(self, segment: Segment) -> None:
        if segment in self._segments:
            self._segments.remove(segment)
            self._done += segment.forget()  # Damaged after they were counted.
            segment.remove()
            if segment.owner is not self._own and all(each.owner is not segment.owner for each in self._segments):
                segment.owner.remove()

    # What begins and ends.

    def adopt(self, home: str | None = None) -> int:
        """Takes over what dead processes left here, or in the folder of another key. How many actions."""
        adopted: list[Segment] = []
        for folder in owners(home or self.home):
            is_own = self._own is not None and folder == self._own.folder
            if not is_own and (owner := Owner.orphan(folder)) is not None:
                adopted += self._inherited(owner)
        found = sum(segment.written for segment in adopted)
        with self._lock:  # Not held while files are read: the process may be about to end.
            self._segments[0:0] = adopted  # What is older goes first.
            self._adopted += found
            self.counts["adopted"] += found
            for segment in adopted:
                if segment.is_done:
                    self._retire(segment)
        return found

    def _inherited(self, owner: Owner) -> list[Segment]:
        found: list[Segment] = []
        for path in owner.paths():
            try:
                segment, left = Segment.found(owner, path)
            except Foreign:
                self.counts["foreign"] += 1
            except OSError:
                continue
            else:
                found.append(segment)
                for each in left:
                    self._adopted_buckets[each.bucket] += each.payload is not None
        if not found:
            owner.remove()
        return found

    def has_others(self) -> bool:
        """Whether there are folders of other processes, dead or alive."""
        try:
            return any(self._own is None or folder != self._own.folder for folder in owners(self.home))
        except OSError:
            return False

    def close(self) -> None:
        """No more writing; what is undelivered stays for the next process."""
        self._is_closed = True
        with self._lock:
            # Not for ever: a signal handler may close in the middle of a record() of its own thread.
            end = time.monotonic() + _LAST_WORDS
            while any(not lane.segment.is_sealed for lane in self._lanes) and time.monotonic() < end:
                try:
                    self.free.pop().segment.seal()
                except IndexError:
                    time.sleep(0.001)
            for segment in list(self._segments):
                if segment.is_done:
                    self._retire(segment)
            if self._own is not None and all(segment.owner is not self._own for segment in self._segments):
                self._own.remove()
            self.abandon()

    def abandon(self) -> None:
        """Lets go of everything: at the end, and in a forked child, to whose parent it belongs."""
        for segment in list(self._segments):
            segment.close()
            segment.owner.release()
        if self._own is not None:
            self._own.release()
