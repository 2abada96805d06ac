"""Lines of another system that cannot be taken."""

import json
from pathlib import Path

import pytest

from steadylight_server.knowledge import rows
from steadylight_server.knowledge.folder import BadFolder


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+05:00", "soon"])
def test_what_is_no_time_is_told_with_its_line(at: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"id": "a", "body": "Text.", "title": "A", "at": at}))
    given = rows.read_map("article: id\nbody: body\ntitle: title\nat: at\n")

    with pytest.raises(BadFolder) as caught:
        rows.read(tmp_path / "a.jsonl", given)

    assert str(caught.value) == "a.jsonl:1: at: a time such as 2026-11-20T09:30:00Z is wanted"
