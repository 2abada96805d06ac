"""Speed: what recording and reading cost beside the raw limits of the same database.

(a) recording prepared batches of 500, over motor's `insert_many` of the very documents that come of them, into a
    collection with the same indexes and the same write concern; both with 4 batches in flight
(b) a context through the graph, over a `find_one` of equal bytes through the same server
(c) the same context with a thousand and a million actions in the database, and with 10 and 100,000 of the customer
(d) for every query of a timeline that is offered: index keys examined, over what was returned
"""

import asyncio
import itertools
import os
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
from bson.binary import Binary
from pymongo.write_concern import WriteConcern

from steadylight import Client
from steadylight_server.access.models import ChannelKind
from steadylight_server.api.schema import trusted
from steadylight_server.app import Stores, open_services
from steadylight_server.core.config import Settings
from steadylight_server.core.embedded import EmbeddedDatabase
from steadylight_server.core.mongo import Database
from steadylight_server.core.paging import Window
from steadylight_server.identity.models import Key
from steadylight_server.timeline.models import ActionFilter, Order, Subject
from steadylight_server.timeline.store import ActionStore, page_query

from .bench import connections, paired, request, server, shared_out
from .data import CUSTOMERS, PER_BATCH, batch, history
from .figures import Figures

IN_FLIGHT = 4
BATCHES = 20
ROUNDS = 7
READS = 320
MILLION = int(os.environ.get("BENCH_ACTIONS", 1_000_000))
MANY = int(os.environ.get("BENCH_OF_ONE_CUSTOMER", 100_000))

RECORD = next(text for text in trusted() if "mutation RecordActions" in text)
FETCH = next(text for text in trusted() if "query FetchContext" in text)
TYPED = """query Context($input: ContextInput!) { context(input: $input) {
  customer { id identifiers { kind value } } assurance claims { kind value assurance } at token
  actions { id type at sequence channel actor agent contact journey subject { kind id } properties }
  contacts { id channel key firstAt lastAt outcome } } }"""


async def prove(figures: Figures) -> None:
    """Runs them all on one embedded database."""
    with tempfile.TemporaryDirectory() as directory, EmbeddedDatabase.start(Path(directory)) as embedded:
        small = Settings(mongodb_uri=embedded.uri, database="small", log_level="error")
        large = Settings(mongodb_uri=embedded.uri, database="large", log_level="error")
        key = await _prepared(small, actions=1_000)
        await _recording(figures, small, key, embedded.uri)
        large_key = await _prepared(large, actions=MILLION)
        await _reading(figures, small, key, large, large_key, embedded.uri)
        await _keys_examined(figures, large)


async def _prepared(settings: Settings, *, actions: int) -> str:
    """A database with that many actions of 1,000 customers, and two customers of 10 and of MANY; a key of `web`."""
    uri = settings.mongodb_uri
    assert uri is not None
    async with open_services(settings, uri) as services:
        await services.access.add_channel("web", ChannelKind.SELF_SERVICE)
        _, key = await services.access.add_key("web")
        viewer = await services.access.authenticate(key)
        for number in range(CUSTOMERS * 10 // PER_BATCH):
            await services.ingest.record(viewer, batch(number))
        names = [Key("login", name) for name in ("FEW", "MANY", *(f"C-{number}" for number in range(1_000)))]
        profiles = await services.identity.resolve(names)
        few, many, *crowd = (profiles[name] for name in names)
    database = Database(uri, settings.database)
    stores = Stores.of(database, settings)
    for ids, count, per_visit in (([few], 10, 1), ([many], MANY if actions > MANY else 10, 1), (crowd, actions, 50)):
        coming = history(ids, count, per_visit=per_visit)
        while some := list(itertools.islice(coming, 2_000)):
            await stores.actions.append(some)
            await stores.contacts.project(some)
    await database.close()
    return key


async def _recording(figures: Figures, settings: Settings, key: str, uri: str) -> None:
    """(a): the server beside motor alone, and the SDK beside both."""
    numbers = itertools.count(10_000)
    database = Database(uri, settings.database)
    indexed = database.raw.get_collection("raw_indexed", write_concern=WriteConcern("majority"))
    await indexed.create_indexes(list(ActionStore.indexes["actions"]))
    bare = database.raw.get_collection("raw_bare", write_concern=WriteConcern("majority"))
    stored = database.raw["actions"]

    with server(uri, settings.database) as port:
        async with connections(port, IN_FLIGHT) as clients:
            latest: list[list[dict[str, Any]]] = []

            async def through_the_server() -> float:
                batches = [batch(next(numbers)) for _ in range(BATCHES)]
                prepared = [_graphql(key, RECORD, {"batch": one}) for one in batches]
                seconds = await shared_out([client.send for client in clients], prepared)
                ids = [[Binary.from_uuid(UUID(action["id"])) for action in one["actions"]] for one in batches]
                latest[:] = [[dict(one) async for one in stored.find({"_id": {"$in": some}})] for some in ids]
                assert sum(map(len, latest)) == BATCHES * PER_BATCH, "not every action was stored"
                return seconds

            def by_motor(collection: Any) -> Any:
                async def work() -> float:
                    if not latest:
                        await through_the_server()
                    batches = [[{**one, "_id": Binary.from_uuid(uuid4())} for one in some] for some in latest]

                    async def insert(some: list[dict[str, Any]]) -> None:
                        await collection.insert_many(some, ordered=False)

                    return await shared_out([insert] * IN_FLIGHT, batches)

                return work

            ratio = await paired(by_motor(indexed), through_the_server, rounds=ROUNDS)
            figures.note("recording over insert_many with the same indexes", ratio, at_least=0.45)
            ratio = await paired(by_motor(bare), through_the_server, rounds=ROUNDS)
            figures.note("recording over insert_many without any index", ratio)
            per_second = BATCHES * PER_BATCH / await through_the_server()
            figures.note("recorded", round(per_second), "actions/s")
            seconds = await asyncio.to_thread(_through_the_sdk, port, key)
            figures.note("from the SDK's record() to its verdicts", round(BATCHES * PER_BATCH / seconds), "actions/s")
    await database.close()


def _through_the_sdk(port: int, key: str) -> float:
    """Seconds from the first record() to the last verdict."""
    with Client(url=f"http://127.0.0.1:{port}", key=key) as client:
        visits = [client.customer(login=f"C-{number}", assurance="LOGIN").contact() for number in range(50)]
        started = time.perf_counter()
        for index in range(BATCHES * PER_BATCH):
            visits[index % 50].record("plan.viewed", {"plan": "fibre-500", "price": 39.9, "step": 3})
        assert client.flush(60) == 0
        return time.perf_counter() - started


async def _reading(figures: Figures, small: Settings, key: str, large: Settings, large_key: str, uri: str) -> None:
    """(b) and (c): one context in all circumstances."""
    with server(uri, small.database) as port, server(uri, large.database) as large_port:
        whole = _graphql(key, FETCH, _who("C-7"))
        typed = _graphql(key, TYPED, _who("C-7"))
        async with connections(port, 1) as (client,):
            answer = orjson.loads(await client.send(whole))
            document = orjson.dumps(answer["data"]["contextDocument"]).decode()
        figures.note("a context", len(document), "bytes")
        figures.note("actions in it", len(answer["data"]["contextDocument"]["actions"]))
        database = Database(uri, small.database)
        await database.raw["floor"].replace_one({"_id": "one"}, {"body": document}, upsert=True)
        await database.close()
        floor = request("/floor/one")
        for at_once in (1, 16, 64):
            ratio = await paired(_reads(port, whole, at_once), _reads(port, floor, at_once), rounds=ROUNDS)
            bound = 6.0 if at_once == 16 else None
            figures.note(f"ContextDocument over find_one of equal bytes, {at_once} at once", ratio, at_most=bound)
        ratio = await paired(_reads(port, typed, 16), _reads(port, floor, 16), rounds=ROUNDS)
        figures.note("typed context over find_one of equal bytes, 16 at once", ratio, at_most=20)
        million = _graphql(large_key, FETCH, _who("C-7"))
        few, many = (_graphql(large_key, FETCH, {**_who(name), "recent": 10}) for name in ("FEW", "MANY"))
        ratio = await paired(_reads(large_port, million, 16), _reads(port, whole, 16), rounds=ROUNDS * 2)
        figures.note(f"context with {MILLION:,} actions over with 1,000", ratio, at_most=1.2)
        ratio = await paired(_reads(large_port, many, 16), _reads(large_port, few, 16), rounds=ROUNDS * 2)
        figures.note(f"context of a customer with {MANY:,} actions over one with 10", ratio, at_most=1.2)


def _reads(port: int, prepared: bytes, at_once: int) -> Any:
    async def work() -> float:
        async with connections(port, at_once) as clients:
            return await shared_out([client.send for client in clients], [prepared] * READS)

    return work


async def _keys_examined(figures: Figures, settings: Settings) -> None:
    """(d), on the customer with most actions."""
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


def _graphql(key: str, query: str, given: object) -> bytes:
    return request("/graphql", key, {"query": query, "variables": {"input": given}})


def _who(login: str) -> dict[str, Any]:
    return {"identifiers": [{"kind": "login", "value": login, "assurance": "LOGIN"}]}
