"""Journeys in the graph: started or picked up, asked and answered, changed, and shown."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from steadylight_server.access.models import Role
from steadylight_server.api import admission, nodes
from steadylight_server.api.actions import IdentifierInput
from steadylight_server.api.enums import Again, AnswerForm, AnswerUse, Assurance, JourneyCategory, JourneyStatus
from steadylight_server.api.info import Info, operation, viewer
from steadylight_server.api.scalars import Json
from steadylight_server.core.errors import Invalid
from steadylight_server.identity.models import Customer as Person
from steadylight_server.journeys.models import Answer as Said
from steadylight_server.journeys.models import Ask as Asked
from steadylight_server.journeys.models import Journey as Errand
from steadylight_server.journeys.models import Listed
from steadylight_server.journeys.models import Question as Rules
from steadylight_server.operations.models import Asker

_TOKEN = "Give it as `after` to a read that must see this write."


@strawberry.type(description="What a customer said, and how it is known.")
class Answer:
    question: str = strawberry.field(description="What was asked, by name.")
    value: Json = strawberry.field(description="What they said.")
    at: datetime = strawberry.field(description="When.")
    channel: str = strawberry.field(description="Where.")
    contact: str | None = strawberry.field(description="In which contact of that channel, by its key.")
    assurance: Assurance = strawberry.field(description="How sure that channel was of who it was.")
    action_id: strawberry.ID = strawberry.field(description="The action that tells of it.")


@strawberry.type(description="What a journey asks, as its blueprint declares it.")
class Question:
    name: str = strawberry.field(description="Its name.")
    label: str | None = strawberry.field(description="How it is put to the customer.")
    form: AnswerForm | None = strawberry.field(description="What an answer is; null for anything.")
    pattern: str | None = strawberry.field(description="A regular expression that an answer matches as a whole.")
    choices: list[str] = strawberry.field(description="The answers there are; none for any.")


@strawberry.type(description="One time that a question came up.")
class Ask:
    question: str = strawberry.field(description="Which, by name.")
    at: datetime = strawberry.field(description="When.")
    channel: str = strawberry.field(description="Where.")
    contact: str | None = strawberry.field(description="In which contact of that channel, by its key.")
    is_known: bool = strawberry.field(description="Whether the channel was told an answer, so that nobody need ask.")
    again: Again | None = strawberry.field(
        description="Why the customer had to be asked what they had been asked before; null if they were not."
    )


class Told:
    """The answers of a customer's journeys, as the viewer may see them: looked up once, when the first is asked for."""

    def __init__(
        self, info: Info, listed: Sequence[Listed], person: Person, assurance: Assurance = Assurance.CLAIMED
    ) -> None:
        self._info = info
        self._listed = listed
        self._person = person
        self._assurance = sure(info, assurance)
        self._found: asyncio.Task[Mapping[UUID, Sequence[Said]]] | None = None

    async def of(self, id: UUID) -> Sequence[Said]:
        """Of one of them, by question."""
        if self._found is None:
            self._found = asyncio.ensure_future(self._look())
        return (await self._found).get(id, ())

    async def _look(self) -> Mapping[UUID, Sequence[Said]]:
        journeys, channel = self._info.context.services.journeys, viewer(self._info).channel or ""
        if len(self._listed) > 1:
            return await journeys.answers_of(self._listed, self._person, self._assurance, channel)
        (alone,) = self._listed
        return {alone.journey.id: await journeys.shown(alone.journey, self._person, self._assurance, channel)}


@strawberry.type(description="One thing a customer wants to get done, across contacts and channels.")
class Journey(nodes.Node):
    listed: strawberry.Private[Listed]
    person: strawberry.Private[Person]
    told: strawberry.Private["Told"]

    @strawberry.field(description="What it is, by name.")
    def type(self) -> str:
        return self._journey.type.name

    @strawberry.field(description="What people call its type.")
    def label(self) -> str | None:
        return self._journey.type.label or None

    @strawberry.field(description="What it is about.")
    def category(self) -> JourneyCategory:
        return self._journey.type.category

    @strawberry.field(description="The version of the blueprint whose rules it keeps; 0 for a type without rules.")
    def version(self) -> int:
        return self._journey.type.version

    @strawberry.field(description="The business's own name for it, such as an order; empty where there is none.")
    def key(self) -> str:
        return self._journey.key

    @strawberry.field(description="Where it stands.")
    def status(self) -> JourneyStatus:
        return self._journey.status

    @strawberry.field(description="What came of it, as whoever ended it said.")
    def outcome(self) -> str | None:
        return self._journey.outcome

    @strawberry.field(description="The step that it is at.")
    def step(self) -> str | None:
        return self._journey.step

    @strawberry.field(description="Its steps, in the usual order; none for a type without rules.")
    def steps(self) -> list[str]:
        return list(self._journey.type.steps)

    @strawberry.field(description="When it began.")
    def started_at(self) -> datetime:
        return self._journey.started_at

    @strawberry.field(description="The channel in which it began.")
    def started_in(self) -> str:
        return self._journey.started_in

    @strawberry.field(description="When anything was last done about it.")
    def active_at(self) -> datetime:
        return self._journey.active_at

    @strawberry.field(description="When its step or status changed last.")
    def changed_at(self) -> datetime | None:
        return self._journey.changed_at

    @strawberry.field(description="The channel that changed it last.")
    def changed_in(self) -> str | None:
        return self._journey.changed_in

    @strawberry.field(description="How often it was opened again after it had been completed.")
    def reopened(self) -> int:
        return self._journey.reopened

    @strawberry.field(description="Since when nothing has happened for too long; null while that is not so.")
    def stalled_at(self) -> datetime | None:
        return self._journey.stalled_at if self._journey.has_stalled else None

    @strawberry.field(description="The open journey of the same type and key that takes its place, after a merge.")
    def duplicate_of(self) -> strawberry.ID | None:
        other = self.listed.duplicate_of
        return nodes.shown(nodes.JOURNEY, other) if other else None

    @strawberry.field(description="What it asks, as declared; a question that nobody declared may be asked, too.")
    def questions(self) -> list[Question]:
        return [question(rules) for rules in self._journey.type.questions.values()]

    @strawberry.field(
        description="What is known in it to somebody who is as sure of the customer as the viewer is, by question. "
        "What is SECRET is told to whom asks for it by name alone."
    )
    async def answers(self, info: Info) -> list[Answer]:
        return [answer(said) for said in await self.told.of(self._journey.id)]

    @strawberry.field(description="Each time that one of its questions came up, the oldest first; the latest 1,000.")
    async def asks(self, info: Info) -> list[Ask]:
        return [ask(one) for one in await info.context.services.journeys.asks(self._journey, self.person)]

    @property
    def _journey(self) -> Errand:
        return self.listed.journey


def journey(listed: Listed, person: Person, told: Told) -> Journey:
    """A journey as the graph shows it."""
    return Journey(id=nodes.shown(nodes.JOURNEY, listed.journey.id), listed=listed, person=person, told=told)


def sure(info: Info, assurance: Assurance) -> Assurance:
    """How sure the viewer is of who the customer is, if their word alone counts for so much."""
    who = viewer(info)
    if who.role in (Role.AGENT, Role.ADMIN):
        return Assurance.IN_PERSON
    return max(assurance, Assurance.LOGIN) if who.customer else assurance


def answer(said: Said) -> Answer:
    """An answer as the graph shows it."""
    return Answer(
        question=said.question,
        value=Json(said.value),
        at=said.at,
        channel=said.channel,
        contact=said.contact,
        assurance=said.assurance,
        action_id=nodes.shown(nodes.ACTION, said.action_id),
    )


def question(rules: Rules) -> Question:
    """A question as the graph shows it."""
    return Question(
        name=rules.name,
        label=rules.label or None,
        form=rules.form,
        pattern=rules.pattern,
        choices=list(rules.choices),
    )


def ask(one: Asked) -> Ask:
    """One time that a question came up, as the graph shows it."""
    return Ask(
        question=one.question,
        at=one.at,
        channel=one.channel,
        contact=one.contact,
        is_known=one.is_known,
        again=one.again,
    )


@strawberry.input
class AskerInput:
    """What the input of each operation begins with: the operation, and for whom it is. Not in the schema by itself."""

    operation_id: strawberry.ID = strawberry.field(description="A UUID made once: the same again changes nothing.")
    identifiers: list[IdentifierInput] = strawberry.field(
        default_factory=list,
        description="Who it is, as the channel knows now, at most 10. One must reach its kind's bar unless there is a "
        "contact.",
    )
    contact: str | None = strawberry.field(default=None, description="The channel's key for the visit, call or chat.")
    agent: str | None = strawberry.field(
        default=None, description="Which employee does it, where it is not the customer."
    )


@strawberry.input(description="What a customer wants to get done, and who they are.")
class StartJourneyInput(AskerInput):
    type: str = strawberry.field(description="What it is, 1 to 50 characters: `add-broadband`. None need be declared.")
    key: str = strawberry.field(
        default="", description="The business's own name for it, such as an order, at most 200 characters."
    )


@strawberry.input(description="What a channel would ask a customer, and who they are.")
class AskQuestionInput(AskerInput):
    journey: strawberry.ID = strawberry.field(description="In which journey.")
    question: str = strawberry.field(description="Which question, by name. None need be declared.")


@strawberry.input(description="What a customer said, and who they are.")
class AnswerQuestionInput(AskerInput):
    journey: strawberry.ID = strawberry.field(description="In which journey.")
    question: str = strawberry.field(description="Which question, by name.")
    value: Json | None = strawberry.field(
        default=strawberry.UNSET,
        description="What they said; null takes an answer back, and must be said. At most 32,768 bytes.",
    )


@strawberry.input(description="A step, and whose journey takes it.")
class AdvanceJourneyInput(AskerInput):
    journey: strawberry.ID = strawberry.field(description="Which journey.")
    step: str = strawberry.field(description="The step to go to, 1 to 50 characters; one of the type's if it has any.")
    came_from: str | None = strawberry.field(
        default=None, description="The step at which the journey is, as the channel knows. Left out: at none yet."
    )


@strawberry.input(description="What becomes of a journey, and whose it is.")
class SetJourneyStatusInput(AskerInput):
    journey: strawberry.ID = strawberry.field(description="Which journey.")
    status: JourneyStatus = strawberry.field(description="What becomes of it.")
    outcome: str | None = strawberry.field(default=None, description="What came of it, at most 100 characters.")


@strawberry.type(description="The journey, new or picked up.")
class StartJourneyPayload:
    journey: Journey = strawberry.field(description="As it is now.")
    answers: list[Answer] = strawberry.field(description="What is known in it to the channel that asks, by question.")
    resumed: bool = strawberry.field(description="Whether it had begun before.")
    token: str | None = strawberry.field(description=_TOKEN)


@strawberry.type(description="What is known of a question. Where there is an answer, nobody asks again.")
class AskQuestionPayload:
    question: Question = strawberry.field(description="What is asked.")
    answer: Answer | None = strawberry.field(description="What the customer said before, if it may be used here.")
    use: AnswerUse | None = strawberry.field(description="What to do with the answer.")
    again: Again | None = strawberry.field(description="Why there is none, though the customer was asked before.")
    token: str | None = strawberry.field(description=_TOKEN)


@strawberry.type(description="The answer is kept.")
class AnswerQuestionPayload:
    journey: Journey = strawberry.field(description="As it is now.")
    token: str | None = strawberry.field(description=_TOKEN)


@strawberry.type(description="What became of the step.")
class AdvanceJourneyPayload:
    journey: Journey = strawberry.field(description="As it is now: where the step was not taken, what came before it.")
    is_done: bool = strawberry.field(description="Whether the step was taken; false where somebody else came first.")
    token: str | None = strawberry.field(description=_TOKEN)


@strawberry.type(description="What became of the journey.")
class SetJourneyStatusPayload:
    journey: Journey = strawberry.field(description="As it is now.")
    is_done: bool = strawberry.field(description="Whether it became that; false where somebody else came first.")
    token: str | None = strawberry.field(description=_TOKEN)


@strawberry.type
class JourneyMutations:
    """What is done about a journey."""

    @strawberry.mutation(
        description="Starts a journey, or picks up the customer's open one of that type and key, in whatever channel."
    )
    async def start_journey(
        self, info: Info, input: Annotated[StartJourneyInput, strawberry.argument(description="What, and whose.")]
    ) -> StartJourneyPayload:
        done = await info.context.services.errands.start(viewer(info), _asker(input), input.type, input.key)
        return StartJourneyPayload(
            journey=await _shown(info, done.result.journey, done.result.assurance),
            answers=[answer(said) for said in done.result.answers],
            resumed=done.result.resumed,
            token=done.token,
        )

    @strawberry.mutation(
        description="What is known of a question. Ask this before the customer: that it came up is recorded."
    )
    async def ask_question(
        self, info: Info, input: Annotated[AskQuestionInput, strawberry.argument(description="What, and whom.")]
    ) -> AskQuestionPayload:
        done = await info.context.services.errands.ask(
            viewer(info), _asker(input), _read(input.journey), input.question
        )
        known = done.result
        return AskQuestionPayload(
            question=question(known.question),
            answer=answer(known.answer) if known.answer else None,
            use=known.use,
            again=known.again,
            token=done.token,
        )

    @strawberry.mutation(description="Keeps what a customer said, so that no channel asks again. INVALID if it is not.")
    async def answer_question(
        self, info: Info, input: Annotated[AnswerQuestionInput, strawberry.argument(description="What, and who.")]
    ) -> AnswerQuestionPayload:
        if input.value is strawberry.UNSET:
            raise Invalid("value: what they said, or null to take an answer back.")
        done = await info.context.services.errands.answer(
            viewer(info), _asker(input), _read(input.journey), input.question, input.value
        )
        return AnswerQuestionPayload(journey=await _shown(info, *done.result), token=done.token)

    @strawberry.mutation(description="Takes a journey a step further, unless somebody else did so first.")
    async def advance_journey(
        self, info: Info, input: Annotated[AdvanceJourneyInput, strawberry.argument(description="Which, and where.")]
    ) -> AdvanceJourneyPayload:
        done = await info.context.services.errands.advance(
            viewer(info), _asker(input), _read(input.journey), input.step, input.came_from
        )
        change, assurance = done.result
        return AdvanceJourneyPayload(
            journey=await _shown(info, change.journey, assurance), is_done=change.is_done, token=done.token
        )

    @strawberry.mutation(description="Ends a journey, lets it wait, or opens it again, unless somebody ended it first.")
    async def set_journey_status(
        self, info: Info, input: Annotated[SetJourneyStatusInput, strawberry.argument(description="Which, and what.")]
    ) -> SetJourneyStatusPayload:
        done = await info.context.services.errands.become(
            viewer(info), _asker(input), _read(input.journey), input.status, input.outcome
        )
        change, assurance = done.result
        return SetJourneyStatusPayload(
            journey=await _shown(info, change.journey, assurance), is_done=change.is_done, token=done.token
        )


async def shown(info: Info, person: Person, assurance: Assurance = Assurance.CLAIMED) -> list[Journey]:
    """The journeys of a customer, to somebody who is so sure of who it is."""
    listed = await info.context.services.journeys.of(person.profile_ids)
    told = Told(info, listed, person, assurance)
    return [journey(one, person, told) for one in listed]


async def found(info: Info, id: UUID) -> Journey:
    """The journey of that id, of a customer whom the viewer may see. Raises NotFound."""
    services = info.context.services
    errand = await services.journeys.one(id)
    person = await services.identity.customer(errand.profile_id)
    await admission.admit(info, person)
    return _alone(info, await services.journeys.beside(errand, person), person)


async def _shown(info: Info, errand: Errand, assurance: Assurance) -> Journey:
    journeys = info.context.services.journeys
    person = await journeys.whose(errand.profile_id, assurance)
    return _alone(info, await journeys.beside(errand, person), person, assurance)


def _alone(info: Info, listed: Listed, person: Person, assurance: Assurance = Assurance.CLAIMED) -> Journey:
    return journey(listed, person, Told(info, [listed], person, assurance))


def _asker(input: AskerInput) -> Asker:
    return Asker(
        operation(input.operation_id),
        [{"kind": one.kind, "value": one.value, "assurance": one.assurance.name} for one in input.identifiers],
        input.contact,
        input.agent,
    )


def _read(id: str) -> UUID:
    """Raises NotFound."""
    return nodes.read(id, nodes.JOURNEY)[1]
