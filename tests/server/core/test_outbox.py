"""What is not on the timeline yet: looked after by age, and one that cannot be recorded lets the others by."""

from datetime import timedelta
from uuid import uuid4

from steadylight_server.core.clock import in_milliseconds, now
from steadylight_server.core.outbox import Outbox
from tests.server.conftest import Slices


async def test_what_cannot_be_recorded_lets_the_others_come_first(house: Slices) -> None:
    collection = house.database.collection(f"box-{uuid4().hex[:8]}")
    box, at = Outbox(collection), in_milliseconds(now())
    first, second = uuid4(), uuid4()
    for age, id in ((2, first), (1, second)):
        deeds = [{"_id": uuid4()}]
        await collection.insert_one({"_id": id, "deeds": deeds, "deeds_at": at - timedelta(seconds=age)})

    before = [id for id, _ in await box.unrecorded(at, 1)]
    await box.put_off(first, at + timedelta(minutes=1))
    after = [id for id, _ in await box.unrecorded(at, 10)]
    later = [id for id, _ in await box.unrecorded(at + timedelta(minutes=2), 10)]

    assert (before, after, later) == ([first], [second], [second, first])


async def test_what_was_recorded_meanwhile_is_not_put_off(house: Slices) -> None:
    collection = house.database.collection(f"box-{uuid4().hex[:8]}")
    box, id, deed, at = Outbox(collection), uuid4(), uuid4(), in_milliseconds(now())
    await collection.insert_one({"_id": id, "deeds": [{"_id": deed}], "deeds_at": at})

    await box.recorded(id, [deed])
    await box.put_off(id, at + timedelta(minutes=1))

    assert await collection.find_one({"_id": id}) == {"_id": id, "deeds": []}
