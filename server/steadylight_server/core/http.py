"""The one door to other servers over HTTP: JSON fetched with a deadline and a bound."""

import asyncio
from typing import Any

import httpx
import orjson

from steadylight_server.core.errors import Unavailable

_SECONDS = 5.0
_MOST_BYTES = 1_000_000


class Http:
    """A client that follows no redirect and believes no answer that is slow, large or not JSON."""

    def __init__(self, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """`transport` stands for the network in tests."""
        # Nothing is unpacked: a small answer would become a large one at once.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        self._client = httpx.AsyncClient(timeout=_SECONDS, follow_redirects=False, headers=headers, transport=transport)

    async def json(self, url: str) -> Any:
        """What is there. Raises Unavailable, whatever is wrong with it; the message names no part of the answer."""
        try:
            async with asyncio.timeout(_SECONDS), self._client.stream("GET", url) as response:
                if response.status_code != 200:
                    raise Unavailable(f"{url} answers {response.status_code}.")
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise Unavailable(f"{url} answers packed, which it was not asked for.")
                body = b""
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > _MOST_BYTES:
                        raise Unavailable(f"{url} answers more than {_MOST_BYTES:,} bytes.")
            return orjson.loads(body)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise Unavailable(f"{url} does not answer: {type(error).__name__}.") from error
        except orjson.JSONDecodeError as error:
            raise Unavailable(f"{url} does not answer in JSON.") from error

    async def close(self) -> None:
        """Gives the connections back."""
        await self._client.aclose()
