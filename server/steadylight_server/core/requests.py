"""Around every request: its id, its line in the access log, its metrics, and the last catch for what escapes.

The id is the caller's `X-Request-Id` if it looks like one, else a new one. It is in every log line of the request, in
the response's `X-Request-Id`, and in `extensions.requestId` of every error, so that a caller's report finds its log.
"""

import random
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import orjson
import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from steadylight_server.core import metrics

log = structlog.get_logger("steadylight.access")

INTERNAL_MESSAGE = "Something went wrong on our side."

# Asked every few seconds by machines: their lines would drown the others, and their speed says nothing of the graph's.
_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
_CALLERS_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
# What nginx answers to itself when the caller has gone; nobody receives it, the log and the metrics show it.
_CALLER_GONE = 499

# On every answer that says nothing else: no page may frame it, no browser guesses what it is, no address leaks.
SECURITY: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_request_id: ContextVar[str] = ContextVar("request_id", default="")


def request_id() -> str:
    """The id of the request in hand; empty outside of one."""
    return _request_id.get()


def failure(code: str, message: str, **extensions: Any) -> dict[str, Any]:
    """The one shape of an error, inside GraphQL and outside: message, code and the request's id."""
    return {"message": message, "extensions": {"code": code, **extensions, "requestId": request_id()}}


class RequestMiddleware:
    """The outermost layer of the application. Lets nothing escape but cancellation."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Plays one request or one WebSocket from its first byte to its last."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(scope, send)
        token = _request_id.set(exchange.id)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=exchange.id)
        try:
            await self.app(scope, receive, exchange.send)
        except (ClientDisconnect, WebSocketDisconnect):
            pass
        except Exception as error:
            log.error("unexpected error", exc_info=error)
            await exchange.fail()
        finally:
            exchange.record()
            _request_id.reset(token)


class _Exchange:
    """What is known of one request while it is answered."""

    def __init__(self, scope: Scope, send: Send) -> None:
        given = Headers(scope=scope).get("x-request-id", "")
        # No secret, so not the system's randomness: asking for that lets another thread go first.
        self.id = given if _CALLERS_ID.fullmatch(given) else f"{random.getrandbits(128):032x}"
        self.is_socket = scope["type"] == "websocket"
        self.method = "WEBSOCKET" if self.is_socket else str(scope["method"])
        self.path = str(scope["path"])
        self._is_encrypted = scope.get("scheme") in ("https", "wss")
        self.status: int | None = None
        self._send = send
        self._began = time.perf_counter()

    async def send(self, message: Message) -> None:
        """Passes a message on, with the id in its headers and its status remembered."""
        kind = message["type"]
        if kind in ("http.response.start", "websocket.http.response.start", "websocket.accept"):
            self.status = message.get("status", 101)
            message.setdefault("headers", [])
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self.id
            for name, value in SECURITY.items():
                headers.setdefault(name, value)
            if self._is_encrypted:
                headers["Strict-Transport-Security"] = "max-age=31536000"
        elif kind == "websocket.close" and self.status is None:
            self.status = 403
        await self._send(message)

    async def fail(self) -> None:
        """Answers 500 if nothing was answered yet; an answer already begun is cut off, so it cannot pass for whole."""
        if self.is_socket:
            with suppress(Exception):  # it may be closed already
                await self.send({"type": "websocket.close", "code": 1011, "reason": "Internal error"})
        elif self.status is None:
            body = orjson.dumps({"errors": [failure("INTERNAL", INTERNAL_MESSAGE)]})
            headers = [
                (b"content-type", b"application/json; charset=utf-8"),
                (b"content-length", str(len(body)).encode()),
            ]
            await self.send({"type": "http.response.start", "status": 500, "headers": headers})
            await self.send({"type": "http.response.body", "body": body})

    def record(self) -> None:
        """One line and one count. Never the query string, a body or a header: those hold what customers own."""
        seconds = time.perf_counter() - self._began
        status = self.status or _CALLER_GONE
        is_probe = self.path in _PROBES
        write = log.debug if is_probe else log.info
        write("request", method=self.method, path=self.path[:200], status=status, ms=round(seconds * 1000, 1))
        metrics.request_answered(self.method, status, None if is_probe or self.is_socket else seconds)
