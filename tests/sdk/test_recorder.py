"""What stands behind record(): the queue, its bounds, and promises to the host."""

import errno
import json
import logging
import math
import os
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steadylight import Invalid, Options, Unauthenticated, Unreachable, Verdict, _notes, _recorder, _segment
from steadylight._actions import Common, Entry, rfc3339
from steadylight._answers import Judgement, Response
from steadylight._options import Endpoint
from steadylight._recorder import Recorder

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def entry(id: str, contact: str | None = None, size: int = 10) -> Entry:
    return Entry(id, contact, b"x" * size)


def ids(entries: list[Entry]) -> list[str]:
    return [each.id for each in entries]


def recorded(recorder: Recorder) -> list[dict[str, Any]]:
    return [json.loads(each.payload) for each in recorder.take(500, 450_000)]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(Options(now=lambda: NOW))


def test_an_action_gets_id_sequence_and_time(recorder: Recorder) -> None:
    first = recorder.record("t", {"a": 1})
    recorder.record("t", id="given", at="2026-01-01T00:00:00Z")

    one, two = recorded(recorder)
    assert one == {
        "id": first,
        "sequence": one["sequence"],
        "type": "t",
        "at": "2026-11-22T00:00:00.000Z",
        "properties": {"a": 1},
    }
    assert two == {"id": "given", "sequence": one["sequence"] + 1, "type": "t", "at": "2026-01-01T00:00:00Z"}


class Colour(Enum):
    RED = "red"


_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**65), 2**65),
    st.floats(),
    st.text(st.characters(), max_size=3),
    st.sampled_from([Colour.RED, Decimal(1), date(2026, 1, 2), b"b", "x" * 40_000]),
)
_PROPERTIES = st.dictionaries(st.text(max_size=3), st.one_of(_SCALARS, st.lists(_SCALARS, max_size=2)))
COMMON = Common("c-1", ({"kind": "login", "value": "C-1", "assurance": "LOGIN"},))


@given(st.text(st.characters(), max_size=3), st.none() | _PROPERTIES | _PROPERTIES.map(MappingProxyType))
def test_the_short_way_records_the_same_as_the_long_one(type: str, properties: dict[str, Any] | None) -> None:
    short, long = Recorder(Options()), Recorder(Options())
    long._is_plain = False

    told = []
    for each in (short, long):
        id = each.record(type, properties, COMMON)
        made = recorded(each)
        assert [action.pop("id") for action in made] == ([] if id is None else [id])
        for action in made:
            assert isinstance(action.pop("sequence"), int)
            assert datetime.fromisoformat(action.pop("at")).utcoffset() == timedelta(0)
        told.append((made, [list(action) for action in made], each.stats().unfit, each._warned))

    assert told[0] == told[1]


def test_what_is_flat_goes_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(Options())
    flat = {"a": "\u00fc", "b": 2**63 - 1, "c": 0.5, "d": True, "e": None, "f": -(2**63)}
    long: list[Any] = []

    def encoded(type: str, properties: Any, *_: object) -> tuple[str, bytes]:
        long.append(properties)
        return "", b""

    monkeypatch.setattr(recorder, "_encoded", encoded)
    for properties in (flat, None, {}):
        recorder.record("a.b", properties)
        recorder.record("a.b", properties, COMMON)
    assert long == []

    strange: list[Any] = [2**63, -(2**63) - 1, math.inf, [], Colour.RED, "\ud800", "x" * 40_000]
    others = [{**flat, "g": other} for other in strange]
    for each in others:
        recorder.record("a.b", each)
    assert long == others


@pytest.mark.parametrize(
    "given",
    [
        {"id": "0190a0a0-0000-7000-8000-000000000000"},
        {"at": "2026-01-01T00:00:00Z"},
        {"more": {"actor": "AGENT", "agent": "a-1"}},
        {"more": {"journey": "j-1"}},
    ],
)
def test_what_is_given_besides_is_told(given: dict[str, Any]) -> None:
    recorder = Recorder(Options())

    id = recorder.record("a.b", {"a": 1}, COMMON, **given)

    [action] = recorded(recorder)
    expected = {**given.get("more", {}), **{name: value for name, value in given.items() if name != "more"}}
    assert {name: action.get(name) for name in expected} == expected
    assert (action["id"], action["contact"], action["properties"]) == (id, "c-1", {"a": 1})


def test_ids_of_actions_are_uuid7_and_only_go_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_795_349_063_123_456_789]
    monkeypatch.setattr(_recorder, "time_ns", lambda: now[0])
    monkeypatch.setattr("time.time_ns", lambda: now[0])
    recorder = Recorder(Options())
    made, times = [], []

    for number in range(2_000):
        now[0] += (number % 70 == 0) * 3_100_000 - (number % 400 == 0) * 90_000_000  # Now and then the clock goes back.
        times.append(rfc3339(datetime.fromtimestamp(now[0] // 1_000_000 / 1_000, UTC)))
        made.append(recorder.record("a.b", {"n": number} if number < 1_900 else {"n": [number]}))

    kept = [json.loads(each.payload) for each in recorder.take(2_000, 10_000_000)]
    assert [action["id"] for action in kept] == made == sorted({str(id) for id in made})
    assert {(uuid.UUID(id).version, uuid.UUID(id).variant) for id in made if id} == {(7, uuid.RFC_4122)}
    numbers = [action["sequence"] for action in kept]
    assert numbers == list(range(numbers[0], numbers[0] + 2_000))
    assert [action["at"] for action in kept] == times


def test_an_id_that_is_empty_is_none(recorder: Recorder) -> None:
    made = recorder.record("t", id="")

    assert made
    assert [action["id"] for action in recorded(recorder)] == [made]


@pytest.mark.parametrize(("type", "told"), [(5, 5), (None, None), ('say "no"\n', 'say "no"\n'), ("\ud800", "\ufffd")])
def test_a_type_of_any_kind_is_told_to_the_server(type: Any, told: Any) -> None:
    recorder = Recorder(Options())

    id = recorder.record(type, {"a": 1})

    [action] = recorded(recorder)
    assert (action["id"], action["type"], action["properties"]) == (id, told, {"a": 1})


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, float("inf"), float("nan")])
def test_a_number_that_the_database_lacks_is_text(value: Any) -> None:
    recorder = Recorder(Options())
    recorder.record("t", {"a": "x", "b": 2**63 - 1, "c": -(2**63), "d": True, "e": None, "f": 1e300, "g": value})

    [action] = recorded(recorder)
    kept = {"a": "x", "b": 2**63 - 1, "c": -(2**63), "d": True, "e": None, "f": 1e300}
    assert action["properties"] == {**kept, "g": str(value)}


def test_a_naive_time_is_utc_and_warned_of_once(recorder: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        recorder.record("t", at=datetime(2026, 1, 2))  # noqa: DTZ001

    assert {action["at"] for action in recorded(recorder)} == {"2026-01-02T00:00:00.000Z"}
    assert warnings(caplog) == ["A time without time zone was recorded; it is taken as UTC. Pass an aware datetime."]


def test_a_queue_that_is_full_is_counted_and_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(Options(queue_bytes=300))

    kept = [recorder.record("t", {"a": "x" * 100}) for _ in range(4)]

    assert [id is not None for id in kept] == [True, False, False, False]
    assert (recorder.stats().recorded, recorder.stats().overflowed) == (1, 3)
    assert warnings(caplog) == [
        "The queue of 300 bytes is full: new actions are lost until the server takes some. Last failure: none"
    ]


def test_an_action_that_is_too_large_is_refused_at_the_call(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    assert recorder.record("plan.viewed", {"a": "x" * 40_000}) is None
    assert recorder.record("plan.viewed", {"a": "x" * 40_000}) is None

    assert (recorder.stats().recorded, recorder.stats().unfit) == (0, 2)
    assert warnings(caplog) == [
        "An action of type 'plan.viewed' was not recorded: its properties take 40,008 bytes of the 32,768 allowed."
    ]


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no")


class HostileMapping(Mapping[str, int]):
    def __getitem__(self, key: str) -> int:
        raise RuntimeError("no")

    def __iter__(self) -> Any:
        raise RuntimeError("no")

    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize(
    "properties",
    [{"a": Hostile()}, {Hostile(): 1}, HostileMapping(), {"a": 10**5_000}, [1], "text", {"a": [[[[[[[[[]]]]]]]]]}],
)
def test_nothing_that_is_recorded_raises(recorder: Recorder, properties: Any) -> None:
    assert recorder.record("t", properties) is None

    assert recorder.stats().unfit == 1


def test_what_json_lacks_is_recorded_as_text_and_warned_of_once(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        recorder.record("t", {"a": float("inf"), "b": object})

    assert recorded(recorder)[0]["properties"] == {"a": "inf", "b": "<class 'object'>"}
    assert warnings(caplog) == [
        "Properties of type 't' hold a number that is none, which JSON lacks; it is recorded as text."
    ]


def test_a_log_handler_may_record(recorder: Recorder) -> None:
    class Recording(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            recorder.record("log.written", {"bad": float("nan")})

    handler = Recording()
    logging.getLogger("steadylight").addHandler(handler)
    try:
        recorder.record("t", {"bad": float("nan")})
    finally:
        logging.getLogger("steadylight").removeHandler(handler)

    assert sorted(action["type"] for action in recorded(recorder)) == ["log.written", "t"]


def refusal(index: int) -> Verdict:
    return Verdict(index=index, id="x", verdict="REFUSED", code="CONFLICT", message="m")


def test_verdicts_are_counted_and_retries_kept(recorder: Recorder) -> None:
    for _ in range(4):
        recorder.record("t", common=Common("c", ()))
    batch = recorder.take(9, 9_000)

    recorder.settle(batch, Judgement("SDXR", (refusal(2),), token="t-1"))

    assert asdict(recorder.stats()) == {
        "recorded": 4,
        "stored": 1,
        "duplicate": 1,
        "refused": 1,
        "resent": 1,
        "overflowed": 0,
        "unfit": 0,
        "late": 0,
        "dropped": 0,
        "adopted": 0,
        "expired": 0,
        "damaged": 0,
        "unspooled": 0,
        "undelivered": 1,
        "unsafe": 1,
        "spool_bytes": 0,
        "failures": 0,
        "last_error": None,
        "circuit": "closed",
        "retry_in": None,
    }
    assert recorder.take(9, 9_000) == [batch[3]]
    assert recorder.token == "t-1"


def test_an_answer_without_token_keeps_the_last(recorder: Recorder) -> None:
    recorder.settle([], Judgement("", token="t-1"))
    recorder.settle([], Judgement(""))

    assert recorder.token == "t-1"


def test_a_refusal_is_told_with_its_action(caplog: pytest.LogCaptureFixture) -> None:
    told: list[tuple[str, str]] = []
    recorder = Recorder(Options(), lambda action, verdict: told.append((action["type"], verdict.code)))
    recorder.record("one")
    recorder.record("two")

    recorder.settle(recorder.take(9, 9_000), Judgement("XX", (refusal(0), refusal(1), refusal(7))))

    assert told == [("one", "CONFLICT"), ("two", "CONFLICT")]
    assert len(warnings(caplog)) == 1


def test_a_broken_on_refused_holds_up_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def broken(action: dict[str, Any], verdict: Verdict) -> None:
        raise RuntimeError("host")

    recorder = Recorder(Options(), broken)
    recorder.record("one")

    recorder.settle(recorder.take(9, 9_000), Judgement("X", (refusal(0),)))

    assert recorder.stats().undelivered == 0
    assert "on_refused raised; delivery goes on" in caplog.text


def test_failures_are_shown_until_something_works(recorder: Recorder) -> None:
    recorder.failed(Invalid("first"), [entry("a")])
    recorder.failed(Invalid("second"), [entry("a")])
    assert (recorder.stats().failures, recorder.stats().last_error, recorder.stats().resent) == (2, "second", 2)

    recorder.settle([], Judgement(""))

    assert (recorder.stats().failures, recorder.stats().last_error) == (0, None)


def test_a_refused_key_is_warned_of_again_after_it_worked(recorder: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    recorder.failed(Unauthenticated("bad key."), [])
    recorder.failed(Unauthenticated("bad key."), [])
    assert len(warnings(caplog)) == 1

    recorder.settle([], Judgement(""))
    recorder.failed(Unauthenticated("bad key."), [])

    assert len(warnings(caplog)) == 2


def test_nothing_is_kept_after_closing(recorder: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    recorder.close()

    assert recorder.record("t") is None

    assert (recorder.stats().late, recorder.stats().undelivered) == (1, 0)
    assert warnings(caplog) == [
        "Actions recorded after close() are lost. Close the client when the app ends, not before."
    ]


ENDPOINT = Endpoint("http://steadylight.test/graphql", "sl_0123456789ab_secret")


def spooled(tmp_path: Path, **given: Any) -> Recorder:
    return Recorder(Options(now=lambda: NOW, spool=tmp_path, **given), None, ENDPOINT)


def home_of(tmp_path: Path) -> Path:
    [address] = tmp_path.iterdir()
    return address / "0123456789ab"


def test_a_hook_may_change_and_drop_what_is_recorded(caplog: pytest.LogCaptureFixture) -> None:
    def scrub(action: dict[str, Any]) -> dict[str, Any] | None:
        if action["type"] == "secret":
            return None
        if action["type"] == "broken":
            raise KeyError("4111 1111")
        action["properties"]["text"] = action["properties"].get("text", "").replace("4111", "****")
        return action

    recorder = Recorder(Options(before_record=scrub))
    given = {"text": "card 4111"}

    kept = [recorder.record(type, given) is not None for type in ("note", "secret", "broken")]

    assert kept == [True, False, False]
    assert [action["properties"] for action in recorded(recorder)] == [{"text": "card ****"}]
    assert given == {"text": "card 4111"}
    assert (recorder.stats().recorded, recorder.stats().dropped, recorder.stats().unfit) == (1, 2, 0)
    assert warnings(caplog) == ["before_record raised KeyError: actions for which it does are dropped."]


def test_what_the_hook_returns_must_be_an_action() -> None:
    recorder = Recorder(Options(before_record=lambda action: "text"))  # type: ignore[arg-type, return-value]

    assert recorder.record("t") is None

    assert recorder.stats().unfit == 1


def test_the_id_of_what_is_on_disk_is_told_whatever_the_hook_made_of_the_action(tmp_path: Path) -> None:
    turned = Options(spool=tmp_path, before_record=lambda action: dict(reversed(action.items())))
    recorder = Recorder(turned, endpoint=Endpoint("http://here/graphql", "sl_key"))

    id = recorder.record("t", {"a": 1}, Common("c", ()))

    [entry] = recorder.take(10, 10_000)
    assert entry.id == id
    assert json.loads(entry.payload).items() >= {"id": id, "type": "t", "actor": "CUSTOMER", "contact": "c"}.items()


def test_redacted_names_are_told_at_no_depth_and_in_no_case() -> None:
    recorder = Recorder(Options(redact=("password", "Card")))

    recorder.record("t", {"PASSWORD": "p", "list": [{"card": {"no": 1}}, 2], "plan": "fibre"})

    assert recorded(recorder)[0]["properties"] == {
        "PASSWORD": "[redacted]",
        "list": [{"card": "[redacted]"}, 2],
        "plan": "fibre",
    }


def test_the_hook_comes_before_redaction() -> None:
    def leaking(action: dict[str, Any]) -> dict[str, Any]:
        return {**action, "properties": {"password": "p"}}

    recorder = Recorder(Options(before_record=leaking, redact=("password",)))
    recorder.record("t")

    assert recorded(recorder)[0]["properties"] == {"password": "[redacted]"}


def test_an_action_larger_than_a_request_is_refused_at_the_call(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(Options(batch_bytes=500))

    assert recorder.record("t", common=Common("c", ({"value": "x" * 600},))) is None

    assert "of the 500 that a request may hold." in warnings(caplog)[0]


def test_what_is_refused_is_kept_aside_with_its_reason(tmp_path: Path) -> None:
    recorder = spooled(tmp_path)
    recorder.record("one", {"n": 1})

    recorder.settle(recorder.take(9, 9_000), Judgement("X", (refusal(0),)))
    recorder.close()

    [note] = _notes.read(str(home_of(tmp_path)), _notes.REFUSED)
    assert (note["code"], note["message"], note["action"]["properties"]) == ("CONFLICT", "m", {"n": 1})
    assert (home_of(tmp_path) / "refused.jsonl").stat().st_mode & 0o777 == 0o600
    assert _notes.dropped(str(home_of(tmp_path))) == {"refused": 1}
    assert not list(tmp_path.rglob("*.seg"))


def test_drops_are_counted_over_restarts(tmp_path: Path) -> None:
    for _ in range(2):
        recorder = spooled(tmp_path)
        recorder.record("t", {"a": "x" * 40_000})
        recorder.close()

    assert _notes.dropped(str(home_of(tmp_path))) == {"unfit": 2}


def test_a_full_spool_is_told_with_its_bound(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recorder = spooled(tmp_path, spool_bytes=4_096)

    kept = [recorder.record("t", {"a": "x" * 1_000}) is not None for _ in range(6)]

    assert kept == [True, True, True, False, False, False]
    assert recorder.stats().overflowed == 3
    assert warnings(caplog) == [
        "The spool of 4096 bytes is full: new actions are lost until the server takes some. Last failure: none"
    ]


def test_a_spool_that_cannot_be_made_is_told_once_and_memory_keeps(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")

    recorder = Recorder(Options(spool=tmp_path / "file"), None, ENDPOINT)

    assert recorder.record("t") is not None
    assert recorder.stats().unsafe == 1
    assert len(warnings(caplog)) == 1
    assert "There is no spool" in warnings(caplog)[0]


def test_what_goes_straight_into_the_spool_is_as_what_is_put(tmp_path: Path) -> None:
    recorder = spooled(tmp_path, spool_bytes=10_000_000)
    assert recorder.spool is not None
    straight = recorder._free

    for number in range(3_000):
        recorder._free = straight if number % 3 else []
        recorder.record("a.b", {"n": number, "pad": "x" * (number * 97 % 2_000)}, COMMON)

    stats = recorder.stats()
    assert (stats.recorded, stats.undelivered, stats.unsafe, stats.overflowed) == (3_000, 3_000, 0, 0)
    assert (recorder.queue.undelivered("c-1"), len(recorder.spool._lanes)) == (3_000, 1)
    batch = recorder.take(3_000, 10_000_000)
    assert [json.loads(each.payload)["properties"]["n"] for each in batch] == list(range(3_000))
    recorder.settle(batch, Judgement("S" * 3_000))
    stats = recorder.stats()
    assert (stats.recorded, stats.undelivered, stats.damaged) == (3_000, 0, 0)
    assert recorder.queue.undelivered("c-1") == 0
    recorder.close()


def test_a_disk_that_fails_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_segment, "_allocate", full)
    recorder = spooled(tmp_path)

    assert [recorder.record("t") is not None for _ in range(3)] == [True] * 3

    assert (recorder.stats().unspooled, recorder.stats().unsafe, recorder.stats().recorded) == (3, 3, 3)
    assert len(warnings(caplog)) == 1
    assert "No space left on device" in warnings(caplog)[0]


def test_the_circuit_is_open_until_something_works() -> None:
    now = [100.0]
    recorder = Recorder(Options(clock=lambda: now[0]))
    recorder.failed(Unauthenticated("bad"), [])
    recorder.pausing(30.0)
    now[0] += 10
    assert (recorder.stats().circuit, recorder.stats().retry_in) == ("open", 20.0)

    recorder.settle([], Judgement(""))

    assert (recorder.stats().circuit, recorder.stats().retry_in) == ("closed", None)


def answer(channel: str | None) -> Response:
    return Response(200, {}, json.dumps({"data": {"viewer": {"channel": channel}}}).encode())


def with_key(tmp_path: Path, id: str) -> Recorder:
    return Recorder(Options(spool=tmp_path), None, Endpoint(ENDPOINT.url, f"sl_{id}_secret"))


def test_what_was_recorded_with_an_earlier_key_of_the_channel_is_found_again(tmp_path: Path) -> None:
    old, other = with_key(tmp_path, "old"), with_key(tmp_path, "other")
    for recorder, channel in ((old, "web"), (other, "ivr")):
        recorder.record(f"{channel}.used")
        assert recorder.answered(answer(channel)) is None
        recorder.close()

    new = with_key(tmp_path, "new")
    assert new.take(9, 9_000) == []
    assert new.question() is not None
    assert new.answered(answer("web")) is None

    assert [action["type"] for action in recorded(new)] == ["web.used"]
    assert new.question() is None


def test_another_address_is_another_spool(tmp_path: Path) -> None:
    here = spooled(tmp_path)
    here.record("t")
    here.close()

    there = Recorder(Options(spool=tmp_path), None, Endpoint("http://other.test/graphql", ENDPOINT.key))
    there.begin(other_keys=True)

    assert there.stats().adopted == 0


def test_the_channel_is_asked_for_until_the_server_answers(tmp_path: Path) -> None:
    recorder = spooled(tmp_path)
    assert recorder.question() is not None
    assert isinstance(recorder.answered(Unreachable("away")), Unreachable)
    assert recorder.question() is not None

    assert recorder.answered(Response(200, {}, b"{}")) is None

    assert recorder.question() is None


def test_a_key_that_is_none_of_ours_is_not_shown_in_a_name(tmp_path: Path) -> None:
    Recorder(Options(spool=tmp_path), None, Endpoint(ENDPOINT.url, "some-secret"))

    [address] = tmp_path.iterdir()
    assert "secret" not in " ".join(str(each) for each in address.iterdir())


def test_a_folder_of_somebody_else_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 12_345)

    assert spooled(tmp_path).spool is None
