"""Everything that can go wrong and be told to a caller. The codes are part of the contract and never change.

    SteadylightError
    ├── NotFound          NOT_FOUND        nothing there, or nothing the viewer may know of
    ├── Conflict          CONFLICT         the same id or key was used for something else
    ├── Invalid           INVALID          the input breaks a stated rule
    ├── Unauthenticated   UNAUTHENTICATED  no credential, or one that is unknown, expired or revoked
    ├── Forbidden         FORBIDDEN        the credential is good, its scopes are not enough
    ├── RateLimited       RATE_LIMITED     too much at once; try again after `retry_after` seconds
    ├── TooComplex        TOO_COMPLEX      the document is deeper, wider or longer than allowed
    └── Unavailable       UNAVAILABLE      the database cannot answer now; try again after `retry_after` seconds

Exceptions carry data only; `api/` renders them. Anything else that escapes is a fault of ours and is shown as
`INTERNAL` with nothing but the request id.
"""

from typing import Any, ClassVar


class SteadylightError(Exception):
    """An expected failure, with a stable `code` and a message written for the caller."""

    code: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @property
    def extensions(self) -> dict[str, Any]:
        """What goes beside the message in a GraphQL error; graphql-core copies it."""
        return {"code": self.code}


class NotFound(SteadylightError):
    """Nothing there, or nothing the viewer may know of: the two are told alike, so that neither can be probed."""

    code = "NOT_FOUND"


class Conflict(SteadylightError):
    """The same id, name or key is already used for something else."""

    code = "CONFLICT"


class Invalid(SteadylightError):
    """The input breaks a stated rule; the message names the field and the rule."""

    code = "INVALID"


class Unauthenticated(SteadylightError):
    """No credential, or one that is unknown, expired or revoked."""

    code = "UNAUTHENTICATED"


class Forbidden(SteadylightError):
    """The credential is good but may not do this; the message names the missing scope."""

    code = "FORBIDDEN"


class TooComplex(SteadylightError):
    """The document is deeper, wider or longer than the server allows; the message names the limit."""

    code = "TOO_COMPLEX"


class Retryable(SteadylightError):
    """Not now: the same request can succeed `retry_after` seconds later."""

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after

    @property
    def extensions(self) -> dict[str, Any]:
        """The code, and `retryAfter` in seconds."""
        return {"code": self.code, "retryAfter": self.retry_after}


class RateLimited(Retryable):
    """Too much at once from this credential."""

    code = "RATE_LIMITED"


class Unavailable(Retryable):
    """The database cannot answer now, or does not yet have what a token asks for."""

    code = "UNAVAILABLE"
