"""Who holds a database directory, and how the next one gets it."""

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from steadylight_server.core.mongod import DirectoryInUse, EmbeddedError
from steadylight_server.core.premises import Premises, holder, inner


def ended() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@contextmanager
def locked_by_a_leftover(directory: Path, pid: int, seconds: float) -> Iterator[None]:
    """The directory's lock, held for `seconds` by a process of another name than `pid`, which is what it says."""
    Premises(directory, patience=0).leave()
    lock = inner(directory) / "lock"
    lock.write_text(f"{pid}\n{inner(directory)}\n")
    with open(lock) as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        leftover = subprocess.Popen(["sleep", str(seconds)], pass_fds=[held.fileno()])
    try:
        yield
    finally:
        leftover.kill()
        leftover.wait()


def test_the_mongod_of_a_dead_holder_is_waited_for(tmp_path: Path) -> None:
    with locked_by_a_leftover(tmp_path, ended(), seconds=0.3):
        nobody = holder(tmp_path)
        premises = Premises(tmp_path, patience=5)
        there = holder(tmp_path)
        premises.leave()

    assert nobody is None
    assert there == (os.getpid(), tmp_path / "database")
    assert holder(tmp_path) is None


def test_a_dead_holder_that_its_parent_has_not_noticed_counts_as_dead(tmp_path: Path) -> None:
    unnoticed = subprocess.Popen(["true"])
    os.waitid(os.P_PID, unnoticed.pid, os.WEXITED | os.WNOWAIT)

    with locked_by_a_leftover(tmp_path, unnoticed.pid, seconds=1):
        Premises(tmp_path, patience=5).leave()

    unnoticed.wait()


def test_a_mongod_that_outstays_the_patience_is_reported(tmp_path: Path) -> None:
    with locked_by_a_leftover(tmp_path, ended(), seconds=30):
        with pytest.raises(EmbeddedError, match=r"its mongod still holds it after 0\.6 s\. Wait"):
            Premises(tmp_path, patience=0.6)


def test_a_live_holder_is_not_waited_for_whoever_it_runs_as(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, signal: int) -> None:
        raise PermissionError

    with locked_by_a_leftover(tmp_path, 1, seconds=30):
        with monkeypatch.context() as patch:
            patch.setattr(os, "kill", refuse)
            with pytest.raises(DirectoryInUse, match="in use by process 1"):
                Premises(tmp_path, patience=30)


def test_a_directory_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)

    with pytest.raises(EmbeddedError, match="belongs to another user"):
        Premises(tmp_path, patience=0)


def test_a_directory_that_nobody_ever_used_has_no_holder(tmp_path: Path) -> None:
    assert holder(tmp_path / "nothing") is None


def test_a_long_path_is_reached_through_the_runtime_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = tmp_path / "r"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))

    premises = Premises(tmp_path / ("d" * 120), patience=0)
    reach = premises.reach
    target = reach.resolve()
    premises.leave()

    assert reach.parent.parent == runtime
    assert target == premises.path
    assert list(runtime.iterdir()) == []


@pytest.mark.parametrize("damage", ["moved", "gone"])
def test_a_link_that_leads_elsewhere_is_not_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    runtime = tmp_path / "r"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    left = runtime / "old"
    long = tmp_path / ("d" * 120)
    Premises(long, patience=0).leave()
    (inner(long) / "lock").write_text(f"{ended()}\n{left}/database\n")
    if damage == "moved":
        left.mkdir(mode=0o700)
        (left / "database").symlink_to("/etc")

    premises = Premises(long, patience=0)
    reach = premises.reach
    premises.leave()

    assert reach.parent != left
