"""What somebody does before it is known who they are: theirs from the moment it is, and nobody else's ever."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from steadylight import Context
from tests.contract.conftest import House, Light, done
from tests.factories import action, login

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def did(type: str, minute: int, *identifiers: dict[str, str], **fields: Any) -> dict[str, Any]:
    """An action, so many minutes after noon."""
    moment = (NOON + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")
    return action(*identifiers, type=type, at=moment, **fields)


def persona(value: str) -> dict[str, str]:
    return {"kind": "persona", "value": value, "assurance": "CLAIMED"}


def types(context: Context) -> list[str]:
    """Of the actions that are shown, the oldest first."""
    return [each.type for each in reversed(context.actions)]


async def of(light: Light, name: str, kind: str = "login") -> list[str]:
    """What is shown of a customer who signed in, in a contact of its own."""
    known = light.customer(identifiers=[(kind, name, "LOGIN")])
    return types(await done(known.contact().context(within=5)))


async def unknown(light: Light, contact: str, **given: Any) -> Context:
    """What is shown of whoever is in that contact."""
    shown: Context = await done(light.contact(contact, **given).context(within=5))
    return shown


async def test_what_an_app_s_persona_did_in_several_visits_is_theirs_who_signs_in(house: House, name: str) -> None:
    light = house.connect()
    for visit in ("monday", "tuesday"):
        light.contact(f"{name}-{visit}", persona=name).record("plan.viewed", {"on": visit})
    assert await done(light.flush(5)) == 0
    before = await unknown(light, f"{name}-wednesday", persona=name)

    contact = light.contact(f"{name}-wednesday", persona=name)
    contact.identify(login=name, assurance="LOGIN")
    known = await done(contact.context(within=5))

    assert (before.customer, before.claims, types(before)) == (None, (), ["plan.viewed"] * 2)
    assert types(known) == ["plan.viewed", "plan.viewed", "contact.identified"]
    assert [each.kind for each in known.identifiers] == ["login"]
    assert {each.key for each in known.contacts} == {f"{name}-{day}" for day in ("monday", "tuesday", "wednesday")}
    assert contact.persona == name


async def test_what_was_claimed_in_a_contact_joins_once_it_is_proven(house: House, name: str) -> None:
    light = house.connect()
    contact = light.contact(f"{name}-1")
    contact.identify(email=f"{name}@example.org", assurance="CLAIMED")
    limited = await done(contact.context(within=5))

    contact.identify(login=name, assurance="LOGIN")
    known = await done(contact.context(within=5))

    assert (limited.customer, [each.kind for each in limited.claims]) == (None, ["email"])
    assert types(known) == ["contact.identified"] * 2
    assert [each.kind for each in known.identifiers] == ["login"]
    assert len(known.contacts) == 1


async def test_after_signing_out_nothing_of_one_reaches_another(house: House, name: str) -> None:
    """A tablet that a family shares: the contact goes on, the people change."""
    light = house.connect()
    tablet = light.contact(f"{name}-tablet")
    people = [f"{name}-{who}" for who in ("ann", "ben")]
    for who in people:
        tablet.record("plan.viewed", {"by": who})
        tablet.identify(login=who, assurance="LOGIN")
        tablet.record("bill.paid", {"by": who})
        tablet.sign_out()
    tablet.record("game.played")
    assert await done(light.flush(5)) == 0

    for who in people:
        shown = await done(light.customer(login=who, assurance="LOGIN").contact().context(within=5))
        assert types(shown) == ["plan.viewed", "contact.identified", "bill.paid", "contact.signed-out"]
        assert {each.properties.get("by", who) for each in shown.actions} == {who}
    assert types(await done(tablet.context(within=5))) == ["game.played"]
    assert types(await unknown(light, f"{name}-tablet")) == []


@pytest.mark.parametrize(("who", "sure"), [("login", "LOGIN"), ("login", "OTP"), ("customer-number", "KNOWLEDGE")])
@pytest.mark.parametrize("named", [False, True], ids=["of the contact", "of the app"])
async def test_an_app_that_forgets_to_part_them_leaks_nothing_either(
    house: House, name: str, who: str, sure: str, named: bool
) -> None:
    """It names no persona, or always the same: whoever comes after somebody known is kept apart all the same."""
    light = house.connect()
    ann, ben = ({"kind": who, "value": f"{name}-{one}", "assurance": sure} for one in ("ann", "ben"))
    visit = {"contact": f"{name}-tablet"}
    under = [persona(name)] if named else []

    await done(light.deliver([did("plan.viewed", 0, *under, **visit), did("bill.paid", 1, ann, *under, **visit)]))
    await done(light.deliver([did("game.played", 2, *under, **visit), did("bill.seen", 3, ben, *under, **visit)]))
    await done(light.deliver([did("game.won", 4, *under, **visit)]))

    assert await of(light, f"{name}-ann", who) == ["plan.viewed", "bill.paid"]
    assert await of(light, f"{name}-ben", who) == ["bill.seen"]
    assert types(await unknown(light, f"{name}-tablet", persona=name if named else None)) == []


async def test_who_signed_in_before_anybody_was_unknown_is_noticed_too(house: House, name: str) -> None:
    light = house.connect()
    visit = {"contact": f"{name}-tablet"}

    await done(light.deliver([did("bill.paid", 1, login(name), **visit)]))
    await done(light.deliver([did("game.played", 2, **visit)]))
    await done(light.deliver([did("plan.viewed", 0, **visit)]))

    assert await of(light, name) == ["plan.viewed", "bill.paid"]
    assert types(await unknown(light, f"{name}-tablet")) == []


async def test_whose_a_persona_is_does_not_depend_on_the_order_of_arrival(house: House, name: str) -> None:
    light = house.connect()
    for place, order in enumerate(permutations(range(4))):
        mark = f"{name}-{place}"
        visit = {"contact": f"{mark}-visit"}
        ann, ben = login(f"{mark}-ann"), login(f"{mark}-ben")
        told = [
            did("page.viewed", 0, persona(mark), **visit),
            did("plan.viewed", 1, **visit),
            did("bill.paid", 2, ann, persona(mark), **visit),
            did("bill.seen", 3, ben, persona(mark), **visit),
        ]
        for each in (*order, order[0]):
            await done(light.deliver([told[each]]))

        assert await of(light, f"{mark}-ann") == ["page.viewed", "plan.viewed", "bill.paid"], order
        assert await of(light, f"{mark}-ben") == ["bill.seen"], order


async def test_a_persona_of_another_channel_is_another(house: House, name: str) -> None:
    web, shop = house.connect(), house.connect("shop")
    web.contact(f"{name}-1", persona=name).record("plan.viewed")
    assert await done(web.flush(5)) == 0

    contact = shop.contact(f"{name}-1", persona=name)
    contact.identify(login=name, assurance="LOGIN")

    assert types(await done(contact.context(within=5))) == ["contact.identified"]


@pytest.mark.parametrize("value", ["undefined", "null", "00000000-0000-0000-0000-000000000000", "anonymous"])
async def test_a_persona_that_stands_for_nobody_joins_nobody(house: House, name: str, value: str) -> None:
    light = house.connect()
    told = [did("plan.viewed", 0, persona(value), contact=f"{name}-1")]

    verdicts = await done(light.deliver([*told, did("bill.paid", 1, login(name), persona(value), contact=f"{name}-2")]))

    assert [each.code for each in verdicts.warnings if each.code == "BLOCKED_VALUE"] == ["BLOCKED_VALUE"] * 2
    assert await of(light, name) == ["bill.paid"]
    assert types(await unknown(light, f"{name}-1")) == ["plan.viewed"]
