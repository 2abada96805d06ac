"""The audit log: nothing of it can be changed without `verify` telling, and a note returns when it is stored."""

import asyncio
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import Binary, Decimal128, Int64
from bson.datetime_ms import DatetimeMS
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from steadylight_server.core import audit as module
from steadylight_server.core import mongo
from steadylight_server.core.audit import Altered, Audit, AuditStore, Report
from steadylight_server.core.chain import GENESIS, Entry, chained, digest
from steadylight_server.core.errors import Unavailable
from steadylight_server.core.mongo import Database
from steadylight_server.core.requests import _request_id
from tests.server.conftest import Slices

JANE = {"role": "AGENT", "name": "Jane", "credential": "id.example.com|7", "channel": "contact-centre"}
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
Documents = list[dict[str, Any]]


@pytest.fixture
async def store(shared: Slices) -> AuditStore:
    """The log of the module's database, empty."""
    store = AuditStore(shared.database)
    await store.begin_anew()
    return store


@pytest.fixture
async def audit(store: AuditStore) -> Audit:
    """A log at noon with seven entries of different content."""
    audit = Audit(store, clock=lambda: NOON)
    for number in range(1, 8):
        await audit.note(
            who=JANE, deed="customer.read", whom=[f"c{number}", "c0"], fields=["traits", "id"], why=f"call {number}"
        )
    return audit


class Tamper:
    """What somebody who can write to the database does to the log; `back` undoes it all."""

    def __init__(self, shared: Slices, entries: Documents, head: dict[str, Any]) -> None:
        self._raw: Any = shared.database.raw
        self.entries, self.head = entries, head

    async def put(self, entries: Documents, *heads: dict[str, Any]) -> None:
        """The log as it is then."""
        for name, documents in (("audit", entries), ("audit_head", heads)):
            await self._raw[name].delete_many({})
            if documents:
                await self._raw[name].insert_many(documents)

    def chained(self, deeds: Documents) -> Documents:
        """Forged by somebody who knows how."""
        keys = ("_id", "previous", "hash")
        return chained([{k: v for k, v in deed.items() if k not in keys} for deed in deeds], 0, GENESIS)


@pytest.fixture
async def tamper(shared: Slices, audit: Audit) -> Tamper:
    entries, heads = await shared.documents("audit"), await shared.documents("audit_head")
    return Tamper(shared, entries, heads[0])


def fault_of(report: Report) -> tuple[int, str]:
    assert report.fault is not None
    return report.fault.sequence, report.fault.said


async def test_an_entry_is_stored_as_it_was_noted_and_anybody_can_compute_its_hash(store: AuditStore) -> None:
    audit = Audit(store, clock=lambda: NOON + timedelta(microseconds=1999))
    token = _request_id.set("request-1")
    try:
        await audit.note(who=JANE, deed="customer.read", whom=["c1"], fields=["traits", "id", "id"], why="Zoë\n\x01/")
        await audit.note(who={"role": "ADMIN"}, deed="key.revoked")
    finally:
        _request_id.reset(token)

    second, first = await audit.entries()

    assert first == Entry(
        sequence=1,
        at=NOON + timedelta(milliseconds=1),
        who=JANE,
        deed="customer.read",
        whom=("c1",),
        fields=("id", "traits"),
        why="Zoë\n\x01/",
        request="request-1",
        previous=GENESIS,
        hash=first.hash,
    )
    assert (second.sequence, second.whom, second.fields, second.why) == (2, (), (), "")
    assert second.previous == first.hash
    for entry in (first, second):
        told = entry.model_dump(mode="json", exclude={"hash"}) | {"at": "2026-01-31T12:00:00.001Z"}
        assert hashed_by_an_outsider(told) == entry.hash
    assert await audit.verify() == Report(count=2, hash=second.hash)


def hashed_by_an_outsider(entry: dict[str, Any]) -> str:
    """As the module's docstring says."""
    text = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


@settings(max_examples=50)
@given(st.dictionaries(st.text(), st.text()), st.lists(st.text()), st.datetimes(timezones=st.just(UTC)))
def test_the_canonical_form_is_the_same_in_other_hands(who: dict[str, str], whom: list[str], at: datetime) -> None:
    entry = {"at": at, "who": who, "whom": whom, "why": "".join(whom)}

    told = entry | {"sequence": 3, "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z")}

    assert digest({"_id": 3, **entry, "hash": "any"}) == hashed_by_an_outsider(told)


async def test_text_that_has_no_encoding_is_noted_all_the_same(store: AuditStore) -> None:
    audit = Audit(store)

    await audit.note(who={"name": "half \ud800"}, deed="a", whom=["\udfff"], fields=["\ud800"], why="\ud800")

    (entry,) = await audit.entries()
    assert (entry.who, entry.whom, entry.fields, entry.why) == ({"name": "half ?"}, ("?",), ("?",), "?")
    assert (await audit.verify()).fault is None


async def test_an_empty_log_is_sound_unless_it_was_not_empty(store: AuditStore) -> None:
    audit = Audit(store)

    assert await audit.verify() == Report(count=0, hash=GENESIS)
    assert await audit.verify((0, GENESIS)) == Report(count=0, hash=GENESIS)
    assert fault_of(await audit.verify((2, "ab"))) == (
        1,
        "Entries 1 to 2 are missing: the log was cut, for entry 2 was noted.",
    )


async def test_an_untouched_log_is_sound_on_every_page_size(
    audit: Audit, tamper: Tamper, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = tamper.entries[-1]["hash"]
    for size in (1, 2, 3, 6, 7, 8, 1000):
        monkeypatch.setattr(module, "_PAGE", size)
        seen: list[tuple[int, ...]] = []
        saw = seen.append

        report = await audit.verify((7, last), progress=lambda *progress, saw=saw: saw(progress))

        assert report == Report(count=7, hash=last)
        assert seen[-1] == (7, 7)
        assert [total for _, total in seen] == [7] * (7 // size + 1)


async def test_any_changed_field_of_any_entry_is_told(audit: Audit, tamper: Tamper) -> None:
    changes: dict[str, list[Any]] = {
        "at": [NOON + timedelta(milliseconds=1), "2026-01-31T12:00:00.000Z", None, DatetimeMS(1 << 60)],
        "who": [{**JANE, "name": "Joan"}, {}, {**JANE, "more": ""}, {**JANE, "name": None}, [], "Jane"],
        "deed": ["customer.reae", "", None, Binary(b"customer.read")],
        "whom": [["c9", "c0"], ["c0"], [], "c0", None, [1]],
        "fields": [["id"], ["traits", "id"], ["id", "traits", "x"], "id"],
        "why": ["call", "", None, 1],
        "request": ["another", None],
        "previous": ["0" * 63 + "1", "", None],
        "hash": ["0" * 64, "", None],
        "extra": ["", None],
    }
    for place in (0, 3, 6):
        entry = tamper.entries[place]
        for field, values in changes.items():
            for value in values:
                forged = [*tamper.entries[:place], {**entry, field: value}, *tamper.entries[place + 1 :]]
                await tamper.put(forged, tamper.head)

                sequence, said = fault_of(report := await audit.verify())

                assert (sequence, report.count) == (place + 1, place), (field, value, said)
                assert "was changed" in said
        for field in entry.keys() - {"_id"}:
            less = {name: value for name, value in entry.items() if name != field}
            await tamper.put([*tamper.entries[:place], less, *tamper.entries[place + 1 :]], tamper.head)

            assert fault_of(await audit.verify())[0] == place + 1, field


async def test_any_changed_entry_that_was_hashed_anew_is_told(audit: Audit, tamper: Tamper) -> None:
    for place, entry in enumerate(tamper.entries):
        forged = {**entry, "why": "another reason"}
        forged["hash"] = digest(forged)
        await tamper.put([*tamper.entries[:place], forged, *tamper.entries[place + 1 :]], tamper.head)

        sequence, said = fault_of(await audit.verify())

        assert sequence == place + 1
        assert said.startswith(f"Entry {place + 1} ")
        assert "was replaced" in said


async def test_any_removed_entries_are_told(audit: Audit, tamper: Tamper) -> None:
    for first in range(7):
        for last in range(first + 1, 8):
            await tamper.put([*tamper.entries[:first], *tamper.entries[last:]], tamper.head)

            sequence, said = fault_of(report := await audit.verify())

            one = last == first + 1
            span = f"Entry {last} is missing" if one else f"Entries {first + 1} to {last} are missing"
            where = f": the next one is {last + 1}" if last < 7 else " at the end: the head says that entry 7"
            assert (sequence, report.count) == (first + 1, first)
            assert said.startswith(span + where)


@pytest.mark.parametrize("moved", ["whole", "with the hash made anew"])
async def test_any_two_swapped_entries_are_told(audit: Audit, tamper: Tamper, moved: str) -> None:
    for first in range(7):
        for second in range(first + 1, 7):
            forged = [dict(entry) for entry in tamper.entries]
            forged[first], forged[second] = forged[second], forged[first]
            for place in (first, second):
                forged[place]["_id"] = place + 1
                if moved != "whole":
                    forged[place]["hash"] = digest(forged[place])
            await tamper.put(forged, tamper.head)

            sequence, said = fault_of(await audit.verify())

            expected = first + 1 if moved == "whole" or first == 0 else first
            assert sequence == expected
            assert ("moved here" in said) == (moved == "whole")


@pytest.mark.parametrize("renumbered", [False, True])
async def test_any_inserted_or_repeated_entry_is_told(audit: Audit, tamper: Tamper, renumbered: bool) -> None:
    """Between two others, which then move up, with their hashes as they were or made anew one by one."""
    for place in range(8):
        for content in ({**tamper.entries[0], "why": "never said"}, tamper.entries[max(place - 1, 0)]):
            forged = [dict(entry) for entry in (*tamper.entries[:place], content, *tamper.entries[place:])]
            for number, entry in enumerate(forged, 1):
                if entry["_id"] != number or number == place + 1:
                    entry["_id"] = number
                    if number == place + 1:
                        entry["previous"] = forged[place - 1]["hash"] if place else GENESIS
                    if renumbered or number == place + 1:
                        entry["hash"] = digest(entry)
            await tamper.put(forged, tamper.head)

            sequence, said = fault_of(await audit.verify())

            assert sequence in (place + 1, place + 2), said


@pytest.mark.parametrize(
    "id", [0, -1, 3.5, float("nan"), Decimal128("3.5"), "7", "a", None, True, NOON, {"a": 1}, b"x"]
)
async def test_an_entry_under_a_strange_id_is_told(audit: Audit, tamper: Tamper, id: Any) -> None:
    await tamper.put([*tamper.entries, {**tamper.entries[2], "_id": id}], tamper.head)

    assert "which was inserted" in fault_of(await audit.verify())[1]


@pytest.mark.parametrize("id", [3.0, Decimal128("3")])
async def test_a_sequence_of_another_type_is_told(audit: Audit, tamper: Tamper, id: Any) -> None:
    await tamper.put([*tamper.entries[:2], {**tamper.entries[2], "_id": id}, *tamper.entries[3:]], tamper.head)

    sequence, said = fault_of(await audit.verify())

    assert sequence == 3
    assert said.startswith("In the place of entry 3 is one with the id ")


async def test_a_long_sequence_is_no_fault(audit: Audit, tamper: Tamper) -> None:
    """MongoDB keeps integers above 2^31 in another type, which the driver gives as one of its own."""
    entry = {**tamper.entries[0], "_id": Int64(1)}
    await tamper.put([entry, *tamper.entries[1:]], {**tamper.head, "sequence": Int64(7)})

    assert (await audit.verify()).fault is None


async def test_a_changed_head_is_told(audit: Audit, tamper: Tamper) -> None:
    head = tamper.head
    changed: list[tuple[Documents, int, str]] = [
        ([], 7, "Entry 7 is the last one, but the head, which should say so, is missing."),
        ([{**head, "sequence": 8}], 8, "Entry 8 is missing at the end: the head says that entry 8 is the last one."),
        ([{**head, "sequence": 5}], 6, "Entry 6 was added, or the head was changed: it says that 5 is the last one."),
        ([{**head, "hash": "ab"}], 7, "Entry 7 was replaced, or the head was changed: it names another hash."),
        ([head, {**head, "_id": "other"}], 7, "The head was changed, which should say that entry 7 is the last one."),
        *(
            ([one], 7, "The head was changed, which should say that entry 7 is the last one.")
            for one in ({**head, "sequence": 7.0}, {**head, "_id": "tail"}, {**head, "x": 1}, {"_id": "head"})
        ),
    ]
    for heads, sequence, said in changed:
        await tamper.put(tamper.entries, *heads)

        assert fault_of(await audit.verify()) == (sequence, said)


async def test_an_entry_added_by_hand_is_told(audit: Audit, tamper: Tamper) -> None:
    forged = tamper.chained([*tamper.entries, tamper.entries[0]])
    await tamper.put(forged, tamper.head)

    assert fault_of(await audit.verify()) == (
        8,
        "Entry 8 was added, or the head was changed: it says that 7 is the last one.",
    )


async def test_what_was_rewritten_or_cut_together_with_the_head_is_told_by_what_was_kept(
    audit: Audit, tamper: Tamper
) -> None:
    noted = [(entry["_id"], entry["hash"]) for entry in tamper.entries]
    for place in range(7):
        rewritten = [dict(entry) for entry in tamper.entries]
        rewritten[place]["why"] = "another reason"
        rewritten = tamper.chained(rewritten)
        await tamper.put(rewritten, {**tamper.head, "hash": rewritten[-1]["hash"]})

        assert (await audit.verify()).fault is None
        for sequence, hash in noted:
            report = await audit.verify((sequence, hash))
            if sequence <= place:  # what was noted says nothing of what came later
                assert report.fault is None
            else:
                said = f"Entry {sequence} is not the one that was noted: it was rewritten, or one before it was."
                assert fault_of(report) == (sequence, said)

        cut = tamper.entries[:place]
        head = {"_id": "head", "sequence": place, "hash": cut[-1]["hash"] if cut else GENESIS}
        await tamper.put(cut, head)

        assert (await audit.verify()).fault is None
        assert fault_of(await audit.verify(noted[-1]))[0] == place + 1
        assert "the log was cut, for entry 7 was noted" in fault_of(await audit.verify(noted[-1]))[1]


async def test_tampering_is_told_on_every_page_size(
    audit: Audit, tamper: Tamper, monkeypatch: pytest.MonkeyPatch
) -> None:
    forged = [*tamper.entries[:3], {**tamper.entries[3], "at": DatetimeMS(1 << 60)}, *tamper.entries[4:]]
    for size in (1, 2, 3, 4, 7, 8):
        monkeypatch.setattr(module, "_PAGE", size)

        await tamper.put(tamper.entries[:6], tamper.head)
        assert fault_of(await audit.verify())[0] == 7
        await tamper.put([*tamper.entries, {**tamper.entries[2], "_id": "7"}], tamper.head)
        assert fault_of(await audit.verify())[0] == 8
        await tamper.put(forged, tamper.head)
        assert fault_of(await audit.verify()) == (
            4,
            "Entry 4, or the head, was changed: it holds what no server writes.",
        )


async def test_what_was_changed_is_not_shown_as_if_it_were_an_entry(audit: Audit, tamper: Tamper) -> None:
    for change in ({"whom": "c0"}, {"at": DatetimeMS(1 << 50)}):
        await tamper.put([*tamper.entries[:6], {**tamper.entries[6], **change}], tamper.head)

        with pytest.raises(Altered, match="was changed"):
            await audit.entries()


async def test_two_servers_make_one_log_without_gaps(store: AuditStore, shared: Slices) -> None:
    assert shared.settings.mongodb_uri is not None
    other = Database(shared.settings.mongodb_uri, shared.settings.database)
    audits = [Audit(store), Audit(AuditStore(other))]

    async def notes(number: int) -> None:
        for step in range(4):
            await audits[number % 2].note(who=JANE, deed=f"{number}.{step}", whom=["c1"])
            await asyncio.sleep(0.001 * (number % 7))

    await asyncio.gather(*(notes(number) for number in range(60)))

    entries = await audits[0].entries(limit=1000)
    await other.close()
    assert (await audits[0].verify()).count == 240
    assert sorted(entry.sequence for entry in entries) == list(range(1, 241))
    assert {entry.deed for entry in entries} == {f"{number}.{step}" for number in range(60) for step in range(4)}
    assert await store.missing_indexes() == []


async def test_a_log_that_grows_while_it_is_verified_is_sound(audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAGE", 2)

    async def write() -> None:
        for _ in range(20):
            await audit.note(who=JANE, deed="customer.read")

    writing = asyncio.create_task(write())
    while not writing.done():
        assert (await audit.verify()).fault is None
    await writing

    assert (await audit.verify()).count == 27


async def test_notes_that_come_together_are_written_together(slices: Slices) -> None:
    audit = Audit(AuditStore(slices.database))

    async with slices.watched() as done:
        await asyncio.gather(*(audit.note(who=JANE, deed=str(number)) for number in range(100)))

    assert len([one for one in done if one["op"] == "insert" and one["ns"].endswith(".audit")]) <= 2
    assert len([one for one in done if one["ns"].endswith(".audit_head")]) <= 8
    assert [entry.deed for entry in reversed(await audit.entries(limit=100))] == [str(number) for number in range(100)]
    assert not [task for task in asyncio.all_tasks() if "Audit" in repr(task)]


async def test_more_than_fit_together_are_written_one_group_after_another(
    store: AuditStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_TOGETHER", 3)
    audit = Audit(store)

    await asyncio.gather(*(audit.note(who=JANE, deed=str(number)) for number in range(10)))

    assert (await audit.verify()).count == 10


async def test_callers_who_go_lose_nothing_of_the_others(store: AuditStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_TOGETHER", 10)
    audit = Audit(store)
    notes = [asyncio.create_task(audit.note(who=JANE, deed=str(number))) for number in range(40)]
    await asyncio.sleep(0)  # all wait now
    await asyncio.sleep(0)  # the first ten are being written
    for note in [*notes[::2], *notes[10:20]]:
        note.cancel()

    results = await asyncio.gather(*notes, return_exceptions=True)

    entries = {entry.deed for entry in await audit.entries()}
    assert {number for number, result in enumerate(results) if result is None} == {
        number for number in range(40) if number % 2 and number // 10 != 1
    }
    assert {str(number) for number in range(40) if number % 2 and number // 10 != 1} <= entries
    assert not entries & {str(number) for number in range(10, 40) if not number % 2 or number < 20}
    assert (await audit.verify()).fault is None


async def test_nothing_is_written_when_all_have_gone(audit: Audit) -> None:
    note = asyncio.create_task(audit.note(who=JANE, deed="customer.read"))
    await asyncio.sleep(0)  # it waits now
    note.cancel()

    await asyncio.gather(note, return_exceptions=True)

    assert (await audit.verify()).count == 7


async def test_a_loop_that_ends_leaves_nobody_waiting(audit: Audit, shared: Slices) -> None:
    blocked: dict[str, Any] = {"blockConnection": True, "blockTimeMS": 300}
    async with shared.failing("update", collection="audit_head", times=1, **blocked):
        first = asyncio.create_task(audit.note(who=JANE, deed="first"))
        await asyncio.sleep(0.1)
        second = asyncio.create_task(audit.note(who=JANE, deed="second"))
        await asyncio.sleep(0)
        assert audit._writer is not None
        audit._writer.cancel()

        results = await asyncio.gather(first, second, return_exceptions=True)

    assert [type(result) for result in results] == [Unavailable, Unavailable]
    await audit.note(who=JANE, deed="third")
    assert (await audit.verify()).fault is None


@pytest.mark.parametrize("how", [{"errorCode": 189}, {"closeConnection": True}])
@pytest.mark.parametrize("command", ["find", "update"])
async def test_a_database_that_fails_stores_nothing_and_refuses_the_deed(
    audit: Audit, shared: Slices, hasty: Database, command: str, how: dict[str, Any]
) -> None:
    failing = Audit(AuditStore(hasty))
    before = await shared.documents("audit"), await shared.documents("audit_head")

    async with shared.failing(command, **how):
        notes = [failing.note(who=JANE, deed="customer.read") for _ in range(3)]
        results = await asyncio.gather(*notes, return_exceptions=True)

    assert [type(result) for result in results] == [Unavailable] * 3
    assert len({id(result) for result in results}) == 3
    assert (await shared.documents("audit"), await shared.documents("audit_head")) == before
    await failing.note(who=JANE, deed="after")
    assert (await audit.verify()).count == 8


async def test_a_database_that_refuses_is_told_to_operators(audit: Audit, shared: Slices) -> None:
    before = await shared.documents("audit"), await shared.documents("audit_head")

    with capture_logs() as logs:
        async with shared.failing("update", times=1, errorCode=2):
            with pytest.raises(Unavailable, match="nothing was done"):
                await audit.note(who=JANE, deed="customer.read")

    assert [(one["log_level"], one["entries"]) for one in logs] == [("error", 1)]
    assert logs[0]["event"] == "the audit log refuses entries: run `steadylight audit verify`"
    assert (await shared.documents("audit"), await shared.documents("audit_head")) == before


async def test_a_server_that_dies_after_the_head_moved_has_stored_its_entries(audit: Audit, shared: Slices) -> None:
    async with shared.failing("insert", collection="audit", times=1, errorCode=189):
        await asyncio.gather(*(audit.note(who=JANE, deed=str(number)) for number in range(3)))
    left = await shared.documents("audit")
    carried = await audit.verify()

    await Audit(AuditStore(shared.database)).note(who=JANE, deed="by another server")

    assert len(left) == 7
    assert (carried.count, carried.fault) == (10, None)
    assert (await audit.verify()).count == 11
    assert [entry["deed"] for entry in await shared.documents("audit")][7:] == ["0", "1", "2", "by another server"]
    assert ["group" in head for head in await shared.documents("audit_head")] == [False]


async def test_what_a_change_of_primary_took_back_is_settled_again(
    audit: Audit, store: AuditStore, tamper: Tamper
) -> None:
    await tamper.put(tamper.entries[:6], {**tamper.head, "group": tamper.entries[6:]})
    assert store._settled == tamper.head["hash"]

    await audit.note(who=JANE, deed="customer.read")

    assert (await audit.verify()).count == 8
    assert [entry.sequence for entry in await audit.entries()] == [8, 7, 6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 8, 1000])
async def test_a_group_that_is_half_settled_is_sound_and_a_forged_one_is_told(
    audit: Audit, tamper: Tamper, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAGE", size)
    group = tamper.entries[3:]
    for there in ((), (5,), (4, 6), (7,), (6, 7), (4, 5, 6, 7)):
        entries = [entry for entry in tamper.entries if entry["_id"] < 4 or entry["_id"] in there]
        await tamper.put(entries, {**tamper.head, "group": group})
        assert (await audit.verify()) == Report(count=7, hash=tamper.head["hash"])

        forged = [*group[:1], {**group[1], "why": "another"}, *group[2:]]
        await tamper.put(entries, {**tamper.head, "group": forged})
        fault = (await audit.verify()).fault
        assert (fault is None) if 5 in there else (fault is not None and fault.sequence == 5)

    strange: list[Any] = ["text", [1], [{}], [{"_id": "7"}], [{"_id": 6.0}]]
    for wrong in strange:
        await tamper.put(tamper.entries, {**tamper.head, "group": wrong})
        assert "The head was changed" in fault_of(await audit.verify())[1]
    await tamper.put([*tamper.entries[:3], {**group[0], "_id": "7"}], {**tamper.head, "group": group})
    assert (await audit.verify()).fault is not None


async def test_a_head_that_never_stands_still_is_unavailable(
    audit: Audit, shared: Slices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.05)
    monkeypatch.setattr(module, "moved", lambda head, deeds: {**head, "sequence": 9})
    monkeypatch.setattr(AuditStore, "_settle", lambda self, head: self._head.update_one({}, {"$inc": {"sequence": -1}}))

    with pytest.raises(Unavailable):
        await audit.note(who=JANE, deed="customer.read")


async def test_large_entries_make_small_groups(store: AuditStore, slices: Slices) -> None:
    audit = Audit(AuditStore(slices.database))

    await asyncio.gather(*(audit.note(who=JANE, deed="large", why=str(n) * 1_500_000) for n in range(7)))

    assert [len(entry.why) for entry in await audit.entries()] == [1_500_000] * 7
    assert (await audit.verify()).count == 7


async def test_a_head_that_was_set_back_hides_nothing(audit: Audit, tamper: Tamper) -> None:
    await tamper.put(tamper.entries, {**tamper.head, "sequence": 3, "hash": tamper.entries[2]["hash"]})
    await audit.note(who=JANE, deed="customer.read")

    assert fault_of(await audit.verify())[0] == 5

    await tamper.put(tamper.entries, {**tamper.head, "sequence": "7"})
    with capture_logs(), pytest.raises(Unavailable, match="nothing was done"):
        await audit.note(who=JANE, deed="customer.read")


async def test_a_note_takes_no_part_in_the_transaction_of_its_caller(audit: Audit, shared: Slices) -> None:
    async def work() -> None:
        await audit.note(who=JANE, deed="tried")
        raise LookupError

    with pytest.raises(LookupError):
        await shared.database.transaction(work)

    assert (await audit.entries(limit=1))[0].deed == "tried"


async def test_a_verification_that_the_database_does_not_answer_is_unavailable(
    audit: Audit, shared: Slices, hasty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongo, "TRANSACTION_PATIENCE", 0.05)
    away = Audit(AuditStore(hasty))

    async with shared.failing("find", errorCode=189):
        with pytest.raises(Unavailable):
            await away.verify()
        with pytest.raises(Unavailable):
            await away.entries()


async def test_entries_are_found_newest_first_by_index(store: AuditStore, slices: Slices) -> None:
    at = [NOON]

    def clock() -> datetime:
        return at[0]

    store = AuditStore(slices.database)
    await store.create_indexes()
    audit = Audit(store, clock=clock)
    for number in range(40):
        at[0] = NOON + timedelta(minutes=number // 2)
        who = {**JANE, "name": "Joan"} if number % 4 == 0 else JANE
        await audit.note(who=who, deed="customer.read", whom=[f"c{number % 5}", "all"])

    late = NOON + timedelta(minutes=15)
    found: dict[str, list[int]] = {
        "customer": [one.sequence for one in await audit.entries(whom="c3", limit=3)],
        "late": [one.sequence for one in await audit.entries(whom="all", since=late)],
        "name": [one.sequence for one in await audit.entries(who="Joan", since=late)],
        "both": [one.sequence for one in await audit.entries(who="Joan", whom="c1")],
        "nobody": [one.sequence for one in await audit.entries(whom="c9")],
    }

    assert found == {
        "customer": [39, 34, 29],
        "late": list(range(40, 30, -1)),
        "name": [37, 33],
        "both": [37, 17],
        "nobody": [],
    }
    since = {"at": {"$gte": late}}
    for query in ({}, since, {"whom": "c3"}, {"whom": "c3", **since}, {"who.name": "Joan"}):
        plan = await slices.plan({"find": "audit", "filter": query, "sort": {"at": -1, "_id": -1}, "limit": 5})
        assert plan.is_frugal(), (query, plan)
