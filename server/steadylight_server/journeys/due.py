"""What becomes of a journey by itself, and when. Pure functions.

Nothing happens for `stalls_after`: it stalls. Nothing happens for `abandoned_after`: it is ABANDONED. One after the
other, also where nobody looked for so long that both are due.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid5

from steadylight_server.journeys.models import CHANGED, STALLED, Journey, JourneyType, Status
from steadylight_server.journeys.names import named
from steadylight_server.timeline.models import Action, Actor


def due_at(type: JourneyType, active_at: datetime, *, has_stalled: bool) -> datetime | None:
    """When something becomes of it, if nothing happens until then."""
    if type.stalls_after is not None and not has_stalled:
        return active_at + type.stalls_after
    return active_at + type.abandoned_after if type.abandoned_after is not None else None


def fired(journey: Journey, at: datetime) -> tuple[Action, Mapping[str, Any]]:
    """What has become of a journey that is due, as the action that tells of it and as a change to what is stored.

    The action's id is made of what was due, so that many servers make the same.
    """
    rules = journey.type
    is_over = journey.has_stalled or rules.stalls_after is None
    deed = Action(
        id=uuid5(journey.id, f"{journey.due_at}"),
        sequence=0,
        type=CHANGED if is_over else STALLED,
        at=at,
        channel=journey.changed_in or journey.started_in,
        profile_id=journey.profile_id,
        identifiers=(),
        actor=Actor.SYSTEM,
        properties={"status": Status.ABANDONED.value} if is_over else {"since": _written(journey.active_at)},
        received_at=at,
        journey=named(journey),
    )
    if is_over:
        return deed, {"$set": {"status": Status.ABANDONED.value}, "$unset": {"due_at": ""}}
    later = due_at(rules, journey.active_at, has_stalled=True)
    if later is None:
        return deed, {"$set": {"stalled_at": at}, "$unset": {"due_at": ""}}
    return deed, {"$set": {"stalled_at": at, "due_at": later}}


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
