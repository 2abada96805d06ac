"""What is known of a call's effect, whatever the receiver does. It is a program of its own, on a real connection."""

import asyncio
import base64
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from standardwebhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from steadylight_server.core import metrics
from steadylight_server.core.circuit import Circuit
from steadylight_server.core.clock import now
from steadylight_server.core.http import Http
from steadylight_server.core.signatures import key, signed
from steadylight_server.core.webhook import Rejected, Told, Undone, Unsure, Webhook
from tests import receiver as legacy
from tests.receiver import Behaviour, Receiver, receiving

SECRET = "whsec_" + base64.b64encode(b"a legacy system's own secret!").decode()
ANOTHER = "whsec_" + base64.b64encode(b"the one that takes its place.").decode()
BODY = b'{"type":"statement.view"}'
CONFIDENTIAL = "what the other side says of a customer"

Make = Callable[..., Webhook]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(SECRET) as receiver:
        yield receiver


@pytest.fixture(scope="module")
async def http() -> AsyncIterator[Http]:
    http = Http()
    yield http
    await http.close()


@pytest.fixture
async def webhook(http: Http, receiver: Receiver) -> AsyncIterator[Make]:
    """Makes one that calls the receiver; the pauses between attempts are none."""
    made: list[Webhook] = []

    def make(
        *,
        url: str | None = None,
        secrets: tuple[str, ...] = (SECRET,),
        honours_keys: bool = True,
        clock: Callable[[], datetime] = now,
        circuit: Circuit | None = None,
    ) -> Webhook:
        made.append(
            Webhook(
                "core-banking",
                http.line(url or receiver.url, keeps=honours_keys),
                [key(secret) for secret in secrets],
                honours_keys=honours_keys,
                circuit=circuit or Circuit("core-banking", failures=100),
                clock=clock,
                jitter=lambda: 0.0,
            )
        )
        return made[-1]

    yield make
    for one in made:
        await one.close()


async def call(webhook: Webhook, deed: str = "1", seconds: float = 5.0) -> Told:
    return await webhook.call(f"prf_{deed}", f"key-{deed}", BODY, seconds=seconds)


@contextmanager
def a_port_that(*, listens: bool) -> Iterator[str]:
    """Where nobody takes a connection: it is refused, or waits in a queue that is full."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        if not listens:
            yield url
            return
        taken.listen(0)
        waiting = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(taken.getsockname())
            waiting.append(one)
        yield url
        for one in waiting:
            one.close()


async def test_the_output_comes_back_and_the_receiver_verified_who_asked(webhook: Make, receiver: Receiver) -> None:
    told = await call(webhook())

    assert told == Told(output={"number": 1})
    (received,) = receiver.received
    assert received.body == BODY
    assert {name: received.headers.get(name) for name in ("webhook-id", "idempotency-key", "content-type")} == {
        "webhook-id": "prf_1",
        "idempotency-key": "key-1",
        "content-type": "application/json",
    }
    assert not {"authorization", "cookie"} & set(received.headers)


async def test_what_goes_on_over_there_has_a_handle(webhook: Make, receiver: Receiver) -> None:
    receiver.behaves(legacy.answers(202, {"handle": "batch 77"}))

    assert await call(webhook()) == Told(handle="batch 77")


@pytest.mark.parametrize("known", [(SECRET,), (ANOTHER,), (SECRET, ANOTHER)], ids=["old", "new", "both"])
async def test_a_secret_is_changed_without_an_outage(webhook: Make, receiver: Receiver, known: tuple[str, ...]) -> None:
    receiver.secrets = known

    told = await call(webhook(secrets=(SECRET, ANOTHER)))

    assert told.output == {"number": 1}


async def test_whoever_signs_with_another_secret_is_not_served_and_is_not_asked_again(
    webhook: Make, receiver: Receiver
) -> None:
    with pytest.raises(Undone, match=r"^core-banking: answers 401$"):
        await call(webhook(secrets=(ANOTHER,)))

    assert (receiver.refused, receiver.deeds) == (["no signature fits"], [])


async def test_what_was_signed_long_ago_is_not_served(webhook: Make, receiver: Receiver) -> None:
    long_ago = datetime.now(UTC) - timedelta(minutes=6)

    with pytest.raises(Undone, match="answers 401"):
        await call(webhook(clock=lambda: long_ago))

    assert receiver.refused == ["too old, or from the future"]


@pytest.mark.parametrize("secret", [SECRET, ANOTHER], ids=["old", "new"])
async def test_the_verifier_of_the_specification_takes_it(webhook: Make, receiver: Receiver, secret: str) -> None:
    await call(webhook(secrets=(SECRET, ANOTHER)))

    (received,) = receiver.received
    assert Verifier(secret).verify(received.body, received.headers) == {"type": "statement.view"}
    with pytest.raises(WebhookVerificationError, match=r"^No matching signature found$"):
        Verifier(secret).verify(received.body + b" ", received.headers)
    with pytest.raises(WebhookVerificationError, match=r"^No matching signature found$"):
        Verifier(secret).verify(received.body, {**received.headers, "webhook-id": "prf_2"})


@pytest.mark.parametrize(("minutes", "why"), [(-6, "too old"), (6, "too new")], ids=["old", "new"])
def test_the_verifier_of_the_specification_refuses_another_time(minutes: int, why: str) -> None:
    then = int(time.time()) + 60 * minutes
    headers = signed([key(SECRET)], "prf_1", then, BODY)

    with pytest.raises(WebhookVerificationError, match=f"^Message timestamp {why}$"):
        Verifier(SECRET).verify(BODY, headers)
    # Nor with a time that it would take, which was not signed.
    with pytest.raises(WebhookVerificationError, match=r"^No matching signature found$"):
        Verifier(SECRET).verify(BODY, {**headers, "webhook-timestamp": str(int(time.time()))})


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 422, 499 - 1])
async def test_a_refusal_with_a_code_is_definite(webhook: Make, receiver: Receiver, status: int) -> None:
    receiver.behaves(legacy.answers(status, {"code": "LIMIT_EXCEEDED", "message": "At most 3 a day."}))

    with pytest.raises(Rejected) as caught:
        await call(webhook())

    assert (caught.value.code, caught.value.message) == ("LIMIT_EXCEEDED", "At most 3 a day.")
    assert len(receiver.received) == 1


NOT_DONE: dict[str, Behaviour] = {
    "unauthorised": legacy.answers(401, {"code": "WHO_ARE_YOU", "message": "?"}),
    "no-such-place": legacy.answers(404, b"<html>404</html>"),
    "no-such-method": legacy.answers(405, {"code": "X", "message": "Y"}),
    "malformed": legacy.answers(400, {"error": CONFIDENTIAL}),
    "code-of-a-sentence": legacy.answers(422, {"code": CONFIDENTIAL, "message": "?"}),
    "code-of-a-number": legacy.answers(422, {"code": 17, "message": "?"}),
}


@pytest.mark.parametrize("how", NOT_DONE)
@pytest.mark.parametrize("honours_keys", [True, False], ids=["keys", "no-keys"])
async def test_what_the_other_side_did_not_look_at_is_not_done(
    webhook: Make, receiver: Receiver, how: str, honours_keys: bool
) -> None:
    receiver.behaves(NOT_DONE[how])

    with pytest.raises(Undone) as caught:
        await call(webhook(honours_keys=honours_keys))

    assert CONFIDENTIAL not in str(caught.value)
    assert len(receiver.received) == 1


WRONG: dict[str, Behaviour] = {
    "error": legacy.answers(500, {"code": "OOPS", "message": CONFIDENTIAL}),
    "gateway": legacy.answers(504, b"<html>"),
    "unavailable": legacy.answers(503, {}),
    "informal": legacy.answers(203, {"number": 1}),
    "empty": legacy.answers(200, b""),
    "page": legacy.answers(200, f"<html>{CONFIDENTIAL}".encode()),
    "number": legacy.answers(200, 17),
    "list": legacy.answers(200, [CONFIDENTIAL]),
    "half": legacy.answers(200, b'{"number"'),
    "not-utf-8": legacy.answers(200, b'{"a": "\xff"}'),
    "no-number": legacy.answers(200, b'{"a": NaN}'),
    "deep": legacy.answers(200, b"[" * 100_000),
    "packed": legacy.answers(200, b"\x1f\x8b", Content_Encoding="gzip"),
    "no-content": legacy.answers(204, b""),
    "no-handle": legacy.answers(202, {}),
    "long-handle": legacy.answers(202, {"handle": "x" * 201}),
    "redirect": legacy.answers(307, {}, Location="http://169.254.169.254/"),
    "moved": legacy.answers(301, {}, Location="http://169.254.169.254/"),
    "timed-out": legacy.answers(408, {"code": "SLOW", "message": CONFIDENTIAL}),
    "under-way": legacy.answers(409, {}),
    "endless": legacy.is_endless,
    "hangs-up": legacy.hangs_up,
    "half-closed": legacy.stops_in_the_middle,
    "another-protocol": legacy.speaks_another_language,
}


@pytest.mark.parametrize("how", WRONG)
async def test_whatever_else_is_wrong_it_may_have_been_done_and_is_not_asked_again(
    webhook: Make, receiver: Receiver, how: str
) -> None:
    receiver.honours_keys = False
    receiver.behaves(WRONG[how])

    with structlog.testing.capture_logs() as logged, pytest.raises(Unsure) as caught:
        await call(webhook(honours_keys=False))

    assert len(receiver.received) == 1
    assert CONFIDENTIAL not in str(caught.value) + str(logged)
    assert receiver.url not in str(caught.value) + str(logged)
    assert logged[0]["event"] == "a webhook was called in vain"
    assert (logged[0]["may_be_done"], logged[0]["attempts"], logged[0]["id"]) == (True, 1, "prf_1")


@pytest.mark.parametrize("how", WRONG)
async def test_a_receiver_that_honours_keys_is_asked_again_and_does_it_once(
    webhook: Make, receiver: Receiver, how: str
) -> None:
    receiver.behaves(WRONG[how], WRONG[how], legacy.does_it)

    told = await call(webhook())

    assert told.output == {"number": 1}
    assert receiver.deeds == ["key-1"]
    assert len(receiver.received) == 3
    assert {(one.body, one.headers["webhook-id"], one.key) for one in receiver.received} == {(BODY, "prf_1", "key-1")}


@pytest.mark.parametrize("how", [legacy.is_slow, legacy.drips], ids=["silent", "dripping"])
@pytest.mark.parametrize("honours_keys", [True, False], ids=["keys", "no-keys"])
async def test_who_is_slow_is_given_up_within_the_deadline_and_may_have_done_it(
    webhook: Make, receiver: Receiver, how: Behaviour, honours_keys: bool
) -> None:
    receiver.behaves(how)

    async with asyncio.timeout(10):
        with pytest.raises(Unsure, match="no whole answer"):
            await call(webhook(honours_keys=honours_keys), seconds=0.4)

    assert len(receiver.received) == 1


@pytest.mark.parametrize("honours_keys", [True, False], ids=["keys", "no-keys"])
async def test_where_nobody_listens_nothing_was_done(webhook: Make, honours_keys: bool) -> None:
    with a_port_that(listens=False) as url, structlog.testing.capture_logs() as logged:
        with pytest.raises(Undone, match=r"^core-banking: no connection: ConnectError$"):
            await call(webhook(url=url, honours_keys=honours_keys))

    assert [line["event"] for line in logged] == [
        "a webhook is called again",
        "a webhook is called again",
        "a webhook was called in vain",
    ]


async def test_where_nobody_takes_the_connection_nothing_was_done(webhook: Make) -> None:
    with a_port_that(listens=True) as url:
        with pytest.raises(Undone, match="no connection: ConnectTimeout"):
            await call(webhook(url=url, honours_keys=False), seconds=1.0)


@pytest.mark.parametrize("url", ["http://[", "nowhere", "ftp://core.example/", "http://nobody.invalid/"])
async def test_an_address_that_leads_nowhere_does_nothing(webhook: Make, url: str) -> None:
    with pytest.raises(Undone):
        await call(webhook(url=url, honours_keys=False))


async def test_one_that_comes_back_is_asked_again_without_keys_if_it_was_not_reached(
    webhook: Make, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, pauses = webhook(honours_keys=False), []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        receiver.start()

    receiver.stop()
    monkeypatch.setattr("steadylight_server.core.webhook.asyncio.sleep", pause)

    told = await call(one)

    assert told.output == {"number": 1}
    assert pauses == [0.0]


async def test_too_many_requests_is_not_done_and_waits_as_it_was_asked_to(
    webhook: Make, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("steadylight_server.core.webhook.asyncio.sleep", pause)
    receiver.behaves(legacy.answers(429, {}, Retry_After="2"), legacy.does_it)

    told = await call(webhook(honours_keys=False))

    assert (told.output, pauses) == ({"number": 1}, [2.0])


@pytest.mark.parametrize("after", ["60", "Wed, 21 Oct 2026 07:28:00 GMT"], ids=["too-long", "a-date"])
async def test_who_asks_to_wait_beyond_the_deadline_is_not_waited_for(
    webhook: Make, receiver: Receiver, after: str
) -> None:
    receiver.behaves(legacy.answers(429, {}, Retry_After=after))

    with pytest.raises(Undone, match="answers 429"):
        await call(webhook())

    assert len(receiver.received) == (1 if after == "60" else 3)


async def test_what_was_unsure_once_stays_so_if_nobody_is_reached_later(
    webhook: Make, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def pause(seconds: float) -> None:
        receiver.stop()

    monkeypatch.setattr("steadylight_server.core.webhook.asyncio.sleep", pause)
    receiver.behaves(legacy.answers(500, {}, Connection="close"))
    try:
        with pytest.raises(Unsure):
            await call(webhook(circuit=Circuit("core-banking", failures=2)))
    finally:
        receiver.start()


async def test_pauses_grow_and_are_random(http: Http, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("steadylight_server.core.webhook.asyncio.sleep", pause)
    receiver.behaves(legacy.answers(500, {}))
    dice = iter([0.5, 1.0, 0.25, 1.0, 1.0, 1.0])
    webhook = Webhook(
        "core-banking",
        http.line(receiver.url, keeps=True),
        [key(SECRET)],
        honours_keys=True,
        circuit=Circuit("core-banking", failures=100),
        attempts=6,
        jitter=lambda: next(dice),
    )

    with pytest.raises(Unsure):
        await call(webhook, seconds=60)
    await webhook.close()

    assert pauses == [0.2, 0.8, 0.4, 3.2, 5.0]


async def test_a_circuit_opens_turns_away_and_closes(webhook: Make, receiver: Receiver) -> None:
    seconds = 1000.0
    circuit = Circuit("core-banking", failures=3, pause=15, clock=lambda: seconds)
    one = webhook(circuit=circuit)
    receiver.behaves(legacy.answers(500, {}))

    with pytest.raises(Unsure, match="answers 500"):
        await call(one)
    assert one.is_open
    asked = len(receiver.received)
    with pytest.raises(Undone, match="its circuit is open"):
        await call(one, "2")
    assert len(receiver.received) == asked

    receiver.behaves(legacy.does_it)
    seconds += 15
    assert (await call(one, "2")).output == {"number": 1}
    assert not one.is_open


async def test_a_circuit_that_opens_during_a_call_ends_it(webhook: Make, receiver: Receiver) -> None:
    receiver.behaves(legacy.answers(500, {}))

    with pytest.raises(Unsure, match="its circuit is open"):
        await call(webhook(circuit=Circuit("core-banking", failures=2)))

    assert len(receiver.received) == 2


@pytest.mark.parametrize(
    ("how", "opens"),
    [
        (legacy.answers(422, {"code": "NO", "message": ""}), False),
        (legacy.answers(404, {}), False),
        (legacy.answers(409, {}), False),
        (legacy.answers(401, {}), True),
        (legacy.answers(429, {}), True),
        (legacy.answers(200, b"garbage"), True),
    ],
    ids=["rejected", "no-such-place", "under-way", "unauthorised", "too-many", "garbage"],
)
async def test_only_who_is_not_well_opens_the_circuit(
    webhook: Make, receiver: Receiver, how: Behaviour, opens: bool
) -> None:
    one = webhook(circuit=Circuit("core-banking", failures=3))
    receiver.behaves(how)

    for deed in range(3):
        with pytest.raises((Rejected, Undone, Unsure)):
            await call(one, str(deed))

    assert one.is_open is opens


async def test_who_stops_waiting_opens_nothing_and_blocks_no_probe(webhook: Make, receiver: Receiver) -> None:
    seconds = 1000.0
    one = webhook(circuit=Circuit("core-banking", failures=1, pause=15, clock=lambda: seconds))
    receiver.behaves(legacy.answers(500, {}), legacy.is_slow, legacy.does_it)
    with pytest.raises(Unsure):
        await call(one)
    seconds += 15

    probe = asyncio.create_task(call(one, "2", seconds=30))
    while len(receiver.received) < 2:
        await asyncio.sleep(0.01)
    assert one.is_open
    probe.cancel()
    await asyncio.wait([probe])

    assert not one.is_open
    assert (await call(one, "2")).output == {"number": 1}


async def test_a_receiver_without_keys_gets_a_connection_for_each_call(webhook: Make, receiver: Receiver) -> None:
    for honours_keys in (True, False):
        one = webhook(honours_keys=honours_keys)
        before = receiver.connections
        for deed in range(3):
            await call(one, str(deed))
        assert receiver.connections - before == (1 if honours_keys else 3)


async def test_a_line_whose_connections_are_all_in_use_does_nothing_and_blames_nobody(
    webhook: Make, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steadylight_server.core.http._MOST_CONNECTIONS", 1)
    one = webhook(circuit=Circuit("core-banking", failures=1), honours_keys=False)
    receiver.behaves(legacy.is_slow, legacy.does_it)

    slow = asyncio.create_task(call(one, seconds=30))
    while not receiver.received:
        await asyncio.sleep(0.01)
    with pytest.raises(Undone, match="all its connections are in use"):
        await call(one, "2", seconds=0.5)
    receiver.over.set()
    await slow

    assert not one.is_open
    assert receiver.deeds == ["key-1"]


async def test_calls_are_counted_by_what_came_of_them(webhook: Make, receiver: Receiver) -> None:
    def counted() -> dict[str, float]:
        return {
            outcome: metrics._registry.get_sample_value(
                "steadylight_webhook_calls_total", {"webhook": "core-banking", "outcome": outcome}
            )
            or 0.0
            for outcome in ("done", "accepted", "rejected", "undone", "unsure")
        }

    one, before = webhook(honours_keys=False), counted()
    plays = [(200, {}), (202, {"handle": "1"}), (422, {"code": "NO"}), (404, {}), (500, {})]
    receiver.behaves(*(legacy.answers(status, said) for status, said in plays))
    for deed in range(len(plays)):
        with suppress(Rejected, Undone, Unsure):
            await call(one, str(deed))

    assert {outcome: count - before[outcome] for outcome, count in counted().items()} == dict.fromkeys(before, 1.0)
