"""Customers in the graph: found, and their timeline."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from steadylight_server.api import admission, nodes
from steadylight_server.api.actions import Action, Identifier, IdentifierInput, SubjectInput, action
from steadylight_server.api.enums import Assurance, Order
from steadylight_server.api.info import Info, viewer
from steadylight_server.api.pages import After, Before, Connection, First, Last, connection
from steadylight_server.api.scalars import Json
from steadylight_server.api.threads import Thread, thread
from steadylight_server.core.errors import Invalid, NotFound
from steadylight_server.core.paging import Window
from steadylight_server.identity.models import MOST_VALUE, heard
from steadylight_server.identity.models import Customer as Person
from steadylight_server.identity.models import Identifier as Asserted
from steadylight_server.timeline.models import ActionFilter as Wanted
from steadylight_server.timeline.models import Subject
from steadylight_server.timeline.models import Trait as Fact

if TYPE_CHECKING:
    from steadylight_server.api.identities import Link
    from steadylight_server.api.journeys import Journey


@strawberry.input(description="Which actions. What is left out, or null, is open; the rest must all hold.")
class ActionFilter:
    channel: str | None = strawberry.field(default=None, description="Recorded by this channel.")
    type: str | None = strawberry.field(default=None, description="Of this type.")
    subject: SubjectInput | None = strawberry.field(default=None, description="About this business object.")
    since: datetime | None = strawberry.field(default=None, description="At this moment or later.")
    until: datetime | None = strawberry.field(default=None, description="Before this moment.")


@strawberry.type(description="A person, as all channels together know them.")
class Customer(nodes.Node):
    person: strawberry.Private[Person]

    @strawberry.field(description="What leads to this customer, the oldest first.")
    def identifiers(self) -> list[Identifier]:
        return [Identifier(kind=key.kind, value=key.value) for key in self.person.identifiers]

    @strawberry.field(description="Whether anybody ever proved who this is; if not, it stands for one contact.")
    def is_known(self) -> bool:
        return self.person.is_known

    @strawberry.field(description="When the first of its profiles was made.")
    def since(self) -> datetime:
        return self.person.since

    @strawberry.field(
        description="What is known of them, by name. Of all that was said the latest counts, but what was said of "
        "somebody who had proven at least KNOWLEDGE before what was said of nobody in particular."
    )
    async def traits(self, info: Info) -> list["Trait"]:
        return [trait(fact) for fact in await info.context.services.timeline.traits(self.person.profile_ids)]

    @strawberry.field(description="What this customer did, over all channels, ordered by (at, sequence, id).")
    async def actions(
        self,
        info: Info,
        filter: Annotated[ActionFilter | None, strawberry.argument(description="Which ones; all if left out.")] = None,
        order: Annotated[Order, strawberry.argument(description="In which direction.")] = Order.NEWEST_FIRST,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Action]:
        page = await info.context.services.timeline.page(
            self.person.profile_ids, _wanted(filter or ActionFilter()), order, Window.of(first, after, last, before)
        )
        return connection(page, action, lambda fact: fact.position.cursor())

    @strawberry.field(description="What they want to get done: what is open first, then the latest; at most 20.")
    async def journeys(
        self, info: Info
    ) -> list[Annotated["Journey", strawberry.lazy("steadylight_server.api.journeys")]]:
        from steadylight_server.api.journeys import shown

        return await shown(info, self.person)

    @strawberry.field(
        description="What they did about one thing each, threaded into journeys as the blueprint says: what was done "
        "last comes first, at most 20."
    )
    async def threads(self, info: Info) -> list[Thread]:
        return [thread(one) for one in await info.context.services.journeys.threads(self.person.profile_ids)]

    @strawberry.field(
        description="Why its profiles are one customer; what was refused and taken back, too. Oldest first."
    )
    async def links(self, info: Info) -> list[Annotated["Link", strawberry.lazy("steadylight_server.api.identities")]]:
        from steadylight_server.api.identities import Link

        return [Link(link=link) for link in await info.context.services.identity.links.of(self.person.profile_ids)]


@strawberry.type(description="A named fact about a customer, and where it comes from.")
class Trait:
    name: str = strawberry.field(description="What it is, as the channels call it.")
    value: Json = strawberry.field(description="Any JSON value.")
    at: datetime = strawberry.field(description="When it was said.")
    assurance: Assurance = strawberry.field(description="How sure the channel was of whom it spoke.")
    channel: str = strawberry.field(description="Which channel said it.")
    action_id: strawberry.ID = strawberry.field(description="The action that carried it.")


def trait(fact: Fact) -> Trait:
    """A trait as the graph shows it."""
    return Trait(
        name=fact.name,
        value=Json(fact.value),
        at=fact.at,
        assurance=fact.assurance,
        channel=fact.channel,
        action_id=nodes.shown(nodes.ACTION, fact.action_id),
    )


def customer(person: Person) -> Customer:
    """A customer as the graph shows it."""
    return Customer(id=nodes.shown(nodes.CUSTOMER, person.id), person=person)


@strawberry.input(one_of=True, description="How to find a customer: exactly one of these.")
class CustomerBy:
    id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="Any id this customer ever had.")
    identifier: IdentifierInput | None = strawberry.field(
        default=strawberry.UNSET, description="An identifier, asserted with enough assurance for its kind."
    )


async def find(info: Info, by: CustomerBy) -> Person:
    """The customer, whom the viewer may see. Raises NotFound, alike for nobody and for not sure enough."""
    identity = info.context.services.identity
    with admission.looked_up(info):
        if by.identifier:
            given = by.identifier
            said = Asserted(given.kind, given.value, given.assurance)
            (counts,) = (one for one in heard(viewer(info), [said]) if one[:2] == said[:2])
            person = await identity.customer_by(*counts)
        else:
            _, id = nodes.read(by.id or "", nodes.CUSTOMER)
            person = await identity.customer(id)
        await admission.admit(info, person)
    return person


@strawberry.type
class CustomerQueries:
    """Finding customers, and anything by its id."""

    # Nullable, though what is not found is an error: one that is missing must not take the others of a document along.
    @strawberry.field(description="A customer. NOT_FOUND alike for nobody and for too little assurance.")
    async def customer(
        self, info: Info, by: Annotated[CustomerBy, strawberry.argument(description="How to find them.")]
    ) -> Customer | None:
        return customer(await find(info, by))

    @strawberry.field(
        description="Every customer whom this value leads to, the longest known first; none is no error. For employees."
    )
    async def customers(
        self,
        info: Info,
        value: Annotated[
            str, strawberry.argument(description="An exact e-mail address, telephone number, login or number.")
        ],
    ) -> list[Customer]:
        if not 0 < len(value) <= MOST_VALUE:
            raise Invalid(f"value: 1 to {MOST_VALUE} characters.")
        with admission.looked_up(info):
            people = await info.context.services.identity.customers_with(value)
            await admission.admit(info, *people)
        return [customer(person) for person in people]

    @strawberry.field(description="Anything by its global id. NOT_FOUND for what never was one.")
    async def node(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="A global id.")]
    ) -> nodes.Node | None:
        if id.startswith(f"{nodes.ARTICLE}_"):
            from steadylight_server.api.knowledge import by_id

            return await by_id(info, id)
        with admission.looked_up(info):
            prefix, uuid = nodes.read(id, nodes.CUSTOMER, nodes.ACTION, nodes.JOURNEY, nodes.PERFORMANCE)
            try:
                if prefix == nodes.JOURNEY:
                    from steadylight_server.api import journeys

                    return await journeys.found(info, uuid)
                if prefix == nodes.PERFORMANCE:
                    from steadylight_server.api import capabilities

                    return await capabilities.found(info, uuid)
                fact = await info.context.services.timeline.action(uuid) if prefix == nodes.ACTION else None
                person = await info.context.services.identity.customer(fact.profile_id if fact else uuid)
                await admission.admit(info, person)
            except NotFound:
                raise nodes.nothing(id) from None  # what is not there, and what the viewer may not know of, alike
        return action(fact) if fact else customer(person)


def _wanted(filter: ActionFilter) -> Wanted:
    return Wanted(
        channel=filter.channel,
        type=filter.type,
        subject=Subject(filter.subject.kind, filter.subject.id) if filter.subject else None,
        since=filter.since,
        until=filter.until,
    )
