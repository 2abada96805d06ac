"""Plays the delivery in a background thread, for Client.

It waits for work, gathers company for the first action, sends, and pauses as the protocol says. flush() and close() are
a hurry: gathering ends, and a pause is cut short once, though never below what the server asked for.
"""

import threading
import time

from . import _process
from ._options import Options
from ._protocol import Idle, Request, Sleep, Step, delivery
from ._recorder import Recorder, log
from ._transport import BlockingTransport


class ThreadDelivery:
    """A daemon thread, started by the first action, also after a fork."""

    def __init__(self, recorder: Recorder, transport: BlockingTransport, options: Options) -> None:
        self._recorder = recorder
        self._transport = transport
        self._options = options
        self.close_timeout = options.close_timeout
        self._reset()
        recorder.wake = self.wake
        _process.opened(self)

    def _reset(self) -> None:
        self._changed = threading.Condition()  # Its lock is re-entrant: a signal handler may record.
        self._thread: threading.Thread | None = None
        self._wake_at = 0
        self._hurries = 0
        self._flushing = 0
        self._is_closed = False

    def wake(self) -> None:
        """There is something new to deliver."""
        with self._changed:
            if self._thread is None and not self._is_closed:
                self._start()
            elif self._wake_at and self._recorder.queue.waiting() >= self._wake_at:
                self._changed.notify_all()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="steadylight", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # No threads left, or the interpreter ends. What is queued waits for the next action.
            self._thread = None
            return
        _process.close_when_a_child_ends(self)

    def flush(self, timeout: float, contact: str | None = None) -> int:
        """Waits until all, or all of a contact, is delivered. How many are left when the seconds are over."""
        left = self._recorder.queue.undelivered
        with self._changed:
            self._hurries += 1
            self._flushing += 1
            if self._thread is None and left() and not self._is_closed:
                self._start()
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._is_closed or not left(contact), timeout)
            self._flushing -= 1
        return left(contact)

    def close(self, timeout: float) -> int:
        """A last flush, then the end of the thread and its connections. How many actions are lost with it."""
        if self._is_closed:
            return 0
        left = self.flush(timeout)
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._recorder.close()
        self._transport.close()
        _process.closed(self, left)
        return left

    def close_at_exit(self, timeout: float) -> None:
        """The host forgot to close."""
        self.close(timeout)

    def start_over(self) -> None:
        """In a forked child: the thread stayed with the parent, and so does what it had queued."""
        self._recorder.start_over()
        self._transport.start_over()
        self._reset()

    def _run(self) -> None:
        playing = delivery(self._recorder, self._options)
        try:
            step: Step = Idle()  # The very first action waits for company too.
            while not self._is_closed:
                answer = None
                if isinstance(step, Request):
                    answer = self._transport.send(step)
                elif isinstance(step, Sleep):
                    self._pause(step)
                else:
                    self._await_work()
                step = playing.send(answer)
                with self._changed:
                    self._changed.notify_all()
        except Exception:
            log.exception("The delivery of actions failed in an unforeseen way; the next action starts it again")
        finally:
            playing.close()
            self._thread = None

    def _pause(self, pause: Sleep) -> None:
        began, hurries = time.monotonic(), self._hurries
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._hurries > hurries, pause.seconds)
            self._changed.wait_for(lambda: self._is_closed, max(0.0, began + pause.least - time.monotonic()))

    def _await_work(self) -> None:
        with self._changed:
            self._wait_for(1, None)
            if not self._flushing:
                self._wait_for(self._options.batch_count, self._options.linger)

    def _wait_for(self, count: int, timeout: float | None) -> None:
        hurries, self._wake_at = self._hurries, count
        waiting = self._recorder.queue.waiting
        self._changed.wait_for(
            lambda: self._is_closed or waiting() >= count or (self._hurries > hurries and waiting() > 0), timeout
        )
        self._wake_at = 0
