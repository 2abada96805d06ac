"""Probes note what coverage.py's own tracer would, and where they are a module does what it did."""

import subprocess
import sys
from pathlib import Path
from types import CodeType
from typing import Any

import coverage
import pytest
from coverage.parser import PythonParser

from tests.house import probes
from tests.house.instrumented import Instrumented, ran

SOURCE = '''"""All that branches."""

from __future__ import annotations


def sorts(given):
    """What it is."""
    total = 0
    for one in given:
        if one == "stop":
            break
        elif one == "pass":
            continue
        if isinstance(one, str):
            total += 1
        match one:
            case int() if one > 5:
                total += 10
            case int() | float():
                total += 2
            case [first, *_]:
                total += first
    else:
        total += 100
    while total > 100:
        total -= 60
    try:
        total += 1 // given[0]
    except (TypeError, IndexError):
        total += 1000
    except ZeroDivisionError:
        raise
    finally:
        total += 1
    with open("/dev/null") as file:
        if (
            file.read()
            or total
        ):
            return total
    return None


class Kept:
    """Of a class."""

    @property
    @staticmethod
    def value():
        return 1

    other = 2 if value else 3


async def later(many):
    async for one in many:
        if one: return one
    async with many:
        pass
'''
CALLS: tuple[Any, ...] = ([], [1], ["a", 7, 2.5], [3, "pass", [4, 5]], ["stop"], [[1]] * 20, [0], [9] * 30)


def executed(code: CodeType, given: Any) -> tuple[Any, bytes]:
    """What it gives, or where it raises, and what the probes noted."""
    namespace: dict[str, Any] = {"_probes_": bytearray(1000), "__name__": "made"}
    exec(code, namespace)
    try:
        result = namespace["sorts"](given)
    except ZeroDivisionError as error:
        result = [line for _, line in _lines_of(error)]
    return result, bytes(namespace["_probes_"])


def _lines_of(error: BaseException) -> list[tuple[str, int]]:
    told, trace = [], error.__traceback__
    while trace is not None:
        told.append((trace.tb_frame.f_code.co_name, trace.tb_lineno))
        trace = trace.tb_next
    return told


@pytest.mark.parametrize("given", CALLS, ids=range(len(CALLS)))
def test_the_same_lines_and_branches_as_a_tracer_tells(tmp_path: Path, given: Any) -> None:
    file = tmp_path / "made.py"
    file.write_text(SOURCE)
    parser = PythonParser(filename=str(file))
    parser.parse_source()
    made = Instrumented(file.read_bytes(), str(file))
    result, noted = executed(compile(made.tree, str(file), "exec", dont_inherit=True), given)
    calling = f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nimport made\n"
    calling += f"try: made.sorts({given!r})\nexcept ZeroDivisionError: pass\n"
    (tmp_path / "calling.py").write_text(calling)
    command = [sys.executable, "-m", "coverage", "run", "--branch", "--include", str(file), "calling.py"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=60)

    plain, _ = executed(compile(SOURCE, str(file), "exec", dont_inherit=True), given)
    assert result == plain
    traced, probed = coverage.Coverage(data_file=str(tmp_path / ".coverage")), coverage.Coverage(data_file=None)
    traced.load()
    noted = noted[: len(made.probes)]
    probed.get_data().add_arcs({str(file): ran(SOURCE.encode(), str(file), noted, parser.arcs())})
    expected, told = (each._analyze(str(file)) for each in (traced, probed))
    assert told.executed_branch_arcs() == expected.executed_branch_arcs()
    assert expected.executed - told.executed <= {31, 33}  # an `except` that did not match
    assert told.executed <= expected.executed


def test_a_process_that_was_killed_has_noted_what_it_ran(tmp_path: Path) -> None:
    dies = "import os, signal, steadylight._version; os.kill(os.getpid(), signal.SIGKILL)"
    begun = f"import pathlib, sys; sys.path.insert(0, {str(probes.ROOT)!r}); from tests.house import probes"
    begun += f"; probes.FOLDER = pathlib.Path({str(tmp_path)!r}); probes.install(); {dies}"

    ended = subprocess.run([sys.executable, "-S", "-c", begun], cwd=probes.ROOT / "sdk", timeout=60)

    assert ended.returncode == -9
    (noted,) = tmp_path.glob("_version-*.noted")
    assert set(noted.read_bytes()) == {1}
