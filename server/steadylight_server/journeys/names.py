"""How actions name a journey."""

from uuid import UUID

from steadylight_server.journeys.models import Journey

PREFIX = "jrn_"


def named(journey: Journey) -> str:
    """As actions name it."""
    return f"{PREFIX}{journey.id.hex}"


def read(name: str) -> UUID | None:
    """The id of a journey, from how actions name it; None for an app's own name of something."""
    try:
        return UUID(hex=name.removeprefix(PREFIX)) if name.startswith(PREFIX) else None
    except ValueError:
        return None
