"""GraphQL over HTTP, to the letter of its specification (https://graphql.github.io/graphql-over-http/draft/).

    method     GET for queries, POST for queries and mutations         else 405
    Accept     application/graphql-response+json or application/json   else 406; json where the caller does not mind
    body       JSON in UTF-8, plain or gzip, at most `max_body_bytes`  else 415, 413
    JSON       an object whose parameters have the right types         else 400
    document   parsed, within the limits, valid, variables coerced     else 400 as graphql-response+json, 200 as json
    fields     a field that fails                                      200, with `data`

The order is the one in which the checks cost: a wrong key is told before the JSON is looked at. Nobody-in-particular
may ask for `__typename` and is told 401 for everything else.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import orjson
import structlog
from graphql import GraphQLError, OperationType
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from steadylight_server.access.models import Viewer
from steadylight_server.api import bodies
from steadylight_server.api.documents import Document, Refused
from steadylight_server.api.errors import JSON, STATUS, Schema, answer, refusal, shown
from steadylight_server.core import metrics
from steadylight_server.core.config import Settings
from steadylight_server.core.errors import Forbidden, Invalid, SteadylightError

GRAPHQL_RESPONSE = "application/graphql-response+json"

# The failures of a well-formed request; as application/json they are told with 200, as before the newer media type.
_OF_THE_DOCUMENT = frozenset({"INVALID", "TOO_COMPLEX"})


class Context(Protocol):
    """What a request carries to the resolvers, as far as this layer looks at it."""

    @property
    def viewer(self) -> Viewer | None:
        """None for nobody-in-particular, who sent no credential at all."""

    async def begin(self) -> None:
        """Counts one operation. Raises RateLimited. Only WebSockets, which have many, call this."""

    async def watch_credential(self) -> None:
        """Returns when the credential has ended. Only WebSockets wait for it."""


ContextFor = Callable[[HTTPConnection], Awaitable[Context]]
"""Looks at the headers of a request or of a WebSocket's handshake. Raises Unauthenticated for a wrong credential."""


class _NotServed(Exception):
    """A request refused by HTTP itself, with a status of its own."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.error = Invalid(message)
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a GraphQL request consists of. `extensions` are checked for their type and otherwise unused."""

    query: str
    operation_name: str | None = None
    variables: dict[str, Any] | None = None

    @classmethod
    def of(cls, given: object) -> "Parameters":
        """Raises Invalid, naming the parameter, if one is missing or of the wrong type."""
        if not isinstance(given, dict):
            raise Invalid("The request must be a JSON object.")
        query = given.get("query")
        if not isinstance(query, str):
            raise Invalid("`query` must be given, as a string.")
        operation_name = given.get("operationName")
        if not isinstance(operation_name, str | None):
            raise Invalid("`operationName` must be a string or null.")
        for name in ("variables", "extensions"):
            if not isinstance(given.get(name), dict | None):
                raise Invalid(f"`{name}` must be an object or null.")
        return cls(query, operation_name or None, given.get("variables"))


class GraphQLEndpoint:
    """An ASGI application that answers GET and POST at one path. For `Route(path, endpoint=…)`."""

    def __init__(self, schema: Schema, context_for: ContextFor, settings: Settings) -> None:
        self._schema = schema
        self._context_for = context_for
        self._max_body_bytes = settings.max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        request = Request(scope, receive)
        response = await self._respond(request)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        media_type = negotiated(",".join(request.headers.getlist("accept")))
        shown_as = media_type or JSON
        try:
            if request.method not in ("GET", "POST"):
                raise _NotServed(405, "GraphQL is served by GET and POST.", Allow="GET, POST")
            if media_type is None:
                raise _NotServed(406, f"The answer can be {GRAPHQL_RESPONSE} or {JSON}.")
            body = await bodies.read(request, self._max_body_bytes)
            context = await self._context_for(request)
            if context.viewer is not None and context.viewer.channel is not None:
                structlog.contextvars.bind_contextvars(channel=context.viewer.channel)
            parameters = Parameters.of(
                _in_the_url(request) if request.method == "GET" else self._in_a_body(request, body)
            )
            return await self._run(parameters, context, request.method, media_type)
        except _NotServed as refused:
            return refusal(refused.error, status=refused.status, media_type=shown_as, headers=refused.headers)
        except bodies.TooLarge as error:
            return refusal(error, status=413, media_type=shown_as, headers={"Connection": "close"})
        except SteadylightError as error:
            return refusal(error, media_type=shown_as)

    def _in_a_body(self, request: Request, body: bytes) -> object:
        kind, charset = _content_type(request.headers.get("content-type", ""))
        if kind != JSON or charset not in ("utf-8", "utf8"):
            raise _NotServed(415, f"The body must be {JSON} in UTF-8, and Content-Type must say so.", Accept_Post=JSON)
        encoding = request.headers.get("content-encoding", "identity").strip().lower()
        if encoding == "gzip":
            body = bodies.inflate(body, self._max_body_bytes)
        elif encoding != "identity":
            raise _NotServed(415, "The body may be encoded with gzip only.", Accept_Encoding="gzip")
        return _json(body, "The body")

    async def _run(self, parameters: Parameters, context: Context, method: str, media_type: str) -> Response:
        try:
            document = self._document(parameters.query, context)
            operation = document.operation(parameters.operation_name)
            self._schema.check(document, operation, context.viewer)
        except Refused as refused:
            return _request_error(refused.errors, media_type)
        except (Invalid, Forbidden) as error:
            return _request_error([GraphQLError(error.message, original_error=error)], media_type)
        if operation.operation is OperationType.SUBSCRIPTION:
            raise _NotServed(
                405, "Subscriptions are served over a WebSocket, by graphql-transport-ws.", Allow="GET, POST"
            )
        if method == "GET" and operation.operation is not OperationType.QUERY:
            raise _NotServed(405, "A GET may only query.", Allow="POST")
        metrics.operation_run(document.label)
        result = await self._schema.execute(
            document,
            variable_values=parameters.variables,
            context_value=context,
            operation_name=operation.name.value if operation.name else None,
        )
        if result.errors and result.data is None and all(error.path is None for error in result.errors):
            return _request_error(result.errors, media_type)
        body: dict[str, Any] = {"errors": [error.formatted for error in result.errors]} if result.errors else {}
        body["data"] = result.data
        if result.extensions:
            body["extensions"] = result.extensions
        return answer(body, 200, media_type)

    def _document(self, query: str, context: Context) -> Document:
        documents = self._schema.documents
        return documents.read_for_nobody(query) if context.viewer is None else documents.read(query)


def _request_error(errors: list[GraphQLError], media_type: str) -> Response:
    formatted = [shown(error).formatted for error in errors]
    code = formatted[0]["extensions"]["code"]
    status = 200 if media_type == JSON and code in _OF_THE_DOCUMENT else STATUS.get(code, 500)
    return answer({"errors": formatted}, status, media_type)


def _in_the_url(request: Request) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        if name in given:
            raise Invalid(f"`{name}` is given twice.")
        given[name] = _json(value, f"`{name}`") if name in ("variables", "extensions") else value
    return given


def _json(text: bytes | str, what: str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"{what} must be JSON in UTF-8.") from error


@lru_cache(maxsize=64)
def _content_type(header: str) -> tuple[str, str]:
    """The media type and its charset, UTF-8 where none is said."""
    kind, parameters = _parameters(header)
    return kind, parameters.get("charset", "utf-8")


@lru_cache(maxsize=256)
def negotiated(accept: str) -> str | None:
    """The media type to answer with for an Accept header; None if the caller takes neither.

    The highest quality wins, then the more exactly named, then the first. Without a preference it is application/json,
    which every client understands.
    """
    if not accept.strip():
        return JSON
    ranges = [_range(item, position) for position, item in enumerate(accept.split(",")) if item.strip()]
    chosen = max((_rank(offer, ranges) for offer in (JSON, GRAPHQL_RESPONSE)), key=lambda rank: rank[:-1])
    return chosen[-1] if chosen[0] > 0 else None


_Range = tuple[str, float, int]
_Rank = tuple[float, int, int, str]


def _range(item: str, position: int) -> _Range:
    kind, parameters = _parameters(item)
    try:
        quality = float(parameters.get("q", "1"))
    except ValueError:
        quality = 0.0
    return kind, quality, position


def _rank(offer: str, ranges: list[_Range]) -> _Rank:
    """How much the caller wants the offer: quality, exactness and place of the most exact range that covers it."""
    for exactness, name in ((2, offer), (1, "application/*"), (0, "*/*")):
        for kind, quality, position in ranges:
            if kind == name:
                return quality, exactness, -position, offer
    return 0.0, 0, 0, offer


def _parameters(value: str) -> tuple[str, Mapping[str, str]]:
    kind, *rest = value.split(";")
    pairs = (parameter.partition("=") for parameter in rest)
    return kind.strip().lower(), {name.strip().lower(): text.strip(' "').lower() for name, _, text in pairs}
