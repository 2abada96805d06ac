"""Background delivery, by the thread and by the task alike."""

import asyncio
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from steadylight import AsyncClient, Client, Options, Verdict
from steadylight.testing import FAST, Server
from tests.sdk.conftest import Connect, Light, done


def types(server: Server) -> list[str]:
    return [action.type for action in server.actions]


async def arrived(server: Server, count: int) -> list[str]:
    """The types of so many actions, waited for without asking the client to hurry."""
    until = time.monotonic() + 5
    while len(server.actions) < count and time.monotonic() < until:
        await asyncio.sleep(0.01)
    return types(server)


async def test_what_is_recorded_arrives_by_itself(light: Light, server: Server) -> None:
    light.contact("k").record("a.b", {"n": 1})

    assert await arrived(server, 1) == ["a.b"]


async def test_a_count_that_went_astray_leaves_no_thread_asleep(server: Server) -> None:
    """Threads that count at once, where no lock of the interpreter keeps them apart."""
    light = Client(server.url, server.key("web"), options=FAST, transport=server.transport)
    light.contact("k").record("a.b")
    assert light.flush(5) == 0
    until = time.monotonic() + 5
    recorder = light._shared.recorder
    while recorder.missing != 1 and time.monotonic() < until:  # It waits for company no more, but for a first action.
        time.sleep(0.01)
    recorder.missing = -2

    light.contact("k").record("c.d")

    assert await arrived(server, 2) == ["a.b", "c.d"]
    light.close(timeout=0)


async def test_flush_tells_that_nothing_is_left(light: Light, server: Server) -> None:
    contact = light.contact("k")
    for number in range(1_200):
        contact.record("a.b", {"n": number})

    assert await done(light.flush()) == 0

    assert [action.properties["n"] for action in server.actions] == list(range(1_200))


async def test_flush_with_nothing_recorded_is_over_at_once(light: Light) -> None:
    began = time.monotonic()

    assert await done(light.flush(timeout=5)) == 0

    assert time.monotonic() - began < 1


async def test_company_is_waited_for_and_a_flush_ends_the_wait(connect: Connect, server: Server) -> None:
    light = connect(options=Options(linger=600.0))
    light.contact("k").record("a.b")
    await asyncio.sleep(0.05)
    assert types(server) == []

    assert await done(light.flush(timeout=5)) == 0

    assert types(server) == ["a.b"]


async def test_a_full_batch_does_not_wait_for_company(connect: Connect, server: Server) -> None:
    light = connect(options=Options(linger=600.0, batch_count=3))
    contact = light.contact("k")

    for _ in range(3):
        contact.record("a.b")
        await asyncio.sleep(0.02)
    for _ in range(200):
        if server.actions:
            break
        await asyncio.sleep(0.01)

    assert len(server.actions) == 3


@pytest.mark.parametrize(
    "bad",
    [
        {"status": 503},
        {"status": 500},
        {"status": 429},
        {"status": 429, "retry_after": 0.01},
        {"status": 200, "code": "UNAVAILABLE"},
        {"status": 200, "code": "INTERNAL"},
        {"status": 200, "body": b"<html>sign in</html>"},
        {"status": 200, "body": b'{"data": {"recordActions": {"verdicts": {"verdicts": "SSSS"}}}}'},
        {"status": 302, "body": b""},
    ],
)
async def test_a_bad_day_ends_and_everything_is_stored_once(light: Light, server: Server, bad: dict[str, Any]) -> None:
    server.fail(times=3, **bad)

    light.contact("k").record("a.b")

    assert await done(light.flush()) == 0
    assert types(server) == ["a.b"]
    assert light.stats().resent == 3


async def test_an_answer_that_was_cut_off_is_asked_for_again_and_known(connect: Connect, server: Server) -> None:
    cuts = [True, True, False]

    def cut(request: httpx.Request) -> httpx.Response:
        answer = server.transport.handle_request(request)
        if cuts.pop(0):
            raise httpx.ReadError("connection reset", request=request)
        return answer

    light = connect(transport=httpx.MockTransport(cut))
    light.contact("k").record("a.b")

    assert await done(light.flush()) == 0
    assert types(server) == ["a.b"]
    assert (light.stats().stored, light.stats().duplicate, light.stats().resent) == (0, 1, 2)


async def test_whatever_a_transport_raises_delivery_goes_on(connect: Connect, server: Server) -> None:
    bugs = [RuntimeError("bug"), ValueError("bug"), httpx.ReadTimeout("slow")]

    def broken(request: httpx.Request) -> httpx.Response:
        if bugs:
            raise bugs.pop()
        return server.transport.handle_request(request)

    light = connect(transport=httpx.MockTransport(broken))
    light.contact("k").record("a.b")

    assert await done(light.flush()) == 0
    assert types(server) == ["a.b"]


async def test_only_what_hesitates_is_sent_again(light: Light, server: Server) -> None:
    server.hesitate(2)
    contact = light.contact("k")
    for number in range(4):
        contact.record("a.b", {"n": number})

    assert await done(light.flush()) == 0
    assert [action.properties["n"] for action in server.actions] == [0, 1, 2, 3]
    assert (light.stats().stored, light.stats().resent) == (4, 2)


async def test_what_is_refused_is_told_and_holds_up_nobody(connect: Connect, server: Server) -> None:
    told: list[tuple[str, Verdict]] = []
    light = connect(on_refused=lambda action, verdict: told.append((action["type"], verdict)))
    contact = light.contact("k")
    contact.record("x" * 101)
    contact.record("a.b")

    assert await done(light.flush()) == 0
    assert types(server) == ["a.b"]
    assert [(type[:3], verdict.code) for type, verdict in told] == [("xxx", "INVALID")]
    assert light.stats().refused == 1


async def test_a_key_that_is_repaired_delivers_what_was_kept(
    connect: Connect, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    light = connect(options=Options(linger=0.0, backoff_ceiling=0.02))
    server.fail(401, times=2)

    light.contact("k").record("a.b")

    assert await done(light.flush()) == 0
    assert types(server) == ["a.b"]
    assert "Actions are kept until the key is repaired" in caplog.text


async def test_flush_says_what_is_left_and_a_later_one_cuts_the_pause(
    connect: Connect, server: Server, patient: Options
) -> None:
    light = connect(options=patient)
    server.down()
    light.contact("k").record("a.b")
    assert await done(light.flush(timeout=0.1)) == 1
    assert light.stats().failures >= 1

    server.up()

    assert await done(light.flush(timeout=5)) == 0
    assert types(server) == ["a.b"]


async def test_no_hurry_goes_below_what_the_server_asked_for(
    connect: Connect, server: Server, patient: Options
) -> None:
    light = connect(options=patient)
    server.fail(429, retry_after=0.4)
    light.contact("k").record("a.b")
    await done(light.flush(timeout=0.1))
    began = time.monotonic()

    assert await done(light.flush(timeout=5)) == 0

    assert 0.2 < time.monotonic() - began < 2


async def test_closing_delivers_what_is_left(light: Light, server: Server) -> None:
    light.contact("k").record("a.b")

    assert await done(light.close()) == 0
    assert types(server) == ["a.b"]
    assert await done(light.close()) == 0


async def test_closing_with_the_server_down_is_over_in_time_and_tells_of_the_loss(
    connect: Connect, server: Server, patient: Options, caplog: pytest.LogCaptureFixture
) -> None:
    light = connect(options=patient)
    server.down()
    light.contact("k").record("a.b")
    began = time.monotonic()

    assert await done(light.close(timeout=0.1)) == 1

    assert time.monotonic() - began < 1
    assert "1 recorded actions could not be delivered before the end, and are lost" in caplog.text


async def test_after_closing_nothing_is_kept(light: Light, server: Server) -> None:
    await done(light.close())

    assert light.contact("k").record("a.b") is None

    assert light.stats().late == 1


async def test_many_threads_record_at_once(light: Light, server: Server) -> None:
    contact = light.contact("k")

    def work() -> None:
        for _ in range(250):
            contact.record("a.b")

    contact.record("a.b")  # The async client delivers in this loop.
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)

    assert await done(light.flush()) == 0
    assert len(server.actions) == 1_001
    sequences = [action.sequence for action in server.actions]
    assert len(set(sequences)) == 1_001


async def test_an_unforeseen_failure_is_logged_and_the_next_action_starts_again(
    light: Light, server: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact = light.contact("k")
    with monkeypatch.context() as patch:
        patch.setattr(light._shared.recorder, "settle", lambda batch, judgement: 1 / 0)
        contact.record("a.b")
        await done(light.flush(timeout=0.2))

    contact.record("c.d")

    assert sorted(await arrived(server, 2)) == ["a.b", "c.d"]
    assert "failed in an unforeseen way" in caplog.text


async def test_a_thread_that_cannot_start_leaves_the_action_for_the_next(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with server.client() as light:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", full)
            light.contact("k").record("a.b")
        light.contact("k").record("c.d")

        assert await arrived(server, 2) == ["a.b", "c.d"]


def test_an_async_client_serves_one_loop_after_another(server: Server) -> None:
    light = server.async_client()

    async def visit(type: str) -> int:
        light.contact("k").record(type)
        return await light.flush()

    assert asyncio.run(visit("first.loop")) == 0
    light.contact("k").record("between.loops")
    assert asyncio.run(visit("second.loop")) == 0
    asyncio.run(light.close())

    assert types(server) == ["first.loop", "between.loops", "second.loop"]


def test_an_async_client_serves_two_loops_at_once(server: Server) -> None:
    light = server.async_client()
    seen: list[int] = []

    async def elsewhere() -> None:
        light.contact("k").record("other.loop")
        seen.append(await light.flush())

    async def main() -> None:
        light.contact("k").record("main.loop")
        await asyncio.sleep(0.01)
        await asyncio.to_thread(asyncio.run, elsewhere())
        await light.close()

    asyncio.run(main())

    assert types(server) == ["main.loop", "other.loop"]
    assert seen == [0]


def test_an_async_client_is_closed_from_another_loop(server: Server) -> None:
    light = server.async_client()

    async def main() -> None:
        light.contact("k").record("main.loop")
        await asyncio.sleep(0.01)
        await asyncio.to_thread(asyncio.run, light.close())
        await asyncio.sleep(0.01)

    asyncio.run(main())

    assert types(server) == ["main.loop"]


def test_without_a_loop_actions_wait_and_go_at_exit(server: Server) -> None:
    light = server.async_client()
    light.contact("k").record("a.b")
    assert types(server) == []

    light._delivery.close_at_exit(2.0)

    assert types(server) == ["a.b"]


def test_at_exit_what_a_stopped_loop_was_sending_is_sent_again(server: Server) -> None:
    class Slow(httpx.BaseTransport, httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            loop.stop()
            response: httpx.Response = await loop.create_future()
            return response

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            return server.transport.handle_request(request)

    loop = asyncio.new_event_loop()
    light = AsyncClient(server.url, server.key("web"), options=FAST, transport=Slow())
    loop.call_soon(light.contact("k").record, "a.b")
    loop.run_forever()
    assert types(server) == []

    light._delivery.close_at_exit(2.0)

    assert types(server) == ["a.b"]
    for task in asyncio.all_tasks(loop):
        task.cancel()
        loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()


def test_at_exit_a_server_that_is_down_takes_no_longer_than_allowed(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    light = server.async_client(options=FAST)
    server.down()
    light.contact("k").record("a.b")
    began = time.monotonic()

    light._delivery.close_at_exit(0.2)

    assert 0.1 < time.monotonic() - began < 1
    assert "1 recorded actions could not be delivered" in caplog.text


def test_at_exit_a_refused_key_is_no_exception(server: Server) -> None:
    light = server.async_client()
    server.fail(401)
    light.contact("k").record("a.b")

    light._delivery.close_at_exit(0.2)

    assert light.stats().undelivered == 1


def test_at_exit_an_async_transport_cannot_help(caplog: pytest.LogCaptureFixture) -> None:
    class Async(httpx.AsyncBaseTransport):
        pass

    light = AsyncClient("http://host", "k", transport=Async(), options=Options(spool=None))
    light.contact("k").record("a.b")

    light._delivery.close_at_exit(0.2)

    assert "1 recorded actions could not be delivered" in caplog.text


def test_no_log_line_shows_properties_or_the_key(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    key = server.key("web")
    server.fail(503)
    with Client(server.url, key, options=FAST, transport=server.transport) as light:
        light.customer(login="C-secret", assurance="LOGIN").contact("k").record("a.b", {"pin": "4711-secret"})
        light.flush()

    assert "secret" not in caplog.text
    assert key not in caplog.text


class Crowd:
    """A transport that notes how many requests are under way at once; each waits for so many, and a moment more."""

    def __init__(self, server: Server, expected: int) -> None:
        self._server = server
        self._expected = expected
        self._lock = threading.Lock()
        self.now = self.most = 0

    def _came(self, by: int) -> None:
        with self._lock:
            self.now += by
            self.most = max(self.most, self.now)

    def _moments(self) -> Iterator[float]:
        end = time.monotonic() + 5
        while self.most < self._expected and time.monotonic() < end:
            yield 0.005
        yield 0.05

    def wait(self, request: httpx.Request) -> httpx.Response:
        self._came(1)
        for moment in self._moments():
            time.sleep(moment)
        self._came(-1)
        return self._server.transport.handle_request(request)

    async def wait_in_loop(self, request: httpx.Request) -> httpx.Response:
        self._came(1)
        for moment in self._moments():
            await asyncio.sleep(moment)
        self._came(-1)
        return self._server.transport.handle_request(request)


@pytest.mark.parametrize("kind", [Client, AsyncClient], ids=["blocking", "async"])
@pytest.mark.parametrize("in_flight", [1, 3])
async def test_while_more_than_a_batch_waits_several_are_under_way(server: Server, kind: Any, in_flight: int) -> None:
    crowd = Crowd(server, in_flight)
    transport = httpx.MockTransport(crowd.wait if kind is Client else crowd.wait_in_loop)
    options = Options(linger=0.01, batch_count=100, in_flight=in_flight, spool=None)
    light = kind(server.url, server.key("web"), options=options, transport=transport)
    for number in range(1_500):
        light.contact("k").record("a.b", {"n": number})

    assert await done(light.flush()) == 0
    await done(light.close())

    assert crowd.most == in_flight
    assert sorted(action.properties["n"] for action in server.actions) == list(range(1_500))
    assert light.stats().stored == 1_500


@pytest.mark.parametrize("failure", [{}, {"retry_after": 30}], ids=["away", "told to wait"])
@pytest.mark.parametrize("was_failing", [False, True])
async def test_closing_waits_for_no_server_that_is_away_when_all_is_on_disk(
    connect: Connect, server: Server, failure: dict[str, Any], was_failing: bool, tmp_path: Path
) -> None:
    key = server.key("web")
    light = connect(key=key, options=Options(linger=0.0, spool=tmp_path))
    server.fail(503, times=1_000, **failure)
    light.contact("k").record("a.b")
    while was_failing and not light.stats().failures:
        await asyncio.sleep(0.01)
    began = time.monotonic()

    assert await done(light.close(timeout=30)) == 1

    assert time.monotonic() - began < 10
    server._failures.clear()
    heir = connect(key=key, options=Options(linger=0.0, spool=tmp_path))
    for _ in range(500):
        if heir.stats().adopted and not await done(heir.flush()):
            break
        await asyncio.sleep(0.01)
    assert types(server) == ["a.b"]


async def test_who_waits_for_a_contact_waits_for_its_own_actions_on_disk(
    connect: Connect, server: Server, tmp_path: Path
) -> None:
    light = connect(options=Options(linger=600.0, spool=tmp_path))
    contact = light.contact("k")
    contact.record("a.b")

    context = await done(contact.context(within=5))

    assert (context.pending, [action.type for action in context.actions]) == (False, ["a.b"])


async def test_an_on_refused_on_disk_is_told_and_the_rest_goes_on(
    connect: Connect, server: Server, tmp_path: Path
) -> None:
    told: list[str] = []
    light = connect(
        options=Options(linger=0.01, spool=tmp_path), on_refused=lambda action, verdict: told.append(action["type"])
    )
    light.contact("k").record("x" * 500)
    light.contact("k").record("a.b")

    assert await done(light.flush()) == 0

    assert (told, types(server)) == (["x" * 500], ["a.b"])
    await done(light.close())
    assert not list(tmp_path.rglob("*.seg"))
