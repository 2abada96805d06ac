"""Performing as the SDK plays it: it repeats what is safe to repeat, waits on what runs, and believes no nonsense."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pytest

from steadylight import Client, Conflict, Performance, ProtocolError, Timeout, Unreachable
from steadylight.testing import FAST

STATEMENT = {"period": "2026-10"}


def told(state: str = "DONE", **fields: Any) -> dict[str, Any]:
    """A performance as the server tells of it."""
    performance = {
        "id": "prf_1",
        "capability": "statement.view",
        "key": "k-1",
        "state": state,
        "output": {"url": "/"} if state == "DONE" else None,
        "failure": None,
        "progress": None,
        "channel": "web",
        "attempt": 1,
        "begunAt": "2026-11-22T09:00:00.000Z",
        "endedAt": None,
        **fields,
    }
    payload = {"performance": performance, "repeated": False, "token": "t-1"}
    return {"data": {"performCapability": payload}}


class Wire:
    """Answers one after the other, the last for ever; notes what was asked."""

    def __init__(self, *answers: dict[str, Any] | Exception) -> None:
        self.asked: list[dict[str, Any]] = []
        self._answers: Sequence[dict[str, Any] | Exception] = answers

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(json.loads(request.content))
        answer = self._answers[min(len(self.asked), len(self._answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(200, json=answer)

    def played(self, play: Callable[[Any], Any]) -> Any:
        """What `play` makes of a contact on this wire."""
        transport = httpx.MockTransport(self)
        with Client("http://steadylight.test", "sl_key", options=FAST, transport=transport) as light:
            return play(light.customer(login="C-1", assurance="LOGIN").contact(key="visit-1"))

    def performed(self, within: float = 5) -> Performance:
        """What is performed."""
        done: Performance = self.played(lambda contact: contact.perform("v", STATEMENT, key="k-1", within=within))
        return done


UNAVAILABLE = {"errors": [{"message": "Not now.", "extensions": {"code": "UNAVAILABLE"}}]}


def test_what_was_cut_off_is_sent_again_with_the_same_key() -> None:
    wire = Wire(httpx.ReadError("cut"), UNAVAILABLE, told())

    done = wire.performed()

    assert (done.state, done.output, done.done) == ("DONE", {"url": "/"}, True)
    inputs = [asked["variables"]["input"] for asked in wire.asked]
    assert len(inputs) == 3
    assert {(one["key"], one["capability"], json.dumps(one["input"])) for one in inputs} == {
        ("k-1", "v", json.dumps(STATEMENT))
    }
    assert all(0 < one["within"] < 5 for one in inputs)


def test_what_still_runs_is_waited_for_while_there_is_time() -> None:
    wire = Wire(told("RUNNING"), told("RUNNING"), told())

    done = wire.performed()

    assert (done.state, done.repeated, len(wire.asked)) == ("DONE", False, 3)


def test_what_still_runs_at_the_end_is_said_to() -> None:
    done = Wire(told("RUNNING", progress={"done": 0.5, "message": "half", "at": None})).performed(within=0.05)

    assert (done.state, done.done, done.output) == ("RUNNING", False, None)
    assert done.progress is not None
    assert (done.progress.done, done.progress.message) == (0.5, "half")


def test_a_definite_error_is_raised_at_once() -> None:
    wire = Wire({"errors": [{"message": "Used.", "extensions": {"code": "CONFLICT"}}]})

    with pytest.raises(Conflict, match="Used"):
        wire.performed()

    assert len(wire.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"data": {}},
        {"data": {"performCapability": None}},
        {"data": {"performCapability": {"performance": {}, "repeated": False}}},
        {"data": {"performCapability": {"performance": None, "repeated": False}}},
    ],
    ids=["nothing", "null", "empty", "no performance"],
)
def test_nonsense_is_no_answer(answer: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError, match="not in a form"):
        Wire(answer).performed()


@pytest.mark.parametrize("answer", [{"data": {"capabilities": None}}, {"data": {"capabilities": [{}]}}, {"data": {}}])
def test_a_list_that_is_none_is_no_answer(answer: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError, match="not in a form"):
        Wire(answer).played(lambda contact: contact.capabilities(within=5))


def test_a_server_that_is_away_is_an_error() -> None:
    with pytest.raises(Unreachable):
        Wire(httpx.ConnectError("refused")).performed(within=0.05)
    with pytest.raises(Timeout):
        Wire(told()).performed(within=0)
