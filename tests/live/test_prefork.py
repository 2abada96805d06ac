"""Apps in gunicorn, whose workers are forked from a process that made the client and had used it already."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from steadylight import Client
from tests.live.processes import free_port, wait_until
from tests.sdk.test_process import Port


@pytest.fixture
def port() -> Iterator[Port]:
    port = Port()
    yield port
    port.close()


def serve(app: str, port: Port, log: Path) -> tuple[subprocess.Popen[bytes], str]:
    """gunicorn with four workers that share what was loaded before, and its address."""
    bind = f"127.0.0.1:{free_port()}"
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "--preload",
        "--workers",
        "4",
        "--bind",
        bind,
        f"tests.live.apps.{app}:app",
    ]
    environment = {"STEADYLIGHT_URL": port.url, "STEADYLIGHT_KEY": port.key, "PYTHONPATH": ":".join(sys.path)}
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=os.environ | environment, stdout=output, stderr=output)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            httpx.get(f"http://{bind}/nowhere")
            return process, f"http://{bind}"
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(log.read_text())


@pytest.mark.timeout(120)
@pytest.mark.parametrize("app", ["flask_shop", "django_shop"])
def test_every_worker_of_a_preforked_app_delivers_its_own(port: Port, tmp_path: Path, app: str) -> None:
    process, url = serve(app, port, tmp_path / "log")
    try:
        workers = set()
        for number in range(200):
            answer = httpx.get(f"{url}/plan", params={"user": f"C-{number % 10}", "visit": f"v-{number}"})
            assert answer.status_code == 200, (tmp_path / "log").read_text()
            workers.add(int(answer.text))
        killed = workers.pop()
        os.kill(killed, signal.SIGKILL)  # What it had is adopted by the worker that takes its place.
        wait_until(
            "all is delivered",
            lambda: (
                httpx.get(f"{url}/plan", params={"user": "C-0", "visit": "again"}).status_code == 200
                and len({action.contact for action in port.server.actions}) == 202
            ),
            within=40,
        )
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)

    viewed = [action for action in port.server.actions if action.type == "plan.viewed" and action.contact != "again"]
    assert sorted(str(action.contact) for action in viewed) == sorted(f"v-{number}" for number in range(200))
    assert len({action.properties["worker"] for action in viewed}) > 1
    assert sum(action.type == "app.started" for action in port.server.actions) == 1

    # The killed one's folder, where it had delivered all, goes with the next start.
    with Client(port.url, port.key):
        wait_until("all is tidied up", lambda: not list(Path(os.environ["STEADYLIGHT_SPOOL"]).rglob("*.seg")))
