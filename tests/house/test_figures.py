"""The runner of proofs judges bounds and writes what was noted."""

import json
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import main
from tests.benchmarks.figures import Figures, summarise


def test_a_figure_is_judged_by_its_bounds() -> None:
    figures = Figures("speed", "How fast.")

    figures.note("reported", 3.0)
    figures.note("low", 0.45, at_least=0.45)
    assert figures.is_kept
    figures.note("high", 6.1, "ms", at_least=1, at_most=6)
    figures.note("count", 10_323, exactly=10_323)

    assert [figure.is_kept for figure in figures.noted] == [True, True, False, True]
    assert figures.noted[2].bound == "≥ 1 and ≤ 6"
    assert not figures.is_kept


def test_a_proof_that_notes_nothing_or_fails_is_not_kept() -> None:
    assert not Figures("empty", "Nothing.").is_kept

    failed = Figures("failed", "Something.", failure="ValueError: odd")
    failed.note("one", 1)

    assert not failed.is_kept


def test_the_figures_are_written_for_machines_and_for_people(tmp_path: Path) -> None:
    figures = Figures("replay", "A real log, replayed.\n\nMore.")
    figures.note("sent", 10_323, exactly=10_323)
    figures.note("rate", 12_345.678, "actions/s", at_least=20_000)

    figures.write(tmp_path / "figures/replay.json")
    summarise(tmp_path / "figures", tmp_path / "figures.md")

    written = json.loads((tmp_path / "figures/replay.json").read_text())
    page = (tmp_path / "figures.md").read_text()
    assert (written["title"], written["kept"], len(written["noted"])) == ("A real log, replayed.", False, 2)
    assert "## replay: A real log, replayed." in page
    assert "| sent | 10,323  | = 10,323 | yes |" in page
    assert "| rate | 1.235e+04 actions/s | ≥ 20,000 | **no** |" in page


def test_an_unknown_proof_is_refused_with_the_list_of_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no-such"]) == 2
    assert capsys.readouterr().out.startswith("No such proof: no-such. There are: ")
