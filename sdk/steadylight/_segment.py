"""One file of the spool: actions in the order they were written, and how far they were delivered.

Numbers are little-endian. A header of 32 bytes:

    0    8s   b"STEADYLT"
    8    H    version: 2. A reader leaves other versions alone
    16   Q    acknowledged: everything before this offset has its final verdict

and then records, each of 14 bytes and the action:

    0    4s   mark: F5 FA 53 4C. UTF-8 has no byte F5, so that no action contains a mark
    4    I    length of the action in bytes
    8    I    Adler-32 of the action, begun with bucket + 1
    12   H    bucket of its contact; see `_actions.bucket`
    14   ..   the action: JSON in UTF-8, as it will be sent

What follows the last record is zeros. A record whose checksum is wrong was torn by a crash or damaged: the reader goes
on at the next mark that begins an intact one.

The file is as long as it may grow from the start, with its blocks allocated: a store into the mapped memory of a file
that has none would kill the process when the disk is full. The kernel keeps what was stored there when a process dies,
but not when the power fails before it reached the disk.
"""

import mmap
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from zlib import adler32

from ._actions import BUCKETS
from ._owner import Owner

MAGIC = b"STEADYLT"
VERSION = 2
HEADER = 32
MARK = b"\xf5\xfaSL"

_HEADER = struct.Struct("<8sH6xQ8x")
_RECORD = struct.Struct("<4sIIH")
_ACKNOWLEDGED = struct.Struct("<Q")
# Bytes of the file that are made ready for writing at once, and how: MADV_POPULATE_WRITE of Linux 5.14 and later.
_PAGES = 16 * mmap.PAGESIZE
_POPULATE = 23 if sys.platform == "linux" else 0
_unpack = _RECORD.unpack_from
#: Bytes of a record beside its action.
FRAME = _RECORD.size
#: What stands before an action: the mark, its length, its checksum, its bucket.
frame = _RECORD.pack


class Foreign(Exception):
    """The file is no segment of this version."""


class Record(NamedTuple):
    """What was found at an offset; `payload` is None where something damaged was skipped."""

    start: int
    end: int
    bucket: int
    payload: bytes | None


def records(data: bytes, at: int = 0, base: int = 0) -> Iterator[Record]:
    """The records in `data` from there on, with an entry for each damaged stretch between them.

    `base` is where `data` begins in its file: the places told are those in the file.
    """
    while True:
        if (found := _intact(data, at, base)) is not None:
            yield found
            at = found.end - base
            continue
        start = at
        while (at := data.find(MARK, at + 1)) >= 0 and _intact(data, at, base) is None:
            pass
        if at < 0:
            if data[start:].strip(b"\0"):
                yield Record(start + base, len(data) + base, 0, None)
            return
        yield Record(start + base, at + base, 0, None)


def _intact(data: bytes, at: int, base: int) -> Record | None:
    body = at + FRAME
    if body > len(data):
        return None
    mark, size, checksum, bucket = _unpack(data, at)
    end = body + size
    # Zeros behind a mark would be an empty action with the right checksum, but it is a torn one.
    if mark != MARK or not size or end > len(data) or bucket >= BUCKETS:
        return None
    payload = data[body:end]
    if adler32(payload, bucket + 1) != checksum:
        return None
    return Record(at + base, end + base, bucket, payload)


class Segment:
    """A segment that is written by one thread and read by another of the same process, or was left by a dead one."""

    __slots__ = (
        "_fd",
        "end",
        "is_sealed",
        "map",
        "owner",
        "path",
        "read",
        "room",
        "settled",
        "size",
        "taken",
        "written",
    )

    def __init__(self, path: str, size: int, end: int, owner: Owner) -> None:
        self.path = path
        #: Bytes on disk.
        self.size = size
        #: Where the last complete record ends; set after it is stored, so that a reader sees whole ones only.
        self.end = end
        #: Up to where it was taken.
        self.read = HEADER
        #: Actions in it, counted by who writes, and those with a final verdict, counted by who reads.
        self.written = 0
        self.settled = 0
        #: Whose folder it is in.
        self.owner = owner
        #: What was taken and has no final verdict: the bucket by offset, in the order taken.
        self.taken: dict[int, int] = {}
        #: Nothing will be written to it any more.
        self.is_sealed = False
        #: Where it is written, while it is.
        self.map: mmap.mmap | None = None
        #: Up to where it may be written without a closer look.
        self.room = 0
        self._fd = -1

    @classmethod
    def create(cls, owner: Owner, number: int, size: int) -> "Segment":
        """A new one of at least so many bytes. Raises OSError where the disk has no room."""
        size = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
        path = os.path.join(owner.folder, f"{number:06d}.seg")
        segment = cls(path, size, HEADER, owner)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            _allocate(fd, size)
            os.pwrite(fd, _HEADER.pack(MAGIC, VERSION, HEADER), 0)
            segment.map, segment.room = mmap.mmap(fd, size), min(_PAGES, size)  # No more now than it takes.
        except BaseException:
            os.unlink(path)
            raise
        finally:
            os.close(fd)
        return segment

    @classmethod
    def found(cls, owner: Owner, path: str) -> tuple["Segment", list[Record]]:
        """One that a dead process left, and what is undelivered in it, without the payloads.

        Raises Foreign, which is also what an empty file is that its process did not come to fill.
        """
        data, at = _read(path)
        left = [each._replace(payload=each.payload and b"") for each in records(data, at)]
        segment = cls(path, len(data), left[-1].end if left else at, owner)
        segment.read = at
        segment.written = sum(each.payload is not None for each in left)
        segment.is_sealed = True
        return segment, left

    @staticmethod
    def payloads(path: str) -> list[bytes]:
        """The undelivered actions in a file, whoever it belongs to. Raises Foreign and OSError."""
        return [each.payload for each in records(*_read(path)) if each.payload is not None]

    def append(self, bucket: int, payload: bytes) -> bool:
        """One more action; False where there is no room for it, or it is sealed. Recorder.record() does this itself."""
        end = self.end + FRAME + len(payload)
        if end > self.room and not self._has_room(end):
            return False
        record = frame(MARK, len(payload), adler32(payload, bucket + 1), bucket) + payload
        self.map[self.end : end] = record  # type: ignore[index]  # Where there is room.
        self.written += 1
        self.end = end
        return True

    def _has_room(self, end: int) -> bool:
        """Whether it can be written up to there. Pages are had from the kernel several at once: a fault for each would
        be what takes one action in ten most of its time.
        """
        if self.map is None or end > self.size:
            return False
        begin, self.room = self.room, min(-(-end // _PAGES) * _PAGES, self.size)
        if _POPULATE:
            with suppress(OSError):  # An older kernel, or a file system that cannot: page by page, then.
                self.map.madvise(_POPULATE, begin, self.room - begin)
        return True

    def seal(self) -> None:
        """Nothing more is written; the room that is left goes back to the disk."""
        written, self.map, self.room = self.map, None, 0
        if written is not None:
            written.close()
            self.is_sealed = True
            try:
                os.truncate(self.path, self.end)
                self.size = self.end
            except OSError:
                pass  # It stays longer than it need be.

    def take(self, count: int, size: int, *, at_least: int = 1) -> tuple[list[Record], int]:
        """The next records, at most so many and so many bytes of actions, and how many were damaged.

        `at_least` 1 takes the first however large it is. Raises OSError when the file cannot be read.
        """
        wanted = min(self.end - self.read, max(size, 0) + count * FRAME)
        if wanted <= 0:
            return [], 0
        found = self._cut(wanted, count, size, at_least)
        if not found and at_least:  # The first alone is larger than what was asked for, or the file was cut off.
            found = self._cut(self.end - self.read, 1, size, at_least)
            if not found:
                self.read = self.end
                return [], 1
        self.read = found[-1].end if found else self.read
        batch = [record for record in found if record.payload is not None]
        self.taken.update([(record.start, record.bucket) for record in batch])
        return batch, len(found) - len(batch)

    def _cut(self, wanted: int, count: int, size: int, at_least: int) -> list[Record]:
        """Records of the next `wanted` bytes, without one that is cut off by the end of these."""
        data = os.pread(self._opened(), wanted, self.read)
        is_whole = self.read + wanted >= self.end
        chosen: list[Record] = []
        for found in records(data, 0, self.read):
            if found.payload is None:
                if found.end == self.read + len(data) and not is_whole:
                    break
            else:
                size -= len(found.payload) + 1  # and a comma
                if not count or (size < 0 and len(chosen) >= at_least):
                    break
                count -= 1
            chosen.append(found)
        return chosen

    def settle(self, start: int) -> int | None:
        """The action at this offset has its final verdict. Its bucket; None if it had one before."""
        bucket = self.taken.pop(start, None)
        self.settled += bucket is not None
        return bucket

    def acknowledge(self) -> None:
        """Remembers on disk up to where all have their verdict."""
        os.pwrite(self._opened(), _ACKNOWLEDGED.pack(next(iter(self.taken), self.read)), 16)

    def forget(self) -> int:
        """What was not taken is lost. How many actions."""
        self.read = self.end
        lost = self.written - self.settled - len(self.taken)
        self.settled += lost
        return lost

    @property
    def age(self) -> float:
        """The time when it was last written to, or delivered from. Raises OSError."""
        return os.stat(self.path).st_mtime

    @property
    def is_fresh(self) -> bool:
        """Whether this process has not begun to deliver from it."""
        return self._fd < 0

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to be delivered or written."""
        return self.is_sealed and self.read >= self.end and not self.taken

    def remove(self) -> None:
        """From the disk."""
        self.close()
        with suppress(OSError):  # Somebody tidied up.
            os.unlink(self.path)

    def close(self) -> None:
        """Gives back memory and file; what is in it stays. Also for a child that inherited it."""
        if self.map is not None:
            self.map.close()
            self.map, self.room = None, 0
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _opened(self) -> int:
        if self._fd < 0:
            self._fd = os.open(self.path, os.O_RDWR)
        return self._fd


def _read(path: str) -> tuple[bytes, int]:
    """The content, and from where it is undelivered."""
    data = Path(path).read_bytes()
    if len(data) < HEADER:
        raise Foreign(path)
    magic, version, acknowledged = _HEADER.unpack_from(data)
    if magic != MAGIC or version != VERSION:
        raise Foreign(path)
    return data, acknowledged if HEADER <= acknowledged <= len(data) else HEADER


def _allocate(fd: int, size: int) -> None:
    """Blocks for the whole file. Raises OSError when there are not so many."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, size)
    else:  # macOS
        os.pwrite(fd, bytes(size), 0)
