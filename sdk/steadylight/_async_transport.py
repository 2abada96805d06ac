"""Plays requests over httpx in event loops; see `_transport`."""

import asyncio
import weakref
from typing import Any

import httpx

from ._answers import Answer, Response
from ._options import Endpoint
from ._protocol import Request
from ._transport import BlockingTransport, Transport


class AsyncTransport(Transport):
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
        return httpx.AsyncClient(transport=transport, **self.settings())

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
                    self.url, content=request.body, headers=request.headers, timeout=request.timeout
                )
            return Response(answer.status_code, answer.headers, answer.content)
        except Exception as error:
            return self.failure(error)

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
