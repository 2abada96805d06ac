"""Plays requests over httpx, blocking and async: the only network I/O of the SDK.

Everything that httpx needs is built in the constructor: TLS contexts and first imports in a background thread, with
a fork in between, break the child. A failure is returned, not raised: to the protocol it is news like any other.
"""

import asyncio
import encodings.idna  # noqa: F401 - getaddrinfo would import it at the first request, in the background thread
import sys
import time
import weakref
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import httpx

from ._answers import Answer, Response
from ._errors import ProtocolError, Timeout, Unreachable
from ._options import Endpoint
from ._protocol import Request
from ._version import __version__

# One connection for the delivery and some for readers; httpx keeps them alive between requests.
_LIMITS = httpx.Limits(max_keepalive_connections=20, keepalive_expiry=30.0)

_Error = TypeVar("_Error", bound=Exception)


class _Deadline(Mapping[str, float]):
    """httpx's timeouts (connect, write, read, pool), each being what is left of one deadline.

    httpx takes four timeouts that start anew at each phase; together they may last several times what was asked for.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def __getitem__(self, phase: str) -> float:
        # Not 0, which would make the socket non-blocking instead of late.
        return max(self._end - time.monotonic(), 0.001)

    def __iter__(self) -> Iterator[str]:
        return iter(("connect", "read", "write", "pool"))

    def __len__(self) -> int:
        return 4

    @property
    def is_over(self) -> bool:
        """Whether no time is left."""
        return time.monotonic() >= self._end


class _Common:
    """What both transports share: how a request looks, and what httpx's errors mean."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._url = endpoint.url
        self._headers = {
            "Authorization": f"Bearer {endpoint.key}",
            "Accept": "application/graphql-response+json, application/json;q=0.9",
            "Content-Type": "application/json",
            "User-Agent": f"steadylight-python/{__version__} (Python {sys.version_info[0]}.{sys.version_info[1]})",
        }
        # Loading the certificate authorities takes ten times as long as the rest of the constructor: once, for the
        # clients of all loops, and not at all for plain HTTP, which never leaves for https since nothing redirects.
        self._tls = httpx.create_ssl_context(verify=self._url.startswith("https:"))

    def _settings(self) -> dict[str, Any]:
        return {"headers": self._headers, "limits": _LIMITS, "verify": self._tls, "timeout": 30.0}

    def _failure(self, error: Exception) -> Answer:
        if isinstance(error, httpx.TimeoutException | TimeoutError):
            return _after(error, Timeout(f"{self._url} did not answer in time."))
        if isinstance(error, httpx.DecodingError):
            return _after(error, ProtocolError("The answer is not in the encoding that it claims."))
        # Whatever else a transport raises: whoever delivers must outlive it.
        return _after(error, Unreachable(f"{self._url} cannot be reached: {str(error) or type(error).__name__}"))


class BlockingTransport(_Common):
    """Sends requests one by one for each thread that asks; threads share the connections."""

    def __init__(self, endpoint: Endpoint, transport: httpx.BaseTransport | None = None) -> None:
        super().__init__(endpoint)
        self._transport = transport
        self._client = self._made()

    def _made(self) -> httpx.Client:
        return httpx.Client(transport=self._transport, **self._settings())

    def send(self, request: Request) -> Answer:
        """The answer, or the network's failure, at most `request.timeout` seconds later, a slow DNS apart."""
        deadline = _Deadline(request.timeout)
        try:
            asked = self._client.build_request(
                "POST", self._url, content=request.body, headers=request.headers, extensions={"timeout": deadline}
            )
            answer = self._client.send(asked, stream=True)
            try:
                body = bytearray()
                for piece in answer.iter_bytes():
                    body += piece
                    if deadline.is_over:
                        return Timeout(f"{self._url} did not finish its answer in time.")
            finally:
                answer.close()
            return Response(answer.status_code, answer.headers, bytes(body))
        except Exception as error:
            return self._failure(error)

    def start_over(self) -> None:
        """In a forked child: connections of its own. The parent's are dropped, not closed: they still serve it."""
        self._inherited = self._client
        self._client = self._made()

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()


class AsyncTransport(_Common):
    """Sends requests for tasks. Connections belong to the event loop that opened them, so each loop has its own."""

    def __init__(
        self, endpoint: Endpoint, transport: httpx.AsyncBaseTransport | httpx.BaseTransport | None = None
    ) -> None:
        super().__init__(endpoint)
        self._endpoint = endpoint
        self._transport = transport
        self._clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient]
        self._clients = weakref.WeakKeyDictionary()
        self._spare: httpx.AsyncClient | None = self._made()

    def _made(self) -> httpx.AsyncClient:
        transport: Any = self._transport
        return httpx.AsyncClient(transport=transport, **self._settings())

    def _client(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients[loop] = self._spare or self._made()
            self._spare = None
        return self._clients[loop]

    async def send(self, request: Request) -> Answer:
        """The answer, or the network's failure, at most `request.timeout` seconds later."""
        try:
            async with asyncio.timeout(request.timeout):
                answer = await self._client().post(
                    self._url, content=request.body, headers=request.headers, timeout=request.timeout
                )
            return Response(answer.status_code, answer.headers, answer.content)
        except Exception as error:
            return self._failure(error)

    def blocking(self) -> BlockingTransport | None:
        """The same without a loop, for what is left at exit; None when the given transport is async only."""
        if self._transport is None:
            return BlockingTransport(self._endpoint)
        if isinstance(self._transport, httpx.BaseTransport):
            return BlockingTransport(self._endpoint, self._transport)
        return None

    def start_over(self) -> None:
        """In a forked child: no connections. The parent's are dropped, not closed: they still serve it."""
        self._inherited = self._clients
        self._clients = weakref.WeakKeyDictionary()
        self._spare = self._made()

    async def close(self) -> None:
        """Closes the connections of this loop."""
        client = self._clients.pop(asyncio.get_running_loop(), self._spare)
        if client is not None:
            await client.aclose()


def _after(cause: Exception, error: _Error) -> _Error:
    error.__cause__ = cause
    return error
