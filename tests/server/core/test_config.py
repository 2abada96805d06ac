"""Settings come from the environment, once."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from steadylight_server.core.config import Settings


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"STEADYLIGHT_{name.upper()}", raising=False)


def test_the_defaults_are_right_for_one_machine() -> None:
    settings = Settings()

    assert settings.mongodb_uri is None
    assert (settings.database, settings.data) == ("steadylight", Path("steadylight-data"))
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8000, 1)
    assert (settings.max_body_bytes, settings.max_depth, settings.max_tokens) == (1_000_000, 12, 4_000)
    assert settings.allowed_origins == ()


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEADYLIGHT_MONGODB_URI", "mongodb://db.internal/?replicaSet=main")
    monkeypatch.setenv("STEADYLIGHT_PORT", "9000")
    monkeypatch.setenv("STEADYLIGHT_ALLOWED_ORIGINS", '["https://desk.example"]')
    monkeypatch.setenv("STEADYLIGHT_SOMETHING_ELSE", "is no concern of ours")

    settings = Settings()

    assert settings.mongodb_uri == "mongodb://db.internal/?replicaSet=main"
    assert settings.port == 9000
    assert settings.allowed_origins == ("https://desk.example",)


def test_settings_are_frozen() -> None:
    settings = Settings()

    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    "wrong",
    [{"port": 65_536}, {"workers": 0}, {"database": "no spaces"}, {"log_level": "loud"}, {"intent_lease": 0}],
)
def test_a_setting_out_of_bounds_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Settings(**wrong)  # type: ignore[arg-type]


def test_every_setting_with_a_bound_or_a_use_that_is_not_plain_is_described() -> None:
    plain = {"log_level", "log_format"}

    assert {name for name, field in Settings.model_fields.items() if not field.description} <= plain


ISSUER = {"issuer": "https://id.example", "role": "CUSTOMER", "audiences": {"shop": "web"}}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"issuers": [ISSUER]}, "give jwks_url or public_key"),
        ({"issuers": [{**ISSUER, "jwks_url": "https://id.example/keys", "public_key": "x"}]}, "one of the two"),
        ({"issuers": [{**ISSUER, "jwks_url": "http://id.example/keys"}]}, "jwks_url must be https"),
        ({"issuers": [{**ISSUER, "public_key": "-----BEGIN"}]}, "no public key in PEM"),
        ({"issuers": [{**ISSUER, "jwks_url": "https://id.example/keys"}] * 2}, "each issuer has one entry"),
        ({"issuers": [{**ISSUER, "jwks_url": "https://id.example/keys", "algorithms": ["HS256"]}]}, "RS256"),
        ({"allowed_origins": ["*"]}, "is no origin"),
        ({"allowed_origins": ["https://shop.example/"]}, "without a path"),
        ({"allowed_origins": ["shop.example"]}, "is no origin"),
        ({"rate_per_credential": "often"}, "is no rate"),
        ({"webhook_secrets": {"core-banking": ["plain"]}}, "a secret is whsec_ and bytes in base64"),
        ({"webhook_secrets": {"core-banking": ["whsec_c2hvcnQ="]}}, "a secret has 24 to 64 bytes"),
        ({"webhook_secrets": {"core-banking": []}}, "core-banking: give 1 to 5 secrets"),
    ],
)
def test_what_would_only_show_later_is_refused_at_the_start(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Settings(**wrong)  # type: ignore[arg-type]


def test_an_issuers_keys_may_be_on_this_machine() -> None:
    (issuer,) = Settings(issuers=({**ISSUER, "jwks_url": "http://127.0.0.1:9/keys"},)).issuers

    assert (issuer.algorithms, issuer.subject_claim, issuer.kind) == (("RS256",), "sub", "login")


def test_secrets_of_webhooks_are_not_shown() -> None:
    secret = "whsec_" + "A" * 32

    settings = Settings(webhook_secrets={"core-banking": (secret,)})

    assert secret not in repr(settings) + str(settings.model_dump())
    assert settings.webhook_secrets["core-banking"][0].get_secret_value() == secret
