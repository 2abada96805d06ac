"""The one place that asks what time it is, so that a test can answer."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def now() -> datetime:
    """The present, UTC, in whole milliseconds: what MongoDB keeps, so that what is written equals what is read."""
    return in_milliseconds(datetime.now(UTC))


def in_milliseconds(at: datetime) -> datetime:
    """`at` with the microseconds that a BSON date cannot hold cut off."""
    over = at.microsecond % 1000
    return at.replace(microsecond=at.microsecond - over) if over else at
