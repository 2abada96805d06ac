"""Identifiers, profiles and customers, as the rest of the server sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
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

# The kind under which a contact's claims are kept: nobody can assert it, since no declared kind has a colon.
PERSONA = "contact:persona"


def heard(viewer: Viewer, asserted: Sequence[Identifier]) -> list[Identifier]:
    """What the viewer's word counts for: capped, and with a customer's token what that proves, and nothing else."""
    capped = [one._replace(assurance=viewer.cap(one.assurance)) for one in asserted]
    if viewer.customer is None:
        return capped
    kind, value = viewer.customer
    return [Identifier(kind, value, Assurance.LOGIN), *(one for one in capped if one[:2] != (kind, value))]


@dataclass(frozen=True)
class Home:
    """Where an action belongs: a pure function of the action, as stored.

    `proven` are the identifiers that reach their kind's bar, best first; `claims` the others.
    """

    key: Key
    proven: Sequence[Identifier]
    claims: Sequence[Identifier]

    @property
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
    def is_persona(self) -> bool:
        """Whether it stands for a contact whose customer is not known."""
        return self.key.kind == PERSONA


@dataclass(frozen=True)
class Customer:
    """One or several profiles that are one person. The id is the oldest profile's."""

    id: UUID
    profiles: Sequence[Profile]

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
