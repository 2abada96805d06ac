"""`kill -9` of an import and its database: run again, every good row is there once, every bad one is told."""

from pathlib import Path

import pytest

from tests.live.imports import sample, survive


@pytest.mark.timeout(300)
def test_an_import_survives_two_kills(tmp_path: Path) -> None:
    made = sample(tmp_path, 3_000)

    survived = survive(tmp_path, made, kills=2)

    told = survived.told
    assert len({why for _, why in made.refused}) > 7
    assert 0 < survived.stored_at_kills[0] < survived.stored_at_kills[1] < len(made.good)
    assert (survived.code, told["rows"], told["refused"]) == (1, 3_000, len(made.refused))
    assert told["imported"] + told["unchanged"] == len(made.good)
    assert told["unchanged"] >= survived.stored_at_kills[1]
    assert survived.actions == survived.records == len(made.good)
    assert (survived.wrong_traits, survived.wrong_customers, survived.wrong_remarks) == (0, 0, 0)
    assert survived.intents == 0
