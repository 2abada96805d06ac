"""Where two documents differ: every place, and no other."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steadylight_server.cli.differences import ABSENT, Difference, differences

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


def test_each_place_is_named_by_its_pointer() -> None:
    one = {"state": "DONE", "output": {"total": 17, "lines": [{"a": 1}, 2], "a/b": {"~": 1}}}
    other = {"state": "DONE", "output": {"total": 18, "lines": [{"a": 1}, 3, 4], "a/b": {"~": 2}, "more": None}}

    assert differences(one, other) == [
        Difference("/output/total", 17, 18),
        Difference("/output/lines/1", 2, 3),
        Difference("/output/lines/2", ABSENT, 4),
        Difference("/output/a~1b/~0", 1, 2),
        Difference("/output/more", ABSENT, None),
    ]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [(1, 1.0, True), (1, True, False), (0, False, False), (None, ABSENT, False), ([], {}, False)],
)
def test_what_json_calls_the_same_is_the_same(one: Any, other: Any, same: bool) -> None:
    assert (differences({"a": one}, {"a": other}) == []) is same


@pytest.mark.parametrize(
    ("ignored", "left"),
    [
        ([], ["/at", "/lines/0/at", "/lines/1/at"]),
        (["/at"], ["/lines/0/at", "/lines/1/at"]),
        (["/lines/*/at"], ["/at"]),
        (["/lines"], ["/at"]),
        (["/lines/0/at", "/a"], ["/at", "/lines/1/at"]),
        (["/*"], []),
    ],
    ids=["nothing", "one", "any-step", "all-below", "several", "everything"],
)
def test_what_must_differ_is_ignored(ignored: list[str], left: list[str]) -> None:
    one = {"at": 1, "lines": [{"at": 1}, {"at": 1}]}
    other = {"at": 2, "lines": [{"at": 2}, {"at": 2}]}

    assert [found.pointer for found in differences(one, other, ignored=ignored)] == left


@given(JSON)
def test_nothing_differs_from_itself(document: Any) -> None:
    assert differences(document, copy.deepcopy(document)) == []


@given(JSON, JSON)
def test_what_differs_is_found_from_both_sides(one: Any, other: Any) -> None:
    there = [(found.pointer, found.one, found.other) for found in differences(one, other)]
    back = [(found.pointer, found.other, found.one) for found in differences(other, one)]

    assert bool(there) is (repr(one) != repr(other) and _plain(one) != _plain(other))
    assert sorted(map(repr, there)) == sorted(map(repr, back))


def _plain(document: Any) -> Any:
    """In which no two that differ are equal to Python, and the order of names does not matter."""
    if isinstance(document, dict):
        return {name: _plain(said) for name, said in document.items()}
    if isinstance(document, list):
        return [_plain(said) for said in document]
    return (type(document).__name__, document)
