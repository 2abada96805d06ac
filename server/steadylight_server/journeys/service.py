"""Starts journeys and picks them up, says what is known of a question, and lets nobody undo what another did first.

Every change is one write that carries the action which tells of it (`store`). Who calls ingests that action and says
so; `unrecorded` gives those of callers that died.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from steadylight_server.core.assurance import Assurance
from steadylight_server.core.clock import Clock, in_milliseconds, now
from steadylight_server.core.errors import Conflict, Forbidden, Invalid, NotFound
from steadylight_server.core.ids import uuid7
from steadylight_server.core.paging import MAX_PAGE, Window
from steadylight_server.identity.models import Customer, Profile
from steadylight_server.identity.service import IdentityService
from steadylight_server.journeys.answers import AnswerStore, Register
from steadylight_server.journeys.asks import asks, told
from steadylight_server.journeys.due import due_at, fired
from steadylight_server.journeys.known import answers, answers_of, known
from steadylight_server.journeys.models import (
    ADVANCED,
    ANSWERED,
    ASKED,
    CHANGED,
    MOST_QUESTION,
    RESUMED,
    Answer,
    Ask,
    Change,
    Journey,
    JourneyType,
    Known,
    Listed,
    Question,
    Status,
    Thread,
    listed,
)
from steadylight_server.journeys.names import named, read
from steadylight_server.journeys.store import JourneyStore, being
from steadylight_server.journeys.threads import ThreadStore
from steadylight_server.timeline.models import Action, ActionFilter, Actor, Order
from steadylight_server.timeline.service import TimelineService

MOST_JOURNEYS = 20
MOST_NAME = 50
MOST_KEY = 200
MOST_OUTCOME = 100
# Seconds after which somebody else records what whoever changed a journey left.
LEFT_AFTER = timedelta(seconds=10)
# How long one waits that cannot be recorded, so that many of them do not keep the others from it.
PUT_OFF = timedelta(minutes=1)
# Due journeys, and unrecorded ones, that are looked at in one go.
_TOGETHER = 100
# Asks that are looked through, the latest.
_MOST_ASKS = 1_000
_NOBODY = "There is no such journey, or not enough assurance to say so."


class JourneyService:
    """The only way to journeys, questions and answers."""

    def __init__(
        self,
        store: JourneyStore,
        answers: AnswerStore,
        threads: ThreadStore,
        identity: IdentityService,
        timeline: TimelineService,
        *,
        clock: Clock = now,
    ) -> None:
        self._store = store
        self._answers = answers
        self._identity = identity
        self._timeline = timeline
        self._clock = clock
        self._threads = threads
        self.types = threads.types

    async def start(self, deed: Action, type: str, key: str) -> tuple[Journey, Action]:
        """The open journey of that type and key of whoever did the deed, or a new one; and the deed, to be recorded.

        One is made at a time, whoever asks at the same moment. Raises Invalid, Forbidden.
        """
        if not 0 < len(type) <= MOST_NAME or len(key) > MOST_KEY:
            raise Invalid(f"type: 1 to {MOST_NAME} characters; key: at most {MOST_KEY}.")
        rules = self.types.of(type)
        _admit(rules, deed)
        customer = await self.whose(deed.profile_id, deed.assurance)
        found = _open(await self._store.same(customer.profile_ids, type, key))
        if found is None and (unknown := await self._before(deed)):
            found = _open(await self._store.same([profile.id for profile in unknown], type, key))
        is_new = False
        if found is None:
            found, is_new = await self._made(deed, rules, key)
        _admit(found.type, deed)
        if is_new or await self._store.did(found.id, deed.id):
            return found, _started(deed, found)
        return found, _started(deed, found)._replace(type=RESUMED)

    async def _made(self, deed: Action, rules: JourneyType, key: str) -> tuple[Journey, bool]:
        """The journey, and whether it is new: nobody else makes or merges for this customer meanwhile."""

        async def work() -> tuple[Journey, bool]:
            customer = (await self._identity.hold(deed.profile_id)).known_to(deed.profile_id, deed.assurance)
            found = _open(await self._store.same(customer.profile_ids, rules.name, key))
            if found is not None:
                return found, False
            at = deed.at
            new = Journey(
                id=uuid7(),
                profile_id=deed.profile_id,
                type=rules,
                key=key,
                status=Status.OPEN,
                started_at=at,
                started_in=deed.channel,
                active_at=at,
                step=rules.steps[0] if rules.steps else None,
                due_at=due_at(rules, at, has_stalled=False),
            )
            stored = self._timeline.stored(_started(deed, new))
            await self._store.add(new, deed.id, stored, self._clock())
            return new, True

        return await self._store.database.transaction(work)

    async def mine(self, deed: Action, id: UUID) -> tuple[Journey, Customer]:
        """The journey of whoever did the deed, and who that is. Raises NotFound for another's, Forbidden."""
        journey = await self._store.one(id)
        if journey is None:
            raise NotFound(_NOBODY)
        customer = await self.whose(deed.profile_id, deed.assurance)
        if journey.profile_id not in customer.profile_ids:
            customer = replace(customer, profiles=[*customer.profiles, *await self._before(deed)])
        if journey.profile_id not in customer.profile_ids:
            raise NotFound(_NOBODY)
        _admit(journey.type, deed)
        return journey, customer

    async def whose(self, profile_id: UUID, assurance: Assurance) -> Customer:
        """The customer that a profile is part of; to somebody who has proven nothing, that profile alone."""
        return (await self._identity.customer(profile_id)).known_to(profile_id, assurance)

    async def _before(self, deed: Action) -> list[Profile]:
        """Of whoever did the deed before it was known who they are: theirs, by the rules, once the deed is recorded."""
        if deed.assurance is Assurance.CLAIMED:
            return []
        return await self._identity.unclaimed(deed.identifiers, channel=deed.channel, contact=deed.contact)

    async def one(self, id: UUID) -> Journey:
        """Raises NotFound."""
        if (journey := await self._store.one(id)) is None:
            raise NotFound(_NOBODY)
        return journey

    async def of(self, profile_ids: Collection[UUID], limit: int = MOST_JOURNEYS) -> list[Listed]:
        """The journeys of a customer: open ones first, then the latest; each with the one that took its place."""
        return listed(await self._store.of(profile_ids, limit))

    async def beside(self, journey: Journey, customer: Customer) -> Listed:
        """A journey as it is listed, however many others the customer has."""
        same = await self._store.same(customer.profile_ids, journey.type.name, journey.key)
        others = [one for one in same if one.id != journey.id]
        return listed([journey, *others])[0]

    async def threads(self, profile_ids: Sequence[UUID], limit: int = MOST_JOURNEYS) -> list[Thread]:
        """What a customer's actions about one thing make up, by the blueprint; what was done last comes first."""
        return await self._threads.of(profile_ids, limit)

    def pipelines(self, profile_ids: Collection[UUID]) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """What `of` and `answers_of` look for, by collection, for whoever asks for more than that in one round trip."""
        return {
            self._store.name: self._store.pipeline(profile_ids, MOST_JOURNEYS),
            self._answers.name: self._answers.pipeline(profile_ids),
        }

    def found(
        self, found: Mapping[str, Sequence[Mapping[str, Any]]], assurance: Assurance, channel: str
    ) -> tuple[list[Listed], Mapping[UUID, Sequence[Answer]]]:
        """As `of`, and as `answers_of` of what is open, from what the pipelines found."""
        mine = listed(self._store.latest(found[self._store.name]))
        registers = self._answers.registers(found[self._answers.name])
        return mine, answers_of([one for one in mine if one.journey.status.is_open], registers, assurance, channel)

    async def ask(self, deed: Action, id: UUID, question: str) -> tuple[Known, Action]:
        """What is known of a question to whoever asks, and the deed, to be recorded. Raises as `mine`, and Invalid."""
        _check_name(question)
        journey, customer = await self.mine(deed, id)
        registers = await self._answers.of(customer.profile_ids)
        others = await self._others(journey, customer, registers)
        found = known(journey, question, registers, others, deed)
        return found, deed._replace(type=ASKED, journey=named(journey), properties=told(found))

    async def answers(self, journey: Journey, customer: Customer, assurance: Assurance) -> list[Answer]:
        """What is known in a journey to somebody of that assurance, by question."""
        registers = await self._answers.of(customer.profile_ids)
        others = await self._others(journey, customer, registers)
        return answers(journey, registers, others, assurance)

    async def shown(self, journey: Journey, customer: Customer, assurance: Assurance, channel: str) -> list[Answer]:
        """The same for somebody who looks at a journey without having picked it up."""
        if assurance < journey.type.bar(channel):
            return []
        return await self.answers(journey, customer, assurance)

    async def answers_of(
        self, listed: Sequence[Listed], customer: Customer, assurance: Assurance, channel: str
    ) -> Mapping[UUID, Sequence[Answer]]:
        """As `shown`, of several of a customer's journeys at once, by id.

        What a merge brought together is taken from these journeys alone, which saves a look-up for each.
        """
        return answers_of(listed, await self._answers.of(customer.profile_ids), assurance, channel)

    async def _others(self, journey: Journey, customer: Customer, registers: Iterable[Register]) -> set[str]:
        """The customer's other journeys of the same type and key, which a merge brought together."""
        if all(one.journey == named(journey) for one in registers):
            return set()
        same = await self._store.same(customer.profile_ids, journey.type.name, journey.key)
        return {named(one) for one in same if one.status.is_open}

    async def answered(self, deed: Action, id: UUID, question: str, value: Any) -> Action:
        """The deed that tells of an answer. Raises as `mine`, and Invalid for an answer that will not do."""
        _check_name(question)
        journey, _ = await self.mine(deed, id)
        if fault := journey.type.question(question).fault(value):
            raise Invalid(fault)
        return deed._replace(type=ANSWERED, journey=named(journey), properties={"question": question, "value": value})

    async def advance(self, deed: Action, id: UUID, to: str, came_from: str | None) -> tuple[Change, Action]:
        """Takes the journey from one step to another, unless it is not at the first any more; then nothing changes.

        Raises as `mine`, Invalid for a step that the type does not have.
        """
        journey, _ = await self.mine(deed, id)
        steps = journey.type.steps
        if not 0 < len(to) <= MOST_NAME or (steps and to not in steps):
            raise Invalid(f"step: {_words(steps)}, not {to[:MOST_NAME]!r}.")
        deed = deed._replace(type=ADVANCED, journey=named(journey), properties={"from": came_from, "to": to})
        where = {**being(Status.OPEN, Status.WAITING), "step": came_from}
        return await self._changed(deed, journey, where, {"$set": {"step": to}}), deed

    async def become(self, deed: Action, id: UUID, status: Status, outcome: str | None) -> tuple[Change, Action]:
        """Ends the journey, lets it wait, or opens it again, unless somebody ended it first; then nothing changes.

        Raises as `mine`, Invalid, Conflict where another of its type and key is open by now.
        """
        if outcome is not None and len(outcome) > MOST_OUTCOME:
            raise Invalid(f"outcome: at most {MOST_OUTCOME} characters.")
        journey, _ = await self.mine(deed, id)
        deed = deed._replace(
            type=CHANGED,
            journey=named(journey),
            properties={"status": status.value, **({"outcome": outcome} if outcome is not None else {})},
        )
        if status is not Status.OPEN:
            before = [one for one in Status if one.may_become(status) and one is not status]
            change = {"$set": {"status": status.value, "outcome": outcome}, "$unset": {"due_at": ""}}
            return await self._changed(deed, journey, being(*before), change), deed
        due = due_at(journey.type, deed.at, has_stalled=False)
        opened: dict[str, Any] = {
            "$set": {"status": status.value, "active_at": deed.at, **({"due_at": due} if due else {})},
            "$unset": {"outcome": "", "stalled_at": ""},
        }

        async def work() -> Change:
            customer = await self._identity.hold(journey.profile_id)
            first = await self._changed(deed, journey, being(Status.WAITING), opened)
            if first.is_done:
                return first
            same = await self._store.same(customer.profile_ids, journey.type.name, journey.key)
            if any(one.status.is_open and one.id != id for one in same):
                raise Conflict("The customer has another open journey of this type and key. Go on with that one.")
            again = {**opened, "$inc": {"reopened": 1}}
            return await self._changed(deed, journey, being(Status.COMPLETED), again)

        return await self._store.database.transaction(work), deed

    async def _changed(
        self, deed: Action, journey: Journey, where: Mapping[str, Any], change: Mapping[str, Any]
    ) -> Change:
        stamp = {"changed": {"at": deed.at, "channel": deed.channel}}
        done = await self._store.change(
            journey.id,
            where,
            {**change, "$set": {**change["$set"], **stamp}},
            operation=deed.id,
            deed=self._timeline.stored(deed),
            at=self._clock(),
        )
        if done is not None:
            return Change(done, True)
        return Change(await self.one(journey.id), await self._store.did(journey.id, deed.id))

    async def recorded(self, deed: Action) -> None:
        """It is on the timeline."""
        if deed.journey is not None and (id := read(deed.journey)) is not None:
            await self._store.outbox.recorded(id, [deed.id])

    async def put_off(self, deed: Action) -> None:
        """It cannot be recorded now; others come first."""
        if deed.journey is not None and (id := read(deed.journey)) is not None:
            await self._store.outbox.put_off(id, self._clock() + PUT_OFF)

    async def unrecorded(self) -> list[Action]:
        """Deeds of those who died before they had recorded them."""
        left = await self._store.outbox.unrecorded(self._clock() - LEFT_AFTER, _TOGETHER)
        return [self._timeline.restored(deed) for _, deeds in left for deed in deeds]

    async def fire(self) -> list[Action]:
        """What has become of journeys by itself until now: they stall or are abandoned, each once. The deeds."""
        at = in_milliseconds(self._clock())
        deeds: list[Action] = []
        for journey in await self._store.due(at, _TOGETHER):
            assert journey.due_at is not None
            due = due_at(journey.type, journey.active_at, has_stalled=journey.has_stalled)
            if journey.status is not Status.OPEN or due is None or due > at:
                until = due if journey.status is Status.OPEN else None
                await self._store.postpone(journey.id, journey.due_at, until)
                continue
            deed, change = fired(journey, at)
            where = {"due_at": journey.due_at, "active_at": journey.active_at, "revision": journey.revision}
            if await self._store.change(
                journey.id, where, change, operation=deed.id, deed=self._timeline.stored(deed), at=self._clock()
            ):
                deeds.append(deed)
        return deeds

    async def project(self, actions: Sequence[Action]) -> None:
        """Brings threads, answers and the latest activity up to these actions; again is harmless."""
        await self._threads.project(actions)
        if not any(action.journey for action in actions):
            return
        await self._answers.project(actions)
        about = [(id, one) for one in actions if one.actor != Actor.SYSTEM and (id := read(one.journey or ""))]
        if not about:
            return
        owners = await self._store.owners({id for id, _ in about})
        times: dict[UUID, datetime] = {}
        for id, action in about:
            # Whoever names another's journey does nothing about it.
            if id in owners and await self._is_one(owners[id], action.profile_id):
                times[id] = max(action.at, times.get(id, action.at))
        if times:
            await self._store.touch(times)

    async def _is_one(self, owner: UUID, profile_id: UUID) -> bool:
        return owner == profile_id or owner in (await self._identity.customer(profile_id)).profile_ids

    async def asks(self, journey: Journey, customer: Customer) -> list[Ask]:
        """Each time that a question of the journey came up, the oldest first, and why it was asked again."""
        actions = [action for type in (ASKED, ANSWERED) for action in await self._of_type(customer.profile_ids, type)]
        types = {named(one): one.type for one in await self._store.of(customer.profile_ids, _MOST_ASKS)}

        def question(of: str, name: str) -> Question:
            return types[of].question(name) if of in types else Question(name)

        return [one for one in asks(actions, question) if one.journey == named(journey)]

    async def _of_type(self, profile_ids: Sequence[UUID], type: str) -> list[Action]:
        found: list[Action] = []
        window = Window(MAX_PAGE)
        while len(found) < _MOST_ASKS:
            page = await self._timeline.page(profile_ids, ActionFilter(type=type), Order.NEWEST_FIRST, window)
            found += page.items
            if not page.has_next:
                break
            window = Window(MAX_PAGE, after=page.items[-1].position)
        return found


def _open(journeys: Iterable[Journey]) -> Journey | None:
    """The open one that began last."""
    return max((one for one in journeys if one.status.is_open), key=lambda one: one.age, default=None)


def _started(deed: Action, journey: Journey) -> Action:
    about = {"type": journey.type.name, **({"key": journey.key} if journey.key else {})}
    return deed._replace(journey=named(journey), properties=about)


def _admit(type: JourneyType, deed: Action) -> None:
    """Raises Forbidden for a channel that is not sure enough of who it is.

    Whoever has proven nothing has the journeys of this contact, or persona, alone, and goes on with them.
    """
    bar = type.bar(deed.channel)
    if Assurance.CLAIMED < deed.assurance < bar:
        raise Forbidden(f"This journey goes on in {deed.channel} when somebody has proven who they are by {bar.name}.")


def _check_name(question: str) -> None:
    if not 0 < len(question) <= MOST_QUESTION:
        raise Invalid(f"question: 1 to {MOST_QUESTION} characters.")


def _words(steps: Sequence[str]) -> str:
    return f"one of {', '.join(steps)}" if steps else f"1 to {MOST_NAME} characters"
