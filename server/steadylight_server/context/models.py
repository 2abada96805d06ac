"""A context, as the rest of the server sees it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from steadylight_server.core.assurance import Assurance
from steadylight_server.identity.models import Customer, Identifier
from steadylight_server.journeys.models import Answer, Listed
from steadylight_server.timeline.models import Action, Contact, Trait


class BriefForm(StrEnum):
    """How short a context is told, and to whom."""

    SMS = "SMS"  # one text message, which others may read
    CARD = "CARD"  # a few lines for whoever serves the customer


@dataclass(frozen=True)
class Context:
    """What one channel may know of one customer now.

    `customer` is None where nothing was proven: then all else is that of `persona`, which is the asking contact alone,
    or what the app calls whoever it is; None where nothing was done there.
    """

    customer: Customer | None
    persona: Customer | None
    assurance: Assurance
    claims: Sequence[Identifier]
    actions: Sequence[Action]
    contacts: Sequence[Contact]
    traits: Sequence[Trait]
    journeys: Sequence[Listed]
    #: Of the journeys that are open and that the asking channel may pick up, by id.
    answers: Mapping[UUID, Sequence[Answer]]
    at: datetime
    token: str | None
