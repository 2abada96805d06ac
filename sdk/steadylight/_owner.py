"""Whose segments are whose: each process writes to a folder of its own, and holds its lock as long as it lives.

    <spool>/<address>/<key>/          0700; the address is hashed, the key shows its public part
        channel                       the channel that the key belongs to, once the server told; see `adoptable`
        refused.jsonl                 what the server refused for good, and why
        dropped.jsonl                 how many were ever dropped, and why
        <time>-<process>-<random>/    one owner
            lock                      held with flock; the kernel lets go of it when the owner dies, however it dies
            000001.seg …              see `_segment`

Whoever gets the lock of another owner's folder knows that this one is dead, and delivers what it left. A new folder is
made under a name that starts with a dot, locked, and then renamed, so that no neighbour takes a newborn for a dead one.
"""

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256

from ._options import SPOOL_VARIABLE, Endpoint, Options

# Seconds. Longer than any process takes to rename its newborn folder.
_NEWBORN = 3600.0
_NONE = ("none", "off")


def home(endpoint: Endpoint, options: Options) -> str | None:
    """The folder of this address and key, made if need be; None for no spool. Raises OSError where it cannot be."""
    chosen = options.spool
    if chosen == "auto":
        chosen = os.environ.get(SPOOL_VARIABLE, "").strip()
    if chosen is None or chosen in _NONE:
        return None
    if chosen:
        return _private(os.path.expanduser(os.fspath(chosen)), endpoint)
    try:
        return _private(_state(), endpoint)
    except OSError:  # A container whose user has no home, or may not write there.
        import tempfile  # seldom, and it takes as long as three of ours

        return _private(os.path.join(tempfile.gettempdir(), f"steadylight-{os.getuid()}"), endpoint)


def _state() -> str:
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(state, "steadylight")


def _private(root: str, endpoint: Endpoint) -> str:
    address = sha256(endpoint.url.encode()).hexdigest()[:16]
    parts = endpoint.key.split("_")
    # A key reads sl_<id>_<secret>. Of anything else nothing is shown.
    is_key = len(parts) >= 3 and parts[0] == "sl" and parts[1].isalnum()
    public = parts[1] if is_key else sha256(endpoint.key.encode()).hexdigest()[:16]
    folder = os.path.join(os.path.abspath(root), address, public)
    os.makedirs(root, 0o700, exist_ok=True)
    for each in (os.path.dirname(folder), folder):
        with suppress(FileExistsError):
            os.mkdir(each, 0o700)
        found = os.lstat(each)
        # In a folder that all may write to, somebody else may have been there first.
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise PermissionError(f"{each} is not a folder of this user.")
        if not os.access(each, os.W_OK | os.X_OK):
            raise PermissionError(f"{each} cannot be written to.")
    return folder


class Owner:
    """A folder of segments whose lock is held by this process."""

    def __init__(self, folder: str, lock: int) -> None:
        self.folder = folder
        self._lock = lock

    @classmethod
    def newborn(cls, home: str) -> "Owner":
        """A new folder for this process. Raises OSError."""
        name = f"{time.time_ns() // 1_000_000:013d}-{os.getpid()}-{os.urandom(4).hex()}"
        cradle, folder = os.path.join(home, f".{name}"), os.path.join(home, name)
        os.mkdir(cradle, 0o700)
        lock = os.open(os.path.join(cradle, "lock"), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.rename(cradle, folder)
        except BaseException:
            os.close(lock)
            raise
        return cls(folder, lock)

    @classmethod
    def orphan(cls, folder: str) -> "Owner | None":
        """The folder of a dead owner, which is now ours; None while its owner lives, or another has adopted it."""
        path = os.path.join(folder, "lock")
        try:
            lock = os.open(path, os.O_RDWR)
        except OSError:
            return None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Who held it before may have emptied and removed it meanwhile.
            if os.fstat(lock).st_ino == os.stat(path).st_ino:
                return cls(folder, lock)
        except OSError:
            pass
        os.close(lock)
        return None

    def paths(self) -> list[str]:
        """Its segments, oldest first."""
        return sorted(os.path.join(self.folder, name) for name in os.listdir(self.folder) if name.endswith(".seg"))

    def release(self) -> None:
        """Leaves it to the next that starts. In a forked child: leaves it to the parent, which still holds the lock."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def remove(self) -> None:
        """It is empty. What this version does not know stays, and the folder with it."""
        try:
            if os.listdir(self.folder) == ["lock"]:
                os.unlink(os.path.join(self.folder, "lock"))
                os.rmdir(self.folder)
        except OSError:
            pass  # Somebody tidied up.
        self.release()


def owners(home: str) -> Iterator[str]:
    """The folders of all owners, dead or alive, oldest first. Clears away what died while it was being born."""
    for name in sorted(os.listdir(home)):
        folder = os.path.join(home, name)
        if name.startswith("."):
            _clear(folder)
        elif os.path.isdir(folder):
            yield folder


def _clear(cradle: str) -> None:
    try:
        if time.time() - os.stat(cradle).st_mtime > _NEWBORN and (owner := Owner.orphan(cradle)) is not None:
            owner.remove()
    except OSError:
        pass


def channel(home: str) -> str | None:
    """The channel that this folder's key belongs to, if it was ever learnt."""
    try:
        with open(os.path.join(home, "channel"), encoding="utf-8") as file:
            return file.read().strip() or None
    except OSError:
        return None


def learn(home: str, channel: str) -> None:
    """Remembers it."""
    fd = os.open(os.path.join(home, "channel"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(fd, channel.encode())
    finally:
        os.close(fd)


def siblings(home: str) -> list[str]:
    """Folders of other keys for the same address in which something was left."""
    address = os.path.dirname(home)
    others = (os.path.join(address, name) for name in sorted(os.listdir(address)))
    return [other for other in others if other != home and os.path.isdir(other) and any(owners(other))]
