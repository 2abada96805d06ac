"""What a contact performs, and what it may: exchanges that both clients play.

The key makes it one deed, so that it is safe to repeat: after a lost connection, after a server was killed, in another
channel. Who repeats it is answered as the first was, or waits for the same outcome.
"""

from collections.abc import Generator, Mapping
from typing import Any

from pydantic import ValidationError

from . import _operations
from ._answers import Answer as Response
from ._contact import Recording
from ._errors import ProtocolError
from ._models import Capability, Performance
from ._options import Options
from ._protocol import Flush, Request, Sleep, asking
from ._recorder import Recorder

Step = Request | Sleep | Flush
Performing = Generator[Step, Response | None, Performance]
Listing = Generator[Step, Response | None, tuple[Capability, ...]]

_ODD = "The answer is not in a form that this version of the SDK knows."
# The server answers so long before the deadline, so that its answer is not cut off: seconds, and part of the time.
_MARGIN, _SHARE = 1.0, 0.25


def performing(
    recorder: Recorder,
    options: Options,
    contact: Recording,
    capability: str,
    input: Mapping[str, Any],
    key: str,
    agent: str | None,
    journey: str | None,
    within: float,
) -> Performing:
    """Performs it and waits for the outcome. First the contact's own actions are delivered, in half the time at most.

    RUNNING where the time is up before: the same again goes on waiting.
    """
    until = options.clock() + within
    if recorder.queue.undelivered(contact.key):
        yield Flush(contact.key, within / 2)
    given = {
        "capability": capability,
        "input": dict(input),
        "key": str(key),
        "identifiers": list(contact._identifiers),
        "contact": contact.key,
        **({"agent": agent} if agent is not None else {}),
        **({"journey": str(journey)} if journey is not None else {}),
    }
    repeated: bool | None = None
    while True:
        left = until - options.clock()
        waits = max(0.0, left - min(_MARGIN, left * _SHARE))
        data = yield from asking(
            "PerformCapability",
            _operations.PERFORM_CAPABILITY,
            {"input": {**given, "within": round(waits, 3)}},
            options,
            until,
            repeatable=True,
            token=contact._token,
        )
        try:
            told = data["performCapability"]
            repeated = bool(told["repeated"]) if repeated is None else repeated
            recorder.token = told.get("token") or recorder.token
            performance = Performance.model_validate({**told["performance"], "repeated": repeated})
        except (KeyError, TypeError, ValidationError) as error:
            raise ProtocolError(_ODD) from error
        # A server waits for 30 seconds at most; whoever is more patient asks again.
        if performance.state != "RUNNING" or until - options.clock() <= min(_MARGIN, within * _SHARE):
            return performance


def listing(recorder: Recorder, options: Options, contact: Recording, within: float) -> Listing:
    """What this channel may offer whoever is in the contact, and why not the rest."""
    given = {"identifiers": list(contact._identifiers), "contact": contact.key}
    data = yield from asking(
        "ListCapabilities",
        _operations.LIST_CAPABILITIES,
        {"input": given},
        options,
        options.clock() + within,
        repeatable=True,
        token=contact._token,
    )
    try:
        return tuple(Capability.model_validate(one) for one in data["capabilities"])
    except (KeyError, TypeError, ValidationError) as error:
        raise ProtocolError(_ODD) from error
