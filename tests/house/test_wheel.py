"""What is shipped: a channel app that installs the bare wheel gets the SDK, httpx, pydantic and nothing else."""

import json
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# httpx, pydantic and what these two depend on.
THEIRS = {
    "annotated-types",
    "anyio",
    "certifi",
    "h11",
    "httpcore",
    "httpx",
    "idna",
    "pydantic",
    "pydantic-core",
    "typing-extensions",
    "typing-inspection",
}


def run(*command: str | Path, expect: int = 0) -> str:
    """What the command printed; it must end with the status `expect`."""
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=110, cwd=ROOT)
    assert result.returncode == expect, f"{command}\n{result.stdout}{result.stderr}"
    return result.stdout + result.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without a download."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def empty(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment into which only the bare wheel was installed, at the pinned versions."""
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder / "venv", with_pip=False)
    pins = folder / "pins.txt"
    pins.write_text("\n".join(re.findall(r"^[\w.-]+==\S+", (ROOT / "constraints.txt").read_text(), re.MULTILINE)))
    binaries = folder / "venv/bin"
    run(sys.executable, "-m", "pip", "--python", binaries / "python", "install", "-qq", "-c", pins, wheel)
    return binaries


def test_the_wheel_holds_both_packages_typed_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.split("/")[0].split("-")[0] for name in names} == {"steadylight", "steadylight_server"}
    assert {"steadylight/py.typed", "steadylight_server/py.typed"} <= set(names)
    assert "steadylight_server/contract/operations/RecordActions.graphql" in names
    assert "steadylight_server/api/examples/CustomerByEmail.graphql" in names


@pytest.mark.skipif(not (shutil.which("node") and shutil.which("npm")), reason="GraphiQL is built with node and npm")
def test_the_wheel_holds_graphiql_with_its_licences(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    assets = "steadylight_server/api/assets"
    page = json.loads(archive.read(f"{assets}/manifest.json"))

    assert {f"{assets}/{page['script']}", f"{assets}/{page['style']}"} < set(archive.namelist())
    assert b"monaco-editor" in archive.read(f"{assets}/LICENSES.txt")


@pytest.mark.parametrize(("required", "status"), [("0", 0), ("1", 1)])
def test_without_node_the_wheel_lacks_graphiql_or_is_refused(tmp_path: Path, required: str, status: int) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    built = shutil.ignore_patterns("assets", "__pycache__")
    for folder in ("sdk", "server", "schema"):
        shutil.copytree(ROOT / folder, source / folder, symlinks=True, ignore=built)
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, source)
    environment = {**os.environ, "PATH": str(tmp_path), "STEADYLIGHT_REQUIRE_GRAPHIQL": required}
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]

    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)

    assert ended.returncode == status, ended.stderr
    assert "node and npm are not installed" in ended.stdout + ended.stderr
    assert len(list(out.glob("*.whl"))) == 1 - status


def test_the_bare_wheel_brings_httpx_pydantic_and_theirs_only(empty: Path) -> None:
    listed = run(sys.executable, "-m", "pip", "--python", empty / "python", "list", "--format", "freeze")

    assert {line.split("==")[0].lower().replace("_", "-") for line in listed.split()} == {"steadylight", *THEIRS}


def test_the_sdk_is_imported_without_the_server(empty: Path) -> None:
    program = "import steadylight, sys; print(sorted(n for n in sys.modules if n.startswith('steadylight_server')))"

    assert run(empty / "python", "-c", program) == "[]\n"


def test_the_command_without_the_server_says_in_one_line_what_to_install(empty: Path) -> None:
    said = run(empty / "steadylight", "serve", expect=1)

    assert "steadylight[server]" in said
    assert said.count("\n") == 1
