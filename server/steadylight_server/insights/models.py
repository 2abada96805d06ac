"""Measures, as the rest of the server sees them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from steadylight_server.capabilities.parity import Row


class Gap(NamedTuple):
    """A customer wanted something in a channel that may not do it: the action that tells so."""

    id: UUID
    profile_id: UUID
    capability: str
    channel: str
    why: str
    at: datetime


@dataclass(frozen=True)
class Met:
    """How often a gap was met, and what the customers did next.

    `customers` met it, `changed` of them went to another channel soon after: how many to which, each time counted once
    however often the gap was met before it, the most frequent first.
    """

    capability: str
    channel: str
    why: str
    times: int
    customers: int
    changed: int
    changes: Mapping[str, int]


@dataclass(frozen=True)
class Report:
    """The matrix of capabilities by channels, and the gaps that were met since then, the most frequent first.

    Who was seen in another channel `within` that time after a gap has changed. `is_complete` is False where there were
    more gaps than are looked at: then these are the latest.
    """

    rows: Sequence[Row]
    met: Sequence[Met]
    since: datetime
    within: timedelta
    is_complete: bool
