"""What `make demo` shows, and that nothing of it is left running."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / "examples" / "demo.py"


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty one of a short path, since it will hold a socket, and tmp_path is longer in a worker."""
    with tempfile.TemporaryDirectory(prefix="sl-") as made:
        yield Path(made)


def started(folder: Path) -> subprocess.Popen[str]:
    """The demo, which keeps everything of its own below `folder`."""
    # A directory of its own shows what is left.
    environment = os.environ | {"TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, str(DEMO)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def left_running(folder: Path) -> list[str]:
    """Command lines of processes that mention the folder, or use an app's address in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in command and int(process.name) != os.getpid():
            found.append(command.decode(errors="replace"))
    return found


@pytest.mark.timeout(300)
def test_the_agent_is_told_what_the_customer_did_online_and_on_the_phone(folder: Path) -> None:
    demo = started(folder)

    printed, _ = demo.communicate(timeout=280)

    assert demo.returncode == 0, printed
    screen = [line.strip("│ ") for line in printed.splitlines() if line.startswith("│")]
    assert "Customer  Mara Lindqvist, C-1001" in screen
    assert "How sure  OTP: they read back a one-time code" in screen
    rows = [re.split(r"  +", line) for line in screen if re.match(r"\d\d:\d\d:\d\d ", line)]
    assert [row[2:] for row in rows] == [
        ["ivr", "contact.ended", "outcome TRANSFERRED"],
        ["ivr", "menu.chosen", "choice adviser"],
        ["ivr", "contact.identified", "kinds customer-number"],
        ["web", "help.searched", "words moving, found 1"],
        ["web", "plan.viewed", "plan fibre-500, price 34.0"],
        ["web", "contact.identified", "kinds customer-number"],
    ]
    assert left_running(folder) == []
    assert list(folder.iterdir()) == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_demo_that_is_stopped_leaves_nothing(folder: Path, number: signal.Signals, status: int) -> None:
    demo = started(folder)
    until = time.monotonic() + 120
    while not list(folder.glob("*/ivr.log")):
        assert demo.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)

    demo.send_signal(number)
    printed, _ = demo.communicate(timeout=120)

    assert demo.returncode == status, printed
    assert left_running(folder) == []
    assert list(folder.iterdir()) == []
