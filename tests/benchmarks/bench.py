"""What the speed figures share: a server process, a client that costs next to nothing, and pairs of timings.

Absolute times on a shared machine mean little. Two things are always timed in turn, A B A B …, and the median of the
ratios of neighbours is what is reported.
"""

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import orjson

Work = Callable[[], Awaitable[float]]


@contextmanager
def server(uri: str, database: str) -> Iterator[int]:
    """The port of a server process on that database, with the route of `app` added."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "--factory", "tests.benchmarks.app:create", "--port", str(port)]
    environment = {
        **os.environ,
        "STEADYLIGHT_MONGODB_URI": uri,
        "STEADYLIGHT_DATABASE": database,
        "STEADYLIGHT_LOG_LEVEL": "error",
    }
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "error"]
    process = subprocess.Popen([*command, *options], env=environment)
    try:
        _wait(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 120  # who has 10,000 fragments to read first
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("the server did not start")


def request(path: str, key: str = "", body: object | None = None) -> bytes:
    """A whole HTTP request, ready to be sent."""
    content = orjson.dumps(body) if body is not None else b""
    lines = [
        f"{'POST' if content else 'GET'} {path} HTTP/1.1",
        "Host: bench",
        *([f"Authorization: Bearer {key}"] if key else []),
        *(["Content-Type: application/json", f"Content-Length: {len(content)}"] if content else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + content


class Connection:
    """Keeps one connection open and sends prepared requests. An HTTP library would cost more than the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, prepared: bytes) -> bytes:
        """The body of the answer. Raises AssertionError for any status but 200."""
        self._writer.write(prepared)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        body = await self._reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0]))
        assert head.startswith(b"http/1.1 200"), body
        return body


@asynccontextmanager
async def connections(port: int, count: int) -> AsyncIterator[Sequence[Connection]]:
    """So many connections to the server."""
    pairs = [await asyncio.open_connection("127.0.0.1", port, limit=2**22) for _ in range(count)]
    try:
        yield [Connection(*pair) for pair in pairs]
    finally:
        for _, writer in pairs:
            writer.close()


async def shared_out(workers: Sequence[Callable[[Any], Awaitable[object]]], items: Sequence[Any]) -> float:
    """Seconds that the workers together take for all items."""
    queue = list(reversed(items))

    async def work(one: Callable[[Any], Awaitable[object]]) -> None:
        while queue:
            await one(queue.pop())

    started = time.perf_counter()
    await asyncio.gather(*(work(one) for one in workers))
    return time.perf_counter() - started


async def paired(a: Work, b: Work, *, rounds: int) -> float:
    """The median over the rounds of seconds(a) / seconds(b), the two taking turns; a first round is not counted."""
    ratios = []
    for round in range(rounds + 1):
        first, second = (a, b) if round % 2 else (b, a)
        seconds = {first: await first(), second: await second()}
        if round:
            ratios.append(seconds[a] / seconds[b])
    return statistics.median(ratios)


def graphql(key: str, query: str, given: object) -> bytes:
    """A prepared request to the graph; `given` is its `$input`."""
    return request("/graphql", key, {"query": query, "variables": {"input": given}})
