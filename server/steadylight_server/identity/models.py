"""Identifiers, profiles and customers, as the rest of the server sees them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

from steadylight_server.access.models import Viewer
from steadylight_server.core.assurance import Assurance


class Identifier(NamedTuple):
    """Something that tells who somebody is, as asserted: `value` is normalised, `assurance` capped."""

    kind: str
    value: str
    assurance: Assurance


class Key(NamedTuple):
    """What leads to exactly one profile."""

    kind: str
    value: str


# More is a list of guesses, not somebody who is known.
MOST_IDENTIFIERS = 10
MOST_VALUE = 256  # characters

# The kind of a row of another system, as `crm#4711`.
RECORD = "record"

# The kinds under which is kept what people do of whom nobody proved who they are. Nobody can assert them, since no
# declared kind has a colon: what the app calls a persona is asserted as NAMED.
PERSONA = "contact:persona"  # everybody unknown in one contact
APP_PERSONA = "app:persona"  # whoever the app says is one and the same
NAMED = "persona"
_AFTER = ":after"


def after(key: Key) -> Key:
    """Where goes what is done under a persona once it is somebody's, and does not say who: to nobody."""
    return Key(key.kind.removesuffix(_AFTER) + _AFTER, key.value)


def heard(viewer: Viewer, asserted: Sequence[Identifier]) -> list[Identifier]:
    """What the viewer's word counts for: capped, and with a customer's token what that proves, and nothing else."""
    capped = [one._replace(assurance=viewer.cap(one.assurance)) for one in asserted]
    if viewer.customer is None:
        return capped
    kind, value = viewer.customer
    return [Identifier(kind, value, Assurance.LOGIN), *(one for one in capped if one[:2] != (kind, value))]


class Joining(NamedTuple):
    """What was done under a persona is that profile's: an action of theirs, the first, was done there, too."""

    persona_id: UUID
    profile_id: UUID
    at: datetime
    action_id: UUID
    assurance: Assurance

    def merged(self, other: "Joining") -> "Joining":
        """The earlier of two of the same persona."""
        return min(self, other, key=lambda one: (one.at, one.action_id))


# Whether it is evidence, how sure, when, by which action, and which of what that proved: what counts most comes first.
# Nothing in it depends on the ids of profiles, which depend on who was seen first.
LinkOrder = tuple[bool, int, datetime, UUID, int]


class Reason(StrEnum):
    """Why two profiles are one customer."""

    DECISION = "DECISION"  # an employee said so
    EVIDENCE = "EVIDENCE"  # one action proved both
    IMPORT = "IMPORT"  # one record of another system holds both
    PERSONA = "PERSONA"  # the one is what the other did before it was known who they are


class Evidence(NamedTuple):
    """One action proved both: the key where it belongs, first, and another. `assurance` is the lesser of the two.

    `rank` is the place of the other among those that the action proved, the best first.
    """

    keys: tuple[Key, Key]
    assurance: Assurance
    at: datetime
    action_id: UUID
    reason: Reason = Reason.EVIDENCE
    rank: int = 0

    @property
    def order(self) -> LinkOrder:
        """That of the link it gives."""
        return (True, -self.assurance, self.at, self.action_id, self.rank)


@dataclass(frozen=True)
class Home:
    """Where an action belongs: a pure function of the action, as stored.

    `proven` are the identifiers that reach their kind's bar, best first; `claims` the others. Those of the claims that
    stand for nobody, whatever the assurance, are in `blocked`, too.
    """

    key: Key
    proven: Sequence[Identifier]
    claims: Sequence[Identifier]
    blocked: Sequence[Identifier] = ()

    def evidence(self, at: datetime, action_id: UUID, reason: Reason = Reason.EVIDENCE) -> list[Evidence]:
        """That the other proven identifiers are of the same customer as the one where the action belongs."""
        return [
            Evidence(
                (self.key, Key(one.kind, one.value)), min(first.assurance, one.assurance), at, action_id, reason, rank
            )
            for first in self.proven[:1]
            for rank, one in enumerate(self.proven[1:])
            if (one.kind, one.value) != self.key
        ]

    @property
    def is_persona(self) -> bool:
        """Whether nothing is proven."""
        return not self.proven

    @cached_property
    def identifiers(self) -> tuple[Identifier, ...]:
        """All of them, proven first; one and the same object for all actions that belong here."""
        return (*self.proven, *self.claims)

    @cached_property
    def assurance(self) -> Assurance:
        """How sure we are of who it is."""
        return max((identifier.assurance for identifier in self.proven), default=Assurance.CLAIMED)


@dataclass(frozen=True)
class Profile:
    """The source record of exactly one identifier."""

    id: UUID
    customer_id: UUID
    key: Key
    created_at: datetime

    @property
    def age(self) -> tuple[datetime, UUID]:
        """The oldest comes first; of two made at once, the lower id."""
        return (self.created_at, self.id)

    @property
    def is_persona(self) -> bool:
        """Whether it stands for a contact whose customer is not known."""
        return ":" in self.key.kind


class Refusal(StrEnum):
    """The rule that a link would break."""

    TOO_MANY_OF_A_KIND = "TOO_MANY_OF_A_KIND"  # two logins, as a rule
    TOO_MANY_PROFILES = "TOO_MANY_PROFILES"
    PARTED = "PARTED"  # an employee parted the two
    TAKEN = "TAKEN"  # an employee said whose the persona is


@dataclass(frozen=True)
class Link:
    """The reason two profiles are one customer. It is never deleted, and never joins again once it is retired.

    `assurance` and `at` are those of the weaker identifier in the best action that proved both, or of the decision;
    `rank` tells links of one action apart. `by` is who decided, as the audit names them. `refusal` is why it joins
    nothing. Of a persona there is one link: to whoever's action was the first there.
    """

    id: UUID
    profile_ids: tuple[UUID, UUID]
    reason: Reason
    assurance: Assurance
    at: datetime
    made_at: datetime
    action_id: UUID | None = None
    rank: int = 0
    by: Mapping[str, str] = field(default_factory=dict)
    why: str = ""
    refusal: Refusal | None = None
    retired_at: datetime | None = None
    retired_by: Mapping[str, str] = field(default_factory=dict)
    retired_why: str = ""

    @property
    def is_retired(self) -> bool:
        """Whether somebody took it back."""
        return self.retired_at is not None

    @property
    def is_active(self) -> bool:
        """Whether it joins the two."""
        return self.refusal is None and not self.is_retired

    @property
    def order(self) -> LinkOrder:
        """Its place among the links, the one that counts most first."""
        return (self.reason is not Reason.DECISION, -self.assurance, self.at, self.action_id or self.id, self.rank)


@dataclass(frozen=True)
class Customer:
    """One or several profiles that are one person. The id is the oldest profile's."""

    id: UUID
    profiles: Sequence[Profile]

    def known_to(self, profile_id: UUID, assurance: Assurance) -> "Customer":
        """The same as far as somebody may know it who comes with that profile, and is that sure.

        A persona is joined to whoever was known there: who has proven nothing is not let in to the rest of them by it.
        """
        return self if assurance > Assurance.CLAIMED else self.alone(profile_id)

    def alone(self, profile_id: UUID) -> "Customer":
        """The same as far as that profile of it tells."""
        return replace(self, profiles=[profile for profile in self.profiles if profile.id == profile_id])

    @property
    def profile_ids(self) -> list[UUID]:
        """Of all its profiles, oldest first."""
        return [profile.id for profile in self.profiles]

    @property
    def identifiers(self) -> list[Key]:
        """What leads to this customer; a persona's inner key is not shown."""
        return [profile.key for profile in self.profiles if not profile.is_persona]

    @property
    def is_known(self) -> bool:
        """Whether anybody ever proved who this is."""
        return any(not profile.is_persona for profile in self.profiles)

    @property
    def since(self) -> datetime:
        """When the first of its profiles was made."""
        return self.profiles[0].created_at
