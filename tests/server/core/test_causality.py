"""Tokens: what was signed here is understood here, and nothing else is."""

import base64

import pytest
from bson.binary import Binary
from bson.timestamp import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from steadylight_server.core.causality import Moment
from steadylight_server.core.errors import Invalid

SECRET = b"one deployment's"
MOMENT = Moment(Timestamp(1_800_000_000, 3), Timestamp(1_800_000_001, 4), 7, b"s" * 20)

seconds = st.integers(0, 2**32 - 1)
timestamps = st.builds(Timestamp, seconds, seconds)
moments = st.builds(
    Moment, timestamps, timestamps, st.integers(-(2**63), 2**63 - 1), st.binary(min_size=20, max_size=20)
)


@given(moments)
def test_a_token_leads_back_to_its_moment(moment: Moment) -> None:
    assert Moment.from_token(moment.token(SECRET), SECRET) == moment


def test_a_moment_is_made_of_what_the_driver_keeps() -> None:
    signed = {"clusterTime": Timestamp(9, 1), "signature": {"keyId": 7, "hash": b"h" * 20}}

    assert Moment.of(Timestamp(8, 2), signed) == Moment(Timestamp(8, 2), Timestamp(9, 1), 7, b"h" * 20)


def test_a_cluster_without_signatures_gives_a_moment_too() -> None:
    moment = Moment.of(Timestamp(8, 2), {"clusterTime": Timestamp(9, 1)})

    assert moment == Moment(Timestamp(8, 2), Timestamp(9, 1), 0, b"")
    assert moment.gossip() == {"clusterTime": Timestamp(9, 1), "signature": {"hash": Binary(b"\0" * 20), "keyId": 0}}


def test_a_token_of_another_deployment_is_invalid() -> None:
    with pytest.raises(Invalid, match="The token is not one of ours"):
        Moment.from_token(MOMENT.token(b"another's"), SECRET)


@given(st.integers(0, 59), st.integers(1, 255))
def test_a_token_of_which_one_byte_was_changed_is_invalid(index: int, change: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(MOMENT.token(SECRET)))
    raw[index] ^= change

    with pytest.raises(Invalid):
        Moment.from_token(base64.urlsafe_b64encode(raw).decode(), SECRET)


@given(st.text(max_size=100))
def test_any_other_text_is_invalid(text: str) -> None:
    with pytest.raises(Invalid):
        Moment.from_token(text, SECRET)
