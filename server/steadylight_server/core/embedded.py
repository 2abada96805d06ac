"""A private database process in a data directory, for a server without `STEADYLIGHT_MONGODB_URI`.

    with EmbeddedDatabase.start(Path("steadylight-data")) as database:
        motor = AsyncIOMotorClient(database.uri)

It is a real mongod, as a replica set of one, so that transactions and change streams work. It listens on a Unix socket
in a directory of mode 0700 and on no port. Writes are journalled: `kill -9` of everything loses none that was
acknowledged by the majority. It never outlives the process that started it.

One thread per database starts every child and waits for it. That thread lives until `stop`, because the kernel ends the
child together with the thread that forked it (`leash`).
"""

import atexit
import contextlib
import logging
import os
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self
from urllib.parse import quote

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from steadylight_server.core import mongod as program
from steadylight_server.core.mongod import DirectoryInUse, EmbeddedError, MongodFailed, MongodNotFound
from steadylight_server.core.premises import LOG, READY, SOCKET, Premises, holder

__all__ = ["DirectoryInUse", "EmbeddedDatabase", "EmbeddedError", "MongodFailed", "MongodNotFound", "running"]

logger = logging.getLogger("steadylight.embedded")

# Seconds.
READY_WITHIN = 300.0  # usually 1; after a crash under full load it first replays up to a minute of writes
STOPPED_WITHIN = 30.0  # usually 0.5 to 1, its own pauses; after a load it writes a checkpoint of up to the whole cache
STALE_GONE_WITHIN = 15.0  # a killed mongod first gives back its memory
POLL = 0.005  # while it starts; its shortest step, the election, takes ten times as long
ANSWER_WITHIN = 5.0  # while it starts; else its death would be noticed only after pymongo's 30
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # before a crashed child is started again, doubling
STABLE_AFTER = 60.0  # a child that ran this long begins again with the first pause

NO_PARAMETERS: Mapping[str, str] = MappingProxyType({})


class EmbeddedDatabase:
    """A supervised database. `uri` stays the same for its whole life, over crashes and restarts of its process."""

    def __init__(self, directory: Path, mongod: Path, parameters: Mapping[str, str]) -> None:
        """Holds the directory but starts nothing; use `start`."""
        self._premises = Premises(directory, patience=STALE_GONE_WITHIN)
        self.uri = _uri(self._premises.reach / READY)
        self._mongod, self._parameters = mongod, dict(parameters)
        self._log, self._door = self._premises.path / LOG, self._premises.path / READY
        self._owner = os.getpid()
        self._guard = threading.RLock()  # a child is started and told to stop one after the other, never at once
        self._stopping = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._first: Future[None] = Future()
        self._supervisor = threading.Thread(target=self._supervise, name="steadylight-embedded", daemon=True)

    @classmethod
    def start(
        cls, directory: Path, *, mongod: Path | None = None, parameters: Mapping[str, str] = NO_PARAMETERS
    ) -> Self:
        """Starts the database in `directory`, made if it is missing; returns when it takes writes, in about a second.

        `mongod` is the program, else it is looked for on the PATH and in the wheel. `parameters` become mongod's
        `--setParameter`. Raises MongodNotFound, DirectoryInUse, MongodFailed, or EmbeddedError.
        """
        database = cls(directory, program.find(mongod), parameters)
        atexit.register(database.stop)
        try:
            database._supervisor.start()
            database._first.result()
        except BaseException:
            database.stop()
            raise
        return database

    @property
    def pid(self) -> int:
        """The process id of mongod, of the last one while there is none. Changes when it had to be started again."""
        assert self._child is not None, "start() has returned, so there was a child"
        return self._child.pid

    def stop(self) -> None:
        """Shuts mongod down cleanly and gives the directory back. Again, or in a forked process, it does nothing."""
        if os.getpid() != self._owner:
            return
        with self._guard:
            if self._stopping.is_set():
                return
            self._stopping.set()
            if self._child is not None:
                self._child.terminate()
        atexit.unregister(self.stop)
        if self._supervisor.is_alive():
            self._supervisor.join(STOPPED_WITHIN)
            if self._supervisor.is_alive():
                logger.warning("mongod did not stop within %g s and is killed; its journal has all", STOPPED_WITHIN)
                if self._child is not None:
                    self._child.kill()
                self._supervisor.join()
        self._premises.leave()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    # From here on: the supervising thread.

    def _supervise(self) -> None:
        """Starts one child after the other until `stop`. If the first fails, `start` is told and that was all."""
        pause = FIRST_PAUSE
        while True:
            began = time.monotonic()
            try:
                self._run_child()
                return
            except Exception as error:
                if not self._first.done():
                    self._first.set_exception(error)
                    return
                if self._stopping.is_set():
                    return  # told to end while it was starting: no failure
                if time.monotonic() - began > STABLE_AFTER:
                    pause = FIRST_PAUSE
                logger.error("the embedded database is started again in %.1f s: %s", pause, error)
            self._stopping.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _run_child(self) -> None:
        """Starts a child and returns when it has ended because of `stop`. Raises MongodFailed if it ended unasked."""
        with self._guard:
            if self._stopping.is_set():
                return
            self._child = child = self._spawn()
        try:
            self._wait_until_primary(child)
            # Clients come through this door only, so none of them ever meets a mongod that refuses writes.
            self._door.symlink_to(SOCKET)
            if not self._first.done():
                self._first.set_result(None)
            child.wait()
        finally:
            self._door.unlink(missing_ok=True)
            child.kill()  # of no effect on one that has ended
            child.wait()
        if not self._stopping.is_set():
            raise MongodFailed(program.failure(child.returncode, self._log))

    def _spawn(self) -> subprocess.Popen[bytes]:
        if self._log.exists():
            self._log.replace(self._log.with_name(f"{LOG}.1"))
        for left_behind in (self._door, self._premises.path / SOCKET):
            left_behind.unlink(missing_ok=True)
        return program.spawn(
            self._mongod, self._premises.path, SOCKET, LOG, parameters=self._parameters, held=self._premises.held
        )

    def _wait_until_primary(self, child: subprocess.Popen[bytes]) -> None:
        """Makes it a replica set the first time. Raises MongodFailed when it has ended or takes too long."""
        address = self._premises.reach / SOCKET
        began = time.monotonic()
        with contextlib.ExitStack() as stack:
            client: MongoClient[dict[str, Any]] | None = None
            while child.poll() is None and time.monotonic() - began < READY_WITHIN:
                if client is None and _listens(address):
                    client = stack.enter_context(_client(address))
                if client is not None and _is_primary(client):
                    logger.info("mongod %d is ready after %.2f s", child.pid, time.monotonic() - began)
                    return
                time.sleep(POLL)
        raise MongodFailed(program.failure(child.returncode, self._log))


def running(directory: Path) -> str | None:
    """The URI of the database that a live process runs in `directory`; None if nobody does.

    It may still be starting, or be down between a crash and its restart: a client waits for it as for any server.
    """
    there = holder(directory)
    return None if there is None else _uri(there.reach / READY)


def _uri(address: Path) -> str:
    # Direct: the member's name in the replica set is relative to mongod's own directory and means nothing to a client.
    return f"mongodb://{quote(str(address), safe='')}/?directConnection=true"


def _listens(address: Path) -> bool:
    """Asked without a client of pymongo's, because that pauses for half a second after each refusal."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(address)) == 0


def _client(address: Path) -> MongoClient[dict[str, Any]]:
    patience = int(ANSWER_WITHIN * 1000)
    return MongoClient(_uri(address), maxPoolSize=1, serverSelectionTimeoutMS=patience, socketTimeoutMS=patience)


def _is_primary(client: MongoClient[dict[str, Any]]) -> bool:
    """Whether it takes writes. Makes it a replica set of one if it is none."""
    try:
        hello = client.admin.command("hello")
        if "setName" not in hello:
            member = {"_id": 0, "host": f"./{SOCKET}"}
            client.admin.command("replSetInitiate", {"_id": program.REPLICA_SET, "members": [member]})
        return bool(hello.get("isWritablePrimary"))
    except PyMongoError:
        return False  # not yet: it is still loading the replica set that it has, or it has just died
