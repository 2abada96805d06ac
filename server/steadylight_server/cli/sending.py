"""Delivers a log window by window, the channels of each at once, and counts what became of it."""

import threading
from collections.abc import Callable, Sequence

import typer

from steadylight import Client, Verdicts
from steadylight_server.cli.actionlog import Line, Window
from steadylight_server.cli.senders import Refused, Senders

# Refusals shown one by one; all are counted.
_MOST_SHOWN = 20
# Channels delivered at once. Each keeps two requests under way, which is as much as a small server can use.
_AT_ONCE = 4


class Sending:
    """What was sent so far, by verdict. `at` is told of the position in the file and the counts."""

    def __init__(self, senders: Senders, at: Callable[[float, str], None]) -> None:
        self.stored = self.duplicate = self.refused = 0
        self._senders = senders
        self._at = at
        self._shown = 0
        self._position = self._before = 0

    @property
    def sent(self) -> int:
        """Lines that have their verdict."""
        return self.stored + self.duplicate + self.refused

    def send(self, window: Window) -> None:
        """Delivers all of it; a server that is away is waited for. Raises the SDK's errors when a key is refused."""
        self._before = self.sent
        for number, message in window.faults:
            self._refuse(number, message)
        groups: list[tuple[Client, Sequence[Line]]] = []
        for channel, lines in window.lines.items():
            try:
                groups.append((self._senders.of(channel, lines), lines))
            except Refused as error:
                for line in lines:
                    self._refuse(line.number, str(error))
        for start in range(0, len(groups), _AT_ONCE):
            self._deliver(groups[start : start + _AT_ONCE], window)
        self._show((), window)
        self._position = window.position

    def tell_the_rest(self) -> None:
        """Says how many refusals were not shown."""
        if self.refused > self._shown:
            typer.echo(f"... and {self.refused - self._shown:,} more lines were refused.", err=True)

    def _deliver(self, groups: Sequence[tuple[Client, Sequence[Line]]], window: Window) -> None:
        delivered: dict[int, Verdicts] = {}
        failures: list[BaseException] = []

        def work(index: int, client: Client, lines: Sequence[Line]) -> None:
            def on_progress(verdicts: Verdicts) -> None:
                delivered[index] = verdicts
                self._show(list(delivered.values()), window)

            try:
                actions = (line.action for line in lines)
                delivered[index] = client.deliver(actions, on_progress=on_progress)
            except BaseException as error:
                failures.append(error)

        # Daemons: Ctrl-C must not wait for a server that never comes back.
        workers = [
            threading.Thread(target=work, args=(index, client, lines), name="steadylight-replay", daemon=True)
            for index, (client, lines) in enumerate(groups)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if failures:
            raise failures[0]
        for index, (_, lines) in enumerate(groups):
            self._count(delivered[index], lines)

    def _count(self, verdicts: Verdicts, lines: Sequence[Line]) -> None:
        self.stored += verdicts.stored
        self.duplicate += verdicts.duplicate
        for one in verdicts.exceptions:
            self._refuse(lines[one.index].number, f"{one.code}: {one.message}")
        self.refused += verdicts.refused - len(verdicts.exceptions)  # the SDK tells of the first 1,000

    def _refuse(self, number: int, message: str) -> None:
        self.refused += 1
        if self._shown < _MOST_SHOWN:
            self._shown += 1
            typer.echo(f"line {number} is refused: {message}", err=True)

    def _show(self, under_way: Sequence[Verdicts], window: Window) -> None:
        judged = self.sent - self._before + sum(verdicts.sent - verdicts.retry for verdicts in under_way)
        part = judged / window.count * (window.position - self._position)
        stored = self.stored + sum(verdicts.stored for verdicts in under_way)
        duplicate = self.duplicate + sum(verdicts.duplicate for verdicts in under_way)
        self._at(self._position + part, f"{stored:,} stored, {duplicate:,} duplicate, {self.refused:,} refused")
