"""A capability behind a webhook: what a receiver is told, and what comes of it for whoever asked."""

import base64
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from uuid import UUID

import pytest

from steadylight_server.capabilities.models import (
    Answer,
    Call,
    CustomerRef,
    Failed,
    IdentifiedBy,
    Implementation,
    NotDone,
    Progress,
    Unknown,
    WebhookBinding,
)
from steadylight_server.capabilities.webhook import Webhooks
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.http import Http
from tests import receiver as legacy
from tests.receiver import Receiver, receiving

SECRET = "whsec_" + base64.b64encode(b"a legacy system's own secret!").decode()
DEED = UUID("0192f0c1-2b3c-7d4e-8f90-123456789abc")
CALL = Call(
    capability="statement.view",
    key=f"prf_{DEED.hex}",
    input={"period": "2026-10"},
    customer=CustomerRef("cus_1", (IdentifiedBy("login", "C-1001"), IdentifiedBy("customer-number", "77"))),
    channel="ivr",
    assurance=Assurance.KNOWLEDGE,
    attempt=1,
    performance_id=DEED,
    given_key="view-2026-10",
    timeout=5.0,
)


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
async def webhooks(http: Http) -> AsyncIterator[Webhooks]:
    webhooks = Webhooks(http, {"core-banking": [SECRET]})
    yield webhooks
    await webhooks.close()


def bound(webhooks: Webhooks, receiver: Receiver, *, honours_keys: bool = True) -> Implementation:
    binding = WebhookBinding(receiver.url, "core-banking", honours_keys=honours_keys)
    return webhooks(binding, timedelta(seconds=5))


def tell(progress: Progress) -> None:
    raise AssertionError("a receiver reports by itself")


async def test_the_receiver_is_told_what_to_do_for_whom(webhooks: Webhooks, receiver: Receiver) -> None:
    answer = await bound(webhooks, receiver)(CALL, tell)

    assert answer == Answer(output={"number": 1})
    (received,) = receiver.received
    assert received.said == {
        "type": "statement.view",
        "data": {
            "performance": f"prf_{DEED.hex}",
            "key": "view-2026-10",
            "input": {"period": "2026-10"},
            "channel": "ivr",
            "assurance": "KNOWLEDGE",
            "customer": {
                "id": "cus_1",
                "identifiers": [
                    {"kind": "login", "value": "C-1001"},
                    {"kind": "customer-number", "value": "77"},
                ],
            },
        },
    }
    assert received.headers["webhook-id"] == received.key == f"prf_{DEED.hex}"


async def test_a_later_attempt_has_the_same_bytes_and_is_answered_as_the_first(
    webhooks: Webhooks, receiver: Receiver
) -> None:
    implementation = bound(webhooks, receiver)

    first = await implementation(CALL, tell)
    second = await implementation(CALL.__class__(**{**CALL.__dict__, "attempt": 2}), tell)

    assert first == second
    assert receiver.deeds == [CALL.key]
    assert receiver.received[0].body == receiver.received[1].body


async def test_what_goes_on_over_there_is_accepted(webhooks: Webhooks, receiver: Receiver) -> None:
    receiver.behaves(legacy.answers(202, {"handle": "batch 77"}))

    assert await bound(webhooks, receiver)(CALL, tell) == Answer(handle="batch 77")


async def test_a_failure_is_the_receiver_s_own_in_its_words(webhooks: Webhooks, receiver: Receiver) -> None:
    receiver.behaves(legacy.answers(409, {"code": "LIMIT_EXCEEDED", "message": "x" * 501}))

    with pytest.raises(Failed) as caught:
        await bound(webhooks, receiver)(CALL, tell)

    assert (caught.value.code, caught.value.message) == ("LIMIT_EXCEEDED", "x" * 500)


@pytest.mark.parametrize(
    ("how", "error"),
    [(legacy.answers(500, {}), Unknown), (legacy.hangs_up, Unknown), (legacy.answers(404, b"<html>"), NotDone)],
    ids=["error", "hangs-up", "no-such-place"],
)
async def test_what_is_not_known_and_what_is_not_done_are_told_apart(
    webhooks: Webhooks, receiver: Receiver, how: legacy.Behaviour, error: type[Exception]
) -> None:
    receiver.behaves(how)

    with pytest.raises(error):
        await bound(webhooks, receiver, honours_keys=False)(CALL, tell)


async def test_it_is_unavailable_while_its_circuit_is_open(webhooks: Webhooks, receiver: Receiver) -> None:
    implementation = bound(webhooks, receiver, honours_keys=False)
    assert (implementation.unavailable, implementation.honours_keys) == (None, False)
    receiver.behaves(legacy.answers(500, {}))

    for _ in range(5):
        with pytest.raises(Unknown):
            await implementation(CALL, tell)

    assert implementation.unavailable == "The system behind it does not answer now."
    with pytest.raises(NotDone, match="its circuit is open"):
        await implementation(CALL, tell)
    assert bound(webhooks, receiver, honours_keys=False) is implementation, "a blueprint that is read again opens none"


@pytest.mark.parametrize(
    ("url", "secret", "why"),
    [
        ("https://core.example/perform", "another", "STEADYLIGHT_WEBHOOK_SECRETS has no 'another'"),
        ("http://core.example/perform", "core-banking", "its address is not https"),
        ("ftp://127.0.0.1/perform", "core-banking", "its address is not https"),
        ("perform", "core-banking", "its address is not https"),
    ],
)
async def test_what_may_not_be_called_is_none(webhooks: Webhooks, url: str, secret: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        webhooks(WebhookBinding(url, secret), timedelta(seconds=5))


async def test_plain_http_is_for_the_hosts_that_the_settings_name(http: Http) -> None:
    webhooks = Webhooks(http, {"core-banking": [SECRET]}, http_hosts=["core.internal"])

    there = webhooks(WebhookBinding("http://core.internal/perform", "core-banking"), timedelta(seconds=5))

    assert there.unavailable is None
    await webhooks.close()
