"""Who is whom in the graph: the links of a customer, what a merge would make, and the decisions of employees."""

from datetime import datetime
from enum import Enum
from typing import Annotated

import strawberry

from steadylight_server.api import admission, nodes
from steadylight_server.api.actions import Identifier
from steadylight_server.api.customers import Customer, CustomerBy, Trait, customer, find, trait
from steadylight_server.api.enums import Assurance
from steadylight_server.api.info import Info, operation, viewer
from steadylight_server.core.errors import Invalid
from steadylight_server.identity.models import Customer as Person
from steadylight_server.identity.models import Link as Joined
from steadylight_server.identity.models import Reason, Refusal

_MOST = 100


@strawberry.enum(description="Whether a link joins its two profiles.")
class LinkStatus(Enum):
    ACTIVE = strawberry.enum_value("ACTIVE", description="It does.")
    REFUSED = strawberry.enum_value("REFUSED", description="A rule keeps them apart.")
    RETIRED = strawberry.enum_value("RETIRED", description="Somebody took it back.")


@strawberry.enum(description="What an employee decides on a conflict.")
class Decision(Enum):
    TOGETHER = strawberry.enum_value("TOGETHER", description="They are one customer.")
    APART = strawberry.enum_value("APART", description="They are two customers, whatever comes.")


@strawberry.type(description="The reason two profiles are one customer. It is kept for ever, taken back or not.")
class Link:
    link: strawberry.Private[Joined]

    @strawberry.field(description="The global id.")
    def id(self) -> strawberry.ID:
        return nodes.shown(nodes.LINK, self.link.id)

    @strawberry.field(description="Why.")
    def reason(self) -> Reason:
        return self.link.reason

    @strawberry.field(description="Whether it joins.")
    def status(self) -> LinkStatus:
        if self.link.is_retired:
            return LinkStatus.RETIRED
        return LinkStatus.ACTIVE if self.link.is_active else LinkStatus.REFUSED

    @strawberry.field(description="The rule that keeps them apart, where it is REFUSED.")
    def refusal(self) -> Refusal | None:
        return self.link.refusal

    @strawberry.field(description="How sure the weaker of the two was.")
    def assurance(self) -> Assurance:
        return self.link.assurance

    @strawberry.field(description="When both were proven, or it was decided.")
    def at(self) -> datetime:
        return self.link.at

    @strawberry.field(description="The action that proved both, where the reason is EVIDENCE or IMPORT.")
    def action_id(self) -> strawberry.ID | None:
        return nodes.shown(nodes.ACTION, self.link.action_id) if self.link.action_id else None

    @strawberry.field(description="Who decided, where the reason is DECISION.")
    def by(self) -> str | None:
        return _name(self.link.by)

    @strawberry.field(description="Why it was decided, in words.")
    def why(self) -> str | None:
        return self.link.why or None

    @strawberry.field(description="When it was taken back.")
    def retired_at(self) -> datetime | None:
        return self.link.retired_at

    @strawberry.field(description="Who took it back.")
    def retired_by(self) -> str | None:
        return _name(self.link.retired_by)

    @strawberry.field(description="Why it was taken back, in words.")
    def retired_why(self) -> str | None:
        return self.link.retired_why or None

    @strawberry.field(description="What the two profiles are known by; a persona is known by nothing.")
    async def identifiers(self, info: Info) -> list[Identifier]:
        people = [await info.context.services.identity.customer(id) for id in self.link.profile_ids]
        await admission.admit(info, *people)
        return [
            Identifier(kind=profile.key.kind, value=profile.key.value)
            for id, person in zip(self.link.profile_ids, people, strict=True)
            for profile in person.profiles
            if profile.id == id and not profile.is_persona
        ]

    @strawberry.field(description="The two customers whom it joins or would join; the same one twice while it does.")
    async def customers(self, info: Info) -> list[Customer]:
        identity = info.context.services.identity
        people = [await identity.customer(id) for id in self.link.profile_ids]
        await admission.admit(info, *people)
        return [customer(person) for person in people]


@strawberry.type(description="What would become of one trait.")
class MergedTrait:
    name: str = strawberry.field(description="What it is.")
    one: Trait | None = strawberry.field(description="What is known of the one.")
    other: Trait | None = strawberry.field(description="What is known of the other.")
    unified: Trait = strawberry.field(description="What would count.")


@strawberry.type(description="What two customers would be as one.")
class MergePreview:
    refusal: Refusal | None = strawberry.field(description="The rule that keeps them apart; null if none does.")
    identifiers: list[Identifier] = strawberry.field(description="What would lead to the one customer, oldest first.")
    since: datetime = strawberry.field(description="When the first of its profiles was made.")
    id: strawberry.ID = strawberry.field(description="The global id that the one customer would have.")
    traits: list["MergedTrait"] = strawberry.field(description="What would be known of them, by name.")


@strawberry.input(description="Two customers, and why they are one.")
class MergeCustomersInput:
    operation_id: strawberry.ID = strawberry.field(description="A UUID made once: the same again changes nothing.")
    one: CustomerBy = strawberry.field(description="How to find the one.")
    other: CustomerBy = strawberry.field(description="How to find the other.")
    why: str = strawberry.field(description="The reason, in words: 1 to 500 characters. It is kept and audited.")


@strawberry.input(description="A link to take back, and why.")
class UnlinkInput:
    operation_id: strawberry.ID = strawberry.field(description="A UUID made once: the same again changes nothing.")
    link: strawberry.ID = strawberry.field(description="The link's global id.")
    why: str = strawberry.field(description="The reason, in words: 1 to 500 characters. It is kept and audited.")


@strawberry.input(description="A conflict, and what is true.")
class ResolveConflictInput:
    operation_id: strawberry.ID = strawberry.field(description="A UUID made once: the same again changes nothing.")
    link: strawberry.ID = strawberry.field(description="The refused link's global id.")
    decision: Decision = strawberry.field(description="What is true.")
    why: str = strawberry.field(description="The reason, in words: 1 to 500 characters. It is kept and audited.")


@strawberry.type(description="A decision, and the link that holds it.")
class LinkPayload:
    link: Link = strawberry.field(description="The link as it is now.")


@strawberry.type
class IdentityQueries:
    """Looking before deciding."""

    @strawberry.field(description="What merging two customers would make. Changes nothing.")
    async def merge_preview(
        self,
        info: Info,
        one: Annotated[CustomerBy, strawberry.argument(description="How to find the one.")],
        other: Annotated[CustomerBy, strawberry.argument(description="How to find the other.")],
    ) -> MergePreview:
        first, second = await find(info, one), await find(info, other)
        seen = await info.context.services.operations.preview(first, second)
        unified = Person(seen.profiles[0].id, seen.profiles)
        return MergePreview(
            refusal=seen.refusal,
            identifiers=[Identifier(kind=key.kind, value=key.value) for key in unified.identifiers],
            since=unified.since,
            id=nodes.shown(nodes.CUSTOMER, unified.id),
            traits=await _merged(info, first, second, unified),
        )

    @strawberry.field(description="Links that a rule keeps from joining and that nobody has decided on, oldest first.")
    async def identity_conflicts(
        self,
        info: Info,
        first: Annotated[int, strawberry.argument(description=f"At most so many, up to {_MOST}.")] = 20,
    ) -> list[Link]:
        if not 0 < first <= _MOST:
            raise Invalid(f"first: 1 to {_MOST}.")
        return [Link(link=link) for link in await info.context.services.identity.links.conflicts(first)]


@strawberry.type
class IdentityMutations:
    """Deciding who is whom."""

    @strawberry.mutation(description="Says that two customers are one. Nothing is moved: `unlink` makes it as before.")
    async def merge_customers(
        self, info: Info, input: Annotated[MergeCustomersInput, strawberry.argument(description="Whom, and why.")]
    ) -> LinkPayload:
        one, other = await find(info, input.one), await find(info, input.other)
        made = await info.context.services.operations.merge(
            viewer(info), one, other, id=operation(input.operation_id), why=input.why
        )
        return LinkPayload(link=Link(link=made))

    @strawberry.mutation(description="Takes a link back: what it joined is apart again, and stays so.")
    async def unlink(
        self, info: Info, input: Annotated[UnlinkInput, strawberry.argument(description="Which one, and why.")]
    ) -> LinkPayload:
        return await _unlink(info, input.link, input.operation_id, input.why)

    @strawberry.mutation(description="Settles a conflict: the two are one customer, or two.")
    async def resolve_conflict(
        self, info: Info, input: Annotated[ResolveConflictInput, strawberry.argument(description="Which, and how.")]
    ) -> LinkPayload:
        if input.decision is Decision.APART:
            return await _unlink(info, input.link, input.operation_id, input.why)
        link = await _link(info, input.link)
        identity = info.context.services.identity
        one, other = [await identity.customer(id) for id in link.profile_ids]
        await admission.admit(info, one, other)
        made = await info.context.services.operations.merge(
            viewer(info), one, other, id=operation(input.operation_id), why=input.why
        )
        return LinkPayload(link=Link(link=made))


async def _merged(info: Info, one: Person, other: Person, unified: Person) -> list[MergedTrait]:
    timeline = info.context.services.timeline
    people = (one, other, unified)
    known = [{fact.name: trait(fact) for fact in await timeline.traits(person.profile_ids)} for person in people]
    return [
        MergedTrait(name=name, one=known[0].get(name), other=known[1].get(name), unified=fact)
        for name, fact in known[2].items()
    ]


async def _unlink(info: Info, id: str, operation_id: str, why: str) -> LinkPayload:
    link = await _link(info, id)
    identity = info.context.services.identity
    await admission.admit(info, *[await identity.customer(one) for one in link.profile_ids])
    parted = await info.context.services.operations.unlink(viewer(info), link, id=operation(operation_id), why=why)
    return LinkPayload(link=Link(link=parted))


async def _link(info: Info, id: str) -> Joined:
    """Raises NotFound."""
    _, uuid = nodes.read(id, nodes.LINK)
    link = await info.context.services.identity.links.one(uuid)
    if link is None:
        raise nodes.nothing(id)
    return link


def _name(by: object) -> str | None:
    return (by.get("name") or by.get("id")) if isinstance(by, dict) else None
