"""`steadylight doctor`."""

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from steadylight_server.cli import doctor
from steadylight_server.core.clock import now
from steadylight_server.core.mongo import Database

from .conftest import Steadylight


def states(told: dict[str, Any]) -> dict[str, str]:
    return {one["check"]: one["state"] for one in told["checks"]}


def test_a_healthy_database_is_well_and_its_missing_indexes_are_said(
    environment: str, steadylight: Steadylight
) -> None:
    fresh = steadylight.json("doctor")
    steadylight("indexes")
    well = steadylight("doctor").stdout

    assert fresh["ok"]
    assert states(fresh) == {"libraries": "ok", "settings": "ok", "database": "ok", "clock": "ok", "indexes": "warn"}
    assert fresh["checks"][-1]["to_do"] == "Run: steadylight indexes"
    assert [line.split()[0] for line in well.splitlines()] == ["ok"] * 5


def test_where_there_is_no_database_yet_it_is_tried_and_nothing_is_left(
    steadylight: Steadylight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = steadylight.json("doctor", "--data", tmp_path / "new")

    assert set(states(told).values()) == {"ok"}
    assert "There is no database yet" in told["checks"][-1]["said"]
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_cannot_be_used_fails(steadylight: Steadylight, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEADYLIGHT_MONGODB_URI", "http://127.0.0.1")

    told = steadylight.json("doctor", code=1)

    assert not told["ok"]
    assert states(told)["database"] == "fail"


def test_a_mongod_that_is_none_fails(steadylight: Steadylight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEADYLIGHT_MONGOD", str(tmp_path / "none"))

    told = steadylight.json("doctor", "--data", tmp_path / "new", code=1)

    assert "is not a program that can be run" in told["checks"][-1]["said"]


def test_wrong_and_misspelt_variables_are_named(
    environment: str, steadylight: Steadylight, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEADYLIGHT_WORKER", "2")

    misspelt = steadylight("doctor").stdout
    monkeypatch.setenv("STEADYLIGHT_WORKERS", "many")
    wrong = steadylight("doctor", code=1).stdout

    assert "warn  settings    STEADYLIGHT_WORKER means nothing to Steadylight." in misspelt
    assert "fail  settings    The settings are not right. STEADYLIGHT_WORKERS: Input should be" in wrong


@pytest.mark.parametrize(("off", "state"), [(-0.5, "ok"), (5, "warn"), (-60, "fail")])
async def test_a_clock_that_is_off_is_told(off: float, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Elsewhere(Database):
        def __init__(self) -> None:
            pass

        async def server_time(self) -> datetime:
            return now() + timedelta(seconds=off)

    assert (await doctor._clock(Elsewhere())).state == state


@pytest.mark.parametrize(
    ("version", "replica_set", "is_cluster", "state", "said"),
    [
        ("6.0.5", "rs0", False, "ok", "MongoDB 6.0.5, replica set rs0"),
        ("8.0.1-rc0", None, True, "ok", "MongoDB 8.0.1-rc0, a sharded cluster"),
        ("5.0.9", "rs0", False, "warn", "MongoDB 5.0.9, replica set rs0"),
        ("7.0.0", None, False, "fail", "MongoDB 7.0.0, standalone"),
    ],
)
def test_what_kind_of_database_it_is(
    version: str, replica_set: str | None, is_cluster: bool, state: str, said: str
) -> None:
    finding = doctor._kind(version, replica_set, is_cluster)

    assert (finding.state, finding.said) == (state, said)


@pytest.mark.parametrize(("free", "state"), [(3e9, "ok"), (1e9, "warn"), (1e8, "fail")])
def test_too_little_room_is_told(free: float, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        free: int

    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(int(free)))

    assert doctor._disk(tmp_path / "not" / "there").state == state


def test_a_library_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "installed", lambda: {"uvloop": None})

    finding = doctor._libraries()

    assert (finding.state, finding.to_do) == ("warn", "uvloop: pip install 'steadylight[server]'")
