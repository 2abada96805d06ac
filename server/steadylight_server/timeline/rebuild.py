"""Makes the projections anew from the actions, while servers go on recording.

Fresh collections are filled from all actions, caught up with what was appended meanwhile, and put in the place of the
old ones in one step each. Whoever projected into the old ones a moment before had appended first: the stream has it,
and it is taken into account once more afterwards.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from steadylight_server.core.mongo import Database
from steadylight_server.timeline.contacts import ContactStore
from steadylight_server.timeline.models import Action
from steadylight_server.timeline.store import ActionStore, Appended
from steadylight_server.timeline.traits import TraitStore
from steadylight_server.timeline.types import TypeStore

_CHUNK = 1_000
_SUFFIX = ".rebuilt"
_PROJECTIONS = (ContactStore, TypeStore, TraitStore)


class Projection(Protocol):
    """A store of what is made of actions."""

    async def begin_anew(self) -> None:
        """Leaves its collections empty."""

    async def take_the_place_of(self, other: Any) -> None:
        """Moves each collection under the other's name."""

    async def project(self, actions: Sequence[Action]) -> object:
        """Takes the actions into account; doing so again changes nothing."""


async def rebuild(
    database: Database,
    on_progress: Callable[[int], None] = lambda done: None,
    *,
    others: Sequence[Callable[[str], Projection]] = (),
) -> int:
    """Returns how many actions there were. `on_progress` is told how many are done so far.

    `others` make the projections of slices above, each given what goes behind the names of its collections.
    """

    def made(suffix: str) -> Sequence[Projection]:
        own = [store(database, suffix=suffix) for store in _PROJECTIONS]
        return [*own, *(make(suffix) for make in others)]

    fresh = made(_SUFFIX)
    for store in fresh:
        await store.begin_anew()
    actions = ActionStore(database)
    async with actions.appended() as appended, database.session():
        await database.moment()  # from here on all is read that was appended before the stream began, confirmed or not
        done = 0
        chunk: list[Action] = []
        async for action in actions.all():
            chunk.append(action)
            if len(chunk) == _CHUNK:
                done += await _project(fresh, chunk)
                on_progress(done)
        done += await _project(fresh, chunk)
        on_progress(done)
        await _catch_up(database, appended, fresh)
        current = made("")
        for new, old in zip(fresh, current, strict=True):
            await new.take_the_place_of(old)
        await _catch_up(database, appended, current)
    return done


async def _project(stores: Sequence[Projection], chunk: list[Action]) -> int:
    """Empties the chunk into the stores; how many there were."""
    count = len(chunk)
    if count:
        for store in stores:
            await store.project(chunk)
    chunk.clear()
    return count


async def _catch_up(database: Database, appended: Appended, stores: Sequence[Projection]) -> None:
    """Takes into account all that was appended until now."""
    until = await database.moment()
    chunk: list[Action] = []
    while not appended.has_reached(until) and (action := await appended.next()):
        chunk.append(action)
        if len(chunk) == _CHUNK:
            await _project(stores, chunk)
    await _project(stores, chunk)
