"""Actions and contacts, as the rest of the server sees them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

from steadylight_server.capabilities.models import PERFORMED, SETTLED
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.paging import Position
from steadylight_server.identity.models import Identifier

# The type of an action that brings what another system knows of a customer.
IMPORTED = "customer.imported"


class Actor(StrEnum):
    """Who did it."""

    CUSTOMER = "CUSTOMER"
    AGENT = "AGENT"
    SYSTEM = "SYSTEM"


class Subject(NamedTuple):
    """The business object that an action is about: a case, an order, a plan."""

    kind: str
    id: str


class Action(NamedTuple):
    """An immutable fact. A named tuple, because a batch makes 500 and a frozen model costs six times as much."""

    id: UUID
    sequence: int
    type: str
    at: datetime
    channel: str
    profile_id: UUID
    identifiers: tuple[Identifier, ...]
    actor: str
    properties: Mapping[str, Any]
    received_at: datetime
    contact: str | None = None
    journey: str | None = None
    agent: str | None = None
    subject: Subject | None = None
    claimed_at: datetime | None = None
    traits: Mapping[str, Any] = MappingProxyType({})
    assurance: Assurance = Assurance.CLAIMED  # of who it was; CLAIMED where nobody proved who they are

    @property
    def position(self) -> Position:
        """Its place in the timeline."""
        return Position(self.at, self.sequence, self.id)

    @property
    def is_of_a_contact(self) -> bool:
        """Whether somebody met somebody: not what an import brought, or what became of a journey, or of what was
        performed, by itself.
        """
        is_ours = self.journey is not None or self.type in (PERFORMED, SETTLED)
        by_itself = self.actor == Actor.SYSTEM and is_ours and self.contact is None
        return self.type != IMPORTED and not by_itself

    def says_the_same_as(self, other: "Action") -> bool:
        """Whether a repetition of the same id tells the same fact.

        Times are compared as claimed and identifiers without assurance: the server may have corrected the one and
        capped the other differently each time.
        """
        return self._told() == other._told()

    def _told(self) -> tuple[object, ...]:
        who = sorted((identifier.kind, identifier.value) for identifier in self.identifiers)
        when = (self.claimed_at or self.at, self.sequence)
        what = (self.type, self.actor, self.agent, self.subject, self.properties, self.traits)
        return (who, when, what, self.channel, self.contact, self.journey)


class Outcome(StrEnum):
    """What became of an action on append."""

    STORED = "STORED"
    DUPLICATE = "DUPLICATE"
    CONFLICT = "CONFLICT"
    RETRY = "RETRY"


@dataclass(frozen=True)
class ActionFilter:
    """Which actions of a timeline; None leaves a side open. `since` is inclusive, `until` exclusive."""

    channel: str | None = None
    type: str | None = None
    subject: Subject | None = None
    since: datetime | None = None
    until: datetime | None = None


class Order(StrEnum):
    """In which direction a timeline is read."""

    NEWEST_FIRST = "NEWEST_FIRST"
    OLDEST_FIRST = "OLDEST_FIRST"


@dataclass(frozen=True)
class Contact:
    """One visit, call, chat or letter. `key` is the channel's own name for it, None where a gap parts contacts."""

    id: UUID
    profile_id: UUID
    channel: str
    key: str | None
    first_at: datetime
    last_at: datetime
    is_ended: bool = False
    outcome: str | None = None


class Met(NamedTuple):
    """Somebody known was met in a contact: their first action in it."""

    profile_id: UUID
    at: datetime
    action_id: UUID
    assurance: Assurance


@dataclass(frozen=True)
class Trait:
    """A named fact about a customer, and where it comes from: what counts of all that was said of it."""

    name: str
    value: Any
    at: datetime
    assurance: Assurance
    channel: str
    action_id: UUID
