"""Forks and exits, in processes of their own, against a server on a real port."""

import json
import multiprocessing.process
import multiprocessing.util
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from steadylight import Options, Stats, _process
from steadylight.testing import Server


class Port:
    """A testing.Server behind a real socket. `hangs` makes it accept and never answer."""

    def __init__(self) -> None:
        self.server = Server()
        self.key = self.server.key("web")
        self.hangs = threading.Event()
        self.end = threading.Event()
        port = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["content-length"]))
                if port.hangs.is_set():
                    port.end.wait(30)
                asked = httpx.Request("POST", Server.url, content=content, headers=dict(self.headers))
                answer = port.server.transport.handle_request(asked)
                self.send_response(answer.status_code)
                self.send_header("content-length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def run(self, program: str, timeout: float = 30.0) -> subprocess.CompletedProcess[str]:
        """A Python process that has STEADYLIGHT_URL and STEADYLIGHT_KEY."""
        environment = {
            "STEADYLIGHT_URL": self.url,
            "STEADYLIGHT_KEY": self.key,
            "STEADYLIGHT_SPOOL": os.environ["STEADYLIGHT_SPOOL"],
            "PYTHONPATH": ":".join(sys.path),
        }
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def close(self) -> None:
        self.end.set()
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def port() -> Iterator[Port]:
    port = Port()
    yield port
    port.close()


FORGOTTEN = {
    "blocking": """
        from steadylight import Client
        light = Client()
        contact = light.contact("k")
        for number in range(100):
            contact.record("a.b", {"n": number})
    """,
    "async": """
        import asyncio
        from steadylight import AsyncClient
        light = AsyncClient()
        async def main():
            contact = light.contact("k")
            for number in range(100):
                contact.record("a.b", {"n": number})
        asyncio.run(main())
    """,
}


@pytest.mark.parametrize("program", FORGOTTEN.values(), ids=FORGOTTEN)
def test_a_forgotten_close_loses_nothing(port: Port, program: str) -> None:
    result = port.run(program)

    assert (result.returncode, result.stderr) == (0, "")
    assert [action.properties["n"] for action in port.server.actions] == list(range(100))


@pytest.mark.parametrize("program", FORGOTTEN.values(), ids=FORGOTTEN)
def test_an_exit_while_the_server_hangs_is_soon_over_and_the_next_start_delivers(port: Port, program: str) -> None:
    port.hangs.set()
    clocked = program + "\n        import time, atexit; began = time.monotonic()\n"
    # Registered before the SDK's, so it runs after it.
    first = "import atexit; atexit.register(lambda: print(time.monotonic() - began))"

    result = port.run(f"        {first}{clocked}")

    assert (result.returncode, result.stderr) == (0, "")
    assert 0.9 < float(result.stdout) < 3  # 1 s, and what a busy machine adds
    assert not list(port.server.actions)

    port.hangs.clear()
    assert port.run(RESTART).stdout == "0 100\n"
    assert sorted(action.properties["n"] for action in port.server.actions) == list(range(100))


RESTART = """
    import time
    from steadylight import Client
    light = Client()
    while not light.stats().adopted:
        time.sleep(0.01)
    print(light.flush(10), light.stats().stored)
"""


@pytest.mark.parametrize("threads", [1, 4])
def test_a_killed_process_loses_nothing(port: Port, threads: int) -> None:
    result = port.run(f"""
        import os, signal, threading
        from steadylight import Client, Options
        light = Client(options=Options(linger=600.0))
        contact = light.contact("k")
        def work():
            for number in range(100):
                contact.record("a.b", {{"n": number}})
        workers = [threading.Thread(target=work) for _ in range({threads})]
        for worker in workers: worker.start()
        for worker in workers: worker.join()
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    assert result.returncode == -signal.SIGKILL
    assert not list(port.server.actions)

    assert port.run(RESTART).stdout == f"0 {100 * threads}\n"

    assert sorted(action.properties["n"] for action in port.server.actions) == sorted([*range(100)] * threads)
    assert not list(Path(os.environ["STEADYLIGHT_SPOOL"]).rglob("*.seg"))


def test_a_child_whose_parent_died_keeps_the_parents_actions_from_nobody(port: Port) -> None:
    result = port.run("""
        import os, signal, sys
        from steadylight import Client, Options
        light = Client(options=Options(linger=600.0))
        light.contact("k").record("parent.before")
        reading, writing = os.pipe()
        if not os.fork():
            os.close(writing)
            os.read(reading, 1)  # The parent is dead.
            successor = Client()
            while not successor.stats().adopted:
                pass
            successor.flush(10)
            print("delivered", flush=True)
            os._exit(0)
        os.close(reading)
        os.kill(os.getpid(), signal.SIGKILL)
    """)

    assert result.stdout == "delivered\n"
    assert [action.type for action in port.server.actions] == ["parent.before"]


def test_a_signal_handler_may_record_in_the_middle_of_a_record(port: Port) -> None:
    result = port.run("""
        import signal
        from steadylight import Client
        light = Client()
        contact = light.contact("k")
        made = []
        def handler(*_):
            made.append(contact.record("signal.came"))
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        for number in range(20_000):
            contact.record("a.b", {"n": number})
        signal.setitimer(signal.ITIMER_REAL, 0)
        left = light.flush(20)
        stats = light.stats()
        print(left, stats.stored - 20_000 - len(made), stats.duplicate, len(made) > 0, None in made)
    """)

    assert (result.stdout, result.stderr) == ("0 0 0 True False\n", "")


FORK = """
    import os, sys
    from steadylight import Client, Options
    light = Client(options=Options(linger={linger}))
    contact = light.contact("k")
    for number in range(50):
        contact.record("parent.before", {{"n": number}})
    child = os.fork()
    if not child:
        assert light.stats().undelivered == 0
        for number in range(50):
            contact.record("child.after", {{"n": number}})
        sys.exit(light.flush(10))
    for number in range(50):
        contact.record("parent.after", {{"n": number}})
    left = light.flush(10)
    _, status = os.waitpid(child, 0)
    sys.exit(left + os.waitstatus_to_exitcode(status))
"""


@pytest.mark.parametrize("linger", [0.0, 0.5])
def test_after_a_fork_parent_and_child_each_deliver_their_own_once(port: Port, linger: float) -> None:
    result = port.run(FORK.format(linger=linger))

    assert (result.returncode, result.stderr) == (0, "")
    told = [(action.type, action.properties["n"]) for action in port.server.actions]
    assert sorted(told) == sorted(
        (type, number) for type in ("parent.before", "child.after", "parent.after") for number in range(50)
    )
    assert len({action.id for action in port.server.actions}) == 150


def test_after_a_fork_an_async_client_delivers_in_the_child(port: Port) -> None:
    result = port.run("""
        import asyncio, os, sys
        from steadylight import AsyncClient
        light = AsyncClient()
        async def visit(type):
            light.contact("k").record(type)
            return await light.flush()
        assert asyncio.run(visit("parent.before")) == 0
        child = os.fork()
        if not child:
            sys.exit(asyncio.run(visit("child.after")))
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """)

    assert (result.returncode, result.stderr) == (0, "")
    assert sorted(action.type for action in port.server.actions) == ["child.after", "parent.before"]


def test_a_child_of_multiprocessing_delivers_before_it_ends(port: Port) -> None:
    result = port.run("""
        import multiprocessing
        from steadylight import Client
        light = Client()
        def work():
            light.contact("k").record("child.worked")
        process = multiprocessing.get_context("fork").Process(target=work)
        process.start()
        process.join()
        light.close()
    """)

    assert (result.returncode, result.stderr) == (0, "")
    assert [action.type for action in port.server.actions] == ["child.worked"]


def test_without_fcntl_memory_keeps(port: Port) -> None:
    result = port.run("""
        import sys
        sys.modules["fcntl"] = None
        from steadylight import Client
        from steadylight.__main__ import main
        with Client() as light:
            light.contact("k").record("a.b")
            print(light.stats().unsafe)
        print(main(["check", "--json"]) + main(["spool", "stats"]))
    """)

    assert (result.returncode, result.stdout.splitlines()[0], result.stdout.splitlines()[-1]) == (0, "1", "1")
    assert "There is no spool on this system" in result.stderr
    assert [action.type for action in port.server.actions] == ["a.b"]


def test_check_on_the_command_line(port: Port) -> None:
    began = time.monotonic()
    result = port.run("""
        import sys
        from steadylight.__main__ import main
        sys.exit(main(["check", "--json"]))
    """)

    report = json.loads(result.stdout)
    assert result.returncode == 0
    assert (report["ok"], report["channel"], report["problems"]) == (True, "web", [])
    assert abs(report["clock_skew"]) < time.monotonic() - began


def test_a_fork_leaves_the_parents_queue_to_the_parent(server: Server) -> None:
    with server.client(options=Options(linger=600.0)) as light:
        light.contact("k").record("parent.before")

        _process._start_over_in_child()
        assert light.stats() == Stats()
        light.contact("k").record("child.after")

        assert light.flush() == 0
    assert "child.after" in [action.type for action in server.actions]


def test_a_child_reads_although_its_parent_was_loading_what_reads(port: Port) -> None:
    result = port.run("""
        import os, sys, threading, time
        from steadylight import Client

        light = Client()
        read = lambda: light.customer(login="C-1", assurance="LOGIN").contact().context(within=20)
        thread = threading.Thread(target=read)
        thread.start()
        while "pydantic" not in sys.modules:
            time.sleep(0.001)
        child = os.fork()
        if not child:
            read()
            os._exit(0)
        thread.join()
        print(os.waitpid(child, 0)[1])
    """)

    assert (result.stdout, result.stderr) == ("0\n", "")


def test_a_fork_in_the_middle_of_an_import_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_process, "_LONGEST_LOADING", 0.05)
    begun, end = threading.Event(), threading.Event()

    def load() -> None:
        with loading:
            begun.set()
            end.wait(10)

    loading = _process.Loading()
    thread = threading.Thread(target=load)
    thread.start()
    begun.wait(10)

    loading.before_fork()
    loading.after_fork()
    end.set()
    thread.join(10)

    with loading:
        assert not thread.is_alive()


def test_the_end_of_the_process_closes_what_is_open(server: Server) -> None:
    light, other = server.client(), server.async_client()
    light.contact("k").record("a.b")
    other.contact("k").record("c.d")

    _process._close_all()

    assert sorted(action.type for action in server.actions) == ["a.b", "c.d"]
    assert light.contact("k").record("late") is None


def test_a_multiprocessing_child_closes_at_its_own_end(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiprocessing.process, "parent_process", lambda: object())
    light = server.client(options=Options(linger=600.0))
    light.contact("k").record("a.b")

    multiprocessing.util._run_finalizers(10)  # type: ignore[attr-defined]

    assert [action.type for action in server.actions] == ["a.b"]
