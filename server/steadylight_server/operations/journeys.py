"""What is done about a customer's journey: through its slice, then on the timeline.

The id of an operation is the caller's and becomes the action's: a repetition after a lost answer does it once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, TypeVar
from uuid import UUID

from steadylight_server.access.models import Scope, Viewer
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.errors import Forbidden
from steadylight_server.core.mongo import Database, Session
from steadylight_server.identity.service import IdentityService
from steadylight_server.ingest.service import Ingest
from steadylight_server.journeys.models import STARTED, Answer, Change, Journey, Known, Status
from steadylight_server.journeys.service import JourneyService
from steadylight_server.timeline.models import Action

T = TypeVar("T")
_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Asker:
    """For whom, and in which contact, a channel does something: `id` is the operation's."""

    id: UUID
    identifiers: Sequence[Mapping[str, str]]
    contact: str | None
    agent: str | None = None


@dataclass(frozen=True)
class Done(Generic[T]):
    """What came of it, and how sure the asker was of who it is; a read that presents the token sees it."""

    result: T
    token: str | None


@dataclass(frozen=True)
class PickedUp:
    """A journey that was started, or found open, and what is known in it."""

    journey: Journey
    resumed: bool
    answers: Sequence[Answer]
    assurance: Assurance


class JourneyOperations:
    """Starts journeys, asks, answers, and changes them."""

    def __init__(self, database: Database, identity: IdentityService, journeys: JourneyService, ingest: Ingest) -> None:
        self._database = database
        self._identity = identity
        self._journeys = journeys
        self._ingest = ingest

    async def start(self, viewer: Viewer, asker: Asker, type: str, key: str) -> Done[PickedUp]:
        """Starts a journey, or picks up the open one of that type and key. Raises Invalid, Forbidden."""
        async with self._database.session() as session:
            deed = await self._draft(viewer, asker)
            journey, deed = await self._journeys.start(deed, type, key)
            await self._record(deed)
            customer = await self._identity.customer(deed.profile_id)
            answers = await self._journeys.answers(journey, customer, deed.assurance)
            picked = PickedUp(journey, deed.type != STARTED, answers, deed.assurance)
            return Done(picked, self._ingest.token(session.moment))

    async def ask(self, viewer: Viewer, asker: Asker, journey: UUID, question: str) -> Done[Known]:
        """What is known of a question, so that nobody asks again; that it was asked is recorded. Raises NotFound."""
        async with self._database.session() as session:
            known, deed = await self._journeys.ask(await self._draft(viewer, asker), journey, question)
            await self._record(deed)
            return Done(known, self._ingest.token(session.moment))

    async def answer(
        self, viewer: Viewer, asker: Asker, journey: UUID, question: str, value: Any
    ) -> Done[tuple[Journey, Assurance]]:
        """Keeps what the customer said. Raises NotFound, Invalid for an answer that will not do."""
        async with self._database.session() as session:
            draft = await self._draft(viewer, asker, {"question": question, "value": value})
            deed = await self._journeys.answered(draft, journey, question, value)
            await self._record(deed)
            return Done((await self._journeys.one(journey), deed.assurance), self._ingest.token(session.moment))

    async def advance(
        self, viewer: Viewer, asker: Asker, journey: UUID, to: str, came_from: str | None
    ) -> Done[tuple[Change, Assurance]]:
        """Takes a journey a step further, unless somebody else did. Raises NotFound, Invalid."""
        async with self._database.session() as session:
            change, deed = await self._journeys.advance(await self._draft(viewer, asker), journey, to, came_from)
            return await self._changed(change, deed, session)

    async def become(
        self, viewer: Viewer, asker: Asker, journey: UUID, status: Status, outcome: str | None
    ) -> Done[tuple[Change, Assurance]]:
        """Ends a journey, lets it wait, or opens it again, unless somebody ended it. Raises NotFound, Conflict."""
        async with self._database.session() as session:
            change, deed = await self._journeys.become(await self._draft(viewer, asker), journey, status, outcome)
            return await self._changed(change, deed, session)

    async def catch_up(self) -> int:
        """Does what has become of journeys by itself, and records what others left; how many deeds."""
        async with self._database.session():
            deeds = [*await self._journeys.fire(), *await self._journeys.unrecorded()]
            for deed in deeds:
                await self._record(deed)
        return len(deeds)

    async def _changed(self, change: Change, deed: Action, session: Session) -> Done[tuple[Change, Assurance]]:
        if change.is_done:
            await self._record(deed)
        return Done((change, deed.assurance), self._ingest.token(session.moment))

    async def _draft(self, viewer: Viewer, asker: Asker, properties: Mapping[str, Any] = _NONE) -> Action:
        if not viewer.may(Scope.CUSTOMERS_READ):
            raise Forbidden(f"This credential lacks the scope {Scope.CUSTOMERS_READ}.")
        given = {"contact": asker.contact, "agent": asker.agent}
        raw: dict[str, object] = {
            "id": str(asker.id),
            "type": STARTED,  # until the slice says what it was
            "identifiers": [dict(one) for one in asker.identifiers],
            "properties": dict(properties),
            **({"actor": "AGENT"} if asker.agent is not None else {}),
            **{name: value for name, value in given.items() if value is not None},
        }
        return await self._ingest.draft(viewer, raw)

    async def _record(self, deed: Action) -> None:
        await self._ingest.keep([deed])
        await self._journeys.recorded(deed)
