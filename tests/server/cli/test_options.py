"""What is written on the command line, read."""

from datetime import timedelta

import pytest
import typer

from steadylight_server.cli.options import assurance, duration
from steadylight_server.core.assurance import Assurance


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("24h", 86400), ("7d", 604800), ("0", 0), (" 1h ", 3600)]
)
def test_a_length_of_time(text: str, seconds: int) -> None:
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "1", "h", "1.5h", "-1h", "1w", "24 h"])
def test_no_length_of_time(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        duration(text)


def test_a_level_in_either_case() -> None:
    assert assurance("in-person") is assurance("IN_PERSON") is Assurance.IN_PERSON
