"""What the other slices use of the timeline."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from steadylight_server.core.errors import NotFound
from steadylight_server.core.paging import Window
from steadylight_server.timeline.models import ActionFilter, Order, Outcome
from steadylight_server.timeline.service import Recent
from tests.factories import fact
from tests.server.conftest import Slices

START = datetime(2026, 11, 22, 9, tzinfo=UTC)


async def test_appended_actions_are_paged(house: Slices) -> None:
    profile = uuid4()
    facts = [fact(profile, at=START + timedelta(minutes=number)) for number in range(3)]

    outcomes = await house.timeline.append(facts)
    page = await house.timeline.page([profile], ActionFilter(), Order.OLDEST_FIRST, Window(2))

    assert outcomes == [Outcome.STORED] * 3
    assert page.items == facts[:2]
    assert page.has_next


async def test_recent_are_the_newest_actions_and_at_most_ten_contacts(house: Slices) -> None:
    profile = uuid4()
    facts = [fact(profile, at=START + timedelta(hours=number), contact=f"call-{number}") for number in range(12)]
    await house.timeline.append(facts)
    await house.timeline.project(facts)

    actions, contacts, traits, _ = await house.timeline.recent([profile], 2)

    assert actions == [facts[11], facts[10]]
    assert traits == []
    assert [one.key for one in contacts] == [f"call-{number}" for number in range(11, 1, -1)]


async def test_nobody_has_nothing_recent(house: Slices) -> None:
    assert await house.timeline.recent([uuid4()], 20) == Recent([], [], [], {})


async def test_an_action_is_found_by_its_id_or_not_at_all(house: Slices) -> None:
    one = fact(uuid4())
    await house.timeline.append([one])

    assert await house.timeline.action(one.id) == one
    with pytest.raises(NotFound, match="There is no such action"):
        await house.timeline.action(uuid4())


async def test_what_is_appended_can_be_followed(house: Slices) -> None:
    one = fact(uuid4())

    async with house.timeline.appended() as appended:
        await house.timeline.append([one])

        assert await appended.next() == one
