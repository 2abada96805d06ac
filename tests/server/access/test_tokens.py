"""Whose token is believed, by which key, and what happens while the issuer changes its keys or does not answer."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

import httpx
import jwt
import pytest
from structlog.testing import capture_logs

from steadylight_server.access import tokens as module
from steadylight_server.access.models import Role
from steadylight_server.access.tokens import Claims, Tokens
from steadylight_server.core.config import Issuer
from steadylight_server.core.errors import SteadylightError, Unauthenticated, Unavailable
from steadylight_server.core.http import Http
from tests.issuers import IssuerKit
from tests.server.conftest import NOWHERE

CUSTOMERS = IssuerKit("id", "CUSTOMER", {"web-page": "web", "ivr-app": "ivr", "account": None})
AGENTS = IssuerKit("staff", "AGENT", {"desk": "desk"}, algorithm="ES256")
DAY, TEN_MINUTES, PAUSE = 86_400, 600, 5
URL = "https://id.example.com/jwks.json"


def trusting(*issuers: Issuer) -> Tokens:
    """Judges by keys in the settings: nothing is fetched."""
    return Tokens(issuers, NOWHERE)


class Provider:
    """The issuer's server: what it shows, how it fails, and how often it was asked."""

    def __init__(self, kit: IssuerKit) -> None:
        self.kit = kit
        self.shown: Any = kit.jwks()
        self.asked = 0
        self.is_down = False
        self.delay = 0.0

    def tokens(self, **settings: Any) -> Tokens:
        """A server that trusts it."""
        return Tokens([self.kit.settings(URL, **settings)], Http(transport=httpx.MockTransport(self._answer)))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        await asyncio.sleep(self.delay)
        if self.is_down:
            raise httpx.ConnectError("refused")
        return httpx.Response(200, json=self.shown)


class Watch:
    """A clock that moves when it is told."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def monotonic(self) -> float:
        return self.at


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    watch = Watch()
    monkeypatch.setattr(module, "time", watch)
    return watch


@pytest.fixture
def kit() -> IssuerKit:
    """One whose keys change."""
    return IssuerKit("id", "CUSTOMER", {"web-page": "web"}, algorithm="ES256")


@pytest.fixture
def provider(kit: IssuerKit) -> Provider:
    return Provider(kit)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def raw(header: object, payload: object, sign: Any = lambda _: b"signature") -> str:
    """A token that no library would make."""
    text = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(payload).encode())}"
    return f"{text}.{b64(sign(text.encode()))}"


def signed(kit: IssuerKit, header: Mapping[str, Any], payload: object) -> str:
    """The same with a good signature."""
    algorithm = jwt.get_algorithm_by_name(kit.algorithm)
    return raw({"alg": kit.algorithm, **header}, payload, lambda text: algorithm.sign(text, kit.private))


def payload(kit: IssuerKit, **claims: Any) -> dict[str, Any]:
    usual = {"iss": kit.issuer, "aud": next(iter(kit.audiences)), "sub": "C-1", "exp": int(time.time()) + 600}
    return usual | claims


async def refused(tokens: Tokens, token: str) -> str:
    with pytest.raises(Unauthenticated) as caught:
        await tokens.read(token)
    return caught.value.message


async def test_a_good_token_says_who_it_is_for() -> None:
    exp = int(time.time()) + 60

    claims = await trusting(CUSTOMERS.settings(kind="customer-number")).read(CUSTOMERS.token("C-1004", exp=exp))

    assert claims == Claims(
        issuer="https://id.example.com",
        role=Role.CUSTOMER,
        subject="C-1004",
        kind="customer-number",
        channel="web",
        expires_at=claims.expires_at,
    )
    assert claims.expires_at.timestamp() == exp + 30
    assert claims.id == "https://id.example.com#C-1004"


async def test_each_issuer_vouches_for_its_own_role_only() -> None:
    tokens = trusting(CUSTOMERS.settings(), AGENTS.settings())

    roles = [(await tokens.read(kit.token(role="ADMIN", roles=["ADMIN"]))).role for kit in (CUSTOMERS, AGENTS)]

    assert roles == [Role.CUSTOMER, Role.AGENT]


async def test_the_audience_says_the_channel() -> None:
    tokens = trusting(CUSTOMERS.settings())

    channels = {
        str(audience): (await tokens.read(CUSTOMERS.token(aud=audience))).channel
        for audience in ("web-page", "ivr-app", "account", ["web-page"], ["somebody-else", "ivr-app"])
    }

    assert channels == {
        "web-page": "web",
        "ivr-app": "ivr",
        "account": None,
        "['web-page']": "web",
        "['somebody-else', 'ivr-app']": "ivr",
    }


@pytest.mark.parametrize(
    "audiences", [["web-page", "ivr-app"], ["web-page", "account"]], ids=["two channels", "one and none"]
)
async def test_a_token_for_two_channels_is_for_neither(audiences: list[str]) -> None:
    told = await refused(trusting(CUSTOMERS.settings()), CUSTOMERS.token(aud=audiences))

    assert told == "The token is not good: its audiences stand for several channels."


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"exp": 1}, "Signature has expired"),
        ({"exp": None}, 'missing the "exp" claim'),
        ({"exp": "soon"}, "exp"),
        ({"exp": "99999999999"}, "exp is no time that a clock can show"),
        ({"exp": 2**62}, "exp is no time that a clock can show"),
        ({"exp": 10**400}, "exp is no time that a clock can show"),
        ({"exp": 1e308}, "exp is no time that a clock can show"),
        ({"exp": float("inf")}, "exp"),
        ({"exp": float("nan")}, "exp"),
        ({"exp": []}, "exp"),
        ({"exp": True}, "Signature has expired"),
        ({"nbf": 99999999999}, "not yet valid"),
        ({"nbf": "soon"}, "nbf"),
        ({"iat": 99999999999}, "not yet valid"),
        ({"aud": None}, 'missing the "aud" claim'),
        ({"aud": "somebody-else"}, "Audience doesn't match"),
        ({"aud": []}, "aud"),
        ({"aud": [["web-page"]]}, "Invalid claim format"),
        ({"aud": {"web-page": 1}}, "Invalid claim format"),
        ({"iss": None}, "its issuer is not one of STEADYLIGHT_ISSUERS"),
        ({"iss": "https://ID.example.com"}, "its issuer is not one of STEADYLIGHT_ISSUERS"),
        ({"iss": "https://id.example.com/"}, "its issuer is not one of STEADYLIGHT_ISSUERS"),
        ({"iss": ["https://id.example.com"]}, "its issuer is not one of STEADYLIGHT_ISSUERS"),
        ({"sub": None}, 'missing the "sub" claim'),
        ({"sub": 1004}, "Subject must be a string"),
        ({"sub": ["C-1"]}, "Subject must be a string"),
        ({"sub": ""}, "sub names nobody"),
        ({"sub": " \t"}, "sub names nobody"),
        ({"sub": "x" * 257}, "sub names nobody"),
        ({"sub": "a\x1b[2Jb"}, "sub names nobody"),
        ({"sub": "a\nb"}, "sub names nobody"),
        ({"sub": "\ud800"}, "sub names nobody"),
    ],
)
async def test_what_a_signed_token_may_not_say(claims: dict[str, Any], why: str) -> None:
    made = {name: value for name, value in payload(CUSTOMERS, **claims).items() if value is not None}

    told = await refused(trusting(CUSTOMERS.settings()), signed(CUSTOMERS, {}, made))

    assert told.startswith("The token is not good: ")
    assert why in told
    assert " at 0x" not in told


async def test_the_two_clocks_may_be_as_far_apart_as_the_settings_say() -> None:
    tokens, at = trusting(CUSTOMERS.settings(leeway_seconds=30)), int(time.time())

    late = await tokens.read(CUSTOMERS.token("late", exp=at - 20))
    early = await tokens.read(CUSTOMERS.token("early", nbf=at + 20, iat=at + 20))

    assert (late.subject, early.subject) == ("late", "early")
    assert "expired" in await refused(tokens, CUSTOMERS.token(exp=at - 31))
    assert "not yet valid" in await refused(tokens, CUSTOMERS.token(nbf=at + 40))
    assert "expired" in await refused(trusting(CUSTOMERS.settings(leeway_seconds=0)), CUSTOMERS.token(exp=at - 1))


async def test_another_claim_can_be_the_subject() -> None:
    tokens = trusting(CUSTOMERS.settings(subject_claim="customer_number"))

    claims = await tokens.read(CUSTOMERS.token("internal", customer_number="C-1004"))

    assert claims.subject == "C-1004"
    assert "customer_number" in await refused(tokens, CUSTOMERS.token())
    assert "names nobody" in await refused(tokens, CUSTOMERS.token(customer_number=1004))


def hs256_by(secret: bytes, kit: IssuerKit) -> str:
    """Signed with what everybody knows, as if it were a shared secret."""
    return raw(
        {"alg": "HS256", "typ": "JWT", "kid": kit.kid},
        payload(kit),
        lambda text: hmac.digest(secret, text, hashlib.sha256),
    )


def altered(token: str) -> str:
    """Another subject under the same signature."""
    header, _, signature = token.split(".")
    return f"{header}.{b64(json.dumps(payload(CUSTOMERS, sub='C-9')).encode())}.{signature}"


FORGED = {
    "altered": altered(CUSTOMERS.token()),
    "unsigned": raw({"alg": "none"}, payload(CUSTOMERS), lambda _: b""),
    "unsigned, in capitals": raw({"alg": "None"}, payload(CUSTOMERS), lambda _: b""),
    "signature left out": CUSTOMERS.token().rpartition(".")[0] + ".",
    "HS256 with the public key": hs256_by(CUSTOMERS.public_key().encode(), CUSTOMERS),
    "HS256 with nothing": hs256_by(b"", CUSTOMERS),
    "another issuer's key": jwt.encode(payload(CUSTOMERS), AGENTS.private, algorithm="ES256"),
    "an algorithm that is not pinned": jwt.encode(payload(CUSTOMERS), CUSTOMERS.private, algorithm="RS512"),
    "another's key under the same name": jwt.encode(
        payload(CUSTOMERS), IssuerKit("id", "CUSTOMER").private, algorithm="RS256", headers={"kid": CUSTOMERS.kid}
    ),
    "crit": signed(CUSTOMERS, {"crit": ["exp"], "exp": 1}, payload(CUSTOMERS)),
    "crit without names": signed(CUSTOMERS, {"crit": []}, payload(CUSTOMERS)),
    "b64": signed(CUSTOMERS, {"b64": False, "crit": ["b64"]}, payload(CUSTOMERS)),
    "a kid that is no text": signed(CUSTOMERS, {"kid": 1}, payload(CUSTOMERS)),
    "an alg that is no text": signed(CUSTOMERS, {"alg": ["RS256"]}, payload(CUSTOMERS)),
    "a header that is a list": raw([], payload(CUSTOMERS)),
    "a payload that is a list": signed(CUSTOMERS, {}, [payload(CUSTOMERS)]),
    "nested deeply": f"{b64(json.dumps({'alg': 'RS256'}).encode())}.{b64(b'[' * 5000)}.x",
    "a header nested deeply": f"{b64(b'[' * 5000)}.{b64(b'{}')}.x",
    "too long": CUSTOMERS.token(more="x" * 8_000),
    "enormous": f"a.{'b' * 1_000_000}.c",
    "nothing": "..",
    "no base64": "é.ü.ö",
}


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED.keys())
async def test_what_is_forged_is_refused(token: str) -> None:
    await refused(trusting(CUSTOMERS.settings(), AGENTS.settings(algorithms=("ES256",))), token)


async def test_for_an_algorithm_that_is_not_pinned_the_issuer_is_not_even_asked(provider: Provider) -> None:
    tokens = provider.tokens()

    for algorithm in ("none", "HS256", "RS256", "ES384"):
        told = await refused(tokens, raw({"alg": algorithm, "kid": "x"}, payload(provider.kit)))

        assert told == "The token is not good: its algorithm is not one that its issuer uses."
    assert provider.asked == 0


async def test_a_key_of_another_kind_is_told_without_its_inside() -> None:
    both = CUSTOMERS.settings(algorithms=("RS256", "ES256", "EdDSA"))
    token = jwt.encode(payload(CUSTOMERS), AGENTS.private, algorithm="ES256")

    assert await refused(trusting(both), token) == "The token is not good: its issuer's key is for something else."


@pytest.mark.parametrize("where", ["jwk", "jku", "x5u", "x5c"])
async def test_a_token_does_not_bring_its_own_key(where: str, provider: Provider) -> None:
    thief = IssuerKit("id", "CUSTOMER", {"web-page": "web"}, algorithm="ES256")
    (own,) = thief.jwks()["keys"]
    brought = {"jwk": own, "jku": "https://evil.example.com/k", "x5u": "https://evil.example.com/k", "x5c": ["AAAA"]}
    tokens = provider.tokens()

    told = await refused(tokens, thief.token(header={where: brought[where]}))
    good = await tokens.read(provider.kit.token(header={where: brought[where]}))

    assert "Signature verification failed" in told
    assert good.subject == "C-1001"
    assert provider.asked == 1


async def test_a_key_is_fetched_once_and_kept(provider: Provider, watch: Watch) -> None:
    provider.delay = 0.01
    tokens = provider.tokens()

    subjects = {one.subject for one in await asyncio.gather(*(tokens.read(provider.kit.token()) for _ in range(30)))}
    watch.at += TEN_MINUTES
    await tokens.read(provider.kit.token())

    assert subjects == {"C-1001"}
    assert provider.asked == 1


async def test_a_token_without_a_key_id_is_judged_by_the_only_key(provider: Provider, kit: IssuerKit) -> None:
    claims = await provider.tokens().read(kit.token(header={"kid": None}))

    assert claims.subject == "C-1001"


async def test_a_token_without_a_key_id_is_judged_by_none_of_several(provider: Provider, kit: IssuerKit) -> None:
    before, token = kit.jwks()["keys"], kit.token(header={"kid": None})
    kit.rotate()
    provider.shown = {"keys": [*before, *kit.jwks()["keys"]]}
    tokens = provider.tokens()

    first = await refused(tokens, token)
    second = await refused(tokens, token)

    assert first == "The token is not good: its issuer has no such key."
    assert second == "The token is not good: it names no key, and its issuer has several."
    assert provider.asked == 1


async def test_keys_change_in_flight(provider: Provider, kit: IssuerKit, watch: Watch) -> None:
    old, (old_key,) = kit.token("old"), kit.jwks()["keys"]
    tokens = provider.tokens()
    before = await tokens.read(old)
    watch.at += PAUSE

    kit.rotate()
    new, (new_key,) = kit.token("new"), kit.jwks()["keys"]
    provider.shown = {"keys": [old_key, new_key]}
    during = [await tokens.read(token) for token in (old, new, old)]
    asked_during = provider.asked
    provider.shown = {"keys": [new_key]}
    unasked = await tokens.read(old)
    watch.at += TEN_MINUTES + 1
    after = await tokens.read(new)

    assert [one.subject for one in (before, *during, unasked, after)] == ["old", "old", "new", "old", "old", "new"]
    assert (asked_during, provider.asked) == (2, 3)
    watch.at += PAUSE
    assert await refused(tokens, old) == "The token is not good: its issuer has no such key."


async def test_a_token_by_a_key_that_is_shown_a_moment_later_is_good_then(
    provider: Provider, kit: IssuerKit, watch: Watch
) -> None:
    tokens = provider.tokens()
    await tokens.read(kit.token())
    kit.rotate()

    with pytest.raises(Unavailable) as caught:
        await tokens.read(kit.token())
    provider.shown = kit.jwks()
    watch.at += caught.value.retry_after

    assert caught.value.message == "The token's key is not known yet. Try again shortly."
    assert (await tokens.read(kit.token())).subject == "C-1001"


async def test_keys_that_do_not_exist_do_not_hammer_the_issuer(
    provider: Provider, kit: IssuerKit, watch: Watch
) -> None:
    tokens = provider.tokens()
    await tokens.read(kit.token())
    outcomes: set[type] = set()

    for second in range(60):
        made_up = [tokens.read(kit.token(header={"kid": f"x-{second}-{number}"})) for number in range(20)]
        outcomes |= {type(one) for one in await asyncio.gather(*made_up, return_exceptions=True)}
        assert (await tokens.read(kit.token())).subject == "C-1001"
        watch.at += 1

    assert outcomes == {Unauthenticated, Unavailable}
    assert provider.asked <= 1 + 60 / PAUSE


async def test_while_the_issuer_is_down_its_keys_are_good_for_a_day(
    provider: Provider, kit: IssuerKit, watch: Watch
) -> None:
    tokens, token = provider.tokens(), kit.token()
    await tokens.read(token)
    provider.is_down = True

    for _ in range(23):
        watch.at += 3_600
        assert (await tokens.read(token)).subject == "C-1001"
    watch.at += 3_601

    with pytest.raises(Unavailable, match=r"The token's issuer cannot be reached\.") as caught:
        await tokens.read(token)
    assert caught.value.retry_after == PAUSE
    provider.is_down = False
    watch.at += PAUSE
    assert (await tokens.read(token)).subject == "C-1001"


async def test_all_who_wait_for_an_issuer_that_is_down_are_told_to_come_again(
    provider: Provider, kit: IssuerKit
) -> None:
    provider.is_down, provider.delay = True, 0.05
    tokens = provider.tokens()

    with capture_logs() as logs:
        outcomes = await asyncio.gather(*(tokens.read(kit.token()) for _ in range(20)), return_exceptions=True)
        with pytest.raises(Unavailable) as again:
            await tokens.read(kit.token())

    assert {type(one) for one in outcomes} == {Unavailable}
    assert 0 < again.value.retry_after <= PAUSE
    assert provider.asked == 1
    assert [(one["event"], one["issuer"]) for one in logs] == [
        ("an issuer's keys cannot be fetched", "https://id.example.com")
    ]


async def test_nobody_whose_key_is_known_waits_for_an_issuer_that_hangs(
    provider: Provider, kit: IssuerKit, watch: Watch
) -> None:
    tokens = provider.tokens()
    await tokens.read(kit.token())
    provider.is_down = True
    watch.at += TEN_MINUTES + 1
    await tokens.read(kit.token())
    provider.delay = 60

    for _ in range(5):
        watch.at += PAUSE
        async with asyncio.timeout(1):
            assert (await tokens.read(kit.token())).subject == "C-1001"
        await asyncio.sleep(0.01)  # so that what goes on in the background begins

    assert provider.asked == 3


async def test_who_gives_up_waiting_ends_it_for_nobody_else(provider: Provider, kit: IssuerKit) -> None:
    provider.delay = 0.1
    tokens = provider.tokens()
    hasty = asyncio.create_task(tokens.read(kit.token()))
    await asyncio.sleep(0.02)
    patient = asyncio.create_task(tokens.read(kit.token()))
    await asyncio.sleep(0.02)

    hasty.cancel()

    assert (await patient).subject == "C-1001"
    assert provider.asked == 1


@pytest.mark.parametrize(
    "shown", [None, [], "keys", {}, {"keys": None}, {"keys": {}}], ids=["null", "list", "text", "{}", "none", "object"]
)
async def test_what_is_no_set_of_keys_is_an_issuer_that_does_not_answer(
    provider: Provider, kit: IssuerKit, shown: Any
) -> None:
    provider.shown = shown

    with pytest.raises(Unavailable):
        await provider.tokens().read(kit.token())


def _key(kit: IssuerKit, **change: Any) -> dict[str, Any]:
    (key,) = kit.jwks()["keys"]
    return {name: value for name, value in (key | change).items() if value is not None}


RSA = IssuerKit("rsa", "CUSTOMER")


@pytest.mark.parametrize(
    "change",
    [
        {"use": "enc"},
        {"alg": "ES384"},
        {"kty": "oct", "k": "AAAA"},
        {"kty": "RSA", "alg": None},
        {"kty": "OKP", "alg": None},
        {"x": None, "alg": None},
        {"x": 5},
        {"x": "AA"},
        {"crv": []},
        {"crv": "P-384"},
        {"kid": ["id-1"]},
        {"kid": {"a": 1}},
        {"kid": 1},
        {"kty": ["EC"]},
        _key(RSA, alg=None, kid=None, crv=None),
    ],
)
async def test_a_key_that_is_for_something_else_is_not_used(
    provider: Provider, kit: IssuerKit, change: dict[str, Any]
) -> None:
    provider.shown = {"keys": [_key(kit, **change), None, 5, "key"]}

    told = await refused(provider.tokens(algorithms=("ES256", "RS256")), kit.token())

    assert told.startswith("The token is not good: its issuer")


async def test_a_shared_secret_among_the_keys_signs_nothing(provider: Provider, kit: IssuerKit) -> None:
    secret = b"shared by all who can check"
    provider.shown = {"keys": [*kit.jwks()["keys"], {"kty": "oct", "kid": kit.kid, "k": b64(secret)}]}
    tokens = provider.tokens()

    assert "algorithm" in await refused(tokens, hs256_by(secret, kit))
    assert (await tokens.read(kit.token())).subject == "C-1001"


def test_a_shared_secret_is_no_choice_in_the_settings() -> None:
    for algorithm in ("HS256", "none"):
        with pytest.raises(ValueError, match="algorithms"):
            CUSTOMERS.settings(algorithms=(algorithm,))


async def test_whatever_is_sent_is_told_in_words(provider: Provider, kit: IssuerKit) -> None:
    """Never a fault of ours: each part of a good token is replaced by each of some oddities."""
    header, body, signature = kit.token().split(".")
    odd = ["", "e30", b64(b"null"), b64(b'"x"'), b64(b"\xff"), "%", b64(b'{"alg":"ES256","kid":null}'), "=" * 9, "e30="]
    tokens = provider.tokens()

    for one in odd:
        for token in (f"{one}.{body}.{signature}", f"{header}.{one}.{signature}", f"{header}.{body}.{one}"):
            with pytest.raises(SteadylightError):
                await tokens.read(token)


async def test_the_same_name_at_two_issuers_is_two_people() -> None:
    other = IssuerKit("other", "CUSTOMER", {"web-page": "web"}, algorithm="ES256")
    tokens = trusting(CUSTOMERS.settings(), other.settings())

    ids = [(await tokens.read(kit.token("C-1"))).id for kit in (CUSTOMERS, other)]

    assert ids == ["https://id.example.com#C-1", "https://other.example.com#C-1"]
