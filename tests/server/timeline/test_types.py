"""Types are noted once; who met one first is told."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steadylight_server.timeline.models import Action
from steadylight_server.timeline.types import TypeStore
from tests.factories import fact
from tests.server.conftest import TAKEN, Slices

START = datetime(2026, 11, 22, 9, tzinfo=UTC)


def seen(type: str, second: int = 0) -> Action:
    return fact(uuid4(), type=type, received_at=START + timedelta(seconds=second))


@pytest.fixture
def types(shared: Slices) -> TypeStore:
    """As a process that has just started has it."""
    return TypeStore(shared.database)


@pytest.fixture
def name() -> str:
    """A type that no other test has."""
    return f"plan.{uuid4().hex}"


async def test_the_first_action_of_a_type_is_told_once(shared: Slices, types: TypeStore, name: str) -> None:
    first, second, other = seen(name, 1), seen(name, 2), seen(f"{name}.other", 3)

    assert await types.project([second, first, other]) == [first, other]
    assert await types.project([second, first, other]) == []
    assert await TypeStore(shared.database).project([first]) == []


async def test_a_type_keeps_the_time_at_which_it_was_first_received(
    shared: Slices, types: TypeStore, name: str
) -> None:
    await types.project([seen(name, 5)])
    await types.project([seen(name, 9)])
    await types.project([seen(name, 2)])

    assert await shared.documents("action_types", _id=name) == [
        {"_id": name, "first_seen_at": START + timedelta(seconds=2)}
    ]


async def test_of_several_servers_that_meet_a_type_at_once_one_tells_it(shared: Slices, name: str) -> None:
    told = await asyncio.gather(*(TypeStore(shared.database).project([seen(name)]) for _ in range(20)))

    assert sum(len(one) for one in told) == 1


async def test_a_type_that_another_server_noted_a_moment_before_is_not_new(
    shared: Slices, types: TypeStore, name: str
) -> None:
    await TypeStore(shared.database).project([seen(name, 5)])

    async with shared.failing("update", collection="action_types", times=1, **TAKEN):
        told = await types.project([seen(name, 3)])

    assert told == []
    assert await shared.documents("action_types", _id=name) == [
        {"_id": name, "first_seen_at": START + timedelta(seconds=3)}
    ]


async def test_a_type_that_was_noted_costs_no_write_again(shared: Slices, types: TypeStore, name: str) -> None:
    await types.project([seen(name, 1)])

    async with shared.watched() as done:
        await types.project([seen(name, 1), seen(name, 2)])

    assert done == []


async def test_more_types_than_are_remembered_are_still_noted(
    shared: Slices, types: TypeStore, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steadylight_server.timeline.types._MOST_KNOWN", 0)
    first = seen(name)

    assert await types.project([first]) == [first]
    assert await types.project([first]) == []


batches = st.lists(st.lists(st.integers(0, 20), min_size=1, max_size=3), min_size=1, max_size=5)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches.flatmap(lambda given: st.tuples(st.just(given), st.permutations([*given, *given]))))
async def test_order_and_repetition_make_no_difference(
    shared: Slices, orders: tuple[list[list[int]], list[list[int]]]
) -> None:
    names = [f"plan.{uuid4().hex}" for _ in orders]
    for name, order in zip(names, orders, strict=True):
        stores = [TypeStore(shared.database), TypeStore(shared.database)]
        for index, batch in enumerate(order):
            await stores[index % 2].project([seen(name, second) for second in batch])

    earliest = START + timedelta(seconds=min(min(batch) for batch in orders[0]))
    for name in names:
        assert await shared.documents("action_types", _id=name) == [{"_id": name, "first_seen_at": earliest}]
