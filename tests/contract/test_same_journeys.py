"""Journeys, by the real server and by the one for embedders' tests, to either client."""

from typing import Any

import pytest

from steadylight import Conflict, Invalid, NotFound
from tests.contract.conftest import House, Light, done


def contact(light: Light, name: str, key: str, assurance: str = "LOGIN") -> Any:
    return light.customer(login=name, assurance=assurance).contact(key=f"{name}-{key}")


async def begun(light: Light, name: str, key: str, type: str = "add-broadband", about: str = "") -> Any:
    return await done(contact(light, name, key).journey(type, about, within=5))


async def ask(journey: Any, question: str) -> Any:
    return await done(journey.ask(question, within=5))


async def test_what_was_left_in_one_channel_is_picked_up_in_another_and_nobody_asks_again(
    house: House, name: str
) -> None:
    web, sms = house.connect("web"), house.connect("sms")
    first = await begun(web, name, "w")
    unknown = await ask(first, "postcode")
    assert first.answer("postcode", "SW1A 1AA") is not None
    here = await ask(first, "postcode")
    assert await done(web.flush(5)) == 0

    second = await begun(sms, name, "s")
    there = await ask(second, "postcode")

    assert (first.resumed, second.resumed, second.id) == (False, True, first.id)
    assert (second.type, second.key, second.status, second.step) == ("add-broadband", "", "OPEN", None)
    assert (unknown.known, unknown.value, unknown.again) == (False, None, None)
    assert (here.known, here.value, here.use) == (True, "SW1A 1AA", "USE")
    assert (there.known, there.value, there.use, there.again) == (True, "SW1A 1AA", "USE", None)
    assert (there.answer.channel, there.answer.contact, there.answer.assurance) == ("web", f"{name}-w", "LOGIN")
    assert not there.stale


async def test_what_was_asked_and_passed_over_was_not_recorded_and_what_was_asked_last_was_left(
    house: House, name: str
) -> None:
    first, second = await begun(house.connect("web"), name, "w"), await begun(house.connect("sms"), name, "s")
    for question in ("postcode", "speed"):
        await ask(first, question)

    assert (await ask(first, "postcode")).again is None
    assert [(await ask(second, question)).again for question in ("postcode", "speed")] == ["NOT_RECORDED", None]


async def test_an_answer_is_taken_back(house: House, name: str) -> None:
    web, sms = house.connect("web"), house.connect("sms")
    first = await begun(web, name, "w")
    first.answer("postcode", "SW1A 1AA")
    first.answer("postcode", None)
    assert not (await ask(first, "postcode")).known
    await done(web.flush(5))

    assert not (await ask(await begun(sms, name, "s"), "postcode")).known


async def test_what_is_recorded_and_not_delivered_is_there_when_the_contact_starts_again(
    house: House, name: str
) -> None:
    web = house.connect("web")
    (await begun(web, name, "w")).answer("postcode", "SW1A 1AA")

    again = await begun(web, name, "w")

    assert again.resumed
    assert (await ask(again, "postcode")).value == "SW1A 1AA"


async def test_of_two_who_take_a_step_the_second_is_told(house: House, name: str) -> None:
    one, other = await begun(house.connect("web"), name, "w"), await begun(house.connect("sms"), name, "s")

    first = await done(one.advance("plan", within=5))
    late = await done(other.advance("address", within=5))

    assert (first, late, other.step, other.state.changed_in) == (True, False, "plan", "web")
    assert await done(other.advance("address", within=5))
    assert other.step == "address"


async def test_a_journey_ends_once_and_goes_on_when_it_is_opened_again(house: House, name: str) -> None:
    one, other = await begun(house.connect("web"), name, "w"), await begun(house.connect("sms"), name, "s")

    assert await done(one.complete("ordered", within=5))
    assert not await done(other.cancel(within=5))
    assert (other.status, other.state.outcome, other.state.is_open) == ("COMPLETED", "ordered", False)
    assert not await done(one.advance("plan", within=5))
    assert await done(other.reopen(within=5))
    assert (other.status, other.state.reopened, other.state.outcome) == ("OPEN", 1, None)
    assert await done(one.wait(within=5))
    assert (await begun(house.connect("web"), name, "w2")).status == "WAITING"
    assert await done(one.reopen(within=5))
    assert one.state.reopened == 1


async def test_a_completed_one_is_not_opened_beside_another(house: House, name: str) -> None:
    web = house.connect("web")
    first = await begun(web, name, "w")
    await done(first.complete(within=5))
    second = await begun(web, name, "w")

    assert (second.resumed, second.id == first.id) == (False, False)
    with pytest.raises(Conflict):
        await done(first.reopen(within=5))


async def test_each_key_is_a_journey_of_its_own(house: House, name: str) -> None:
    web = house.connect("web")

    found = [await begun(web, name, "w", about=key) for key in ("order-1", "order-2", "order-1")]

    assert [one.resumed for one in found] == [False, False, True]
    assert found[0].id == found[2].id
    assert found[1].key == "order-2"


async def test_nobody_reaches_another_s_journey(house: House, name: str) -> None:
    web = house.connect("web")
    journey = await begun(web, name, "w")
    stranger = await begun(web, f"{name}-other", "w")
    stranger._state = journey.state  # as one who guesses the id

    for asked in (
        lambda: stranger.ask("postcode", within=5),
        lambda: stranger.advance("plan", within=5),
        lambda: stranger.cancel(within=5),
    ):
        with pytest.raises(NotFound):
            await done(asked())


async def test_somebody_unknown_has_a_journey_in_their_contact_and_keeps_it(house: House, name: str) -> None:
    web, sms = house.connect("web"), house.connect("sms")
    visit = web.contact(key=f"{name}-w")
    journey = await done(visit.journey("add-broadband", within=5))
    journey.answer("postcode", "SW1A 1AA")
    visit.identify(login=name, assurance="LOGIN")
    await done(web.flush(5))

    later = await begun(sms, name, "s")

    assert later.id == journey.id
    assert (await ask(later, "postcode")).value == "SW1A 1AA"


async def test_the_context_shows_them_and_no_action_shows_an_answer(house: House, name: str) -> None:
    web = house.connect("web")
    done_already = await begun(web, name, "w", type="move-house")
    await done(done_already.complete("moved", within=5))
    journey = await begun(web, name, "w")
    journey.answer("iban", "DE02 1203")
    await done(web.flush(5))

    context = await done(contact(web, name, "w").context(within=5))

    assert [(one.type, one.status, one.outcome) for one in context.journeys] == [
        ("add-broadband", "OPEN", None),
        ("move-house", "COMPLETED", "moved"),
    ]
    assert context.journeys[0].id == journey.id
    assert [(one.question, one.value, one.channel) for one in context.journeys[0].answers] == [
        ("iban", "DE02 1203", "web")
    ]
    assert context.journeys[1].answers == ()
    (answered,) = (one for one in context.actions if one.type == "journey.answered")
    assert (answered.journey, answered.properties) == (journey.id, {"question": "iban"})
    assert "1203" not in repr(context.actions)


async def test_a_context_comes_in_few_words_if_it_is_asked_for(house: House, name: str) -> None:
    web = house.connect("web")
    await begun(web, name, "w")
    await done(web.flush(5))
    visit = contact(web, name, "w")

    message, card, plain = [await done(visit.context(within=5, brief=form)) for form in ("SMS", "CARD", None)]

    assert (len(message.brief), plain.brief) == (1, ())
    assert 0 < len(message.brief[0]) <= 160
    assert 1 <= len(card.brief) <= 5
    assert "broadband" in message.brief[0].lower()
    with pytest.raises(Invalid):
        await done(visit.context(within=5, brief="NOVEL"))
