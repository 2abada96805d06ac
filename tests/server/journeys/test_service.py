"""Journeys: one of a type and key at a time, whoever asks; nobody undoes what another did first; nobody asks again."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from steadylight_server.access.models import Viewer
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.clock import now
from steadylight_server.core.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from steadylight_server.journeys.models import (
    Again,
    Change,
    Form,
    Journey,
    JourneyType,
    Known,
    Question,
    Reuse,
    Status,
)
from steadylight_server.journeys.names import named
from steadylight_server.operations.journeys import PickedUp
from steadylight_server.operations.models import Asker
from steadylight_server.timeline.models import Action
from tests.factories import action, batch, login, viewer
from tests.server.conftest import Slices

WEB, SMS, IVR = viewer("web"), viewer("sms"), viewer("ivr")


def asker(*identifiers: dict[str, str], contact: str | None = "c-1") -> Asker:
    return Asker(uuid4(), identifiers, contact)


def somebody(assurance: str = "LOGIN") -> dict[str, str]:
    return login(uuid4().hex, assurance)


async def start(
    slices: Slices,
    who: dict[str, str],
    by: Viewer = WEB,
    type: str = "add-broadband",
    key: str = "",
    contact: str = "c-1",
) -> PickedUp:
    return (await slices.errands.start(by, asker(who, contact=contact), type, key)).result


async def ask(
    slices: Slices, who: dict[str, str], journey: Journey, question: str, by: Viewer = WEB, contact: str = "c-1"
) -> Known:
    return (await slices.errands.ask(by, asker(who, contact=contact), journey.id, question)).result


async def answer(
    slices: Slices,
    who: dict[str, str],
    journey: Journey,
    question: str,
    value: Any,
    by: Viewer = WEB,
    contact: str = "c-1",
) -> None:
    await slices.errands.answer(by, asker(who, contact=contact), journey.id, question, value)


async def advance(slices: Slices, who: dict[str, str], journey: Journey, to: str, came_from: str | None) -> Change:
    return (await slices.errands.advance(WEB, asker(who), journey.id, to, came_from)).result[0]


async def become(
    slices: Slices, who: dict[str, str], journey: Journey, status: Status, outcome: str | None = None
) -> Change:
    return (await slices.errands.become(WEB, asker(who), journey.id, status, outcome)).result[0]


async def told_of(slices: Slices, journey: Journey) -> list[str]:
    found = await slices.documents("actions", journey=named(journey))
    return [one["type"] for one in sorted(found, key=lambda one: one["order"])]


async def test_a_journey_that_was_left_in_one_channel_is_picked_up_in_another(house: Slices) -> None:
    who = somebody()
    begun = await start(house, who)
    await answer(house, who, begun.journey, "postcode", "SW1A 1AA")

    found = await start(house, who, SMS, contact="sms-7")

    assert not begun.resumed
    assert found.resumed
    assert found.journey.id == begun.journey.id
    assert [(one.question, one.value, one.channel, one.contact) for one in found.answers] == [
        ("postcode", "SW1A 1AA", "web", "c-1")
    ]
    assert await told_of(house, begun.journey) == ["journey.started", "journey.answered", "journey.resumed"]


async def test_another_type_key_or_customer_has_a_journey_of_its_own(house: Slices) -> None:
    who = somebody()
    ids = {
        (await start(house, person, type=type, key=key)).journey.id
        for person, type, key in ((who, "a", ""), (who, "b", ""), (who, "a", "order-7"), (somebody(), "a", ""))
    }

    assert len(ids) == 4


async def test_a_repeated_operation_is_done_once(house: Slices) -> None:
    who, once = somebody(), asker(somebody())
    first = (await house.errands.start(WEB, once, "a", "")).result
    second = (await house.errands.start(WEB, once, "a", "")).result
    step = asker(who)
    journey = (await start(house, who)).journey

    moved = [(await house.errands.advance(WEB, step, journey.id, "plan", None)).result[0] for _ in range(2)]

    assert first == second
    assert not second.resumed
    assert await told_of(house, first.journey) == ["journey.started"]
    assert [change.is_done for change in moved] == [True, True]
    assert await told_of(house, journey) == ["journey.started", "journey.advanced"]


async def test_an_operation_s_id_stands_for_one_thing(house: Slices) -> None:
    who, once = somebody(), uuid4()
    journey = (await start(house, who)).journey
    await house.errands.ask(WEB, Asker(once, [who], "c-1"), journey.id, "postcode")

    for others in (
        house.errands.answer(WEB, Asker(once, [who], "c-1"), journey.id, "postcode", "SW1A 1AA"),
        house.errands.ask(WEB, Asker(once, [who], "c-1"), journey.id, "name"),
        house.errands.ask(WEB, Asker(once, [who], "c-2"), journey.id, "postcode"),
        house.errands.start(WEB, Asker(once, [who], "c-1"), "other", ""),
        house.errands.advance(WEB, Asker(once, [who], "c-1"), journey.id, "plan", None),
        house.errands.become(WEB, Asker(once, [who], "c-1"), journey.id, Status.CANCELLED, None),
    ):
        with pytest.raises(Conflict):
            await others
    await house.errands.ask(WEB, Asker(once, [who], "c-1"), journey.id, "postcode")

    assert await told_of(house, journey) == ["journey.started", "journey.asked"]
    assert (await house.journeys.one(journey.id)).revision == 1


async def test_the_id_of_somebody_s_action_does_not_let_a_stranger_in(house: Slices) -> None:
    who = somebody()
    journey = (await start(house, who)).journey
    await answer(house, who, journey, "postcode", "SW1A 1AA")
    (deed, *_) = [one["_id"] for one in await house.documents("actions", journey=named(journey))]

    for stranger in (Asker(deed, [somebody()], None), Asker(deed, (), uuid4().hex)):
        with pytest.raises(Conflict):
            await house.errands.start(WEB, stranger, "add-broadband", "")
        with pytest.raises(Conflict):
            await house.errands.ask(WEB, stranger, journey.id, "postcode")

    assert await told_of(house, journey) == ["journey.started", "journey.answered"]


async def test_who_has_proven_nothing_has_no_journeys_of_who_was_known_there(house: Slices) -> None:
    who, key = somebody(), uuid4().hex
    journey = (await start(house, who)).journey
    await answer(house, who, journey, "postcode", "SW1A 1AA")
    ahead = (now() + timedelta(seconds=20)).isoformat()  # a clock that is a little fast
    await house.ingest.record(WEB, batch(action(contact=key), action(who, contact=key, at=ahead)))

    found = (await house.errands.start(WEB, Asker(uuid4(), (), key), "add-broadband", "")).result

    assert not found.resumed
    assert found.journey.id != journey.id
    assert found.answers == []
    with pytest.raises(NotFound):
        await house.errands.ask(WEB, Asker(uuid4(), (), key), journey.id, "postcode")


async def test_an_outcome_has_a_bound(house: Slices) -> None:
    who = somebody()
    journey = (await start(house, who)).journey

    with pytest.raises(Invalid, match="at most 100"):
        await become(house, who, journey, Status.COMPLETED, "x" * 101)

    assert (await become(house, who, journey, Status.COMPLETED, "x" * 100)).is_done


async def test_what_is_open_is_listed_first(house: Slices) -> None:
    who = somebody()
    old, waiting, ended = [(await start(house, who, key=key)).journey for key in ("1", "2", "3")]
    await become(house, who, waiting, Status.WAITING)
    await become(house, who, ended, Status.COMPLETED)

    shown = await house.journeys.of((await house.identity.customer(old.profile_id)).profile_ids)

    assert [one.journey.key for one in shown] == ["2", "1", "3"]


async def test_of_many_who_start_at_once_one_does(house: Slices) -> None:
    who, processes = somebody(), [house, house.beside()]

    found = await asyncio.gather(*(start(processes[number % 2], who, contact=f"c-{number}") for number in range(32)))

    assert len({one.journey.id for one in found}) == 1
    assert sorted(one.resumed for one in found) == [False] + [True] * 31
    assert sorted(await told_of(house, found[0].journey)) == ["journey.resumed"] * 31 + ["journey.started"]
    assert len(await house.documents("journeys", profile_id=found[0].journey.profile_id)) == 1


async def test_of_many_steps_at_once_one_is_taken_and_the_others_are_told(house: Slices) -> None:
    who = somebody()
    journey = (await start(house, who)).journey

    changes = await asyncio.gather(*(advance(house, who, journey, f"step-{number}", None) for number in range(8)))

    (winner,) = (change.journey.step for change in changes if change.is_done)
    assert [change.journey.step for change in changes] == [winner] * 8
    assert (await told_of(house, journey)).count("journey.advanced") == 1
    (loser, *_) = (change.journey for change in changes if not change.is_done)
    assert (loser.changed_in, loser.changed_at is not None) == ("web", True)


async def test_a_journey_ends_once_and_a_completed_one_can_be_opened_again(house: Slices) -> None:
    who = somebody()
    journey = (await start(house, who)).journey

    done = await become(house, who, journey, Status.COMPLETED, "ordered")
    late = await become(house, who, journey, Status.CANCELLED)
    again = await become(house, who, journey, Status.OPEN)

    assert (done.is_done, done.journey.status, done.journey.outcome) == (True, Status.COMPLETED, "ordered")
    assert (late.is_done, late.journey.status) == (False, Status.COMPLETED)
    assert (again.is_done, again.journey.status, again.journey.reopened, again.journey.outcome) == (
        True,
        Status.OPEN,
        1,
        None,
    )
    cancelled = await become(house, who, journey, Status.CANCELLED)
    assert cancelled.is_done
    assert not (await become(house, who, journey, Status.OPEN)).is_done


async def test_what_ended_is_not_picked_up_and_is_not_opened_beside_another(house: Slices) -> None:
    who = somebody()
    first = (await start(house, who)).journey
    await become(house, who, first, Status.COMPLETED)
    second = await start(house, who)

    assert not second.resumed
    assert second.journey.id != first.id
    with pytest.raises(Conflict):
        await become(house, who, first, Status.OPEN)
    assert (await house.journeys.one(first.id)).reopened == 0


async def test_waiting_is_open_and_goes_on_without_being_counted_as_reopened(house: Slices) -> None:
    who = somebody()
    journey = (await start(house, who)).journey

    await become(house, who, journey, Status.WAITING)
    found = await start(house, who)
    on = await become(house, who, journey, Status.OPEN)

    assert found.resumed
    assert found.journey.status is Status.WAITING
    assert (on.is_done, on.journey.reopened) == (True, 0)


async def test_another_customer_s_journey_is_not_there(house: Slices) -> None:
    journey = (await start(house, somebody())).journey

    stranger = somebody()
    for asked in (
        ask(house, stranger, journey, "postcode"),
        answer(house, stranger, journey, "postcode", "x"),
        advance(house, stranger, journey, "plan", None),
        become(house, stranger, journey, Status.CANCELLED),
        ask(house, somebody("CLAIMED"), journey, "postcode"),
    ):
        with pytest.raises(NotFound):
            await asked
    assert await told_of(house, journey) == ["journey.started"]


async def test_an_action_of_a_stranger_that_names_the_journey_answers_nothing(house: Slices) -> None:
    who = somebody()
    journey = (await start(house, who)).journey
    forged = {"type": "journey.answered", "journey": named(journey), "contact": "c-9"}

    await house.ingest.record(WEB, batch(action(somebody(), **forged, properties={"question": "iban", "value": "X"})))

    assert (await ask(house, who, journey, "iban")).answer is None


async def test_what_somebody_unknown_began_goes_on_when_it_is_clear_who_they_are(house: Slices) -> None:
    who, key = somebody(), uuid4().hex
    unknown = Asker(uuid4(), (), key)
    journey = (await house.errands.start(WEB, unknown, "a", "")).result.journey
    await house.errands.answer(WEB, Asker(uuid4(), (), key), journey.id, "postcode", "SW1A 1AA")

    await house.ingest.record(WEB, batch(action(who, contact=key)))
    found = await start(house, who, SMS, type="a", contact="sms-1")

    assert found.resumed
    assert found.journey.id == journey.id
    assert [one.value for one in found.answers] == ["SW1A 1AA"]


async def test_what_somebody_unknown_began_goes_on_with_the_first_thing_they_do_known(house: Slices) -> None:
    who, keys = somebody(), [uuid4().hex for _ in range(3)]
    begun = [(await start(house, login(key, "CLAIMED"), key=key, contact=key)).journey for key in keys]
    for key, journey in zip(keys, begun, strict=True):
        await answer(house, login(key, "CLAIMED"), journey, "postcode", "SW1A 1AA", contact=key)

    found = await start(house, who, key=keys[0], contact=keys[0])
    known = await ask(house, who, begun[1], "postcode", contact=keys[1])
    with pytest.raises(NotFound):
        await ask(house, who, begun[2], "postcode", contact="elsewhere")

    assert (found.resumed, found.journey.id) == (True, begun[0].id)
    assert [one.value for one in found.answers] == ["SW1A 1AA"]
    assert known.answer is not None
    customer = await house.identity.customer(begun[0].profile_id)
    assert {begun[0].profile_id, begun[1].profile_id} < set(customer.profile_ids)
    with pytest.raises(NotFound):  # it is theirs by now
        await ask(house, somebody(), begun[0], "postcode", contact=keys[0])


@pytest.mark.parametrize("value", [None, "x" * 33_000])
async def test_an_answer_can_be_taken_back_and_has_a_bound(house: Slices, value: object) -> None:
    who = somebody()
    journey = (await start(house, who)).journey
    await answer(house, who, journey, "name", "Ann")

    if value is None:
        await answer(house, who, journey, "name", None)
        assert (await ask(house, who, journey, "name")).answer is None
    else:
        with pytest.raises(Invalid):
            await answer(house, who, journey, "name", value)
        assert (await ask(house, who, journey, "name")).answer is not None


def declare(slices: Slices, **fields: Any) -> None:
    questions: Sequence[Question] = fields.pop("questions", ())
    type = JourneyType("add-broadband", 1, questions={one.name: one for one in questions}, **fields)
    slices.journeys.types.declare({type.name: type})


async def test_a_declared_type_says_which_answers_and_steps_there_are(house: Slices) -> None:
    who = somebody()
    declare(house, steps=("where", "what"), questions=[Question("speed", form=Form.NUMBER)])
    journey = (await start(house, who)).journey

    assert journey.step == "where"
    with pytest.raises(Invalid, match="a number is wanted"):
        await answer(house, who, journey, "speed", "fast")
    with pytest.raises(Invalid, match="one of where, what"):
        await advance(house, who, journey, "why", "where")
    assert (await advance(house, who, journey, "what", "where")).is_done


async def test_a_journey_keeps_the_rules_that_it_began_with(house: Slices) -> None:
    who = somebody()
    rules = Question("speed", "How fast?", Form.NUMBER, r"\d+", ("1", "2"), fresh_for=timedelta(days=2))
    declare(house, steps=("where",), questions=[rules], stalls_after=timedelta(hours=1), label="Broadband")
    begun = (await start(house, who)).journey
    house.journeys.types.declare({})

    found = (await start(house, who)).journey

    assert found.type == begun.type
    assert found.type.questions["speed"] == rules


async def test_a_bar_keeps_out_who_has_not_proven_enough(house: Slices) -> None:
    value = uuid4().hex
    declare(house, resume=Assurance.OTP, resume_in={"ivr": Assurance.LOGIN})
    journey = (await start(house, login(value))).journey

    number = {"kind": "customer-number", "value": value, "assurance": "KNOWLEDGE"}
    with pytest.raises(Forbidden, match="OTP"):
        await start(house, number)
    with pytest.raises(Forbidden, match="LOGIN"):
        await start(house, login(value, "OTP"), IVR)
    assert (await start(house, login(value, "OTP"), SMS)).journey.id == journey.id


async def test_a_merge_keeps_both_open_and_unlinking_parts_them(house: Slices) -> None:
    from steadylight_server.operations.service import Operations

    one, other = ({"kind": "customer-number", "value": uuid4().hex, "assurance": "OTP"} for _ in range(2))
    first, second = (await start(house, one)).journey, (await start(house, other)).journey
    await answer(house, one, first, "postcode", "SW1A 1AA")
    deeds = Operations(house.identity, house.audit)
    customers = [await house.identity.customer(journey.profile_id) for journey in (first, second)]

    link = await deeds.merge(viewer(None), customers[0], customers[1], id=uuid4(), why="the same person")
    together = await start(house, one, SMS, contact="sms-1")
    shown = await house.journeys.of((await house.identity.customer(first.profile_id)).profile_ids)
    await deeds.unlink(viewer(None), link, id=uuid4(), why="they are two")
    apart = [await start(house, who, SMS, contact="sms-2") for who in (one, other)]

    assert together.journey.id == second.id
    assert [answer.value for answer in together.answers] == ["SW1A 1AA"]
    assert [(each.journey.id, each.duplicate_of) for each in shown] == [(second.id, None), (first.id, second.id)]
    assert [each.journey.id for each in apart] == [first.id, second.id]
    assert [len(each.answers) for each in apart] == [1, 0]


# Why a customer is asked again: one test for each cause.


async def causes(slices: Slices, journey: Journey) -> list[tuple[str, str, Again | None]]:
    customer = await slices.identity.customer(journey.profile_id)
    return [(one.question, one.channel, one.again) for one in await slices.journeys.asks(journey, customer)]


async def test_who_asks_first_asks_the_customer_nothing_twice(house: Slices) -> None:
    who = somebody()
    journey = (await start(house, who)).journey
    first = await ask(house, who, journey, "postcode")
    await answer(house, who, journey, "postcode", "SW1A 1AA")

    second = await ask(house, who, journey, "postcode", SMS, "sms-1")

    assert first == Known(Question("postcode"))
    assert second.answer is not None
    assert (second.answer.value, second.use, second.again) == ("SW1A 1AA", Reuse.USE, None)
    assert await causes(house, journey) == [("postcode", "web", None), ("postcode", "sms", None)]


async def test_not_fetched(house: Slices) -> None:
    who = somebody()
    journey = (await start(house, who)).journey
    await answer(house, who, journey, "postcode", "SW1A 1AA")

    await answer(house, who, journey, "postcode", "SW1A 1AA", SMS, "sms-1")

    assert await causes(house, journey) == [("postcode", "web", None), ("postcode", "sms", Again.NOT_FETCHED)]


async def test_fetched_not_shown(house: Slices) -> None:
    who = somebody()
    journey = (await start(house, who)).journey
    await answer(house, who, journey, "postcode", "SW1A 1AA")

    assert (await ask(house, who, journey, "postcode", SMS, "sms-1")).answer is not None
    await answer(house, who, journey, "postcode", "SW1A 1AA", SMS, "sms-1")

    assert (await causes(house, journey))[1:] == [
        ("postcode", "sms", None),
        ("postcode", "sms", Again.FETCHED_NOT_SHOWN),
    ]


async def test_not_recorded(house: Slices) -> None:
    who = somebody()
    journey = (await start(house, who)).journey
    await ask(house, who, journey, "postcode")  # the customer said it, and the channel forgot
    await ask(house, who, journey, "speed")  # and went on; then the customer left

    again = [(await ask(house, who, journey, name, SMS, "sms-1")).again for name in ("postcode", "speed")]

    assert again == [Again.NOT_RECORDED, None]
    assert (await causes(house, journey))[2:] == [("postcode", "sms", Again.NOT_RECORDED), ("speed", "sms", None)]


async def test_stale(house: Slices) -> None:
    who = somebody()
    declare(house, questions=[Question("postcode", fresh_for=timedelta(days=1))])
    journey = (await start(house, who)).journey
    await answer(house, who, journey, "postcode", "SW1A 1AA")

    try:
        house.clock.at = now() + timedelta(hours=23)
        assert (await ask(house, who, journey, "postcode", IVR, "ivr-1")).answer is not None
        house.clock.at = now() + timedelta(hours=25)
        assert (await ask(house, who, journey, "postcode", SMS, "sms-1")).again is Again.STALE
        assert (await ask(house, who, journey, "postcode")).again is Again.STALE  # in the same contact, a day later
    finally:
        house.clock.at = None
    asked_late = (await causes(house, journey))[-2:]  # at one moment, by the clock of this test
    assert sorted(asked_late) == [("postcode", "sms", Again.STALE), ("postcode", "web", Again.STALE)]


async def test_assurance_too_low(house: Slices) -> None:
    value = uuid4().hex
    declare(house, questions=[Question("iban", assurance=Assurance.LOGIN)])
    journey = (await start(house, login(value))).journey
    await answer(house, login(value), journey, "iban", "DE02")

    known = await ask(house, login(value, "OTP"), journey, "iban", SMS, "sms-1")

    assert (known.answer, known.again) == (None, Again.ASSURANCE_TOO_LOW)
    assert (await start(house, login(value, "OTP"), SMS)).answers == []
    assert (await causes(house, journey))[-1] == ("iban", "sms", Again.ASSURANCE_TOO_LOW)


async def test_reverify(house: Slices) -> None:
    who = somebody()
    declare(house, questions=[Question("pin", reuse=Reuse.NEVER)])
    journey = (await start(house, who)).journey
    await answer(house, who, journey, "pin", "1234")

    here, there = await ask(house, who, journey, "pin"), await ask(house, who, journey, "pin", SMS, "sms-1")

    assert (here.use, here.again) == (Reuse.USE, None)
    assert (there.answer, there.again) == (None, Again.REVERIFY)
    assert (await causes(house, journey))[-1] == ("pin", "sms", Again.REVERIFY)


async def test_to_confirm_is_not_to_be_asked_again(house: Slices) -> None:
    who = somebody()
    declare(house, questions=[Question("postcode", reuse=Reuse.CONFIRM)])
    journey = (await start(house, who)).journey
    await answer(house, who, journey, "postcode", "SW1A 1AA")

    assert (await ask(house, who, journey, "postcode", SMS, "sms-1")).use is Reuse.CONFIRM
    await answer(house, who, journey, "postcode", "SW1A 1AA", SMS, "sms-1")

    assert [again for _, _, again in await causes(house, journey)] == [None, None]


async def test_a_shared_question_is_answered_for_every_journey(house: Slices) -> None:
    who = somebody()
    shared = Question("postcode", is_shared=True)
    house.journeys.types.declare(
        {name: JourneyType(name, 1, questions={"postcode": shared}) for name in ("buy", "move")} | {}
    )
    buy, move = [(await start(house, who, type=name)).journey for name in ("buy", "move")]
    undeclared = (await start(house, who, type="fix")).journey
    await answer(house, who, buy, "postcode", "SW1A 1AA")

    known = [await ask(house, who, one, "postcode", SMS, "sms-1") for one in (move, undeclared)]

    assert [one.answer and one.answer.value for one in known] == ["SW1A 1AA", None]


# What becomes of a journey by itself.


@pytest.fixture
async def stalling(house: Slices) -> Slices:
    """Where no other journey is due."""
    await house.database.collection("journeys").drop()
    await house.stores.journeys.create_indexes()
    declare(house, stalls_after=timedelta(hours=1), abandoned_after=timedelta(days=1))
    return house


async def later(slices: Slices, **span: float) -> int:
    slices.clock.at = now() + timedelta(**span)
    try:
        return await slices.errands.catch_up()
    finally:
        slices.clock.at = None


async def test_a_journey_stalls_and_is_abandoned_each_once(stalling: Slices) -> None:
    journey = (await start(stalling, somebody())).journey

    done = [await later(stalling, minutes=minutes) for minutes in (59, 61, 62, 23 * 60, 25 * 60, 26 * 60)]

    assert done == [0, 1, 0, 0, 1, 0]
    assert await told_of(stalling, journey) == ["journey.started", "journey.stalled", "journey.changed"]
    found = await stalling.journeys.one(journey.id)
    assert (found.status, found.stalled_at is not None, found.due_at) == (Status.ABANDONED, True, None)
    assert await stalling.documents("contacts", profile_id=journey.profile_id, slot={"$exists": True}) == []


async def test_whoever_does_something_about_it_puts_it_off(stalling: Slices) -> None:
    who = somebody()
    journey = (await start(stalling, who)).journey
    stalling.clock.at = now() + timedelta(minutes=50)
    await answer(stalling, who, journey, "postcode", "SW1A 1AA")
    stalling.clock.at = None

    done = [await later(stalling, minutes=minutes) for minutes in (61, 109, 111)]

    assert done == [0, 0, 1]
    assert (await told_of(stalling, journey))[-1] == "journey.stalled"


async def test_a_stranger_who_names_it_does_not_put_it_off(stalling: Slices) -> None:
    who, key = somebody(), uuid4().hex
    journey = (await start(stalling, login(key, "CLAIMED"), contact=key)).journey
    await stalling.ingest.record(WEB, batch(action(somebody(), journey=named(journey))))
    before = (await stalling.journeys.one(journey.id)).active_at

    await ask(stalling, who, journey, "postcode", contact=key)  # by who was unknown until then

    assert before == journey.active_at
    assert (await stalling.journeys.one(journey.id)).active_at > before


async def test_what_waits_or_has_ended_does_not_stall(stalling: Slices) -> None:
    who = somebody()
    waiting = (await start(stalling, who)).journey
    await become(stalling, who, waiting, Status.WAITING)
    ended = (await start(stalling, who, key="2")).journey
    await become(stalling, who, ended, Status.COMPLETED)

    assert await later(stalling, days=3) == 0
    await become(stalling, who, waiting, Status.OPEN)
    assert await later(stalling, minutes=61) == 1


async def test_two_servers_fire_a_due_journey_once(stalling: Slices) -> None:
    journeys = [(await start(stalling, somebody())).journey for _ in range(5)]
    stalling.clock.at = now() + timedelta(minutes=61)
    try:
        await asyncio.gather(*(process.errands.catch_up() for process in (stalling, stalling.beside()) for _ in "ab"))
    finally:
        stalling.clock.at = None

    for journey in journeys:
        assert await told_of(stalling, journey) == ["journey.started", "journey.stalled"]


async def test_what_a_server_did_before_it_died_is_recorded_by_another(stalling: Slices) -> None:
    journey = (await start(stalling, somebody())).journey
    stalling.clock.at = now() + timedelta(minutes=61)
    (deed,) = await stalling.journeys.fire()  # and there it died
    stalling.clock.at = None
    before = await told_of(stalling, journey)

    assert await later(stalling, minutes=61, seconds=5) == 0
    assert await later(stalling, minutes=61, seconds=15) == 1
    assert await later(stalling, minutes=61, seconds=30) == 0
    assert before == ["journey.started"]
    assert await told_of(stalling, journey) == ["journey.started", "journey.stalled"]
    (stored,) = await stalling.documents("actions", _id=deed.id)
    assert stored["profile_id"] == journey.profile_id


async def test_answers_are_the_same_in_any_order_and_however_often(house: Slices) -> None:
    who = somebody()
    journey = (await start(house, who)).journey
    for number in range(6):
        await ask(house, who, journey, "postcode", contact=f"c-{number}")
        await answer(house, who, journey, "postcode", number, contact=f"c-{number}")
    stored = await house.documents("answers", journey=named(journey))
    actions = [one async for one in house.timeline.by_ids([x["_id"] for x in await house.documents("actions")])]

    await house.database.collection("answers").drop()
    await house.stores.answers.create_indexes()
    for one in reversed([*actions, *actions]):
        await house.stores.answers.project([one])

    assert await house.documents("answers", journey=named(journey)) == stored
    assert stored[0]["said"]["value"] == 5


async def test_a_start_repeated_after_its_end_tells_of_the_same_journey(house: Slices) -> None:
    who = somebody()
    once = asker(who)
    first = (await house.errands.start(WEB, once, "a", "")).result
    await become(house, who, first.journey, Status.COMPLETED)

    again = (await house.errands.start(WEB, once, "a", "")).result

    assert (again.journey.id, again.journey.status, again.resumed) == (first.journey.id, Status.COMPLETED, False)
    assert len(await house.documents("journeys", profile_id=first.journey.profile_id)) == 1


async def test_a_deed_that_is_not_stored_stays_until_it_is(stalling: Slices) -> None:
    who = somebody()
    journey = (await start(stalling, who)).journey
    async with stalling.failing("insert", collection="actions", errorCode=112):
        with pytest.raises(Unavailable):
            await advance(stalling, who, journey, "plan", None)

    assert "journey.advanced" not in await told_of(stalling, journey)
    assert (await stalling.journeys.one(journey.id)).step == "plan"
    assert await later(stalling, seconds=15) == 1
    assert await told_of(stalling, journey) == ["journey.started", "journey.advanced"]


async def test_a_deed_that_cannot_be_recorded_holds_up_no_other(
    stalling: Slices, monkeypatch: pytest.MonkeyPatch
) -> None:
    journeys = [(await start(stalling, somebody())).journey for _ in range(2)]
    keep, bad = stalling.ingest.keep, named(journeys[0])

    async def broken(actions: Sequence[Action]) -> None:
        if actions[0].journey == bad:
            raise ValueError("no")
        await keep(actions)

    monkeypatch.setattr(stalling.ingest, "keep", broken)

    assert await later(stalling, minutes=61) == 1
    assert await told_of(stalling, journeys[1]) == ["journey.started", "journey.stalled"]
    (left,) = await stalling.documents("journeys", _id=journeys[0].id)
    assert left["deeds_at"] > now() + timedelta(minutes=61)  # behind whatever else is left


def test_a_pattern_is_not_tried_on_a_novel() -> None:
    question = Question("word", pattern="(a+)+b")

    assert question.fault("ab") is None
    assert question.fault("a" * 1_001) == "word: at most 1000 characters."


async def test_what_was_recorded_leaves_nothing_to_look_after_in_one_write(house: Slices) -> None:
    who = somebody()
    journey = (await start(house, who)).journey
    deed = uuid4()
    for left in (deed, uuid4()):
        await house.stores.journeys.change(journey.id, {}, {}, operation=left, deed={"_id": left}, at=now())

    async with house.watched() as done:
        await house.stores.journeys.outbox.recorded(journey.id, [deed])
    (half,) = await house.documents("journeys", _id=journey.id)
    await house.stores.journeys.outbox.recorded(journey.id, [one["_id"] for one in half["deeds"]])
    (whole,) = await house.documents("journeys", _id=journey.id)

    assert [one["op"] for one in done] == ["update"]
    assert (len(half["deeds"]), "deeds_at" in half) == (1, True)
    assert (whole["deeds"], "deeds_at" in whole) == ([], False)


async def test_a_journey_that_nobody_looked_at_stalls_before_it_is_abandoned(stalling: Slices) -> None:
    journey = (await start(stalling, somebody())).journey

    assert [await later(stalling, days=2, seconds=seconds) for seconds in range(3)] == [1, 1, 0]
    assert await told_of(stalling, journey) == ["journey.started", "journey.stalled", "journey.changed"]


async def test_what_was_taken_back_is_not_asked_again(house: Slices) -> None:
    who = somebody()
    journey = (await start(house, who)).journey
    for value in ("SW1A 1AA", None):
        await answer(house, who, journey, "postcode", value)

    await answer(house, who, journey, "postcode", "N1 1AA", SMS, "sms-1")

    assert await causes(house, journey) == [("postcode", "web", None), ("postcode", "sms", None)]


async def test_what_is_done_while_it_is_looked_at_keeps_it_from_stalling(
    stalling: Slices, monkeypatch: pytest.MonkeyPatch
) -> None:
    journey = (await start(stalling, somebody())).journey
    store = stalling.stores.journeys
    due = store.due

    async def and_then_they_answer(at: datetime, limit: int) -> list[Journey]:
        found = await due(at, limit)
        await store.touch({journey.id: at})
        return found

    monkeypatch.setattr(store, "due", and_then_they_answer)

    assert await later(stalling, minutes=61) == 0
    assert await told_of(stalling, journey) == ["journey.started"]
