"""Processes with several threads record while their server is killed again and again; then the store is read back."""

import subprocess
import sys
import textwrap
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steadylight_server.core.embedded import running
from tests.live.processes import ServerProcess, free_port, keys, looking_at

# One process: each thread numbers its own actions, and says in the end how many there were.
PROGRAM = """
    import sys, threading, time
    from steadylight import Client, Options

    name, threads, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    light = Client(options=Options(backoff_ceiling=2.0, request_timeout=10.0))
    end, made = time.monotonic() + seconds, [0] * threads

    def work(thread):
        contact = light.customer(login=f"C-{name}-{thread}", assurance="LOGIN").contact(f"{name}-{thread}")
        while time.monotonic() < end:
            assert contact.record("step.taken", {"thread": f"{name}-{thread}", "n": made[thread]})
            made[thread] += 1
            time.sleep(0.01)

    workers = [threading.Thread(target=work, args=(thread,)) for thread in range(threads)]
    for worker in workers: worker.start()
    for worker in workers: worker.join()
    left = light.flush(120)
    print(sum(made), left, light.stats().refused, flush=True)
"""


@dataclass(frozen=True)
class Endurance:
    """What came of it; counts."""

    kills: int
    made: int
    left: int
    refused: int
    stored: int
    ids: int
    threads: int
    in_order: int


def endure(folder: Path, *, processes: int, threads: int, seconds: float, every: float) -> Endurance:
    """Kills the server after so many seconds each time, and starts it again at once."""
    data, spool = folder / "data", folder / "spool"
    server = ServerProcess(folder / "server.log", "--port", free_port(), "--data", data)
    try:
        uri = running(data)
        assert uri is not None
        key = keys(uri, "steadylight", web="SELF_SERVICE")["web"]
        environment = {
            "STEADYLIGHT_URL": server.url,
            "STEADYLIGHT_KEY": key,
            "STEADYLIGHT_SPOOL": str(spool),
            "PYTHONPATH": ":".join(sys.path),
        }
        command = [sys.executable, "-c", textwrap.dedent(PROGRAM)]
        workers = [
            subprocess.Popen(
                [*command, str(number), str(threads), str(seconds)], env=environment, stdout=subprocess.PIPE, text=True
            )
            for number in range(processes)
        ]
        kills, end = 0, time.monotonic() + seconds
        while time.monotonic() + every < end:
            time.sleep(every)
            server.kill()
            server.start()
            kills += 1
        told = [worker.communicate(timeout=180)[0].split() for worker in workers]
        with looking_at(uri) as client:
            found: list[dict[str, Any]] = list(client.get_database("steadylight").actions.find({"type": "step.taken"}))
    finally:
        server.stop()
    by_thread: dict[str, list[int]] = defaultdict(list)
    for action in sorted(found, key=lambda action: (action["at"], action["sequence"])):
        by_thread[action["properties"]["thread"]].append(action["properties"]["n"])
    return Endurance(
        kills=kills,
        made=sum(int(each[0]) for each in told),
        left=sum(int(each[1]) for each in told),
        refused=sum(int(each[2]) for each in told),
        stored=len(found),
        ids=len({action["_id"] for action in found}),
        threads=len(by_thread),
        in_order=sum(numbers == list(range(len(numbers))) for numbers in by_thread.values()),
    )
