"""Counts that are right with one process and with several, of which some have died."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.routing import Route

from steadylight_server.core import metrics


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def samples(text: str) -> dict[str, float]:
    """By name and labels, written `name{label=value}`."""
    return {
        sample.name + "{" + ",".join(sorted(map("=".join, sample.labels.items()))) + "}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def scrape(**headers: str) -> httpx.Response:
    app = Starlette(routes=[Route("/metrics", metrics.exposition)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://steadylight") as client:
        return await client.get("/metrics", headers=headers)


async def test_everything_counted_is_shown() -> None:
    before = samples((await scrape()).text)

    metrics.request_answered("POST", 200, 0.02)
    metrics.request_answered("BREW", 418, None)
    metrics.operation_run("RecordActions")
    metrics.actions_judged("web", {"STORED": 498, "DUPLICATE": 2, "REFUSED": 0})
    metrics.webhook_called("core-banking/perform", "done", 0.02)
    metrics.circuit_changed("core-banking/perform", is_open=True)
    metrics.pool_changed("open", 3)
    metrics.pool_changed("open", -1)
    with metrics.subscription_open():
        during = samples((await scrape()).text)
    after = samples((await scrape()).text)

    grown = {
        name: value - before.get(name, 0)
        for name, value in during.items()
        if name.startswith("steadylight") and "_created" not in name and value != before.get(name, 0)
    }
    seconds = grown.pop("steadylight_request_seconds_sum{method=POST}")
    assert seconds == pytest.approx(0.02)
    assert grown.pop("steadylight_webhook_seconds_sum{webhook=core-banking/perform}") == pytest.approx(0.02)
    assert grown == {
        "steadylight_requests_total{method=POST,status=200}": 1,
        "steadylight_requests_total{method=OTHER,status=418}": 1,
        "steadylight_request_seconds_count{method=POST}": 1,
        **{
            f"steadylight_request_seconds_bucket{{le={edge},method=POST}}": 1
            for edge in ("0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "+Inf")
        },
        "steadylight_operations_total{operation=RecordActions}": 1,
        "steadylight_actions_total{channel=web,verdict=STORED}": 498,
        "steadylight_actions_total{channel=web,verdict=DUPLICATE}": 2,
        "steadylight_webhook_calls_total{outcome=done,webhook=core-banking/perform}": 1,
        "steadylight_webhook_seconds_count{webhook=core-banking/perform}": 1,
        **{
            f"steadylight_webhook_seconds_bucket{{le={edge},webhook=core-banking/perform}}": 1
            for edge in ("0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "+Inf")
        },
        "steadylight_circuit_open{webhook=core-banking/perform}": 1,
        "steadylight_database_connections{state=open}": 2,
        "steadylight_subscriptions{}": 1,
    }
    assert after["steadylight_subscriptions{}"] == before["steadylight_subscriptions{}"]


async def test_the_scraper_chooses_the_format() -> None:
    plain, open_metrics = await scrape(), await scrape(Accept="application/openmetrics-text; version=1.0.0")

    assert plain.headers["content-type"].startswith("text/plain")
    assert open_metrics.headers["content-type"].startswith("application/openmetrics-text")
    assert "process_cpu_seconds_total" in plain.text


WORKER = textwrap.dedent("""
    import sys, time
    from steadylight_server.core import metrics
    metrics.actions_judged("web", {"STORED": 10})
    metrics.pool_changed("open", 5)
    subscription = metrics.subscription_open()
    subscription.__enter__()
    print("ready", flush=True)
    time.sleep(60)
""")


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER], env=environment, stdout=subprocess.PIPE) for _ in range(2)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"ready\n"
    yield workers
    for worker in workers:
        worker.kill()
        worker.communicate()


async def test_several_processes_are_shown_as_one_and_a_dead_ones_gauges_are_forgotten(
    workers: list[subprocess.Popen[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))

    both = samples((await scrape()).text)
    workers[0].send_signal(signal.SIGKILL)
    workers[0].wait()
    one = samples((await scrape()).text)

    assert both["steadylight_actions_total{channel=web,verdict=STORED}"] == 20
    assert both["steadylight_database_connections{state=open}"] == 10
    assert both["steadylight_subscriptions{}"] == 2
    assert one["steadylight_actions_total{channel=web,verdict=STORED}"] == 20
    assert one["steadylight_database_connections{state=open}"] == 5
    assert one["steadylight_subscriptions{}"] == 1


def test_a_process_of_another_user_is_alive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def kill(pid: int, signal: int) -> None:
        raise PermissionError

    file = tmp_path / "gauge_livesum_1.db"
    file.touch()
    monkeypatch.setattr(os, "kill", kill)

    metrics.forget_dead_processes(tmp_path)

    assert file.exists()
