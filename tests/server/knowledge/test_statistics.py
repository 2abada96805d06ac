"""How far words are apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steadylight_server.knowledge.statistics import distance


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ("card", "card", 0),
        ("card", "cart", 1),
        ("card", "cards", 1),
        ("card", "crd", 1),
        ("card", "crad", 1),
        ("charges", "chrages", 1),
        ("charges", "hcarges", 1),
        ("charges", "carhges", 2),
        ("card", "bill", 3),
        ("", "ab", 2),
        ("", "", 0),
    ],
)
def test_a_letter_wrong_missing_too_many_or_in_its_neighbours_place_is_one(one: str, other: str, apart: int) -> None:
    assert distance(one, other, 2) == apart
    assert distance(other, one, 2) == apart


@given(st.text("abc", max_size=7), st.text("abc", max_size=7), st.integers(0, 7))
def test_it_is_exact_up_to_what_is_asked(one: str, other: str, most: int) -> None:
    exact = distance(one, other, 20)

    assert distance(one, other, most) == exact if exact <= most else distance(one, other, most) > most
