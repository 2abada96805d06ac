"""The settings of one server, read once at start from `STEADYLIGHT_*` and frozen."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


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
    max_tokens: int = Field(4_000, gt=0, description="Most lexical tokens in a document.")
    allowed_origins: tuple[str, ...] = Field(
        (), description="Web origins beside the server's own that may open a WebSocket."
    )

    intent_lease: float = Field(
        30.0, gt=0, description="Seconds after which an unfinished batch is taken over; twice the append's own limit."
    )
    key_cache_seconds: float = Field(
        2.0, ge=0, description="How long a checked key is remembered. A revoked key works at most this much longer."
    )
