"""The first step of ingest: which of these actions have the right shape, and why the others have not."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict  # pydantic asks for this one below Python 3.12

from steadylight_server.core.errors import Invalid
from steadylight_server.identity.models import MOST_IDENTIFIERS
from steadylight_server.ingest.models import (
    DEEPEST_PROPERTIES,
    MOST_ACTIONS,
    MOST_BATCH_BYTES,
    MOST_PROPERTY_BYTES,
    MOST_TRAIT_BYTES,
    MOST_TRAITS,
    ActionInput,
    Refusal,
    Time,
)

# A clock this far off is corrected; below it, latency and drift are the same thing.
CLOCK_TOLERANCE = timedelta(seconds=30)
# A device that never learned the time says 1970. What is further off would be corrected to before the first year.
MOST_SKEW = timedelta(days=36_525)
# After correction nothing lies ahead but by a little: a later time would stay on top of every timeline.
FUTURE_TOLERANCE = timedelta(minutes=5)
_INT64 = 2**63


@with_config(ConfigDict(extra="forbid"))
class Batch(TypedDict):
    """The outer shape of an ActionBatch."""

    sent_at: Time
    actions: list[Any]


_batch = TypeAdapter(Batch)
_actions = TypeAdapter(list[ActionInput])


def batch(raw: object) -> Batch:
    """The batch, its actions still unseen. Raises Invalid when it is no batch, or too large a one."""
    try:
        shaped = _batch.validate_python(raw)
    except ValidationError as error:
        raise Invalid(f"The batch is not an ActionBatch: {_reason(error)}.") from None
    if not 1 <= len(shaped["actions"]) <= MOST_ACTIONS:
        raise Invalid(f"A batch has 1 to {MOST_ACTIONS} actions, not {len(shaped['actions'])}.")
    return shaped


def check_size(raw: object) -> None:
    """Raises Invalid for a batch of more than MOST_BATCH_BYTES as JSON."""
    try:
        size = len(orjson.dumps(raw))
    except orjson.JSONEncodeError:
        return  # nested too deeply, or with too long a number: the action that has it is refused for that
    if size > MOST_BATCH_BYTES:
        raise Invalid(f"A batch has at most {MOST_BATCH_BYTES:,} bytes. Send it in halves.")


def actions(raw: Sequence[Any]) -> list[ActionInput | Refusal]:
    """Each action validated, or why it is refused; in order.

    The whole list is validated at once, which costs a tenth of doing it one by one; only when something is wrong are
    the good ones validated again without the bad.
    """
    bad: dict[int, Refusal] = {}
    try:
        good = iter(_actions.validate_python(raw))
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False, include_context=False):
            index = int(one["loc"][0])
            bad.setdefault(index, Refusal(_id(raw[index]), "INVALID", _line(one["loc"][1:], one["msg"])))
        good = iter(_actions.validate_python([one for index, one in enumerate(raw) if index not in bad]))
    return [bad[index] if index in bad else _bounded(next(good)) for index in range(len(raw))]


def _bounded(action: ActionInput) -> ActionInput | Refusal:
    """The bounds that a type cannot state."""
    properties = action.get("properties")
    if properties and (why := _object_fault(properties, MOST_PROPERTY_BYTES)):
        return Refusal(str(action["id"]), "INVALID", f"properties: {why}")
    traits = action.get("traits")
    if traits and (why := _trait_fault(traits)):
        return Refusal(str(action["id"]), "INVALID", f"traits: {why}")
    if len(action.get("identifiers", ())) > MOST_IDENTIFIERS:
        return Refusal(str(action["id"]), "INVALID", f"identifiers: at most {MOST_IDENTIFIERS}")
    if "agent" in action and action.get("actor", "CUSTOMER") != "AGENT":
        return Refusal(str(action["id"]), "INVALID", "agent: only an action whose actor is AGENT has one")
    return action


def _trait_fault(traits: Mapping[str, Any]) -> str | None:
    return f"at most {MOST_TRAITS}" if len(traits) > MOST_TRAITS else _object_fault(traits, MOST_TRAIT_BYTES)


def _object_fault(given: Mapping[str, Any], most_bytes: int) -> str | None:
    if fault := _fault(given.values(), DEEPEST_PROPERTIES):
        return fault  # before it is written: neither very deep nesting nor a longer number can be
    written = orjson.dumps(given)
    if len(written) > most_bytes:
        return f"at most {most_bytes:,} bytes as JSON"
    if b"\\u0000" in written and _has_nul_in_a_name(given):
        return "names must not contain the character NUL"
    # The driver reads such an object back as a reference to a document of its own, which no answer could show.
    if b'"$ref":' in written and _has_reference(given):
        return "an object must not have both of the names $ref and $id"
    return None


def _fault(values: Iterable[object], deepest: int) -> str | None:
    """What is nested too deeply, or what MongoDB could not hold. Most values are flat and are passed over at once."""
    for value in values:
        kind = type(value)
        if kind is str or kind is float or kind is bool or value is None:
            continue
        if kind is int:
            if not -_INT64 <= value < _INT64:  # type: ignore[operator]
                return "whole numbers have at most 64 bits"
        elif deepest == 1:
            return f"at most {DEEPEST_PROPERTIES} levels deep"
        elif fault := _fault(value.values() if isinstance(value, dict) else value, deepest - 1):  # type: ignore[arg-type]
            return fault
    return None


def _has_nul_in_a_name(value: object) -> bool:
    if isinstance(value, dict):
        return any("\0" in name or _has_nul_in_a_name(inner) for name, inner in value.items())
    return isinstance(value, list) and any(_has_nul_in_a_name(inner) for inner in value)


def _has_reference(value: object) -> bool:
    if isinstance(value, dict):
        return {"$ref", "$id"} <= value.keys() or any(map(_has_reference, value.values()))
    return isinstance(value, list) and any(map(_has_reference, value))


def _id(raw: object) -> str | None:
    id = raw.get("id") if isinstance(raw, dict) else None
    return id[:36] if isinstance(id, str) else None


def _reason(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return _line(first["loc"], first["msg"])


def _line(where: Sequence[int | str], what: str) -> str:
    place = ".".join(str(step) for step in where)
    return f"{place}: {what}" if place else what


def skew(sent_at: datetime, received_at: datetime) -> timedelta:
    """By how much the sender's clock is off; zero within tolerance. Raises Invalid beyond MOST_SKEW."""
    off = received_at - sent_at
    if abs(off) > MOST_SKEW:
        raise Invalid("sent_at: more than 100 years off. Set the clock of the device.")
    return off if abs(off) > CLOCK_TOLERANCE else timedelta()
