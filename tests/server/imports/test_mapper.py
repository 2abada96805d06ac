"""Rows become actions as the map says: the same row the same action, whatever its place in the file."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steadylight_server.imports.mapper import Mapped, Mapper, _joined, moment
from steadylight_server.imports.models import Fault, Row, read_map

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
MAP = """
source: crm
key: id
identifiers:
  - {kind: email, column: mail, assurance: OTP}
  - {kind: person, columns: [name, born], assurance: LOGIN}
traits: {city: town}
at: changed
"""
TYPED = "source: crm\nkey: id\ntraits: {{it: {{column: value, type: {type}}}}}\n"


def mapped(text: str = MAP, /, *, line: int = 2, mapper: Mapper | None = None, **cells: Any) -> Mapped | Fault:
    return (mapper or Mapper(read_map(text), AT)).map(Row(line, cells))


def action(text: str = MAP, /, **cells: Any) -> dict[str, Any]:
    found = mapped(text, **cells)
    assert isinstance(found, Mapped), found
    return found.action


def why(text: str = MAP, /, **cells: Any) -> tuple[str | None, str]:
    found = mapped(text, **cells)
    assert isinstance(found, Fault), found
    return found.key, found.message


def test_a_row_is_one_action_of_its_source_with_an_id_for_ever() -> None:
    made = action(id="77", mail="ann@b.example", name="Ann", born="1990-01-02", town="Bonn", changed="2026-05-01")

    assert made == {
        "id": "4d0f1f57-2b48-5341-b61b-49f922f56438",
        "sequence": 0,
        "type": "customer.imported",
        "actor": "SYSTEM",
        "at": "2026-05-01T00:00:00+00:00",
        "identifiers": [
            {"kind": "record", "value": "crm#77", "assurance": "LOGIN"},
            {"kind": "email", "value": "ann@b.example", "assurance": "OTP"},
            {"kind": "person", "value": "Ann|1990-01-02", "assurance": "LOGIN"},
        ],
        "traits": {"city": "Bonn"},
    }


def test_what_is_empty_says_nothing() -> None:
    made = action(id=77, mail=" ", name="Ann", born=None, town="")

    assert [one["kind"] for one in made["identifiers"]] == ["record"]
    assert made["traits"] == {}
    assert made["at"] == "2026-11-22T09:30:00+00:00"


@pytest.mark.parametrize("nothing", ["unknown", "NULL", "n/a", "0", "-"])
def test_what_is_made_of_nothing_is_no_identifier(nothing: str) -> None:
    assert len(action(id="1", name=nothing, born="1990-01-02")["identifiers"]) == 1
    assert len(action(id="1", name="Ann", born="1990-01-02")["identifiers"]) == 2


@given(st.lists(st.lists(st.text("ab|\\", max_size=4), min_size=2, max_size=3), min_size=2, max_size=2))
def test_two_lists_of_parts_give_one_text_only_if_they_are_one(lists: list[list[str]]) -> None:
    one, other = lists

    assert (_joined(one) == _joined(other)) == (one == other)


def test_the_same_row_is_the_same_action_and_any_difference_makes_another() -> None:
    row = {"id": "77", "mail": "ann@b.example", "town": "Bonn"}
    texts = [MAP, MAP.replace("crm", "erp"), MAP + "revision: 1"]
    rows = [row, row | {"id": "78"}, row | {"mail": ""}, row | {"town": "Ulm"}, row | {"changed": "2026-01-01"}]

    ids = [action(text, **one)["id"] for text in texts for one in rows]

    assert len(set(ids)) == 15
    assert action(**row | {"other": "column"})["id"] == ids[0]
    assert action(MAP + "revision: 7", **row)["sequence"] == 7


def test_two_rows_of_one_key_and_time_must_say_the_same() -> None:
    mapper = Mapper(read_map(MAP), AT)
    rows = [{"town": "Bonn"}, {"town": "Bonn"}, {"town": "Ulm"}, {"town": "Ulm", "changed": "2026-01-01"}]

    found = [mapped(mapper=mapper, line=line, id="77", **row) for line, row in enumerate(rows, 2)]

    assert [type(one) for one in found] == [Mapped, Mapped, Fault, Mapped]
    assert found[2] == Fault(4, "77", "says something else than line 2, of the same key and time")


def test_a_key_may_be_of_several_columns() -> None:
    text = "source: crm\nkey: [branch, id]\n"

    assert action(text, branch="a|b", id="1")["identifiers"][0]["value"] == "crm#a\\|b|1"
    assert why(text, branch="a", id="") == (None, "branch + id: empty, so nothing says which record it is")


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({}, (None, "id: empty, so nothing says which record it is")),
        ({"id": ["1"]}, (None, "id: neither text nor a whole number")),
        ({"id": 1.5}, (None, "id: neither text nor a whole number")),
        ({"id": True}, (None, "id: neither text nor a whole number")),
        ({"id": "1", "mail": {}}, ("1", "mail: neither text nor a whole number")),
        ({"id": "1", "changed": "yesterday"}, ("1", "changed: 'yesterday' is no date and no time")),
        ({"id": "1", "changed": "1" * 50}, ("1", f"changed: '{'1' * 40}…' is no date and no time")),
    ],
)
def test_what_a_row_lacks_is_told_with_its_column(cells: dict[str, Any], told: tuple[str | None, str]) -> None:
    assert why(**cells) == told


@pytest.mark.parametrize(
    ("type", "given", "kept"),
    [
        ("text", " a b ", "a b"),
        ("text", 7, "7"),
        ("integer", "-12", -12),
        ("integer", 12, 12),
        ("number", "1.50", 1.5),
        ("number", 3, 3.0),
        ("boolean", "Yes", True),
        ("boolean", "0", False),
        ("boolean", True, True),
        ("date", "19900102", "1990-01-02"),
        ("date", "1990-01-02", "1990-01-02"),
    ],
)
def test_a_trait_is_what_the_map_says(type: str, given: Any, kept: Any) -> None:
    made = action(TYPED.format(type=type), id="1", value=given)["traits"]["it"]

    assert (made, made.__class__) == (kept, kept.__class__)


@pytest.mark.parametrize(
    ("type", "given"),
    [
        ("text", ["a"]),
        ("text", True),
        ("integer", "1.0"),
        ("integer", "1e3"),
        ("integer", 1.0),
        ("integer", True),
        ("number", "1,5"),
        ("number", "1_000"),
        ("number", "nan"),
        ("number", "inf"),
        ("number", False),
        ("number", []),
        ("boolean", "maybe"),
        ("boolean", 2),
        ("date", "02.01.1990"),
        ("date", "1990-02-30"),
        ("date", []),
    ],
)
def test_a_trait_that_is_something_else_is_told(type: str, given: Any) -> None:
    assert why(TYPED.format(type=type), id="1", value=given) == ("1", f"value: {str(given)!r} is no {type}")


def test_without_a_type_json_stays_as_it_is() -> None:
    text = "source: crm\nkey: id\ntraits: [a, b, c]\n"

    assert action(text, id="1", a=["x", {"y": 1}], b=False, c=0)["traits"] == {"a": ["x", {"y": 1}], "b": False, "c": 0}


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-05-01", "2026-05-01T00:00:00+00:00"),
        ("20260501", "2026-05-01T00:00:00+00:00"),
        ("2026-05-01 10:00", "2026-05-01T10:00:00+00:00"),
        ("2026-05-01T10:00:00Z", "2026-05-01T10:00:00+00:00"),
        ("2026-05-01T10:00:00.5+02:00", "2026-05-01T08:00:00.500000+00:00"),
        ("1767225600", None),
        ("17111012123456", None),
        ("01.05.2026", None),
        ("9999-12-31T23:59:59-10:00", None),
    ],
)
def test_times_are_read_as_utc_where_they_do_not_say(text: str, at: str | None) -> None:
    found = moment(text)

    assert (found and found.isoformat()) == at
