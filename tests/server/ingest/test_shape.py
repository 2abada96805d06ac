"""Every bound of an action: what lies just inside is taken, what lies just outside is refused, for itself alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from steadylight_server.core.errors import Invalid
from steadylight_server.ingest import shape
from steadylight_server.ingest.models import Refusal
from tests.factories import action, batch, login

GOOD = action(login("C-1"))


def nested(levels: int, kind: type = dict) -> dict[str, Any]:
    """Objects, or lists, within each other."""
    inner: Any = {"a": 1} if kind is dict else [1]
    for _ in range(levels - 2):
        inner = {"a": inner} if kind is dict else [inner]
    return {"a": inner}


def identifier(**fields: Any) -> list[dict[str, Any]]:
    return [{**login("C-1"), **fields}]


INSIDE: list[tuple[str, Any]] = [
    ("id", "0192f0c1-7d1e-7c3a-9b7e-5d2a4f6b8c90"),
    ("id", "0192F0C17D1E7C3A9B7E5D2A4F6B8C90"),
    ("sequence", 0),
    ("sequence", 2**53 - 1),
    ("type", "x"),
    ("type", "ü" * 100),
    ("type", "plan viewed, again"),
    ("at", "2026-11-22T00:00:00Z"),
    ("at", "2026-11-22T00:00:00.123456+05:30"),
    ("at", "2026-11-22t00:00:00z"),
    ("identifiers", []),
    ("identifiers", identifier() * 10),
    ("identifiers", identifier(kind="a" * 50)),
    ("identifiers", identifier(kind="a_0-")),
    ("identifiers", identifier(value="v")),
    ("identifiers", identifier(value="v" * 256)),
    ("identifiers", [login("C-1", level) for level in ("CLAIMED", "CALLER_ID", "KNOWLEDGE", "OTP", "IN_PERSON")]),
    ("contact", "c"),
    ("contact", "c" * 128),
    ("journey", "j"),
    ("journey", "j" * 128),
    ("actor", "CUSTOMER"),
    ("actor", "SYSTEM"),
    ("subject", {"kind": "k", "id": "i"}),
    ("subject", {"kind": "k" * 128, "id": "i" * 256}),
    ("properties", {}),
    ("properties", {"a": "x" * 32_760}),
    ("properties", {"é": "x" * 32_759}),
    ("properties", nested(8)),
    ("properties", nested(8, list)),
    ("properties", {"a": 2**63 - 1, "b": [-(2**63)]}),
    ("properties", {"a": "\0", "b": [True, False, None, 1.5]}),
    ("properties", {"": 1, "$set": {"a.b": 1}, "$ref": 1, "b": {"$id": 1}, "c": "\\u0000"}),
]


@pytest.mark.parametrize(("field", "value"), INSIDE)
def test_what_lies_just_inside_is_taken(field: str, value: Any) -> None:
    (judged,) = shape.actions([{**GOOD, field: value}])

    assert not isinstance(judged, Refusal), judged


OUTSIDE: list[tuple[str, str, Any]] = [
    ("id", "id", "C-1"),
    ("id", "id", 7),
    ("id", "id", None),
    ("sequence", "sequence", -1),
    ("sequence", "sequence", 2**53),
    ("sequence", "sequence", "1"),
    ("sequence", "sequence", 1.0),
    ("sequence", "sequence", True),
    ("type", "type", ""),
    ("type", "type", "x" * 101),
    ("type", "type", "plan\nviewed"),
    ("type", "type", "plan\x1eviewed"),
    ("type", "type", 5),
    ("at", "at", "2026-11-22"),
    ("at", "at", "2026-11-22T00:00:00"),
    ("at", "at", "2026-02-30T00:00:00Z"),
    ("at", "at", "1795305600"),
    ("at", "at", 1_795_305_600),
    ("at", "at", "yesterday"),
    ("identifiers", "identifiers", identifier() * 11),
    ("identifiers", "identifiers", "C-1"),
    ("identifiers", "identifiers", None),
    ("identifiers", "identifiers.0", ["C-1"]),
    ("identifiers", "identifiers.0.kind", identifier(kind="a" * 51)),
    ("identifiers", "identifiers.0.kind", identifier(kind="")),
    ("identifiers", "identifiers.0.kind", identifier(kind="Login")),
    ("identifiers", "identifiers.0.kind", identifier(kind="1login")),
    ("identifiers", "identifiers.0.kind", identifier(kind="contact:persona")),
    ("identifiers", "identifiers.0.kind", identifier(kind="login\n")),
    ("identifiers", "identifiers.0.value", identifier(value="")),
    ("identifiers", "identifiers.0.value", identifier(value="v" * 257)),
    ("identifiers", "identifiers.0.value", identifier(value="C\x1f1")),
    ("identifiers", "identifiers.0.value", identifier(value=1001)),
    ("identifiers", "identifiers.0.assurance", identifier(assurance="login")),
    ("identifiers", "identifiers.0.assurance", identifier(assurance=5)),
    ("identifiers", "identifiers.0.age", identifier(age=5)),
    ("identifiers", "identifiers.1.kind", [login("C-1"), {"value": "1", "assurance": "LOGIN"}]),
    ("contact", "contact", ""),
    ("contact", "contact", "c" * 129),
    ("contact", "contact", None),
    ("journey", "journey", ""),
    ("journey", "journey", "j" * 129),
    ("actor", "actor", "ROBOT"),
    ("agent", "agent", "a.singh"),  # the actor is the customer
    ("subject", "subject", "case 1"),
    ("subject", "subject.id", {"kind": "case"}),
    ("subject", "subject.kind", {"kind": "", "id": "1"}),
    ("subject", "subject.kind", {"kind": "k" * 129, "id": "1"}),
    ("subject", "subject.id", {"kind": "case", "id": "i" * 257}),
    ("subject", "subject.id", {"kind": "case", "id": 1}),
    ("subject", "subject.name", {"kind": "case", "id": "1", "name": "n"}),
    ("properties", "properties", []),
    ("properties", "properties", "plan"),
    ("properties", "properties", None),
    ("properties", "properties", {"a": "x" * 32_761}),
    ("properties", "properties", {"é": "x" * 32_760}),
    ("properties", "properties", nested(9)),
    ("properties", "properties", nested(9, list)),
    ("properties", "properties", nested(900)),
    ("properties", "properties", {"a": 2**63}),
    ("properties", "properties", {"a": [-(2**63) - 1]}),
    ("properties", "properties", {"a": 2**64}),
    ("properties", "properties", {"a\0b": 1}),
    ("properties", "properties", {"a": [{"b": {"\0": 1}}]}),
    ("properties", "properties", {"a": [{"$id": 1, "$ref": "plans"}]}),
    ("colour", "colour", "red"),
    ("channel", "channel", "ivr"),
    ("received_at", "received_at", "2026-11-22T00:00:00Z"),
]


@pytest.mark.parametrize(("field", "path", "value"), OUTSIDE)
def test_what_lies_just_outside_is_refused_alone(field: str, path: str, value: Any) -> None:
    wrong = {**action(login("C-1")), field: value}

    judged = shape.actions([GOOD, wrong, GOOD])

    assert [isinstance(one, Refusal) for one in judged] == [False, True, False]
    refusal = judged[1]
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.message.split(":")[0]) == ("INVALID", path)
    assert len(refusal.message) < 250


@pytest.mark.parametrize("field", ["id", "sequence", "type", "at"])
def test_what_is_missing_is_named(field: str) -> None:
    (judged,) = shape.actions([{name: value for name, value in GOOD.items() if name != field}])

    assert isinstance(judged, Refusal)
    assert judged.message == f"{field}: Field required"


@pytest.mark.parametrize("raw", [None, 1, "action", [], ["id"]])
def test_what_is_no_object_is_refused(raw: object) -> None:
    good, judged = shape.actions([GOOD, raw])

    assert not isinstance(good, Refusal)
    assert isinstance(judged, Refusal)
    assert judged.id is None


@pytest.mark.parametrize(("id", "shown"), [("C-1", "C-1"), ("x" * 50, "x" * 36), (7, None)])
def test_a_refusal_tells_as_much_of_the_id_as_it_could_be(id: object, shown: str | None) -> None:
    (judged,) = shape.actions([{**GOOD, "id": id}])

    assert isinstance(judged, Refusal)
    assert judged.id == shown


def test_a_refusal_tells_the_first_fault_and_never_the_value() -> None:
    (judged,) = shape.actions([{**GOOD, "sequence": -1, "type": "", "contact": "secret" * 100}])

    assert isinstance(judged, Refusal)
    assert judged.message == "sequence: Input should be greater than or equal to 0"


def test_an_agent_acts_as_an_agent() -> None:
    (judged,) = shape.actions([{**GOOD, "actor": "AGENT", "agent": "a" * 128}])
    (too_long,) = shape.actions([{**GOOD, "actor": "AGENT", "agent": "a" * 129}])

    assert not isinstance(judged, Refusal)
    assert isinstance(too_long, Refusal)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (None, "The batch is not an ActionBatch: Input should be a valid dictionary."),
        ([], "The batch is not an ActionBatch: Input should be a valid dictionary."),
        ({"actions": [GOOD]}, "The batch is not an ActionBatch: sent_at: Field required."),
        ({"sent_at": "2026-11-22T00:00:00Z"}, "The batch is not an ActionBatch: actions: Field required."),
        ({**batch(GOOD), "actions": GOOD}, "The batch is not an ActionBatch: actions: Input should be a valid list."),
        (
            {**batch(GOOD), "channel": "ivr"},
            "The batch is not an ActionBatch: channel: Extra inputs are not permitted.",
        ),
        (batch(), "A batch has 1 to 500 actions, not 0."),
        (batch(*[GOOD] * 501), "A batch has 1 to 500 actions, not 501."),
    ],
)
def test_what_is_no_batch_is_invalid(raw: object, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        shape.batch(raw)

    assert caught.value.message == message


@pytest.mark.parametrize("sent_at", ["now", 1_795_305_600, "2026-11-22T00:00:00", None])
def test_a_batch_says_when_it_was_sent(sent_at: object) -> None:
    with pytest.raises(Invalid, match="sent_at"):
        shape.batch({"sent_at": sent_at, "actions": [GOOD]})


def test_a_batch_has_up_to_500_actions() -> None:
    assert len(shape.batch(batch(*[GOOD] * 500))["actions"]) == 500
    assert len(shape.batch(batch(GOOD))["actions"]) == 1


def test_a_batch_has_up_to_500_000_bytes() -> None:
    raw: dict[str, Any] = {"sent_at": "2026-11-22T00:00:00Z", "actions": [""]}
    raw["actions"] = ["x" * (500_000 - len(orjson.dumps(raw)))]

    shape.check_size(raw)
    raw["actions"][0] += "x"

    with pytest.raises(Invalid, match="A batch has at most 500,000 bytes"):
        shape.check_size(raw)


@pytest.mark.parametrize("properties", [nested(900), {"a": 2**64}])
def test_what_cannot_be_measured_is_left_to_the_judgement_of_each_action(properties: dict[str, Any]) -> None:
    shape.check_size(batch({**GOOD, "properties": properties}))


@pytest.mark.parametrize(
    ("off", "corrected"),
    [(0, 0), (30, 0), (-30, 0), (30.001, 30.001), (-30.001, -30.001), (86_400, 86_400)],
)
def test_a_clock_is_corrected_beyond_30_seconds(off: float, corrected: float) -> None:
    received = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)

    assert shape.skew(received - timedelta(seconds=off), received) == timedelta(seconds=corrected)


@pytest.mark.parametrize(
    "sent_at",
    ["0001-01-01T00:00:00+10:00", "1926-11-22T09:29:59Z", "2126-11-23T09:30:01Z", "9999-12-31T23:59:59-10:00"],
)
def test_a_clock_that_is_off_by_more_than_a_century_is_invalid(sent_at: str) -> None:
    received = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)

    with pytest.raises(Invalid, match="sent_at: more than 100 years off"):
        shape.skew(shape.batch(batch(GOOD, sent_at=sent_at))["sent_at"], received)
