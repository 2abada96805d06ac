"""What is done about a customer's journey: through its slice, then on the timeline.

The id of an operation is the caller's and becomes the action's: a repetition after a lost answer does it once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from steadylight_server.access.models import Viewer
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.errors import Conflict, Unavailable
from steadylight_server.core.mongo import Database, Session
from steadylight_server.ingest.service import Ingest
from steadylight_server.journeys.models import (
    ADVANCED,
    ANSWERED,
    ASKED,
    CHANGED,
    RESUMED,
    STARTED,
    Answer,
    Change,
    Journey,
    Known,
    Status,
)
from steadylight_server.journeys.names import PREFIX, read
from steadylight_server.journeys.service import JourneyService
from steadylight_server.operations.models import Asker, Done
from steadylight_server.timeline.models import Action

log = structlog.get_logger("steadylight.operations")


@dataclass(frozen=True)
class PickedUp:
    """A journey that was started, or found open, and what is known in it."""

    journey: Journey
    resumed: bool
    answers: Sequence[Answer]
    assurance: Assurance


class JourneyOperations:
    """Starts journeys, asks, answers, and changes them."""

    def __init__(self, database: Database, journeys: JourneyService, ingest: Ingest) -> None:
        self._database = database
        self._journeys = journeys
        self._ingest = ingest

    async def start(self, viewer: Viewer, asker: Asker, type: str, key: str) -> Done[PickedUp]:
        """Starts a journey, or picks up the open one of that type and key. Raises Invalid, Forbidden."""
        async with self._database.session() as session:
            about = {"type": type, "key": key or None}
            draft, earlier = await self._drafted(viewer, asker, (STARTED, RESUMED), about)
            if earlier is not None and (id := read(earlier.journey or "")) is not None:
                journey, deed = await self._journeys.one(id), earlier  # whatever has become of it since
            else:
                journey, deed = await self._journeys.start(draft, type, key)
                await self._record(deed)
            customer = await self._journeys.whose(deed.profile_id, deed.assurance)
            answers = await self._journeys.answers(journey, customer, deed.assurance)
            picked = PickedUp(journey, deed.type != STARTED, answers, deed.assurance)
            return Done(picked, self._ingest.token(session.moment))

    async def ask(self, viewer: Viewer, asker: Asker, journey: UUID, question: str) -> Done[Known]:
        """What is known of a question, so that nobody asks again; that it was asked is recorded. Raises NotFound."""
        async with self._database.session() as session:
            draft = await self._draft(viewer, asker, (ASKED,), {"question": question}, journey)
            known, deed = await self._journeys.ask(draft, journey, question)
            await self._record(deed)
            return Done(known, self._ingest.token(session.moment))

    async def answer(
        self, viewer: Viewer, asker: Asker, journey: UUID, question: str, value: Any
    ) -> Done[tuple[Journey, Assurance]]:
        """Keeps what the customer said. Raises NotFound, Invalid for an answer that will not do."""
        async with self._database.session() as session:
            draft = await self._draft(viewer, asker, (ANSWERED,), {"question": question, "value": value}, journey)
            deed = await self._journeys.answered(draft, journey, question, value)
            await self._record(deed)
            return Done((await self._journeys.one(journey), deed.assurance), self._ingest.token(session.moment))

    async def advance(
        self, viewer: Viewer, asker: Asker, journey: UUID, to: str, came_from: str | None
    ) -> Done[tuple[Change, Assurance]]:
        """Takes a journey a step further, unless somebody else did. Raises NotFound, Invalid."""
        async with self._database.session() as session:
            draft = await self._draft(viewer, asker, (ADVANCED,), {"from": came_from, "to": to}, journey)
            change, deed = await self._journeys.advance(draft, journey, to, came_from)
            return await self._changed(change, deed, session)

    async def become(
        self, viewer: Viewer, asker: Asker, journey: UUID, status: Status, outcome: str | None
    ) -> Done[tuple[Change, Assurance]]:
        """Ends a journey, lets it wait, or opens it again, unless somebody ended it. Raises NotFound, Conflict."""
        async with self._database.session() as session:
            about = {"status": status.value, "outcome": outcome}
            draft = await self._draft(viewer, asker, (CHANGED,), about, journey)
            change, deed = await self._journeys.become(draft, journey, status, outcome)
            return await self._changed(change, deed, session)

    async def catch_up(self) -> int:
        """Does what has become of journeys by itself, and records what others left; how many deeds."""
        async with self._database.session():
            done = 0
            for deed in (*await self._journeys.fire(), *await self._journeys.unrecorded()):
                try:
                    await self._record(deed)
                except Unavailable:
                    raise
                except Exception:  # One that cannot be recorded must not hold up the others.
                    log.exception("what was done about a journey cannot be recorded", journey=deed.journey)
                    await self._journeys.put_off(deed)
                else:
                    done += 1
        return done

    async def _changed(self, change: Change, deed: Action, session: Session) -> Done[tuple[Change, Assurance]]:
        if change.is_done:
            await self._record(deed)
        return Done((change, deed.assurance), self._ingest.token(session.moment))

    async def _draft(
        self,
        viewer: Viewer,
        asker: Asker,
        types: Sequence[str],
        about: Mapping[str, Any],
        journey: UUID | None = None,
    ) -> Action:
        return (await self._drafted(viewer, asker, types, about, journey))[0]

    async def _drafted(
        self,
        viewer: Viewer,
        asker: Asker,
        types: Sequence[str],
        about: Mapping[str, Any],
        journey: UUID | None = None,
    ) -> tuple[Action, Action | None]:
        """What is to be done, and what was done by the same operation before.

        Raises Conflict where the operation's id was used for anything but this; else as `Ingest.draft`.
        """
        draft, earlier = await self._ingest.draft(viewer, asker.raw(viewer, types[0], about))
        if earlier is not None and not _is_repeated(earlier, draft, types, about, journey):
            raise Conflict("This operation id was used for something else.")
        return draft, earlier

    async def _record(self, deed: Action) -> None:
        await self._ingest.keep([deed])
        await self._journeys.recorded(deed)


def _is_repeated(
    earlier: Action, draft: Action, types: Sequence[str], about: Mapping[str, Any], journey: UUID | None
) -> bool:
    """Whether the draft is what was done earlier: when, and what came of it, aside."""
    came_of_it = draft._replace(
        type=earlier.type,
        at=earlier.at,
        claimed_at=earlier.claimed_at,
        properties=earlier.properties,
        journey=earlier.journey,
    )
    return (
        earlier.type in types
        and (journey is None or earlier.journey == f"{PREFIX}{journey.hex}")
        and all(earlier.properties.get(name) == said for name, said in about.items())
        and earlier.says_the_same_as(came_of_it)
    )
