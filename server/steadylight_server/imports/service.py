"""Imports customers: rows in, batches of actions to `ingest`, and what became of each row out, in the file's order.

Several batches are under way at once. A database that cannot answer is waited for: what it was sent may be sent again.
A process that is killed leaves whole batches: the same file again finishes what is missing and repeats nothing.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

from steadylight_server.access.models import ChannelKind, Role, Scope, Viewer
from steadylight_server.access.service import AccessService
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.clock import Clock, now
from steadylight_server.core.errors import Conflict, NotFound, Unavailable
from steadylight_server.imports.mapper import Mapped, Mapper
from steadylight_server.imports.models import Fault, Row
from steadylight_server.ingest.models import Answer, VerdictKind
from steadylight_server.ingest.service import Ingest

_PER_BATCH = 250
# One is read and judged here while the database links the other; more wait for each other, and gain nothing.
_AT_ONCE = 2
# Seconds that a database which is away is waited for, and the pauses in between.
_PATIENCE, _FIRST_PAUSE, _LONGEST_PAUSE = 600.0, 0.1, 5.0
_IDENTIFIER = re.compile(r"^identifiers\.(\d+)\.value")


class Remark(NamedTuple):
    """What is to be said of a row: why it was refused, or that something in it is odd."""

    line: int
    key: str | None
    is_refused: bool
    message: str


@dataclass
class Tally:
    """What became of the rows so far."""

    rows: int = 0
    imported: int = 0
    unchanged: int = 0
    refused: int = 0
    warnings: int = 0


@dataclass
class _Batch:
    """Neighbouring rows, and the remarks on them."""

    number: int
    count: int
    mapped: list[Mapped]
    remarks: list[Remark] = field(default_factory=list)
    imported: int = 0
    unchanged: int = 0


async def source(access: AccessService, name: str, by: Mapping[str, str]) -> Viewer:
    """Who speaks for the source: a channel of its own, registered if need be.

    Raises Conflict where the channel is an app's, or may not assert as much as an import says.
    """
    try:
        channel = await access.channel(name)
    except NotFound:
        channel = await access.add_channel(name, ChannelKind.ASSISTED, by=by)
    if await access.keys(name):
        raise Conflict(f"The channel {name} is an app's: it has keys. Call the source otherwise.")
    if channel.highest_assurance < Assurance.LOGIN:
        raise Conflict(f"The channel {name} asserts {channel.highest_assurance.name} at most; an import needs LOGIN.")
    return Viewer(
        role=Role.CHANNEL,
        id=f"import of {name}",
        channel=name,
        scopes=frozenset({Scope.ACTIONS_WRITE}),
        highest_assurance=channel.highest_assurance,
    )


class Importer:
    """Imports one file. `told` hears of the tally, and of the remarks on the rows that were done since it last did."""

    def __init__(
        self,
        ingest: Ingest | None,
        viewer: Viewer | None,
        mapper: Mapper,
        told: Callable[[Tally, Sequence[Remark]], None],
        *,
        clock: Clock = now,
    ) -> None:
        """Without `ingest` and `viewer` nothing is recorded, and what the server would refuse is not known."""
        self._ingest = ingest
        self._viewer = viewer
        self._mapper = mapper
        self._told = told
        self._clock = clock
        self._tally = Tally()
        self._done: dict[int, _Batch] = {}
        self._next = 0

    async def run(self, rows: Iterable[Row | Fault]) -> Tally:
        """Imports all. Raises Unavailable when the database stays away for ten minutes."""
        batches = self._batches(rows)

        async def work() -> None:
            for batch in batches:
                if batch.mapped and self._ingest is not None:
                    await self._record(batch)
                self._finish(batch)

        await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
        return self._tally

    def _batches(self, rows: Iterable[Row | Fault]) -> Iterator[_Batch]:
        coming = iter(rows)
        number = 0
        while some := list(islice(coming, _PER_BATCH)):
            judged = [one if isinstance(one, Fault) else self._mapper.map(one) for one in some]
            mapped = [one for one in judged if isinstance(one, Mapped)]
            faults = [Remark(one.line, one.key, True, one.message) for one in judged if isinstance(one, Fault)]
            yield _Batch(number, len(some), mapped, faults)
            number += 1

    async def _record(self, batch: _Batch) -> None:
        waiting = batch.mapped
        pause, waited = _FIRST_PAUSE, 0.0
        while True:
            with suppress(Unavailable):
                waiting = self._judge(batch, waiting, await self._send([one.action for one in waiting]))
            if not waiting:
                return
            if waited > _PATIENCE:
                raise Unavailable("The database does not take the rows. What it took stays: import the file again.")
            await asyncio.sleep(pause)
            waited += pause
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _send(self, actions: list[dict[str, Any]]) -> Answer:
        assert self._ingest is not None
        assert self._viewer is not None
        return await self._ingest.record(self._viewer, {"sent_at": self._clock().isoformat(), "actions": actions})

    def _judge(self, batch: _Batch, sent: Sequence[Mapped], answer: Answer) -> list[Mapped]:
        """Notes what became of each; those to be sent again."""
        batch.imported += answer.count(VerdictKind.STORED)
        batch.unchanged += answer.count(VerdictKind.DUPLICATE)
        for one in answer.exceptions:
            if one.kind is VerdictKind.REFUSED:
                row = sent[one.index]
                batch.remarks.append(Remark(row.line, row.key, True, _in_words(row, one.message)))
        for warning in answer.warnings:
            if warning.code == "BLOCKED_VALUE":
                row = sent[warning.index]
                batch.remarks.append(Remark(row.line, row.key, False, warning.message))
        return [row for row, kind in zip(sent, answer.kinds, strict=True) if kind is VerdictKind.RETRY]

    def _finish(self, batch: _Batch) -> None:
        """Tells of it once all before it are done: what is said of the rows is in their order."""
        self._done[batch.number] = batch
        remarks: list[Remark] = []
        while done := self._done.pop(self._next, None):
            self._next += 1
            self._tally.rows += done.count
            self._tally.imported += done.imported
            self._tally.unchanged += done.unchanged
            self._tally.refused += sum(one.is_refused for one in done.remarks)
            self._tally.warnings += sum(not one.is_refused for one in done.remarks)
            remarks += sorted(done.remarks, key=lambda one: one.line)
        self._told(self._tally, remarks)


def _in_words(row: Mapped, message: str) -> str:
    """The server knows the identifiers of an action by their place, the map by their kind."""
    return _IDENTIFIER.sub(lambda found: row.action["identifiers"][int(found[1])]["kind"], message)
