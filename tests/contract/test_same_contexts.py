"""What a channel is told of a customer: by the real server and by the one for embedders' tests, to either client."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from steadylight import Context, Forbidden, Invalid, Options, Unauthenticated
from steadylight.testing import FAST
from tests.contract.conftest import House, Light, done
from tests.factories import action, batch, login


def at(**ago: float) -> str:
    """A time so long ago, as an action states it."""
    return (datetime.now(UTC) - timedelta(**ago)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def proven(kind: str, value: str, assurance: str) -> dict[str, str]:
    return {"kind": kind, "value": value, "assurance": assurance}


async def seen(light: Light, contact: str | None = None, recent: int = 20, **who: Any) -> Context:
    """The context of somebody in a new contact, or in the one of that key."""
    context: Context = await done(light.customer(**who).contact(contact).context(within=5, recent=recent))
    return context


def mobile(name: str) -> str:
    """A British mobile number that goes with the name."""
    return f"+4477{int(name[1:], 16) % 10**8:08}"


def names(listed: Any) -> list[tuple[str, str]]:
    return [(each.kind, each.value) for each in listed]


async def test_every_channel_is_shown_what_the_others_recorded(house: House, name: str) -> None:
    web, desk = house.connect(), house.connect("desk", "ASSISTED")
    visit = web.customer(login=name, assurance="LOGIN").contact("visit-1")
    visit.record("plan.viewed", {"plan": "fibre-500"}, subject=("plan", "fibre-500"), journey="add-broadband")
    visit.record("plan.compared")
    assert await done(web.flush(5)) == 0
    call = desk.customer(login=name, assurance="IN_PERSON").contact("call-1")
    call.record("note.taken", {"text": "wants fibre"}, agent="a.singh")

    context = await done(call.context(within=5))
    later = await seen(web, login=name, assurance="LOGIN")

    assert [(each.channel, each.type, each.actor, each.agent) for each in context.actions] == [
        ("desk", "note.taken", "AGENT", "a.singh"),
        ("web", "plan.compared", "CUSTOMER", None),
        ("web", "plan.viewed", "CUSTOMER", None),
    ]
    first = context.actions[-1]
    assert (first.properties, first.contact, first.journey) == ({"plan": "fibre-500"}, "visit-1", "add-broadband")
    assert first.subject is not None
    assert (first.subject.kind, first.subject.id) == ("plan", "fibre-500")
    assert [(each.channel, each.key) for each in context.contacts] == [("desk", "call-1"), ("web", "visit-1")]
    assert (context.assurance, later.assurance) == ("IN_PERSON", "LOGIN")
    assert re.fullmatch("cus_[0-9a-f]{32}", context.customer or "")
    assert later.customer == context.customer
    assert names(context.identifiers) == [("login", name)]
    assert context.claims == ()
    assert (context.pending, context.stale) == (False, False)
    assert context.token
    assert abs(context.at - datetime.now(UTC)) < timedelta(seconds=5)


async def test_a_contact_sees_its_own_actions_without_a_flush(house: House, name: str) -> None:
    contact = house.connect().customer(login=name, assurance="LOGIN").contact("visit-1")
    for number in range(3):
        contact.record("step.taken", {"number": number})

        context = await done(contact.context(within=5))

        assert [each.properties["number"] for each in context.actions] == list(range(number, -1, -1))
        assert context.pending is False


async def test_actions_are_ordered_by_time_then_sequence_then_id(house: House, name: str) -> None:
    light = house.connect()
    ids = [f"00000000-0000-4000-8000-{name[1:]}", f"10000000-0000-4000-8000-{name[1:]}"]
    now = at()
    sent = [
        action(login(name), at=at(seconds=20), sequence=9, type="first"),
        action(login(name), at=now, sequence=1, id=ids[0], type="third"),
        action(login(name), at=now, sequence=1, id=ids[1], type="fourth"),
        action(login(name), at=now, sequence=0, type="second"),
        action(login(name), at=now, sequence=2, type="fifth"),
    ]

    await done(light.deliver(sent[2:]))
    await done(light.deliver(sent[:2]))
    context = await seen(light, login=name, assurance="LOGIN")
    newest = await seen(light, login=name, assurance="LOGIN", recent=2)

    assert [each.type for each in context.actions] == ["fifth", "fourth", "third", "second", "first"]
    assert [each.type for each in newest.actions] == ["fifth", "fourth"]


async def test_a_context_holds_the_newest_20_unless_told_otherwise(house: House, name: str) -> None:
    light = house.connect()
    await done(light.deliver([action(login(name), properties={"number": number}) for number in range(25)]))

    context = await seen(light, login=name, assurance="LOGIN")
    every = await seen(light, login=name, assurance="LOGIN", recent=100)

    assert len(context.actions) == 20
    assert len(every.actions) == 25
    for recent in (0, -1, 101):
        with pytest.raises(Invalid):
            await seen(light, login=name, assurance="LOGIN", recent=recent)


async def test_a_kind_counts_from_its_bar_on(house: House, name: str) -> None:
    desk = house.connect("desk", "ASSISTED")
    bars = {
        "record": ("LOGIN", "OTP"),
        "login": ("OTP", "KNOWLEDGE"),
        "customer-number": ("KNOWLEDGE", "CALLER_ID"),
        "account": ("KNOWLEDGE", "CALLER_ID"),
        "email": ("OTP", "KNOWLEDGE"),
        "phone": ("OTP", "KNOWLEDGE"),
        "loyalty-card": ("LOGIN", "OTP"),  # a kind that nobody declared
    }
    values = dict.fromkeys(bars, name) | {"email": f"{name}@b.example", "phone": mobile(name)}
    await done(desk.deliver([action(proven(kind, values[kind], bar)) for kind, (bar, _) in bars.items()]))

    for kind, (bar, below) in bars.items():
        known = await seen(desk, identifiers=[(kind, values[kind], bar)])
        more = await seen(desk, identifiers=[(kind, values[kind], "IN_PERSON")])
        unknown = await seen(desk, identifiers=[(kind, values[kind], below)])

        assert known.customer is not None, kind
        assert (known.assurance, len(known.actions), names(known.identifiers)) == (bar, 1, [(kind, values[kind])])
        assert (more.customer, more.assurance) == (known.customer, "IN_PERSON")
        assert (unknown.customer, unknown.actions, unknown.contacts, unknown.identifiers) == (None, (), (), ())
        assert [(each.kind, each.value, each.assurance) for each in unknown.claims] == [(kind, values[kind], below)]


async def test_a_device_never_says_who_somebody_is(house: House, name: str) -> None:
    desk = house.connect("desk", "ASSISTED")
    shared = [proven("device", name, "IN_PERSON"), proven("cookie", name, "IN_PERSON")]
    await done(desk.deliver([action(login(name), *shared)]))

    context = await seen(desk, identifiers=[("device", name, "IN_PERSON"), ("cookie", name, "IN_PERSON")])

    assert (context.customer, context.actions, context.assurance) == (None, (), "CLAIMED")
    assert names(context.claims) == [("device", name), ("cookie", name)]


async def test_an_identifier_is_found_however_it_is_spelt(house: House, name: str) -> None:
    light = house.connect()
    number = mobile(name)
    spelt = {
        "login": (name, f"  {name} "),
        "customer-number": (f"é{name}", f"e\u0301{name}"),
        "email": (f"ann.{name}@example.org", f" Ann.{name}@EXAMPLE.org"),
        "phone": (number, f" +44 ({number[3:7]}) {number[7:]}"),
    }

    for kind, (normal, other) in spelt.items():
        await done(light.deliver([action(proven(kind, other, "LOGIN"))]))
        context = await seen(light, identifiers=[(kind, normal, "LOGIN")])

        assert names(context.identifiers) == [(kind, normal)]
        assert len(context.actions) == 1
    for kind, value in (("login", name.upper()), ("phone", number[1:])):
        assert (await seen(light, identifiers=[(kind, value, "LOGIN")])).customer is None


async def test_the_best_proven_identifier_is_the_home(house: House, name: str) -> None:
    light = house.connect()
    email = proven("email", f"{name}@example.org", "LOGIN")
    await done(light.deliver([action(email, proven("customer-number", name, "LOGIN"), login(name))]))

    home = await seen(light, identifiers=[("email", email["value"], "LOGIN"), ("login", name, "LOGIN")])
    by_email = await seen(light, email=email["value"], assurance="LOGIN")

    assert names(home.identifiers)[0] == ("login", name)
    assert sorted(names(home.identifiers)[1:]) == [("customer-number", name), ("email", email["value"])]
    assert len(home.actions) == 1
    assert (by_email.customer, by_email.actions) == (home.customer, home.actions)


async def test_two_logins_are_two_customers_whatever_they_share(house: House, name: str) -> None:
    light = house.connect()
    shared = proven("customer-number", name, "LOGIN")
    early = {"at": "2026-11-20T09:00:00Z"}
    await done(light.deliver([action(login(f"{name}-b"), shared), action(login(f"{name}-a"), shared, **early)]))

    first = await seen(light, login=f"{name}-a", assurance="LOGIN")
    second = await seen(light, login=f"{name}-b", assurance="LOGIN")
    by_number = await seen(light, customer_number=name, assurance="LOGIN")

    assert sorted(names(first.identifiers)) == [("customer-number", name), ("login", f"{name}-a")]
    assert names(second.identifiers) == [("login", f"{name}-b")]
    assert by_number.customer == first.customer != second.customer


async def test_a_channel_s_word_counts_for_no_more_than_it_may_assert(house: House, name: str) -> None:
    chat = house.connect(key=house.key(f"{name}-chat", "AUTOMATED_AGENT", "KNOWLEDGE"))
    web = house.connect()
    refused = await done(chat.deliver([action(login(name))]))
    await done(web.deliver([action(login(name)), action(proven("customer-number", name, "KNOWLEDGE"))]))

    by_login = await seen(chat, login=name, assurance="LOGIN")
    by_number = await seen(chat, customer_number=name, assurance="IN_PERSON")
    from_web = await seen(web, login=name, assurance="IN_PERSON")

    assert refused.refused == 1
    assert (by_login.customer, by_login.actions) == (None, ())
    assert [(each.value, each.assurance) for each in by_login.claims] == [(name, "KNOWLEDGE")]
    assert by_number.customer is not None
    assert by_number.assurance == "KNOWLEDGE"
    assert from_web.assurance == "LOGIN"


async def test_nobody_s_context_is_empty(house: House, name: str) -> None:
    context = await seen(house.connect(), login=name, assurance="LOGIN")

    assert (context.customer, context.assurance, context.identifiers, context.claims) == (None, "LOGIN", (), ())
    assert (context.actions, context.contacts) == ((), ())


async def test_a_claim_shows_its_own_contact_and_nothing_else(house: House, name: str) -> None:
    web, desk = house.connect(), house.connect("desk", "ASSISTED")
    email = f"{name}@example.org"
    await done(web.deliver([action(proven("email", email, "OTP"), type="owner.acted")]))
    claimed = desk.customer(email=email, assurance="CALLER_ID").contact(f"{name}-1")
    claimed.record("call.taken")

    context = await done(claimed.context(within=5))
    other = await seen(desk, f"{name}-2", email=email, assurance="CALLER_ID")
    elsewhere = await seen(web, f"{name}-1", email=email, assurance="CLAIMED")
    owner = await seen(web, email=email, assurance="OTP")

    assert (context.customer, context.assurance, context.identifiers) == (None, "CLAIMED", ())
    assert [(each.kind, each.value, each.assurance) for each in context.claims] == [("email", email, "CALLER_ID")]
    assert [each.type for each in context.actions] == ["call.taken"]
    assert [(each.channel, each.key) for each in context.contacts] == [("desk", f"{name}-1")]
    assert (other.actions, other.contacts, elsewhere.actions, elsewhere.contacts) == ((), (), (), ())
    assert [each.type for each in owner.actions] == ["owner.acted"]


async def test_a_contact_alone_is_known_by_its_key(house: House, name: str) -> None:
    light = house.connect()
    contact = light.contact(f"{name}-1")
    contact.record("page.viewed")
    await done(light.flush(5))

    again = await done(light.contact(f"{name}-1").context(within=5))
    another = await done(light.contact(f"{name}-2").context(within=5))

    assert (again.customer, again.assurance, again.claims) == (None, "CLAIMED", ())
    assert [each.type for each in again.actions] == ["page.viewed"]
    assert [each.key for each in again.contacts] == [f"{name}-1"]
    assert (another.actions, another.contacts) == ((), ())


async def test_who_is_identified_in_mid_call_is_known_from_then_on(house: House, name: str) -> None:
    light = house.connect("desk", "ASSISTED")
    call = light.contact(f"{name}-1")
    call.record("call.taken")
    call.identify(login=name, assurance="LOGIN")
    call.record("bill.asked")

    known = await done(call.context(within=5))
    call.sign_out()
    call.record("call.idle")
    afterwards = await done(call.context(within=5))

    assert [each.type for each in known.actions] == ["bill.asked", "contact.identified", "call.taken"]
    assert known.actions[1].properties == {"kinds": ["login"]}
    assert names(known.identifiers) == [("login", name)]
    assert afterwards.customer is None
    assert [each.type for each in afterwards.actions] == ["call.idle"]


async def test_a_contact_is_told_from_its_first_action_to_its_last(house: House, name: str) -> None:
    light = house.connect()
    times = [at(hours=3), at(hours=1), at(hours=2)]
    await done(light.deliver([action(login(name), contact="visit-1", at=each) for each in times]))
    await done(light.deliver([action(login(name), contact="visit-2", at=at(minutes=90))]))

    context = await seen(light, login=name, assurance="LOGIN")

    assert [each.key for each in context.contacts] == ["visit-1", "visit-2"]
    first = context.contacts[0]
    assert (first.first_at, first.last_at) == (datetime.fromisoformat(times[0]), datetime.fromisoformat(times[1]))
    assert first.outcome is None
    assert re.fullmatch("con_[0-9a-f]{32}", first.id)


async def test_a_contact_s_outcome_is_what_was_said_last(house: House, name: str) -> None:
    light = house.connect()
    customer = light.customer(login=name, assurance="LOGIN")
    ended = [
        action(
            login(name), type="contact.ended", contact="visit-1", at=at(hours=1), properties={"outcome": "GIVEN_UP"}
        ),
        action(
            login(name), type="contact.ended", contact="visit-1", at=at(hours=2), properties={"outcome": "RESOLVED"}
        ),
        action(
            login(name), type="contact.ended", contact="visit-2", at=at(hours=3), properties={"outcome": "RESOLVED"}
        ),
        action(login(name), type="contact.ended", contact="visit-2", at=at(hours=2.5), properties={}),
        action(login(name), type="contact.ended", contact="visit-3", at=at(hours=4), properties={"outcome": "o" * 120}),
        action(login(name), type="contact.ended", contact="visit-4", at=at(hours=5), properties={"outcome": 7}),
    ]
    await done(light.deliver(ended))
    customer.contact("visit-5").end("RESOLVED")
    customer.contact("visit-6").end()
    await done(light.flush(5))

    context = await seen(light, login=name, assurance="LOGIN")

    assert {each.key: each.outcome for each in context.contacts} == {
        "visit-1": "GIVEN_UP",
        "visit-2": None,
        "visit-3": "o" * 100,
        "visit-4": "7",
        "visit-5": "RESOLVED",
        "visit-6": None,
    }


async def test_contacts_without_a_key_are_parted_by_half_an_hour(house: House, name: str) -> None:
    light = house.connect()
    minutes = [0, 20, 49, 79, 200]  # 20, 29, 30 and 121 apart
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=5)
    times = [began + timedelta(minutes=each) for each in minutes]
    await done(light.deliver([action(login(name), at=each.isoformat()) for each in times]))

    context = await seen(light, login=name, assurance="LOGIN")

    assert [(each.key, each.first_at, each.last_at) for each in context.contacts] == [
        (None, times[4], times[4]),
        (None, times[3], times[3]),
        (None, times[0], times[2]),
    ]


async def test_what_an_import_brought_is_no_contact(house: House, name: str) -> None:
    light = house.connect()
    await done(light.deliver([action(login(name), type="customer.imported", at=at(hours=2)), action(login(name))]))

    context = await seen(light, login=name, assurance="LOGIN")

    assert [each.type for each in context.actions] == ["plan.viewed", "customer.imported"]
    assert [each.first_at for each in context.contacts] == [context.actions[0].at]


async def test_a_context_holds_the_latest_10_contacts(house: House, name: str) -> None:
    light = house.connect()
    visits = [action(login(name), contact=f"visit-{number:02}", at=at(days=40 - number)) for number in range(12)]
    await done(light.deliver(visits))

    context = await seen(light, login=name, assurance="LOGIN")

    assert [each.key for each in context.contacts] == [f"visit-{number:02}" for number in range(11, 1, -1)]


async def test_a_context_is_no_older_than_the_write_whose_token_it_presents(house: House, name: str) -> None:
    web, desk = house.connect(), house.connect("desk", "ASSISTED")
    token = (await done(web.deliver([action(login(name))]))).token
    asked = {"identifiers": [login(name)], "contact": None, "after": token, "recent": 20}

    status, body = house.ask("FetchContext", asked, house.key("desk", "ASSISTED"))
    seen_later = await seen(desk, login=name, assurance="LOGIN")

    assert status == 200
    assert len(body["data"]["contextDocument"]["actions"]) == 1
    assert body["data"]["contextDocument"]["token"]
    assert len(seen_later.actions) == 1
    for forged in ("guess", f"{token}x", "bWVtb3J5LTE"):
        _, body = house.ask("FetchContext", {**asked, "after": forged}, house.key("web"))
        assert body["errors"][0]["extensions"]["code"] == "INVALID", forged


async def test_a_context_is_asked_for_with_at_most_10_identifiers(house: House, name: str) -> None:
    light = house.connect()

    for count in (10, 11):
        asking = seen(light, identifiers=[("login", f"{name}-{number}", "LOGIN") for number in range(count)])
        if count == 10:
            assert (await asking).customer is None
        else:
            with pytest.raises(Invalid):
                await asking


async def test_an_admin_is_shown_customers_and_no_contact_of_a_channel(house: House, name: str) -> None:
    admin, web = house.connect(key=house.admin_key), house.connect()
    await done(web.deliver([action(login(name)), action(contact=name)]))

    customer = await seen(admin, login=name, assurance="IN_PERSON")
    contact = await seen(admin, name)

    assert (customer.assurance, len(customer.actions)) == ("IN_PERSON", 1)
    assert (contact.customer, contact.actions) == (None, ())


async def test_what_was_recorded_under_a_refused_key_is_kept_until_it_is_repaired(house: House, name: str) -> None:
    key = house.new_key("web")
    house.revoke(key)
    refused: list[Any] = []
    light = house.connect(key=key, options=Options(linger=0.0), on_refused=lambda *told: refused.append(told))
    contact = light.customer(login=name, assurance="LOGIN").contact("visit-1")

    contact.record("plan.viewed")

    assert await done(light.flush(0.2)) == 1
    assert refused == []
    assert light.stats().stored == 0
    with pytest.raises(Unauthenticated):
        await done(contact.context(within=1))


async def test_what_is_recorded_badly_is_told_of_and_holds_up_nobody(house: House, name: str) -> None:
    refused: list[tuple[str, str]] = []
    light = house.connect(on_refused=lambda action, verdict: refused.append((action["type"], verdict.code)))
    contact = light.customer(login=name, assurance="LOGIN").contact("visit-1")

    contact.record("t" * 101)
    contact.record("plan.viewed")
    context = await done(contact.context(within=5))

    assert refused == [("t" * 101, "INVALID")]
    assert [each.type for each in context.actions] == ["plan.viewed"]
    assert (light.stats().stored, light.stats().refused) == (1, 1)


async def test_a_device_s_clock_is_corrected_in_what_it_records(house: House, name: str) -> None:
    fast = Options(linger=0.0, now=lambda: datetime.now(UTC) + timedelta(hours=2))
    contact = house.connect(options=fast).customer(login=name, assurance="LOGIN").contact("visit-1")

    contact.record("plan.viewed")
    context = await done(contact.context(within=5))

    assert abs(context.actions[0].at - datetime.now(UTC)) < timedelta(seconds=5)


async def test_an_admin_s_actions_are_kept_since_the_key_may_be_repaired(house: House) -> None:
    light = house.connect(key=house.admin_key, options=FAST)
    light.contact("nobody-1").record("plan.viewed")

    assert await done(light.flush(0.1)) == 1
    with pytest.raises(Forbidden):
        await done(light.deliver([action(login("C-1001"))]))


async def test_a_repetition_changes_nothing_whatever_it_says_of_clock_and_assurance(house: House, name: str) -> None:
    key = house.key("web")
    first = action(login(name, "CLAIMED"), contact=name, at=at(hours=-1))
    house.record(batch(first, sent_at=at(hours=-1)), key)
    light = house.connect(key=key)
    before = await done(light.contact(name).context(within=5))

    again = house.record(batch({**first, "identifiers": [login(name)]}, sent_at=at(hours=-2)), key)
    after = await done(light.contact(name).context(within=5))
    owner = await seen(light, login=name, assurance="LOGIN")

    assert again["verdicts"] == "D"
    assert (after.actions, after.contacts) == (before.actions, before.contacts)
    assert after.contacts[0].last_at == after.actions[0].at
    assert (owner.actions, owner.contacts) == ((), ())
