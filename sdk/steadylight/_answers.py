"""Judges what came back. Pure: an answer in; data, verdicts or one of the SDK's errors out.

GraphQL errors may come with HTTP 200, and proxies answer with pages of their own: so the body is read first, and the
status only where the body says nothing.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from ._errors import (
    Forbidden,
    Internal,
    Invalid,
    ProtocolError,
    RateLimited,
    SteadylightError,
    Timeout,
    Unauthenticated,
    Unavailable,
    Unreachable,
    of_code,
)
from ._plain import Notice, Verdict

# An hour. A longer wait is taken for a mistake, such as a date in another time zone.
_LONGEST_RETRY_AFTER = 3600.0


class Response(NamedTuple):
    """What the server sent; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


#: What a transport brings back: it does not raise, since a failure is news like any other to the protocol.
Answer = Response | Timeout | Unreachable | ProtocolError


class Judgement(NamedTuple):
    """A verdict per action, in order: S stored, D duplicate, X refused, R retry."""

    letters: str
    exceptions: Sequence[Verdict] = ()
    notices: Sequence[Notice] = ()
    token: str | None = None


def read(answer: Answer, now: datetime) -> dict[str, Any]:
    """The `data` of the answer. Raises the error that the answer tells of. `now` is for a Retry-After date."""
    if isinstance(answer, SteadylightError):
        raise answer
    request_id = answer.headers.get("x-request-id")
    wait = retry_after(answer.headers.get("retry-after"), now)
    body = _parsed(answer.body)
    if isinstance(body, dict) and isinstance(body.get("errors"), list) and body["errors"]:
        raise _told(body["errors"], request_id, wait, now)
    if answer.status >= 400:
        raise _by_status(answer.status, request_id, wait)
    if not isinstance(body, dict) or not isinstance(body.get("data"), dict):
        raise ProtocolError(
            f"The answer (HTTP {answer.status}) is not GraphQL. Is this the URL of a Steadylight server?",
            request_id=request_id,
        )
    data: dict[str, Any] = body["data"]
    return data


def judge(answer: Answer, count: int, now: datetime) -> Judgement:
    """The verdicts on `count` actions. Raises as `read`, and ProtocolError unless each action has a verdict."""
    data = read(answer, now)
    try:
        batch = data["recordActions"]["verdicts"]
        letters = batch["verdicts"]
        if len(letters) != count or not set(letters) <= set("SDXR"):
            raise ProtocolError(f"{count} actions were sent, and the verdicts are {str(letters)[:40]!r}.")
        return Judgement(
            letters,
            tuple(map(_verdict, batch.get("exceptions", ()))),
            tuple(map(_notice, batch.get("warnings", ()))),
            batch.get("token"),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ProtocolError("The verdicts are not in a form that this version of the SDK knows.") from error


def _verdict(told: Mapping[str, Any]) -> Verdict:
    """Raises KeyError and TypeError for what is none."""
    id, verdict = told.get("id"), told["verdict"]
    if verdict not in ("REFUSED", "RETRY") or not isinstance(id, str | None):
        raise TypeError
    notice = _notice(told)
    return Verdict(index=notice.index, id=id, verdict=verdict, code=notice.code, message=notice.message)


def _notice(told: Mapping[str, Any]) -> Notice:
    """Raises KeyError and TypeError for what is none."""
    index, code, message = told["index"], told["code"], told.get("message", "")
    if type(index) is not int or not isinstance(code, str) or not isinstance(message, str):
        raise TypeError
    return Notice(index=index, code=code, message=message)


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds, from a Retry-After header in either form: a number, or an HTTP date. None when there is none."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
        except ValueError:
            return None
        # RFC 9110 dates are in GMT, also where one does not say so.
        seconds = ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds()
    return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER) if seconds == seconds else None


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _told(errors: list[Any], request_id: str | None, wait: float | None, now: datetime) -> SteadylightError:
    """The first error, in its class; the rest is in `.errors`."""
    known = [error for error in errors if isinstance(error, dict)]
    first = known[0] if known else {}
    extensions = first.get("extensions")
    extensions = extensions if isinstance(extensions, dict) else {}
    code = str(extensions.get("code") or "UNKNOWN")
    asked = retry_after(str(extensions["retryAfter"]), now) if "retryAfter" in extensions else None
    return of_code(code)(
        str(first.get("message") or "The server answered with an error that says nothing."),
        code=code,
        request_id=extensions.get("requestId") or request_id,
        retry_after=max((each for each in (wait, asked) if each is not None), default=None),
        errors=known,
    )


def _by_status(status: int, request_id: str | None, wait: float | None) -> SteadylightError:
    kinds: dict[int, type[SteadylightError]] = {
        401: Unauthenticated,
        403: Forbidden,
        413: Invalid,
        429: RateLimited,
        500: Internal,
    }
    kind = kinds.get(status, Unavailable if status > 500 else ProtocolError)
    return kind(f"The server, or something before it, answered HTTP {status}.", request_id=request_id, retry_after=wait)
