"""The embedded database against the real mongod: it keeps what it acknowledged, and nobody else gets in."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import MongoClient, WriteConcern

from steadylight_server.core import embedded
from steadylight_server.core.embedded import DirectoryInUse, EmbeddedDatabase, MongodFailed, running

# Programs for owners that are killed; each says on its first line which mongod it runs.
OWNER = """
import sys, time
from pathlib import Path
from steadylight_server.core.embedded import EmbeddedDatabase
database = EmbeddedDatabase.start(Path(sys.argv[1]))
print(database.pid, flush=True)
"""
IDLE_OWNER = OWNER + "time.sleep(60)"
WRITING_OWNER = (
    OWNER
    + """
from pymongo import MongoClient, WriteConcern
rows = MongoClient(database.uri).test.get_collection("rows", write_concern=WriteConcern("majority"))
first = int(sys.argv[2])
for number in range(first, first + 1_000_000):
    rows.insert_one({"_id": number})
    print(number, flush=True)
"""
)
FORKING_OWNER = (
    OWNER
    + """
import os
worker = os.fork()
if worker == 0:
    database.stop()  # as an exit handler would; it is not the worker's to stop
    time.sleep(60)
print(worker, flush=True)
time.sleep(60)
"""
)
CARELESS_OWNER = OWNER + "print('end of program, without stop()')"


class Owner:
    """A process that owns a database, to be killed."""

    def __init__(self, program: str, directory: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, str(directory), *arguments],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            text=True,
        )
        self.mongod = int(self.line())

    def line(self) -> str:
        """What it prints next."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def kill(self) -> str:
        """Kills it as the kernel would; returns what it had printed since."""
        self.process.kill()
        return self.process.communicate()[0]

    def end(self) -> None:
        """Leaves nothing of it, whatever was done to it before."""
        assert self.process.stdout is not None
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def own() -> Iterator[Callable[..., Owner]]:
    """Starts owners and leaves none behind."""
    owners: list[Owner] = []

    def start(program: str, directory: Path, *arguments: str) -> Owner:
        owners.append(Owner(program, directory, *arguments))
        return owners[-1]

    yield start
    for owner in owners:
        owner.end()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedDatabase]:
    """One that runs for all the tests that leave it alone."""
    directory = tmp_path_factory.mktemp("shared") / "data"
    with EmbeddedDatabase.start(directory, parameters={"enableTestCommands": "1"}) as shared:
        yield shared


@pytest.fixture
def fake(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a program that stands where mongod should, from the shell commands that it runs."""

    def write(commands: str) -> Path:
        program = tmp_path / "mongod"
        program.write_text(f"#!/bin/sh\n{commands}\n")
        program.chmod(0o700)
        return program

    return write


def has_ended(pid: int) -> bool:
    """Whether the process is gone, or waits only for its parent to take notice."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {seconds} s"
        time.sleep(0.01)


def directory_of(database: EmbeddedDatabase) -> Path:
    return Path(os.readlink(f"/proc/{database.pid}/cwd"))


def test_what_was_stored_is_there_after_a_restart(tmp_path: Path) -> None:
    with EmbeddedDatabase.start(tmp_path) as first, MongoClient[Any](first.uri) as client:
        client.test.rows.insert_one({"_id": 1})
    with EmbeddedDatabase.start(tmp_path) as second, MongoClient[Any](second.uri) as client:
        rows = list(client.test.rows.find())

    assert rows == [{"_id": 1}]


def test_it_is_ready_in_about_a_second(tmp_path: Path) -> None:
    seconds = []
    for _ in range(2):
        began = time.monotonic()
        with EmbeddedDatabase.start(tmp_path):
            seconds.append(time.monotonic() - began)

    print(f"first start {seconds[0]:.2f} s, later start {seconds[1]:.2f} s")
    assert max(seconds) < 5.0  # 0.8 and 0.9 alone on two cores; the rest is for a machine under load


def test_a_second_process_is_told_who_holds_the_directory(tmp_path: Path, own: Callable[..., Owner]) -> None:
    owner = own(IDLE_OWNER, tmp_path)

    with pytest.raises(DirectoryInUse) as caught:
        EmbeddedDatabase.start(tmp_path)

    assert caught.value.pid == owner.process.pid
    assert str(caught.value) == (
        f"{tmp_path} is in use by process {owner.process.pid}. Stop it, or choose another directory with --data."
    )
    assert not has_ended(owner.mongod)


def test_one_process_cannot_hold_a_directory_twice(database: EmbeddedDatabase) -> None:
    with pytest.raises(DirectoryInUse) as caught:
        EmbeddedDatabase.start(directory_of(database).parent)

    assert caught.value.pid == os.getpid()


def test_a_killed_owner_takes_its_mongod_along(tmp_path: Path, own: Callable[..., Owner]) -> None:
    owner = own(IDLE_OWNER, tmp_path)

    owner.kill()

    wait_for(lambda: has_ended(owner.mongod))
    assert running(tmp_path) is None


def test_an_owner_that_forgets_to_stop_still_shuts_down_cleanly(tmp_path: Path, own: Callable[..., Owner]) -> None:
    owner = own(CARELESS_OWNER, tmp_path)
    owner.process.communicate(timeout=20)

    assert owner.process.returncode == 0
    assert has_ended(owner.mongod)
    assert '"msg":"Shutting down","attr":{"exitCode":0}' in (tmp_path / "database/mongod.log").read_text()


def test_killing_everything_under_load_loses_no_acknowledged_write(tmp_path: Path, own: Callable[..., Owner]) -> None:
    acknowledged: set[int] = set()
    for first in (0, 1_000_000, 2_000_000):
        owner = own(WRITING_OWNER, tmp_path, str(first))
        acknowledged.add(int(owner.line()))
        time.sleep(0.5)
        os.kill(owner.mongod, signal.SIGKILL)
        printed = owner.kill().split("\n")
        acknowledged.update(int(number) for number in printed[:-1])  # the last line may be torn

    with EmbeddedDatabase.start(tmp_path) as database, MongoClient[Any](database.uri) as client:
        stored = {row["_id"] for row in client.test.rows.find()}
    assert len(acknowledged) > 30
    assert acknowledged - stored == set()


def test_a_forked_worker_neither_stops_nor_keeps_the_database(tmp_path: Path, own: Callable[..., Owner]) -> None:
    owner = own(FORKING_OWNER, tmp_path)
    worker = int(owner.line())
    try:
        time.sleep(0.2)
        still_there = not has_ended(owner.mongod)
        owner.process.kill()  # not owner.kill(): the worker has the pipe open too
        owner.process.wait()

        EmbeddedDatabase.start(tmp_path).stop()

        assert still_there
        assert not has_ended(worker)
    finally:
        os.kill(worker, signal.SIGKILL)


def test_a_killed_mongod_is_started_again_under_the_same_uri(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with EmbeddedDatabase.start(tmp_path) as database, MongoClient[Any](database.uri) as client:
        rows = client.test.get_collection("rows", write_concern=WriteConcern("majority"))
        rows.insert_one({"_id": 1})
        killed = database.pid

        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: has_ended(killed))
        rows.insert_one({"_id": 2})

        assert database.pid != killed
        assert sorted(row["_id"] for row in rows.find()) == [1, 2]
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.name == "steadylight.embedded"
    assert record.getMessage().startswith(
        "the embedded database is started again in 0.1 s: mongod was ended by SIGKILL. The last lines of "
    )


@pytest.mark.parametrize(("stable_after", "pauses"), [(60.0, ["0.1", "0.2", "0.4"]), (0.0, ["0.1", "0.1", "0.1"])])
def test_the_pause_doubles_until_mongod_was_stable(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    stable_after: float,
    pauses: list[str],
) -> None:
    monkeypatch.setattr(embedded, "STABLE_AFTER", stable_after)

    with EmbeddedDatabase.start(tmp_path) as database:
        for _ in range(3):
            killed = database.pid
            os.kill(killed, signal.SIGKILL)
            wait_for(lambda killed=killed: database.pid != killed)  # type: ignore[misc]

    said = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert [message.split(" in ")[1].split(" s:")[0] for message in said] == pauses


def test_nothing_listens_on_a_port(database: EmbeddedDatabase) -> None:
    descriptors = Path(f"/proc/{database.pid}/fd")
    sockets = {os.readlink(entry).partition("[")[2].rstrip("]") for entry in descriptors.iterdir()}

    tables = [Path(f"/proc/{database.pid}/net/{table}") for table in ("tcp", "tcp6", "udp", "udp6")]
    rows = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]

    assert [row for row in rows if row[9] in sockets] == []


def test_only_the_owner_can_read_any_of_it(database: EmbeddedDatabase) -> None:
    inner = directory_of(database)

    modes = {path.stat().st_mode & 0o777 for path in inner.rglob("*") if path.is_file() or path.is_socket()}
    folders = {path.stat().st_mode & 0o777 for path in (inner.parent, inner, inner / "data")}

    assert (inner / "mongod.sock").is_socket()
    assert modes == {0o600}
    assert folders == {0o700}


def test_a_directory_that_was_there_keeps_its_permissions(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    with EmbeddedDatabase.start(tmp_path):
        inside = (tmp_path / "database").stat().st_mode & 0o777

    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert inside == 0o700


def test_a_directory_with_a_long_path_works_and_leaves_nothing_in_the_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: Callable[..., Owner]
) -> None:
    temporary = Path("/tmp", f"sl{os.getpid()}")
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", None)
    long = tmp_path / ("d" * 120) / "ünïcode %41"

    own(IDLE_OWNER, long).kill()
    left_by_the_killed = sorted(temporary.rglob("*"))
    with EmbeddedDatabase.start(long) as database, MongoClient[Any](database.uri) as client:
        client.test.rows.insert_one({"_id": 1})
        there = running(long)
        modes = [entry.stat().st_mode & 0o777 for entry in temporary.iterdir()]
        links = sorted(temporary.rglob("*"))
    left = list(temporary.iterdir())
    temporary.rmdir()

    assert there == database.uri
    assert modes == [0o700]
    assert links == left_by_the_killed  # taken again, not piled up
    assert left == []


async def test_transactions_and_change_streams_work_with_motor(database: EmbeddedDatabase) -> None:
    client = AsyncIOMotorClient(database.uri)
    rows = client.motor.rows
    await rows.insert_one({"_id": 0})

    async with rows.watch() as changes:
        async with await client.start_session() as session:
            async with session.start_transaction():
                await rows.insert_one({"_id": 1}, session=session)
                await rows.insert_one({"_id": 2}, session=session)
                outside = await rows.count_documents({})
        seen = [(await changes.next())["documentKey"]["_id"] for _ in range(2)]
    client.close()

    assert outside == 1
    assert seen == [1, 2]


def test_parameters_reach_mongod(database: EmbeddedDatabase) -> None:
    with MongoClient[Any](database.uri) as client:
        answer = client.admin.command("configureFailPoint", "failCommand", mode="off")  # a test command

    assert answer["ok"] == 1.0


def test_running_tells_the_uri_while_somebody_runs_it(tmp_path: Path, own: Callable[..., Owner]) -> None:
    before = running(tmp_path)
    own(IDLE_OWNER, tmp_path)
    during = running(tmp_path)
    assert during is not None
    with MongoClient[Any](during) as client:
        answer = client.admin.command("ping")

    assert before is None
    assert answer["ok"] == 1.0


def test_after_stop_nobody_runs_it_and_stopping_again_does_nothing(tmp_path: Path) -> None:
    database = EmbeddedDatabase.start(tmp_path)

    database.stop()
    database.stop()

    assert has_ended(database.pid)
    assert running(tmp_path) is None


def test_a_mongod_that_does_not_stop_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "STOPPED_WITHIN", 0.2)
    database = EmbeddedDatabase.start(tmp_path)
    os.kill(database.pid, signal.SIGSTOP)

    database.stop()

    assert has_ended(database.pid)


def test_a_start_that_fails_shows_what_mongod_said_and_leaves_the_directory_free(
    tmp_path: Path, fake: Callable[[str], Path]
) -> None:
    program = fake("echo 'libcurl.so.4: cannot open shared object file' >&2; exit 127")

    with pytest.raises(MongodFailed) as caught:
        EmbeddedDatabase.start(tmp_path, mongod=program)

    log = tmp_path / "database/mongod.log"
    assert str(caught.value) == (
        f"mongod ended with exit code 127. The last lines of {log}:\n    libcurl.so.4: cannot open shared object file"
    )
    EmbeddedDatabase.start(tmp_path).stop()


def test_a_damaged_database_is_reported_with_mongods_own_error(tmp_path: Path) -> None:
    EmbeddedDatabase.start(tmp_path).stop()
    (tmp_path / "database/data/WiredTiger.turtle").write_bytes(b"damaged")
    (tmp_path / "database/data/WiredTiger.wt").write_bytes(b"damaged")

    with pytest.raises(MongodFailed, match=r"WiredTiger"):
        EmbeddedDatabase.start(tmp_path)


def test_a_mongod_that_dies_while_it_gets_ready_is_noticed(
    tmp_path: Path, fake: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "ANSWER_WITHIN", 0.2)
    listener = "import socket; s = socket.socket(socket.AF_UNIX); s.bind('mongod.sock'); s.listen(); s.accept()"
    program = fake(f'exec {sys.executable} -c "{listener}"')

    with pytest.raises(MongodFailed, match=r"^mongod ended with exit code 0"):
        EmbeddedDatabase.start(tmp_path, mongod=program)


def test_a_mongod_that_never_gets_ready_is_given_up(
    tmp_path: Path, fake: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "READY_WITHIN", 0.3)
    program = fake("exec sleep 60")

    with pytest.raises(MongodFailed, match=r"^mongod does not get ready"):
        EmbeddedDatabase.start(tmp_path, mongod=program)

    assert running(tmp_path) is None
