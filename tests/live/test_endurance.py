"""What processes record while their server dies is stored once and in order; at full size in tests/benchmarks."""

from pathlib import Path

import pytest

from .endurance import endure


@pytest.mark.timeout(180)
def test_what_is_recorded_while_the_server_dies_is_stored_once_and_in_order(tmp_path: Path) -> None:
    endured = endure(tmp_path, processes=2, threads=2, seconds=8, every=3)

    assert endured.kills >= 1
    assert (endured.left, endured.refused) == (0, 0)
    assert endured.stored == endured.ids == endured.made > 0
    assert endured.threads == endured.in_order == 4
