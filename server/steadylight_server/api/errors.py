"""How errors are shown: `{"message", "path"?, "extensions": {"code", "requestId", …}}`, in GraphQL and outside of it.

    a SteadylightError                    its own message and code
    what the caller wrote cannot be run   graphql-core's message, code INVALID
    anything else                         "Something went wrong on our side.", code INTERNAL; logged once with its stack

`STATUS` gives the HTTP status where a whole request fails with a code.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
import strawberry
import structlog
from graphql import GraphQLError, OperationDefinitionNode
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from strawberry.exceptions import StrawberryInputCoercionError
from strawberry.types import ExecutionContext

from steadylight_server.access.models import Viewer
from steadylight_server.api.documents import Document, Documents, Prepared
from steadylight_server.api.limits import Limits
from steadylight_server.api.permissions import Permissions, Rule
from steadylight_server.core.errors import Retryable, SteadylightError
from steadylight_server.core.requests import INTERNAL_MESSAGE, failure, request_id

log = structlog.get_logger("steadylight.graphql")

JSON = "application/json"

STATUS: Mapping[str, int] = {
    "INVALID": 400,
    "TOO_COMPLEX": 400,
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "CONFLICT": 409,
    "RATE_LIMITED": 429,
    "UNAVAILABLE": 503,
}
# What routing may answer by itself, in this project's codes; other 4xx are INVALID.
_CODES = {401: "UNAUTHENTICATED", 403: "FORBIDDEN", 404: "NOT_FOUND", 429: "RATE_LIMITED", 503: "UNAVAILABLE"}


class Schema(strawberry.Schema):
    """A strawberry schema whose documents are prepared once and whose errors are fit to be shown."""

    def __init__(
        self,
        query: type,
        mutation: type | None = None,
        subscription: type | None = None,
        *,
        limits: Limits | None = None,
        trusted: Iterable[str] = (),
        permissions: Mapping[Rule, Iterable[str]] | None = None,
        **options: Any,
    ) -> None:
        """`trusted` are the texts of the operations that the server knows by name; `options` are strawberry's.

        Without `permissions` whoever is known may do everything.
        """
        options["extensions"] = [*options.get("extensions", ()), Prepared]
        super().__init__(query, mutation, subscription, **options)
        self.documents = Documents(self._schema, limits or Limits(), trusted)
        self._permissions = Permissions(self._schema, permissions) if permissions is not None else None

    def check(self, document: Document, operation: OperationDefinitionNode, viewer: Viewer | None) -> None:
        """Whether the viewer may run it. Raises Forbidden. Nobody-in-particular was judged as the document was read."""
        if self._permissions is not None and viewer is not None:
            document.check(operation, viewer, self._permissions)

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Replaces each error by what the caller may see. strawberry passes the very list that it then answers with."""
        errors[:] = [shown(error) for error in errors]


class _Shown(GraphQLError):
    """An error that is fit to be shown already, so that showing it twice changes nothing."""


def shown(error: GraphQLError) -> GraphQLError:
    """The error as the caller may see it, with code and request id. Logs what is unexpected."""
    if isinstance(error, _Shown):
        return error
    cause = _root(error)
    if isinstance(cause, SteadylightError):
        message, extensions = cause.message, cause.extensions
        log.info("refused", code=cause.code, path=error.path)
    elif _is_the_callers(error, cause):
        message, extensions = error.message, {"code": "INVALID"}
        log.info("refused", code="INVALID", path=error.path)
    else:
        message, extensions = INTERNAL_MESSAGE, {"code": "INTERNAL"}
        log.error("unexpected error", path=error.path, exc_info=cause)
    return _Shown(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions={**extensions, "requestId": request_id()},
    )


def _root(error: GraphQLError) -> Exception:
    cause: Exception = error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def _is_the_callers(error: GraphQLError, cause: Exception) -> bool:
    """Whether the fault lies in what was sent: the document, a variable or an argument.

    graphql-core points every such error at a place in the document. While a field is resolved, only an argument's does;
    a result that does not fit the schema is a GraphQLError as well, without a place, and may quote what is stored.
    strawberry's own check of a `@oneOf` input has no place either, but a type of its own.
    """
    if isinstance(cause, StrawberryInputCoercionError):
        return True
    if error.path is None:
        # A scalar's own parser refuses with ValueError or TypeError; anything else it raises is a bug of ours.
        return bool(error.locations) and isinstance(cause, GraphQLError | ValueError | TypeError)
    raised = error.original_error
    return isinstance(raised, GraphQLError) and bool(raised.locations) and isinstance(cause, GraphQLError)


def refusal(
    error: SteadylightError,
    *,
    status: int | None = None,
    media_type: str = JSON,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer to a request that fails as a whole; `Retry-After` in whole seconds, rounded up, where it helps."""
    headers = dict(headers or {})
    status = status or STATUS[error.code]
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, Retryable):
        headers["Retry-After"] = str(max(1, -int(-error.retry_after // 1)))
    return answer({"errors": [failure(message=error.message, **error.extensions)]}, status, media_type, headers)


def answer(body: Mapping[str, Any], status: int, media_type: str, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response that no cache keeps: nearly all of them are about one customer."""
    return Response(
        orjson.dumps(body),
        status,
        {
            "Content-Type": f"{media_type}; charset=utf-8",
            "Cache-Control": "no-store",
            "Vary": "Accept, Authorization, Cookie, Steadylight-Customer",
            **(headers or {}),
        },
    )


async def http_error(request: Request, error: Exception) -> Response:
    """Starlette's handler for its HTTPException: a path that is not there, a method that is not allowed."""
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "INVALID")
    body = {"errors": [failure(code, error.detail)]}
    return answer(body, error.status_code, JSON, error.headers)


async def steadylight_error(request: Request, error: Exception) -> Response:
    """Starlette's handler for an expected failure outside of GraphQL."""
    assert isinstance(error, SteadylightError)
    return refusal(error)


# For `Starlette(exception_handlers=…)`; what is unexpected is left to core/requests, the outermost layer.
HANDLERS = {HTTPException: http_error, SteadylightError: steadylight_error}
