"""The import contracts of pyproject.toml hold, and would notice a breach."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
# A file, a line that it must not hold, and what is said of it.
BREACHES = [
    ("server/steadylight_server/api/schema.py", "import motor", "steadylight_server.api.schema -> motor"),
    ("server/steadylight_server/timeline/models.py", "import bson", "steadylight_server.timeline.models -> bson"),
    ("server/steadylight_server/ingest/service.py", "import strawberry", "ingest.service -> strawberry"),
    ("server/steadylight_server/access/service.py", "import httpx", "steadylight_server.access.service -> httpx"),
    (
        "server/steadylight_server/context/service.py",
        "from steadylight_server.timeline import store",
        "steadylight_server.context.service -> steadylight_server.timeline.store",
    ),
    (
        "server/steadylight_server/timeline/service.py",
        "import steadylight_server.context.service",
        "steadylight_server.timeline is not allowed to import steadylight_server.context",
    ),
    ("server/steadylight_server/app.py", "import steadylight", "steadylight_server.app -> steadylight"),
    ("sdk/steadylight/_client.py", "import steadylight_server", "steadylight._client -> steadylight_server"),
    (
        "sdk/steadylight/_protocol.py",
        "from . import _transport",
        "steadylight._protocol is not allowed to import steadylight._transport",
    ),
]


def lint(house: Path) -> subprocess.CompletedProcess[str]:
    """What import-linter says of the packages in `house`, which is not the installed ones."""
    paths = f"{house / 'sdk'}:{house / 'server'}"
    return subprocess.run(
        LINT, cwd=house, env={"PYTHONPATH": paths, "COLUMNS": "200"}, capture_output=True, text=True, timeout=60
    )


def copy(to: Path) -> Path:
    """Both packages, in which a test may plant something."""
    for folder in ("sdk", "server"):
        shutil.copytree(ROOT / folder, to / folder, ignore=shutil.ignore_patterns("__pycache__", "assets"))
    shutil.copy(ROOT / "pyproject.toml", to)
    return to


@pytest.fixture
def house(tmp_path: Path) -> Path:
    return copy(tmp_path)


def test_the_contracts_hold(house: Path) -> None:
    result = lint(house)

    assert result.returncode == 0, result.stdout + result.stderr


def test_a_new_folder_without_a_place_is_noticed(house: Path) -> None:
    planted = house / "server/steadylight_server/sidetrack"
    planted.mkdir()
    (planted / "__init__.py").touch()

    result = lint(house)

    assert result.returncode == 1
    assert "sidetrack" in result.stdout


@pytest.fixture(scope="module")
def breached(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What is said, in one line, of a copy in which every breach is planted: to look takes seconds, however many."""
    house = copy(tmp_path_factory.mktemp("breached"))
    for file, line, _ in BREACHES:
        planted = house / file
        planted.write_text(f"{planted.read_text()}\n{line}\n")
    result = lint(house)
    assert result.returncode == 1
    return " ".join(result.stdout.split())


@pytest.mark.parametrize("said", [said for _, _, said in BREACHES])
def test_a_forbidden_import_is_noticed(breached: str, said: str) -> None:
    assert said in breached


def test_one_forbidden_import_is_enough(house: Path) -> None:
    file, line, said = BREACHES[0]
    planted = house / file
    planted.write_text(f"{planted.read_text()}\n{line}\n")

    result = lint(house)

    assert result.returncode == 1
    assert said in " ".join(result.stdout.split())
