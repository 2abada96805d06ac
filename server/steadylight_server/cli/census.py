"""How many customers the server knows for the identifiers of a log, however many there are."""

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import islice
from types import TracebackType
from typing import Any, NamedTuple, Self

from steadylight import Client, Forbidden, Invalid, NotFound, TooComplex
from steadylight_server.cli.actionlog import Line
from steadylight_server.cli.patience import patiently
from steadylight_server.core.assurance import Assurance

# Below the server's own limit of 60 aliases in a document.
_AT_ONCE = 50
_LEVELS: dict[Any, int] = {level.name: level.value for level in Assurance}


class _Asked(NamedTuple):
    kind: str
    value: str
    assurance: int


class Census:
    """Gathers identifiers in a file that SQLite deletes by itself, since a log may name millions."""

    def __init__(self) -> None:
        self._found = sqlite3.connect("")
        self._found.execute("CREATE TABLE identifiers (kind, value, assurance, PRIMARY KEY (kind, value))")
        self._found.execute("CREATE TABLE customers (id PRIMARY KEY)")

    def add(self, lines: Iterable[Line]) -> None:
        """Notes the identifiers of these lines, each with the best assurance it was seen with."""
        self._found.executemany(
            "INSERT INTO identifiers VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET assurance = max(assurance, excluded.assurance)",
            {identifier for line in lines for identifier in _identifiers(line.action)},
        )

    def count(self, client: Client) -> int | None:
        """Asks the server for all of them; None when the client's key may not read customers."""
        wanted = self._found.execute("SELECT kind, value, assurance FROM identifiers")
        try:
            while some := [_Asked(*row) for row in islice(wanted, _AT_ONCE)]:
                ids = [(id,) for id in _ids(client, some)]
                self._found.executemany("INSERT OR IGNORE INTO customers VALUES (?)", ids)
        except Forbidden:
            return None
        return int(self._found.execute("SELECT count(*) FROM customers").fetchone()[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._found.close()


def _ids(client: Client, some: Sequence[_Asked]) -> set[str]:
    """The customers of these identifiers; those that lead nowhere are left out and the others asked for again."""
    while some:
        try:
            found = patiently(lambda asked=some: client.graphql(*_question(asked)))  # type: ignore[misc]
            return {customer["id"] for customer in found.values() if customer is not None}
        except TooComplex:  # the operator has lowered the limits
            if len(some) == 1:
                raise
            middle = len(some) // 2
            return _ids(client, some[:middle]) | _ids(client, some[middle:])
        except (NotFound, Invalid) as error:
            nowhere = {error["path"][0] for error in error.errors if error.get("path")}
            if not nowhere:
                raise
            some = [asked for index, asked in enumerate(some) if f"c{index}" not in nowhere]
    return set()


def _question(some: Sequence[_Asked]) -> tuple[str, dict[str, Any]]:
    """One document that looks all of them up, and its variables."""
    variables = {
        f"by{index}": {"identifier": {"kind": one.kind, "value": one.value, "assurance": Assurance(one.assurance).name}}
        for index, one in enumerate(some)
    }
    declared = ", ".join(f"${name}: CustomerBy!" for name in variables)
    fields = " ".join(f"c{index}: customer(by: $by{index}) {{ id }}" for index in range(len(some)))
    return f"query Customers({declared}) {{ {fields} }}", variables


def _identifiers(action: dict[str, Any]) -> Iterable[_Asked]:
    """The well-formed ones; the others were refused by the server."""
    given = action.get("identifiers")
    for one in given if isinstance(given, list) else ():
        if isinstance(one, dict):
            kind, value, level = one.get("kind"), one.get("value"), one.get("assurance")
            if isinstance(kind, str) and isinstance(value, str) and isinstance(level, str) and level in _LEVELS:
                yield _Asked(kind, value, _LEVELS[level])
