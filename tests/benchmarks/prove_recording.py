"""Recording, beside the raw limit of the same database.

Prepared batches of 500 over motor's `insert_many` of the very documents that come of them, into a collection with the
same indexes and the same write concern; both with 4 batches in flight. Beside it, without any index, and from the SDK's
record() to its verdicts.
"""

import asyncio
import itertools
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from bson.binary import Binary
from pymongo.write_concern import WriteConcern

from steadylight import Client
from steadylight_server.api.schema import trusted
from steadylight_server.core.config import Settings
from steadylight_server.core.embedded import EmbeddedDatabase
from steadylight_server.core.mongo import Database
from steadylight_server.timeline.store import ActionStore

from .bench import connections, graphql, paired, server, shared_out
from .data import CUSTOMERS, PER_BATCH, PER_VISIT, batch, prepared
from .figures import Figures

IN_FLIGHT = 4
BATCHES = 20
ROUNDS = 7
# It was 0.4655 before anybody was linked, or kept as a persona until they are known: that may cost a tenth.
LEAST = 0.419

RECORD = next(text for text in trusted() if "mutation RecordActions" in text)


async def prove(figures: Figures) -> None:
    """Runs on an embedded database."""
    with tempfile.TemporaryDirectory() as directory, EmbeddedDatabase.start(Path(directory)) as embedded:
        settings = Settings(mongodb_uri=embedded.uri, database="recording", log_level="error")
        key = await prepared(settings, actions=1_000, batches=CUSTOMERS * PER_VISIT // PER_BATCH)
        await _recording(figures, settings, key, embedded.uri)


async def _recording(figures: Figures, settings: Settings, key: str, uri: str) -> None:
    """The server beside motor alone, and the SDK beside both."""
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
                prepared = [graphql(key, RECORD, {"batch": one}) for one in batches]
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
            figures.note("recording over insert_many with the same indexes", ratio, at_least=LEAST)
            ratio = await paired(by_motor(bare), through_the_server, rounds=ROUNDS)
            figures.note("recording over insert_many without any index", ratio)
            per_second = BATCHES * PER_BATCH / await through_the_server()
            figures.note("recorded", round(per_second), "actions/s")
            seconds, cpu = await asyncio.to_thread(_through_the_sdk, port, key)
            figures.note("from the SDK's record() to its verdicts", round(BATCHES * PER_BATCH / seconds), "actions/s")
            figures.note("CPU of 10,000 actions in the SDK", round(cpu * 10_000 / (BATCHES * PER_BATCH), 3), "s")
    await database.close()


def _through_the_sdk(port: int, key: str) -> tuple[float, float]:
    """Seconds from the first record() to the last verdict, and of CPU in this process, which does nothing else."""
    with Client(url=f"http://127.0.0.1:{port}", key=key) as client:
        visits = [client.customer(login=f"C-{number}", assurance="LOGIN").contact() for number in range(50)]
        started, used = time.perf_counter(), time.process_time()
        for index in range(BATCHES * PER_BATCH):
            visits[index % 50].record("plan.viewed", {"plan": "fibre-500", "price": 39.9, "step": 3})
        assert client.flush(60) == 0
        return time.perf_counter() - started, time.process_time() - used
