"""A search over 10,000 fragments, beside the raw query of tantivy; and a publish is searchable elsewhere within 1 s.

Made-up words, as frequent as words are, in fragments for four audiences; queries of four to eight words. At 16 at once,
the slowest in a hundred through the real server is held against the slowest in a hundred of a raw query (title, heading
and text, any of the words) through a route of the same process. Beside it one search and one query without a server.
"""

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import orjson

from steadylight_server.access.models import ChannelKind
from steadylight_server.app import open_services
from steadylight_server.core.config import Settings
from steadylight_server.core.embedded import EmbeddedDatabase
from steadylight_server.knowledge.audience import EVERYBODY, Audience, Viewpoint
from steadylight_server.knowledge.models import Content, Fragment
from tests.factories import BY

from .app import Raw
from .bench import Connection, connections, graphql, request, server
from .figures import Figures

ARTICLES, FRAGMENTS, WORDS = 100, 100, 120
VOCABULARY = 20_000
QUERIES, AT_ONCE, ROUNDS, PUBLISHED = 320, 16, 5, 20
SEARCH = "query FetchSearch($input: SearchInput!) {\n  searchDocument(input: $input)\n}\n"
AUDIENCES = (EVERYBODY, Audience.of(channels=["web"]), Audience.of(segments=["gold"]), Audience.of(roles=["AGENT"]))


async def prove(figures: Figures) -> None:
    """Runs on an embedded database."""
    chance = random.Random(5)
    queries = [" ".join(_words(chance, chance.randint(4, 8))) + "?" for _ in range(QUERIES)]
    with tempfile.TemporaryDirectory() as directory, EmbeddedDatabase.start(Path(directory)) as embedded:
        settings = Settings(
            mongodb_uri=embedded.uri,
            database="search",
            log_level="error",
            rate_per_credential="unlimited",
            rate_per_customer="unlimited",
        )
        key = await _prepared(settings, chance)
        await _without_a_server(figures, settings, queries)
        with server(embedded.uri, "search") as port:
            await _through(figures, port, key, queries)
        await _published(figures, settings, key)


def _words(chance: random.Random, count: int) -> list[str]:
    """Words as frequent as words are: the n-th about one n-th as often as the first."""
    return [_word(int(VOCABULARY ** chance.random())) for _ in range(count)]


def _word(number: int) -> str:
    """The word of that number: three to ten letters, as far from one another as words are."""
    letters = random.Random(number)
    return "".join(letters.choice("etaoinshrdlucmfwypvbgk") for _ in range(letters.randint(3, 10)))


async def _prepared(settings: Settings, chance: random.Random) -> str:
    """The fragments, published; a key of `web`."""
    assert settings.mongodb_uri is not None
    async with open_services(settings, settings.mongodb_uri) as services:
        await services.access.add_channel("web", ChannelKind.SELF_SERVICE, by=BY)
        _, key = await services.access.add_key("web", by=BY)
        for number in range(ARTICLES):
            parts = [
                Fragment(
                    id=f"f{part}",
                    heading=" ".join(_words(chance, 4)),
                    body=" ".join(_words(chance, WORDS)),
                    locale="en",
                    audience=AUDIENCES[chance.randrange(4)],
                )
                for part in range(FRAGMENTS)
            ]
            content = Content(titles={"en": " ".join(_words(chance, 5))}, locale="en", fragments=tuple(parts))
            await services.editing.publish(f"a{number}", content, revision=0, reason="new", by=BY)
    return key


async def _without_a_server(figures: Figures, settings: Settings, queries: Sequence[str]) -> None:
    """In this process, one after another: search and raw query in turn."""
    assert settings.mongodb_uri is not None
    async with open_services(settings, settings.mongodb_uri) as services:
        raw = Raw(services.search)
        figures.note("fragments", raw.fragments, exactly=ARTICLES * FRAGMENTS)
        eyes = Viewpoint(channel="web")

        async def search(query: str) -> object:
            return await services.search.ask(query, eyes).answer()

        async def plain(query: str) -> object:
            return raw.found(query)

        async def timed(search: Callable[[str], Awaitable[object]]) -> list[float]:
            took = []
            for query in queries:
                started = time.perf_counter()
                await search(query)
                took.append(time.perf_counter() - started)
            return took

        pairs = [(await timed(search), await timed(plain)) for _ in range(ROUNDS)]
    medians = [statistics.median(ours) / statistics.median(plain) for ours, plain in pairs]
    slowest = [_p99(ours) / _p99(plain) for ours, plain in pairs]
    figures.note(
        "a search without a server", statistics.median(map(statistics.median, (a for a, _ in pairs))) * 1e3, "ms"
    )
    figures.note("over the raw query: median", statistics.median(medians))
    figures.note("over the raw query: p99", statistics.median(slowest), at_most=5)


def _p99(took: Sequence[float]) -> float:
    return sorted(took)[int(len(took) * 0.99)]


async def _through(figures: Figures, port: int, key: str, queries: Sequence[str]) -> None:
    """Through a server, at 16 at once: search and raw query in turn."""
    asked = [graphql(key, SEARCH, {"query": query}) for query in queries]
    plain = [request("/raw", body={"query": query}) for query in queries]
    async with connections(port, AT_ONCE) as clients:
        for prepared in (asked[0], plain[0]):
            await clients[0].send(prepared)
        answer = orjson.loads(await clients[0].send(asked[0]))
        figures.note("hits of a query", len(answer["data"]["searchDocument"]["hits"]), at_least=1)
        ratios, slowest = [], []
        for round in range(ROUNDS):
            took = [await _latencies(clients, some) for some in ((asked, plain) if round % 2 else (plain, asked))]
            ours, raw = took if round % 2 else took[::-1]
            ratios.append(_p99(ours) / _p99(raw))
            slowest.append(_p99(ours))
    figures.note(f"p99 of a search through a server, {AT_ONCE} at once", statistics.median(slowest) * 1e3, "ms")
    figures.note("over p99 of the raw query through the same server", statistics.median(ratios), at_most=5)


async def _latencies(clients: Sequence[Connection], requests: Sequence[bytes]) -> list[float]:
    queue, took = list(reversed(requests)), []

    async def work(client: Connection) -> None:
        while queue:
            prepared = queue.pop()
            started = time.perf_counter()
            await client.send(prepared)
            took.append(time.perf_counter() - started)

    await asyncio.gather(*map(work, clients))
    return took


async def _published(figures: Figures, settings: Settings, key: str) -> None:
    """Published here, searched in another server process until it is there."""
    assert settings.mongodb_uri is not None
    took = []
    async with open_services(settings, settings.mongodb_uri) as services:
        with server(settings.mongodb_uri, settings.database) as port:
            async with connections(port, 1) as (client,):
                for number in range(PUBLISHED):
                    content = Content(
                        titles={"en": "News"},
                        locale="en",
                        fragments=(Fragment("body", f"news{_word(number)}", "en"),),
                    )
                    await services.editing.publish(f"news{number}", content, revision=0, reason="new", by=BY)
                    started = time.perf_counter()
                    prepared = graphql(key, SEARCH, {"query": f"news{_word(number)} "})
                    while not orjson.loads(await client.send(prepared))["data"]["searchDocument"]["hits"]:
                        await asyncio.sleep(0.005)
                    took.append(time.perf_counter() - started)
    figures.note("published in one server, found in another: median", statistics.median(took), "s")
    figures.note("published in one server, found in another: the slowest", max(took), "s", at_most=1)
