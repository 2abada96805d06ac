"""Plays the delivery in a background thread, for Client.

It waits for work, gathers company for what came, sends, and pauses as the protocol says. flush() and close() are
a hurry: gathering ends, and a pause is cut short once, though never below what the server asked for. While more than a
batch waits and the server takes it, further threads help, and end when there is nothing left to help with.

Who records never takes a lock here: it looks whether the thread sleeps, and then rings a bell.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from . import _process
from ._options import Options
from ._protocol import Idle, Request, Sleep, Step, delivery
from ._recorder import Recorder, log
from ._transport import BlockingTransport


class ThreadDelivery:
    """A daemon thread, started by the first action, also after a fork, or by what an earlier process left."""

    def __init__(self, recorder: Recorder, transport: BlockingTransport, options: Options) -> None:
        self._recorder = recorder
        self._transport = transport
        self._options = options
        self.close_timeout = options.close_timeout
        self._reset()
        recorder.wake = self.wake
        _process.opened(self)
        if recorder.has_inheritance:
            self._start()

    def _reset(self) -> None:
        #: Told after each step, for those who wait in flush() and close().
        self._changed = threading.Condition()
        self._starting = threading.Lock()
        self._bell = threading.Lock()  # Free when it was rung.
        self._bell.acquire()
        self._thread: threading.Thread | None = None
        self._helpers = 0
        self._hurries = 0
        self._flushing = 0
        self._is_held = False
        self._is_closed = False

    def wake(self) -> None:
        """There is as much to deliver as was waited for."""
        if self._thread is None:
            self._recorder.missing = 1  # Should no thread start, the next action asks for one.
            self._start()
        else:
            self._ring()

    def _ring(self) -> None:
        with suppress(RuntimeError):  # It was rung already.
            self._bell.release()

    def _start(self) -> None:
        # Not waited for: who holds it starts the thread, and may be this very thread, interrupted by a signal.
        if not self._starting.acquire(False):
            return
        try:
            if self._thread is not None or self._is_closed:
                return
            self._thread = threading.Thread(target=self._run, name="steadylight", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # No threads left, or the interpreter ends. What is kept waits for the next action.
                self._thread = None
                return
            _process.close_when_a_child_ends(self)
        finally:
            self._starting.release()

    def flush(self, timeout: float, contact: str | None = None) -> int:
        """Waits until all, or all of a contact, is delivered. How many are left when the seconds are over."""
        self._hurry(timeout, contact, lambda: False)
        return self._recorder.queue.undelivered(contact)

    def _hurry(self, timeout: float, contact: str | None, is_vain: Callable[[], bool]) -> None:
        left = self._recorder.queue.undelivered
        with self._changed:
            self._hurries += 1
            self._flushing += 1
            self._changed.notify_all()
            self._ring()
            if self._thread is None and left():
                self._start()
            self._changed.wait_for(lambda: self._is_closed or not left(contact) or is_vain(), timeout)
            self._flushing -= 1

    def close(self, timeout: float) -> int:
        """A last flush, then the end of the thread and its connections. How many actions were not delivered.

        What is safe on disk is tried once more; that the server is away need not be waited for.
        """
        if self._is_closed:
            return 0
        recorder = self._recorder
        failed = recorder.failed_ever
        self._hurry(
            timeout,
            None,
            lambda: not recorder.queue.unsafe() and (self._is_held or recorder.failed_ever > failed),
        )
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            self._ring()
        left, lost = recorder.queue.undelivered(), recorder.queue.unsafe()
        recorder.close()
        self._transport.close()
        _process.closed(self, left, lost)
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
            self._recorder.begin()
            step: Step = Idle()  # The very first action waits for company too.
            while not self._is_closed:
                answer = None
                if isinstance(step, Request):
                    self._find_help()
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
            self._thread, self._recorder.missing = None, 1

    def _find_help(self) -> None:
        """More than a batch waits, and the server is there."""
        recorder = self._recorder
        while (
            self._helpers < self._options.in_flight - 1
            and not recorder.failed_now
            and recorder.queue.waiting() > self._helpers * self._options.batch_count
        ):
            self._helpers += 1
            try:
                threading.Thread(target=self._help, name="steadylight-help", daemon=True).start()
            except RuntimeError:
                self._helpers -= 1
                return

    def _help(self) -> None:
        playing = delivery(self._recorder, self._options, brief=True)
        try:
            step = next(playing)
            while not self._is_closed:
                assert isinstance(step, Request)
                step = playing.send(self._transport.send(step))
                with self._changed:
                    self._changed.notify_all()
        except StopIteration:
            pass
        except Exception:
            log.exception("The delivery of actions failed in an unforeseen way; it goes on with one request at a time")
        finally:
            playing.close()
            self._helpers -= 1
            with self._changed:
                self._changed.notify_all()

    def _pause(self, pause: Sleep) -> None:
        began, hurries = time.monotonic(), self._hurries
        with self._changed:
            self._is_held = pause.least > 0
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._is_closed or self._hurries > hurries, pause.seconds)
            self._changed.wait_for(lambda: self._is_closed, max(0.0, began + pause.least - time.monotonic()))
            self._is_held = False

    def _await_work(self) -> None:
        # First without being rung for: in a steady flow there is something when the time is up, and to ring is a system
        # call, which is dear to who records.
        self._gather()
        if not self._recorder.queue.waiting():
            self._wait_for(1, None)
            self._gather()

    def _gather(self) -> None:
        """Waits for company, unless somebody is in a hurry."""
        if not self._flushing:
            self._wait_for(self._options.batch_count, self._options.linger)

    def _wait_for(self, count: int, timeout: float | None) -> None:
        recorder, hurries = self._recorder, self._hurries
        waiting = recorder.queue.waiting
        end = None if timeout is None else time.monotonic() + timeout
        while not (self._is_closed or waiting() >= count or (self._hurries > hurries and waiting())):
            left = -1.0 if end is None else end - time.monotonic()
            if end is not None and left <= 0:
                break
            recorder.missing = max(1, count - waiting())
            # Who recorded before that was set did not ring: look again.
            if waiting() < count:
                self._bell.acquire(timeout=left)
        recorder.missing = 0
