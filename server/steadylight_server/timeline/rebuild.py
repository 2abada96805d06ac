"""Makes the projections anew from the actions, while servers go on recording.

Fresh collections are filled from all actions, caught up with what was appended meanwhile, and put in the place of the
old ones in one step each. Whoever projected into the old ones a moment before had appended first: the stream has it,
and it is taken into account once more afterwards.
"""

from collections.abc import Callable, Sequence

from steadylight_server.core.mongo import Database
from steadylight_server.timeline.contacts import ContactStore
from steadylight_server.timeline.models import Action
from steadylight_server.timeline.store import ActionStore, Appended
from steadylight_server.timeline.traits import TraitStore
from steadylight_server.timeline.types import TypeStore

_CHUNK = 1_000
_SUFFIX = ".rebuilt"
_Projection = ContactStore | TypeStore | TraitStore
_PROJECTIONS: tuple[type[_Projection], ...] = (ContactStore, TypeStore, TraitStore)


async def rebuild(database: Database, on_progress: Callable[[int], None] = lambda done: None) -> int:
    """Returns how many actions there were. `on_progress` is told how many are done so far."""
    fresh = tuple(store(database, suffix=_SUFFIX) for store in _PROJECTIONS)
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
        current = tuple(store(database) for store in _PROJECTIONS)
        for new, old in zip(fresh, current, strict=True):
            await new.take_the_place_of(old)
        await _catch_up(database, appended, current)
    return done


async def _project(stores: Sequence[_Projection], chunk: list[Action]) -> int:
    """Empties the chunk into the stores; how many there were."""
    count = len(chunk)
    if count:
        for store in stores:
            await store.project(chunk)
    chunk.clear()
    return count


async def _catch_up(database: Database, appended: Appended, stores: Sequence[_Projection]) -> None:
    """Takes into account all that was appended until now."""
    until = await database.moment()
    chunk: list[Action] = []
    while not appended.has_reached(until) and (action := await appended.next()):
        chunk.append(action)
        if len(chunk) == _CHUNK:
            await _project(stores, chunk)
    await _project(stores, chunk)
