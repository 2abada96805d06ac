"""The one door to other servers over HTTP: with a deadline and a bound, whatever is at the other end.

`Http.json` fetches a document. `Line.post` sends one, and tells apart what its caller must know to send it again:

    Unsent        no connection was made, so nothing was sent: certainly nothing was done
    └── Busy      all connections of the line are in use: nothing is known to be wrong at the other end
    Unanswered    something was sent, and no whole answer came: anything may have been done
"""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx
import orjson

from steadylight_server.core.errors import Unavailable

_SECONDS = 5.0
_MOST_BYTES = 1_000_000
# Seconds, and the part of a deadline: who has not taken a connection by then will not answer in time.
_CONNECT_SECONDS, _CONNECT_PART = 3.0, 0.25
# One slow server must not take what other lines, or all memory, would need.
_MOST_CONNECTIONS = 50
# Nothing is unpacked: a small answer would become a large one at once.
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}


class Unsent(Exception):
    """Nothing was sent; the message says why and names no address."""


class Busy(Unsent):
    """All connections were in use."""


class Unanswered(Exception):
    """No whole answer came; the message says why, and names no address and no part of the answer."""


class Reply(NamedTuple):
    """A whole answer, read to its end; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _TooMuch(Exception):
    """The answer is not read to its end; the message says why."""


class Line:
    """Connections to one address, apart from those to all others. To be closed."""

    def __init__(self, client: httpx.AsyncClient, url: str) -> None:
        self._client = client
        self._url = url

    async def post(self, body: bytes, headers: Mapping[str, str], *, seconds: float) -> Reply:
        """What is answered, redirects included, which nobody follows. Raises Unsent, Busy, Unanswered."""
        connect = min(_CONNECT_SECONDS, seconds * _CONNECT_PART)
        # What comes before anything is sent takes less than `seconds`: no deadline hides that nothing was.
        timeout = httpx.Timeout(seconds, connect=connect, pool=connect)
        try:
            async with asyncio.timeout(seconds):
                async with self._client.stream(
                    "POST", self._url, content=body, headers=dict(headers), timeout=timeout
                ) as response:
                    told = {name.lower(): value for name, value in response.headers.items()}
                    return Reply(response.status_code, told, await _read(response))
        except httpx.PoolTimeout as error:
            raise Busy("all its connections are in use") from error
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            raise Unsent(f"no connection: {type(error).__name__}") from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError) as error:
            raise Unsent(f"it cannot be sent: {type(error).__name__}") from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise Unanswered(f"no whole answer: {type(error).__name__}") from error
        except _TooMuch as error:
            raise Unanswered(str(error)) from error

    async def close(self) -> None:
        """Gives the connections back."""
        await self._client.aclose()


class Http:
    """A client that follows no redirect and believes no answer that is slow, large or not JSON."""

    def __init__(self, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """`transport` stands for the network in tests."""
        # Made once for all lines: to read the certificates of all authorities takes a fifteenth of a second.
        self._certificates = httpx.create_ssl_context() if transport is None else True
        self._client = httpx.AsyncClient(
            timeout=_SECONDS,
            follow_redirects=False,
            headers=_HEADERS,
            transport=transport,
            verify=self._certificates,
        )

    def line(self, url: str, *, keeps: bool) -> Line:
        """A line to an address.

        Without `keeps` each request has a connection of its own: one that was kept may be closed at the other end just
        when it is used again, and who may not repeat a request would never know what became of it.
        """
        kept = httpx.Limits(
            max_connections=_MOST_CONNECTIONS, max_keepalive_connections=_MOST_CONNECTIONS if keeps else 0
        )
        client = httpx.AsyncClient(follow_redirects=False, headers=_HEADERS, verify=self._certificates, limits=kept)
        return Line(client, url)

    async def json(self, url: str) -> Any:
        """What is there. Raises Unavailable, whatever is wrong with it; the message names no part of the answer."""
        try:
            async with asyncio.timeout(_SECONDS), self._client.stream("GET", url) as response:
                if response.status_code != 200:
                    raise Unavailable(f"{url} answers {response.status_code}.")
                return orjson.loads(await _read(response))
        except _TooMuch as error:
            raise Unavailable(f"{url} {error}.") from error
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise Unavailable(f"{url} does not answer: {type(error).__name__}.") from error
        except orjson.JSONDecodeError as error:
            raise Unavailable(f"{url} does not answer in JSON.") from error

    async def close(self) -> None:
        """Gives the connections back."""
        await self._client.aclose()


async def _read(response: httpx.Response) -> bytes:
    """The body. Raises _TooMuch where it is packed or too long, before it is read."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise _TooMuch("answers packed, which it was not asked for")
    body = b""
    async for part in response.aiter_bytes():
        body += part
        if len(body) > _MOST_BYTES:
            raise _TooMuch(f"answers more than {_MOST_BYTES:,} bytes")
    return body
