"""What stands behind record(): the queue, its bounds, and promises to the host."""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from steadylight import Invalid, Options, Unauthenticated, Verdict
from steadylight._actions import Entry
from steadylight._answers import Judgement
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
    first = recorder.record({"type": "t"}, {"a": 1}, None)
    recorder.record({"type": "t", "id": "given", "at": "2026-01-01T00:00:00Z"}, None, None)

    one, two = recorded(recorder)
    assert one == {
        "id": first,
        "sequence": one["sequence"],
        "type": "t",
        "at": "2026-11-22T00:00:00.000Z",
        "properties": {"a": 1},
    }
    assert two == {"id": "given", "sequence": one["sequence"] + 1, "type": "t", "at": "2026-01-01T00:00:00Z"}


def test_a_naive_time_is_utc_and_warned_of_once(recorder: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        recorder.record({"type": "t", "at": datetime(2026, 1, 2)}, None, None)  # noqa: DTZ001

    assert {action["at"] for action in recorded(recorder)} == {"2026-01-02T00:00:00.000Z"}
    assert warnings(caplog) == ["A time without time zone was recorded; it is taken as UTC. Pass an aware datetime."]


def test_a_queue_that_is_full_is_counted_and_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(Options(queue_bytes=300))

    kept = [recorder.record({"type": "t"}, {"a": "x" * 100}, None) for _ in range(4)]

    assert [id is not None for id in kept] == [True, False, False, False]
    assert (recorder.stats().recorded, recorder.stats().overflowed) == (1, 3)
    assert warnings(caplog) == [
        "The queue of 300 bytes is full: new actions are lost until the server takes some. Last failure: none"
    ]


def test_an_action_that_is_too_large_is_refused_at_the_call(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    assert recorder.record({"type": "plan.viewed"}, {"a": "x" * 40_000}, None) is None
    assert recorder.record({"type": "plan.viewed"}, {"a": "x" * 40_000}, None) is None

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
    assert recorder.record({"type": "t"}, properties, None) is None

    assert recorder.stats().unfit == 1


def test_what_json_lacks_is_recorded_as_text_and_warned_of_once(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        recorder.record({"type": "t"}, {"a": float("inf"), "b": object}, None)

    assert recorded(recorder)[0]["properties"] == {"a": "inf", "b": "<class 'object'>"}
    assert warnings(caplog) == [
        "Properties of type 't' hold a number that is none, which JSON lacks; it is recorded as text."
    ]


def test_a_log_handler_may_record(recorder: Recorder) -> None:
    class Recording(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            recorder.record({"type": "log.written"}, {"bad": float("nan")}, None)

    handler = Recording()
    logging.getLogger("steadylight").addHandler(handler)
    try:
        recorder.record({"type": "t"}, {"bad": float("nan")}, None)
    finally:
        logging.getLogger("steadylight").removeHandler(handler)

    assert sorted(action["type"] for action in recorded(recorder)) == ["log.written", "t"]


def refusal(index: int) -> Verdict:
    return Verdict(index=index, id="x", verdict="REFUSED", code="CONFLICT", message="m")


def test_verdicts_are_counted_and_retries_kept(recorder: Recorder) -> None:
    for _ in range(4):
        recorder.record({"type": "t"}, None, "c")
    batch = recorder.take(9, 9_000)

    recorder.settle(batch, Judgement("SDXR", (refusal(2),), token="t-1"))

    assert recorder.stats().model_dump() == {
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
    recorder.record({"type": "one"}, None, None)
    recorder.record({"type": "two"}, None, None)

    recorder.settle(recorder.take(9, 9_000), Judgement("XX", (refusal(0), refusal(1), refusal(7))))

    assert told == [("one", "CONFLICT"), ("two", "CONFLICT")]
    assert len(warnings(caplog)) == 1


def test_a_broken_on_refused_holds_up_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def broken(action: dict[str, Any], verdict: Verdict) -> None:
        raise RuntimeError("host")

    recorder = Recorder(Options(), broken)
    recorder.record({"type": "one"}, None, None)

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

    assert recorder.record({"type": "t"}, None, None) is None

    assert (recorder.stats().late, recorder.stats().undelivered) == (1, 0)
    assert warnings(caplog) == [
        "Actions recorded after close() are lost. Close the client when the app ends, not before."
    ]
