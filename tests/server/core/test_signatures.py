"""What is sent is signed so that whoever reads the specification can verify it."""

import base64

import pytest

from steadylight_server.core.signatures import key, signed
from tests.receiver import NotVerified, verify

SECRET = "whsec_" + base64.b64encode(b"a legacy system's own secret!").decode()
ANOTHER = "whsec_" + base64.b64encode(b"the one that takes its place.").decode()
BODY = b'{"type":"statement.view"}'


def test_the_signature_is_the_one_that_the_specification_s_libraries_test_for() -> None:
    secret = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    headers = signed([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("known", [SECRET, ANOTHER])
def test_while_a_secret_is_changed_whoever_knows_either_can_verify(known: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1_800_000_000)

    headers = signed([key(SECRET), key(ANOTHER)], "prf_1", 1_800_000_000, BODY)

    verify(known, headers, BODY)
    assert headers["webhook-signature"].count("v1,") == 2


@pytest.mark.parametrize(
    ("changed", "body", "now"),
    [
        ({"webhook-id": "prf_2"}, BODY, 1_800_000_000),
        ({"webhook-timestamp": "1800000001"}, BODY, 1_800_000_000),
        ({"webhook-signature": "v1,"}, BODY, 1_800_000_000),
        ({}, BODY + b" ", 1_800_000_000),
        ({}, BODY, 1_800_000_301),
    ],
    ids=["id", "time", "signature", "body", "late"],
)
def test_what_was_changed_on_the_way_or_comes_late_is_not_verified(
    changed: dict[str, str], body: bytes, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: now)
    headers = signed([key(SECRET)], "prf_1", 1_800_000_000, BODY)

    with pytest.raises(NotVerified):
        verify(SECRET, {**headers, **changed}, body)


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "plain", "whsec_ä", "whsec_no base64", "whsec_" + "A" * 28, "whsec_" + "A" * 88],
    ids=["nothing", "empty", "plain", "letters", "no-base64", "short", "long"],
)
def test_what_is_no_secret_is_refused_without_being_told(secret: str) -> None:
    with pytest.raises(ValueError, match=r"a secret (is|has)") as caught:
        key(secret)

    assert len(secret) < 7 or secret not in str(caught.value)
    assert caught.value.__cause__ is None


def test_no_id_can_pass_for_another_id_and_time() -> None:
    with pytest.raises(ValueError, match="full stop"):
        signed([key(SECRET)], "prf_1.1", 1_800_000_000, BODY)
