"""Tasks in Celery, whose children are forked from a process that made the client and had used it already."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery  # type: ignore[import-untyped]

from tests.live.processes import wait_until
from tests.sdk.test_process import Port


class Worker:
    """A Celery worker with two children, whose broker is folders; what it says is in the file `log`."""

    def __init__(self, folder: Path, port: Port) -> None:
        self.log = folder / "log"
        self._written, self._read = folder / "written", folder / "read"
        self._written.mkdir()
        self._read.mkdir()
        folders = {
            "data_folder_in": str(self._read),
            "data_folder_out": str(self._written),
            "control_folder": str(folder / "control"),
        }
        config = {"broker_url": "filesystem://", "broker_transport_options": {**folders, "polling_interval": 0.01}}
        self._tasks = Celery()
        self._tasks.conf.update(config)
        command = [sys.executable, "-m", "celery", "--app", "tests.live.apps.celery_shop", "worker"]
        command += ["--pool", "prefork", "--concurrency", "2", "--without-gossip", "--without-mingle"]
        environment = {
            "SHOP_CELERY": json.dumps({**config, "worker_enable_remote_control": False, "worker_lost_wait": 0.1}),
            "STEADYLIGHT_URL": port.url,
            "STEADYLIGHT_KEY": port.key,
            "PYTHONPATH": ":".join(sys.path),
        }
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                command, env=os.environ | environment, stdout=output, stderr=output, start_new_session=True
            )

    def send(self, task: str, *arguments: object) -> None:
        """For either child. Moved to where it is read once it is written: the broker reads halves, too."""
        self._tasks.send_task(task, arguments)
        for message in self._written.iterdir():
            message.rename(self._read / message.name)

    def stop(self) -> int:
        """As an operator does: what was begun is done. The exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(20)

    def kill(self) -> None:
        """It and its children, where they are still there."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)


@pytest.fixture
def port() -> Iterator[Port]:
    port = Port()
    yield port
    port.close()


@pytest.fixture
def worker(tmp_path: Path, port: Port) -> Iterator[Worker]:
    worker = Worker(tmp_path, port)
    yield worker
    worker.kill()


def test_every_child_of_a_worker_delivers_its_own_and_the_next_what_a_killed_one_left(
    port: Port, worker: Worker
) -> None:
    def sent() -> list[str]:
        return [str(action.contact) for action in port.server.actions if action.type == "bill.sent"]

    def is_adopted() -> bool:
        worker.send("send_bill", "again")  # The child that takes the killed one's place starts with its first task.
        return "b-50" in sent()

    for number in range(50):
        worker.send("send_bill", f"b-{number}")
    worker.send("send_bill_and_die", "b-50")
    for number in range(51, 100):
        worker.send("send_bill", f"b-{number}")
    wait_until("what the killed one left is delivered", is_adopted, within=20)
    wait_until("all is delivered", lambda: len(set(sent())) == 101, within=20)
    code = worker.stop()

    assert code == 0, worker.log.read_text()
    assert sorted(bill for bill in sent() if bill != "again") == sorted(f"b-{number}" for number in range(100))
    assert len({action.properties.get("child") for action in port.server.actions if action.type == "bill.sent"}) > 1
    assert sum(action.type == "app.started" for action in port.server.actions) == 1
    assert not list(Path(os.environ["STEADYLIGHT_SPOOL"]).rglob("*.seg"))
