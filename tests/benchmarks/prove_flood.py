"""One credential floods through two servers at four times its rate: it gets its rate, and the others notice little.

Two server processes share one database. Phases take turns: one in which only the steady credential reads, at half of
its rate, and one in which the other floods besides, for two whole windows. What is reported of the steady one is the
median over the floods, each beside the quiet before and after it, so that a noisy machine does not decide.
"""

import asyncio
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

from steadylight_server.api.schema import trusted
from steadylight_server.core.config import Settings
from steadylight_server.core.embedded import EmbeddedDatabase
from tests.live.processes import ServerProcess, keys

from .bench import graphql
from .data import prepared
from .figures import Figures

NAME = "steadylight"
SECONDS = 5
# Low enough for two cores to hold servers, database and clients: it is the rate that is to be met, not the machine.
LIMIT = 100
RATE = LIMIT / SECONDS
FLOOD = 4 * RATE
STEADY = RATE / 2
WINDOWS = 2
# Ends within the last of its windows: one begins with the first request after the one before, hence a little late.
FLOODING = WINDOWS * SECONDS - 0.4
# Lasts beyond the end of that window, so that the next flood begins with one of its own.
QUIET = SECONDS + 0.6
ROUNDS = 6
CONNECTIONS = 8

FETCH = next(text for text in trusted() if "query FetchContext" in text)


@dataclass(frozen=True)
class Answer:
    """One answer: its status, whether it is refused as it should be, and the seconds it took."""

    status: int
    is_proper_refusal: bool
    seconds: float


Ask = Callable[[], Awaitable[Answer]]


def prove(figures: Figures) -> None:
    """Notes what of the flood was admitted, and how the steady reader fared."""
    with tempfile.TemporaryDirectory(prefix="steadylight-flood-") as made:
        folder = Path(made)
        with EmbeddedDatabase.start(folder / "data") as mongod:
            asyncio.run(prepared(Settings(mongodb_uri=mongod.uri, database=NAME, log_level="error"), actions=1_000))
            two = keys(mongod.uri, NAME, web="SELF_SERVICE", ivr="SELF_SERVICE")
            given = {
                "STEADYLIGHT_MONGODB_URI": mongod.uri,
                "STEADYLIGHT_DATABASE": NAME,
                "STEADYLIGHT_RATE_PER_CREDENTIAL": f"{LIMIT}/{SECONDS} seconds",
            }
            servers = [ServerProcess(folder / f"{number}.log", "--port", 0, **given) for number in range(2)]
            try:
                ports = [urlsplit(server.url).port or 0 for server in servers]
                asyncio.run(_flood(figures, ports, flooding=two["web"], steady=two["ivr"]))
            finally:
                for server in servers:
                    server.stop()


async def _flood(figures: Figures, ports: Sequence[int], *, flooding: str, steady: str) -> None:
    async with _asking(ports, steady) as reads:
        await _paced(reads, STEADY, QUIET)  # not counted: first connections, first look at the key
        quiet, flooded, flood = [await _paced(reads, STEADY, QUIET)], [], []
        for _ in range(ROUNDS):
            async with _asking(ports, flooding) as floods:  # anew: the server closes what is idle for seconds
                both = await asyncio.gather(_paced(reads, STEADY, FLOODING), _paced(floods, FLOOD, FLOODING))
            flooded.append(both[0])
            flood.append(both[1])
            quiet.append(await _paced(reads, STEADY, QUIET))
    admitted = [sum(answer.status == 200 for answer in answers) for answers in flood]
    refused = [answer for answers in flood for answer in answers if answer.status != 200]
    sent = sum(map(len, flood))
    figures.note("rate of each credential, over both servers", RATE, "a second")
    figures.note("asked by the flood, over its rate", sent / (ROUNDS * FLOODING * RATE), at_least=3)
    figures.note("windows flooded", ROUNDS * WINDOWS)
    figures.note(
        "admitted of it over its rate, in all windows",
        sum(admitted) / (ROUNDS * WINDOWS * LIMIT),
        at_least=0.9,
        at_most=1.1,
    )
    figures.note("the most, in two windows", max(admitted) / (WINDOWS * LIMIT), at_most=1.1)
    figures.note("the least, in two windows", min(admitted) / (WINDOWS * LIMIT), at_least=0.9)
    figures.note("refused of it", len(refused), at_least=1)
    proper = sum(answer.is_proper_refusal for answer in refused)
    figures.note("of these 429 RATE_LIMITED with Retry-After", proper, exactly=len(refused))
    turned_away = Counter(answer.status for answers in (*quiet, *flooded) for answer in answers)
    figures.note("reads by the steady credential, at half of its rate", turned_away[200])
    figures.note("of these refused or failed", turned_away.total() - turned_away[200], exactly=0)
    beside = [before + after for before, after in pairwise(quiet)]
    pairs = list(zip(beside, flooded, strict=True))
    latency = statistics.median(_latency(with_flood) / _latency(without) for without, with_flood in pairs)
    throughput = statistics.median(
        (len(without) / QUIET / 2) / (len(with_flood) / FLOODING) for without, with_flood in pairs
    )
    figures.note("its median without the flood", statistics.median(map(_latency, quiet)) * 1000, "ms")
    figures.note("its median with the flood over without", latency, at_most=1.2)
    figures.note("its reads a second without the flood over with", throughput, at_most=1.2)
    figures.note("median of a refusal", _latency(refused or flood[0]) * 1000, "ms")


@asynccontextmanager
async def _asking(ports: Sequence[int], key: str) -> AsyncIterator[Sequence[Ask]]:
    """Connections, in turn to each of the servers, on which one context is asked for."""
    who = {"identifiers": [{"kind": "login", "value": "FEW", "assurance": "LOGIN"}]}
    prepared = graphql(key, FETCH, who)
    async with AsyncExitStack() as stack:
        asks = []
        for number in range(CONNECTIONS):
            reader, writer = await asyncio.open_connection("127.0.0.1", ports[number % len(ports)])
            stack.callback(writer.close)
            asks.append(_ask(reader, writer, prepared))
        yield asks


def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, prepared: bytes) -> Ask:
    async def ask() -> Answer:
        started = time.perf_counter()
        writer.write(prepared)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        body = await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0]))
        status = int(head.split(b" ", 2)[1])
        is_proper = status == 429 and b"\r\nretry-after: " in head and b'"code":"RATE_LIMITED"' in body
        return Answer(status, is_proper, time.perf_counter() - started)

    return ask


async def _paced(asks: Sequence[Ask], per_second: float, seconds: float) -> list[Answer]:
    """All answers to so many requests a second, spread evenly; a connection that is late leaves requests out."""
    answers: list[Answer] = []
    pause = len(asks) / per_second

    async def work(ask: Ask, due: float) -> None:
        while due < end:
            await asyncio.sleep(due - time.perf_counter())
            answers.append(await ask())
            due += pause
            while due < time.perf_counter():
                due += pause

    begin = time.perf_counter()
    end = begin + seconds
    await asyncio.gather(*(work(ask, begin + number / per_second) for number, ask in enumerate(asks)))
    return answers


def _latency(answers: Sequence[Answer]) -> float:
    return statistics.median(answer.seconds for answer in answers)
