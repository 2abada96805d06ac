"""Actions about one subject become one journey, whatever the order, the batches and the server that took them."""

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from steadylight_server.core.paging import Position
from steadylight_server.journeys import threads as module
from steadylight_server.journeys.models import (
    Category,
    JourneyType,
    Status,
    Thread,
    Threaded,
    Threading,
    condition,
)
from steadylight_server.timeline.models import Action, Subject
from tests.factories import fact
from tests.server.conftest import Slices

START = datetime(2026, 11, 22, 9, tzinfo=UTC)
INCIDENT = JourneyType(
    "incident",
    category=Category.ISSUE,
    threads=Threading(
        "case",
        when=condition('actor != "SYSTEM"'),
        completes=condition('type == "case.closed"'),
        reopens=condition('type == "contact.reopened"'),
        counts={
            "groups": condition('type == "case.reassigned" && properties.kind == "group"'),
            "persons": condition('type == "case.reassigned" && properties.kind == "person"'),
        },
    ),
)
ORDER = JourneyType("order", threads=Threading("order", completes=condition("properties.paid")))


def about(id: str, profile_id: UUID, type: str, minute: int = 0, *, kind: str = "case", **fields: Any) -> Action:
    """What was done about a case, so many minutes after the start."""
    return fact(profile_id, type=type, at=START + timedelta(minutes=minute), subject=Subject(kind, id), **fields)


def moved(id: str, profile_id: UUID, kind: str, minute: int) -> Action:
    return about(id, profile_id, "case.reassigned", minute, channel="desk", actor="AGENT", properties={"kind": kind})


@pytest.fixture
async def slices(slices: Slices) -> Slices:
    """With incidents and orders declared."""
    slices.stores.threads.types.declare({"incident": INCIDENT, "order": ORDER})
    return slices


def beside(slices: Slices) -> Slices:
    """Another server with the same blueprint in force."""
    process = slices.beside()
    process.stores.threads.types.declare(slices.stores.threads.types.declared)
    return process


async def kept(slices: Slices) -> list[dict[str, Any]]:
    """The documents, their sets in order."""
    found = await slices.documents("threads")
    for one in found:
        one["channels"].sort()
        for name in ("reopenings", *one.get("counts", ())):
            (one if name == "reopenings" else one["counts"]).get(name, []).sort()
    return found


async def test_a_thread_tells_what_was_done_about_its_subject(slices: Slices) -> None:
    ann = uuid4()
    opened = about("1", ann, "contact.opened", 0, channel="phone")

    await slices.stores.threads.project(
        [
            moved("1", ann, "person", 2),
            about("1", ann, "case.closed", 5, channel="desk"),
            about("1", ann, "case.noted", 9, channel="desk"),
            opened,
            moved("1", ann, "group", 1),
            moved("1", ann, "group", 3),
        ]
    )

    [document] = await slices.documents("threads")
    assert await slices.stores.threads.of([ann], 5) == [
        Thread(
            id=document["_id"],
            profile_id=ann,
            type=INCIDENT,
            subject=Subject("case", "1"),
            status=Status.COMPLETED,
            started_at=START,
            started_in="phone",
            active_at=START + timedelta(minutes=9),
            channels=("desk", "phone"),
            reopened=0,
            counts={"groups": 2, "persons": 1},
            changed_at=START + timedelta(minutes=5),
            changed_in="desk",
        )
    ]
    assert bytes(document["first"]["order"]) == Position(opened.at, opened.sequence, opened.id).packed()


async def test_what_is_not_of_a_thread_makes_none(slices: Slices) -> None:
    ann = uuid4()

    await slices.stores.threads.project(
        [
            fact(ann),
            about("1", ann, "case.closed", journey="complaint"),
            about("1", ann, "case.closed", actor="SYSTEM"),
            about("1", ann, "plan.viewed", kind="plan"),
        ]
    )

    assert await slices.documents("threads") == []


async def test_one_that_was_closed_and_opened_again_is_open_until_it_is_closed(slices: Slices) -> None:
    ann = uuid4()
    told = [
        about("1", ann, "contact.opened", 0),
        about("1", ann, "case.closed", 1),
        about("1", ann, "contact.reopened", 2),
        about("1", ann, "case.closed", 3),
        about("1", ann, "contact.reopened", 4),
    ]

    seen = []
    for done in range(1, 6):
        await slices.stores.threads.project(told[:done])
        [thread] = await slices.stores.threads.of([ann], 1)
        seen.append((thread.status, thread.reopened))

    opened, closed = Status.OPEN, Status.COMPLETED
    assert seen == [(opened, 0), (closed, 0), (opened, 1), (closed, 1), (opened, 2)]


async def test_an_action_may_be_of_several_types_of_journey(slices: Slices) -> None:
    ann = uuid4()
    types = {"incident": INCIDENT, "audit": JourneyType("audit", threads=Threading("case"))}
    slices.stores.threads.types.declare(types)

    await slices.stores.threads.project([about("1", ann, "case.closed")])

    found = await slices.stores.threads.of([ann], 5)
    assert {(one.type.name, one.status) for one in found} == {("incident", "COMPLETED"), ("audit", "OPEN")}


def made(chance: random.Random, people: Sequence[UUID]) -> Action:
    """One of many, spread over few subjects."""
    kinds = ("contact.opened", "case.closed", "contact.reopened", "case.reassigned", "case.noted")
    return about(
        chance.choice("12345"),
        chance.choice(people),
        chance.choice(kinds),
        chance.randrange(60),
        kind=chance.choice(("case", "order")),
        channel=chance.choice(("phone", "web", "desk")),
        actor=chance.choice(("AGENT", "CUSTOMER", "SYSTEM")),
        properties={"kind": chance.choice(("group", "person")), "paid": chance.choice((True, False))},
    )


@pytest.mark.parametrize("seed", range(6))
async def test_any_order_any_batches_any_server_and_any_repetition_give_the_same(slices: Slices, seed: int) -> None:
    chance = random.Random(seed)
    people = [uuid4() for _ in range(3)]
    told = [made(chance, people) for _ in range(120)]
    await slices.stores.threads.project(told)
    wanted = await kept(slices)
    await slices.database.raw["threads"].delete_many({})
    again = told + chance.sample(told, 50)
    chance.shuffle(again)
    servers = [beside(slices), beside(slices)]

    while again:
        size = chance.randint(1, 40)
        some, again = [again[:size], again[size : 2 * size]], again[2 * size :]
        await asyncio.gather(
            *(server.stores.threads.project(part) for server, part in zip(servers, some, strict=True) if part)
        )

    assert len(wanted) > 20
    assert await kept(slices) == wanted


async def test_what_two_profiles_of_a_customer_did_about_one_subject_is_one_thread(slices: Slices) -> None:
    web, phone, other = uuid4(), uuid4(), uuid4()
    told = [
        about("1", web, "contact.opened", 0),
        about("1", phone, "case.closed", 4, channel="phone"),
        moved("1", web, "group", 2),
        moved("1", phone, "group", 3),
        about("2", phone, "contact.opened", 1, channel="phone"),
        about("1", other, "contact.opened", 9),
    ]
    await slices.stores.threads.project(told)

    found = await slices.stores.threads.of([phone, web], 2)

    assert [(one.subject.id, one.profile_id, one.started_in, one.status) for one in found] == [
        ("1", web, "web", "COMPLETED"),
        ("2", phone, "phone", "OPEN"),
    ]
    assert (found[0].counts, found[0].channels) == ({"groups": 2}, ("desk", "phone", "web"))
    assert [one.subject.id for one in await slices.stores.threads.of([phone, web], 1)] == ["1"]
    assert [one.profile_id for one in await slices.stores.threads.of([web], 9)] == [web]


async def test_the_latest_are_read_by_index(slices: Slices) -> None:
    ann, bob = uuid4(), uuid4()
    for number in range(30):
        await slices.stores.threads.project(
            [about(f"{number}", ann, "contact.opened", number), about(f"{number}", bob, "contact.opened", number)]
        )

    found = await slices.stores.threads.of([ann, bob], 3)
    plan = await slices.plan(
        {
            "find": "threads",
            "filter": {"profile_id": {"$in": [ann, bob]}},
            "sort": {"last_at": -1},
            "limit": 6,
        }
    )

    assert [one.subject.id for one in found] == ["29", "28", "27"]
    assert plan.is_frugal(profiles=2), plan


async def test_a_set_ends_where_a_document_would_grow_without_end(
    slices: Slices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_COUNTED", 5)
    ann = uuid4()
    for minute in range(0, 30, 3):
        await slices.stores.threads.project([moved("1", ann, "group", minute + after) for after in range(3)])

    [thread] = await slices.stores.threads.of([ann], 1)
    [document] = await slices.documents("threads")

    assert (thread.counts, thread.active_at) == ({"groups": 5}, START + timedelta(minutes=29))
    assert len(document["counts"]["groups"]) == 6
    assert (await slices.stores.threads.counted())[0].counts == {"groups": 5}


async def test_one_that_is_gone_is_made_again(slices: Slices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_MET", 2)
    ann = uuid4()
    told = [about(f"{number}", ann, "contact.opened", number) for number in range(4)]
    await slices.stores.threads.project(told)
    await slices.database.raw["threads"].delete_many({"subject.id": {"$in": ["1", "3"]}})

    await slices.stores.threads.project([moved(f"{number}", ann, "group", 9) for number in range(4)])

    found = await slices.stores.threads.of([ann], 9)
    assert {one.subject.id: one.started_at.minute for one in found} == {"0": 0, "1": 9, "2": 2, "3": 9}
    assert [one.counts for one in found] == [{"groups": 1}] * 4


async def test_all_are_counted_by_type_and_channel(slices: Slices) -> None:
    ann, bob = uuid4(), uuid4()
    await slices.stores.threads.project(
        [
            about("1", ann, "contact.opened", 0, channel="phone"),
            about("1", ann, "case.closed", 1, channel="desk"),
            about("1", ann, "contact.reopened", 2, channel="phone"),
            about("1", ann, "contact.reopened", 3, channel="phone"),
            about("2", ann, "case.closed", 0),
            about("1", bob, "contact.opened", 0),
            moved("1", bob, "group", 1),
            moved("1", bob, "person", 2),
            moved("2", ann, "group", 1),
            about("7", bob, "order.paid", kind="order", properties={"paid": True}),
        ]
    )

    assert await slices.stores.threads.counted() == [
        Threaded("incident", 3, 1, 1, {"groups": 2, "persons": 1}, {"web": 2, "phone": 1}),
        Threaded("order", 1, 1, 0, {}, {"web": 1}),
    ]


async def test_where_nothing_is_declared_the_database_is_not_asked(slices: Slices) -> None:
    ann = uuid4()
    slices.stores.threads.types.declare({"move": JourneyType("move")})

    async with slices.watched() as done:
        await slices.stores.threads.project([about("1", ann, "case.closed")])
        assert await slices.stores.threads.of([ann], 1) == []

    assert [one["op"] for one in done] == ["query"]
