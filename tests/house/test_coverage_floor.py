"""The floor judges what all workers ran together, prints it once, and leaves pytest the last word."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_MEASURING = ("coverage_floor", "probes", "instrumented", "measured/sitecustomize")
MEASURING = [f"tests/house/{name}.py" for name in _MEASURING]
BOTH_ARE_TESTED = {
    "tests/test_sdk.py": "def test_sdk():\n    import steadylight\n    assert steadylight.one() == 1\n",
    "tests/test_server.py": "def test_server():\n    import steadylight_server as it\n    assert it.one() == 1\n",
}


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A project of two packages with a function each, measured and judged as this one is, and no test yet."""
    for name in ("pyproject.toml", *MEASURING):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for package in ("sdk/steadylight", "server/steadylight_server"):
        (tmp_path / package).mkdir(parents=True)
        (tmp_path / package / "__init__.py").write_text("def one() -> int:\n    return 1\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\ntestpaths = tests\n")  # it goes before pyproject.toml
    return tmp_path


def run(house: Path, tests: dict[str, str], *arguments: str) -> tuple[int, list[str]]:
    """The exit code of pytest, and the lines it printed that are not blank."""
    for file, text in tests.items():
        (house / file).write_text(text)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE", "PYTEST"))}
    paths = os.pathsep.join(str(house / folder) for folder in (".", "sdk", "server"))
    plugins = ("-p", "tests.house.coverage_floor", "-p", "xdist")  # the others would take longer to load than all else
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, "--dist", "loadfile", *arguments],
        cwd=house,
        env=environment | {"PYTHONPATH": paths, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return ended.returncode, [line for line in ended.stdout.splitlines() if line]


@pytest.mark.parametrize("workers", ["0", "2"])
def test_what_all_workers_ran_is_judged_together(house: Path, workers: str) -> None:
    code, printed = run(house, BOTH_ARE_TESTED, "-n", workers)

    assert (code, printed[-3:-1]) == (0, ["steadylight 100.0 %", "steadylight_server 100.0 %"])
    assert " 2 passed in " in printed[-1]


def test_a_package_below_the_floor_fails_a_whole_run(house: Path) -> None:
    tests = {**BOTH_ARE_TESTED, "tests/test_server.py": "def test_server():\n    import steadylight_server\n"}

    code, printed = run(house, tests, "-n", "2")

    assert code == 1
    assert printed[-3:-1] == ["steadylight 100.0 %", "steadylight_server 50.0 %: below the 95 % asked for"]
    assert " 2 passed in " in printed[-1]


def test_the_floor_does_not_hold_for_a_part_of_the_tests(house: Path) -> None:
    code, printed = run(house, BOTH_ARE_TESTED, "-n", "2", "-k", "sdk")

    assert code == 0
    assert printed[-2].endswith(" %: below the 95 % asked for")
    assert " 1 passed" in printed[-1]
