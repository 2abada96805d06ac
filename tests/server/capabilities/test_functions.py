"""Functions that implement capabilities, whatever they are, and where they are found."""

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from steadylight_server.capabilities import Answer, Call, CustomerRef, NotDone, Progress, Unknown, capability
from steadylight_server.capabilities import functions as module
from steadylight_server.capabilities.declared import Capabilities
from steadylight_server.capabilities.functions import FunctionImplementation
from steadylight_server.capabilities.implementations import Implementations, Missing
from steadylight_server.capabilities.models import Capability, FunctionBinding, WebhookBinding
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.errors import NotFound

CALL = Call("c", "prf_1", {"n": 1}, CustomerRef("cus_1"), "web", Assurance.LOGIN, 1, uuid4())


def silent(progress: Progress) -> None:
    raise AssertionError(progress)


async def test_plain_ones_coroutines_and_what_returns_one_are_answered_alike() -> None:
    async def coroutine(call: Call) -> Mapping[str, Any]:
        return {"n": call.input["n"]}

    def plain(call: Call) -> Mapping[str, Any]:
        return {"n": call.input["n"]}

    class Lazy:
        def __call__(self, call: Call) -> Any:
            return coroutine(call)

    answers = [await FunctionImplementation(one)(CALL, silent) for one in (coroutine, plain, Lazy())]

    assert answers == [Answer({"n": 1})] * 3


async def test_a_plain_one_runs_in_a_thread_of_its_own() -> None:
    threads = set()

    def plain(call: Call) -> Mapping[str, Any]:
        threads.add(threading.current_thread())
        return {}

    await FunctionImplementation(plain)(CALL, silent)

    (thread,) = threads
    assert (thread.name, thread.daemon) == ("capability-c", True)


@pytest.mark.parametrize("error", [KeyError("x"), Unknown("x"), StopIteration("x"), SystemExit(1)])
async def test_what_a_plain_one_raises_is_raised_here(error: BaseException) -> None:
    def plain(call: Call) -> Mapping[str, Any]:
        raise error

    expected = RuntimeError if isinstance(error, StopIteration) else type(error)
    with pytest.raises(expected):
        await FunctionImplementation(plain)(CALL, silent)


async def test_one_that_hangs_is_left_behind_and_many_make_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_THREADS", threading.BoundedSemaphore(1))
    go_on = threading.Event()

    def hangs(call: Call) -> Mapping[str, Any]:
        go_on.wait(60)
        return {}

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await FunctionImplementation(hangs)(CALL, silent)
    with pytest.raises(NotDone, match="run in threads already"):
        await FunctionImplementation(hangs)(CALL, silent)
    go_on.set()
    for _ in range(200):
        if module._THREADS.acquire(blocking=False):
            module._THREADS.release()
            break
        await asyncio.sleep(0.02)

    assert await FunctionImplementation(hangs)(CALL, silent) == Answer({})


async def test_one_that_hangs_leaves_threads_to_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OF_ONE", 1)
    go_on = threading.Event()

    def hangs(call: Call) -> Mapping[str, Any]:
        go_on.wait(60)
        return {}

    one, other = FunctionImplementation(hangs), FunctionImplementation(lambda call: {"n": 1})
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await one(CALL, silent)

    with pytest.raises(NotDone, match="run in threads already"):
        await one(CALL, silent)
    assert await other(CALL, silent) == Answer({"n": 1})
    go_on.set()


async def test_where_no_thread_can_be_had_nothing_is_done_and_nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    implementation = FunctionImplementation(lambda call: {"n": 1})
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        for _ in range(module.MOST_THREADS + 1):
            with pytest.raises(NotDone, match="no thread to be had"):
                await implementation(CALL, silent)

    assert await implementation(CALL, silent) == Answer({"n": 1})


async def test_a_generator_tells_how_far_it_is_and_answers_last() -> None:
    told: list[Progress] = []

    async def generator(call: Call) -> AsyncIterator[Progress | Mapping[str, Any]]:
        yield Progress(0.5, "half")
        yield {"n": 1}

    assert await FunctionImplementation(generator)(CALL, told.append) == Answer({"n": 1})
    assert told == [Progress(0.5, "half")]


@pytest.mark.parametrize("found", [None, "text", [1]], ids=repr)
async def test_what_is_no_answer_may_have_done_something(found: object) -> None:
    with pytest.raises(Unknown, match="where an object was due"):
        await FunctionImplementation(lambda call: found)(CALL, silent)


def test_a_blueprint_may_deny_that_keys_are_honoured_and_never_promise_it() -> None:
    @capability(honours_keys=True)
    def honours(call: Call) -> Mapping[str, Any]:
        return {}

    def plain(call: Call) -> Mapping[str, Any]:
        return {}

    found = {
        (function.__name__, said): FunctionImplementation(function, honours_keys=said).honours_keys
        for function in (honours, plain)
        for said in (None, True, False)
    }

    assert [key for key, value in found.items() if value] == [("honours", None), ("honours", True)]


def of(binding: FunctionBinding | WebhookBinding, seconds: int = 10) -> Capability:
    return Capability("c", binding, timeout=timedelta(seconds=seconds))


def test_an_entry_point_is_found_and_its_faults_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "own-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own\nVersion: 1\n")
    points = ["fine = own_functions:fine", "gone = own_functions:gone", "broken = own_broken:fine"]
    (info / "entry_points.txt").write_text("\n".join(["[steadylight.capabilities]", *points]))
    (tmp_path / "own_functions.py").write_text("def fine(call):\n    return {}\n")
    (tmp_path / "own_broken.py").write_text("raise RuntimeError('at import')\n")
    monkeypatch.syspath_prepend(tmp_path)
    implementations = Implementations()

    with capture_logs() as logs:
        found = {name: implementations.of(of(FunctionBinding(name))) for name in ("fine", "gone", "broken", "nobody")}

    assert isinstance(found["fine"], FunctionImplementation)
    why = {name: one.unavailable for name, one in found.items()}
    assert why["fine"] is None
    assert "gone" in str(why["gone"])
    assert why["broken"] == "broken is not there: at import"
    assert "0 entry points of that name" in str(why["nobody"])
    assert [log["implementation"] for log in logs] == ["gone", "broken", "nobody"]


async def test_what_is_not_there_does_nothing() -> None:
    with pytest.raises(NotDone, match="gone"):
        await Missing("gone")(CALL, silent)


def test_an_implementation_is_kept_for_as_long_as_a_blueprint_says_the_same() -> None:
    made: list[WebhookBinding] = []

    def webhooks(binding: WebhookBinding, timeout: timedelta) -> FunctionImplementation:
        made.append(binding)
        if binding.secret == "none":
            raise ValueError("there is no secret of that name")
        return FunctionImplementation(lambda call: {"within": timeout.total_seconds()})

    hook, other = WebhookBinding("https://a.example", "s"), WebhookBinding("https://b.example", "none")
    capabilities = Capabilities(Implementations(webhooks=webhooks))
    capabilities.declare({"c": of(hook)})
    first = capabilities.implementation(capabilities.of("c"))
    capabilities.declare({"c": of(hook), "d": of(other)})

    assert capabilities.implementation(capabilities.of("c")) is first
    assert capabilities.implementation(capabilities.of("d")).unavailable == (
        "the webhook of none is not there: there is no secret of that name"
    )
    assert made == [hook, other]
    capabilities.declare({"c": of(hook, seconds=20)})
    assert capabilities.implementation(capabilities.of("c")) is not first
    with pytest.raises(NotFound):
        capabilities.of("d")
    assert "calls no webhooks" in str(Implementations().of(of(hook)).unavailable)
