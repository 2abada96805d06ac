"""Rows are read one by one, each with the line on which it begins; what cannot be read does not stop the rest."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from steadylight_server.core.errors import Invalid
from steadylight_server.imports.models import Fault, Row
from steadylight_server.imports.reader import opened

Written = Callable[..., Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes a file."""

    def write(content: str | bytes, name: str = "crm.csv") -> Path:
        file = tmp_path / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    return write


def read(file: Path, *wanted: str, **options: Any) -> list[tuple[Any, ...]]:
    """Line and cells of each row, and of each fault line, key and why."""
    with opened(file, wanted, **options) as rows:
        return [(one.line, dict(one.cells)) if isinstance(one, Row) else tuple(one) for one in rows]


def refused(file: Path, *wanted: str, **options: Any) -> str:
    with pytest.raises(Invalid) as caught:
        read(file, *wanted, **options)
    return caught.value.message


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_row_is_known_by_the_line_on_which_it_begins(written: Written, end: str) -> None:
    lines = ["id,note", "1,short", '2,"two', 'lines, with a comma"', "", "3,last"]

    rows = read(written(end.join(lines)), "id")

    assert [(line, cells["id"]) for line, cells in rows] == [(2, "1"), (3, "2"), (6, "3")]
    assert rows[1][1]["note"] == f"two{end}lines, with a comma"


def test_white_space_around_cells_and_a_byte_order_mark_do_not_count(written: Written) -> None:
    assert read(written(b'\xef\xbb\xbf id , "name"\n 1 , "Ann "\n'), "id", "name") == [(2, {"id": "1", "name": "Ann"})]


def test_another_delimiter_and_encoding(written: Written) -> None:
    file = written("id;name\n1;Dürer\n".encode("utf-16"))

    assert read(file, "id", delimiter=";", encoding="utf-16") == [(2, {"id": "1", "name": "Dürer"})]
    assert read(written("id\tname\n1\tD\xfcrer".encode("latin-1")), delimiter="\t", encoding="cp1252") == [
        (2, {"id": "1", "name": "Dürer"})
    ]


def test_a_row_with_other_cells_than_the_header_is_a_fault_and_the_next_is_read(written: Written) -> None:
    assert read(written("id,name\n1\n2,b,c\n3,d\n")) == [
        (2, None, "1 cells where the header has 2"),
        (3, None, "3 cells where the header has 2"),
        (4, {"id": "3", "name": "d"}),
    ]


def test_bytes_that_are_no_characters_are_a_fault_of_their_row_alone(written: Written) -> None:
    assert read(written(b'id,name\n1,D\xfcrer\n2,"two\nD\xfcrer"\n3,D\xc3\xbcrer\n')) == [
        (2, None, "not utf-8: bytes that are no characters"),
        (3, None, "not utf-8: bytes that are no characters"),
        (5, {"id": "3", "name": "Dürer"}),
    ]


def test_a_quotation_mark_that_is_not_closed_is_told_with_what_it_took(written: Written) -> None:
    assert read(written('id,name\n1,"Ann\n2,"Ben"\n3,Cleo\n')) == [
        (2, None, "not CSV: ',' expected after '\"', up to line 3: is a quotation mark not closed?"),
        (4, {"id": "3", "name": "Cleo"}),
    ]
    assert read(written('id,name\n1,"Ann\n2,Ben\n')) == [
        (2, None, "not CSV: unexpected end of data, up to line 3: is a quotation mark not closed?")
    ]
    many = "".join(f"{number},{'x' * 1_000}\n" for number in range(300))
    rows = read(written(f'id,name\n1,"Ann\n{many}'))
    assert rows[0][2] == (
        "not CSV: field larger than field limit (131072), up to line 133: is a quotation mark not closed?"
    )
    assert rows[1][0] == 134


def test_a_line_without_an_end_is_not_read_whole(written: Written) -> None:
    rows = read(written(f"id,name\n1,{'x' * 3_000_000}\n2,Ann\n"))

    assert rows == [(2, None, "longer than 1,000,000 characters"), (3, {"id": "2", "name": "Ann"})]
    commas = read(written(f"id,name\n1,{'x,' * 1_500_000}\n2,Ann\n"))
    assert commas == rows


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "The header cannot be read: the file is empty."),
        ("\n\n", "The header cannot be read: the file is empty."),
        ('"id', "The header cannot be read: not CSV: unexpected end of data."),
        ("id,name,name\n", "The header has more than one column called name."),
        ("id,Name\n", "The header lacks name. It has id, Name."),
        ("id;name\n", "The header lacks id, name. It has id;name. Is it the delimiter?"),
    ],
)
def test_a_header_that_does_not_fit_is_told(written: Written, content: str, said: str) -> None:
    assert refused(written(content), "id", "name") == said


def test_columns_that_nobody_wants_may_have_one_name(written: Written) -> None:
    assert read(written("id,x,x\n1,2,3\n"), "id") == [(2, {"id": "1", "x": "3"})]


def test_a_file_that_is_not_in_its_encoding_at_all_is_told(written: Written) -> None:
    assert refused(written(b"\xff\xfei\x00d\x00\n\x00\x00\xd8"), "id", encoding="utf-16").startswith(
        "The file cannot be read after line "
    )


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert refused(tmp_path / "crm.csv", "id").endswith("crm.csv cannot be read: No such file or directory.")


def test_json_lines_are_read_as_they_stand(written: Written) -> None:
    file = written(
        b'\xef\xbb\xbf{"id": 1, "tags": ["a"]}\r\n\n[1]\n{"id": 2\n{"id": "\xff"}\n{"id": null}\n', "crm.JSONL"
    )

    rows = read(file)

    assert rows[0] == (1, {"id": 1, "tags": ["a"]})
    assert rows[1] == (3, None, "not a JSON object")
    assert [row[:2] for row in rows[2:4]] == [(4, None), (5, None)]
    assert [row[2].partition(":")[0] for row in rows[2:4]] == ["not JSON", "not JSON"]
    assert rows[4] == (6, {"id": None})


def test_a_json_line_that_is_too_long_is_a_fault(written: Written) -> None:
    long = b'{"id": "%s"}\n' % (b"x" * 2_500_000)

    assert read(written(long + b'{"id": 2}\n', "crm.ndjson")) == [
        (1, None, "longer than 1,000,000 bytes"),
        (2, {"id": 2}),
    ]


def test_columns_that_no_json_line_had_are_known_at_the_end(written: Written) -> None:
    file = written('{"id": 1}\n{"id": 2, "city": null}\n', "crm.jsonl")

    with opened(file, ["id", "city", "town"]) as rows:
        assert [type(row) for row in rows] == [Row, Row]
        assert set(rows.missing) == {"town"}
        assert rows.position == file.stat().st_size


def test_how_much_of_the_file_was_read_is_known(written: Written) -> None:
    file = written("id\n" + "1\n" * 50_000)

    with opened(file, ["id"]) as rows:
        some = iter(rows)
        assert not isinstance(next(some), Fault)
        early = rows.position
        assert len(list(some)) == 49_999
        assert early < rows.position == file.stat().st_size
