"""The settings of one server, read once at start from `STEADYLIGHT_*` and frozen."""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from steadylight_server.core.signatures import key

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]

# A signature for each is sent with every call.
_MOST_SECRETS = 5


class Issuer(BaseModel):
    """Who signs tokens: the company's identity provider. Shared secrets are no choice: who can check could forge."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str = Field(min_length=1, description="The tokens' `iss`, letter by letter.")
    role: Literal["CUSTOMER", "AGENT", "ADMIN"] = Field(description="Whom it vouches for.")
    audiences: dict[str, str | None] = Field(
        min_length=1, description="Each `aud` that is taken, and the channel that it stands for, or null."
    )
    jwks_url: str | None = Field(None, description="Where its keys are, over https.")
    public_key: str | None = Field(None, description="Or its one key, as PEM.")
    algorithms: tuple[Algorithm, ...] = Field(("RS256",), min_length=1, description="Those that are taken.")
    subject_claim: str = Field("sub", min_length=1, description="The claim that says who it is.")
    kind: str = Field("login", min_length=1, description="The kind of identifier that a customer's subject is.")
    may_link: bool = Field(False, description="Whether its agents decide who is whom.")
    leeway_seconds: float = Field(30.0, ge=0, le=300, description="How far the two clocks may be apart.")

    @model_validator(mode="after")
    def _has_one_source_of_keys(self) -> Self:
        if (self.jwks_url is None) == (self.public_key is None):
            raise ValueError("give jwks_url or public_key, one of the two")
        where = urlsplit(self.jwks_url or "https:")
        if where.scheme != "https" and (where.scheme, where.hostname) not in (("http", "127.0.0.1"), ("http", "::1")):
            raise ValueError("jwks_url must be https; plain http only on 127.0.0.1")
        if self.public_key is not None:
            _check_pem(self.public_key)
        return self


def _check_pem(text: str) -> None:
    """Raises ValueError for what is no public key: else its first customer would find out."""
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        load_pem_public_key(text.encode())
    except Exception:  # it raises what it likes
        raise ValueError("public_key is no public key in PEM") from None


def _origins(given: tuple[str, ...]) -> tuple[str, ...]:
    """Raises ValueError for what no browser sends as an origin, `*` included: not every page may ask."""
    for origin in given:
        where = urlsplit(origin)
        if where.scheme not in ("https", "http") or origin != f"{where.scheme}://{where.netloc}" or "*" in origin:
            raise ValueError(f"{origin!r} is no origin. Write it like https://shop.example.com, without a path")
    return given


def _one_each(given: tuple[Issuer, ...]) -> tuple[Issuer, ...]:
    """Raises ValueError where two speak of the same issuer: which of them judges a token would be luck."""
    names = [issuer.issuer for issuer in given]
    if len(set(names)) < len(names):
        raise ValueError("each issuer has one entry; an issuer has one role")
    return given


def _secrets(given: dict[str, tuple[SecretStr, ...]]) -> dict[str, tuple[SecretStr, ...]]:
    """Raises ValueError for what signs nothing: else the first call would find out. The message holds no secret."""
    for name, secrets in given.items():
        if not 1 <= len(secrets) <= _MOST_SECRETS:
            raise ValueError(f"{name}: give 1 to {_MOST_SECRETS} secrets; several while one takes another's place")
        for secret in secrets:
            key(secret.get_secret_value())
    return given


def _rate(text: str) -> str:
    """Raises ValueError for what is no rate."""
    # Not at the top: it takes half a second to import, which `--help` need not wait for.
    from steadylight_server.core.rates import notation

    return notation(text)


class Settings(BaseSettings):
    """Every setting has a default that is right for one machine; production sets `mongodb_uri` and little else."""

    model_config = SettingsConfigDict(env_prefix="STEADYLIGHT_", frozen=True, extra="ignore", env_ignore_empty=True)

    mongodb_uri: str | None = Field(
        None, description="Replica set or sharded cluster to use. None: a private database process in `data`."
    )
    database: str = Field("steadylight", description="Name of the database.", pattern=r"^[A-Za-z0-9_-]{1,60}$")
    data: Path = Field(Path("steadylight-data"), description="Directory of the embedded database; made if missing.")
    mongod: Path | None = Field(None, description="The mongod to embed. None: the PATH's, else the wheel's.")

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    workers: int = Field(1, ge=1, le=64, description="Server processes. About one per core.")
    drain_seconds: float = Field(10.0, ge=0, description="How long SIGTERM waits for requests under way.")

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"

    max_body_bytes: int = Field(1_000_000, gt=0, description="Largest request body, after gzip is undone.")
    max_depth: int = Field(12, gt=0, description="Deepest nesting of fields in a document.")
    max_aliases: int = Field(60, gt=0, description="Most aliases in a document.")
    max_searches: int = Field(
        10, gt=0, description="Most searches, suggestions and renderings of articles that a document asks for."
    )
    max_tokens: int = Field(4_000, gt=0, description="Most lexical tokens in a document.")
    allowed_origins: Annotated[tuple[str, ...], AfterValidator(_origins)] = Field(
        (), description="Web origins beside the server's own whose pages may query, as in https://shop.example.com."
    )
    issuers: Annotated[tuple[Issuer, ...], AfterValidator(_one_each)] = Field(
        (), description="Whose tokens of customers and employees are taken."
    )
    webhook_secrets: Annotated[dict[str, tuple[SecretStr, ...]], AfterValidator(_secrets)] = Field(
        {}, description="What calls of webhooks are signed with, by the names that the blueprint gives."
    )
    webhook_http_hosts: tuple[str, ...] = Field(
        (), description="Hosts whose webhooks may be called over plain http, beside this machine."
    )
    rate_per_credential: Annotated[str, AfterValidator(_rate)] = Field(
        "20000/10 seconds", description="How often one credential may ask, over all servers; or `unlimited`."
    )
    rate_per_customer: Annotated[str, AfterValidator(_rate)] = Field(
        "300/10 seconds", description="How often one customer's tokens may ask, over all servers; or `unlimited`."
    )
    max_subscriptions: int = Field(1_000, gt=0, description="Most subscriptions open by one credential on one server.")

    intent_lease: float = Field(
        30.0, gt=0, description="Seconds after which an unfinished batch is taken over; twice the append's own limit."
    )
    performance_lease: float = Field(
        15.0, ge=1, description="Seconds after which what a crashed server was performing is taken over."
    )
