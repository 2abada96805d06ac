"""The private directory of an embedded database: who holds it, and by which path its socket is reached.

    <directory>/database/      0700; all below is 0600 or 0700
        lock                   flocked by the server and by its mongod; two lines: pid, and the path of `ready.sock`
        data/                  mongod's files
        mongod.log, .log.1     what mongod says, and what the one before it said
        mongod.sock            what mongod listens on
        ready.sock             a link to it, there only while mongod takes writes: what clients are told

The directory above may be anybody's (`--data .`), so its permissions are left alone when it exists.
"""

import contextlib
import fcntl
import os
import stat
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from steadylight_server.core.mongod import DirectoryInUse, EmbeddedError

GRACE = 0.5  # seconds in which a holder that looks alive may turn out to be dying; a killed process takes some ms
LONGEST_SOCKET_PATH = 107  # bytes: sockaddr_un has 108, one is the closing zero
LOCK, SOCKET, READY, LOG = "lock", "mongod.sock", "ready.sock", "mongod.log"


class Holder(NamedTuple):
    """What a holder wrote into the lock file."""

    pid: int
    reach: Path


def inner(directory: Path) -> Path:
    """The directory that is ours alone, as an absolute path."""
    return Path(os.path.abspath(directory), "database")


def holder(directory: Path) -> Holder | None:
    """The live process that holds the directory; None if nobody does, or not for longer than mongod's last moments."""
    try:
        lock = os.open(inner(directory) / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        written = _read(lock)
        return written if written is not None and _lives(written.pid) else None
    else:
        return None
    finally:
        os.close(lock)


class Premises:
    """A directory that this process holds until `leave`; `reach` is a short path to it, `held` the lock's file."""

    def __init__(self, directory: Path, *, patience: float) -> None:
        """Makes the directory where it is missing, and takes it.

        Waits up to `patience` seconds, at least half of one, for the mongod of a holder that has died. Raises
        DirectoryInUse, or EmbeddedError where the directory belongs to another user or that mongod does not go.
        """
        self.path = inner(directory)
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_private(self.path)
        _make_private(self.path / "data")
        self.held = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        _descriptors.add(self.held)
        try:
            self._take(directory, patience)
            previous = _read(self.held)
            self.reach = _short(self.path, previous and previous.reach)
            self._write(f"{os.getpid()}\n{self.reach}\n")
        except BaseException:
            self._release()
            raise

    def leave(self) -> None:
        """Gives the directory back: the next holder need not wait."""
        self._write("")
        if self.reach != self.path:
            self.reach.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                self.reach.parent.rmdir()
        self._release()

    def _take(self, directory: Path, patience: float) -> None:
        began = time.monotonic()
        while True:
            try:
                fcntl.flock(self.held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                written = _read(self.held)
            waited = time.monotonic() - began
            if waited > GRACE and written is not None and _lives(written.pid):
                raise DirectoryInUse(directory, written.pid)
            if waited > patience:
                raise EmbeddedError(
                    f"The server that ran a database in {directory} has gone, but its mongod still holds it after "
                    f"{patience:g} s. Wait until it has ended, or end it: its pid is in {self.path}/data/mongod.lock."
                )
            time.sleep(0.02)  # a killed mongod is gone in some 50 ms

    def _write(self, text: str) -> None:
        # Written before it is cut, never empty in between: that would say that nobody has given a name.
        content = os.fsencode(text)
        os.pwrite(self.held, content, 0)
        os.ftruncate(self.held, len(content))

    def _release(self) -> None:
        _descriptors.discard(self.held)
        os.close(self.held)


def _make_private(path: Path) -> None:
    path.mkdir(mode=0o700, exist_ok=True)
    if path.stat().st_uid != os.geteuid():
        raise EmbeddedError(f"{path} belongs to another user. Choose another directory with --data.")
    path.chmod(0o700)


def _short(path: Path, previous: Path | None) -> Path:
    """A path to the same directory that leaves room for a socket's name: itself, or a link in a private directory.

    A link that a killed holder left behind is taken again, if it is still ours, so that none pile up.
    """
    if len(os.fsencode(path / SOCKET)) <= LONGEST_SOCKET_PATH:
        return path
    if previous is not None and _is_private(previous.parent) and _leads_to(previous, path):
        return previous
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    parent = runtime if runtime and _is_private(Path(runtime)) else None
    link = Path(tempfile.mkdtemp(prefix="steadylight-", dir=parent), "database")
    link.symlink_to(path)
    return link


def _leads_to(link: Path, path: Path) -> bool:
    return link.is_symlink() and os.readlink(link) == str(path)


def _is_private(folder: Path) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) == 0o700


def _read(lock: int) -> Holder | None:
    pid, _, reach = os.fsdecode(os.pread(lock, 8192, 0)).partition("\n")
    return Holder(int(pid), Path(reach.removesuffix("\n"))) if pid.isdecimal() and reach else None


def _lives(pid: int) -> bool:
    with contextlib.suppress(OSError):  # no such process, or no /proc
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
        if state in "ZX":
            return False  # dead, and only its parent has not taken notice yet
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it lives, as another user
    return True


# A lock belongs to every copy of its descriptor. A worker that is forked, not spawned, must drop its copy, or it would
# hold the directory in the name of a server that has gone.
_descriptors: set[int] = set()


def _drop_copies() -> None:
    while _descriptors:
        os.close(_descriptors.pop())


os.register_at_fork(after_in_child=_drop_copies)
