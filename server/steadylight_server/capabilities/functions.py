"""Python functions as implementations: `@capability` says of one that it honours keys, and `FunctionImplementation`
calls it, whatever it is.
"""

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, suppress
from typing import Any, TypeVar

from steadylight_server.capabilities.models import Answer, Call, Function, NotDone, Progress, Tell, Unknown

F = TypeVar("F", bound=Callable[..., Any])

# More than these wait for something that does not come.
MOST_THREADS = 64
MOST_OF_ONE = 32  # so that one function that hangs leaves some to the others
_THREADS = threading.BoundedSemaphore(MOST_THREADS)


def capability(*, honours_keys: bool = False) -> Callable[[F], F]:
    """Marks a function that implements a capability; its entry point in `steadylight.capabilities` gives the name.

    `honours_keys` promises that `Call.key`, which is the same in each attempt, is done once however often it comes,
    and is answered alike: only then is it called again where a crash has left it open.
    """

    def mark(function: F) -> F:
        function.honours_keys = honours_keys  # type: ignore[attr-defined]
        return function

    return mark


class FunctionImplementation:
    """A function: a coroutine, an async generator of Progress and the output, or a plain one, run in a thread."""

    unavailable: str | None = None

    def __init__(self, function: Function, *, honours_keys: bool | None = None) -> None:
        """`honours_keys` False holds also where the function says otherwise."""
        self._function = function
        says = bool(getattr(function, "honours_keys", False))
        self.honours_keys = says and honours_keys is not False
        self._threads = threading.BoundedSemaphore(MOST_OF_ONE)

    async def __call__(self, call: Call, tell: Tell) -> Answer:
        """What the function returns, or yields last. Raises what it raises."""
        if inspect.isasyncgenfunction(self._function):
            return _answer(await self._last(self._function(call), tell))
        if inspect.iscoroutinefunction(self._function):
            return _answer(await self._function(call))
        found = await _in_a_thread(self._function, call, self._threads)
        return _answer(await found if inspect.isawaitable(found) else found)

    @staticmethod
    async def _last(yielded: AsyncIterator[Any], tell: Tell) -> object:
        last: object = None
        async with aclosing(yielded) as going:  # type: ignore[type-var]
            async for one in going:
                if isinstance(one, Progress):
                    tell(one)
                else:
                    last = one
        return last


async def _in_a_thread(function: Function, call: Call, own: threading.BoundedSemaphore) -> Any:
    """What it returns. A thread of its own: one that hangs holds up nobody, and not the server's end.

    Raises NotDone where so many hang that another would not help.
    """
    if not own.acquire(blocking=False):
        raise NotDone(f"{MOST_OF_ONE} calls of it run in threads already.")
    if not _THREADS.acquire(blocking=False):
        own.release()
        raise NotDone(f"{MOST_THREADS} functions run in threads already.")
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def tell(found: object, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(found)

    def work() -> None:
        found: object = None
        failure: BaseException | None = None
        try:
            found = function(call)
        except StopIteration as error:  # no future takes it
            failure = RuntimeError(f"the function raised {error!r}")
        except BaseException as error:
            failure = error
        finally:
            _THREADS.release()
            own.release()
        with suppress(RuntimeError):  # the loop may be closed by now
            loop.call_soon_threadsafe(tell, found, failure)

    try:
        threading.Thread(target=work, name=f"capability-{call.capability}", daemon=True).start()
    except RuntimeError as error:
        _THREADS.release()
        own.release()
        raise NotDone(f"There is no thread to be had: {error}.") from error
    return await done


def _answer(found: object) -> Answer:
    """Raises Unknown for what is no answer: the deed may be done."""
    if isinstance(found, Answer):
        return found
    if isinstance(found, Mapping):
        return Answer(found)
    raise Unknown(f"The function answered a {type(found).__name__}, where an object was due.")
