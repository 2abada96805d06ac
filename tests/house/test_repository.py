"""What lies where in the repository, and what no file of it may say."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = {"sdk", "server", "schema", "examples", "tests"}
# Hosts of package registries and paths of one machine; written with brackets so that this file does not match itself.
FOREIGN = re.compile(r"p[y]pi\.|pythonhost[e]d\.|npm[j]s\.|deb[.]debian|/wor[k]/|/far[m]/|/ho[m]e/\w|/roo[t]/|/opt/\w")


def files() -> list[str]:
    """Paths of all files that are or would be committed."""
    listed = ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [name for name in names if name and (ROOT / name).is_file()]


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    found = []
    for name in files():
        content = (ROOT / name).read_bytes()
        if b"\0" not in content[:8000]:
            lines = enumerate(content.decode(errors="replace").splitlines(), 1)
            found += [f"{name}:{number} {line.strip()[:100]}" for number, line in lines if FOREIGN.search(line)]

    assert found == []


def test_the_top_level_holds_the_five_folders_and_no_other() -> None:
    folders = {name.split("/")[0] for name in files() if "/" in name and not name.startswith(".")}

    assert folders == FOLDERS


def test_the_routine_of_ci_is_the_one_everybody_runs() -> None:
    run = ROOT / ".ci/run"
    commands = [line for line in run.read_text().splitlines() if line and not line.startswith("#")]

    assert commands == ['cd "$(dirname "$0")/.." && exec make test']
    assert run.stat().st_mode & 0o111


def test_pins_carry_hashes_and_no_address() -> None:
    text = (ROOT / "constraints.txt").read_text()
    pins = re.findall(r"^([a-z0-9][\w.-]*)==\S+ \\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
    starts = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]

    assert len(pins) == len(starts) > 50
    assert "://" not in text
