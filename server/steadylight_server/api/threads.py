"""Journeys of systems that know of none, in the graph: threaded from what a customer did about one thing."""

from datetime import datetime

import strawberry

from steadylight_server.api.actions import Subject
from steadylight_server.api.enums import JourneyCategory, JourneyStatus
from steadylight_server.api.scalars import Json
from steadylight_server.journeys.models import Thread as Errand


@strawberry.type(description="A journey that nobody began by name: what was done about one thing, as a blueprint says.")
class Thread:
    type: str = strawberry.field(description="What it is, by name.")
    label: str | None = strawberry.field(description="What people call its type.")
    category: JourneyCategory = strawberry.field(description="What it is about.")
    subject: Subject = strawberry.field(description="The business object that all of its actions are about.")
    status: JourneyStatus = strawberry.field(description="COMPLETED or OPEN, by the latest action that says so.")
    started_at: datetime = strawberry.field(description="When its first action was done.")
    started_in: str = strawberry.field(description="The channel of its first action.")
    active_at: datetime = strawberry.field(description="When its latest action was done.")
    changed_at: datetime | None = strawberry.field(description="When it was completed or reopened last.")
    changed_in: str | None = strawberry.field(description="The channel that completed or reopened it last.")
    channels: list[str] = strawberry.field(description="Those that it went through, in alphabetical order.")
    reopened: int = strawberry.field(description="How often it was reopened.")
    counts: Json = strawberry.field(description="What the blueprint counts in it, a number by name.")


def thread(errand: Errand) -> Thread:
    """A thread as the graph shows it."""
    return Thread(
        type=errand.type.name,
        label=errand.type.label or None,
        category=errand.type.category,
        subject=Subject(kind=errand.subject.kind, id=errand.subject.id),
        status=errand.status,
        started_at=errand.started_at,
        started_in=errand.started_in,
        active_at=errand.active_at,
        changed_at=errand.changed_at,
        changed_in=errand.changed_in,
        channels=list(errand.channels),
        reopened=errand.reopened,
        counts=Json(dict(errand.counts)),
    )
