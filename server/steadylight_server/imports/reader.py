"""Reads rows from a CSV file, or from JSON lines, one after the other: the file is never in memory as a whole.

A row that cannot be read is a Fault with the line on which it begins, and the next one is read. A row of CSV may be
longer than a line, where a quoted cell has line breaks; a quotation mark that is not closed takes what follows with it,
up to the next one or to 131,072 characters, and the fault says so.
"""

import csv
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol, TextIO

import orjson

from steadylight_server.core.errors import Invalid
from steadylight_server.imports.models import Fault, Row

JSON_LINES = (".jsonl", ".ndjson")
# A row's traits have at most 8 KB and its identifiers 3; the rest is columns that nobody maps.
_LONGEST_LINE = 1_000_000
# What `surrogateescape` makes of bytes that are no text.
_BROKEN = re.compile("[\udc80-\udcff]")
_BOM = b"\xef\xbb\xbf"


class Rows(Protocol):
    """What is read, in its order."""

    def __iter__(self) -> Iterator[Row | Fault]: ...

    @property
    def position(self) -> int:
        """How many bytes were read."""
        ...

    @property
    def missing(self) -> Collection[str]:
        """The wanted columns that no row had; to be asked at the end."""
        ...


@contextmanager
def opened(file: Path, wanted: Collection[str], *, delimiter: str = ",", encoding: str = "utf-8-sig") -> Iterator[Rows]:
    """The rows of a file, of which the `wanted` columns matter. JSON lines if it is called so, else CSV.

    Raises Invalid where it cannot be opened, or read on, and for a CSV file whose header lacks a column.
    """
    try:
        if file.suffix.lower() in JSON_LINES:
            with file.open("rb") as lines:
                yield _JsonRows(lines, wanted)
        else:
            with file.open(encoding=encoding, errors="surrogateescape", newline="") as text:
                yield _CsvRows(text, wanted, delimiter)
    except OSError as error:
        raise Invalid(f"{file} cannot be read: {error.strerror}.") from error


class _CsvRows:
    """The rows of a CSV file; all cells are text."""

    def __init__(self, text: TextIO, wanted: Collection[str], delimiter: str) -> None:
        self._text = text
        self._line = 0
        self._fault = ""  # of the row that is being read, whatever CSV makes of it
        self._reader = csv.reader(self._lines(), delimiter=delimiter, skipinitialspace=True, strict=True)
        header = next(self._all(), None)
        if not isinstance(header, Row):
            raise Invalid(f"The header cannot be read: {header.message if header else 'the file is empty'}.")
        self._columns: list[str] = header.cells[""]
        if twice := sorted({name for name in wanted if self._columns.count(name) > 1}):
            raise Invalid(f"The header has more than one column called {', '.join(twice)}.")
        if lacking := sorted(set(wanted) - set(self._columns)):
            hint = " Is it the delimiter?" if len(self._columns) == 1 else ""
            raise Invalid(f"The header lacks {', '.join(lacking)}. It has {', '.join(self._columns)}.{hint}")

    missing: Collection[str] = ()

    @property
    def position(self) -> int:
        return self._text.buffer.tell()

    def __iter__(self) -> Iterator[Row | Fault]:
        for one in self._all():
            if isinstance(one, Fault):
                yield one
                continue
            cells = one.cells[""]
            if len(cells) == len(self._columns):
                yield Row(one.line, dict(zip(self._columns, cells, strict=True)))
            else:
                count = f"{len(cells)} cells where the header has {len(self._columns)}"
                yield Fault(one.line, None, f"{count}{self._extent(one.line)}")

    def _all(self) -> Iterator[Row | Fault]:
        """Each row, its cells under the empty name; blank lines are left out."""
        while True:
            line, self._fault = self._line + 1, ""
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Fault(line, None, self._fault or f"not CSV: {error}{self._extent(line)}")
                continue
            if not cells:
                continue
            if self._fault:
                yield Fault(line, None, self._fault)
            else:
                yield Row(line, {"": [cell.strip() for cell in cells]})

    def _extent(self, line: int) -> str:
        """Of a faulty row of many lines, as an unclosed quotation mark makes it."""
        return f", up to line {self._line}: is a quotation mark not closed?" if self._line > line else ""

    def _lines(self) -> Iterator[str]:
        """The physical lines, counted; of one that is too long the beginning."""
        while line := self._piece():
            self._line += 1
            if not line.isascii() and _BROKEN.search(line):
                self._fault = f"not {self._text.encoding.removesuffix('-sig')}: bytes that are no characters"
            rest = line
            while len(rest) == _LONGEST_LINE and not rest.endswith("\n"):
                self._fault = f"longer than {_LONGEST_LINE:,} characters"
                rest = self._piece()
            yield line

    def _piece(self) -> str:
        try:
            return self._text.readline(_LONGEST_LINE)
        except UnicodeError as error:
            raise Invalid(f"The file cannot be read after line {self._line}: {error}.") from error


class _JsonRows:
    """The objects of JSON lines, which are UTF-8."""

    def __init__(self, lines: IO[bytes], wanted: Collection[str]) -> None:
        self._lines = lines
        self._unseen = set(wanted)

    @property
    def position(self) -> int:
        return self._lines.tell()

    @property
    def missing(self) -> Collection[str]:
        return self._unseen

    def __iter__(self) -> Iterator[Row | Fault]:
        line = 0
        while text := self._lines.readline(_LONGEST_LINE):
            line += 1
            if line == 1:
                text = text.removeprefix(_BOM)
            if len(text) >= _LONGEST_LINE and not text.endswith(b"\n"):
                while text and not text.endswith(b"\n"):
                    text = self._lines.readline(_LONGEST_LINE)
                yield Fault(line, None, f"longer than {_LONGEST_LINE:,} bytes")
            elif text.strip():
                yield self._row(line, text)

    def _row(self, line: int, text: bytes) -> Row | Fault:
        try:
            found: Any = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            return Fault(line, None, f"not JSON: {error}")
        if not isinstance(found, dict):
            return Fault(line, None, "not a JSON object")
        if self._unseen:
            self._unseen -= found.keys()
        return Row(line, found)
