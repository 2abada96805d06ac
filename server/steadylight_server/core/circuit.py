"""A circuit breaker: who is known to fail is not asked again and again, and callers are told at once.

    CLOSED ──(`failures` of the last outcomes within `window` seconds)──▶ OPEN ──(`pause` seconds)──▶ HALF_OPEN
       ▲                                                                   ▲                              │
       └───────────────── the probe worked ────────────────────────────────┼──────── one probe ───────────┤
                                                                           └──────── it failed ───────────┘

Of the last `2 x failures` outcomes that many must be failures: were they only counted, a busy receiver that fails once
in a thousand times would be cut off for good. One circuit belongs to one server process and its one event loop: each
finds out by itself, so that a network fault of one machine does not cut off all.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

import structlog

from steadylight_server.core import metrics

log = structlog.get_logger("steadylight.circuit")


class State(StrEnum):
    """Where a circuit stands."""

    CLOSED = "CLOSED"  # everybody passes
    OPEN = "OPEN"  # nobody passes until the pause is over
    HALF_OPEN = "HALF_OPEN"  # one passes, and what becomes of it decides


class Open(Exception):
    """Nobody passes now; try again after `retry_after` seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


class Passage:
    """One attempt that was let through. What came of it is said once; nothing said is no outcome."""

    def __init__(self) -> None:
        self.has_failed: bool | None = None

    def worked(self) -> None:
        """The other side is well, whatever it said."""
        self.has_failed = False

    def failed(self) -> None:
        """The other side is not well."""
        self.has_failed = True


class Circuit:
    """Lets attempts pass, or not. Not for several threads."""

    def __init__(
        self,
        name: str,
        *,
        failures: int = 5,
        window: float = 30.0,
        pause: float = 15.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`name` is its label in metrics and logs. `window`, `pause` and what `clock` answers are seconds."""
        self.name = name
        self._failures = failures
        self._window = window
        self._pause = pause
        self._clock = clock
        self._outcomes: deque[tuple[float, bool]] = deque(maxlen=2 * failures)  # when, and whether it failed
        self._opened_at: float | None = None
        self._is_probing = False
        # Who was let through before the circuit changed says nothing about how things are after it.
        self._changes = 0
        metrics.circuit_changed(name, is_open=False)

    @property
    def state(self) -> State:
        """OPEN becomes HALF_OPEN by time alone."""
        if self._opened_at is None:
            return State.CLOSED
        return State.OPEN if self._clock() < self._opened_at + self._pause else State.HALF_OPEN

    @property
    def is_open(self) -> bool:
        """Whether whoever comes now is turned away."""
        return self.state is State.OPEN or (self.state is State.HALF_OPEN and self._is_probing)

    @contextmanager
    def passage(self) -> Iterator[Passage]:
        """Lets one attempt through; what it says is counted when it leaves. Raises Open."""
        is_probe = self.state is State.HALF_OPEN
        if self.is_open:
            raise Open(self._seconds_left())
        self._is_probing = self._is_probing or is_probe
        changes, passage = self._changes, Passage()
        try:
            yield passage
        finally:
            if is_probe:
                self._is_probing = False
            if passage.has_failed is not None and changes == self._changes:
                self._count(passage.has_failed)

    def _seconds_left(self) -> float:
        """Until somebody passes again; a second where a probe is out, whose outcome comes when it comes."""
        assert self._opened_at is not None
        return max(self._opened_at + self._pause - self._clock(), 0) or 1.0

    def _count(self, has_failed: bool) -> None:
        if self._opened_at is not None:
            self._open() if has_failed else self._close()
            return
        at = self._clock()
        self._outcomes.append((at, has_failed))
        recent = sum(failed for when, failed in self._outcomes if when > at - self._window)
        if has_failed and recent >= self._failures:
            self._open()

    def _open(self) -> None:
        if self._opened_at is None:
            log.error("a circuit opened", webhook=self.name, pause_seconds=self._pause)
        self._opened_at = self._clock()
        self._outcomes.clear()
        self._changes += 1
        metrics.circuit_changed(self.name, is_open=True)

    def _close(self) -> None:
        log.info("a circuit closed", webhook=self.name)
        self._opened_at = None
        self._changes += 1
        metrics.circuit_changed(self.name, is_open=False)
