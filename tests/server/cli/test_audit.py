"""`steadylight audit`."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from typer.testing import CliRunner, Result

from steadylight_server.cli.audit import group
from steadylight_server.cli.output import Failure
from steadylight_server.core.audit import Audit, AuditStore
from steadylight_server.core.chain import GENESIS
from steadylight_server.core.clock import now
from steadylight_server.core.embedded import EmbeddedDatabase
from steadylight_server.core.mongo import Database

T = TypeVar("T")
JANE = {"role": "AGENT", "name": "Jane", "credential": "id.example.com|7", "channel": "contact-centre"}
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def audit(*arguments: object, code: int = 0) -> Result:
    """`steadylight audit …` in this process; it must end with the exit code."""
    result = CliRunner(env={"COLUMNS": "200"}).invoke(group, [str(one) for one in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


def as_json(*arguments: object, code: int = 0) -> Any:
    printed = audit(*arguments, "--json", code=code).stdout
    assert printed.count("\n") == 1, printed
    return json.loads(printed)


@pytest.fixture
def on_the_database(environment: str, mongod: EmbeddedDatabase) -> Callable[[Callable[[Database], Awaitable[T]]], T]:
    """Runs something on the database of the commands."""

    def run(work: Callable[[Database], Awaitable[T]]) -> T:
        async def opened() -> T:
            database = Database(mongod.uri, environment)
            try:
                return await work(database)
            finally:
                await database.close()

        return asyncio.run(opened())

    return run


@pytest.fixture
def noted(on_the_database: Callable[..., Any]) -> None:
    """Three entries: Jane read two customers, and an admin revoked a key just now."""

    async def note(database: Database) -> None:
        times = iter([NOON, NOON + timedelta(days=1), now()])
        log = Audit(AuditStore(database), clock=lambda: next(times))
        await log.note(who=JANE, deed="customer.read", whom=["c1"], fields=["traits", "id"], why="asked for it")
        await log.note(who=JANE, deed="customer.read", whom=["c1", "c2"])
        await log.note(who={"role": "ADMIN", "name": "", "credential": "3f2a"}, deed="key.revoked")

    on_the_database(note)


@pytest.mark.usefixtures("noted")
def test_a_sound_log_is_told_with_the_line_to_keep() -> None:
    said = audit("verify").stdout
    told = as_json("verify")
    again = as_json("verify", "--expect", told["keep"])

    assert said.startswith("3 entries, all as they were written. Keep this line ")
    assert f"\n\n    {told['keep']}\n" in said
    assert told["keep"].startswith("3:")
    assert told == again == {"ok": True, "entries": 3, "keep": told["keep"], "fault": None}


@pytest.mark.usefixtures("environment")
def test_an_empty_log_is_sound() -> None:
    assert as_json("verify") == {"ok": True, "entries": 0, "keep": f"0:{GENESIS}", "fault": None}
    assert as_json("list") == []
    assert audit("list").stdout == "There is no such entry.\n"


@pytest.mark.usefixtures("noted")
def test_the_first_bad_entry_is_named(on_the_database: Callable[..., Any]) -> None:
    async def change(database: Database) -> None:
        await database.collection("audit").update_one({"_id": 2}, {"$set": {"who.name": "Joan"}})

    on_the_database(change)
    result = audit("verify", code=1)
    told = as_json("verify", code=1)

    said = "Entry 2 was changed: its hash is not that of its content."
    assert result.stdout == ""
    assert result.stderr == f"Error: {said} The entries before it are as they were written: 1.\n"
    assert (told["ok"], told["entries"], told["fault"]) == (False, 1, {"sequence": 2, "said": said})


@pytest.mark.usefixtures("noted")
def test_a_log_that_was_cut_with_its_head_is_told_by_what_was_kept(on_the_database: Callable[..., Any]) -> None:
    async def cut(database: Database) -> None:
        await database.collection("audit").delete_one({"_id": 3})
        second = await database.collection("audit").find_one({"_id": 2})
        assert second is not None
        latest = {"sequence": 2, "hash": second["hash"]}
        await database.collection("audit_head").update_one({"_id": "head"}, {"$set": latest})

    kept = as_json("verify")["keep"]
    on_the_database(cut)

    assert as_json("verify")["entries"] == 2
    assert "Entry 3 is missing: the log was cut" in audit("verify", "--expect", kept, code=1).stderr


@pytest.mark.usefixtures("noted")
def test_on_a_terminal_a_bar_shows_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steadylight_server.cli.audit._is_watched", lambda: True)

    result = audit("verify")

    assert "100% 3 entries" in result.stderr
    assert result.stdout.startswith("3 entries, all as they were written.")
    assert "entries" not in audit("verify", "--json").stderr


@pytest.mark.usefixtures("noted")
def test_entries_are_listed_newest_first_by_customer_name_and_time() -> None:
    def sequences(*arguments: object) -> list[int]:
        return [entry["sequence"] for entry in as_json("list", *arguments)]

    first = as_json("list")[-1]

    assert first == {
        "sequence": 1,
        "at": "2026-01-31T12:00:00.000Z",
        "who": JANE,
        "deed": "customer.read",
        "whom": ["c1"],
        "fields": ["id", "traits"],
        "why": "asked for it",
        "request": "",
        "previous": GENESIS,
        "hash": first["hash"],
    }
    assert sequences() == [3, 2, 1]
    assert sequences("--limit", 2) == [3, 2]
    assert sequences("--customer", "c1") == [2, 1]
    assert sequences("--customer", "c2") == [2]
    assert sequences("--who", "Jane") == [2, 1]
    assert sequences("--since", "1h") == [3]
    assert sequences("--since", "999999999d") == [3, 2, 1]
    assert sequences("--since", "2026-02-01", "--who", "Jane") == [2]
    assert sequences("--since", "2026-02-01T14:00+02:00", "--who", "Jane") == [2]
    assert sequences("--since", "2026-02-01T14:00", "--who", "Jane") == []


@pytest.mark.usefixtures("noted")
def test_people_are_shown_a_table() -> None:
    table = [line.split() for line in audit("list").stdout.splitlines()]

    assert ["sequence", "at", "who", "deed", "whom", "fields", "why"] in table
    who = ["AGENT,", "Jane,", "id.example.com|7,", "contact-centre"]
    read = "customer.read"
    assert ["1", "2026-01-31T12:00:00.000Z", *who, read, "c1", "id,", "traits", "asked", "for", "it"] in table
    assert ["2", "2026-02-01T12:00:00.000Z", *who, read, "c1,", "c2", "-", "-"] in table
    assert [line[2:] for line in table if line[:1] == ["3"]] == [["ADMIN,", "3f2a", "key.revoked", "-", "-", "-"]]


@pytest.mark.usefixtures("noted")
def test_an_entry_that_cannot_be_shown_is_told(on_the_database: Callable[..., Any]) -> None:
    async def change(database: Database) -> None:
        await database.collection("audit").update_one({"_id": 2}, {"$set": {"whom": "c1"}})

    on_the_database(change)

    with pytest.raises(Failure, match=r"Entry 2 cannot be shown: it was changed\. Run steadylight audit verify\."):
        audit("list")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("verify", "--expect", "3"), "a number, a colon, a hash"),
        (("verify", "--expect", "3:zz"), "a number, a colon, a hash"),
        (("list", "--since", "yesterday"), "'yesterday' is no time."),
        (("list", "--since", "0001-01-01T00:00+14:00"), "is no time."),
        (("list", "--limit", "0"), "--limit"),
    ],
)
def test_what_cannot_be_read_is_a_usage_error(arguments: tuple[str, ...], told: str) -> None:
    assert told in audit(*arguments, code=2).stderr


def test_the_database_is_not_imported_for_a_page_of_help() -> None:
    code = "import sys, steadylight_server.cli.audit; print('motor' in sys.modules)"

    async def run() -> bytes:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
        return (await process.communicate())[0]

    assert asyncio.run(run()) == b"False\n"
