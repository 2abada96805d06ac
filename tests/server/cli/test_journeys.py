"""`steadylight journeys`, and `steadylight rebuild` of what they are made of."""

from collections.abc import Callable
from pathlib import Path

from tests.factories import action, login

from .conftest import Steadylight

BLUEPRINT = """\
version: 1
journeys:
  incident:
    threads:
      subject: case
      completes: type == "case.closed"
      reopens: type == "case.reopened"
      counts: {moved: type == "case.moved"}
"""


def test_what_was_recorded_before_is_threaded_by_a_rebuild(
    environment: str, steadylight: Steadylight, written: Callable[..., Path], tmp_path: Path
) -> None:
    blueprint = tmp_path / "blueprint.yaml"
    blueprint.write_text(BLUEPRINT)
    told = [
        ("1", "case.opened"),
        ("1", "case.moved"),
        ("1", "case.closed"),
        ("2", "case.moved"),
        ("2", "case.reopened"),
    ]
    log = [action(login("C-1"), channel="web", type=type, subject={"kind": "case", "id": id}) for id, type in told]
    steadylight("replay", written(*log))
    nothing = steadylight("journeys").stdout
    steadylight("apply", blueprint)

    before = steadylight.json("journeys")
    steadylight("rebuild")
    again = steadylight.json("journeys")
    table = [line.split() for line in steadylight("journeys").stdout.splitlines() if line.strip()]
    steadylight("replay", written(*log))

    assert nothing.startswith("No journey was threaded yet: ")
    assert before == []
    assert again == [
        {
            "type": "incident",
            "journeys": 2,
            "completed": 1,
            "reopened": 1,
            "counts": {"moved": 2},
            "by_channel": {"web": 2},
        }
    ]
    assert table[0] == ["type", "journeys", "completed", "reopened", "counted", "began", "in"]
    assert table[2] == ["incident", "2", "1", "1", "moved", "2", "web", "2"]
    assert steadylight.json("journeys") == again
