"""What a proof noted: figures with the bounds they must keep, kept as JSON and shown as a table."""

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One number: what it is, its unit, the bound asked of it ("" when it is only reported) and whether it kept it."""

    label: str
    value: float
    unit: str
    bound: str
    is_kept: bool


@dataclass
class Figures:
    """The figures of one proof; `doc` is the proof's docstring, whose first line is its title."""

    name: str
    doc: str
    noted: list[Figure] = field(default_factory=list)
    failure: str | None = None
    seconds: float = 0.0

    @property
    def title(self) -> str:
        """What is shown, in one line."""
        return self.doc.partition("\n")[0]

    @property
    def is_kept(self) -> bool:
        """Whether the proof ran to its end, noted something, and every bound was kept."""
        return self.failure is None and bool(self.noted) and all(figure.is_kept for figure in self.noted)

    def note(
        self,
        label: str,
        value: float,
        unit: str = "",
        *,
        at_least: float | None = None,
        at_most: float | None = None,
        exactly: float | None = None,
    ) -> None:
        """Notes a figure and prints it; without a bound it is only reported."""
        bounds = {"≥": at_least, "≤": at_most, "=": exactly}
        asked = " and ".join(f"{sign} {bound:,g}" for sign, bound in bounds.items() if bound is not None)
        is_kept = (
            (at_least is None or value >= at_least)
            and (at_most is None or value <= at_most)
            and (exactly is None or value == exactly)
        )
        figure = Figure(label, value, unit, asked, is_kept)
        self.noted.append(figure)
        print(f"   {shown(figure)}", flush=True)

    def write(self, file: Path) -> None:
        """Writes them as JSON, with when and on what they were measured."""
        file.parent.mkdir(parents=True, exist_ok=True)
        machine = (
            f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
        )
        at = datetime.now(UTC).isoformat(timespec="seconds")
        content = asdict(self) | {"title": self.title, "kept": self.is_kept, "at": at, "machine": machine}
        file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def shown(figure: Figure) -> str:
    """One line: label, value, unit, and the bound with its verdict."""
    verdict = f" ({figure.bound}: {'kept' if figure.is_kept else 'BROKEN'})" if figure.bound else ""
    return f"{figure.label}: {number(figure.value)} {figure.unit}".rstrip() + verdict


def number(value: float) -> str:
    """As a person reads it: counts in full, other numbers to four digits."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def section(content: Mapping[str, Any]) -> str:
    """One proof as Markdown: title, when and where, a row per figure."""
    rows = [Figure(**figure) for figure in content["noted"]]
    table = [
        f"| {row.label} | {number(row.value)} {row.unit} | {row.bound or '–'} | {'yes' if row.is_kept else '**no**'} |"
        for row in rows
    ]
    failure = [f"**Failed:** {content['failure']}", ""] if content["failure"] else []
    head = [
        f"## {content['name']}: {content['title']}",
        "",
        f"{content['at']}, {content['seconds']} s, {content['machine']}",
    ]
    return "\n".join([*head, "", *failure, "| figure | value | asked | kept |", "|---|---|---|---|", *table, ""])


def summarise(folder: Path, file: Path) -> None:
    """Writes one readable page of all the figures in `folder`, whenever each was measured."""
    contents = [json.loads(found.read_text()) for found in sorted(folder.glob("*.json"))]
    file.write_text("\n".join(["# Figures", "", *map(section, contents)]))
