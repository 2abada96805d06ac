"""The queue on disk: what it promises whatever becomes of process and disk. Hypothesis does the damage."""

import errno
import json
import os
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from zlib import adler32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steadylight import _segment
from steadylight._actions import Entry
from steadylight._owner import Owner
from steadylight._segment import HEADER, MARK, Segment, records
from steadylight._spool import Spool

PAGE = 4096


def payload(number: int, size: int = 0) -> bytes:
    return json.dumps({"id": f"id-{number}", "text": "ü" * size}, separators=(",", ":"), ensure_ascii=False).encode()


def put(spool: Spool, *numbers: int, contact: str | None = None, size: int = 0) -> list[bool]:
    return [spool.put(f"id-{number}", contact, payload(number, size)) for number in numbers]


def ids(entries: list[Entry]) -> list[str]:
    return [entry.id for entry in entries]


def drained(spool: Spool, count: int = 500) -> list[str]:
    """All that it delivers, each settled."""
    told: list[str] = []
    while batch := spool.take(count, 450_000):
        told += ids(batch)
        spool.discard(batch)
    return told


def crashed(spool: Spool) -> None:
    """The process is gone: the kernel lets go of its locks, and nothing is tidied up."""
    spool.abandon()


def files(home: Path, pattern: str = "*.seg") -> list[Path]:
    return sorted(home.rglob(pattern))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def test_the_oldest_come_first_by_count_and_bytes(home: Path) -> None:
    spool = Spool(str(home))
    put(spool, *range(5))
    size = len(payload(0)) + 1

    assert ids(spool.take(2, 10_000)) == ["id-0", "id-1"]
    assert ids(spool.take(9, 2 * size)) == ["id-2", "id-3"]
    assert ids(spool.take(9, 1)) == ["id-4"]
    assert spool.take(9, 10_000) == []
    assert (spool.undelivered(), spool.waiting(), spool.recorded()) == (5, 0, 5)


def test_what_is_given_back_comes_first_and_what_is_late_in_turns(home: Path) -> None:
    spool = Spool(str(home))
    put(spool, *range(6))
    first, second = spool.take(1, 10_000), spool.take(2, 10_000)
    spool.give_back(second)
    spool.give_back(first, last=True)

    assert [ids(spool.take(2, 10_000)) for _ in range(4)] == [["id-1", "id-2"], ["id-3", "id-4"], ["id-5"], ["id-0"]]


def test_what_the_server_always_wants_again_does_not_hold_up_the_rest(home: Path) -> None:
    spool = Spool(str(home))
    put(spool, *range(100))
    told = []
    for _ in range(40):
        batch = spool.take(10, 10_000)
        stubborn = [entry for entry in batch if int(entry.id[3:]) < 20]
        spool.give_back(stubborn, last=True)
        spool.discard([entry for entry in batch if entry not in stubborn])
        told += [entry for entry in batch if entry not in stubborn]

    assert ids(told) == [f"id-{number}" for number in range(20, 100)]
    assert spool.undelivered() == 20


def test_a_batch_may_come_from_several_segments_and_files_go_when_all_is_delivered(home: Path) -> None:
    spool = Spool(str(home), segment=PAGE)
    put(spool, *range(300))
    assert len(files(home)) == 3

    assert drained(spool) == [f"id-{number}" for number in range(300)]

    assert len(files(home)) == 1  # The one that is being written.
    spool.close()
    assert list(home.iterdir()) == []


def test_an_action_that_is_larger_than_a_segment_has_one_of_its_own(home: Path) -> None:
    spool = Spool(str(home), segment=PAGE)
    put(spool, 0, 1)
    put(spool, 2, size=20_000)
    put(spool, 3)

    assert ids(spool.take(9, 1_000)) == ["id-0", "id-1"]
    assert drained(spool) == ["id-2", "id-3"]


def test_folders_and_files_are_their_users_alone(home: Path) -> None:
    spool = Spool(str(home))
    put(spool, 1)

    owner = files(home)[0].parent
    assert owner.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in owner.iterdir()} == {0o600}


def test_the_next_process_delivers_what_a_dead_one_left_in_order(home: Path) -> None:
    dead = Spool(str(home), segment=PAGE)
    put(dead, *range(200), contact="k")
    dead.discard(dead.take(70, 100_000))
    dead.take(20, 100_000)  # Under way when it died.
    crashed(dead)

    heir = Spool(str(home))
    put(heir, 1_000)
    assert heir.adopt() == 130
    assert (heir.undelivered(), heir.undelivered("k"), heir.undelivered("other")) == (131, 130, 0)

    assert drained(heir) == [*(f"id-{number}" for number in range(70, 200)), "id-1000"]
    assert heir.undelivered("k") == 0
    heir.close()
    assert list(home.iterdir()) == []


def test_what_lives_is_not_adopted(home: Path) -> None:
    alive, other = Spool(str(home)), Spool(str(home))
    put(alive, 1)

    assert other.adopt() == 0
    assert other.has_others()
    assert not alive.has_others()


def test_what_waits_at_the_close_is_the_next_ones(home: Path) -> None:
    spool = Spool(str(home))
    put(spool, 1, 2)
    spool.discard(spool.take(1, 1))
    spool.close()
    assert spool.put("id-3", None, payload(3)) is False
    assert files(home)[0].stat().st_size < 1_000  # The room it did not need went back.

    heir = Spool(str(home))
    assert heir.adopt() == 1
    assert drained(heir) == ["id-2"]


def test_of_many_that_adopt_at_once_one_gets_each_action(home: Path) -> None:
    for dead in range(20):
        spool = Spool(str(home))
        put(spool, *range(dead * 10, dead * 10 + 10))
        crashed(spool)
    heirs = [Spool(str(home)) for _ in range(8)]
    begin = threading.Barrier(8)

    def adopt(spool: Spool) -> None:
        begin.wait()
        spool.adopt()

    threads = [threading.Thread(target=adopt, args=(heir,)) for heir in heirs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    told = [id for heir in heirs for id in drained(heir)]
    assert sorted(told) == sorted(f"id-{number}" for number in range(200))


def test_what_was_adopted_is_adopted_again_when_the_heir_dies(home: Path) -> None:
    dead = Spool(str(home))
    put(dead, 1, 2)
    crashed(dead)
    heir = Spool(str(home))
    heir.adopt()
    heir.discard(heir.take(1, 1))
    crashed(heir)

    last = Spool(str(home))
    assert last.adopt() == 1
    assert drained(last) == ["id-2"]


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(0, 300), min_size=1, max_size=12), data=st.data())
def test_a_torn_write_costs_at_most_the_action_that_was_being_written(sizes: list[int], data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        home = Path(folder)
        spool = Spool(folder)
        for number, size in enumerate(sizes):
            put(spool, number, size=size)
        end = spool._segments[0].end
        crashed(spool)
        [file] = files(home)
        content = bytearray(file.read_bytes())
        last = content.rindex(MARK, 0, end)
        cut = data.draw(st.integers(last, end))
        content[cut:] = bytes(len(content) - cut)
        if data.draw(st.booleans()):
            del content[cut:]
        file.write_bytes(content)

        heir = Spool(folder)
        # A tear may be so late that only zeros are missing.
        kept = len(sizes) - (bytes(content[last:end]) != bytes(_frame(len(sizes) - 1, sizes[-1])))
        assert heir.adopt() == kept
        assert drained(heir) == [f"id-{number}" for number in range(kept)]
        assert heir.undelivered() == 0
        heir.close()
        assert list(home.iterdir()) == []


def _frame(number: int, size: int) -> bytes:
    """A record, as the module says that it is written."""
    told = payload(number, size)
    return struct.pack("<4sIIH", _segment.MARK, len(told), adler32(told, 1), 0) + told


def test_torn_at_every_byte_of_a_record(home: Path) -> None:
    frame = _frame(1, 10)
    for cut in range(len(frame)):
        data = _frame(0, 3) + frame[:cut] + bytes(len(frame) - cut)
        intact = [found.payload for found in records(data) if found.payload is not None]
        assert intact == [payload(0, 3)], cut
    assert [found.payload for found in records(_frame(0, 3) + frame)] == [payload(0, 3), payload(1, 10)]


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_whatever_is_damaged_every_intact_action_is_delivered_once(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        spool = Spool(folder)
        starts = []
        for number in range(10):
            put(spool, number, size=number * 3)
            starts.append(spool._segments[0].end)
        crashed(spool)
        [file] = files(Path(folder))
        content = bytearray(file.read_bytes())
        bounds = list(zip([HEADER, *starts[:-1]], starts, strict=True))
        damaged = data.draw(st.sets(st.integers(0, 9), min_size=1))
        for number in damaged:
            at = data.draw(st.integers(bounds[number][0], bounds[number][1] - 1))
            content[at] ^= data.draw(st.integers(1, 255))
        file.write_bytes(content)

        heir = Spool(folder)
        heir.adopt()
        assert drained(heir, count=3) == [f"id-{number}" for number in range(10) if number not in damaged]
        assert heir.counts["damaged"] >= 1
        assert heir.undelivered() == 0
        heir.close()
        assert os.listdir(folder) == []


@settings(max_examples=40, deadline=None)
@given(noise=st.binary(max_size=200))
def test_noise_for_a_segment_harms_nobody(noise: bytes) -> None:
    with TemporaryDirectory() as folder:
        dead = Spool(folder)
        put(dead, 1)
        crashed(dead)
        (files(Path(folder))[0].parent / "000000.seg").write_bytes(noise)

        heir = Spool(folder)
        heir.adopt()
        assert drained(heir) == ["id-1"]


def test_a_file_of_another_version_is_left_alone(home: Path) -> None:
    dead = Spool(str(home), segment=PAGE)
    put(dead, *range(200))
    crashed(dead)
    foreign = files(home)[1]
    content = bytearray(foreign.read_bytes())
    content[8] = 99
    foreign.write_bytes(content)

    heir = Spool(str(home))
    heir.adopt()
    told = drained(heir)
    heir.close()

    assert 100 < len(told) < 200
    assert heir.counts["foreign"] == 1
    assert files(home) == [foreign]
    assert foreign.read_bytes() == content


def fail(code: int) -> Callable[..., int]:
    def failing(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    return failing


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EMFILE])
def test_without_a_disk_memory_keeps_until_the_disk_is_back(
    home: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    now = [1_000.0]
    spool = Spool(str(home), segment=PAGE, clock=lambda: now[0])
    with monkeypatch.context() as broken:
        broken.setattr(_segment, "_allocate", fail(code))
        assert put(spool, 1, 2, contact="k") == [True, True]
        assert spool.trouble is not None
        assert spool.trouble.errno == code
    assert put(spool, 3, contact="k") == [True]  # Not tried again at once.
    assert (spool.counts["unspooled"], spool.unsafe(), spool.undelivered("k"), spool.recorded()) == (3, 3, 3, 3)
    assert files(home) == []

    now[0] += 11
    assert put(spool, 4) == [True]

    assert spool.trouble is None
    assert (spool.unsafe(), spool.undelivered()) == (3, 4)
    assert sorted(drained(spool)) == ["id-1", "id-2", "id-3", "id-4"]
    assert spool.undelivered("k") == 0


def test_a_folder_that_somebody_deletes_is_no_harm_to_who_records(home: Path) -> None:
    spool = Spool(str(home), segment=PAGE)
    put(spool, *range(100))
    for file in files(home):
        file.unlink()

    put(spool, 200)
    assert drained(spool) == []

    assert spool.undelivered() == 0
    assert spool.counts["damaged"] == 101


def test_a_file_that_somebody_cuts_off_is_passed_over(home: Path) -> None:
    spool = Spool(str(home), segment=PAGE)
    put(spool, *range(200))
    os.truncate(files(home)[0], HEADER)

    told = drained(spool)
    spool.close()

    assert told[-1] == "id-199"
    assert spool.undelivered() == 0
    assert list(home.iterdir()) == []


def test_beyond_the_bound_the_newest_is_turned_away_until_something_is_delivered(home: Path) -> None:
    spool = Spool(str(home), segment=PAGE, limit=3 * PAGE)
    kept = put(spool, *range(1_000))
    assert kept == sorted(kept, reverse=True)
    assert 100 < sum(kept) < 1_000
    assert spool.size <= 3 * PAGE

    assert len(drained(spool)) == sum(kept)

    assert put(spool, 2_000) == [True]
    assert drained(spool) == ["id-2000"]


def test_what_nobody_took_for_too_long_is_dropped_and_counted(home: Path) -> None:
    now = [os.stat(home).st_mtime]
    spool = Spool(str(home), segment=PAGE, age=3_600, clock=lambda: now[0])
    put(spool, *range(200), contact="k")
    newest = len(files(home)[-1].read_bytes().split(MARK)) - 1

    now[0] += 4_000

    assert len(drained(spool)) == newest  # What is still written to is not old.
    assert spool.counts["expired"] == 200 - newest
    assert (spool.undelivered(), spool.undelivered("k")) == (0, 0)


def test_threads_that_come_one_after_the_other_share_a_file(home: Path) -> None:
    spool = Spool(str(home))
    for number in range(20):
        thread = threading.Thread(target=put, args=(spool, number))
        thread.start()
        thread.join()

    assert len(files(home)) == 1
    assert drained(spool) == [f"id-{number}" for number in range(20)]
    spool.close()


def test_what_is_closed_in_the_middle_of_a_record_is_not_waited_for_for_ever(home: Path) -> None:
    spool = Spool(str(home))
    put(spool, 0, 1)
    spool.free.pop()  # as who is in the middle of it does

    began = time.monotonic()
    spool.close()

    assert 0.1 <= time.monotonic() - began < 5
    heir = Spool(str(home))
    assert heir.adopt() == 2
    heir.close()


def test_threads_lose_nothing_and_keep_their_order(home: Path) -> None:
    spool = Spool(str(home), segment=16 * PAGE)
    told: list[str] = []

    def record(thread: int) -> None:
        for number in range(2_000):
            id = f"{thread}-{number}"
            assert spool.put(id, "k", b'{"id":"%s"}' % id.encode())

    threads = [threading.Thread(target=record, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) or spool.waiting():
        batch = spool.take(100, 10_000)
        told += ids(batch)
        spool.discard(batch)
    for thread in threads:
        thread.join()

    assert len(told) == len(set(told)) == 16_000
    assert (spool.undelivered(), spool.undelivered("k")) == (0, 0)


def test_a_cursor_that_points_nowhere_sends_again_from_the_beginning(home: Path) -> None:
    dead = Spool(str(home))
    put(dead, 1, 2)
    dead.discard(dead.take(1, 1))
    crashed(dead)
    [file] = files(home)
    content = bytearray(file.read_bytes())
    content[16:24] = b"\xff" * 8
    file.write_bytes(content)

    heir = Spool(str(home))
    assert heir.adopt() == 2


def test_one_that_died_while_it_was_born_is_cleared_away_later(home: Path) -> None:
    owner = Owner.newborn(str(home))
    cradle = home / ("." + os.path.basename(owner.folder))
    os.rename(owner.folder, cradle)
    owner.release()
    spool = Spool(str(home))

    spool.adopt()
    assert cradle.exists()

    os.utime(cradle, (0, 0))
    spool.adopt()
    assert not cradle.exists()


def test_an_empty_segment_is_nobodys(home: Path) -> None:
    owner = Owner.newborn(str(home))
    Segment.create(owner, 1, PAGE).close()
    owner.release()

    spool = Spool(str(home))
    assert spool.adopt() == 0
    assert list(home.iterdir()) == []
