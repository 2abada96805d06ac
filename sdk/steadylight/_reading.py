"""What reads, as exchanges that both clients play: a contact's context, a check, a new channel."""

from collections.abc import Generator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from . import _operations
from ._answers import Answer
from ._errors import (
    Internal,
    ProtocolError,
    RateLimited,
    SteadylightError,
    Timeout,
    Unauthenticated,
    Unavailable,
    Unreachable,
)
from ._known import Known
from ._models import Check, Context
from ._options import Endpoint, Options
from ._protocol import Flush, Request, Sleep, asking
from ._recorder import Recorder

# The errors after which a last known context may stand in: nobody who knows better can be reached.
AWAY = (Timeout, Unreachable, Unavailable, RateLimited, Internal, ProtocolError)
# Beyond this the server corrects the times of actions, which is worth knowing.
_MOST_SKEW = 30.0


Reading = Generator[Request | Sleep | Flush, Answer | None, Context]
Checking = Generator[Request | Sleep, Answer | None, Check]


def reading(
    recorder: Recorder,
    known: Known[Context],
    options: Options,
    *,
    contact: str,
    identifiers: Sequence[Mapping[str, str]],
    token: str | None,
    within: float,
    stale_ok: bool,
    recent: int,
    brief: str | None = None,
) -> Reading:
    """The context of a contact. Raises the error tree, unless a last known context may stand in for it.

    First the contact's own actions are delivered, in at most half of the time, so that the other half is left to ask.
    """
    until = options.clock() + within
    undelivered = recorder.queue.undelivered
    if undelivered(contact):
        yield Flush(contact, within / 2)
    pending = undelivered(contact) > 0
    # With the assurance: what was shown to somebody signed in is not for whom merely claims to be them.
    who = (contact, tuple(tuple(sorted(identifier.items())) for identifier in identifiers), token, recent, brief)
    variables: dict[str, Any] = {"identifiers": list(identifiers), "contact": contact, "recent": recent}
    if brief is not None:
        variables["brief"] = brief
    if recorder.token is not None:
        variables["after"] = recorder.token
    try:
        data = yield from asking(
            "FetchContext",
            _operations.FETCH_CONTEXT,
            {"input": variables},
            options,
            until,
            repeatable=True,
            token=token,
        )
        context = Context.model_validate(data.get("contextDocument"))
    except ValidationError as error:
        raise ProtocolError("The context is not in a form that this version of the SDK knows.") from error
    except AWAY:
        last = known.get(who)
        if not stale_ok or last is None:
            raise
        return last.model_copy(update={"stale": True, "pending": pending})
    known.put(who, context)
    return context.model_copy(update={"pending": True}) if pending else context


def checking(endpoint: Endpoint, options: Options, within: float) -> Checking:
    """Tries URL, key and clock. What is wrong comes back as the report's problems, not as an exception."""
    asked = options.clock()
    try:
        data = yield from asking("WhoAmI", _operations.WHO_AM_I, None, options, asked + within, repeatable=False)
        answered = options.clock()
        viewer = data["viewer"]
        latency = answered - asked
        # The server looked at its clock somewhere between question and answer.
        skew = (options.now() - datetime.fromisoformat(viewer["serverTime"])).total_seconds() - latency / 2
        problems = _problems(viewer["channel"], skew)
        return Check(
            url=endpoint.url,
            channel=viewer["channel"],
            scopes=viewer["scopes"],
            highest_assurance=viewer["highestAssurance"],
            clock_skew=round(skew, 3),
            latency=round(latency, 4),
            problems=problems,
        )
    except SteadylightError as error:
        return Check(url=endpoint.url, problems=(_in_words(error, endpoint),))
    except (KeyError, TypeError, ValueError):
        told = f"{endpoint.url} answers, but not as this version of the SDK expects. Update the SDK or the server."
        return Check(url=endpoint.url, problems=(told,))


def _problems(channel: str | None, skew: float) -> tuple[str, ...]:
    problems = []
    if channel is None:
        problems.append("The key is an admin's: it cannot record. Make a channel's: `steadylight channel add NAME`.")
    if abs(skew) > _MOST_SKEW:
        way = "ahead of" if skew > 0 else "behind"
        problems.append(f"This machine's clock is {abs(skew):.0f} s {way} the server's. Synchronise it (NTP).")
    return tuple(problems)


def _in_words(error: SteadylightError, endpoint: Endpoint) -> str:
    if isinstance(error, Unreachable | Timeout):
        return f"{error} Is the server running, and is STEADYLIGHT_URL right?"
    if isinstance(error, Unauthenticated):
        return "The server does not know this key. Set STEADYLIGHT_KEY to one of `steadylight key list`, or add one."
    if isinstance(error, ProtocolError):
        return f"{error} STEADYLIGHT_URL leads to {endpoint.url}."
    return f"The server answered {error.code}: {error}"
