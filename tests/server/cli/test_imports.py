"""`steadylight import customers`."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest

from steadylight_server.core.embedded import EmbeddedDatabase
from steadylight_server.imports import service

from .conftest import Steadylight

EXAMPLES = Path(__file__).parents[3] / "examples"
MAP = """
source: crm
key: id
identifiers:
  - {kind: email, column: mail, assurance: OTP}
  - {kind: badge, column: badge, assurance: LOGIN}
traits:
  city: city
  balance: {column: balance, type: number}
"""
CSV = """id,mail,badge,city,balance
1,ann@b.example,B-1,Bonn,1.5
2,ann@b.example,,Ulm,
3,ben@b.example,B-3,"two
lines",7
"""


@pytest.fixture
def map(tmp_path: Path) -> Path:
    """A map."""
    file = tmp_path / "map.yaml"
    file.write_text(MAP)
    return file


@pytest.fixture
def crm(tmp_path: Path) -> Callable[..., Path]:
    """Writes what is imported; changed last on 20 November 2026, at noon."""

    def write(content: str | bytes, name: str = "crm.csv") -> Path:
        file = tmp_path / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.utime(file, (1795176000, 1795176000))
        return file

    return write


@pytest.fixture
def database(environment: str, mongod: EmbeddedDatabase) -> Iterator[Any]:
    """What the command wrote into."""
    with pymongo.MongoClient[dict[str, Any]](mongod.uri, tz_aware=True) as client:
        yield client[environment]


def counts(told: dict[str, Any]) -> list[int]:
    return [told[name] for name in ("rows", "imported", "unchanged", "refused", "warnings")]


def reported(file: Path) -> list[tuple[int, str | None, bool, str]]:
    return [tuple(json.loads(line).values()) for line in file.read_text().splitlines()]


def test_each_row_is_a_record_of_its_source(
    database: Any, steadylight: Steadylight, crm: Callable[..., Path], map: Path
) -> None:
    said = steadylight("import", "customers", crm(CSV), "--map", map).stdout

    profiles = {(one["kind"], one["value"]): one for one in database.profiles.find()}
    actions = list(database.actions.find(sort=[("identifiers.value", 1)]))
    traits = {(one["profile_id"], one["name"]): one["said"]["value"] for one in database.traits.find()}
    customer = {key: one["customer_id"] for key, one in profiles.items()}
    records = [profiles["record", f"crm#{number}"]["_id"] for number in (1, 2, 3)]
    assert said.startswith("3 rows: 3 imported, 0 unchanged, 0 refused, 0 warnings; ")
    assert len(profiles) == 7
    assert len(actions) == 3
    assert {one["profile_id"] for one in actions} == set(records)
    assert {(one["type"], one["channel"], one["actor"], one["at"].isoformat()) for one in actions} == {
        ("customer.imported", "crm", "SYSTEM", "2026-11-20T12:00:00+00:00")
    }
    assert traits == {
        (records[0], "city"): "Bonn",
        (records[0], "balance"): 1.5,
        (records[1], "city"): "Ulm",
        (records[2], "city"): "two\nlines",
        (records[2], "balance"): 7.0,
    }
    assert customer["record", "crm#1"] == customer["record", "crm#2"] == customer["email", "ann@b.example"]
    assert customer["record", "crm#1"] == customer["badge", "B-1"]
    assert customer["record", "crm#3"] == customer["badge", "B-3"] != customer["record", "crm#1"]
    assert {one["reason"] for one in database.links.find()} == {"IMPORT"}
    assert database.contacts.count_documents({}) == 0
    assert [(one["name"], one["kind"]) for one in steadylight.json("channel", "list")] == [("crm", "ASSISTED")]
    assert next((one["deed"], one["why"]) for one in steadylight.json("audit", "list")) == (
        "customers.imported",
        "crm.csv as crm",
    )


def test_the_same_file_again_changes_nothing(
    database: Any, steadylight: Steadylight, crm: Callable[..., Path], map: Path
) -> None:
    def stored() -> list[list[Any]]:
        names = ("actions", "profiles", "identifiers", "links", "traits", "channels")
        return [list(database[name].find(sort=[("_id", 1)])) for name in names]

    first = steadylight.json("import", "customers", crm(CSV), "--map", map)
    before = stored()
    again = steadylight.json("import", "customers", crm(CSV), "--map", map)
    moved = steadylight.json("import", "customers", crm("\n".join(["id,mail,badge,city,balance", ""])), "--map", map)
    after = stored()

    assert [counts(one) for one in (first, again, moved)] == [[3, 3, 0, 0, 0], [3, 0, 3, 0, 0], [0, 0, 0, 0, 0]]
    assert before == after


def test_rows_that_changed_say_something_new_of_the_same_record(
    database: Any, steadylight: Steadylight, crm: Callable[..., Path], map: Path
) -> None:
    steadylight("import", "customers", crm(CSV), "--map", map, "--as-of", "2026-10-01")
    told = steadylight.json(
        "import", "customers", crm(CSV.replace("Ulm", "Kiel")), "--map", map, "--as-of", "2026-11-01T08:00:00Z"
    )

    assert counts(told) == [3, 3, 0, 0, 0]
    assert database.profiles.count_documents({"kind": "record"}) == 3
    assert {one["said"]["value"] for one in database.traits.find({"name": "city"})} == {"Bonn", "Kiel", "two\nlines"}


def test_refused_rows_do_not_stop_the_rest_and_are_told_with_their_line(
    database: Any, steadylight: Steadylight, crm: Callable[..., Path], map: Path, tmp_path: Path
) -> None:
    lines = [
        b"id,mail,badge,city,balance",
        b"1,ann@b.example,B-1,Bonn,1",
        b'2,ben@b.example,B-2,"Bad',
        b'Ems",a lot',
        b"3,too,few",
        b"4,D\xfcrer,B-4,Ulm,1",
        b",eve@b.example,B-5,Ulm,1",
        b"1,ann@b.example,B-1,Koeln,1",
        b"6," + b"x" * 300 + b",B-6,Ulm,1",
        b"7,null,B-7,Ulm,1",
        b"1,ann@b.example,B-1,Bonn,1",
        b"8,fay@b.example,B-8,Ulm,1",
    ]
    file = crm(b"\n".join(lines) + b"\n")
    report = tmp_path / "crm.csv.report.jsonl"

    said = steadylight("import", "customers", file, "--map", map, code=1)

    assert reported(report) == [
        (3, "2", True, "balance: 'a lot' is no number"),
        (5, None, True, "3 cells where the header has 5"),
        (6, None, True, "not utf-8: bytes that are no characters"),
        (7, None, True, "id: empty, so nothing says which record it is"),
        (8, "1", True, "says something else than line 2, of the same key and time"),
        (9, "6", True, "email: String should have at most 256 characters"),
        (10, "7", False, "The email stands for nobody, or is no email: it proves nothing, and is kept as a claim."),
    ]
    assert "line 3 (2) is refused: balance: 'a lot' is no number\nline 5 is refused: 3 cells" in said.stderr
    assert said.stdout.startswith("10 rows: 3 imported, 1 unchanged, 6 refused, 1 warnings; ")
    assert said.stdout.splitlines()[1] == f"Each is in {report}."
    assert {one["value"] for one in database.profiles.find({"kind": "record"})} == {"crm#1", "crm#7", "crm#8"}


def test_only_the_first_refusals_are_shown_and_all_are_reported_in_order(
    environment: str,
    steadylight: Steadylight,
    crm: Callable[..., Path],
    map: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "_PER_BATCH", 2)
    rows = [f"{number},,,,{'x' if number % 2 else number}" for number in range(24)]
    report = tmp_path / "elsewhere.jsonl"

    file = crm("\n".join(["id,mail,badge,city,balance", *rows]))
    said = steadylight("import", "customers", file, "--map", map, "--report", report, "--json", code=1)

    assert [line for line, *_ in reported(report)] == list(range(3, 27, 2))
    assert said.stderr.count(" is refused: ") == 10
    assert said.stderr.splitlines()[-1] == f"... and 2 more; all are in {report}."
    assert counts(json.loads(said.stdout)) == [24, 12, 0, 12, 0]
    assert json.loads(said.stdout)["report"] == str(report)


def test_json_lines_are_imported(
    database: Any, steadylight: Steadylight, crm: Callable[..., Path], tmp_path: Path
) -> None:
    map = tmp_path / "map.yaml"
    map.write_text("source: app\nkey: id\ntraits: [tags, town]\nat: at\n")
    file = crm('{"id": 1, "tags": ["a"], "at": "2026-05-01"}\nno\n{"id": 2}\n', "app.jsonl")

    said = steadylight("import", "customers", file, "--map", map, "--source", "old-app", code=1)

    assert [one["said"]["value"] for one in database.traits.find()] == [["a"]]
    assert {one["value"] for one in database.profiles.find()} == {"old-app#1", "old-app#2"}
    assert "line 2 is refused: not JSON" in said.stderr
    assert said.stderr.splitlines()[-1] == "No row had town: is the map right?"


def test_a_dry_run_needs_no_database(
    steadylight: Steadylight, crm: Callable[..., Path], map: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEADYLIGHT_MONGODB_URI", "mongodb://127.0.0.1:1/")
    file = crm(CSV + "4,,,,x\n")

    said = steadylight("import", "customers", file, "--map", map, "--dry-run", code=1)

    assert said.stdout.startswith("4 rows: 3 fit the map, nothing was imported, 1 refused, 0 warnings; ")
    assert "line 6 (4) is refused: balance: 'x' is no number" in said.stderr
    assert steadylight("import", "customers", file, "--map", map, code=1).stderr.splitlines()[-1] == (
        "Error: The database does not answer. Does it run, and is STEADYLIGHT_MONGODB_URI right?"
    )


def test_a_source_is_no_app_s_channel(
    environment: str, steadylight: Steadylight, crm: Callable[..., Path], map: Path, tmp_path: Path
) -> None:
    weak = tmp_path / "blueprint.yaml"
    weak.write_text("version: 1\nchannels: {crm: {kind: ASSISTED, highest_assurance: OTP}}\n")
    steadylight("channel", "add", "web")

    app = steadylight("import", "customers", crm(CSV), "--map", map, "--source", "web", code=1)
    steadylight("apply", weak)
    capped = steadylight("import", "customers", crm(CSV), "--map", map, code=1)

    assert app.stderr == "Error: The channel web is an app's: it has keys. Call the source otherwise.\n"
    assert capped.stderr == "Error: The channel crm asserts OTP at most; an import needs LOGIN.\n"


def test_what_is_wrong_with_map_file_or_options_is_said(
    environment: str, steadylight: Steadylight, crm: Callable[..., Path], map: Path, tmp_path: Path
) -> None:
    file = crm(CSV)
    wrong, binary = tmp_path / "wrong.yaml", tmp_path / "binary.yaml"
    wrong.write_text("source: crm\nkey: id\ntraits: {a b: c}\n")
    binary.write_bytes(b"\xff\xfe\x00")

    def refused(*arguments: object, code: int = 1) -> str:
        return steadylight("import", "customers", *arguments, code=code).stderr

    assert refused(file, "--map", wrong).startswith(f"Error: {wrong} is no map.\nline 3: traits.a b: a trait's name")
    assert refused(file, "--map", binary).startswith(f"Error: {binary} cannot be read as text: ")
    assert refused(crm("a,b\n"), "--map", map).startswith("Error: The header lacks badge, balance, city, id, mail.")
    assert "The report" in refused(crm(CSV), "--map", map, "--report", tmp_path / "no" / "folder")
    assert "is no time" in refused(file, "--map", map, "--as-of", "noon", code=2)
    assert "is no encoding" in refused(file, "--map", map, "--encoding", "klingon", code=2)
    assert "A delimiter is one character" in refused(file, "--map", map, "--delimiter", ";;", code=2)
    assert "is no name of a source" in refused(file, "--map", map, "--source", "Old CRM", code=2)
    assert "does not exist" in refused(tmp_path / "none.csv", "--map", map, code=2)


def test_tabs_semicolons_and_encodings(
    environment: str, steadylight: Steadylight, crm: Callable[..., Path], tmp_path: Path
) -> None:
    map = tmp_path / "map.yaml"
    map.write_text("source: crm\nkey: id\ntraits: [town]\n")
    tabs, semicolons = crm("id\ttown\n1\tUlm\n", "crm.tsv"), crm("id;town\n1;Köln\n".encode("cp1252"))

    told = [
        steadylight.json("import", "customers", tabs, "--map", map),
        steadylight.json("import", "customers", tabs, "--map", map, "--delimiter", "tab"),
        steadylight.json(
            *("import", "customers", semicolons, "--map", map),
            *("--delimiter", ";", "--encoding", "cp1252", "--as-of", "2026-11-21"),
        ),
        steadylight.json("import", "customers", crm("id,town\n1,Köln\n"), "--map", map, "--encoding", "utf-8"),
    ]

    assert [counts(one)[:2] for one in told] == [[1, 1], [1, 0], [1, 1], [1, 1]]


def test_the_example_of_a_map_fits_a_crm(database: Any, steadylight: Steadylight, crm: Callable[..., Path]) -> None:
    head = "customer_id,email,phone,given_name,surname,date_of_birth,postcode,town,newsletter,balance,changed_at"
    file = crm(f"{head}\nC-1,ann@b.example,020 7946 0000,Ann,Lee,1990-01-02,SW1A 1AA,London,yes,9.5,2026-05-01\n")

    assert counts(steadylight.json("import", "customers", file, "--map", EXAMPLES / "crm.map.yaml")) == [1, 1, 0, 0, 1]
    assert {one["kind"] for one in database.profiles.find()} == {"record", "customer-number", "email", "person"}
