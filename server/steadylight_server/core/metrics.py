"""What operators watch, in Prometheus's text format, right with one server process and with several.

With several, set `PROMETHEUS_MULTIPROC_DIR` to an empty directory *before* this module is imported: prometheus-client
then keeps every number in a file of the process's own there, and any process can show the sum of all.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from starlette.requests import Request
from starlette.responses import Response

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WEBSOCKET"})
# Seconds. A read is about a millisecond, a batch of 500 some tens; what takes over 10 s has failed.
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_registry = CollectorRegistry()
ProcessCollector(registry=_registry)
PlatformCollector(registry=_registry)
GCCollector(registry=_registry)

_requests = Counter("steadylight_requests", "Requests answered.", ["method", "status"], registry=_registry)
_seconds = Histogram(
    "steadylight_request_seconds", "Time to answer a request.", ["method"], buckets=_BUCKETS, registry=_registry
)
_operations = Counter("steadylight_operations", "GraphQL operations run.", ["operation"], registry=_registry)
_actions = Counter("steadylight_actions", "Actions judged.", ["channel", "verdict"], registry=_registry)
_rates = Counter("steadylight_rate_limited", "Requests refused for their rate.", ["rate"], registry=_registry)
_subscriptions = Gauge(
    "steadylight_subscriptions", "Operations open on WebSockets.", registry=_registry, multiprocess_mode="livesum"
)
_calls = Counter("steadylight_webhook_calls", "Calls of webhooks.", ["webhook", "outcome"], registry=_registry)
_call_seconds = Histogram(
    "steadylight_webhook_seconds",
    "Time that a call of a webhook took, its repetitions included.",
    ["webhook"],
    buckets=_BUCKETS,
    registry=_registry,
)
_circuits = Gauge(
    "steadylight_circuit_open",
    "Server processes whose circuit to a webhook is not closed.",
    ["webhook"],
    registry=_registry,
    multiprocess_mode="livesum",
)
_pool = Gauge(
    "steadylight_database_connections",
    "Connections to the database.",
    ["state"],
    registry=_registry,
    multiprocess_mode="livesum",
)


def request_answered(method: str, status: int, seconds: float | None) -> None:
    """Counts one answer; `seconds` go into the histogram, None leaves them out."""
    method = method if method in _METHODS else "OTHER"
    _requests.labels(method, str(status)).inc()
    if seconds is not None:
        _seconds.labels(method).observe(seconds)


def operation_run(name: str) -> None:
    """Counts one GraphQL operation. `name` is one of the server's own few, or "other": callers must not make labels."""
    _operations.labels(name).inc()


def actions_judged(channel: str, verdicts: Mapping[str, int]) -> None:
    """Counts the actions of one batch by verdict, such as `{"STORED": 498, "DUPLICATE": 2}`."""
    for verdict, count in verdicts.items():
        if count:
            _actions.labels(channel, verdict).inc(count)


def rate_refused(rate: str) -> None:
    """Counts a request that came too soon; `rate` is "credential" or "customer"."""
    _rates.labels(rate).inc()


@contextmanager
def subscription_open() -> Iterator[None]:
    """Shows one more subscription for as long as it is open, however it ends."""
    with _subscriptions.track_inprogress():
        yield


def webhook_called(webhook: str, outcome: str, seconds: float) -> None:
    """Counts one call; both are of the few names that settings and `core/webhook` give."""
    _calls.labels(webhook, outcome).inc()
    _call_seconds.labels(webhook).observe(seconds)


def circuit_changed(webhook: str, *, is_open: bool) -> None:
    """Shows whether this process asks the webhook; one that is tried with a probe counts as open still."""
    _circuits.labels(webhook).set(is_open)


def pool_changed(state: str, by: int) -> None:
    """Moves the gauge of database connections; `state` is "open" or "in_use"."""
    _pool.labels(state).inc(by)


async def exposition(request: Request) -> Response:
    """The endpoint of `/metrics`: all processes together, in the text format that the scraper accepts."""
    registry = _registry
    if directory := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        forget_dead_processes(Path(directory))
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=directory)  # type: ignore[no-untyped-call]
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), headers={"content-type": content_type})


def forget_dead_processes(directory: Path) -> None:
    """Removes the gauges of processes that are no more: what a killed worker had open is not open. Counters stay."""
    for file in directory.glob("gauge_live*_*.db"):
        if (found := re.search(r"_(\d+)\.db$", file.name)) and not _is_alive(int(found[1])):
            with suppress(FileNotFoundError):  # another scrape was faster
                mark_process_dead(int(found[1]), str(directory))  # type: ignore[no-untyped-call]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
