"""Who fails is left alone, tried with one call, and asked again once it is well."""

from collections.abc import Callable

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from steadylight_server.core import metrics
from steadylight_server.core.circuit import Circuit, Open, State


class Seconds:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def circuit(seconds: Seconds) -> Circuit:
    return Circuit("core-banking", failures=3, window=30, pause=15, clock=seconds)


def fail(circuit: Circuit, times: int = 1) -> None:
    for _ in range(times):
        with circuit.passage() as passage:
            passage.failed()


def work(circuit: Circuit, times: int = 1) -> None:
    for _ in range(times):
        with circuit.passage() as passage:
            passage.worked()


def refused(circuit: Circuit) -> float:
    with pytest.raises(Open) as caught, circuit.passage():
        raise AssertionError("it must not pass")
    return caught.value.retry_after


def test_it_opens_after_so_many_failures_and_turns_everybody_away(circuit: Circuit, seconds: Seconds) -> None:
    fail(circuit, 2)
    assert (circuit.state, circuit.is_open) == (State.CLOSED, False)

    fail(circuit)

    assert (circuit.state, circuit.is_open) == (State.OPEN, True)
    assert refused(circuit) == 15
    seconds.now += 14.5
    assert refused(circuit) == 0.5


def test_after_the_pause_one_probe_passes_and_closes_it(circuit: Circuit, seconds: Seconds) -> None:
    fail(circuit, 3)
    seconds.now += 15

    assert (circuit.state, circuit.is_open) == (State.HALF_OPEN, False)
    with circuit.passage() as probe:
        assert circuit.is_open
        assert refused(circuit) == 1.0
        probe.worked()

    assert circuit.state is State.CLOSED
    fail(circuit, 2)
    assert circuit.state is State.CLOSED, "what was before counts no more"


def test_a_probe_that_fails_opens_it_for_another_pause(circuit: Circuit, seconds: Seconds) -> None:
    fail(circuit, 3)
    seconds.now += 20

    fail(circuit)

    assert circuit.state is State.OPEN
    assert refused(circuit) == 15


def test_a_probe_that_nobody_waited_for_leaves_the_next_one_free(circuit: Circuit, seconds: Seconds) -> None:
    fail(circuit, 3)
    seconds.now += 15

    with pytest.raises(TimeoutError), circuit.passage():
        raise TimeoutError

    assert (circuit.state, circuit.is_open) == (State.HALF_OPEN, False)
    work(circuit)
    assert circuit.state is State.CLOSED


def test_failures_further_apart_than_the_window_open_nothing(circuit: Circuit, seconds: Seconds) -> None:
    for _ in range(20):
        fail(circuit)
        seconds.now += 15

    assert circuit.state is State.CLOSED


def test_a_busy_receiver_that_fails_now_and_then_is_not_cut_off(circuit: Circuit) -> None:
    for _ in range(20):
        fail(circuit)
        work(circuit, 3)

    assert circuit.state is State.CLOSED


def test_what_passed_before_it_opened_says_nothing_about_after(circuit: Circuit, seconds: Seconds) -> None:
    with circuit.passage() as early:
        fail(circuit, 3)
        early.worked()
    assert circuit.is_open

    seconds.now += 15
    with circuit.passage() as late:
        seconds.now += 5
        late.worked()
    assert not circuit.is_open


def test_it_is_told_in_the_log_and_in_the_metrics(circuit: Circuit, seconds: Seconds) -> None:
    def shown() -> float | None:
        return metrics._registry.get_sample_value("steadylight_circuit_open", {"webhook": "core-banking"})

    with structlog.testing.capture_logs() as logged:
        fail(circuit, 3)
        assert shown() == 1
        seconds.now += 15
        fail(circuit)
        seconds.now += 15
        work(circuit)
        assert shown() == 0

    assert [(line["event"], line["webhook"]) for line in logged] == [
        ("a circuit opened", "core-banking"),
        ("a circuit closed", "core-banking"),
    ]


@given(st.lists(st.one_of(st.booleans(), st.floats(0.1, 40)), max_size=60))
def test_it_is_open_exactly_if_enough_of_the_latest_failed(what: list[bool | float]) -> None:
    """A plain re-computation: a float lets that much time pass, a bool is an attempt that fails or works."""
    seconds = Seconds()
    circuit = Circuit("law", failures=3, window=30, pause=15, clock=seconds)
    outcomes: list[tuple[float, bool]] = []
    opened: float | None = None
    for one in what:
        if isinstance(one, float):
            seconds.now += one
            continue
        may = opened is None or seconds.now >= opened + 15
        assert circuit.is_open is not may
        if not may:
            refused(circuit)
            continue
        attempt: Callable[[Circuit], None] = fail if one else work
        attempt(circuit)
        if opened is not None:
            opened, outcomes = (seconds.now if one else None), []
            continue
        outcomes = [*outcomes, (seconds.now, one)][-6:]
        if one and sum(failed for at, failed in outcomes if at > seconds.now - 30) >= 3:
            opened, outcomes = seconds.now, []
