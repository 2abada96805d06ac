"""Which gaps were met, and where the customers went: a plain re-computation of random histories says the same."""

import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steadylight_server.access.models import ChannelKind
from steadylight_server.capabilities.models import REFUSED
from steadylight_server.core.errors import Invalid
from steadylight_server.insights import service
from steadylight_server.insights.models import Met
from steadylight_server.timeline.models import IMPORTED, Action
from tests.factories import BY, fact, login, viewer
from tests.factories import action as given_action
from tests.factories import batch as given_batch
from tests.server.conftest import Slices

START = datetime(2026, 11, 22, 9, tzinfo=UTC)
CHANNELS = ("branch", "ivr", "web")


async def with_channels(slices: Slices) -> None:
    known = {channel.name for channel in await slices.access.channels()}
    for name in CHANNELS:
        if name not in known:
            await slices.access.add_channel(name, ChannelKind.SELF_SERVICE, by=BY)


async def someone(slices: Slices, name: str) -> UUID:
    """The profile of a login, as ingest makes it."""
    await slices.ingest.record(viewer(), given_batch(given_action(login(name))))
    return (await slices.documents("identifiers", value=name))[0]["profile_id"]


def gap(profile_id: UUID, minutes: float, channel: str = "ivr", **fields: Any) -> Action:
    about = {"capability": "plan.change", "why": "NOT_FEASIBLE", "reason": "nobody can read there"}
    made = {"type": REFUSED, "properties": about, **fields}
    return fact(profile_id, at=START + timedelta(minutes=minutes), channel=channel, **made)


def seen(profile_id: UUID, minutes: float, channel: str, **fields: Any) -> Action:
    return fact(profile_id, at=START + timedelta(minutes=minutes), channel=channel, **fields)


async def keep(slices: Slices, *actions: Action) -> None:
    await slices.ingest.keep(actions)


async def met(slices: Slices, **how: Any) -> Sequence[Met]:
    return (await slices.insights.parity(since=START, **how)).met


@pytest.fixture
async def home(slices: Slices) -> Slices:
    await with_channels(slices)
    return slices


async def test_who_meets_a_gap_and_goes_elsewhere_is_counted_where_they_went(home: Slices) -> None:
    ann, ben, cleo = [await someone(home, name) for name in ("ann", "ben", "cleo")]
    await keep(
        home,
        *[gap(ann, 0), gap(ann, 1), seen(ann, 5, "branch"), seen(ann, 6, "web")],
        *[gap(ben, 0), seen(ben, 2, "ivr"), seen(ben, 31, "web")],
        *[gap(cleo, 0), seen(cleo, 29.9, "web")],
    )

    assert await met(home) == [
        Met("plan.change", "ivr", "NOT_FEASIBLE", times=4, customers=3, changed=2, changes={"branch": 1, "web": 1})
    ]


async def test_how_soon_is_soon_is_asked(home: Slices) -> None:
    ann = await someone(home, "ann")
    await keep(home, gap(ann, 0), seen(ann, 45, "branch"))

    (half_an_hour,) = await met(home)
    (an_hour,) = await met(home, within=timedelta(hours=1))

    assert (half_an_hour.changed, an_hour.changed) == (0, 1)
    for wrong in (timedelta(0), timedelta(hours=25)):
        with pytest.raises(Invalid, match="within"):
            await met(home, within=wrong)


@pytest.mark.parametrize(
    "by_itself",
    [{"actor": "SYSTEM"}, {"type": IMPORTED}, {"actor": "SYSTEM", "journey": "jrn_1"}],
    ids=["a-system", "an-import", "a-journey"],
)
async def test_what_a_system_does_by_itself_brought_nobody_there(home: Slices, by_itself: dict[str, Any]) -> None:
    ann = await someone(home, "ann")
    await keep(home, gap(ann, 0), seen(ann, 1, "web", **by_itself))
    (before,) = await met(home)

    await keep(home, seen(ann, 2, "branch"))

    (after,) = await met(home)
    assert (before.changes, after.changes) == ({}, {"branch": 1})


async def test_a_customer_of_two_profiles_is_one(home: Slices) -> None:
    ann = await someone(home, "ann")
    number = {"kind": "customer-number", "value": "77", "assurance": "LOGIN"}
    await home.ingest.record(viewer("branch"), given_batch(given_action(number)))
    (other,) = [one["profile_id"] for one in await home.documents("identifiers", value="77")]
    await keep(home, gap(ann, 0), seen(other, 3, "branch"))
    (before,) = await met(home)

    await home.ingest.record(viewer(), given_batch(given_action(login("ann"), number)))

    (after,) = await met(home)
    assert (before.changed, after.changed) == (0, 1)


async def test_gaps_are_told_apart_and_the_most_frequent_comes_first(home: Slices) -> None:
    ann = await someone(home, "ann")
    too_low = {"capability": "statement.view", "why": "ASSURANCE_TOO_LOW"}
    odd: list[dict[str, Any]] = [{}, {"capability": 17}, {"capability": "x" * 200, "why": ["?"]}]
    await keep(
        home,
        *[gap(ann, minutes, "web", properties=too_low) for minutes in (0, 100)],
        *[gap(ann, 200 + 50 * number, "ivr", properties=about) for number, about in enumerate(odd)],
        gap(ann, 500),
    )

    told = [(one.capability, one.channel, one.why, one.times) for one in await met(home)]

    assert told == [
        ("statement.view", "web", "ASSURANCE_TOO_LOW", 2),
        ("plan.change", "ivr", "NOT_FEASIBLE", 1),
        ("x" * 100, "ivr", "['?']", 1),
    ]


async def test_what_was_before_is_left_out_and_of_too_many_the_latest_are_looked_at(
    home: Slices, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await someone(home, "ann")
    await keep(home, *(gap(ann, minutes) for minutes in (-1, 0, 100, 200)))
    everything = await home.insights.parity(since=START)

    monkeypatch.setattr(service, "MOST_GAPS", 2)
    some = await home.insights.parity(since=START)

    assert (everything.met[0].times, everything.is_complete) == (3, True)
    assert (some.met[0].times, some.is_complete) == (2, False)


async def test_a_report_reads_by_index_however_long_the_timelines_are(home: Slices) -> None:
    ann = await someone(home, "ann")
    await keep(home, *(seen(ann, minutes, "web") for minutes in range(-200, 0)), gap(ann, 0), seen(ann, 5, "branch"))
    await keep(home, *(seen(ann, minutes, "web") for minutes in range(100, 300)))

    async with home.watched() as done:
        await met(home)

    assert done
    assert not [one for one in done if "COLLSCAN" in one.get("planSummary", "")]
    assert sum(one.get("keysExamined", 0) for one in done) < 30


async def test_a_gap_that_is_projected_by_another_server_later_is_counted_once(home: Slices) -> None:
    ann = await someone(home, "ann")
    told = [gap(ann, 0), seen(ann, 5, "branch")]
    await keep(home, told[1])
    await keep(home, told[0])
    await home.beside().ingest.keep(told)

    assert [(one.times, one.changes) for one in await met(home)] == [(1, {"branch": 1})]


WHAT = st.tuples(
    st.integers(0, 2),  # who
    st.sampled_from(CHANNELS),
    st.integers(0, 90),  # minutes; at one moment there is one thing
    st.booleans(),  # whether it is a gap
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(what=st.lists(WHAT, max_size=25, unique_by=lambda one: one[2]), seed=st.integers(0, 1000))
async def test_any_history_in_any_order_is_counted_as_it_would_be_by_hand(
    home: Slices, what: list[tuple[int, str, int, bool]], seed: int
) -> None:
    people = [await someone(home, f"{uuid4()}") for _ in range(3)]
    await home.database.raw["gaps"].delete_many({})
    told = [
        gap(people[who], minute, channel) if is_gap else seen(people[who], minute, channel)
        for who, channel, minute, is_gap in what
    ]
    random.Random(seed).shuffle(told)
    for one in told:
        await keep(home, one)

    expected = []
    for channel in CHANNELS:
        gaps = [(who, minute) for who, where, minute, is_gap in what if is_gap and where == channel]
        if not gaps:
            continue
        moves = set()
        for who, minute in gaps:
            later = sorted((m, c) for w, c, m, _ in what if w == who and c != channel and minute <= m < minute + 30)
            if later:
                moves.add((who, *later[0]))
        changes = Counter(where for _, _, where in moves)
        expected.append((channel, len(gaps), len({who for who, _ in gaps}), len({one[0] for one in moves}), changes))
    counted = [(one.channel, one.times, one.customers, one.changed, one.changes) for one in await met(home)]
    assert sorted(counted) == sorted(expected)
