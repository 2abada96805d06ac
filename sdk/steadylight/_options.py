"""Where the server is, who this channel is, and how the client behaves; frozen, and read once."""

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from ._errors import Misconfigured

URL_VARIABLE = "STEADYLIGHT_URL"
KEY_VARIABLE = "STEADYLIGHT_KEY"
SPOOL_VARIABLE = "STEADYLIGHT_SPOOL"


def utc_now() -> datetime:
    """The wall clock, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Options:
    """How a client sends, waits and keeps; sizes in bytes, times in seconds. The defaults suit a web app."""

    #: Most actions in one request; the server takes 500.
    batch_count: int = 500
    #: Most bytes of actions in one request; the server takes 500 KB, a tenth is left for the envelope.
    batch_bytes: int = 450_000
    #: How long the first action of a batch waits for company. 0 sends at once, at one request per action.
    linger: float = 0.05
    #: The folder in which actions wait until they are delivered, readable by this user alone. "auto" means
    #: STEADYLIGHT_SPOOL, else a folder of the user's state; None keeps them in memory, which ends with the process.
    spool: str | os.PathLike[str] | None = "auto"
    #: What this process may keep undelivered on disk. Beyond it new actions are dropped, counted and warned of once.
    spool_bytes: int = 1_000_000_000
    #: A file of the spool that was neither written to nor delivered from for so long is dropped, and counted. 30 days.
    spool_age: float = 2_592_000.0
    #: The same bound for what waits in memory, without a spool or when the disk fails.
    queue_bytes: int = 32_000_000
    #: Properties whose value is never recorded, at any depth, whatever the case: `("password", "card_number")`.
    redact: tuple[str, ...] = ()
    #: Is given each action as a dict before it is kept, and returns what to keep; None drops it, and so does an error.
    before_record: Callable[[dict[str, Any]], dict[str, Any] | None] | None = None
    #: The first pause after a failed request is between 0 and this; each further bound is twice the last.
    backoff_base: float = 0.5
    #: No pause is longer than this, unless the server asked for more with Retry-After.
    backoff_ceiling: float = 30.0
    #: How long one request of the background delivery may take.
    request_timeout: float = 30.0
    #: How long close(), and an exit of the interpreter without it, tries to deliver what is left.
    close_timeout: float = 1.0
    #: Requests that are under way at once where more than one batch waits.
    in_flight: int = 2
    #: Seams for tests: a clock that only goes forward, the time of day, and a number in [0, 1).
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    now: Callable[[], datetime] = field(default=utc_now, repr=False)
    jitter: Callable[[], float] = field(default=random.random, repr=False)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The GraphQL address and the channel's key, which no repr shows."""

    url: str
    key: str = field(repr=False)


def endpoint(url: str | None, key: str | None) -> Endpoint:
    """The endpoint from arguments, else from STEADYLIGHT_URL and STEADYLIGHT_KEY.

    `/graphql` is appended unless the URL already ends with it. Raises Misconfigured, saying what to do.
    """
    url = (url or os.environ.get(URL_VARIABLE, "")).strip()
    key = (key or os.environ.get(KEY_VARIABLE, "")).strip()
    if not url:
        raise Misconfigured(
            f"No Steadylight URL. Set {URL_VARIABLE}, e.g. to http://127.0.0.1:8000, or pass Client(url=...)."
        )
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Misconfigured(f"The Steadylight URL {url!r} is not one. Give it whole: http://host:port or https://host.")
    if not key:
        raise Misconfigured(
            f"No Steadylight key. Set {KEY_VARIABLE} or pass Client(key=...). "
            "`steadylight channel add NAME --kind SELF_SERVICE` prints one."
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        # The key itself stays out of the message: messages end in logs.
        raise Misconfigured("The Steadylight key holds characters that no key has. Copy it again, without quotes.")
    url = url.rstrip("/")
    return Endpoint(url if url.endswith("/graphql") else f"{url}/graphql", key)
