"""`steadylight serve`, as a process of its own."""

import http.client
import os
import re
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from steadylight import Client
from steadylight_server.cli import serve
from steadylight_server.cli.output import Failure

from .conftest import Process, Steadylight

Start = Callable[..., Process]


def test_one_command_runs_everything_and_keeps_it(start: Start, steadylight: Steadylight, tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = start("serve", "--port", 0, "--data", data)
    url = first.url()
    key = steadylight.json("channel", "add", "web", "--data", data)["key"]
    health = httpx.get(f"{url}/healthz")
    with Client(url, key) as light:
        check = light.check()
    second = start("serve", "--port", 0, "--data", data)
    refused = second.wait()
    code, log = first.end()

    assert (health.json(), "server" in health.headers) == ({"status": "ok"}, False)
    assert (check.channel, check.problems) == ("web", ())
    assert refused[0] == 1
    assert f"Error: {data} is in use by process {first.process.pid}." in refused[1]
    assert "Traceback" not in refused[1]
    assert code == 0
    assert all(line.startswith("{") for line in log.splitlines())
    assert [one["name"] for one in steadylight.json("channel", "list", "--data", data)] == ["web"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_under_way_finishes(number: int, start: Start, environment: str) -> None:
    server = start("serve", "--port", 0, STEADYLIGHT_DRAIN_SECONDS="20")
    connection = http.client.HTTPConnection(server.url().removeprefix("http://"), timeout=10)
    connection.putrequest("POST", "/graphql")
    connection.putheader("Content-Type", "application/json")
    body = b'{"query": "{ __typename }"}'
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:10])
    time.sleep(0.3)

    server.process.send_signal(number)
    time.sleep(0.5)
    connection.send(body[10:])
    answer = connection.getresponse()

    assert (answer.status, answer.read()) == (200, b'{"data":{"__typename":"Query"}}')
    assert server.wait()[0] == 0
    connection.close()


def test_a_request_that_does_not_end_is_cut_off(start: Start, environment: str) -> None:
    server = start("serve", "--port", 0, STEADYLIGHT_DRAIN_SECONDS="1")
    connection = http.client.HTTPConnection(server.url().removeprefix("http://"), timeout=10)
    connection.putrequest("POST", "/graphql")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", "30")
    connection.endheaders(b'{"query"')
    time.sleep(0.3)

    began = time.monotonic()
    code, _ = server.end()

    assert code == 0
    assert time.monotonic() - began < 8
    connection.close()


def test_several_workers_share_port_and_metrics(start: Start, environment: str) -> None:
    server = start("serve", "--port", 0, "--workers", 2)
    url = server.url()
    for _ in range(20):  # a connection each, so that both are asked
        httpx.post(f"{url}/graphql", json={"query": "{ __typename }"})
    metrics = httpx.get(f"{url}/metrics").text
    code, log = server.end()

    assert 'steadylight_requests_total{method="POST",status="200"} 20.0' in metrics
    assert log.count("Application startup complete") == 2
    assert code == 0


def test_workers_end_with_the_process_that_started_them(start: Start, environment: str) -> None:
    server = start("serve", "--port", 0, "--workers", 2)
    url = server.url()

    server.process.kill()
    server.process.wait()

    port = int(url.rpartition(":")[2])
    until = time.monotonic() + 20
    while True:
        try:
            socket.create_server(("127.0.0.1", port)).close()
            return
        except OSError:
            assert time.monotonic() < until, "a worker still holds the port"
            time.sleep(0.05)


def test_a_port_that_is_taken_is_said(start: Start, environment: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = start("serve", "--port", port).wait()

    assert code == 1
    assert said.startswith(f"Error: Cannot listen on 127.0.0.1 port {port}: Address already in use.")
    assert said.count("\n") == 1


def test_a_database_that_cannot_be_used_is_said(start: Start) -> None:
    code, said = start("serve", "--port", 0, STEADYLIGHT_MONGODB_URI="http://127.0.0.1").wait()

    assert code == 1
    assert said.startswith("Error: The database cannot be used: Invalid URI scheme")


# At the import, not at each start of Python: uvicorn takes a worker for dead that does not speak within 5 seconds.
_PLANTED = """
from importlib.machinery import SourceFileLoader
load = SourceFileLoader.exec_module
def fail(*_, **__): raise RuntimeError("planted")
def load_and_plant(loader, module):
    load(loader, module)
    if module.__name__ == "steadylight_server.app":
        module.{name} = fail
SourceFileLoader.exec_module = load_and_plant
"""


@pytest.mark.parametrize(("workers", "fails"), [(1, "open_services"), (2, "open_services"), (2, "schema")])
def test_an_application_that_cannot_start_ends_the_server(
    workers: int, fails: str, start: Start, environment: str, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(_PLANTED.format(name=fails))
    path = f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"

    code, said = start("serve", "--port", 0, "--workers", workers, PYTHONPATH=path).wait()

    assert code == 1
    assert "planted" in said or "RuntimeError" in said
    assert said.endswith("Error: The server did not start. The log above says why.\n")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "::1", "::"])
def test_the_url_leads_to_the_listener(host: str) -> None:
    try:
        listener = serve.listen(host, 0)
    except Failure:
        pytest.skip(f"this machine has no {host}")
    with listener:
        url = httpx.URL(serve.url_of(listener))

        with socket.create_connection((url.host, url.port or 0), timeout=5):
            accepted, _ = listener.accept()
            accepted.close()


@pytest.mark.parametrize(
    ("host", "is_open"),
    [
        ("127.0.0.1", False),
        ("127.0.0.2", False),
        ("::1", False),
        ("localhost", False),
        ("0.0.0.0", True),
        ("::", True),
        ("", True),
        ("10.0.0.5", True),
        ("169.254.1.1", True),
        ("light.example.com", True),
    ],
)
def test_an_address_that_others_reach_is_open(host: str, is_open: bool) -> None:
    assert serve.is_open(host) is is_open


def as_if_open(tmp_path: Path) -> dict[str, str]:
    """The environment of a server that takes its address for one that others reach; it listens on loopback."""
    (tmp_path / "sitecustomize.py").write_text(
        "import steadylight_server.cli.serve\nsteadylight_server.cli.serve.is_open = lambda host: True\n"
    )
    return {"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}


_WARNING = "listening beyond this machine without TLS"


def test_it_warns_when_keys_can_be_read_on_the_way_and_prints_no_link_where_none_is_wanted(
    start: Start, steadylight: Steadylight, environment: str, tmp_path: Path
) -> None:
    server = start("serve", "--port", 0, "--no-link", **as_if_open(tmp_path))
    server.url()
    server.process.send_signal(signal.SIGTERM)

    said, log = server.process.communicate(timeout=30)

    assert (server.process.returncode, said, log.count(_WARNING)) == (0, "", 1)
    assert "put a proxy with TLS in front" in log
    assert steadylight.json("audit", "list") == []


def test_it_prints_a_link_that_signs_in_once_and_notes_last_uses(
    start: Start, steadylight: Steadylight, environment: str, tmp_path: Path
) -> None:
    key = steadylight.json("channel", "add", "web")["key"]
    server = start("serve", "--port", 0, "--trust-proxy", "127.0.0.1", **as_if_open(tmp_path))
    url = server.url()
    assert server.process.stdout is not None
    line = server.process.stdout.readline()
    found = re.fullmatch(rf"Sign in as an admin, once, within an hour: {url}/sign-in#(sll_\S+)\n", line)
    assert found, line

    posted = [
        httpx.post(f"{url}/sign-in", json={"link": found[1]}, headers={"Sec-Fetch-Site": "same-origin"})
        for _ in range(2)
    ]
    query = {"query": "{ viewer { role } }"}
    httpx.post(f"{url}/graphql", json=query, headers={"Authorization": f"Bearer {key}"})
    unused = steadylight("key", "list", "web").stdout
    code, log = server.end()

    assert [one.status_code for one in posted] == [204, 401]
    assert (code, _WARNING in log, found[1] in log) == (0, False, False)
    (session,) = steadylight.json("session", "list")
    (used,) = steadylight.json("key", "list", "web")
    assert session["role"] == "ADMIN"
    assert "never" in unused
    assert used["last_used_at"] is not None
    assert used["last_used_at"] in steadylight("key", "list", "web").stdout
