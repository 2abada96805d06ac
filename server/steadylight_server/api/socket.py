"""GraphQL over WebSocket: graphql-transport-ws, on the path that HTTP has. strawberry speaks it; the rules are ours.

The credential is the handshake's `Authorization` header or, since browsers cannot set one,
`connection_init`'s payload `{"authorization": "Bearer <key>"}`; see `api/credentials`. Without one no operation runs.

    close code   when
    4401         no credential, a wrong one, or one that has ended since
    4403         a credential that may not do this
    4400         a message that is not the protocol's
    4406         another sub-protocol than graphql-transport-ws
    1013         the server cannot check the credential now; try again later
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from json import JSONDecodeError
from typing import Any, cast

import orjson
import structlog
from graphql import GraphQLError
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from strawberry.asgi import ASGIWebSocketAdapter, GraphQL
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    ConnectionInitMessage,
    Message,
    SubscribeMessage,
)

from steadylight_server.api.credentials import HEADERS
from steadylight_server.api.documents import Refused
from steadylight_server.api.errors import Schema, shown
from steadylight_server.api.http import Context, ContextFor
from steadylight_server.core import metrics
from steadylight_server.core.config import Settings
from steadylight_server.core.errors import Forbidden, RateLimited, Retryable, SteadylightError, Unauthenticated

log = structlog.get_logger("steadylight.socket")

# A page shows a few customers at a time; a desk with more windows opens a second socket.
_MAX_OPERATIONS = 50
_INIT_WITHIN = timedelta(seconds=10)


class _Handler(BaseGraphQLTransportWSHandler[Any, None]):
    """One connection."""

    schema: Schema
    view: "GraphQLSocket"
    websocket: ASGIWebSocketAdapter
    _watch: asyncio.Task[None] | None = None

    async def handle_message(self, message: Message) -> None:
        """Refuses what has not the shape of the protocol before anything looks inside."""
        if self.websocket.ws.application_state is WebSocketState.DISCONNECTED:
            return  # sent before the client learned that its credential had ended
        if _is_well_formed(message):
            await super().handle_message(message)
        else:
            await self.handle_invalid_message("Malformed message")

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        """Lets the caller in, or closes."""
        if not self.connection_init_received:
            try:
                self.context = await self._authenticate(message.get("payload") or {})
            except SteadylightError as error:
                self.connection_init_received = True
                await self._close(*_refusal(error))
                return
        await super().handle_connection_init(message)
        if self.connection_acknowledged and self._watch is None:
            self._watch = asyncio.create_task(self._end_with_the_credential(self.context))

    async def _authenticate(self, payload: dict[str, object]) -> Context:
        context = await self.view.context_for(_connection(self.websocket.ws, payload))
        if context.viewer is None:
            raise Unauthenticated("A WebSocket needs a credential.")
        if context.viewer.channel is not None:
            structlog.contextvars.bind_contextvars(channel=context.viewer.channel)
        return context

    async def _end_with_the_credential(self, context: Context) -> None:
        code, reason = 4401, "Credential ended"
        try:
            await context.watch_credential()
        except Exception as error:
            # Not knowing whether a credential still holds must not keep anything open; the client comes again.
            log.error("unexpected error", exc_info=error)
            code, reason = 1013, "Try again later"
        for operation_id in list(self.operations):
            await self.cleanup_operation(operation_id)
        await self._close(code, reason)

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        """Runs an operation under the same limits, cache and errors as over HTTP."""
        if not self.connection_acknowledged or message["id"] in self.operations:
            await super().handle_subscribe(message)
            return
        payload = message["payload"]
        try:
            if len(self.operations) >= _MAX_OPERATIONS:
                raise RateLimited(f"At most {_MAX_OPERATIONS} operations may be open on one WebSocket.")
            if self.view.open[self._asker] >= self.view.most_open:
                raise RateLimited(f"At most {self.view.most_open:,} operations may be open with one credential.")
            document = self.schema.documents.read(payload["query"])
            operation = document.operation(payload.get("operationName"))
            self.schema.check(document, operation, self.context.viewer)
            await self.context.begin()
        except Refused as refused:
            await self._refuse(message["id"], refused.errors)
        except SteadylightError as error:
            await self._refuse(message["id"], [GraphQLError(error.message, original_error=error)])
        else:
            metrics.operation_run(document.label)
            payload["query"] = document
            payload["operationName"] = operation.name.value if operation.name else None
            await super().handle_subscribe(message)

    async def _refuse(self, operation_id: str, errors: list[GraphQLError]) -> None:
        await self.send_message(
            {"id": operation_id, "type": "error", "payload": [shown(error).formatted for error in errors]}
        )

    async def run_operation(self, operation: Operation[Any, None]) -> None:
        """Counts the operation for as long as it is open."""
        self.view.open[self._asker] += 1
        try:
            with metrics.subscription_open():
                await super().run_operation(operation)
        finally:
            self.view.open[self._asker] -= 1
            self.view.open += Counter()  # forgets those who have none open

    @property
    def _asker(self) -> str:
        return self.context.viewer.id if self.context.viewer else ""

    async def handle_task_exception(self, error: Exception) -> None:
        """A client that vanishes while it is being sent something is no event; anything else is a fault of ours."""
        if not isinstance(error, WebSocketDisconnected):
            log.error("unexpected error", exc_info=error)

    async def shutdown(self) -> None:
        """Ends what was open: every operation's generator is closed when this returns."""
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
        await super().shutdown()

    async def _close(self, code: int, reason: str) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):  # gone or closed already
            await self.websocket.close(code, reason)


class GraphQLSocket(GraphQL[Any, None]):
    """An ASGI application for `WebSocketRoute(path, endpoint=…)`. Pages of foreign origins must be in the settings."""

    graphql_transport_ws_handler_class = _Handler

    def __init__(self, schema: Schema, context_for: ContextFor, settings: Settings) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=_INIT_WITHIN,
            max_subscriptions_per_connection=None,
            allowed_origins=settings.allowed_origins,
        )
        self.context_for = context_for
        self.most_open = settings.max_subscriptions
        self.open: Counter[str] = Counter()

    async def get_context(self, request: Any, response: Any) -> Any:
        """Nothing yet: who asks is known after `connection_init`."""
        return None

    def encode_json(self, data: object) -> str:
        """Text, since the protocol allows no binary messages."""
        return orjson.dumps(data).decode()

    def decode_json(self, data: str | bytes) -> object:
        """Raises JSONDecodeError."""
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise JSONDecodeError(error.msg, error.doc, error.pos) from error


def _connection(socket: WebSocket, payload: Mapping[str, object]) -> HTTPConnection:
    """The handshake as the application's `context_for` reads it, with the payload's credentials in their place."""
    given = {name: payload[name] for name in HEADERS if payload.get(name) is not None}
    if not all(isinstance(value, str) for value in given.values()):
        raise Unauthenticated(f"{', '.join(given)}: must be text.")
    headers = [(name, value) for name, value in socket.scope["headers"] if name.decode("latin-1") not in given]
    headers += [(name.encode(), str(value).encode("latin-1", "replace")) for name, value in given.items()]
    return HTTPConnection({**socket.scope, "headers": headers})


def _refusal(error: SteadylightError) -> tuple[int, str]:
    if isinstance(error, Forbidden):
        return 4403, "Forbidden"
    if isinstance(error, Retryable):
        return 1013, "Try again later"
    return 4401, "Unauthorized"


def _is_well_formed(message: object) -> bool:
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return False
    match message["type"]:
        case "connection_init":
            return isinstance(message.get("payload"), dict | None)
        case "complete":
            return isinstance(message.get("id"), str)
        case "subscribe":
            payload = cast("dict[str, object]", message.get("payload"))
            return (
                isinstance(message.get("id"), str)
                and isinstance(payload, dict)
                and isinstance(payload.get("query"), str)
                and isinstance(payload.get("operationName"), str | None)
                and isinstance(payload.get("variables"), dict | None)
            )
        case _:
            return True
