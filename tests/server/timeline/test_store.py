"""Appending and paging actions: the same as sorting and filtering them in Python, at the cost of what is returned."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steadylight_server.core.assurance import Assurance
from steadylight_server.core.errors import Unavailable
from steadylight_server.core.paging import Page, Position, Window
from steadylight_server.identity.models import Identifier
from steadylight_server.timeline.contacts import recent_pipeline
from steadylight_server.timeline.models import Action, ActionFilter, Order, Outcome, Subject
from steadylight_server.timeline.store import ActionStore, page_query
from tests.factories import fact
from tests.server.conftest import Slices

START = datetime(2026, 11, 22, 9, tzinfo=UTC)
CASE, ORDER = Subject("case", "1"), Subject("order", "1")
OURS, THEIRS, NOBODYS = UUID(int=1), UUID(int=2), UUID(int=3)


def minute(number: int) -> datetime:
    return START + timedelta(minutes=number)


def made(profile: UUID, number: int) -> Action:
    """Few distinct times and sequences, so that every part of the order decides somewhere."""
    return fact(
        profile,
        id=UUID(int=(number * 7919) % 1000 + (profile.int << 64)),
        channel=("web", "ivr", "desk")[number % 3],
        type=("plan.viewed", "case.opened")[number // 3 % 2],
        subject=(CASE, None, ORDER, None)[number // 2 % 4],
        at=minute(number % 10),
        sequence=number % 4,
        properties={"number": number},
    )


FACTS = [made(profile, number) for number in range(120) for profile in (OURS, THEIRS)]


@pytest.fixture(scope="module")
async def filled(shared: Slices) -> ActionStore:
    outcomes = await shared.stores.actions.append(FACTS)
    assert set(outcomes) == {Outcome.STORED}
    return shared.stores.actions


def matching(profiles: Sequence[UUID], wanted: ActionFilter, order: Order) -> list[Action]:
    """The whole list, as Python filters and sorts it."""
    found = [
        one
        for one in FACTS
        if one.profile_id in profiles
        and wanted.channel in (None, one.channel)
        and wanted.type in (None, one.type)
        and wanted.subject in (None, one.subject)
        and (wanted.since is None or one.at >= wanted.since)
        and (wanted.until is None or one.at < wanted.until)
    ]
    return sorted(found, key=lambda one: one.position, reverse=order is Order.NEWEST_FIRST)


def expected(profiles: Sequence[UUID], wanted: ActionFilter, order: Order, window: Window) -> Page[Action]:
    """The page, as the Relay specification cuts it out of the whole list."""
    sign = 1 if order is Order.OLDEST_FIRST else -1

    def is_later(one: Position, other: Position) -> bool:
        return one > other if sign == 1 else one < other

    inside = [
        one
        for one in matching(profiles, wanted, order)
        if (window.after is None or is_later(one.position, window.after))
        and (window.before is None or is_later(window.before, one.position))
    ]
    if window.backwards:
        return Page(inside[-window.limit :], window.before is not None, len(inside) > window.limit)
    return Page(inside[: window.limit], len(inside) > window.limit, window.after is not None)


WANTED = [
    ActionFilter(*chosen)
    for chosen in product((None, "web"), (None, "plan.viewed"), (None, CASE), (None, minute(2)), (None, minute(7)))
]
CURSORS = [(None, None), (minute(3), None), (None, minute(6)), (minute(3), minute(6))]


@dataclass(frozen=True)
class Asked:
    """One combination of everything that can be asked."""

    profiles: tuple[UUID, ...]
    wanted: ActionFilter
    order: Order
    window: Window


def combinations() -> list[Asked]:
    asked = []
    for wanted, order, backwards, (low, high), profiles in product(
        WANTED, Order, (False, True), CURSORS, ((OURS,), (OURS, THEIRS))
    ):
        early, late = (Position(at, 2, UUID(int=500)) if at else None for at in (low, high))
        after, before = (early, late) if order is Order.OLDEST_FIRST else (late, early)
        asked.append(Asked(profiles, wanted, order, Window(3, after, before, backwards)))
    return asked


async def in_turns(works: Sequence[Any]) -> list[Any]:
    """All results, a few at a time."""
    turns = asyncio.Semaphore(8)

    async def one(work: Any) -> Any:
        async with turns:
            return await work()

    return await asyncio.gather(*(one(work) for work in works))


async def test_every_combination_gives_what_filtering_and_sorting_gives(filled: ActionStore) -> None:
    asked = combinations()

    pages = await in_turns(
        [lambda one=one: filled.page(one.profiles, one.wanted, one.order, one.window) for one in asked]
    )

    assert len(asked) == 1024
    for one, page in zip(asked, pages, strict=True):
        assert page == expected(one.profiles, one.wanted, one.order, one.window), one


async def test_every_combination_examines_little_more_than_it_returns(shared: Slices, filled: ActionStore) -> None:
    asked = combinations()

    async def plan(one: Asked) -> Any:
        query, sort = page_query(one.profiles, one.wanted, one.order, one.window)
        return await shared.plan(
            {"find": "actions", "filter": query, "sort": dict(sort), "limit": one.window.limit + 1}
        )

    plans = await in_turns([lambda one=one: plan(one) for one in asked])

    for one, found in zip(asked, plans, strict=True):
        assert found.is_frugal(len(one.profiles)), (one, found)
        assert found.documents <= found.returned, (one, found)
    assert max(found.returned for found in plans) == 4


times = st.none() | st.integers(-1, 11).map(minute)
cursors = st.none() | st.sampled_from(FACTS).map(lambda one: one.position)
filters = st.builds(
    ActionFilter,
    st.sampled_from([None, "web", "ivr", "branch"]),
    st.sampled_from([None, "plan.viewed", "case.opened", "case.closed"]),
    st.sampled_from([None, CASE, ORDER, Subject("case", "2")]),
    times,
    times,
)
windows = st.builds(Window, st.integers(1, 100), cursors, cursors, st.booleans())
profiles = st.sampled_from([(OURS,), (THEIRS,), (NOBODYS,), (OURS, THEIRS), (OURS, NOBODYS)])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(profiles, filters, st.sampled_from(Order), windows)
async def test_any_page_is_what_filtering_and_sorting_gives(
    filled: ActionStore, profiles: tuple[UUID, ...], wanted: ActionFilter, order: Order, window: Window
) -> None:
    page = await filled.page(profiles, wanted, order, window)

    assert page == expected(profiles, wanted, order, window)


@pytest.mark.parametrize("profiles", [(OURS,), (OURS, THEIRS)])
@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("backwards", [False, True])
async def test_paging_through_gives_each_action_once(
    filled: ActionStore, profiles: tuple[UUID, ...], order: Order, backwards: bool
) -> None:
    for wanted in WANTED:
        walked: list[Action] = []
        window = Window(19, backwards=backwards)
        while True:
            page = await filled.page(profiles, wanted, order, window)
            if backwards:
                walked[:0] = page.items
                window = Window(19, before=page.items[0].position if page.items else None, backwards=True)
            else:
                walked += page.items
                window = Window(19, after=page.items[-1].position if page.items else None)
            if not (page.has_previous if backwards else page.has_next):
                break

        assert walked == matching(profiles, wanted, order), wanted


async def test_nothing_is_asked_for_by_an_empty_name(filled: ActionStore) -> None:
    for wanted in (ActionFilter(channel=""), ActionFilter(type=""), ActionFilter(subject=Subject("", ""))):
        assert (await filled.page([OURS], wanted, Order.NEWEST_FIRST, Window())).items == []


async def test_the_newest_and_the_contacts_come_in_one_cheap_round_trip(shared: Slices, filled: ActionStore) -> None:
    await shared.stores.contacts.project(FACTS)
    pipeline = recent_pipeline([OURS, THEIRS], 5)

    async with shared.watched() as done:
        newest, found = await filled.recent([OURS, THEIRS], 20, {"contacts": pipeline})

    assert newest == matching([OURS, THEIRS], ActionFilter(), Order.NEWEST_FIRST)[:20]
    assert len(found["contacts"]) == 5
    (one,) = done
    assert one["command"]["aggregate"] == "actions"
    assert one["nreturned"] == 25
    assert one["keysExamined"] <= 2 * 25 + 2 * 2
    assert one["docsExamined"] <= 25 + 2 * 2
    assert not one.get("hasSortStage")


async def test_actions_are_found_by_id(shared: Slices, filled: ActionStore) -> None:
    ids = [one.id for one in FACTS[:3]]

    async with shared.watched() as done:
        found = [one async for one in filled.by_ids([*ids, uuid4()])]
        nothing = [one async for one in filled.by_ids([])]

    assert sorted(found) == sorted(FACTS[:3])
    assert nothing == []
    (one,) = done
    assert (one["nreturned"], one["docsExamined"]) == (3, 3)
    assert one["keysExamined"] <= 2 * 3 + 1


async def test_all_actions_can_be_read(filled: ActionStore) -> None:
    ours = [one async for one in filled.all() if one.profile_id in (OURS, THEIRS)]

    assert sorted(ours) == sorted(FACTS)


full = fact(
    uuid4(),
    identifiers=(Identifier("login", "C-1", Assurance.LOGIN), Identifier("email", "a@example.org", Assurance.CLAIMED)),
    actor="AGENT",
    agent="a.singh",
    contact="call-1",
    journey="move-house",
    subject=CASE,
    claimed_at=minute(1),
    sequence=2**53 - 1,
    properties={"a": [1, 2.5, None, True, {"b.c": "$d", "": 2**63 - 1}], "$set": {"$inc": -(2**63)}},
)


async def test_an_action_comes_back_as_it_was_stored(shared: Slices) -> None:
    await shared.stores.actions.append([full])

    assert [one async for one in shared.stores.actions.by_ids([full.id])] == [full]


async def test_actions_that_differ_in_one_thing_alone_keep_it(slices: Slices) -> None:
    """All of one batch, in which what is the same is shared."""
    other: dict[str, Any] = {
        "profile_id": THEIRS,
        "identifiers": (Identifier("login", "C-2", Assurance.LOGIN),),
        "assurance": Assurance.IN_PERSON,
        "received_at": minute(5),
        "contact": "another",
        "journey": "another",
        "agent": "another",
        "channel": "desk",
        "type": "case.closed",
        "subject": ORDER,
        "actor": "AGENT",
        "at": minute(3),
        "sequence": 77,
        "properties": {"n": 2},
        "claimed_at": minute(4),
        "traits": {"plan": "fibre"},
    }
    one = fact(OURS, id=uuid4(), contact="c", journey="j", agent="a", subject=CASE, at=START)
    given = [one, *(one._replace(**{"id": uuid4(), name: value}) for name, value in other.items())]

    await slices.stores.actions.append(given)

    found = {action.id: action async for action in slices.stores.actions.by_ids([action.id for action in given])}
    assert [found[action.id] for action in given] == given
    assert set(other) | {"id"} == set(Action._fields)


async def test_what_is_absent_takes_no_space(shared: Slices) -> None:
    bare = fact(uuid4())
    await shared.stores.actions.append([bare])

    (document,) = await shared.documents("actions", _id=bare.id)

    assert set(document) == {
        *("_id", "profile_id", "order", "facets", "channel", "type", "at", "sequence", "actor"),
        *("identifiers", "properties", "received_at"),
    }
    assert len(document["facets"]) == 4


async def test_a_repeated_action_is_a_duplicate_and_changes_nothing(shared: Slices) -> None:
    one, other = full._replace(id=uuid4()), fact(uuid4())
    assert await shared.stores.actions.append([one]) == [Outcome.STORED]

    outcomes = await shared.stores.actions.append([one._replace(received_at=minute(999)), other])

    assert outcomes == [Outcome.DUPLICATE, Outcome.STORED]
    assert [found async for found in shared.stores.actions.by_ids([one.id])] == [one]


@pytest.mark.parametrize(
    "other",
    [
        {"received_at": minute(99)},
        {"profile_id": uuid4()},
        {"at": minute(2)},  # corrected otherwise; the device said the same
        {"identifiers": tuple(one._replace(assurance=Assurance.OTP) for one in full.identifiers)},
        {"identifiers": full.identifiers[::-1]},
    ],
)
async def test_what_the_server_alone_decides_makes_no_conflict(shared: Slices, other: dict[str, Any]) -> None:
    one = full._replace(id=uuid4())
    await shared.stores.actions.append([one])

    assert await shared.stores.actions.append([one._replace(**other)]) == [Outcome.DUPLICATE]


@pytest.mark.parametrize(
    "other",
    [
        {"sequence": 1},
        {"type": "plan.bought"},
        {"claimed_at": minute(2)},
        {"claimed_at": None, "at": minute(2)},
        {"channel": "ivr"},
        {"actor": "SYSTEM"},
        {"agent": "b.jones"},
        {"agent": None},
        {"contact": "call-2"},
        {"contact": None},
        {"journey": "complain"},
        {"journey": None},
        {"subject": ORDER},
        {"subject": None},
        {"properties": {}},
        {"identifiers": full.identifiers[:1]},
        {"identifiers": (Identifier("login", "C-2", Assurance.LOGIN), full.identifiers[1])},
    ],
)
async def test_the_same_id_for_something_else_is_a_conflict(shared: Slices, other: dict[str, Any]) -> None:
    one = full._replace(id=uuid4())
    await shared.stores.actions.append([one])

    assert await shared.stores.actions.append([one._replace(**other)]) == [Outcome.CONFLICT]
    assert [found async for found in shared.stores.actions.by_ids([one.id])] == [one]


async def test_the_same_id_twice_in_one_batch_is_stored_once(shared: Slices) -> None:
    one = fact(uuid4())

    outcomes = await shared.stores.actions.append([one, one, one._replace(type="case.opened")])

    assert sorted(outcomes) == [Outcome.CONFLICT, Outcome.DUPLICATE, Outcome.STORED]
    assert outcomes[0] is Outcome.STORED
    assert len(await shared.documents("actions", profile_id=one.profile_id)) == 1


async def test_a_write_that_fails_otherwise_is_to_be_sent_again(slices: Slices) -> None:
    one, other = fact(uuid4()), fact(uuid4())
    await slices.stores.actions.append([one])
    # A rule of the database that one of them breaks stands for whatever may be wrong with one write.
    await slices.database.raw.command("collMod", "actions", validator={"type": {"$ne": "case.opened"}})

    outcomes = await slices.stores.actions.append([fact(uuid4(), type="case.opened"), one, other])

    assert outcomes == [Outcome.RETRY, Outcome.DUPLICATE, Outcome.STORED]


async def test_actions_that_the_majority_did_not_confirm_are_not_called_stored(shared: Slices) -> None:
    unconfirmed: dict[str, Any] = {"writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"}}

    async with shared.failing("insert", collection="actions", **unconfirmed):
        with pytest.raises(Unavailable):
            await shared.stores.actions.append([fact(uuid4())])


async def test_what_is_appended_is_streamed_in_order(shared: Slices) -> None:
    one, other = fact(uuid4()), full._replace(id=uuid4())
    async with shared.stores.actions.appended() as appended:
        await shared.stores.actions.append([one])
        await shared.stores.actions.append([other])
        until = await shared.database.moment()

        reached = [appended.has_reached(until)]
        given = []
        for _ in range(2):
            given.append(await appended.next())
            reached.append(appended.has_reached(until))
        nothing = await appended.next()

    assert given == [one, other]
    assert reached[:2] == [False, False]
    assert nothing is None
