"""Contexts in the graph: typed for front ends and people, as one document for the SDK."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import strawberry

from steadylight_server.api import admission, nodes
from steadylight_server.api.actions import (
    Action,
    AssertedIdentifier,
    IdentifierInput,
    action,
)
from steadylight_server.api.customers import Customer, Trait, customer, trait
from steadylight_server.api.enums import Assurance, BriefForm
from steadylight_server.api.info import Info, viewer
from steadylight_server.api.journeys import Journey, Told, journey
from steadylight_server.api.scalars import ContextDocument, written
from steadylight_server.context.brief import card, sms
from steadylight_server.context.models import Context as Known
from steadylight_server.identity.models import Identifier as Asserted
from steadylight_server.journeys.models import Answer as Said
from steadylight_server.journeys.models import Listed, properties_shown
from steadylight_server.timeline.models import Action as Fact
from steadylight_server.timeline.models import Contact as Visit
from steadylight_server.timeline.models import Trait as KnownTrait


@strawberry.input(description="Whose context, and how fresh it must be.")
class ContextInput:
    identifiers: list[IdentifierInput] = strawberry.field(
        default_factory=list, description="Who it is, as the channel knows now, at most 10."
    )
    contact: str | None = strawberry.field(default=None, description="The channel's key for the contact under way.")
    after: str | None = strawberry.field(default=None, description="A token: show at least what that write stored.")
    recent: int = strawberry.field(default=20, description="How many of the newest actions, 1 to 100.")
    brief: BriefForm | None = strawberry.field(
        default=None, description="The short form that the document carries, too; `Context` has a field for it."
    )


@strawberry.type(description="One visit, call, chat or letter.")
class Contact:
    id: strawberry.ID = strawberry.field(description="The global id.")
    channel: str = strawberry.field(description="Where it took place.")
    key: str | None = strawberry.field(description="The channel's own name for it; none where a gap parts contacts.")
    first_at: datetime = strawberry.field(description="When its first action was done.")
    last_at: datetime = strawberry.field(description="When its latest action was done.")
    outcome: str | None = strawberry.field(description="How it ended, as the channel said.")


@strawberry.type(description="What one channel may know of one customer now.")
class Context:
    known: strawberry.Private[Known]
    contact: strawberry.Private[str | None]

    @strawberry.field(description="The customer; null while nothing is proven, when the rest is this contact's alone.")
    def customer(self) -> Customer | None:
        return customer(self.known.customer) if self.known.customer else None

    @strawberry.field(description="How sure the asking channel is of who it is.")
    def assurance(self) -> Assurance:
        return self.known.assurance

    @strawberry.field(description="What was said but not proven: it leads nowhere until it is.")
    def claims(self) -> list[AssertedIdentifier]:
        return [
            AssertedIdentifier(kind=one.kind, value=one.value, assurance=one.assurance) for one in self.known.claims
        ]

    @strawberry.field(description="The newest actions over all channels, newest first.")
    def actions(self) -> list[Action]:
        return [action(fact) for fact in self.known.actions]

    @strawberry.field(description="The latest contacts over all channels, latest first, at most 10.")
    def contacts(self) -> list[Contact]:
        return [
            Contact(
                id=nodes.shown(nodes.CONTACT, visit.id),
                channel=visit.channel,
                key=visit.key,
                first_at=visit.first_at,
                last_at=visit.last_at,
                outcome=visit.outcome,
            )
            for visit in self.known.contacts
        ]

    @strawberry.field(description="What they want to get done: what is open first, then the latest; at most 20.")
    async def journeys(self, info: Info) -> list[Journey]:
        person = self.known.customer or self.known.persona
        if person is None:
            return []
        told = Told(info, self.known.journeys, person, self.known.assurance)
        return [journey(one, person, told) for one in self.known.journeys]

    @strawberry.field(description="What is known of them, by name, with where it comes from; see `Customer.traits`.")
    def traits(self) -> list[Trait]:
        return [trait(fact) for fact in self.known.traits]

    @strawberry.field(
        description="The same in few words: what is open, the most urgent first. Never what is SECRET, and in a text "
        "message PUBLIC answers only."
    )
    def brief(
        self,
        info: Info,
        form: Annotated[BriefForm, strawberry.argument(description="How short, and for whom.")] = BriefForm.CARD,
    ) -> list[str]:
        return brief(info, self.known, form, self.contact)

    @strawberry.field(description="When this was put together, by the server's clock.")
    def at(self) -> datetime:
        return self.known.at

    @strawberry.field(description="Give it as `after` to a read that must not show less than this one.")
    def token(self) -> str | None:
        return self.known.token


async def fetch(info: Info, input: ContextInput) -> Known:
    """The context asked for, of whoever the viewer may see."""
    with admission.looked_up(info):
        known = await info.context.services.context.fetch(
            viewer(info),
            [Asserted(one.kind, one.value, one.assurance) for one in input.identifiers],
            contact=input.contact,
            after=input.after,
            recent=input.recent,
        )
        person = known.customer
        if person is None and known.actions:  # nothing is proven, but somebody's actions are shown all the same
            person = await info.context.services.identity.customer(known.actions[0].profile_id)
        await admission.admit(info, *([person] if person else []))
    return known


async def told(info: Info, input: ContextInput) -> ContextDocument:
    """The same, as the SDK reads it."""
    known = await fetch(info, input)
    short = brief(info, known, input.brief, input.contact) if input.brief else None
    return ContextDocument(document(known, short))


def brief(info: Info, known: Known, form: BriefForm, contact: str | None) -> list[str]:
    """The short form, for the viewer's channel and the contact under way."""
    if form is BriefForm.SMS:
        return [sms(known, known.answers)]
    return card(known, known.answers, (viewer(info).channel or "", contact))


@strawberry.type
class ContextQueries:
    """Reading a context."""

    @strawberry.field(description="What the asking channel may know of a customer now.")
    async def context(
        self, info: Info, input: Annotated[ContextInput, strawberry.argument(description="Whose, and how fresh.")]
    ) -> Context:
        return Context(known=await fetch(info, input), contact=input.contact)

    @strawberry.field(description="The same in one JSON object: what the SDK reads.")
    async def context_document(
        self, info: Info, input: Annotated[ContextInput, strawberry.argument(description="Whose, and how fresh.")]
    ) -> ContextDocument:
        return await told(info, input)


def document(known: Known, brief: Sequence[str] | None = None) -> dict[str, Any]:
    """As context.schema.json says; `brief` is left out unless it was asked for."""
    return {
        "customer": nodes.shown(nodes.CUSTOMER, known.customer.id) if known.customer else None,
        "assurance": known.assurance.name,
        "identifiers": [
            {"kind": key.kind, "value": key.value} for key in (known.customer.identifiers if known.customer else ())
        ],
        "claims": [_asserted(one) for one in known.claims],
        "actions": [_action(fact) for fact in known.actions],
        "contacts": [_contact(visit) for visit in known.contacts],
        "journeys": [_journey(one, known.answers.get(one.journey.id, ())) for one in known.journeys],
        "traits": [_trait(fact) for fact in known.traits],
        "at": written(known.at),
        "token": known.token,
        **({"brief": list(brief)} if brief is not None else {}),
    }


def _trait(fact: KnownTrait) -> dict[str, Any]:
    return {
        "name": fact.name,
        "value": fact.value,
        "at": written(fact.at),
        "assurance": fact.assurance.name,
        "channel": fact.channel,
    }


def _answer(said: Said) -> dict[str, Any]:
    return {
        "question": said.question,
        "value": said.value,
        "at": written(said.at),
        "channel": said.channel,
        **({"contact": said.contact} if said.contact is not None else {}),
        "assurance": said.assurance.name,
    }


def _journey(one: Listed, answers: Sequence[Said]) -> dict[str, Any]:
    journey = one.journey
    optional = {
        "key": journey.key or None,
        "step": journey.step,
        "steps": list(journey.type.steps) or None,
        "outcome": journey.outcome,
        "reopened": journey.reopened or None,
        "changed_at": journey.changed_at and written(journey.changed_at),
        "changed_in": journey.changed_in,
        "duplicate_of": one.duplicate_of and nodes.shown(nodes.JOURNEY, one.duplicate_of),
        "answers": [_answer(said) for said in answers] or None,
    }
    return {
        "id": nodes.shown(nodes.JOURNEY, journey.id),
        "type": journey.type.name,
        "status": journey.status.value,
        "started_at": written(journey.started_at),
        "active_at": written(journey.active_at),
        **{name: value for name, value in optional.items() if value is not None},
    }


def _asserted(one: Asserted) -> dict[str, Any]:
    return {"kind": one.kind, "value": one.value, "assurance": one.assurance.name}


def _action(fact: Fact) -> dict[str, Any]:
    told = {
        "id": nodes.shown(nodes.ACTION, fact.id),
        "type": fact.type,
        "at": written(fact.at),
        "sequence": fact.sequence,
        "channel": fact.channel,
        "actor": fact.actor,
        "properties": properties_shown(fact.type, fact.properties),
    }
    if fact.contact is not None:
        told["contact"] = fact.contact
    if fact.journey is not None:
        told["journey"] = fact.journey
    if fact.agent is not None:
        told["agent"] = fact.agent
    if fact.subject is not None:
        told["subject"] = {"kind": fact.subject.kind, "id": fact.subject.id}
    if fact.traits:
        told["traits"] = fact.traits
    return told


def _contact(visit: Visit) -> dict[str, Any]:
    optional = {"key": visit.key, "outcome": visit.outcome}
    return {
        "id": nodes.shown(nodes.CONTACT, visit.id),
        "channel": visit.channel,
        "first_at": written(visit.first_at),
        "last_at": written(visit.last_at),
        **{name: value for name, value in optional.items() if value is not None},
    }
