"""A pytest plugin: measures branch coverage of both packages and fails the run below the floor.

`make test` loads it with `-p`, before any of our modules is imported; a run by hand without it is not measured. It is a
plugin and not a `coverage run` around pytest, so that pytest's own summary stays the last line printed. What runs is
noted by `probes`, in the workers among whom pytest-xdist deals out the tests and in the processes that tests start as
well; the process that started them all hands it to coverage.py and judges.
"""

import io
import os

import coverage
import pytest
from coverage.parser import PythonParser

from tests.house import probes
from tests.house.instrumented import ran

FLOOR = 95.0

if "PYTEST_XDIST_WORKER" not in os.environ:
    probes.begin()
probes.install()
_shown = io.StringIO()
_verdicts: list[str] = []


def measured() -> coverage.Coverage:
    """What ran, as if coverage.py had measured it itself. Files that nobody imported are in it, too."""
    result = coverage.Coverage(data_file=None, config_file=str(probes.ROOT / "pyproject.toml"))
    arcs = {}
    for path, (source, noted) in probes.noted().items():
        parser = PythonParser(filename=path)
        parser.parse_source()
        arcs[path] = ran(source, path, noted, parser.arcs())
    result.get_data().add_arcs(arcs)
    for folder in probes.PACKAGES.values():
        result.get_data().touch_files([str(file) for file in folder.rglob("*.py")])
    return result


def is_whole(config: pytest.Config) -> bool:
    """Whether all tests were asked for; only then does the floor hold."""
    return config.args_source is config.ArgsSource.TESTPATHS and not (config.option.keyword or config.option.markexpr)


def is_worker(config: pytest.Config) -> bool:
    """Whether another process deals out the tests and prints the summary."""
    return hasattr(config, "workerinput")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A whole run that passed fails when a package is below the floor."""
    if is_worker(session.config):
        return
    told = measured()
    for package, folder in probes.PACKAGES.items():
        percent = told.report(include=f"{folder}/*", file=_shown)
        verdict = "" if percent >= FLOOR else f": below the {FLOOR:g} % asked for"
        _verdicts.append(f"{package} {percent:.1f} %{verdict}\n")
        if verdict and is_whole(session.config) and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Shows the files that are not wholly covered, then each package against the floor."""
    terminalreporter.section("coverage")
    terminalreporter.write(_shown.getvalue())
    terminalreporter.write("".join(_verdicts))
