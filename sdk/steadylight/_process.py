"""What must happen when the process forks or ends, for every client that is open then."""

import atexit
import os
import sys
import threading
import time
import weakref
from contextlib import suppress
from typing import Any, Protocol

from ._actions import IDS
from ._recorder import log


class Open(Protocol):
    """A delivery that was not closed yet."""

    #: Seconds that its end may take.
    close_timeout: float

    def close_at_exit(self, timeout: float) -> None:
        """The host forgot to close."""

    def start_over(self) -> None:
        """In a forked child: what was queued is the parent's to deliver."""


class Loading:
    """Held while something is loaded late: a fork in the middle would leave the child half a module, locked for ever.

    A fork waits for it, but not for ever: who forks in the middle of an import may hold what the loading waits for.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def before_fork(self) -> None:
        """Waits."""
        self._lock.acquire(timeout=_LONGEST_LOADING)

    def after_fork(self) -> None:
        """In the parent."""
        with suppress(RuntimeError):  # It was waited for in vain.
            self._lock.release()

    def start_over(self) -> None:
        """In a forked child: whoever held it may not be there."""
        self._lock = threading.RLock()


LOADING = Loading()
# Seconds; it takes a tenth of that.
_LONGEST_LOADING = 3.0
_OPEN: "weakref.WeakSet[Any]" = weakref.WeakSet()


def opened(delivery: Open) -> None:
    """Watch over it."""
    _OPEN.add(delivery)


def closed(delivery: Open, left: int, lost: int) -> None:
    """It was closed, with so many actions left, of which so many are in memory alone."""
    _OPEN.discard(delivery)
    if left > lost:
        log.info("%d recorded actions wait on disk for the next start", left - lost)
    if lost:
        log.warning("%d recorded actions could not be delivered before the end, and are lost", lost)


def close_when_a_child_ends(delivery: Open) -> None:
    """Children of multiprocessing leave through os._exit, which skips atexit but runs their own finalizers."""
    util: Any = sys.modules.get("multiprocessing.util")
    process: Any = sys.modules.get("multiprocessing.process")
    if util is not None and process is not None and process.parent_process() is not None:
        util.Finalize(delivery, delivery.close_at_exit, args=(delivery.close_timeout,), exitpriority=10)


@atexit.register
def _close_all() -> None:
    """The interpreter ends: all that were not closed share the time that one has."""
    began = time.monotonic()
    for each in list(_OPEN):
        each.close_at_exit(max(0.0, began + each.close_timeout - time.monotonic()))


def _start_over_in_child() -> None:
    LOADING.start_over()
    IDS.start_over()
    for each in list(_OPEN):
        each.start_over()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=LOADING.before_fork, after_in_parent=LOADING.after_fork, after_in_child=_start_over_in_child
    )
