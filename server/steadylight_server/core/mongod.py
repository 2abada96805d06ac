"""The database program: where it is found, how it is told to run, and what it said when it failed.

    EmbeddedError        the embedded database cannot do what was asked; the message says what to do
    ├── MongodNotFound   there is no mongod that could be run
    ├── DirectoryInUse   another process runs a database in this directory
    └── MongodFailed     mongod ended, or did not get ready; with the last lines of its log

They go to the operator at start, never to a caller of the API.
"""

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from steadylight_server.core import leash

REPLICA_SET = "steadylight"
GIGABYTE = 1 << 30


class EmbeddedError(Exception):
    """The embedded database cannot do what was asked; the message says what to do."""


class MongodNotFound(EmbeddedError):
    """There is no mongod that could be run; the message names the three ways to get one."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"{reason} Steadylight needs a MongoDB, in one of three ways: set STEADYLIGHT_MONGODB_URI to a replica set "
            "that runs already; put a mongod on the PATH or its path into STEADYLIGHT_MONGOD; "
            "or, on Linux, pip install 'steadylight[embedded]'."
        )


class DirectoryInUse(EmbeddedError):
    """Another process runs a database in this directory; `pid` is that process, None if it did not say."""

    def __init__(self, directory: Path, pid: int | None) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(f"{directory} is in use by {holder}. Stop it, or choose another directory with --data.")
        self.pid = pid


class MongodFailed(EmbeddedError):
    """mongod ended, or did not get ready in time; the message has the last lines of its log."""


def find(given: Path | None) -> Path:
    """The mongod to run: the one `given`, else the PATH's, else the one in the wheel. Raises MongodNotFound."""
    if given is not None:
        if not _is_executable(given):
            raise MongodNotFound(f"{given} is not a program that can be run.")
        return given.resolve()
    for candidate in _candidates():
        if _is_executable(candidate):
            return candidate.resolve()
    raise MongodNotFound("No mongod was found.")


def _candidates() -> Iterator[Path]:
    on_path = shutil.which("mongod")
    if on_path is not None:
        yield Path(on_path)
    # The top-level package is located, not imported: beside the wheel there may be the whole of FiftyOne, whose import
    # takes seconds and starts a database of its own.
    spec = importlib.util.find_spec("fiftyone")
    for folder in (spec and spec.submodule_search_locations) or ():
        yield Path(folder, "db", "bin", "mongod")


def _is_executable(program: Path) -> bool:
    """Whether it can be run; gives it back the executable bit that some installers drop."""
    if not program.is_file():
        return False
    if not os.access(program, os.X_OK):
        try:
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
        except OSError:
            return False
    return True


def spawn(
    program: Path, directory: Path, socket: str, log: str, *, parameters: Mapping[str, str], held: int
) -> subprocess.Popen[bytes]:
    """Starts mongod in `directory`; the socket and the log are names in it. It dies with the calling thread.

    `held` is a locked file descriptor that it inherits, so that the lock is free only when mongod has gone too.
    """
    options = {
        "--dbpath": "data",
        # A path relative to its own directory: it never counts against the 107 bytes of a socket's address, and the
        # replica set, which remembers it as its member's name, survives a move of the directory.
        "--bind_ip": f"./{socket}",
        "--filePermissions": "0600",
        "--replSet": REPLICA_SET,
        # No compressor is worth its time on a socket of the same machine, and 6.0.5's zlib has known holes.
        "--networkMessageCompressors": "disabled",
        "--wiredTigerCacheSizeGB": f"{cache_size():.2f}",
        # Megabytes; the default is 5 % of the disk. A subscriber that falls behind by more resumes by its own means.
        "--oplogSize": "1024",
        # Bytes it allocates three times over and reads again at each start: the default of 100 MB costs 0.3 s, while
        # 16 MB measured no slower under load.
        "--wiredTigerEngineConfigString": "log=(file_max=16MB)",
        "--logpath": log,
        # Slow operations would be logged with their filters: a customer's e-mail address, for one.
        "--slowOpSampleRate": "0",
    }
    settings = {
        "diagnosticDataCollectionEnabled": "false",  # 200 MB of metrics that nobody here would read
        "shutdownTimeoutMillisForSignaledShutdown": "0",  # the 15 s for clients to find another member: there is none
        # What a killed server leaves open holds its locks for one and a half times as long: 90 s by mongod's default.
        # Longer than any of ours tries (`mongo.TRANSACTION_PATIENCE`).
        "transactionLifetimeLimitSeconds": "12",
        **parameters,
    }
    command = [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), str(program)]
    command += ["--nounixsocket", "--logappend", "--quiet"]  # without the first, it opens a second socket in /tmp
    command += [part for option in options.items() for part in option]
    command += [part for name, value in settings.items() for part in ("--setParameter", f"{name}={value}")]
    with open(directory / log, "ab", opener=_open_private) as output:
        return subprocess.Popen(
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,  # what it says before it has opened its log, such as a missing library
            stderr=output,
            pass_fds=[held],
            umask=0o077,
            start_new_session=True,  # Ctrl-C in a terminal is for the server, which first drains and then stops it
        )


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, mode=0o600)


def cache_size() -> float:
    """Gigabytes that mongod may use as a cache: a quarter of the memory, from 0.25 (its minimum) to 1.

    Its own default is half of the memory, for a machine of its own; here it is the server's guest. It takes no more
    than it touches, and beyond a gigabyte the kernel's file cache serves almost as well.
    """
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError):  # no control group, or one without a limit ("max")
        memory = min(memory, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(max(memory / 4 / GIGABYTE, 0.25), 1.0)


def failure(returncode: int | None, log: Path) -> str:
    """Why mongod failed, for the operator: how it ended (None: it runs but is not ready) and what it said last."""
    if returncode is None:
        ending = "does not get ready"
    elif returncode < 0:
        ending = f"was ended by {signal.Signals(-returncode).name}"
    else:
        ending = f"ended with exit code {returncode}"
    hint = " (it needs a processor with AVX)" if returncode == -signal.SIGILL else ""
    return "\n    ".join([f"mongod {ending}{hint}. The last lines of {log}:", *_last_words(log)])


def _last_words(log: Path, lines: int = 5, width: int = 300) -> list[str]:
    """The last lines of a log, oldest first: its errors if it has any, since the goodbyes that follow say nothing."""
    try:
        text = log.read_text(errors="replace").splitlines()[-500:]
    except OSError:
        return ["(there is none)"]
    errors = [line for line in text if _severity(line) in ("E", "F")]
    return [line[:width] for line in (errors or text)[-lines:]]


def _severity(line: str) -> str | None:
    """The letter under "s" in a line of mongod's JSON log; "E" for any other line, which comes from the loader."""
    try:
        return str(json.loads(line)["s"])
    except (ValueError, KeyError, TypeError):
        return "E" if line.strip() else None
