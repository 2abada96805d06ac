"""A context in few words: what is said, what is not, and that it keeps within its bounds."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from steadylight_server.context import brief
from steadylight_server.context.models import BriefForm, Context
from steadylight_server.core import gsm
from steadylight_server.core.assurance import Assurance
from steadylight_server.identity.models import Customer, Identifier, Key, Profile
from steadylight_server.journeys.models import (
    Answer,
    Category,
    Journey,
    JourneyType,
    Listed,
    Question,
    Sensitivity,
    Status,
)
from steadylight_server.operations.models import Asker
from steadylight_server.timeline.models import Contact
from tests.briefs import NOON, World, hold, worlds
from tests.factories import login, viewer
from tests.server.conftest import Slices

ANN = Customer(UUID(int=1), [Profile(UUID(int=1), UUID(int=1), Key("login", "C-1"), NOON)])
BROADBAND = JourneyType(
    "add-broadband",
    1,
    "Add broadband",
    steps=("address", "install-date"),
    questions={
        "speed": Question("speed", sensitivity=Sensitivity.PUBLIC),
        "postcode": Question("postcode"),
        "pin": Question("pin", sensitivity=Sensitivity.SECRET),
    },
    resume_in={"web": Assurance.LOGIN, "contact-centre": Assurance.OTP},
)
ROUTER = JourneyType("router", 1, "Broken router", Category.ISSUE, steps=("diagnosis",))
BILL = JourneyType("bill", 1, "Wrong bill", Category.COMPLAINT)
SAID = {"postcode": "SW1A 1AA", "speed": 500, "pin": "0000"}
EMPTY = Context(
    customer=ANN,
    persona=None,
    assurance=Assurance.LOGIN,
    claims=(),
    actions=(),
    contacts=(),
    traits=(),
    journeys=(),
    answers={},
    at=NOON,
    token=None,
)

# A context has too many parts to be made smaller in less than minutes; its words tell enough.
_PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
_CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


def journey(type: JourneyType = BROADBAND, status: Status = Status.OPEN, *, ago: float = 2, **fields: Any) -> Journey:
    """One that was last touched so many days ago."""
    at = NOON - timedelta(days=ago)
    return Journey(uuid4(), ANN.id, type, fields.pop("key", ""), status, at, "web", at, **fields)


def stalled(type: JourneyType, **fields: Any) -> Journey:
    return journey(type, stalled_at=NOON, **fields)


def context(*journeys: Journey, **fields: Any) -> Context:
    return replace(EMPTY, journeys=[Listed(one) for one in journeys], **fields)


def said(journey: Journey, answers: Mapping[str, Any] = SAID) -> dict[UUID, list[Answer]]:
    """These answers, each a minute before the one that follows it."""
    at = NOON - timedelta(days=1)
    times = [at - timedelta(minutes=number) for number in range(len(answers), 0, -1)]
    return {
        journey.id: [
            Answer(question, value, time, "web", "visit-1", Assurance.LOGIN, uuid4(), "jrn_1")
            for (question, value), time in zip(answers.items(), times, strict=True)
        ]
    }


def met(channel: str, *, ago: float, **fields: Any) -> Contact:
    at = NOON - timedelta(days=ago)
    return Contact(uuid4(), ANN.id, channel, fields.pop("key", None), at, at, **fields)


@settings(max_examples=100, deadline=None, phases=_PHASES, suppress_health_check=_CHECKS)
@given(worlds)
def test_the_laws_of_short_forms_hold(world: World) -> None:
    hold(world)


def test_a_message_says_what_is_open_and_where_it_goes_on() -> None:
    one = journey(step="install-date", key="12 Long Lane")

    text = brief.sms(context(one, journey(status=Status.WAITING)), said(one))

    assert text == (
        "Add broadband: left at install date, 2 days ago. "
        "Go on in web (signed in) or contact centre (with a code). 1 more is open. Speed: 500."
    )


def test_a_card_says_first_what_is_wrong_then_what_waits_then_what_is_open() -> None:
    broken = stalled(ROUTER, step="diagnosis", ago=3)
    one = journey(step="install-date", key="order 77")
    here = ("desk", "ticket-1")
    contacts = [
        met("desk", ago=0, key="ticket-1"),
        met("contact-centre", ago=1, is_ended=True, outcome="CALL_BACK"),
        met("web", ago=2),
    ]
    known = context(one, journey(BILL, Status.WAITING, ago=40), broken, contacts=contacts)

    lines = brief.card(known, said(one), here)

    assert lines == [
        "Issue: Broken router: stalled at diagnosis, 3 days ago",
        "Complaint: Wrong bill: waiting, 1 month ago",
        "Add broadband: open at install date, 2 days ago; for order 77; speed: 500; postcode: SW1A 1AA",
        "Last contact: contact centre, 1 day ago, CALL_BACK",
        "Who it is: they signed in",
    ]


def test_the_order_is_wrong_then_stalled_then_waiting_then_open_and_the_latest_first() -> None:
    types = [JourneyType(f"t{number}", label=f"T{number}") for number in range(4)]
    journeys = [
        stalled(BILL, ago=9),
        journey(ROUTER, ago=1),
        stalled(types[0]),
        journey(types[1], Status.WAITING),
    ]
    ended = [journey(types[2], status) for status in Status if not status.is_open]

    lines = brief.card(context(*reversed(journeys), *ended), {})

    assert [line.partition(",")[0] for line in lines[:4]] == [
        "Complaint: Wrong bill: stalled",
        "Issue: Broken router: open",
        "T0: stalled",
        "T1: waiting",
    ]
    later = brief.card(context(journey(types[0]), journey(types[1], ago=1)), {})
    assert [line[:2] for line in later[:2]] == ["T1", "T0"]


def test_what_a_card_has_no_room_for_is_counted() -> None:
    lines = brief.card(context(*(journey(ago=number) for number in range(1, 9)), contacts=[met("web", ago=1)]), {})

    assert lines == [
        "Add broadband: open, 1 day ago",
        "Add broadband: open, 2 days ago",
        "6 more are open.",
        "Last contact: web, 1 day ago, not ended",
        "Who it is: they signed in",
    ]


def test_a_journey_whose_place_another_took_is_not_told_of() -> None:
    one = replace(context(), journeys=[Listed(journey(), duplicate_of=uuid4())])

    assert brief.sms(one, {}) == "Nothing of yours is open."
    assert brief.card(one, {}) == ["Who it is: they signed in"]


def test_what_waits_for_somebody_else_comes_after_what_the_customer_can_do() -> None:
    waits = journey(BILL, Status.WAITING, ago=1)

    assert brief.sms(context(waits), {}) == "Wrong bill: waiting, 1 day ago. See it in web."
    assert brief.sms(context(waits, journey(BROADBAND)), {}).startswith("Add broadband: left, 2 days ago. Go on in web")


def test_a_step_that_nobody_declared_is_for_the_card_alone() -> None:
    one = journey(JourneyType("move_house"), step="12 Long Lane")

    assert brief.sms(context(one), {}) == "Move house: left, 2 days ago. Go on in web."
    assert brief.card(context(one), {})[0] == "Move house: open at 12 Long Lane, 2 days ago"


def test_a_name_that_a_message_cannot_say_is_replaced() -> None:
    cyrillic = journey(JourneyType("move-house", label="Переезд"))
    nameless = journey(JourneyType("переезд", label="🏠"))

    assert brief.sms(context(cyrillic), {}).startswith("Move house: left")
    assert brief.sms(context(nameless), {}).startswith("Request: left")
    assert brief.card(context(cyrillic), {})[0].startswith("Переезд: open")


def test_what_is_too_long_is_cut_between_words_and_says_so() -> None:
    one = journey(JourneyType("x", label="Move everything that we have to another house"))
    answers = said(one, {"note": "the door at the back of the house, not the one in front"})

    text, line = brief.sms(context(one), answers), brief.card(context(one), answers)[0]

    assert text == "Move everything that we have to...: left, 2 days ago. Go on in web."
    assert line == ("Move everything that we have to…: open, 2 days ago; note: the door at the back of the house, not…")


def test_a_budget_is_used_to_the_last_character() -> None:
    one, other = journey(step="install-date", key="X"), journey(status=Status.WAITING)

    messages = [brief.sms(context(one, other), said(one, {"speed": "x" * size})) for size in (29, 30)]
    lines = [brief.card(context(one), said(one, {"speed": "x" * size}))[0] for size in (37, 38)]

    assert [len(text) for text in messages] == [160, 122]
    assert [len(line) for line in lines] == [100, 54]


def test_a_word_without_end_is_cut_anywhere() -> None:
    one = journey(JourneyType("x", label="{" * 50))

    text = brief.sms(context(one), {})

    assert text == f"{'{' * 16}...: left, 2 days ago. Go on in web."
    assert gsm.length(text) == len(text) + 16


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (True, "yes"),
        (False, "no"),
        (500, "500"),
        (1.5, "1.5"),
        ({"b": [1], "a": "é"}, '{"a": "é", "b": [1]}'),
        ("a\nb\u202e", "a b"),
    ],
)
def test_an_answer_of_any_form_is_put_in_words(value: Any, words: str) -> None:
    one = journey()

    assert brief.card(context(one), said(one, {"note": value}))[0].endswith(f"; note: {words}")


def test_an_answer_that_says_nothing_is_left_out() -> None:
    one = journey()

    assert brief.card(context(one), said(one, {"note": None, "door": " \n", "": "x"}))[0].endswith("2 days ago")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-60, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (7_199, "1 hour ago"),
        (86_400, "1 day ago"),
        (13 * 86_400, "1 week ago"),
        (60 * 86_400, "2 months ago"),
        (800 * 86_400, "2 years ago"),
    ],
)
def test_times_are_in_words(seconds: float, words: str) -> None:
    assert brief.card(context(journey(ago=seconds / 86_400)), {})[0] == f"Add broadband: open, {words}"


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"assurance": Assurance.OTP, "customer": None}, "they read back a one-time code; never met before"),
        ({"assurance": Assurance.CLAIMED, "customer": None}, "nothing is proven"),
        (
            {"claims": [Identifier("email", "ann@example.org", Assurance.CLAIMED)]},
            "they signed in; 1 claim not proven",
        ),
    ],
)
def test_a_card_ends_with_how_sure_one_is(fields: dict[str, Any], line: str) -> None:
    assert brief.card(context(**fields), {}) == [f"Who it is: {line}"]


@pytest.mark.parametrize(
    ("contact", "line"),
    [
        (met("web", ago=7, is_ended=True), "Last contact: web, 1 week ago, ended"),
        (met("ivr", ago=0, key="call-1"), "Last contact: ivr, just now, not ended"),
    ],
)
def test_the_last_contact_is_one_of_the_last_seven_days(contact: Contact, line: str) -> None:
    assert brief.card(context(contacts=[contact]), {})[0] == line
    assert len(brief.card(context(contacts=[met("web", ago=7.01)]), {})) == 1


async def picked_up(house: Slices, who: dict[str, str], channel: str = "web") -> Journey:
    """Their broadband, with all three answers."""
    house.journeys.types.declare({BROADBAND.name: BROADBAND})

    def asker() -> Asker:
        return Asker(uuid4(), [who], "visit-1")

    by = viewer(channel)
    journey = (await house.errands.start(by, asker(), BROADBAND.name, "")).result.journey
    for question, value in SAID.items():
        await house.errands.answer(by, asker(), journey.id, question, value)
    return journey


async def told(house: Slices, who: dict[str, str], form: BriefForm, channel: str = "web") -> list[str]:
    found = await house.context.fetch(
        viewer(channel), [Identifier(who["kind"], who["value"], Assurance[who["assurance"]])], contact="visit-1"
    )
    if form is BriefForm.SMS:
        return [brief.sms(found, found.answers)]
    return brief.card(found, found.answers, (channel, "visit-1"))


async def test_a_brief_holds_the_answers_that_the_asker_may_see(house: Slices) -> None:
    who = login(uuid4().hex)
    await picked_up(house, who)

    (message,) = await told(house, who, BriefForm.SMS)
    card = await told(house, who, BriefForm.CARD)
    unsure = await told(house, who | {"assurance": "OTP"}, BriefForm.CARD)
    elsewhere = await told(house, who | {"assurance": "OTP"}, BriefForm.CARD, "contact-centre")

    assert message == (
        "Add broadband: left at address, just now. "
        "Go on in web (signed in) or contact centre (with a code). Speed: 500."
    )
    line = "Add broadband: open at address, just now"
    assert card == [f"{line}; speed: 500; postcode: SW1A 1AA", "Who it is: they signed in"]
    assert unsure[0] == line
    assert elsewhere[0] == f"{line}; speed: 500; postcode: SW1A 1AA"


async def test_several_journeys_answers_are_those_of_each(house: Slices) -> None:
    who = login(uuid4().hex)
    first = await picked_up(house, who)
    by, asker = viewer("web"), lambda: Asker(uuid4(), [who], "visit-1")
    other = (await house.errands.start(by, asker(), BROADBAND.name, "other")).result.journey
    await house.errands.answer(by, asker(), other.id, "postcode", "N1 1AA")
    customer = await house.identity.customer(first.profile_id)
    listed = await house.journeys.of(customer.profile_ids)

    found = await house.journeys.answers_of(listed, customer, Assurance.LOGIN, "web")

    assert found == {
        one.journey.id: await house.journeys.shown(one.journey, customer, Assurance.LOGIN, "web") for one in listed
    }
    assert [one.value for one in found[other.id]] == ["N1 1AA"]
    assert await house.journeys.answers_of(listed, customer, Assurance.KNOWLEDGE, "web") == {}
