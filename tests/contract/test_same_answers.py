"""What becomes of recorded actions: the real server and the one for embedders' tests say the same, to either client."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from steadylight import Forbidden, Invalid, Unauthenticated
from steadylight_server.identity.values import COMMON
from tests.contract.conftest import House, done
from tests.factories import action, batch, login

SOMEBODY = login("C-1001")


def moment(**ago: float) -> str:
    """A time so long ago, as an action states it."""
    return (datetime.now(UTC) - timedelta(**ago)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def nested(levels: int) -> dict[str, Any]:
    """Properties of so many levels, they themselves being the first."""
    made: dict[str, Any] = {"leaf": 1}
    for _ in range(levels - 1):
        made = {"in": made}
    return made


def identifier(**changed: Any) -> dict[str, Any]:
    """An identifier that is good but for what is changed; None leaves a field out."""
    made = {"kind": "login", "value": "C-1001", "assurance": "LOGIN", **changed}
    return {name: value for name, value in made.items() if value is not None}


def with_null(field: str) -> dict[str, Any]:
    return {**action(SOMEBODY), field: None}


REFUSED: dict[str, Any] = {
    "null for an action": None,
    "text for an action": "plan.viewed",
    "list for an action": [],
    "no fields": {},
    "unknown field": action(SOMEBODY, colour="red"),
    "a channel of the client's choosing": action(SOMEBODY, channel="desk"),
    "id: missing": action(SOMEBODY, id=None),
    "id: no UUID": action(SOMEBODY, id="visit-1"),
    "id: a number": action(SOMEBODY, id=7),
    "sequence: missing": action(SOMEBODY, sequence=None),
    "sequence: negative": action(SOMEBODY, sequence=-1),
    "sequence: a fraction": action(SOMEBODY, sequence=1.5),
    "sequence: text": action(SOMEBODY, sequence="1"),
    "sequence: a truth": action(SOMEBODY, sequence=True),
    "sequence: more than JSON counts": action(SOMEBODY, sequence=2**53),
    "type: missing": action(SOMEBODY, type=None),
    "type: empty": action(SOMEBODY, type=""),
    "type: 101 characters": action(SOMEBODY, type="t" * 101),
    "type: not printable": action(SOMEBODY, type="plan\nviewed"),
    "type: a number": action(SOMEBODY, type=7),
    "at: missing": action(SOMEBODY, at=None),
    "at: a number": action(SOMEBODY, at=1_763_769_600),
    "at: digits": action(SOMEBODY, at="1763769600"),
    "at: a date": action(SOMEBODY, at="2026-11-22"),
    "at: without offset": action(SOMEBODY, at="2026-11-22T00:00:00"),
    "at: no such day": action(SOMEBODY, at="2026-02-30T00:00:00Z"),
    "at: before 1900": action(SOMEBODY, at="1899-12-31T23:59:59Z"),
    "at: more than 5 minutes ahead": action(SOMEBODY, at=moment(minutes=-600)),
    "identifiers: none, and no contact": action(),
    "identifiers: an object": action(SOMEBODY, identifiers=SOMEBODY),
    "identifiers: 11": action(*[identifier(value=str(number)) for number in range(11)]),
    "identifiers: below the bar, and no contact": action(identifier(assurance="KNOWLEDGE")),
    "identifiers: a shared thing, and no contact": action(identifier(kind="device", assurance="IN_PERSON")),
    "identifiers: nothing left of the value": action(identifier(value=" ")),
    "kind: missing": action(identifier(kind=None)),
    "kind: capital": action(identifier(kind="Login")),
    "kind: digit first": action(identifier(kind="1st")),
    "kind: 51 characters": action(identifier(kind="k" * 51)),
    "kind: a line's end": action(identifier(kind="login\n")),
    "kind: an inner one": action(identifier(kind="contact:persona", value="web/visit-1")),
    "value: missing": action(identifier(value=None)),
    "value: empty": action(identifier(value="")),
    "value: 257 characters": action(identifier(value="v" * 257)),
    "value: not printable": action(identifier(value="C\t1001")),
    "value: a number": action(identifier(value=1001)),
    "assurance: missing": action(identifier(assurance=None)),
    "assurance: unknown": action(identifier(assurance="SURE")),
    "assurance: lower case": action(identifier(assurance="login")),
    "identifier: unknown field": action(identifier(verified="yes")),
    "contact: empty": action(SOMEBODY, contact=""),
    "contact: 129 characters": action(SOMEBODY, contact="c" * 129),
    "contact: a number": action(SOMEBODY, contact=7),
    "contact: null": with_null("contact"),
    "journey: empty": action(SOMEBODY, journey=""),
    "journey: 129 characters": action(SOMEBODY, journey="j" * 129),
    "actor: unknown": action(SOMEBODY, actor="ROBOT"),
    "actor: null": with_null("actor"),
    "agent: empty": action(SOMEBODY, actor="AGENT", agent=""),
    "agent: of a customer": action(SOMEBODY, agent="a.singh"),
    "subject: null": with_null("subject"),
    "subject: text": action(SOMEBODY, subject="case"),
    "subject: without id": action(SOMEBODY, subject={"kind": "case"}),
    "subject: 129 characters of kind": action(SOMEBODY, subject={"kind": "k" * 129, "id": "1"}),
    "subject: 257 characters of id": action(SOMEBODY, subject={"kind": "case", "id": "i" * 257}),
    "subject: unknown field": action(SOMEBODY, subject={"kind": "case", "id": "1", "name": "x"}),
    "properties: null": with_null("properties"),
    "properties: a list": action(SOMEBODY, properties=[1]),
    "properties: 32,769 bytes": action(SOMEBODY, properties={"text": "x" * (32_769 - len('{"text":""}'))}),
    "properties: 9 levels": action(SOMEBODY, properties=nested(9)),
    "properties: a list at the 9th level": action(SOMEBODY, properties={"in": [[[[[[[[]]]]]]]]}),
    "properties: 65 bits": action(SOMEBODY, properties={"count": 2**63}),
    "properties: 65 bits inside": action(SOMEBODY, properties={"in": [{"count": 2**64 - 1}]}),
    "properties: NUL in a name": action(SOMEBODY, properties={"in": {"a\0b": 1}}),
    "properties: a reference of the database's": action(SOMEBODY, properties={"in": [{"$ref": "cases", "$id": 7}]}),
    "traits: null": with_null("traits"),
    "traits: a list": action(SOMEBODY, traits=["plan"]),
    "traits: 51": action(SOMEBODY, traits={f"t{number}": number for number in range(51)}),
    "traits: 8,193 bytes": action(SOMEBODY, traits={"text": "x" * (8_193 - len('{"text":""}'))}),
    "traits: 9 levels": action(SOMEBODY, traits=nested(9)),
    "traits: 65 bits": action(SOMEBODY, traits={"count": 2**63}),
    "traits: NUL in a name inside": action(SOMEBODY, traits={"in": {"a\0b": 1}}),
    "traits: a reference of the database's": action(SOMEBODY, traits={"in": {"$ref": "cases", "$id": 7}}),
    "traits: a name without a letter first": action(SOMEBODY, traits={"$set": 1}),
    "traits: an empty name": action(SOMEBODY, traits={"": 1}),
    "traits: a name of 101 characters": action(SOMEBODY, traits={"t" * 101: 1}),
    "properties: all of them one": action(SOMEBODY, properties={"$ref": "cases", "$id": 7, "$db": "crm"}),
}

STORED: dict[str, dict[str, Any]] = {
    "least": {"id": str(uuid4()), "sequence": 0, "type": "t", "at": moment(), "identifiers": [SOMEBODY]},
    "a contact instead of identifiers": action(contact="nobody-1"),
    "a claim in a contact": action(identifier(assurance="CLAIMED"), contact="nobody-1"),
    "nothing left of the value, in a contact": action(identifier(value=" "), contact="nobody-1"),
    "a proven one beside a claim": action(identifier(kind="email", value="a@b.example", assurance="CLAIMED"), SOMEBODY),
    "10 identifiers": action(*[identifier(value=str(number)) for number in range(10)]),
    "an undeclared kind": action(identifier(kind="caller_id", value="Caller 90")),
    "upper-case id": action(SOMEBODY, id=str(uuid4()).upper()),
    "id without hyphens": action(SOMEBODY, id=uuid4().hex),
    "the largest sequence": action(SOMEBODY, sequence=2**53 - 1),
    "100 characters of type": action(SOMEBODY, type="t" * 100),
    "a type with blanks and letters of the world": action(SOMEBODY, type="Tarif angeschaut · 見た"),
    "1900": action(SOMEBODY, at="1900-01-01T00:00:00Z"),
    "an offset": action(SOMEBODY, at="2026-01-01T12:00:00+05:30"),
    "small letters and no seconds": action(SOMEBODY, at="2026-01-01t12:00z"),
    "microseconds": action(SOMEBODY, at="2026-01-01T12:00:00.123456Z"),
    "4 minutes ahead": action(SOMEBODY, at=moment(minutes=-4)),
    "128 characters of contact and journey": action(SOMEBODY, contact="c" * 128, journey="j" * 128),
    "256 characters of value": action(identifier(value="v" * 256)),
    "an agent": action(SOMEBODY, actor="AGENT", agent="a.singh"),
    "the system": action(SOMEBODY, actor="SYSTEM"),
    "a subject": action(SOMEBODY, subject={"kind": "case", "id": "INC0000045"}),
    "32,768 bytes": action(SOMEBODY, properties={"text": "x" * (32_768 - len('{"text":""}'))}),
    "8 levels": action(SOMEBODY, properties=nested(8)),
    "64 bits": action(SOMEBODY, properties={"most": 2**63 - 1, "least": -(2**63)}),
    "names that a database might mistake": action(SOMEBODY, properties={"$set": 1, "a.b": 2, "": 3, "_id": 4}),
    "halves of references": action(SOMEBODY, properties={"$ref": "x", "in": {"$id": 7}, "and": [{"$ref": 1}]}),
    "50 traits": action(SOMEBODY, traits={f"t{number}": number for number in range(50)}),
    "8,192 bytes of traits": action(SOMEBODY, traits={"text": "x" * (8_192 - len('{"text":""}'))}),
    "every kind of trait": action(SOMEBODY, traits={"a": None, "b.c": [1, {"$set": 1}], "d-e_F": {"_id": {"a.b": 2}}}),
    "NUL in a value": action(SOMEBODY, properties={"text": "a\0b"}),
    "every kind of value": action(SOMEBODY, properties={"a": None, "b": True, "c": 1.5, "d": [1, "x"], "e": {}}),
}


async def test_what_breaks_a_rule_is_refused_alone(house: House) -> None:
    between = [action(SOMEBODY) for _ in REFUSED]
    sent = [each for pair in zip(REFUSED.values(), between, strict=True) for each in pair]

    told = house.record(batch(*sent), house.key("web"))

    exceptions = {list(REFUSED)[each["index"] // 2]: (each["verdict"], each["code"]) for each in told["exceptions"]}
    assert exceptions == dict.fromkeys(REFUSED, ("REFUSED", "INVALID"))
    assert told["verdicts"] == "XS" * len(REFUSED)
    assert (told["stored"], told["duplicate"], told["refused"], told["retry"]) == (len(between), 0, len(REFUSED), 0)


async def test_the_exceptions_name_the_action_where_it_has_a_name(house: House) -> None:
    wrong = action(SOMEBODY, type="")
    bad: list[Any] = [wrong, action(SOMEBODY, id="x" * 50), action(SOMEBODY, id=7), None]

    told = house.record(batch(*bad), house.key("web"))

    assert [each["index"] for each in told["exceptions"]] == [0, 1, 2, 3]
    assert [each["id"] for each in told["exceptions"]] == [wrong["id"], "x" * 36, None, None]
    assert all(each["message"] for each in told["exceptions"])


async def test_what_keeps_the_rules_is_stored(house: House) -> None:
    sent = {what: renewed(each) for what, each in STORED.items()}

    told = house.record(batch(*sent.values()), house.key("web"))
    again = house.record(batch(*sent.values()), house.key("web"))

    assert {list(sent)[each["index"]]: each["message"] for each in told["exceptions"]} == {}
    assert told["verdicts"] == "S" * len(sent)
    assert again["verdicts"] == "D" * len(sent)


async def test_what_is_stored_is_shown_as_it_was_sent(house: House, name: str) -> None:
    sent = [
        {**renewed(each), "identifiers": [login(name)], "at": moment(), "sequence": place}
        for place, each in enumerate(STORED.values())
    ]
    # Who is known in a contact is given what nobody known did there: other tests do so under the same key.
    sent = [{**each, "contact": f"{name}-{each['contact']}"[:128]} if "contact" in each else each for each in sent]

    await done(house.connect().deliver(sent))
    shown = await done(house.connect().customer(login=name, assurance="LOGIN").contact().context(within=5, recent=100))

    fields = ("sequence", "type", "actor", "contact", "journey", "agent", "subject", "properties", "traits")
    defaults = {"actor": "CUSTOMER", "properties": {}, "traits": {}}
    told = {each.id: each.model_dump(mode="json", include=set(fields)) for each in shown.actions}
    assert told == {
        f"act_{UUID(each['id']).hex}": {field: each.get(field, defaults.get(field)) for field in fields}
        for each in sent
    }


def renewed(made: dict[str, Any]) -> dict[str, Any]:
    """The same action under another id, written in the same manner: the real server remembers those before."""
    id = made["id"]
    fresh = str(uuid4()).replace("-", "-" if "-" in id else "")
    return {**made, "id": fresh.upper() if id.isupper() else fresh}


async def test_the_same_fact_is_a_duplicate(house: House, name: str) -> None:
    light = house.connect()
    first = action(identifier(value=name), identifier(kind="email", value=f"{name}@b.example", assurance="CLAIMED"))
    told_again = [
        first,
        {**first, "identifiers": list(reversed(first["identifiers"]))},
        {**first, "identifiers": [{**each, "assurance": "LOGIN"} for each in first["identifiers"]]},
        {**first, "identifiers": [first["identifiers"][0], {**first["identifiers"][1], "value": f" {name}@B.Example"}]},
        {**first, "id": first["id"].upper()},
        {**first, "at": first["at"].replace("Z", "+00:00")},
        {**first, "actor": "CUSTOMER"},
    ]

    verdicts = await done(light.deliver([first]))
    again = await done(light.deliver(told_again))

    assert (verdicts.stored, verdicts.duplicate) == (1, 0)
    assert (again.stored, again.duplicate, again.refused, again.exceptions) == (0, len(told_again), 0, ())


async def test_another_fact_under_the_same_id_is_a_conflict_and_changes_nothing(house: House, name: str) -> None:
    light, desk = house.connect(), house.connect("desk", "ASSISTED")
    first = action(login(name), contact="visit-1")
    other = {
        "type": {**first, "type": "plan.bought"},
        "at": {**first, "at": moment(days=1)},
        "sequence": {**first, "sequence": first["sequence"] + 1},
        "who": {**first, "identifiers": [login(name), identifier(kind="email", assurance="CLAIMED")]},
        "contact": {**first, "contact": "visit-2"},
        "journey": {**first, "journey": "move"},
        "actor": {**first, "actor": "AGENT"},
        "subject": {**first, "subject": {"kind": "case", "id": "1"}},
        "properties": {**first, "properties": {"plan": "fibre-1000"}},
    }

    await done(light.deliver([first]))
    verdicts = await done(light.deliver(other.values()))
    elsewhere = await done(desk.deliver([first]))
    shown = await done(light.customer(login=name, assurance="LOGIN").contact().context(within=5))

    assert [(each.index, each.verdict, each.code) for each in verdicts.exceptions] == [
        (index, "REFUSED", "CONFLICT") for index in range(len(other))
    ]
    assert [(each.id, each.code) for each in elsewhere.exceptions] == [(first["id"], "CONFLICT")]
    assert [(each.type, each.properties) for each in shown.actions] == [("plan.viewed", first["properties"])]


async def test_an_id_twice_in_one_batch_is_stored_once(house: House, name: str) -> None:
    first = action(login(name))

    told = house.record(batch(first, first, {**first, "type": "plan.bought"}), house.key("web"))

    assert told["verdicts"] == "SDX"
    assert [(each["index"], each["code"]) for each in told["exceptions"]] == [(2, "CONFLICT")]


async def test_a_type_is_warned_of_the_first_time_that_it_is_stored(house: House, name: str) -> None:
    light, desk = house.connect(), house.connect("desk", "ASSISTED")
    type = f"{name}.viewed"

    refused = await done(light.deliver([action(type=type)]))
    twice = action(SOMEBODY, type=type)
    other = action(SOMEBODY, type=type)
    first = await done(light.deliver([action(SOMEBODY, type="contact.begun"), twice, twice, other]))
    later = await done(desk.deliver([action(SOMEBODY, type=type)]))

    assert refused.refused == 1
    assert refused.warnings == ()
    assert [(each.index, each.code) for each in first.warnings if type in each.message] == [(1, "NEW_TYPE")]
    assert later.warnings == ()


BLOCKED = [
    *((kind, value) for kind in ("login", "device", "loyalty-card", "email", "phone") for value in sorted(COMMON)),
    *(("login", value) for value in (" NULL", "[object Object]", '"null"', "000", "99999", "{{ id }}", "%s", "-")),
    *(("account", value) for value in ("00000000-0000-0000-0000-000000000000", "111-11-1111", "xxxxx")),
    *(("email", value) for value in ("test@shop.example", "No-Reply@shop.example", "ann", "ann@", "a b@c.example")),
    *(("phone", value) for value in ("+44 11111111", "020 7946 0000", "442079460000", "ring me", "+44 2", "+0")),
]
FINE = [
    *(("login", value) for value in ("1", "1111", "nulla", "guesthouse", "0000001", "f00f")),
    *(("email", value) for value in ("ann@example.org", " Ann+News@Example.org")),
    *(("phone", value) for value in ("+442079460000", "+44 20 7946-0000", "+1 (201) 555-0123")),
    ("device", "tablet-7"),
]


@pytest.mark.parametrize("assurance", ["CLAIMED", "LOGIN"])
async def test_a_value_that_stands_for_nobody_is_warned_of_and_proves_nothing(house: House, assurance: str) -> None:
    key = house.key("web")
    who = [identifier(kind=kind, value=value, assurance=assurance) for kind, value in BLOCKED + FINE]
    sent = [action(each, login("C-77"), contact="visit-9") for each in who]
    alone = [action(each) for each in who[: len(BLOCKED)]]

    told = house.record(batch(*sent), key)
    again = house.record(batch(*sent), key)
    refused = house.record(batch(*alone), key)

    warned = [(each["index"], each["message"]) for each in told["warnings"] if each["code"] == "BLOCKED_VALUE"]
    assert [index for index, _ in warned] == list(range(len(BLOCKED)))
    assert [
        message for (_, message), (kind, _) in zip(warned, BLOCKED, strict=True) if f"The {kind} " not in message
    ] == []
    assert [(each["index"], each["message"]) for each in again["warnings"]] == warned
    assert (refused["refused"], refused["warnings"]) == (len(BLOCKED), [])


async def test_each_identifier_that_stands_for_nobody_is_warned_of(house: House) -> None:
    two = [identifier(value="null"), identifier(kind="device", value="undefined"), identifier(kind="email", value="?")]

    told = house.record(batch(action(SOMEBODY), action(*two, SOMEBODY)), house.key("web"))

    warned = [
        (each["index"], each["message"].split()[1]) for each in told["warnings"] if each["code"] == "BLOCKED_VALUE"
    ]
    assert warned == [(1, "login"), (1, "device"), (1, "email")]


async def test_what_is_no_batch_is_invalid_as_a_whole(house: House) -> None:
    good = action(SOMEBODY)
    bad: dict[str, object] = {
        "null": None,
        "a list": [],
        "empty": {},
        "no actions": {"sent_at": moment()},
        "no sent_at": {"actions": [good]},
        "not one action": {"sent_at": moment(), "actions": []},
        "an object for the actions": {"sent_at": moment(), "actions": {}},
        "sent_at is no time": {"sent_at": "now", "actions": [good]},
        "sent_at is a number": {"sent_at": 1_763_769_600, "actions": [good]},
        "sent_at is null": {"sent_at": None, "actions": [good]},
        "unknown field": {"sent_at": moment(), "actions": [good], "channel": "desk"},
        "501 actions": {"sent_at": moment(), "actions": [good] * 501},
        "510,000 bytes": {"sent_at": moment(), "actions": [action(SOMEBODY, properties={"text": "x" * 30_000})] * 17},
    }

    told = {what: house.record(batch, house.key("web")).get("code") for what, batch in bad.items()}

    assert told == dict.fromkeys(bad, "INVALID")


async def test_500_actions_are_a_batch(house: House) -> None:
    told = house.record(batch(*[action(SOMEBODY) for _ in range(500)]), house.key("web"))

    assert told["verdicts"] == "S" * 500


async def test_a_clock_that_is_off_by_more_than_30_seconds_is_corrected(house: House, name: str) -> None:
    key = house.key("web")
    told = action(login(name), at=moment(hours=-1, seconds=-20))  # what a device says whose clock is an hour fast

    before = datetime.now(UTC)
    house.record(batch(told, sent_at=moment(hours=-1)), key)
    again = house.record(batch(told, sent_at=moment(hours=-2)), key)
    after = datetime.now(UTC)
    shown = await done(house.connect(key=key).customer(login=name, assurance="LOGIN").contact().context(within=5))

    margin = timedelta(milliseconds=50)
    assert before + timedelta(seconds=20) - margin <= shown.actions[0].at <= after + timedelta(seconds=20) + margin
    assert again["verdicts"] == "D"


async def test_a_clock_that_is_off_by_less_is_believed(house: House, name: str) -> None:
    key = house.key("web")
    told = action(login(name), at=moment(seconds=25))

    house.record(batch(told, sent_at=moment(seconds=25)), key)
    shown = await done(house.connect(key=key).customer(login=name, assurance="LOGIN").contact().context(within=5))

    assert shown.actions[0].at == datetime.fromisoformat(told["at"])


async def test_too_far_ahead_is_judged_after_the_clock_was_corrected(house: House) -> None:
    fast = [action(SOMEBODY, at=moment(hours=-1, minutes=-4)), action(SOMEBODY, at=moment(hours=-1, minutes=-6))]
    slow = [action(SOMEBODY, at=moment(hours=1, minutes=-4)), action(SOMEBODY, at=moment(hours=1, minutes=-6))]

    assert house.record(batch(*fast, sent_at=moment(hours=-1)), house.key("web"))["verdicts"] == "SX"
    assert house.record(batch(*slow, sent_at=moment(hours=1)), house.key("web"))["verdicts"] == "SX"


async def test_whoever_has_no_key_may_ask_for_the_typename_and_nothing_else(house: House) -> None:
    assert house.ask("", None, None, query="{ __typename }") == (200, {"data": {"__typename": "Query"}})
    for operation, input in (("WhoAmI", None), ("FetchContext", {}), ("RecordActions", {"batch": batch()})):
        status, body = house.ask(operation, input, None)
        assert (status, body["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")
        assert "data" not in body


async def test_a_key_that_is_wrong_or_revoked_is_told_so(house: House) -> None:
    revoked = house.new_key("web")
    house.revoke(revoked)

    for key in (revoked, f"sl_0123456789ab_{'x' * 43}", "guess"):
        light = house.connect(key=key)
        with pytest.raises(Unauthenticated) as refused:
            await done(light.deliver([action(SOMEBODY)]))
        with pytest.raises(Unauthenticated):
            await done(light.contact("visit-1").context(within=5))

        assert refused.value.request_id
        assert house.ask("WhoAmI", None, key)[0] == 401


async def test_an_admin_registers_channels_and_records_nothing(house: House, name: str) -> None:
    admin = house.connect(key=house.admin_key)

    with pytest.raises(Forbidden):
        await done(admin.deliver([action(SOMEBODY)]))
    key = await done(admin.register_channel(name, "ASSISTED"))
    again = await done(admin.register_channel(name, "ASSISTED"))

    check = await done(house.connect(key=key).check())
    assert (check.ok, check.channel, check.highest_assurance) == (True, name, "IN_PERSON")
    assert again != key
    assert (await done(house.connect(key=again).check())).channel == name


async def test_a_channel_registers_no_channel(house: House, name: str) -> None:
    with pytest.raises(Forbidden):
        await done(house.connect().register_channel(name, "ASSISTED"))


async def test_a_channel_is_registered_as_it_is_or_not_at_all(house: House, name: str) -> None:
    admin = house.connect(key=house.admin_key)
    await done(admin.register_channel(name, "SELF_SERVICE", "OTP"))

    for kind, highest in (("ASSISTED", "OTP"), ("SELF_SERVICE", None), ("SELF_SERVICE", "LOGIN")):
        status, body = house.ask(
            "RegisterChannel",
            {"name": name, "kind": kind, **({"highestAssurance": highest} if highest else {})},
            house.admin_key,
        )
        assert (status, body["errors"][0]["extensions"]["code"]) == (200, "CONFLICT")
    for bad in ({"name": "Web"}, {"name": ""}, {"name": "w" * 51}, {"kind": "SHOP"}, {"highestAssurance": "SURE"}):
        _, body = house.ask("RegisterChannel", {"name": name, "kind": "SELF_SERVICE", **bad}, house.admin_key)
        assert body["errors"][0]["extensions"]["code"] == "INVALID", bad
    with pytest.raises(Invalid):
        await done(admin.register_channel("Web", "ASSISTED"))


async def test_a_key_says_whose_it_is(house: House) -> None:
    channel = await done(house.connect("desk", "ASSISTED").check())
    admin = await done(house.connect(key=house.admin_key).check())

    assert (channel.channel, channel.scopes, channel.highest_assurance) == (
        "desk",
        ("actions:write", "customers:read"),
        "IN_PERSON",
    )
    assert abs(channel.clock_skew) < 5
    assert (admin.channel, admin.scopes) == (
        None,
        ("capabilities:report", "channels:register", "customers:read", "identities:link", "knowledge:write"),
    )
