"""A pytest plugin: measures branch coverage of both packages and fails the run below the floor.

`make test` loads it with `-p`, before any of our modules is imported; a run by hand without it is not measured. It is a
plugin and not a `coverage run` around pytest, so that pytest's own summary stays the last line printed. Processes that
tests start are measured too (`patch = subprocess` in pyproject.toml). So are the workers among whom pytest-xdist deals
out the tests: each saves what it measured, and the process that started them combines it all and judges.
"""

import io
from pathlib import Path

import coverage
import pytest
from coverage.exceptions import NoDataError

ROOT = Path(__file__).parents[2]
PACKAGES = {"steadylight": ROOT / "sdk/steadylight", "steadylight_server": ROOT / "server/steadylight_server"}
FLOOR = 95.0


def measuring() -> coverage.Coverage:
    """What measures this process: in a worker, as in whatever pytest starts, it has begun; else it begins now."""
    if (begun := coverage.Coverage.current()) is not None:
        return begun
    begins = coverage.Coverage(config_file=str(ROOT / "pyproject.toml"))
    begins.start()
    return begins


_measuring = measuring()
_shown = io.StringIO()


def covered(measured: coverage.Coverage, include: str, shown: io.StringIO) -> float:
    """Percent of the lines and branches of the files `include` that ran, written to `shown`; 0 when none was seen."""
    try:
        return measured.report(include=include, file=shown)
    except NoDataError:
        return 0.0


def is_whole(config: pytest.Config) -> bool:
    """Whether all tests were asked for; only then does the floor hold."""
    return config.args_source is config.ArgsSource.TESTPATHS and not (config.option.keyword or config.option.markexpr)


def is_worker(config: pytest.Config) -> bool:
    """Whether another process deals out the tests and prints the summary."""
    return hasattr(config, "workerinput")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Combines what all processes measured; a whole run that passed fails when a package is below the floor."""
    _measuring.stop()
    _measuring.save()
    if is_worker(session.config):
        return
    measured = coverage.Coverage(config_file=str(ROOT / "pyproject.toml"))
    measured.combine()
    covered(measured, f"{ROOT}/*", _shown)
    for package, folder in PACKAGES.items():
        percent = covered(measured, f"{folder}/*", io.StringIO())
        verdict = "" if percent >= FLOOR else f": below the {FLOOR:g} % asked for"
        _shown.write(f"{package} {percent:.1f} %{verdict}\n")
        if verdict and is_whole(session.config) and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Shows the files that are not wholly covered, then each package against the floor."""
    terminalreporter.section("coverage")
    terminalreporter.write(_shown.getvalue())
