"""Capabilities in the graph: what a channel may offer, what it performs, and how that comes along."""

from collections.abc import AsyncGenerator, Mapping
from datetime import datetime
from typing import Annotated, Any, cast
from uuid import UUID

import strawberry

from steadylight_server.api import admission, journeys, nodes
from steadylight_server.api.actions import IdentifierInput
from steadylight_server.api.enums import Assurance, PerformanceState, WithheldWhy
from steadylight_server.api.info import Info, viewer
from steadylight_server.api.journeys import Journey, sure
from steadylight_server.api.scalars import Json
from steadylight_server.capabilities.attempts import NOTHING_DONE
from steadylight_server.capabilities.models import Failure, Forgotten, Offered, Progress
from steadylight_server.capabilities.models import Performance as Deed
from steadylight_server.core.errors import Invalid, NotFound, Unavailable
from steadylight_server.core.ids import uuid7
from steadylight_server.journeys.names import read
from steadylight_server.operations.capabilities import MOST_WAIT
from steadylight_server.operations.models import Asker

_TOKEN = "Give it as `after` to a read that must see this write."


@strawberry.type(description="A business function that every channel calls alike, as it is for one customer now.")
class Capability:
    offered: strawberry.Private[Offered]

    @strawberry.field(description="Its name: `statement.view`.")
    def name(self) -> str:
        return self.offered.capability.name

    @strawberry.field(description="What people call it.")
    def label(self) -> str | None:
        return self.offered.capability.label or None

    @strawberry.field(description="What it does.")
    def description(self) -> str | None:
        return self.offered.capability.description or None

    @strawberry.field(description="What it is given, as JSON Schema 2020-12.")
    def input(self) -> Json:
        return Json(dict(self.offered.capability.input.document))

    @strawberry.field(description="What comes of it, as JSON Schema 2020-12.")
    def output(self) -> Json:
        return Json(dict(self.offered.capability.output.document))

    @strawberry.field(description="How sure a channel must be of who the customer is.")
    def assurance(self) -> Assurance:
        return self.offered.capability.assurance

    @strawberry.field(description="Whether it can be undone.")
    def reversible(self) -> bool:
        return self.offered.capability.is_reversible

    @strawberry.field(description="The capability that undoes it.")
    def reversed_by(self) -> str | None:
        return self.offered.capability.reversed_by

    @strawberry.field(description="How long it may take, in seconds.")
    def timeout(self) -> float:
        return self.offered.capability.timeout.total_seconds()

    @strawberry.field(description="Whether the channel may offer it to the customer now.")
    def is_offered(self) -> bool:
        return self.offered.is_offered

    @strawberry.field(description="Why not, or why not all of it; null where it is offered whole.")
    def why(self) -> WithheldWhy | None:
        return self.offered.why

    @strawberry.field(description="The same in words, for whoever serves the customer.")
    def reason(self) -> str | None:
        return self.offered.reason or None


@strawberry.type(description="Why nothing was done, or why nobody knows.")
class PerformanceFailure:
    code: str = strawberry.field(description="For programs: what implements it says it, or Steadylight where UNKNOWN.")
    message: str = strawberry.field(description="For people.")


@strawberry.type(description="How far a performance has come.")
class PerformanceProgress:
    done: float | None = strawberry.field(description="From 0 to 1; null where nobody can tell.")
    message: str = strawberry.field(description="A line for people.")
    at: datetime | None = strawberry.field(description="When that was said.")


@strawberry.type(description="One deed: one key of one customer and one capability, whatever channel asks.")
class Performance(nodes.Node):
    deed: strawberry.Private[Deed]
    is_told: strawberry.Private[bool]

    @strawberry.field(description="What is performed, by name.")
    def capability(self) -> str:
        return self.deed.capability

    @strawberry.field(description="What people call it.")
    def label(self) -> str | None:
        return self.deed.label or None

    @strawberry.field(description="What the channels call this deed.")
    def key(self) -> str:
        return self.deed.key

    @strawberry.field(description="What has become of it.")
    def state(self) -> PerformanceState:
        return self.deed.state

    @strawberry.field(
        description="What came of it, where it is DONE. Null also for who is not as sure of the customer as the "
        "capability asks: perform it again with the same key to be told."
    )
    def output(self) -> Json | None:
        return Json(dict(self.deed.output)) if self.is_told and self.deed.output is not None else None

    @strawberry.field(
        description="Why it FAILED, or why nobody knows what came of it. Its message is empty for who is not as sure "
        "of the customer as the capability asks."
    )
    def failure(self) -> PerformanceFailure | None:
        failure = self.deed.failure
        return PerformanceFailure(code=failure.code, message=self._told(failure.message)) if failure else None

    @strawberry.field(
        description="How far it has come, as who performs it said last. Its message is empty for who is not as sure of "
        "the customer as the capability asks."
    )
    def progress(self) -> PerformanceProgress | None:
        told = self.deed.progress
        return PerformanceProgress(done=told.done, message=self._told(told.message), at=told.at) if told else None

    @strawberry.field(description="The journey that it belongs to; null for none.")
    async def journey(self, info: Info) -> Journey | None:
        id = read(self.deed.journey or "")
        return await journeys.found(info, id) if id is not None else None

    @strawberry.field(description="The channel that began it.")
    def channel(self) -> str:
        return self.deed.channel

    @strawberry.field(description="How often it was tried, always with the same key.")
    def attempt(self) -> int:
        return self.deed.attempt

    @strawberry.field(description="When it began.")
    def begun_at(self) -> datetime:
        return self.deed.begun_at

    @strawberry.field(description="When it was over; null while it is not.")
    def ended_at(self) -> datetime | None:
        return self.deed.ended_at

    def _told(self, words: str) -> str:
        return words if self.is_told else ""


@strawberry.input(description="For whom, and for which channel.")
class CapabilitiesInput:
    identifiers: list[IdentifierInput] = strawberry.field(
        default_factory=list, description="Who it is, as the channel knows now, at most 10."
    )
    contact: str | None = strawberry.field(default=None, description="The channel's key for the visit, call or chat.")
    channel: str | None = strawberry.field(
        default=None, description="Which channel; for who speaks for none, and must say."
    )


@strawberry.input(description="What is to be done, for whom, and the key that makes it one deed.")
class PerformCapabilityInput:
    capability: str = strawberry.field(description="Which, by name.")
    input: Json = strawberry.field(description="What it is given: a JSON object that fits its schema.")
    key: str = strawberry.field(
        description="What the channels call this deed, 1 to 200 characters: the same customer, capability and key is "
        "done once, and answered alike in every channel."
    )
    identifiers: list[IdentifierInput] = strawberry.field(
        default_factory=list,
        description="Who it is, as the channel knows now, at most 10. One must reach its kind's bar unless there is a "
        "contact.",
    )
    contact: str | None = strawberry.field(default=None, description="The channel's key for the visit, call or chat.")
    agent: str | None = strawberry.field(
        default=None, description="Which employee does it, where it is not the customer."
    )
    journey: strawberry.ID | None = strawberry.field(
        default=None, description="The customer's journey that it belongs to, by its global id."
    )
    within: float | None = strawberry.field(
        default=None,
        description=f"How many seconds to wait for the outcome, at most {MOST_WAIT:g}; left out, the capability's "
        "timeout. Then it is RUNNING, and the same again goes on waiting.",
    )


@strawberry.input(description="How far something has come that goes on by itself.")
class ReportProgressInput:
    performance: strawberry.ID = strawberry.field(description="Which. It was ACCEPTED.")
    done: float | None = strawberry.field(default=None, description="From 0 to 1; null where nobody can tell.")
    message: str = strawberry.field(default="", description="A line for people, at most 500 characters.")


@strawberry.input(description="Why it was not done.")
class PerformanceFailureInput:
    code: str = strawberry.field(description="For programs: 1 to 50 characters.")
    message: str = strawberry.field(default="", description="For people: at most 500 characters.")


@strawberry.input(description="What came of it: an output or a failure.")
class CompletePerformanceInput:
    performance: strawberry.ID = strawberry.field(description="Which. It was ACCEPTED, or its outcome was UNKNOWN.")
    output: Json | None = strawberry.field(default=None, description="A JSON object that fits the output's schema.")
    failure: PerformanceFailureInput | None = strawberry.field(default=None, description="Why it was not done.")


@strawberry.type(description="What came of it so far.")
class PerformCapabilityPayload:
    performance: Performance = strawberry.field(description="As it is now.")
    repeated: bool = strawberry.field(description="Whether the key had been used before, in whatever channel.")
    token: str | None = strawberry.field(description=_TOKEN)


@strawberry.type(description="It is noted.")
class ReportProgressPayload:
    performance: Performance = strawberry.field(description="As it is now.")


@strawberry.type(description="It is over.")
class CompletePerformancePayload:
    performance: Performance = strawberry.field(description="As it is now.")


@strawberry.type
class CapabilityQueries:
    """What is offered, and what became of a deed."""

    @strawberry.field(
        description="What the channel may offer this customer now, and why not the rest: everything that the blueprint "
        "declares, by name."
    )
    def capabilities(
        self, info: Info, input: Annotated[CapabilitiesInput, strawberry.argument(description="For whom, and where.")]
    ) -> list[Capability]:
        offered = info.context.services.performing.offered(
            viewer(info), _identifiers(input.identifiers), contact=input.contact, channel=input.channel
        )
        return [Capability(offered=one) for one in offered]

    @strawberry.field(description="What became of a deed. NOT_FOUND alike for none and for another customer's.")
    async def performance(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="Its global id.")]
    ) -> Performance | None:
        return await found(info, nodes.read(id, nodes.PERFORMANCE)[1])


@strawberry.type
class CapabilityMutations:
    """What is performed, and what is said of it."""

    @strawberry.mutation(
        description="Performs a capability, once for each key of the customer. CONFLICT where the key was used with "
        "another input, or for another journey; FORBIDDEN with `why` where it is not offered; UNAVAILABLE where "
        "nothing was done."
    )
    async def perform_capability(
        self, info: Info, input: Annotated[PerformCapabilityInput, strawberry.argument(description="What, for whom.")]
    ) -> PerformCapabilityPayload:
        # Its own key tells a repetition; an operation of its own it has none.
        asker = Asker(uuid7(), _identifiers(input.identifiers), input.contact, input.agent)
        journey = nodes.read(input.journey, nodes.JOURNEY)[1] if input.journey is not None else None
        done = await info.context.services.performing.perform(
            viewer(info), asker, input.capability, input.input, input.key, journey=journey, within=input.within
        )
        shown = performance(done.result.performance, is_told=True)
        return PerformCapabilityPayload(performance=shown, repeated=done.result.is_repeated, token=done.token)

    @strawberry.mutation(
        description="Says how far something has come that goes on by itself. CONFLICT when it is over."
    )
    async def report_progress(
        self, info: Info, input: Annotated[ReportProgressInput, strawberry.argument(description="Which, how far.")]
    ) -> ReportProgressPayload:
        progress = Progress(input.done, input.message)
        deed = await info.context.services.performing.report(viewer(info), _read(input.performance), progress)
        return ReportProgressPayload(performance=performance(deed, is_told=False))

    @strawberry.mutation(
        description="Says what came of something that went on by itself, or of which nobody knew. The same again is "
        "harmless; CONFLICT where something else came of it."
    )
    async def complete_performance(
        self, info: Info, input: Annotated[CompletePerformanceInput, strawberry.argument(description="Which, what.")]
    ) -> CompletePerformancePayload:
        output = cast(Any, input.output)
        if output is not None and not isinstance(output, Mapping):
            raise Invalid("output: an object is wanted.")
        failure = Failure(input.failure.code, input.failure.message) if input.failure else None
        deed = await info.context.services.performing.complete(viewer(info), _read(input.performance), output, failure)
        return CompletePerformancePayload(performance=performance(deed, is_told=False))


@strawberry.type
class CapabilitySubscriptions:
    """Deeds as they come along."""

    @strawberry.subscription(
        name="performance",
        description="A deed as it is, then each time it has come further, until it is over. Ends with UNAVAILABLE "
        "where nothing was done, or something may have been missed.",
    )
    async def performance_followed(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="Its global id.")]
    ) -> AsyncGenerator[Performance, None]:
        uuid = nodes.read(id, nodes.PERFORMANCE)[1]
        first = await found(info, uuid)  # whom the viewer may not see is not followed
        async with info.context.services.progress.follow([uuid]) as changes:
            last = await info.context.services.capabilities.one(uuid)
            yield performance(last, is_told=first.is_told)
            if last.state.is_over:
                return
            async for deed in changes:
                if isinstance(deed, Forgotten):
                    raise Unavailable(NOTHING_DONE)
                if deed != last:
                    last = deed
                    yield performance(deed, is_told=first.is_told)
                if deed.state.is_over:
                    return


def performance(deed: Deed, *, is_told: bool) -> Performance:
    """A performance as the graph shows it; what came of it only to who `is_told`."""
    return Performance(id=nodes.shown(nodes.PERFORMANCE, deed.id), deed=deed, is_told=is_told)


async def found(info: Info, id: UUID) -> Performance:
    """The performance of that id, of a customer whom the viewer may see. Raises NotFound."""
    services = info.context.services
    with admission.looked_up(info):
        try:
            deed = await services.capabilities.one(id)
            await admission.admit(info, await services.identity.customer(deed.profile_id))
        except NotFound:
            raise nodes.nothing(nodes.shown(nodes.PERFORMANCE, id)) from None
    declared = services.capabilities.declared.declared.get(deed.capability)
    needed = declared.assurance if declared else deed.assurance
    return performance(deed, is_told=sure(info, Assurance.CLAIMED) >= needed)


def _identifiers(given: list[IdentifierInput]) -> list[Mapping[str, str]]:
    return [{"kind": one.kind, "value": one.value, "assurance": one.assurance.name} for one in given]


def _read(id: str) -> UUID:
    """Raises NotFound."""
    return nodes.read(id, nodes.PERFORMANCE)[1]
