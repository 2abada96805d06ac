"""Positions, cursors, and Relay's rules for windows and pages."""

import base64
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steadylight_server.core.errors import Invalid
from steadylight_server.core.paging import DEFAULT_PAGE, MAX_PAGE, Page, Position, Window

AT = datetime(2026, 11, 22, 9, 30, 0, 125_000, tzinfo=UTC)
HERE = Position(AT, 7, UUID(int=1))

times = st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000))
positions = st.builds(Position, times, st.integers(0, 2**53 - 1), st.uuids())
# Neighbours differ in one part only, where an ordering mistake would show.
neighbours = st.builds(
    Position,
    st.sampled_from([AT, AT + timedelta(milliseconds=1), datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)]),
    st.sampled_from([0, 1, 255, 256]),
    st.sampled_from([UUID(int=0), UUID(int=1), UUID(int=2**127)]),
)


@given(positions | neighbours, positions | neighbours)
def test_packed_positions_sort_as_positions_do(one: Position, other: Position) -> None:
    assert (one.packed() < other.packed()) == (one < other)
    assert (one.packed() == other.packed()) == (one == other)


@given(positions | neighbours)
def test_a_cursor_leads_back_to_its_position(position: Position) -> None:
    assert Position.from_cursor(position.cursor()) == position


def test_a_packed_position_has_32_bytes_and_its_cursor_43_characters() -> None:
    assert len(HERE.packed()) == 32
    assert len(HERE.cursor()) == 43


@pytest.mark.parametrize(
    "cursor",
    [
        "nonsense",
        "ünlesbar",
        "A",
        HERE.cursor()[:-2],
        HERE.cursor() + "AAAA",
        base64.urlsafe_b64encode(b"\xff" * 32).decode(),  # a time beyond the year 9999
        base64.urlsafe_b64encode(b"\0" * 32).decode(),  # one before the year 1
    ],
)
def test_what_is_no_cursor_is_invalid(cursor: str) -> None:
    with pytest.raises(Invalid, match="The cursor is not one of ours"):
        Position.from_cursor(cursor)


@given(st.text(max_size=60))
def test_any_text_is_a_cursor_or_invalid(text: str) -> None:
    with suppress(Invalid):  # and nothing else is raised
        Position.from_cursor(text)


def test_without_arguments_a_window_is_the_first_20() -> None:
    assert Window.of() == Window(DEFAULT_PAGE, None, None, backwards=False)
    assert DEFAULT_PAGE == 20


def test_a_window_reads_relays_arguments() -> None:
    there = Position(AT, 8, UUID(int=2))

    assert Window.of(first=5, after=HERE.cursor()) == Window(5, after=HERE)
    assert Window.of(last=5, before=HERE.cursor()) == Window(5, before=HERE, backwards=True)
    assert Window.of(after=HERE.cursor(), before=there.cursor()) == Window(20, after=HERE, before=there)


@pytest.mark.parametrize("backwards", [False, True])
def test_a_page_has_1_to_100_entries(backwards: bool) -> None:
    def window(entries: int) -> Window:
        return Window.of(last=entries) if backwards else Window.of(first=entries)

    assert window(1).limit == 1
    assert window(MAX_PAGE).limit == 100
    for beyond in (0, -1, 101):
        with pytest.raises(Invalid, match=f"A page has 1 to 100 entries, not {beyond}"):
            window(beyond)


def test_first_and_last_exclude_each_other() -> None:
    with pytest.raises(Invalid, match="Give first or last, not both"):
        Window.of(first=1, last=1)


def test_one_entry_too_many_says_that_there_is_more() -> None:
    page = Page.of(["a", "b", "c"], Window(2))

    assert page == Page(["a", "b"], has_next=True, has_previous=False)


def test_a_last_page_that_comes_from_a_cursor_has_left_something_behind() -> None:
    page = Page.of(["c", "d"], Window(2, after=HERE))

    assert page == Page(["c", "d"], has_next=False, has_previous=True)


def test_a_page_from_the_end_is_in_the_order_of_the_whole() -> None:
    page = Page.of(["d", "c", "b"], Window(2, backwards=True))

    assert page == Page(["c", "d"], has_next=False, has_previous=True)


def test_a_page_before_a_cursor_has_something_after_it() -> None:
    page = Page.of(["b", "a"], Window(2, before=HERE, backwards=True))

    assert page == Page(["a", "b"], has_next=True, has_previous=False)


def test_a_page_of_other_things_keeps_its_sides() -> None:
    assert Page(["a"], has_next=True, has_previous=True).map(str.upper) == Page(["A"], True, True)
