"""How far words are apart, and how they begin."""

from collections import Counter
from typing import Never

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steadylight_server.knowledge.analysis import folded
from steadylight_server.knowledge.statistics import Lengths, Statistics, Visible, distance


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


def _nothing_of_others() -> Never:
    raise AssertionError("words that are in none of the parts were looked at")


several = st.lists(st.lists(st.text("aäbß\u0301", min_size=1, max_size=3), unique=True, max_size=6), max_size=6)


@given(several, st.text("aäb", max_size=2), st.integers(1, 5))
def test_words_that_begin_so_are_those_of_the_parts_the_most_frequent_first(
    parts: list[list[str]], prefix: str, limit: int
) -> None:
    counted = []
    for words in parts:
        one = Statistics("en")
        one.count(Lengths(), words, words, 1)
        counted.append(one)
    having = Counter(word for words in parts for word in words if folded(word).startswith(folded(prefix)))

    found = Visible(counted, _nothing_of_others).beginning(prefix, limit)

    assert found == sorted(having, key=lambda word: (-having[word], word))[:limit]
