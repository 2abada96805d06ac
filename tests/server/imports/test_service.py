"""A database that is away is waited for; a source is a channel that nobody has keys of."""

from datetime import UTC, datetime

import pytest

from steadylight_server.access.models import ChannelKind
from steadylight_server.core.errors import Conflict, Unavailable
from steadylight_server.imports import service as module
from steadylight_server.imports.mapper import Mapper
from steadylight_server.imports.models import Fault, Row, read_map
from steadylight_server.imports.service import Importer, Remark, Tally, source
from tests.factories import BY
from tests.server.conftest import Slices

AT = datetime(2026, 11, 1, tzinfo=UTC)
AWAY = {"errorCode": 91}  # shutting down


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of milliseconds."""
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.001)


async def run(house: Slices, name: str, count: int) -> tuple[Tally, list[Remark]]:
    """Imports so many rows of that source, and one that cannot be read."""
    remarks: list[Remark] = []
    mapper = Mapper(read_map(f"source: {name}\nkey: id\n"), AT)
    speaker = await source(house.access, name, BY)
    rows = [Row(number, {"id": number}) for number in range(2, count + 2)]
    importer = Importer(house.ingest, speaker, mapper, lambda tally, said: remarks.extend(said))
    return await importer.run([Fault(1, None, "not CSV"), *rows]), remarks


async def test_a_database_that_is_away_is_waited_for(house: Slices) -> None:
    async with house.failing("insert", collection="actions", times=3, **AWAY):
        tally, remarks = await run(house, "crm-a", 300)

    # What a try without an answer may have stored is there already for the next: on a busy machine one times out.
    assert (tally.rows, tally.imported + tally.unchanged, tally.refused, tally.warnings) == (301, 300, 1, 0)
    assert remarks == [Remark(1, None, True, "not CSV")]
    assert len(await house.documents("actions", channel="crm-a")) == 300


async def test_it_is_not_waited_for_for_ever(house: Slices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.005)

    async with house.failing("insert", collection="actions", **AWAY):
        with pytest.raises(Unavailable, match="What it took stays: import the file again"):
            await run(house, "crm-b", 2)

    assert (await run(house, "crm-b", 2))[0].imported == 2


async def test_a_source_is_registered_once_and_never_an_app(house: Slices) -> None:
    first, again = [await source(house.access, "crm-c", BY) for _ in range(2)]
    await house.access.add_key("crm-c", by=BY)

    assert first == again
    assert (first.channel, (await house.access.channel("crm-c")).kind) == ("crm-c", ChannelKind.ASSISTED)
    with pytest.raises(Conflict, match="The channel crm-c is an app's: it has keys"):
        await source(house.access, "crm-c", BY)
