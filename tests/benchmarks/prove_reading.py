"""Reading a context, beside the least that a read through the same server costs; and what the index is asked.

A context over a `find_one` of equal bytes through the same server; the same with a thousand and a million customers in
the database, whoever of them is asked for, and with 10 and 100,000 actions of the customer; for every query of a
timeline that is offered, the index keys examined over what was returned.
"""

import itertools
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from steadylight_server.api.schema import trusted
from steadylight_server.core.config import Settings
from steadylight_server.core.embedded import EmbeddedDatabase
from steadylight_server.core.mongo import Database
from steadylight_server.core.paging import Window
from steadylight_server.timeline.models import ActionFilter, Order, Subject
from steadylight_server.timeline.store import page_query

from .bench import connections, graphql, paired, request, server, shared_out
from .data import prepared
from .figures import Figures

ROUNDS = 7
READS = 320
MILLION = 1_000_000
MANY = 100_000

FETCH = next(text for text in trusted() if "query FetchContext" in text)
TYPED = """query Context($input: ContextInput!) { context(input: $input) {
  customer { id identifiers { kind value } } assurance claims { kind value assurance } at token
  actions { id type at sequence channel actor agent contact journey subject { kind id } properties }
  contacts { id channel key firstAt lastAt outcome } } }"""


async def prove(figures: Figures) -> None:
    """Runs on an embedded database."""
    with tempfile.TemporaryDirectory() as directory, EmbeddedDatabase.start(Path(directory)) as embedded:
        small = Settings(mongodb_uri=embedded.uri, database="small", log_level="error")
        large = Settings(mongodb_uri=embedded.uri, database="large", log_level="error")
        key = await prepared(small, actions=1_000)
        large_key = await prepared(large, actions=MILLION, of_one=MANY, customers=MILLION)
        await _reading(figures, small, key, large, large_key, embedded.uri)
        await _keys_examined(figures, large)


async def _reading(figures: Figures, small: Settings, key: str, large: Settings, large_key: str, uri: str) -> None:
    """One context in all circumstances."""
    with server(uri, small.database) as port, server(uri, large.database) as large_port:
        whole = [graphql(key, FETCH, _who("MANY"))] * READS
        typed = [graphql(key, TYPED, _who("MANY"))] * READS
        async with connections(port, 1) as (client,):
            answer = orjson.loads(await client.send(whole[0]))
            document = orjson.dumps(answer["data"]["contextDocument"]).decode()
        figures.note("a context", len(document), "bytes")
        figures.note("actions in it", len(answer["data"]["contextDocument"]["actions"]))
        database = Database(uri, small.database)
        await database.raw["floor"].replace_one({"_id": "one"}, {"body": document}, upsert=True)
        await database.close()
        floor = [request("/floor/one")] * READS
        for at_once in (1, 16, 64):
            ratio = await paired(_reads(port, whole, at_once), _reads(port, floor, at_once), rounds=ROUNDS)
            bound = 4.0 if at_once == 16 else None
            figures.note(f"ContextDocument over find_one of equal bytes, {at_once} at once", ratio, at_most=bound)
        ratio = await paired(_reads(port, typed, 16), _reads(port, floor, 16), rounds=ROUNDS)
        figures.note("typed context over find_one of equal bytes, 16 at once", ratio, at_most=20)
        few, many = ([graphql(large_key, FETCH, {**_who(name), "recent": 10})] * READS for name in ("FEW", "MANY"))
        crowd, of_few = (
            [graphql(secret, FETCH, _who(f"C-{at * customers // READS}")) for at in range(READS)]
            for secret, customers in ((large_key, MILLION), (key, 1_000))
        )
        ratio = await paired(_reads(large_port, crowd, 16), _reads(port, of_few, 16), rounds=ROUNDS * 2)
        figures.note(f"contexts of {READS} of {MILLION:,} customers over such of 1,000", ratio, at_most=1.2)
        ratio = await paired(_reads(large_port, many, 16), _reads(large_port, few, 16), rounds=ROUNDS * 2)
        figures.note(f"context of a customer with {MANY:,} actions over one with 10", ratio, at_most=1.2)


def _reads(port: int, prepared: Sequence[bytes], at_once: int) -> Any:
    async def work() -> float:
        async with connections(port, at_once) as clients:
            return await shared_out([client.send for client in clients], prepared)

    return work


async def _keys_examined(figures: Figures, settings: Settings) -> None:
    """Every query of a timeline, on the customer with most actions."""
    assert settings.mongodb_uri is not None
    database = Database(settings.mongodb_uri, settings.database)
    found = await database.collection("identifiers").find_one({"kind": "login", "value": "MANY"})
    assert found is not None
    latest = await database.collection("actions").find({"profile_id": found["profile_id"]}, limit=2)
    middle = latest[0]["at"]
    worst, queries = 0.0, 0
    choices = (
        (None, "web"), (None, "plan.viewed"), (None, Subject("plan", "plan-3")), (None, middle), (None, middle),
        (Order.NEWEST_FIRST, Order.OLDEST_FIRST), (False, True), (1, 20, 100),
    )  # fmt: skip
    for channel, type, subject, since, until, order, backwards, limit in itertools.product(*choices):
        wanted = ActionFilter(channel, type, subject, since, until)
        query, sort = page_query([found["profile_id"]], wanted, order, Window(limit, backwards=backwards))
        command = {"find": "actions", "filter": query, "sort": dict(sort), "limit": limit + 1}
        told = await database.raw.command(
            "explain", command, verbosity="executionStats", codec_options=database.raw.codec_options
        )
        stats = told["executionStats"]
        worst = max(worst, (stats["totalKeysExamined"] - 1) / max(stats["nReturned"], 1))
        queries += 1
    await database.close()
    figures.note("queries of a timeline", queries)
    figures.note("index keys examined, less one per profile, over what was returned: the worst", worst, at_most=2)


def _who(login: str) -> dict[str, Any]:
    return {"identifiers": [{"kind": "login", "value": login, "assurance": "LOGIN"}]}
