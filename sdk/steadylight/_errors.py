"""Everything this SDK raises: one class per code of the contract, and three for what happens on the way there.

SteadylightError            the base; also what a code means that this version does not know yet
  Misconfigured             no URL or key, or one that cannot work; raised by the constructor only
  Timeout                   the deadline passed before an answer was complete
  Unreachable               no connection, or it was cut
  ProtocolError             something answered, but not a Steadylight
  NotFound                  NOT_FOUND: there is no such thing, or this key may not know of it
  Conflict                  CONFLICT: it contradicts what is stored
  Invalid                   INVALID: the request is outside of the contract
  Unauthenticated           UNAUTHENTICATED: no key, or one that is wrong, expired or revoked
  Forbidden                 FORBIDDEN: the key is good, but not for this
  RateLimited               RATE_LIMITED: too many requests; `retry_after` says when to come back
  TooComplex                TOO_COMPLEX: the GraphQL document asks for too much at once
  Unavailable               UNAVAILABLE: the server cannot answer now; the same request may succeed later
  Internal                  INTERNAL: a fault of the server; `request_id` finds it in its log
"""

from collections.abc import Sequence
from typing import Any, ClassVar


class SteadylightError(Exception):
    """The base of all errors of this SDK; catching it catches everything that a verb can raise."""

    default_code: ClassVar[str] = "UNKNOWN"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        errors: Sequence[dict[str, Any]] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        #: Stable, for programs; the message is for people and may change.
        self.code = code or self.default_code
        #: What the server calls this request in its log; None when no server answered.
        self.request_id = request_id
        #: Seconds the server asked to wait at least; None when it did not say.
        self.retry_after = retry_after
        #: The GraphQL errors as they came, first one first; empty when the answer held none.
        self.errors = tuple(errors)

    def __str__(self) -> str:
        return f"{self.message} (request {self.request_id})" if self.request_id else self.message


class Misconfigured(SteadylightError):
    """The client cannot work with this URL or key; the message says what to set."""

    default_code = "MISCONFIGURED"


class Timeout(SteadylightError):
    """The deadline passed before an answer was complete; the server may or may not have acted."""

    default_code = "TIMEOUT"


class Unreachable(SteadylightError):
    """No connection could be made, or it was cut; the server may or may not have acted."""

    default_code = "UNREACHABLE"


class ProtocolError(SteadylightError):
    """The answer makes no sense: usually a proxy, a login page or another server at this URL."""

    default_code = "PROTOCOL"


class NotFound(SteadylightError):
    """There is no such thing, or this key may not know of it."""

    default_code = "NOT_FOUND"


class Conflict(SteadylightError):
    """The request contradicts what is stored."""

    default_code = "CONFLICT"


class Invalid(SteadylightError):
    """The request is outside of the contract; sending it again cannot help."""

    default_code = "INVALID"


class Unauthenticated(SteadylightError):
    """No key, or one that is wrong, expired or revoked."""

    default_code = "UNAUTHENTICATED"


class Forbidden(SteadylightError):
    """The key is good, but not for this."""

    default_code = "FORBIDDEN"


class RateLimited(SteadylightError):
    """Too many requests; `retry_after` says when to come back."""

    default_code = "RATE_LIMITED"


class TooComplex(SteadylightError):
    """The GraphQL document asks for too much at once."""

    default_code = "TOO_COMPLEX"


class Unavailable(SteadylightError):
    """The server cannot answer now; the same request may succeed later."""

    default_code = "UNAVAILABLE"


class Internal(SteadylightError):
    """A fault of the server; `request_id` finds it in its log."""

    default_code = "INTERNAL"


_BY_CODE: dict[str, type[SteadylightError]] = {
    kind.default_code: kind
    for kind in (
        NotFound,
        Conflict,
        Invalid,
        Unauthenticated,
        Forbidden,
        RateLimited,
        TooComplex,
        Unavailable,
        Internal,
    )
}


def of_code(code: str) -> type[SteadylightError]:
    """The class of a code of the contract; the base for a code that this version does not know."""
    return _BY_CODE.get(code, SteadylightError)
