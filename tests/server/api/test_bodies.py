"""Undoing gzip without trusting it."""

import gzip

import pytest

from steadylight_server.api.bodies import TooLarge, inflate
from steadylight_server.core.errors import Invalid


def test_a_body_of_exactly_the_limit_is_inflated() -> None:
    assert inflate(gzip.compress(b"x" * 100), 100) == b"x" * 100


def test_one_byte_more_is_too_large() -> None:
    with pytest.raises(TooLarge, match=r"^The body is longer than 100 bytes\.$"):
        inflate(gzip.compress(b"x" * 101), 100)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"plain",
        gzip.compress(b"cut off")[:-4],
        gzip.compress(b"and") + b"rubbish",
        gzip.compress(b"two") + gzip.compress(b"streams"),
    ],
    ids=["empty", "plain", "cut off", "rubbish after it", "two streams"],  # its bytes name the second it was made in
)
def test_what_is_not_one_whole_stream_is_invalid(body: bytes) -> None:
    with pytest.raises(Invalid, match="gzip"):
        inflate(body, 100)
