"""The pictures that the documents show are there, small, and ask nobody for anything."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "examples" / "pictures"
SHOWN = re.compile(r"!\[([^\]]+)\]\((pictures/[^)]+)\)")


def test_each_picture_that_is_shown_is_there_and_each_that_is_there_is_shown() -> None:
    shown = SHOWN.findall((ROOT / "examples" / "README.md").read_text())

    assert {file for _, file in shown} == {f"pictures/{file.name}" for file in PICTURES.iterdir()}
    assert all(len(told) > 20 for told, _ in shown), "a picture is described for whoever does not see it"


def test_pictures_are_small_and_load_nothing() -> None:
    for file in PICTURES.iterdir():
        content = file.read_bytes()
        assert len(content) < 200_000, file
        if file.suffix == ".svg":
            assert re.findall(rb"https?://(?!www\.w3\.org/)|<script|@import|url\((?!#)", content) == [], file
        else:
            assert content.startswith(b"\x89PNG"), file
