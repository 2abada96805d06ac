"""Waiting for a server that is away."""

import pytest

from steadylight import Invalid, SteadylightError, Unavailable, Unreachable
from steadylight_server.cli.patience import patiently


class Answers:
    """Raises or returns what it was given, one after the other."""

    def __init__(self, *given: object) -> None:
        self.given = list(given)

    def __call__(self) -> object:
        one = self.given.pop(0)
        if isinstance(one, SteadylightError):
            raise one
        return one


def test_a_server_that_comes_back_is_waited_for() -> None:
    ask = Answers(Unreachable("away"), Unavailable("starting", retry_after=0.01), "there")

    assert patiently(ask) == "there"


def test_what_does_not_pass_is_raised_at_once() -> None:
    ask = Answers(Invalid("no"), "never asked")

    with pytest.raises(Invalid):
        patiently(ask)

    assert ask.given == ["never asked"]


def test_patience_ends() -> None:
    with pytest.raises(Unreachable):
        patiently(Answers(Unreachable("away"), Unreachable("away")), patience=0.15)
