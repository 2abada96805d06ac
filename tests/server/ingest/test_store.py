"""Intents: leased by the database's own clock, to one sweeper at a time, without scanning."""

import asyncio
from uuid import UUID, uuid4

from steadylight_server.ingest.store import Intent, IntentStore
from tests.server.conftest import Slices


async def test_an_intent_is_leased_when_it_is_old_and_to_one_at_a_time(slices: Slices) -> None:
    patient, hasty = IntentStore(slices.database, lease_seconds=60), IntentStore(slices.database, lease_seconds=0)
    intent = Intent(uuid4(), [uuid4(), UUID(int=0), uuid4()])
    await patient.open(intent)
    await asyncio.sleep(0.002)

    early = await patient.lease_old()
    leased = await hasty.lease_old()
    again = await patient.lease_old()

    assert (early, leased, again) == (None, intent, None)


async def test_a_closed_intent_is_gone(slices: Slices) -> None:
    intents = IntentStore(slices.database, lease_seconds=0)
    intent = Intent(uuid4(), [uuid4()])
    await intents.open(intent)

    await intents.close(intent)
    await intents.close(intent)

    assert await slices.documents("intents") == []
    assert await intents.lease_old() is None


async def test_of_many_sweepers_one_gets_each_intent(slices: Slices) -> None:
    intents = IntentStore(slices.database, lease_seconds=1)
    opened = [Intent(uuid4(), [uuid4()]) for _ in range(5)]
    for intent in opened:
        await intents.open(intent)
    await asyncio.sleep(1.01)

    leased = await asyncio.gather(*(intents.lease_old() for _ in range(12)))

    assert sorted(one.id for one in leased if one) == sorted(one.id for one in opened)


async def test_looking_for_old_intents_scans_nothing(slices: Slices) -> None:
    intents = IntentStore(slices.database, lease_seconds=60)
    for _ in range(20):
        await intents.open(Intent(uuid4(), [uuid4()]))

    async with slices.watched() as done:
        await intents.lease_old()
        await IntentStore(slices.database, lease_seconds=0).lease_old()

    assert [one["planSummary"] for one in done] == ["IXSCAN { leased_at: 1 }"] * 2
    assert [one["keysExamined"] <= 2 for one in done] == [True, True]
    assert [one["docsExamined"] <= 1 for one in done] == [True, True]
