"""Ids, order and bytes of actions."""

import json
import uuid
from collections import deque
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from typing import Any

import pytest

from steadylight import Assurance
from steadylight._actions import TYPES, Ids, Unfit, encode, encode_ready, random_uuid, rfc3339, typed


class Colour(Enum):
    RED = "red"


def properties_of(value: dict[str, Any]) -> tuple[Any, list[str]]:
    changes: list[str] = []
    return json.loads(encode({"type": "t"}, b"}", value, changes))["properties"], changes


def test_ids_are_uuid7_and_only_go_up() -> None:
    ids = Ids()

    made = [ids.uuid7() for _ in range(10_000)]

    assert made == sorted(set(made))
    assert {uuid.UUID(id).version for id in made} == {7}
    assert {uuid.UUID(id).variant for id in made} == {uuid.RFC_4122}


def test_ids_go_up_when_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = Ids()
    before = ids.uuid7()

    monkeypatch.setattr("time.time_ns", lambda: 0)

    assert ids.uuid7() > before


def test_ids_go_up_when_their_counter_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 0x0123_4567_89AB * 1_000_000)
    ids = Ids()
    ids._begun = 2**34 - 512

    made = [ids.uuid7() for _ in range(800)]

    assert made == sorted(set(made))
    assert {id[:19] for id in made} == {"01234567-89ab-7fff-", "01234567-89ac-7000-"}
    assert {uuid.UUID(id).variant for id in made} == {uuid.RFC_4122}


def test_an_id_holds_its_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 0x0123_4567_89AB * 1_000_000)

    assert Ids().uuid7().startswith("01234567-89ab-7")


def test_a_random_id_is_a_uuid4_and_another_each_time() -> None:
    made = [uuid.UUID(random_uuid()) for _ in range(1_000)]

    assert len(set(made)) == 1_000
    assert {(id.version, id.variant) for id in made} == {(4, uuid.RFC_4122)}
    assert {id.bytes[0] >> 4 for id in made} == {id.bytes[15] & 15 for id in made} == set(range(16))


def test_a_time_of_day_is_told_as_rfc_3339_in_every_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = Ids()

    for at in (0, 59_999, 60_000, 1_795_349_063_123, 1_795_349_099_999, 1_795_349_100_000, 60_001):
        monkeypatch.setattr("time.time_ns", lambda at=at: at * 1_000_000)
        assert ids.stamp()[2] == rfc3339(datetime.fromtimestamp(at / 1_000, UTC))


def test_types_that_are_remembered_are_short_and_few() -> None:
    for number in range(2_000):
        assert typed(f"a.{number}") == f',"type":"a.{number}"'
    typed("a" * 1_000_000)

    assert TYPES[f"a.{number}"] == typed(f"a.{number}")
    assert len(TYPES) <= 1_000
    assert max(map(len, TYPES)) < 200


def test_a_process_counts_from_one() -> None:
    ids = Ids()

    assert [ids.stamp()[1], ids.stamp()[1]] == [1, 2]


def test_times_are_utc_to_the_millisecond() -> None:
    assert rfc3339(datetime(2026, 1, 2, 3, 4, 5, 678_999, tzinfo=timezone(timedelta(hours=2)))) == (
        "2026-01-02T01:04:05.678Z"
    )
    assert rfc3339(datetime(2026, 1, 2)) == "2026-01-02T00:00:00.000Z"  # noqa: DTZ001


def test_plain_properties_are_sent_as_they_are() -> None:
    given = {"text": "grün", "number": 1, "share": 0.5, "yes": True, "nothing": None, "list": [1, {"a": "b"}]}

    assert properties_of(given) == (given, [])


def test_no_properties_are_left_out() -> None:
    assert encode({"type": "t"}, b"}", None, []) == b'{"type":"t"}'
    assert encode({"type": "t"}, b"}", {}, []) == b'{"type":"t"}'


@pytest.mark.parametrize(
    ("value", "told", "changed"),
    [
        (float("nan"), "nan", "a number that is none"),
        (float("-inf"), "-inf", "a number that is none"),
        (2**63, "9223372036854775808", "a long integer"),
        (Decimal("1.10"), "1.10", "a Decimal"),
        (b"x", "b'x'", "a bytes"),
        ({"inner": {1: 2}}, {"inner": {"1": 2}}, "a int as a name"),
    ],
)
def test_what_json_lacks_becomes_text_and_is_named(value: object, told: object, changed: str) -> None:
    assert properties_of({"value": value}) == ({"value": told}, [changed])


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00.000Z"),
        (date(2026, 1, 2), "2026-01-02"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Colour.RED, "red"),
        (Assurance.OTP, "OTP"),
        ((1, 2), [1, 2]),
        ({3}, [3]),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (-(2**63), -(2**63)),
    ],
)
def test_what_has_a_natural_form_takes_it_silently(value: object, told: object) -> None:
    assert properties_of({"value": value}) == ({"value": told}, [])


def test_a_lone_surrogate_is_replaced() -> None:
    assert properties_of({"na\ud800me": "va\udfff😀lue"}) == ({"na\ufffdme": "va\ufffd😀lue"}, [])


def test_eight_levels_are_taken_and_nine_refused() -> None:
    eight: dict[str, Any] = {}
    for _ in range(7):
        eight = {"in": eight}

    assert properties_of(eight)[0] == eight
    with pytest.raises(Unfit, match="it nests deeper than 8 levels"):
        properties_of({"in": eight})


def test_a_loop_is_too_deep() -> None:
    loop: dict[str, Any] = {}
    loop["self"] = loop

    with pytest.raises(Unfit, match="deeper than 8"):
        properties_of(loop)


def test_properties_of_32768_bytes_are_taken_and_one_more_refused() -> None:
    room = 32_768 - len('{"a":""}')

    assert properties_of({"a": "x" * room})[0] == {"a": "x" * room}
    with pytest.raises(Unfit, match="its properties take 32,769 bytes of the 32,768 allowed"):
        properties_of({"a": "x" * (room + 1)})


def test_properties_must_be_a_mapping() -> None:
    with pytest.raises(Unfit, match="must be a mapping, not deque"):
        encode({}, b"}", deque([1]), [])  # type: ignore[arg-type]


def test_a_ready_made_action_is_sent_as_it_is() -> None:
    action = {"id": "i", "sequence": 3, "at": "2026-01-01T00:00:00Z", "unknown": None}

    assert json.loads(encode_ready(action)) == action


def traits_of(value: Any) -> tuple[Any, list[str]]:
    changes: list[str] = []
    whole = encode({"type": "t", "traits": value}, b"}", {"plan": "fibre"}, changes)
    assert b"NaN" not in whole
    return json.loads(whole)["traits"], changes


def test_traits_are_sent_in_json_s_own_types() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    told = {"plan": "fibre", "since": at, "score": float("nan"), "balance": 2**64, "gone": None}

    assert traits_of(told) == (
        {"plan": "fibre", "since": "2026-01-02T03:04:05.000Z", "score": "nan", "balance": str(2**64), "gone": None},
        ["a number that is none", "a long integer"],
    )


@pytest.mark.parametrize(
    ("traits", "why"),
    [
        (["plan"], "must be a mapping"),
        ({f"t{number}": 1 for number in range(51)}, "51 traits of the 50"),
        ({"text": "x" * (8_193 - len('{"text":""}'))}, "8,193 bytes of the 8,192"),
    ],
)
def test_traits_that_the_server_would_refuse_are_unfit(traits: Any, why: str) -> None:
    with pytest.raises(Unfit, match=why):
        traits_of(traits)
    assert traits_of({"text": "x" * (8_192 - len('{"text":""}'))})[1] == []
