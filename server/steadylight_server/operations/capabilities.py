"""Performs capabilities: once for each key of a customer, through their slice; `telling` then tells of it.

An attempt runs beside the request that began it and outlives it. Whoever else asks with that key, in whatever channel
and at whatever server, waits for the same outcome. What a server that died began is taken over by another (`catch_up`).
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from steadylight_server.access.models import Scope, Viewer
from steadylight_server.capabilities.attempts import NOTHING_DONE
from steadylight_server.capabilities.models import (
    PERFORMED,
    SETTLED,
    Capability,
    CustomerRef,
    Failure,
    IdentifiedBy,
    Left,
    Offered,
    Performance,
    Progress,
    State,
    Why,
    performance_id,
)
from steadylight_server.capabilities.service import CapabilityService
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.clock import Clock, now
from steadylight_server.core.errors import Forbidden, Invalid, NotFound, Unavailable
from steadylight_server.core.mongo import Database
from steadylight_server.identity.models import MOST_IDENTIFIERS, Customer, Evidence, Identifier, heard
from steadylight_server.identity.service import IdentityService
from steadylight_server.ingest.service import Ingest
from steadylight_server.journeys.names import named
from steadylight_server.journeys.service import JourneyService
from steadylight_server.operations.models import Asker, Done
from steadylight_server.operations.telling import Telling, by_itself, deed_id
from steadylight_server.timeline.models import Action
from steadylight_server.timeline.service import TimelineService

log = structlog.get_logger("steadylight.operations")

MOST_WAIT = 30.0  # seconds that a request waits for an outcome
# Attempts of servers that died that are tried at the same time by one that lives.
_MOST_TAKEN_OVER = 20
# Seconds between two looks at what another server does; each look doubles it up to the second.
_LOOK_FIRST, _LOOK_LAST = 0.02, 0.25


class Withheld(Forbidden):
    """This channel may not perform that for this customer now; `why` says why not."""

    def __init__(self, offered: Offered) -> None:
        super().__init__(offered.reason)
        self.why = offered.why

    @property
    def extensions(self) -> dict[str, Any]:
        """The code, and `why`."""
        return {**super().extensions, "why": self.why}


@dataclass(frozen=True)
class Performed:
    """What there is to a performance, and to whom: `is_repeated` where the key had been used before."""

    performance: Performance
    is_repeated: bool


class CapabilityOperations:
    """Performs, reports and completes. `close` it before the database goes."""

    def __init__(
        self,
        database: Database,
        capabilities: CapabilityService,
        identity: IdentityService,
        timeline: TimelineService,
        journeys: JourneyService,
        ingest: Ingest,
        *,
        clock: Clock = now,
    ) -> None:
        self._database = database
        self._capabilities = capabilities
        self._identity = identity
        self._timeline = timeline
        self._journeys = journeys
        self._ingest = ingest
        self._telling = Telling(capabilities, timeline, ingest, clock)
        self._running: dict[UUID, asyncio.Task[Performance | None]] = {}
        self._taken_over: set[asyncio.Task[Performance | None]] = set()

    def offered(
        self,
        viewer: Viewer,
        identifiers: Sequence[Mapping[str, str]],
        *,
        contact: str | None = None,
        channel: str | None = None,
    ) -> list[Offered]:
        """What the channel may offer whoever these prove now, by name, and why not the rest. Raises Invalid, Forbidden.

        Only who speaks for no channel names one.
        """
        if channel is not None and viewer.channel not in (None, channel):
            raise Forbidden(f"This credential speaks for {viewer.channel}.")
        where = viewer.channel or channel
        if where is None:
            raise Invalid("channel: which one? This credential speaks for none.")
        if len(identifiers) > MOST_IDENTIFIERS:
            raise Invalid(f"identifiers: at most {MOST_IDENTIFIERS}.")
        asserted = [Identifier(one["kind"], one["value"], Assurance[one["assurance"]]) for one in identifiers]
        home = self._identity.kinds.home(heard(viewer, asserted), channel=where, contact=contact)
        assurance = home.assurance if home else Assurance.CLAIMED
        declared = self._capabilities.declared.declared
        return [self._capabilities.offered(declared[name], where, assurance, viewer.may) for name in sorted(declared)]

    async def perform(
        self,
        viewer: Viewer,
        asker: Asker,
        capability: str,
        input: object,
        key: str,
        *,
        journey: UUID | None = None,
        within: float | None = None,
    ) -> Done[Performed]:
        """Performs it, or says what came of it when somebody did so with that key.

        Waits `within` seconds, the capability's own timeout unless given: then it is RUNNING, and asking again with the
        key goes on waiting. What is done for a `journey` of the customer's is on its timeline. Raises NotFound, Invalid
        with JSON pointers, Withheld, Forbidden for a journey that goes on elsewhere and for a key that is not theirs to
        use, Conflict for another input or another journey, and Unavailable where nothing was done.
        """
        async with self._database.session() as session:
            wanted = self._capabilities.declared.of(capability)
            draft = await self._draft(viewer, asker, journey)
            text = await self._checked(viewer, wanted, draft, input, key)
            loop = asyncio.get_running_loop()
            wait = wanted.timeout.total_seconds() if within is None else within
            until = loop.time() + min(max(wait, 0.0), MOST_WAIT)
            customer = (await self._identity.customer(draft.profile_id)).known_to(draft.profile_id, draft.assurance)
            beside = await self._beside(customer, draft)
            profile_ids = [*customer.profile_ids, *beside]
            found = await self._capabilities.same(profile_ids, wanted.name, key, text, draft.journey)
            is_repeated = found is not None
            if found is None:
                found, is_repeated = await self._begun(wanted, draft, key, text, beside)
            outcome = found if found.state.is_over else await self._awaited(found.id, until)
            return Done(Performed(outcome, is_repeated), self._ingest.token(session.moment))

    async def report(self, viewer: Viewer, id: UUID, progress: Progress) -> Performance:
        """How far one that was accepted has come. Raises Forbidden, NotFound, Invalid, Conflict where it is over, and
        Unavailable while it is RUNNING.
        """
        _check_reporter(viewer)
        return await self._capabilities.report(id, progress)

    async def complete(
        self, viewer: Viewer, id: UUID, output: Mapping[str, Any] | None, failure: Failure | None
    ) -> Performance:
        """What came of one that was accepted, or of which nobody knew; the same again is harmless. Raises as `report`,
        and Conflict where something else came of it.
        """
        _check_reporter(viewer)
        async with self._database.session():
            asked = by_itself(self._timeline.restored(await self._capabilities.asked(id)))
            before = await self._capabilities.one(id)
            type = SETTLED if before.state is State.UNKNOWN else PERFORMED
            done, is_first = await self._capabilities.complete(id, output, failure, self._telling.of(asked, type))
            if is_first:
                await self._telling.record(done, asked, type)
            return done

    async def catch_up(self) -> int:
        """Takes over what servers that died began, and records what they left; how many."""
        async with self._database.session():
            done = await self._telling.catch_up()
        while len(self._taken_over) < _MOST_TAKEN_OVER and (left := await self._capabilities.take_over()):
            task = self._start(left, self._timeline.restored(left.asked))
            self._taken_over.add(task)
            task.add_done_callback(self._taken_over.discard)
            done += 1
        return done

    async def close(self, within: float = 0) -> None:
        """Waits so many seconds for what is under way, and ends the rest: another server takes that over, as after a
        crash.
        """
        tasks = list(self._running.values())
        if tasks and within:
            await asyncio.wait(tasks, timeout=within)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _draft(self, viewer: Viewer, asker: Asker, journey: UUID | None) -> Action:
        """What is asked, as the action that will tell of it; nothing is stored. Raises as `Ingest.draft`, and as
        `JourneyService.mine`.
        """
        draft, _ = await self._ingest.draft(viewer, asker.raw(viewer, PERFORMED))
        if journey is None:
            return draft
        mine, _ = await self._journeys.mine(draft, journey)
        return draft._replace(journey=named(mine))

    async def _checked(self, viewer: Viewer, wanted: Capability, draft: Action, input: object, key: str) -> str:
        """The input as it is kept. Raises Withheld, Invalid. A gap that a customer met is on the timeline."""
        offered = self._capabilities.offered(wanted, draft.channel, draft.assurance, viewer.may)
        if not offered.is_offered and offered.why is not Why.UNAVAILABLE:
            await self._telling.refused(draft, offered, key)
            raise Withheld(offered)
        return self._capabilities.read(wanted, input, key)

    async def _beside(self, customer: Customer, draft: Action) -> list[UUID]:
        """Whose keys count beside the customer's: of whoever they were in this contact before it was known, and of whom
        they prove to be now, which is on no timeline yet.

        For somebody who has proven nothing, nobody's.
        """
        if draft.assurance is Assurance.CLAIMED:
            return []
        unknown = await self._identity.unclaimed(draft.identifiers, channel=draft.channel, contact=draft.contact)
        evidence = self._evidence(draft, draft.id)
        proven = await self._identity.proven_beside(customer, evidence) if evidence else []
        return [*(profile.id for profile in unknown), *proven]

    def _evidence(self, draft: Action, deed: UUID) -> list[Evidence]:
        """Whom it proves to be one customer, by the deed that will tell of it."""
        home = self._identity.kinds.home(draft.identifiers, channel=draft.channel, contact=draft.contact)
        return home.evidence(draft.at, deed) if home else []

    async def _begun(
        self, wanted: Capability, draft: Action, key: str, input: str, beside: Sequence[UUID]
    ) -> tuple[Performance, bool]:
        """The performance, and whether somebody else made it: nobody else begins or merges for the customer meanwhile,
        or for those `beside`.

        Raises Unavailable where it cannot be called now, and Forbidden where who has proven nothing would do once more
        what was done in this contact by who has.
        """
        if self._capabilities.declared.implementation(wanted).unavailable is not None:
            raise Unavailable(NOTHING_DONE)
        asked = self._timeline.stored(draft)
        # Now, and not when the deed is recorded: who comes meanwhile by another of these identifiers is the same.
        deed = deed_id(performance_id(draft.profile_id, wanted.name, key), PERFORMED)
        await self._identity.prove(self._evidence(draft, deed))
        here = []
        if draft.assurance is Assurance.CLAIMED:
            here = await self._identity.personas(draft.identifiers, channel=draft.channel, contact=draft.contact)

        async def work() -> tuple[Performance, bool]:
            held = await self._identity.hold(draft.profile_id)
            others = [await self._identity.hold(id) for id in (*beside, *here)]
            ids = {*held.known_to(draft.profile_id, draft.assurance).profile_ids, *beside}
            if found := await self._capabilities.same(ids, wanted.name, key, input, draft.journey):
                return found, True
            untold = {id for one in (held, *others) for id in one.profile_ids} - ids
            if draft.assurance is Assurance.CLAIMED and await self._capabilities.is_used_in(
                untold, wanted.name, key, draft.channel, draft.contact
            ):
                raise Forbidden("The key was used in this contact by who had signed in, who alone is told of it.")
            new = await self._capabilities.begin(
                wanted,
                draft.profile_id,
                key,
                input,
                channel=draft.channel,
                assurance=draft.assurance,
                asked=asked,
                at=draft.at,
                journey=draft.journey,
            )
            if new is None:
                raise Unavailable("Somebody else uses the key at this moment. Try again.")
            return new, False

        found, is_repeated = await self._database.transaction(work)
        if not is_repeated:
            self._start(self._capabilities.begun(wanted, found, input), draft)
        return found, is_repeated

    def _start(self, left: Left, asked: Action) -> "asyncio.Task[Performance | None]":
        # In a context of its own: the request's session ends with the request.
        task = asyncio.create_task(self._attempted(left, asked), context=Context())
        id = left.performance.id
        self._running[id] = task

        def ended(task: asyncio.Task[Performance | None]) -> None:
            if self._running.get(id) is task:
                del self._running[id]
            if not task.cancelled() and (error := task.exception()) and not isinstance(error, Unavailable):
                log.error("an attempt broke", performance=str(id), exc_info=error)

        task.add_done_callback(ended)
        return task

    async def _attempted(self, left: Left, asked: Action) -> Performance | None:
        """What came of an attempt, on the timeline if it is over. Raises Unavailable where nothing was done."""
        customer = (await self._identity.customer(asked.profile_id)).known_to(asked.profile_id, asked.assurance)
        done = await self._capabilities.attempt(left, _ref(customer), self._telling.of(asked, PERFORMED))
        if done is not None and done.state is not State.RUNNING:
            async with self._database.session():
                try:
                    await self._telling.record(done, asked, PERFORMED)
                except Unavailable:
                    log.warning("what was performed is not on the timeline yet", performance=done.name)
        return done

    async def _awaited(self, id: UUID, until: float) -> Performance:
        """What came of it by then. Raises Unavailable where nothing was done."""
        loop = asyncio.get_running_loop()
        pause = _LOOK_FIRST
        while True:
            if task := self._running.get(id):
                await asyncio.wait({task}, timeout=max(0.0, until - loop.time()))
                if task.done() and not task.cancelled() and (error := task.exception()):
                    raise error if isinstance(error, Unavailable) else Unavailable("It broke. Try again with the key.")
            try:
                found = await self._capabilities.one(id)
            except NotFound:
                raise Unavailable(NOTHING_DONE) from None
            left = until - loop.time()
            if found.state is not State.RUNNING or left <= 0:
                return found
            await asyncio.sleep(min(pause, left))
            pause = min(2 * pause, _LOOK_LAST)


def _ref(customer: Customer) -> CustomerRef:
    known = tuple(IdentifiedBy(key.kind, key.value) for key in customer.identifiers)
    return CustomerRef(f"cus_{customer.id.hex}", known)


def _check_reporter(viewer: Viewer) -> None:
    if not viewer.may(Scope.CAPABILITIES_REPORT):
        raise Forbidden(f"This credential lacks the scope {Scope.CAPABILITIES_REPORT}.")
