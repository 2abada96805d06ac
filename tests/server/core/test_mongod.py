"""Where mongod is found, how much memory it gets, and how its failures are told."""

import importlib.util
import os
from pathlib import Path

import pytest

from steadylight_server.core import mongod
from steadylight_server.core.mongod import MongodNotFound


def program(path: Path, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any mongod; returns the folder that is its whole PATH."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    return tmp_path / "bin"


def test_without_any_mongod_the_message_names_the_three_ways(bare: Path) -> None:
    with pytest.raises(MongodNotFound) as caught:
        mongod.find(None)

    assert str(caught.value) == (
        "No mongod was found. Steadylight needs a MongoDB, in one of three ways: set STEADYLIGHT_MONGODB_URI to a "
        "replica set that runs already; put a mongod on the PATH or its path into STEADYLIGHT_MONGOD; "
        "or, on Linux, pip install 'steadylight[embedded]'."
    )


def test_a_given_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MongodNotFound, match=r"gone is not a program that can be run\. .*STEADYLIGHT_MONGOD"):
        mongod.find(tmp_path / "gone")


def test_the_given_program_comes_before_the_path_and_the_path_before_the_wheel(bare: Path) -> None:
    on_path = program(bare / "mongod")
    given = program(bare.parent / "mine")

    assert mongod.find(given) == given
    assert mongod.find(None) == on_path


def test_the_wheels_program_is_found_without_importing_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    inside = program(tmp_path / "fiftyone/db/bin/mongod")
    (tmp_path / "fiftyone/__init__.py").write_text("raise AssertionError('was imported')")
    monkeypatch.syspath_prepend(tmp_path)

    assert mongod.find(None) == inside


def test_a_lost_executable_bit_is_given_back(tmp_path: Path) -> None:
    found = mongod.find(program(tmp_path / "mongod", mode=0o644))

    assert os.access(found, os.X_OK)


def test_a_bit_that_cannot_be_given_back_is_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, mode: int) -> None:
        raise PermissionError

    lost = program(tmp_path / "mongod", mode=0o644)
    monkeypatch.setattr(Path, "chmod", refuse)

    with pytest.raises(MongodNotFound, match="not a program that can be run"):
        mongod.find(lost)


@pytest.mark.parametrize(("pages", "gigabytes"), [(2**16, 0.25), (2**19, 0.5), (2**24, 1.0)])
def test_the_cache_is_a_quarter_of_the_memory_within_bounds(
    monkeypatch: pytest.MonkeyPatch, pages: int, gigabytes: float
) -> None:
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": pages, "SC_PAGE_SIZE": 4096}.__getitem__)

    assert mongod.cache_size() == gigabytes


def test_the_limit_of_a_container_counts_as_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda path: f"{2 << 30}\n")

    assert mongod.cache_size() == 0.5


def test_a_failure_tells_the_errors_of_the_log_and_not_its_goodbyes(tmp_path: Path) -> None:
    log = tmp_path / "mongod.log"
    log.write_text('{"s":"I","msg":"hello"}\n{"s":"E","msg":"no space"}\n\n{"s":"I","msg":"Shutting down"}\n')

    assert mongod.failure(100, log) == (
        f'mongod ended with exit code 100. The last lines of {log}:\n    {{"s":"E","msg":"no space"}}'
    )


def test_a_log_without_errors_is_shown_by_its_last_five_lines(tmp_path: Path) -> None:
    log = tmp_path / "mongod.log"
    log.write_text("".join(f'{{"s":"I","id":{number}}}\n' for number in range(9)))

    assert mongod.failure(None, log).splitlines() == [
        f"mongod does not get ready. The last lines of {log}:",
        *[f'    {{"s":"I","id":{number}}}' for number in range(4, 9)],
    ]


def test_an_old_processor_is_named_as_the_cause(tmp_path: Path) -> None:
    log = tmp_path / "none.log"

    assert mongod.failure(-4, log) == (
        f"mongod was ended by SIGILL (it needs a processor with AVX). The last lines of {log}:\n    (there is none)"
    )
