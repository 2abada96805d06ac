"""A set of people with known duplicates is resolved, and wrong numbers in it are undone without a trace."""

from pathlib import Path

import pytest

from steadylight_server.core.embedded import EmbeddedDatabase
from tests.live import febrl


@pytest.mark.skipif(not febrl.FOLDER.exists(), reason="needs FEBRL's sets of the shared data, which are not here")
@pytest.mark.timeout(240)
async def test_a_wrong_number_joins_two_people_until_it_is_undone(mongod: EmbeddedDatabase, tmp_path: Path) -> None:
    some = febrl.planted(febrl.rows(1), 20)
    names = [one["rec_id"] for one in some.wrong]
    files = [febrl.written(tmp_path / f"{name}.csv", getattr(some, name)) for name in ("wrong", "without")]

    async with febrl.house(mongod.uri, "test-febrl-wrong") as wrong:
        await febrl.imported(wrong, files[:1])
        before = await febrl.partition(wrong, names)
        links = await febrl.numbers_links(wrong, some.rec_ids)
        await febrl.undo(wrong, links)
        after = await febrl.partition(wrong, names)
        told = await febrl.undone(wrong)
    async with febrl.house(mongod.uri, "test-febrl-without") as without:
        await febrl.imported(without, files[1:])
        wanted = await febrl.partition(without, names)

    assert (len(links), told) == (20, 20)
    assert febrl.quality(before).precision < 0.97
    assert after == wanted != before
    assert febrl.quality(after).precision == 1.0
    assert febrl.quality(after).recall > 0.88
