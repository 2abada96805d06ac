"""Plays requests over httpx, blocking here and async in `_async_transport`: the only network I/O of the SDK.

Everything that httpx needs is built in the constructor: TLS contexts and first imports in a background thread, with
a fork in between, break the child. A failure is returned, not raised: to the protocol it is news like any other.
"""

import encodings.idna  # noqa: F401 - getaddrinfo would import it at the first request, in the background thread
import sys
import time
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


class Transport:
    """What both transports share: how a request looks, and what httpx's errors mean."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.url = endpoint.url
        self._headers = {
            "Authorization": f"Bearer {endpoint.key}",
            "Accept": "application/graphql-response+json, application/json;q=0.9",
            "Content-Type": "application/json",
            "User-Agent": f"steadylight-python/{__version__} (Python {sys.version_info[0]}.{sys.version_info[1]})",
        }
        # Loading the certificate authorities takes ten times as long as the rest of the constructor: once, for the
        # clients of all loops, and not at all for plain HTTP, which never leaves for https since nothing redirects.
        self._tls = httpx.create_ssl_context(verify=self.url.startswith("https:"))

    def settings(self) -> dict[str, Any]:
        """Of an httpx client."""
        return {"headers": self._headers, "limits": _LIMITS, "verify": self._tls, "timeout": 30.0}

    def failure(self, error: Exception) -> Answer:
        """What an error of httpx, or of whatever transport was given, means."""
        if isinstance(error, httpx.TimeoutException | TimeoutError):
            return _after(error, Timeout(f"{self.url} did not answer in time."))
        if isinstance(error, httpx.DecodingError):
            return _after(error, ProtocolError("The answer is not in the encoding that it claims."))
        # Whatever else a transport raises: whoever delivers must outlive it.
        return _after(error, Unreachable(f"{self.url} cannot be reached: {str(error) or type(error).__name__}"))


class BlockingTransport(Transport):
    """Sends requests one by one for each thread that asks; threads share the connections."""

    def __init__(self, endpoint: Endpoint, transport: httpx.BaseTransport | None = None) -> None:
        super().__init__(endpoint)
        self._transport = transport
        self._client = self._made()

    def _made(self) -> httpx.Client:
        return httpx.Client(transport=self._transport, **self.settings())

    def send(self, request: Request) -> Answer:
        """The answer, or the network's failure, at most `request.timeout` seconds later, a slow DNS apart."""
        deadline = _Deadline(request.timeout)
        try:
            asked = self._client.build_request(
                "POST", self.url, content=request.body, headers=request.headers, extensions={"timeout": deadline}
            )
            answer = self._client.send(asked, stream=True)
            try:
                body = bytearray()
                for piece in answer.iter_bytes():
                    body += piece
                    if deadline.is_over:
                        return Timeout(f"{self.url} did not finish its answer in time.")
            finally:
                answer.close()
            return Response(answer.status_code, answer.headers, bytes(body))
        except Exception as error:
            return self.failure(error)

    def start_over(self) -> None:
        """In a forked child: connections of its own. The parent's are dropped, not closed: they still serve it."""
        self._inherited = self._client
        self._client = self._made()

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()


def _after(cause: Exception, error: _Error) -> _Error:
    error.__cause__ = cause
    return error
