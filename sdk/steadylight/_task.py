"""Plays the delivery in a task of the event loop, for AsyncClient; see `_thread`, whose twin this is."""

import asyncio
import contextvars
import time
from collections.abc import Callable

from . import _process
from ._async_transport import AsyncTransport
from ._errors import SteadylightError
from ._options import Options
from ._protocol import Delivery, Idle, Request, Sleep, Step, delivery
from ._recorder import Recorder, log

# Seconds; only where one client serves several event loops.
_LOOK_AGAIN = 0.01


class TaskDelivery:
    """A task of the event loop in which something was recorded last, started there by the first action."""

    def __init__(self, recorder: Recorder, transport: AsyncTransport, options: Options) -> None:
        self._recorder = recorder
        self._transport = transport
        self._options = options
        self.close_timeout = options.close_timeout
        self._reset()
        recorder.wake = self.wake
        _process.opened(self)
        if recorder.has_inheritance:
            self.wake()

    def _reset(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._helpers: set[asyncio.Task[None]] = set()
        self._played: set[Delivery] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = asyncio.Event()
        self._wake_at = 0
        self._hurries = 0
        self._flushing = 0
        self._is_held = False
        self._is_closed = False

    def wake(self) -> None:
        """There is something new to deliver. From any thread; without a running loop it waits for one."""
        self._recorder.missing = 1  # Each action asks: it may be another loop's.
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if here is not None and not self._is_running(here):
            self._start(here)
        elif self._wake_at and self._recorder.queue.waiting() >= self._wake_at:
            self._tell(here)

    def _is_running(self, here: asyncio.AbstractEventLoop) -> bool:
        """Whether a task delivers, in this loop or in one that runs in another thread."""
        if self._task is None or self._loop is None or self._task.done():
            return False
        return self._loop is here or self._loop.is_running()

    def _start(self, here: asyncio.AbstractEventLoop) -> None:
        self._loop = here
        self._changed = asyncio.Event()
        # In a context of its own: the task outlives the request that happened to record first.
        self._task = here.create_task(self._run(), name="steadylight", context=contextvars.Context())

    def _tell(self, here: asyncio.AbstractEventLoop | None) -> None:
        """Wakes the task from this loop, another one or none."""
        if here is self._loop:
            self._notify()
        elif self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._notify)

    async def flush(self, timeout: float, contact: str | None = None) -> int:
        """Waits until all, or all of a contact, is delivered. How many are left when the seconds are over."""
        await self._hurry(timeout, contact, lambda: False)
        return self._recorder.queue.undelivered(contact)

    async def _hurry(self, timeout: float, contact: str | None, is_vain: Callable[[], bool]) -> None:
        left, here = self._recorder.queue.undelivered, asyncio.get_running_loop()
        if left(contact) and not self._is_running(here):
            self._start(here)
        self._hurries += 1
        self._flushing += 1
        self._tell(here)
        try:
            await self._until(lambda: self._is_closed or not left(contact) or is_vain(), timeout)
        finally:
            self._flushing -= 1

    async def close(self, timeout: float) -> int:
        """A last flush, then the end of the task and its connections. How many actions were not delivered.

        What is safe on disk is tried once more; that the server is away need not be waited for.
        """
        if self._is_closed:
            return 0
        recorder = self._recorder
        failed = recorder.failed_ever
        await self._hurry(
            timeout,
            None,
            lambda: not recorder.queue.unsafe() and (self._is_held or recorder.failed_ever > failed),
        )
        self._is_closed = True
        ending = [each for each in (self._task, *self._helpers) if each is not None]
        if self._loop is asyncio.get_running_loop():
            for each in ending:
                each.cancel()
            await asyncio.gather(*ending, return_exceptions=True)
        elif self._loop is not None and not self._loop.is_closed():
            for each in ending:
                self._loop.call_soon_threadsafe(each.cancel)
        await self._transport.close()
        self._ended()
        return recorder.queue.undelivered()

    def _ended(self) -> None:
        self._is_closed = True
        left, lost = self._recorder.queue.undelivered(), self._recorder.queue.unsafe()
        self._recorder.close()
        _process.closed(self, left, lost)

    def close_at_exit(self, timeout: float) -> None:
        """The host forgot to close, and its loop is gone: what is left is sent without one.

        A loop that is stopped, as a notebook's is, leaves its tasks where they are: what they sent is sent again.
        """
        if self._loop is not None and not self._loop.is_running():
            for playing in list(self._played):
                playing.close()
        queue = self._recorder.queue
        if queue.undelivered() and (transport := self._transport.blocking()) is not None:
            is_safe = not queue.unsafe()
            until = self._options.clock() + timeout
            playing = delivery(self._recorder, self._options, until=until, patient=False, brief=is_safe)
            end = time.monotonic() + timeout
            try:
                step = next(playing)
                while time.monotonic() < end:
                    answer = transport.send(step) if isinstance(step, Request) else None
                    if isinstance(step, Sleep):
                        time.sleep(min(step.seconds, max(0.0, end - time.monotonic())))
                    step = playing.send(answer)
            except (StopIteration, SteadylightError):
                pass
            finally:
                playing.close()
                transport.close()
        self._ended()

    def start_over(self) -> None:
        """In a forked child: the loop stayed with the parent, and so does what it had queued."""
        self._recorder.start_over()
        self._transport.start_over()
        self._reset()

    async def _run(self) -> None:
        playing = self._play()
        try:
            if self._recorder.has_inheritance:
                await asyncio.to_thread(self._recorder.begin)
            step: Step = Idle()  # The very first action waits for company too.
            while not self._is_closed:
                answer = None
                if isinstance(step, Request):
                    self._find_help()
                    answer = await self._transport.send(step)
                elif isinstance(step, Sleep):
                    await self._pause(step)
                else:
                    await self._await_work()
                step = playing.send(answer)
                self._notify()
        except Exception:
            log.exception("The delivery of actions failed in an unforeseen way; the next action starts it again")
        finally:
            self._played_out(playing)

    def _play(self, *, brief: bool = False) -> Delivery:
        playing = delivery(self._recorder, self._options, brief=brief)
        self._played.add(playing)
        return playing

    def _played_out(self, playing: Delivery) -> None:
        playing.close()
        self._played.discard(playing)

    def _find_help(self) -> None:
        """More than a batch waits, and the server is there."""
        recorder = self._recorder
        while (
            len(self._helpers) < self._options.in_flight - 1
            and not recorder.failed_now
            and recorder.queue.waiting() > len(self._helpers) * self._options.batch_count
        ):
            helper = asyncio.create_task(self._help(), name="steadylight-help")
            self._helpers.add(helper)
            helper.add_done_callback(self._helpers.discard)

    async def _help(self) -> None:
        playing = self._play(brief=True)
        try:
            step = next(playing)
            while not self._is_closed:
                assert isinstance(step, Request)
                step = playing.send(await self._transport.send(step))
                self._notify()
        except StopIteration:
            pass
        except Exception:
            log.exception("The delivery of actions failed in an unforeseen way; it goes on with one request at a time")
        finally:
            self._played_out(playing)
            self._notify()

    def _notify(self) -> None:
        # Who waits holds the old event; whoever waits next gets a new one.
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _until(self, holds: Callable[[], bool], timeout: float | None) -> None:
        try:
            async with asyncio.timeout(timeout):
                while not holds():
                    if self._loop is asyncio.get_running_loop():
                        await self._changed.wait()
                    else:  # The task is another loop's, and so is its event.
                        await asyncio.sleep(_LOOK_AGAIN)
        except TimeoutError:
            pass

    async def _pause(self, pause: Sleep) -> None:
        began, hurries = time.monotonic(), self._hurries
        self._is_held = pause.least > 0
        self._notify()
        await self._until(lambda: self._hurries > hurries, pause.seconds)
        await asyncio.sleep(max(0.0, began + pause.least - time.monotonic()))
        self._is_held = False

    async def _await_work(self) -> None:
        await self._wait_for(1, None)
        if not self._flushing:
            await self._wait_for(self._options.batch_count, self._options.linger)

    async def _wait_for(self, count: int, timeout: float | None) -> None:
        hurries, self._wake_at = self._hurries, count
        waiting = self._recorder.queue.waiting
        await self._until(lambda: waiting() >= count or (self._hurries > hurries and waiting() > 0), timeout)
        self._wake_at = 0
