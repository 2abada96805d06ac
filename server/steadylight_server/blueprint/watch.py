"""Puts the blueprint that is in force into force on this server, and each new one within a second."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import structlog

from steadylight_server.blueprint.document import read
from steadylight_server.blueprint.store import BlueprintStore
from steadylight_server.capabilities.declared import Capabilities
from steadylight_server.core.errors import Invalid, Unavailable
from steadylight_server.identity.kinds import Kinds
from steadylight_server.journeys.declared import JourneyTypes

log = structlog.get_logger("steadylight.blueprint")

# Seconds between two looks: an indexed read of one small document.
EVERY = 0.5


class Watch:
    """Hands each slice its section. `channels_changed` is called when channels may be other than they were.

    `capabilities` is None where nothing is performed: what implements them is not looked for.
    """

    def __init__(
        self,
        store: BlueprintStore,
        kinds: Kinds,
        types: JourneyTypes,
        capabilities: Capabilities | None,
        channels_changed: Callable[[], None],
    ) -> None:
        self._store = store
        self._kinds = kinds
        self._types = types
        self._capabilities = capabilities
        self._channels_changed = channels_changed
        self._seen = 0
        #: The version that is in force here; 0: what ships.
        self.number = 0

    async def refresh(self) -> None:
        """Looks once. What this server cannot read, as of a later release, leaves the one before it in force.

        Raises Unavailable.
        """
        latest = await self._store.latest_number()
        if latest == self._seen:
            return
        for number in range(latest, self.number, -1):
            if await self._put_in_force(number):
                break
        self._seen = latest

    async def _put_in_force(self, number: int) -> bool:
        version = await self._store.version(number)
        try:
            if version is None:
                raise Invalid("it is not stored")
            blueprint = read(version.text)
        except Invalid as error:
            log.error("this blueprint cannot be read here; the one before it stays", version=number, why=error.message)
            return False
        self._kinds.declare(tuple(blueprint.kinds.values()))
        self._types.declare(blueprint.journey_types(number))
        if self._capabilities is not None:
            self._capabilities.declare(blueprint.capabilities_declared(number))
        self._channels_changed()
        self.number = number
        log.info("a blueprint is in force", version=number)
        return True


@asynccontextmanager
async def watching(watch: Watch, *, every: float = EVERY) -> AsyncIterator[None]:
    """The blueprint is in force when this is entered, and each later one soon after it was applied."""
    await watch.refresh()
    task = asyncio.create_task(_watch(watch, every))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _watch(watch: Watch, every: float) -> None:
    while True:
        await asyncio.sleep(every)
        try:
            await watch.refresh()
        except Unavailable:
            log.warning("the database cannot be asked for a new blueprint now; trying again", seconds=every)
        except Exception:
            log.exception("looking for a new blueprint failed; trying again", seconds=every)
