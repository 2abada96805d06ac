"""The exchanges, step by step, with no clock but the test's."""

import gzip
import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from steadylight import (
    Forbidden,
    Internal,
    Options,
    RateLimited,
    SteadylightError,
    Timeout,
    Unauthenticated,
    Unavailable,
    Unreachable,
)
from steadylight._actions import Entry
from steadylight._answers import Answer, Judgement, Response
from steadylight._protocol import Backoff, Idle, Request, Sleep, asking, delivery, recording, request
from steadylight._queue import taken

START = datetime(2026, 11, 22, tzinfo=UTC)


@dataclass
class Clock:
    """A monotonic clock and the time of day, moved by the test."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)


@dataclass
class Shelf:
    """A source that remembers what it was told."""

    waiting: deque[Entry]
    settled: list[tuple[str, str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    asks: Request | None = None
    answers: list[Answer] = field(default_factory=list)

    def take(self, count: int, size: int) -> list[Entry]:
        return taken(self.waiting, count, size)

    def settle(self, batch: Sequence[Entry], judgement: Judgement) -> None:
        for entry, letter in zip(batch, judgement.letters, strict=True):
            self.settled.append((entry.id, letter))
            if letter == "R":
                self.waiting.append(entry)

    def give_back(self, batch: Sequence[Entry]) -> None:
        self.waiting.extendleft(reversed(batch))

    def failed(self, error: SteadylightError, batch: Sequence[Entry]) -> None:
        self.failures.append(error.code)

    def pausing(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def question(self) -> Request | None:
        return self.asks

    def answered(self, answer: Answer) -> SteadylightError | None:
        self.answers.append(answer)
        if isinstance(answer, SteadylightError):
            return answer
        self.asks = None
        return None


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def options(clock: Clock) -> Options:
    return Options(clock=clock, now=clock.now, jitter=lambda: 0.5)


def shelf(*ids: str) -> Shelf:
    return Shelf(deque(Entry(id, None, json.dumps({"id": id}).encode()) for id in ids))


def asked(step: object) -> dict[str, Any]:
    assert isinstance(step, Request)
    packed = step.headers.get("Content-Encoding") == "gzip"
    body: dict[str, Any] = json.loads(gzip.decompress(step.body) if packed else step.body)
    return body


def ids(step: object) -> list[str]:
    return [action["id"] for action in asked(step)["variables"]["input"]["batch"]["actions"]]


def verdicts(letters: str, **headers: str) -> Response:
    body = {"data": {"recordActions": {"verdicts": {"verdicts": letters}}}}
    return Response(200, headers, json.dumps(body).encode())


def failure(code: str, status: int = 200, **headers: str) -> Response:
    body = {"errors": [{"message": "No.", "extensions": {"code": code}}]}
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, names, json.dumps(body).encode())


def test_pauses_double_up_to_the_ceiling_and_jitter_is_full() -> None:
    longest, shortest = Backoff(Options(jitter=lambda: 1.0)), Backoff(Options(jitter=lambda: 0.0))

    assert [longest.after(Unavailable("")).seconds for _ in range(8)] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert [shortest.after(Unavailable("")).seconds for _ in range(3)] == [0.0, 0.0, 0.0]


def test_pauses_stay_at_the_ceiling_for_ever() -> None:
    backoff = Backoff(Options(jitter=lambda: 1.0))

    assert {backoff.after(Unavailable("")).seconds for _ in range(5_000)} == {0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0}


def test_something_that_worked_begins_the_schedule_anew(options: Options) -> None:
    backoff = Backoff(options)
    backoff.after(Unavailable(""))
    backoff.after(Unavailable(""))

    backoff.reset()

    assert backoff.after(Unavailable("")) == Sleep(0.25, 0.0)


def test_retry_after_is_a_minimum_and_jitter_comes_on_top(options: Options) -> None:
    assert Backoff(options).after(RateLimited("", retry_after=7.0)) == Sleep(7.25, 7.0)
    assert Backoff(options).after(RateLimited("", retry_after=90.0)) == Sleep(90.25, 90.0)


def test_a_refused_key_waits_at_the_ceiling(options: Options) -> None:
    assert Backoff(options).after(Unauthenticated("")) == Sleep(30.0, 0.0)
    assert Backoff(options).after(Forbidden("", retry_after=40.0)) == Sleep(40.0, 40.0)


def test_a_request_is_an_operation_with_its_variables() -> None:
    step = request("WhoAmI", "query WhoAmI { x }", {"a": 1}, 3.0)

    assert asked(step) == {"query": "query WhoAmI { x }", "operationName": "WhoAmI", "variables": {"a": 1}}
    assert (step.timeout, step.headers) == (3.0, {})


def test_a_request_without_name_and_variables_is_its_document() -> None:
    assert asked(request("", "{ x }", None, 1.0)) == {"query": "{ x }"}


def test_bodies_over_a_kilobyte_are_packed() -> None:
    assert request("", "x" * 988, None, 1.0).headers == {}
    assert request("", "x" * 989, None, 1.0).headers == {"Content-Encoding": "gzip"}
    assert asked(request("", "x" * 5_000, None, 1.0)) == {"query": "x" * 5_000}


def test_no_repr_shows_the_actions() -> None:
    assert "secret" not in repr(request("", "secret", None, 1.0))


def test_a_batch_is_stamped_when_it_is_sent(options: Options, clock: Clock) -> None:
    step = recording([Entry("a", None, b'{"id":"a"}')], options, 5.0)

    assert asked(step)["variables"] == {
        "input": {"batch": {"sent_at": "2026-11-22T00:00:00.000Z", "actions": [{"id": "a"}]}}
    }
    assert asked(step)["operationName"] == "RecordActions"


def test_batches_go_out_one_after_the_other(options: Options) -> None:
    source = shelf("a", "b", "c")
    playing = delivery(source, Options(batch_count=2))

    assert ids(next(playing)) == ["a", "b"]
    assert ids(playing.send(verdicts("SD"))) == ["c"]
    assert playing.send(verdicts("X")) == Idle()
    assert source.settled == [("a", "S"), ("b", "D"), ("c", "X")]


def test_it_goes_on_when_there_is_something_again(options: Options) -> None:
    source = shelf()
    playing = delivery(source, options)
    assert next(playing) == Idle()

    source.waiting.append(Entry("a", None, b'{"id":"a"}'))

    assert ids(playing.send(None)) == ["a"]


@pytest.mark.parametrize(
    "bad",
    [
        failure("UNAVAILABLE"),
        failure("UNAVAILABLE", 503),
        failure("RATE_LIMITED", 429),
        failure("INTERNAL"),
        failure("SOMETHING_NEW"),
        Response(200, {}, b"<html>sign in</html>"),
        Response(502, {}, b""),
        verdicts("SS"),
        Timeout("late"),
        Unreachable("cut"),
    ],
)
def test_a_failed_request_is_sent_again_with_a_new_stamp(bad: Any, options: Options, clock: Clock) -> None:
    source = shelf("a")
    playing = delivery(source, options)
    first = asked(next(playing))

    pause = playing.send(bad)
    clock.seconds = 2.0
    second = asked(playing.send(None))

    assert pause == Sleep(0.25, 0.0)
    assert first["variables"]["input"]["batch"]["sent_at"] == "2026-11-22T00:00:00.000Z"
    assert second["variables"]["input"]["batch"]["sent_at"] == "2026-11-22T00:00:02.000Z"
    assert first["variables"]["input"]["batch"]["actions"] == second["variables"]["input"]["batch"]["actions"]
    assert source.settled == []


def test_retry_after_in_header_and_in_extensions_is_kept_to(options: Options) -> None:
    playing = delivery(shelf("a"), options)
    next(playing)

    assert playing.send(failure("RATE_LIMITED", 429, retry_after="4")) == Sleep(4.25, 4.0)
    playing.send(None)
    dated = "Sun, 22 Nov 2026 00:00:09 GMT"
    assert playing.send(failure("UNAVAILABLE", 503, retry_after=dated)) == Sleep(9.5, 9.0)


@pytest.mark.parametrize("code", ["UNAUTHENTICATED", "FORBIDDEN"])
def test_a_refused_key_keeps_the_actions_and_waits_at_the_ceiling(code: str, options: Options) -> None:
    source = shelf("a")
    playing = delivery(source, options)
    next(playing)

    assert playing.send(failure(code, 401)) == Sleep(30.0, 0.0)
    assert ids(playing.send(None)) == ["a"]
    assert source.failures == [code]


@pytest.mark.parametrize(("code", "kind"), [("UNAUTHENTICATED", Unauthenticated), ("FORBIDDEN", Forbidden)])
def test_with_somebody_to_tell_a_refused_key_is_raised(code: str, kind: type[Exception], options: Options) -> None:
    source = shelf("a", "b")
    playing = delivery(source, options, patient=False)
    next(playing)

    with pytest.raises(kind):
        playing.send(failure(code))

    assert [entry.id for entry in source.waiting] == ["a", "b"]


@pytest.mark.parametrize("code", ["INVALID", "TOO_COMPLEX"])
def test_an_invalid_batch_is_halved_until_the_bad_one_is_alone(code: str, options: Options) -> None:
    source = shelf("a", "b", "c", "d", "e")
    playing = delivery(source, options)

    assert ids(next(playing)) == ["a", "b", "c", "d", "e"]
    assert ids(playing.send(failure(code))) == ["a", "b"]
    assert ids(playing.send(verdicts("SS"))) == ["c", "d", "e"]
    assert ids(playing.send(failure(code))) == ["c"]
    assert ids(playing.send(failure(code))) == ["d", "e"]
    assert playing.send(verdicts("SS")) == Idle()
    assert source.settled == [("a", "S"), ("b", "S"), ("c", "X"), ("d", "S"), ("e", "S")]


def test_a_body_that_is_too_large_is_halved_too(options: Options) -> None:
    playing = delivery(shelf("a", "b"), options)
    next(playing)

    assert ids(playing.send(Response(413, {}, b""))) == ["a"]


def test_only_retry_is_sent_again_and_after_everything_else(options: Options) -> None:
    source = shelf("a", "b", "c", "d")
    playing = delivery(source, Options(batch_count=3, jitter=lambda: 1.0))

    assert ids(next(playing)) == ["a", "b", "c"]
    assert playing.send(verdicts("RXS")) == Sleep(0.5, 0.0)
    assert ids(playing.send(None)) == ["d", "a"]
    assert playing.send(verdicts("SR")) == Sleep(0.5, 0.0)  # Something was stored: the schedule begins anew.
    assert ids(playing.send(None)) == ["a"]
    assert playing.send(verdicts("R")) == Sleep(1.0, 0.0)


def test_impatient_it_ends_when_the_source_is_empty(options: Options) -> None:
    playing = delivery(shelf("a"), options, patient=False)
    next(playing)

    with pytest.raises(StopIteration):
        playing.send(verdicts("S"))


def test_it_ends_at_the_deadline_and_gives_back_what_it_holds(options: Options, clock: Clock) -> None:
    source = shelf("a", "b", "c", "d")
    playing = delivery(source, options, until=10.0, patient=False)
    step = next(playing)
    assert isinstance(step, Request)
    assert step.timeout == 10.0
    playing.send(failure("INVALID"))  # Two halves are held now.
    clock.seconds = 9.9

    assert playing.send(failure("UNAVAILABLE")) == Sleep(pytest.approx(0.1), 0.0)  # type: ignore[arg-type]
    clock.seconds = 10.0
    with pytest.raises(StopIteration):
        playing.send(None)
    assert [entry.id for entry in source.waiting] == ["a", "b", "c", "d"]


def test_closing_it_gives_back_what_is_under_way(options: Options) -> None:
    source = shelf("a", "b")
    playing = delivery(source, options)
    next(playing)

    playing.close()

    assert [entry.id for entry in source.waiting] == ["a", "b"]


def play(exchange: Any, *answers: Any) -> tuple[list[Any], Any]:
    """The steps of an exchange that is given these answers, and its result."""
    steps, coming = [], iter(answers)
    answer = None
    try:
        while True:
            steps.append(exchange.send(answer))
            answer = next(coming) if isinstance(steps[-1], Request) else None
    except StopIteration as end:
        return steps, end.value


def test_a_question_is_answered(options: Options) -> None:
    steps, data = play(
        asking("A", "query A { a }", None, options, 3.0, repeatable=True), Response(200, {}, b'{"data": {"a": 1}}')
    )

    assert data == {"a": 1}
    assert [step.timeout for step in steps] == [3.0]


def test_a_question_is_repeated_while_time_remains(options: Options) -> None:
    steps, data = play(
        asking("A", "query A { a }", None, options, 3.0, repeatable=True),
        failure("UNAVAILABLE"),
        Unreachable("cut"),
        Response(200, {}, b'{"data": {"a": 1}}'),
    )

    assert [step.seconds for step in steps if isinstance(step, Sleep)] == [0.25, 0.5]
    assert data == {"a": 1}


def test_a_question_gives_up_rather_than_sleep_past_its_deadline(options: Options) -> None:
    with pytest.raises(Unavailable):
        play(asking("A", "query A { a }", None, options, 0.25, repeatable=True), failure("UNAVAILABLE"))


def test_what_was_answered_is_told_where_a_repetition_has_no_time_left(options: Options) -> None:
    with pytest.raises(Unavailable):
        play(
            asking("A", "query A { a }", None, options, 3.0, repeatable=True),
            failure("UNAVAILABLE"),
            Timeout("the rest of the time was too little"),
        )


def test_what_was_answered_is_told_where_the_pause_took_the_rest(options: Options, clock: Clock) -> None:
    exchange = asking("A", "query A { a }", None, options, 3.0, repeatable=True)
    next(exchange)
    assert isinstance(exchange.send(Unreachable("cut")), Sleep)
    clock.seconds = 3.0  # the machine was busy: the pause was longer than asked for

    with pytest.raises(Unreachable):
        exchange.send(None)


@pytest.mark.parametrize("bad", [failure("INTERNAL"), Timeout("late"), failure("UNAVAILABLE")])
def test_what_must_not_be_repeated_is_raised_at_once(bad: Any, options: Options) -> None:
    with pytest.raises((Internal, Timeout, Unavailable)):
        play(asking("A", "mutation A { a }", None, options, 60.0, repeatable=False), bad)


def test_a_deadline_in_the_past_asks_nothing(options: Options) -> None:
    with pytest.raises(Timeout, match="before the question could be asked"):
        play(asking("A", "query A { a }", None, options, 0.0, repeatable=True))


def test_when_there_is_nothing_to_send_the_source_may_ask(options: Options) -> None:
    source = shelf()
    source.asks = request("WhoAmI", "query", None, 5.0)
    playing = delivery(source, options)

    assert next(playing) == source.asks
    assert isinstance(playing.send(Unreachable("away")), Sleep)
    assert isinstance(playing.send(None), Request)
    assert isinstance(playing.send(Response(200, {}, b"")), Idle)
    assert len(source.answers) == 2
    assert len(source.pauses) == 1


@pytest.mark.parametrize("answer", [Unreachable("away"), Response(503, {}, b"")])
def test_a_brief_delivery_ends_at_the_first_failure_and_gives_back(options: Options, answer: Answer) -> None:
    source = shelf("a", "b")
    playing = delivery(source, options, brief=True)
    next(playing)

    with pytest.raises(StopIteration):
        playing.send(answer)

    assert [entry.id for entry in source.waiting] == ["a", "b"]
    assert len(source.failures) == 1
