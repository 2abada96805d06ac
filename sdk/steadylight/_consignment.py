"""Ready-made actions on their way: an iterable read batch by batch, and what became of it."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ._actions import Entry, Unfit, encode_ready
from ._answers import Answer, Judgement
from ._errors import SteadylightError
from ._models import Verdicts
from ._plain import Notice, Verdict
from ._protocol import Request
from ._queue import taken

# What is remembered of refusals and warnings, so that a million of them take no more memory than a thousand.
_REMEMBERED = 1_000

#: Called after every answer with the verdicts so far, in a thread or task of deliver()'s own.
OnProgress = Callable[[Verdicts], None]


class Consignment:
    """The source that deliver() plays; several workers may take from it at once."""

    def __init__(self, actions: Iterable[Mapping[str, Any]], on_progress: OnProgress | None = None) -> None:
        self._actions = enumerate(actions)
        self._on_progress = on_progress
        self._lock = threading.Lock()
        self._waiting: deque[Entry] = deque()
        self._open = 0
        self._counts = {"S": 0, "D": 0, "X": 0}
        self._exceptions: list[Verdict] = []
        self._notices: list[Notice] = []
        self._token: str | None = None

    def take(self, count: int, size: int) -> list[Entry]:
        """The next actions; reads no further in the iterable than it needs."""
        with self._lock:
            held = sum(len(entry.payload) + 1 for entry in self._waiting)
            while len(self._waiting) < count and held <= size:
                entry = self._next()
                if entry is None:
                    break
                self._waiting.append(entry)
                held += len(entry.payload) + 1
            return taken(self._waiting, count, size)

    def _next(self) -> Entry | None:
        for index, action in self._actions:
            id = str(action.get("id"))
            try:
                entry = Entry(id, None, encode_ready(action), index)
            except (Unfit, ValueError, TypeError) as error:
                self._counts["X"] += 1
                told = Verdict(index=index, id=id, verdict="REFUSED", code="INVALID", message=str(error))
                self._remember(self._exceptions, told)
                continue
            self._open += 1
            return entry
        return None

    def settle(self, batch: Sequence[Entry], judgement: Judgement) -> None:
        """Count, and put aside what is to be sent again."""
        with self._lock:
            self._token = judgement.token or self._token
            for letter in self._counts:
                self._counts[letter] += judgement.letters.count(letter)
            self._open -= len(batch) - judgement.letters.count("R")
            for verdict in judgement.exceptions:
                if verdict.verdict == "REFUSED" and 0 <= verdict.index < len(batch):
                    entry = batch[verdict.index]
                    self._remember(self._exceptions, replace(verdict, index=entry.place, id=entry.id))
            for notice in judgement.notices:
                if 0 <= notice.index < len(batch):
                    self._remember(self._notices, replace(notice, index=batch[notice.index].place))
            self._waiting += [entry for entry, letter in zip(batch, judgement.letters, strict=True) if letter == "R"]
            if self._on_progress is not None:
                self._on_progress(self._verdicts())

    def give_back(self, batch: Sequence[Entry]) -> None:
        """Unjudged, at the end of a worker: another may take them."""
        with self._lock:
            self._waiting.extendleft(reversed(batch))

    def failed(self, error: SteadylightError, batch: Sequence[Entry]) -> None:
        """Nothing to note: the actions stay with the worker that sends them again."""

    def pausing(self, seconds: float) -> None:
        """Nothing to note."""

    def question(self) -> Request | None:
        """None."""
        return None

    def answered(self, answer: Answer) -> SteadylightError | None:
        """Nothing was asked."""

    def verdicts(self) -> Verdicts:
        """So far."""
        with self._lock:
            return self._verdicts()

    def _verdicts(self) -> Verdicts:
        return Verdicts(
            stored=self._counts["S"],
            duplicate=self._counts["D"],
            refused=self._counts["X"],
            retry=self._open,
            exceptions=tuple(self._exceptions),
            warnings=tuple(self._notices),
            token=self._token,
        )

    @staticmethod
    def _remember(kept: list[Any], told: Verdict | Notice) -> None:
        if len(kept) < _REMEMBERED:
            kept.append(told)
