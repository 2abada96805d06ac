"""Waiting for a server that is away: it may be starting again."""

import time
from collections.abc import Callable
from typing import TypeVar

from steadylight import RateLimited, SteadylightError, Timeout, Unavailable, Unreachable

T = TypeVar("T")

# What passes when the server is back.
AWAY = (Unreachable, Timeout, Unavailable, RateLimited)
# Seconds. A server that recovers a large database after a crash takes a minute; after ten somebody should look.
_PATIENCE = 600.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


def patiently(ask: Callable[[], T], patience: float = _PATIENCE) -> T:
    """What `ask` returns, asked again while the server is away, for so many seconds; then its error is raised.

    Only for questions that may be asked twice.
    """
    end = time.monotonic() + patience
    pause = _FIRST_PAUSE
    while True:
        try:
            return ask()
        except SteadylightError as error:
            pause = max(pause, error.retry_after or 0.0)
            if not isinstance(error, AWAY) or time.monotonic() + pause > end:
                raise
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
