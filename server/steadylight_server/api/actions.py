"""Actions in the graph, as they are shown, and what they are made of."""

from datetime import datetime

import strawberry

from steadylight_server.api import nodes
from steadylight_server.api.enums import Actor, Assurance
from steadylight_server.api.scalars import Counter, Json
from steadylight_server.journeys.models import properties_shown
from steadylight_server.timeline.models import Action as Fact


@strawberry.type(description="Something that tells who a customer is.")
class Identifier:
    kind: str = strawberry.field(description="`login`, `customer-number`, `email`…, or a kind nobody declared.")
    value: str = strawberry.field(description="The value, normalised by the rules of its kind.")


@strawberry.type(description="An identifier as a channel asserted it.")
class AssertedIdentifier(Identifier):
    assurance: Assurance = strawberry.field(description="How sure the channel was, capped by what it may assert.")


@strawberry.type(description="The business object that an action is about.")
class Subject:
    kind: str = strawberry.field(description="What it is: `case`, `order`, `plan`…")
    id: str = strawberry.field(description="Which one, as the company names it.")


@strawberry.type(description="An immutable fact: somebody did something in a channel at a time.")
class Action(nodes.Node):
    type: str = strawberry.field(description="What was done, as `noun.verb`.")
    at: datetime = strawberry.field(description="When it was done, corrected where the device's clock was off.")
    sequence: Counter = strawberry.field(description="The SDK's counter. Timelines are ordered by (at, sequence, id).")
    channel: str = strawberry.field(description="The channel whose key recorded it.")
    actor: Actor = strawberry.field(description="Who did it.")
    agent: str | None = strawberry.field(description="Which employee, where the actor is AGENT.")
    contact: str | None = strawberry.field(description="The channel's key for the visit, call or chat.")
    journey: str | None = strawberry.field(description="What the customer wanted to get done.")
    subject: Subject | None = strawberry.field(description="The business object it is about.")
    properties: Json = strawberry.field(description="Whatever else the channel told, a JSON object.")
    traits: Json = strawberry.field(description="What it told about the customer, by name, a JSON object.")
    identifiers: list[AssertedIdentifier] = strawberry.field(description="Who the channel said it was, proven first.")
    received_at: datetime = strawberry.field(description="When the server stored it.")
    claimed_at: datetime | None = strawberry.field(
        description="What the device's clock said, where `at` was corrected."
    )


def action(fact: Fact) -> Action:
    """A stored action as the graph shows it."""
    return Action(
        id=nodes.shown(nodes.ACTION, fact.id),
        type=fact.type,
        at=fact.at,
        sequence=Counter(fact.sequence),
        channel=fact.channel,
        actor=Actor(fact.actor),
        agent=fact.agent,
        contact=fact.contact,
        journey=fact.journey,
        subject=Subject(kind=fact.subject.kind, id=fact.subject.id) if fact.subject else None,
        properties=Json(properties_shown(fact.type, fact.properties)),
        traits=Json({**fact.traits}),
        identifiers=[
            AssertedIdentifier(kind=one.kind, value=one.value, assurance=one.assurance) for one in fact.identifiers
        ],
        received_at=fact.received_at,
        claimed_at=fact.claimed_at,
    )


@strawberry.input(description="An identifier, and how sure the channel is of it.")
class IdentifierInput:
    kind: str = strawberry.field(description="1 to 50 lower-case letters, digits, hyphens and underscores.")
    value: str = strawberry.field(description="1 to 256 printable characters.")
    assurance: Assurance = strawberry.field(description="How sure the channel is. Capped by what it may assert.")


@strawberry.input(description="A business object.")
class SubjectInput:
    kind: str = strawberry.field(description="What it is, 1 to 128 printable characters.")
    id: str = strawberry.field(description="Which one, 1 to 256 printable characters.")
