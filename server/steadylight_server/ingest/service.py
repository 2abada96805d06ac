"""The write path, from a raw batch to its verdicts: one function, its steps in order.

1. shape    which actions are well-formed (ingest/shape.py)
2. may they the key's scope; assurance is capped by what the channel may assert
3. who      identifiers to profiles, in bulk; what nobody known did to its persona (ingest/personas.py)
4. append   insert on the action id; a repetition is a DUPLICATE, another content under the same id a CONFLICT
5. project  contacts, types, traits, threads, links, gaps; order-free and repeatable
6. answer   a verdict for each, and a token

An intent is written before step 4 and deleted after step 5; `finish_old` takes over those that a crash left behind.
Duplicates are projected again, so that what a crash left half done is whole before anybody is told that it is there.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import MAXYEAR, UTC, datetime, timedelta
from operator import itemgetter
from typing import NamedTuple
from uuid import UUID

from steadylight_server.access.models import Role, Scope, Viewer
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.causality import Moment
from steadylight_server.core.clock import Clock, in_milliseconds, now
from steadylight_server.core.errors import Forbidden, Invalid, Unavailable
from steadylight_server.core.ids import uuid7
from steadylight_server.core.mongo import Database
from steadylight_server.identity.models import PERSONA, Evidence, Home, Identifier, Key, Reason, after, heard
from steadylight_server.identity.service import IdentityService
from steadylight_server.ingest import shape
from steadylight_server.ingest.models import ActionInput, Answer, Refusal, Verdict, VerdictKind, Warning
from steadylight_server.ingest.personas import Personas
from steadylight_server.ingest.showings import showings
from steadylight_server.ingest.store import Intent, IntentStore
from steadylight_server.insights.service import Insights
from steadylight_server.journeys.service import JourneyService
from steadylight_server.knowledge.service import KnowledgeService
from steadylight_server.timeline.models import IMPORTED, Action, Outcome, Subject
from steadylight_server.timeline.service import TimelineService

_EARLIEST = 1900  # the year; what is older is a mistake, and too close to the first day that a date can hold

_asserted = itemgetter("kind", "value", "assurance")

_KINDS = {
    Outcome.STORED: VerdictKind.STORED,
    Outcome.DUPLICATE: VerdictKind.DUPLICATE,
    Outcome.CONFLICT: VerdictKind.REFUSED,
    Outcome.RETRY: VerdictKind.RETRY,
}
# The kind and not the value: what an app sends by mistake may be somebody's.
_BLOCKED = "The {kind} stands for nobody, or is no {kind}: it proves nothing, and is kept as a claim."
_REASONS = {
    Outcome.CONFLICT: ("CONFLICT", "An action with this id is stored already and says something else"),
    Outcome.RETRY: ("UNAVAILABLE", "Not stored this time; send it again"),
}


class Ingest:
    """Takes batches of actions. `thread` brings the journeys that are made of actions up to these."""

    def __init__(
        self,
        database: Database,
        intents: IntentStore,
        identity: IdentityService,
        timeline: TimelineService,
        journeys: JourneyService,
        knowledge: KnowledgeService,
        insights: Insights,
        *,
        token_secret: bytes,
        clock: Clock = now,
    ) -> None:
        self._database = database
        self._intents = intents
        self._identity = identity
        self._timeline = timeline
        self._journeys = journeys
        self._insights = insights
        self._knowledge = knowledge
        self._personas = Personas(identity, timeline)
        self._token_secret = token_secret
        self._clock = clock

    async def record(self, viewer: Viewer, raw: object) -> Answer:
        """Stores what can be stored and says of each action what became of it.

        Raises Forbidden without the scope, Invalid for what is no batch, Unavailable when the database cannot answer:
        sending the same batch again is always safe.
        """
        batch = shape.batch(raw)
        received_at = self._clock()
        inputs = shape.actions(batch["actions"])
        desk = _Desk(viewer, _channel(viewer), received_at, shape.skew(batch["sent_at"], received_at), self._identity)
        placed = [one if isinstance(one, Refusal) else desk.place(one) for one in inputs]
        drafts = [one for one in placed if isinstance(one, _Draft)]
        async with self._database.session() as session:
            known = await self._identity.known({home.key for home in desk.homes})
            drafts = await self._placed(desk, drafts, known)
            profiles = await self._profiles(drafts, known)
            actions = [desk.action(draft, profile_id) for draft, profile_id in zip(drafts, profiles, strict=True)]
            outcomes, fresh = await self._keep(actions)
            moment = session.moment
        kinds, exceptions = _verdicts(placed, outcomes)
        return Answer(kinds, exceptions, _warnings(fresh, placed, kinds), self.token(moment))

    async def draft(self, viewer: Viewer, raw: Mapping[str, object]) -> tuple[Action, Action | None]:
        """What the viewer asks to be done, as the action that will tell of it, with the profile of whoever it is for;
        and what is stored with that id already.

        Nothing is stored but that profile. Raises Forbidden without the scope, Invalid for what cannot be recorded.
        """
        received_at = self._clock()
        channel = _channel(viewer)
        (given,) = shape.actions([{**raw, "sequence": 0, "at": received_at.isoformat()}])
        desk = _Desk(viewer, channel, received_at, timedelta(), self._identity)
        placed = given if isinstance(given, Refusal) else desk.place(given)
        if isinstance(placed, Refusal):
            raise Invalid(placed.message)
        known = await self._identity.known({home.key for home in desk.homes})
        (draft,) = await self._placed(desk, [placed], known)
        key = draft.home.key
        # Never the profile of what is stored with that id: the deed would be done for whoever that is.
        profile_id = known.get(key) or (await self._identity.resolve({key}))[key]
        earlier = [action async for action in self._timeline.by_ids([draft.input["id"]])]
        return desk.action(draft, profile_id), earlier[0] if earlier else None

    async def keep(self, actions: Sequence[Action]) -> None:
        """Stores deeds that are done, and projects them; again is harmless. Raises Unavailable for one not stored."""
        outcomes, _ = await self._keep(actions)
        if Outcome.RETRY in outcomes:
            raise Unavailable("It is done, but not on the timeline yet. Send it again.")

    async def _placed(self, desk: "_Desk", drafts: list["_Draft"], known: dict[Key, UUID]) -> list["_Draft"]:
        """The drafts, in order; what was done under a persona that was somebody's by then goes to its leftovers.

        The profiles of leftovers that are there are added to `known`.
        """
        if not any(home.is_persona for home in desk.homes):
            return drafts
        personas = {draft.home.key: desk.contact(draft) for draft in drafts if draft.home.is_persona}
        times = await self._personas.taken(personas, known)
        for key, at in (taken for draft in drafts for taken in desk.taken(draft)):
            times[key] = min(at, times.get(key, at))
        placed = [
            draft.moved() if draft.home.is_persona and draft.at > times.get(draft.home.key, draft.at) else draft
            for draft in drafts
        ]
        known |= await self._identity.known({draft.home.key for draft in placed} - known.keys() - personas.keys())
        return placed

    async def _profiles(self, drafts: Sequence["_Draft"], known: Mapping[Key, UUID]) -> list[UUID]:
        """The profile of each draft, in order; made where somebody is seen for the first time. `known` are there.

        Nobody is made for the id of an action that is stored already: whatever it says now, it adds nothing.
        """
        strangers = [draft for draft in drafts if draft.home.key not in known]
        ids = [draft.input["id"] for draft in strangers]
        stored = {action.id: action.profile_id async for action in self._timeline.by_ids(ids)}
        new = {draft.home.key for draft in strangers if draft.input["id"] not in stored}
        profiles = {**known, **await self._identity.resolve(new)}
        if not stored:
            return [profiles[draft.home.key] for draft in drafts]
        return [stored.get(draft.input["id"]) or profiles[draft.home.key] for draft in drafts]

    async def finish_old(self) -> int:
        """Finishes batches that a crash left half done; returns how many."""
        finished = 0
        async with self._database.session():  # in which the actions are read as of the lease, which came after them
            while intent := await self._intents.lease_old():
                await self._project([action async for action in self._timeline.by_ids(intent.action_ids)])
                await self._intents.close(intent)
                finished += 1
        return finished

    async def _keep(self, actions: Sequence[Action]) -> tuple[list[Outcome], list[Action]]:
        """Appends and projects under an intent; the outcomes, and the first action of each type never seen before."""
        if not actions:
            return [], []
        intent = Intent(uuid7(), [action.id for action in actions])
        await self._intents.open(intent)
        outcomes = await self._timeline.append(actions)
        judged = list(zip(actions, outcomes, strict=True))
        there = [action for action, outcome in judged if outcome is Outcome.STORED]
        # As they are stored: what came again may have its clock corrected differently, or lead to another customer.
        repeated = [action.id for action, outcome in judged if outcome is Outcome.DUPLICATE]
        there += [action async for action in self._timeline.by_ids(repeated)]
        fresh = await self._project(there)
        await self._intents.close(intent)
        return outcomes, fresh

    async def _project(self, actions: Sequence[Action]) -> list[Action]:
        """Brings everything that is made from actions up to these; again is harmless. The first of each new type."""
        fresh = await self._timeline.project(actions)
        await self._identity.prove([one for action in actions for one in self._evidence(action)])
        await self._personas.join(actions)
        await self._knowledge.note(showings(actions))
        await self._journeys.project(actions)  # which asks who is one customer
        await self._insights.project(actions)
        return fresh

    def _evidence(self, action: Action) -> Sequence[Evidence]:
        """Whom the action proves to be one customer: a pure function of it, as it is stored."""
        if len(action.identifiers) < 2:
            return ()
        home = self._identity.kinds.home(action.identifiers, channel=action.channel, contact=action.contact)
        reason = Reason.IMPORT if action.type == IMPORTED else Reason.EVIDENCE
        return home.evidence(action.at, action.id, reason) if home else ()

    def token(self, moment: Moment | None) -> str | None:
        """What a later read presents to see at least what was written until then."""
        return moment.token(self._token_secret) if moment else None


class _Draft(NamedTuple):
    """A well-formed action and the place where it belongs; `claimed_at` where the device's clock was off."""

    input: ActionInput
    at: datetime
    home: Home
    claimed_at: datetime | None

    def moved(self) -> "_Draft":
        """The same, under what is left of its persona."""
        return self._replace(home=replace(self.home, key=after(self.home.key)))


class _Desk:
    """What is the same for every action of one batch."""

    def __init__(
        self, viewer: Viewer, channel: str, received_at: datetime, skew: timedelta, identity: IdentityService
    ) -> None:
        self._channel = channel
        self._received_at = received_at
        self._skew = skew
        self._latest = received_at + shape.FUTURE_TOLERANCE - skew
        self._kinds = identity.kinds
        self._viewer = viewer
        self._homes: dict[object, Home] = {}

    @property
    def homes(self) -> Collection[Home]:
        """Where the actions that were placed belong."""
        return self._homes.values()

    def place(self, action: ActionInput) -> _Draft | Refusal:
        """Where the action belongs, or why it belongs nowhere."""
        at = action["at"]
        year = at.year
        if year < _EARLIEST:
            return _refused(action, f"at: before {_EARLIEST}")
        if year == MAXYEAR or (at := in_milliseconds(at.astimezone(UTC))) > self._latest:
            return _refused(action, "at: ahead of the server's clock by more than 5 minutes")
        if self._viewer.role is Role.CUSTOMER and action.get("actor", "CUSTOMER") != "CUSTOMER":
            return _refused(action, "actor: a customer's own token records what the customer did")
        if self._viewer.role is Role.CUSTOMER and "traits" in action:
            return _refused(action, "traits: a channel says them with its key, not a customer's own token")
        home = self._home(action)
        if home is None:
            return _refused(
                action,
                "identifiers: none reaches the bar of its kind with a value that stands for somebody. "
                "Prove one, or give the contact in which it was claimed",
            )
        return (
            _Draft(action, in_milliseconds(at + self._skew), home, at) if self._skew else _Draft(action, at, home, None)
        )

    def contact(self, draft: _Draft) -> tuple[str, str] | None:
        """The channel and key of the contact whose own persona the draft belongs to; None where the app names one."""
        contact = draft.input.get("contact")
        return (self._channel, contact) if contact is not None and draft.home.key.kind == PERSONA else None

    def taken(self, draft: _Draft) -> Iterator[tuple[Key, datetime]]:
        """The personas that are somebody's by it, and since when."""
        if not draft.home.is_persona:
            contact = draft.input.get("contact")
            for key in self._kinds.personas(draft.home.claims, channel=self._channel, contact=contact):
                yield key, draft.at

    def action(self, draft: _Draft, profile_id: UUID) -> Action:
        """The action as it will be stored."""
        given = draft.input
        subject = given.get("subject")
        return Action(
            id=given["id"],
            sequence=given["sequence"],
            type=given["type"],
            at=draft.at,
            channel=self._channel,
            profile_id=profile_id,
            identifiers=draft.home.identifiers,
            actor=given.get("actor", "CUSTOMER"),
            properties=given.get("properties", {}),
            received_at=self._received_at,
            contact=given.get("contact"),
            journey=given.get("journey"),
            agent=given.get("agent"),
            subject=Subject(subject["kind"], subject["id"]) if subject else None,
            claimed_at=draft.claimed_at,
            traits=given.get("traits", {}),
            assurance=draft.home.assurance,
        )

    def _home(self, action: ActionInput) -> Home | None:
        """A batch has few customers and many actions of each, so each customer is worked out once."""
        contact = action.get("contact")
        given = tuple(map(_asserted, action.get("identifiers", ())))
        place = (given, contact)
        if (home := self._homes.get(place)) is None:
            asserted = [Identifier(kind, value, Assurance[level]) for kind, value, level in given]
            identifiers = heard(self._viewer, asserted)
            home = self._kinds.home(identifiers, channel=self._channel, contact=contact)
            if home is not None:
                self._homes[place] = home
        return home


def _refused(action: ActionInput, message: str) -> Refusal:
    return Refusal(str(action["id"]), "INVALID", message)


def _channel(viewer: Viewer) -> str:
    """The channel that a viewer records for. Raises Forbidden."""
    if viewer.channel is None or not viewer.may(Scope.ACTIONS_WRITE):
        raise Forbidden(f"This credential lacks the scope {Scope.ACTIONS_WRITE}.")
    return viewer.channel


def _verdicts(
    placed: Sequence[_Draft | Refusal], outcomes: Iterable[Outcome]
) -> tuple[list[VerdictKind], list[Verdict]]:
    """The verdict on each action of the batch, and in full those on what is not stored."""
    kinds: list[VerdictKind] = []
    exceptions: list[Verdict] = []
    coming = iter(outcomes)
    for index, one in enumerate(placed):
        if isinstance(one, Refusal):
            kinds.append(VerdictKind.REFUSED)
            exceptions.append(Verdict(index, one.id, VerdictKind.REFUSED, one.code, one.message))
            continue
        outcome = next(coming)
        kinds.append(_KINDS[outcome])
        if outcome in _REASONS:
            exceptions.append(Verdict(index, str(one.input["id"]), _KINDS[outcome], *_REASONS[outcome]))
    return kinds, exceptions


def _warnings(
    fresh: Sequence[Action], placed: Sequence[_Draft | Refusal], kinds: Sequence[VerdictKind]
) -> list[Warning]:
    """A type that nobody ever used may be a slip of the pen; an identifier that stands for nobody is one of the app.

    Of the latter a repeated action is warned again: the first answer may have been lost.
    """
    warnings = [
        Warning(index, "BLOCKED_VALUE", _BLOCKED.format(kind=identifier.kind))
        for index, (one, kind) in enumerate(zip(placed, kinds, strict=True))
        if isinstance(one, _Draft) and one.home.blocked and kind in (VerdictKind.STORED, VerdictKind.DUPLICATE)
        for identifier in one.home.blocked
    ]
    if fresh:
        # An id that comes twice was stored the first time.
        places = reversed(list(enumerate(placed)))
        index = {one.input["id"]: index for index, one in places if isinstance(one, _Draft)}
        warnings += [
            Warning(index[action.id], "NEW_TYPE", f"First action of the type {action.type!r}: is it spelt right?")
            for action in fresh
        ]
    return sorted(warnings, key=lambda warning: warning.index)
