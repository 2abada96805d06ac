"""Recording in the graph: one by one or in bulk, with what is known then in the same round trip."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

import strawberry

from steadylight_server.api import contexts
from steadylight_server.api.actions import IdentifierInput, SubjectInput
from steadylight_server.api.contexts import Context, ContextInput
from steadylight_server.api.enums import Actor, VerdictKind
from steadylight_server.api.info import Info, viewer
from steadylight_server.api.scalars import ActionBatch, ContextDocument, Counter, Json, VerdictBatch, written
from steadylight_server.core import metrics
from steadylight_server.core.clock import now
from steadylight_server.ingest.models import Answer
from steadylight_server.ingest.models import Verdict as Judged
from steadylight_server.ingest.shape import check_size

_LETTER = {VerdictKind.STORED: "S", VerdictKind.DUPLICATE: "D", VerdictKind.REFUSED: "X", VerdictKind.RETRY: "R"}
_Asked = Annotated[ContextInput, strawberry.argument(description="Whose. `after` need not be given: it is this write.")]


@strawberry.type(description="What became of one action.")
class Verdict:
    index: int = strawberry.field(description="Its place in the batch, from 0.")
    action_id: str | None = strawberry.field(description="The action's own id, if it could be read.")
    verdict: VerdictKind = strawberry.field(description="STORED, DUPLICATE, REFUSED or RETRY.")
    code: str | None = strawberry.field(description="Why it was not stored: an error code.")
    message: str | None = strawberry.field(description="Why it was not stored, in words.")


@strawberry.type(description="Something odd about an action that was stored all the same.")
class Warning:
    index: int = strawberry.field(description="The action's place in the batch, from 0.")
    code: str = strawberry.field(
        description="`NEW_TYPE`: nobody ever used this type before. `BLOCKED_VALUE`: an identifier stands for nobody, "
        "and counts for nothing."
    )
    message: str = strawberry.field(description="The same in words.")


@strawberry.input(description="Actions to record in bulk.")
class RecordActionsInput:
    batch: ActionBatch = strawberry.field(description="1 to 500 actions, at most 500,000 bytes.")


@strawberry.type(description="What became of a batch. Sending it again is always safe.")
class RecordActionsPayload:
    answer: strawberry.Private[Answer]

    @strawberry.field(description="How many are stored now and were not before.")
    def stored(self) -> int:
        return self.answer.count(VerdictKind.STORED)

    @strawberry.field(description="How many were stored before, with the same content.")
    def duplicate(self) -> int:
        return self.answer.count(VerdictKind.DUPLICATE)

    @strawberry.field(description="How many cannot be stored, now or later.")
    def refused(self) -> int:
        return self.answer.count(VerdictKind.REFUSED)

    @strawberry.field(description="How many should be sent again.")
    def retry(self) -> int:
        return self.answer.count(VerdictKind.RETRY)

    @strawberry.field(description="Those that were refused or should be sent again, in the order of the batch.")
    def exceptions(self) -> list[Verdict]:
        return [_verdict(one) for one in self.answer.exceptions]

    @strawberry.field(description="Oddities about actions that were stored.")
    def warnings(self) -> list[Warning]:
        return _warnings(self.answer)

    @strawberry.field(description="All of this in one JSON object, for an SDK.")
    def verdicts(self) -> VerdictBatch:
        return VerdictBatch(verdict_batch(self.answer))

    @strawberry.field(description="Give it as `after` to a read, in any channel, that must see this write.")
    def token(self) -> str | None:
        return self.answer.token

    @strawberry.field(
        description="What the channel may know of a customer now, these actions included. Null, with an error, where "
        "it cannot be read: what became of the actions is told all the same."
    )
    async def context_document(self, info: Info, input: _Asked) -> ContextDocument | None:
        return await contexts.told(info, _after(input, self.answer))


@strawberry.input(description="One action to record.")
class RecordActionInput:
    id: strawberry.ID = strawberry.field(description="A UUID made once by the recorder, kept when sending again.")
    type: str = strawberry.field(description="What was done, 1 to 100 printable characters; `noun.verb` is best.")
    at: datetime = strawberry.field(description="When it was done.")
    sequence: Counter = strawberry.field(
        default=Counter(0), description="Orders actions of one moment; the recorder's counter."
    )
    identifiers: list[IdentifierInput] = strawberry.field(
        default_factory=list,
        description="Who it was, at most 10. One must reach its kind's bar unless there is a contact.",
    )
    contact: str | None = strawberry.field(default=None, description="The channel's key for the visit, call or chat.")
    journey: str | None = strawberry.field(default=None, description="What the customer wants to get done.")
    actor: Actor = strawberry.field(default=Actor.CUSTOMER, description="Who did it.")
    agent: str | None = strawberry.field(default=None, description="Which employee, where the actor is AGENT.")
    subject: SubjectInput | None = strawberry.field(default=None, description="The business object it is about.")
    properties: Json | None = strawberry.field(default=None, description="A JSON object, at most 32,768 bytes.")
    traits: Json | None = strawberry.field(
        default=None,
        description="What it tells about the customer, by name: a JSON object of at most 50 and 8,192 bytes; null "
        "takes one back. Not with a customer's own token.",
    )


@strawberry.type(description="What became of the action. Sending it again is always safe.")
class RecordActionPayload:
    answer: strawberry.Private[Answer]
    verdict: Verdict = strawberry.field(description="Stored, there already, or why not.")
    warnings: list[Warning] = strawberry.field(description="Oddities about an action that was stored.")
    token: str | None = strawberry.field(description="Give it as `after` to a read that must see this write.")

    @strawberry.field(
        description="What the channel may know of a customer now, this action included. Null, with an error, where it "
        "cannot be read."
    )
    async def context(self, info: Info, input: _Asked) -> Context | None:
        return Context(known=await contexts.fetch(info, _after(input, self.answer)), contact=input.contact)


@strawberry.type
class ActionMutations:
    """Recording."""

    @strawberry.mutation(description="Records up to 500 actions. Each gets a verdict of its own; the rest is stored.")
    async def record_actions(
        self, info: Info, input: Annotated[RecordActionsInput, strawberry.argument(description="The batch.")]
    ) -> RecordActionsPayload:
        check_size(input.batch)
        return RecordActionsPayload(answer=await _record(info, input.batch))

    @strawberry.mutation(description="Records one action: for front ends. An SDK records in bulk.")
    async def record_action(
        self, info: Info, input: Annotated[RecordActionInput, strawberry.argument(description="The action.")]
    ) -> RecordActionPayload:
        answer = await _record(info, {"sent_at": written(now()), "actions": [_raw(input)]})
        stored = Verdict(index=0, action_id=str(input.id), verdict=answer.kinds[0], code=None, message=None)
        verdict = _verdict(answer.exceptions[0]) if answer.exceptions else stored
        return RecordActionPayload(answer=answer, verdict=verdict, warnings=_warnings(answer), token=answer.token)


def _after(input: ContextInput, answer: Answer) -> ContextInput:
    return replace(input, after=answer.token or input.after)


async def _record(info: Info, batch: object) -> Answer:
    who = viewer(info)
    answer = await info.context.services.ingest.record(who, batch)
    metrics.actions_judged(who.channel or "", {kind.value: answer.count(kind) for kind in VerdictKind})
    return answer


def verdict_batch(answer: Answer) -> dict[str, Any]:
    """As verdicts.schema.json says."""
    return {
        **{kind.value.lower(): answer.count(kind) for kind in VerdictKind},
        "verdicts": "".join([_LETTER[kind] for kind in answer.kinds]),
        "exceptions": [
            {"index": one.index, "id": one.id, "verdict": one.kind.value, "code": one.code, "message": one.message}
            for one in answer.exceptions
        ],
        "warnings": [{"index": one.index, "code": one.code, "message": one.message} for one in answer.warnings],
        "token": answer.token,
    }


def _verdict(one: Judged) -> Verdict:
    return Verdict(index=one.index, action_id=one.id, verdict=one.kind, code=one.code, message=one.message)


def _warnings(answer: Answer) -> list[Warning]:
    return [Warning(index=one.index, code=one.code, message=one.message) for one in answer.warnings]


def _raw(input: RecordActionInput) -> dict[str, Any]:
    """The same action as it would stand in a batch, so that there is one set of rules."""
    given = {
        "id": input.id,
        "sequence": input.sequence,
        "type": input.type,
        "at": written(input.at),
        "identifiers": [
            {"kind": one.kind, "value": one.value, "assurance": one.assurance.name} for one in input.identifiers
        ],
        "contact": input.contact,
        "journey": input.journey,
        "actor": input.actor.value,
        "agent": input.agent,
        "subject": {"kind": input.subject.kind, "id": input.subject.id} if input.subject else None,
        "properties": input.properties,
        "traits": input.traits,
    }
    return {name: value for name, value in given.items() if value is not None}
