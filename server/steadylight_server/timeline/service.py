"""Records actions and reads them back, for the customers that identity names."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

from steadylight_server.core.errors import NotFound
from steadylight_server.core.mongo import Document
from steadylight_server.core.paging import Page, Window
from steadylight_server.timeline import traits
from steadylight_server.timeline.contacts import ContactStore, contacts, recent_pipeline
from steadylight_server.timeline.models import Action, ActionFilter, Contact, Met, Order, Outcome, Trait
from steadylight_server.timeline.store import ActionStore, Appended, restored, stored
from steadylight_server.timeline.traits import TraitStore
from steadylight_server.timeline.types import TypeStore

MOST_CONTACTS = 10
# A desk that crashed never ends its contact; nobody talks longer.
OPEN_FOR = timedelta(hours=12)
# Pieces of one contact are joined after they are read. Most are whole; where too many were not, this many are read.
_MOST_PIECES = 3 * MOST_CONTACTS
_PIECES = MOST_CONTACTS + 2


class Recent(NamedTuple):
    """The newest actions and the latest MOST_CONTACTS contacts, newest first; traits by name; what others' pipelines
    found, by collection.
    """

    actions: Sequence[Action]
    contacts: Sequence[Contact]
    traits: Sequence[Trait]
    beside: Mapping[str, Sequence[Document]]


class TimelineService:
    """The only way to actions and contacts."""

    def __init__(self, actions: ActionStore, contacts: ContactStore, types: TypeStore, traits: TraitStore) -> None:
        self._actions = actions
        self._contacts = contacts
        self._types = types
        self._traits = traits

    async def append(self, actions: Sequence[Action]) -> list[Outcome]:
        """Stores what is new; one outcome per action, in order."""
        return await self._actions.append(actions)

    async def project(self, actions: Sequence[Action]) -> list[Action]:
        """Brings the projections up to these actions; again is harmless. Returns the first action of each new type."""
        await self._contacts.project(actions)
        await self._traits.project(actions)
        return await self._types.project(actions)

    async def page(
        self, profile_ids: Sequence[UUID], wanted: ActionFilter, order: Order, window: Window
    ) -> Page[Action]:
        """One part of the timeline of these profiles, in `order`."""
        return await self._actions.page(profile_ids, wanted, order, window)

    async def recent(
        self,
        profile_ids: Sequence[UUID],
        limit: int,
        beside: Mapping[str, Sequence[Mapping[str, Any]]] = MappingProxyType({}),
    ) -> "Recent":
        """What is known of these profiles now; one round trip, or two where contacts are in pieces.

        `beside` are other slices' pipelines, by collection.
        """
        own = {
            self._contacts.name: recent_pipeline(profile_ids, _PIECES),
            self._traits.name: traits.pipeline(profile_ids),
        }
        actions, found = await self._actions.recent(profile_ids, limit, {**own, **beside})
        pieces = found.pop(self._contacts.name)
        latest = contacts(pieces, MOST_CONTACTS)
        if len(latest) < MOST_CONTACTS and len(pieces) == _PIECES:
            latest = contacts(await self._contacts.latest(profile_ids, _MOST_PIECES), MOST_CONTACTS)
        return Recent(actions, latest, traits.traits(found.pop(self._traits.name)), found)

    async def elsewhere(
        self, profile_ids: Sequence[UUID], channels: Collection[str], since: datetime, until: datetime, limit: int
    ) -> list[Action]:
        """What these profiles did in any of these channels, the oldest first; `until` is exclusive."""
        return await self._actions.elsewhere(profile_ids, channels, since, until, limit)

    async def open_contact(
        self, profile_ids: Sequence[UUID], channel: str, key: str, *, at: datetime
    ) -> Contact | None:
        """The contact of that key in the channel, if it is one of these profiles' and still open then.

        It is open until the channel ends it, or OPEN_FOR after its last action.
        """
        for contact in await self._contacts.keyed(profile_ids, channel, key):
            if not contact.is_ended and at - contact.last_at < OPEN_FOR:
                return contact
        return None

    async def met(self, contacts: Collection[tuple[str, str]]) -> list[tuple[tuple[str, str], Met]]:
        """Whom anybody knew in these contacts, given as (channel, key)."""
        return await self._contacts.met(contacts)

    async def traits(self, profile_ids: Sequence[UUID]) -> list[Trait]:
        """What is known of these profiles, by name."""
        return await self._traits.of(profile_ids)

    async def action(self, id: UUID) -> Action:
        """Raises NotFound."""
        async for action in self._actions.by_ids([id]):
            return action
        raise NotFound("There is no such action.")

    @staticmethod
    def stored(action: Action) -> Mapping[str, Any]:
        """The action as it is kept, for a slice that keeps it until it is recorded."""
        return stored(action)

    @staticmethod
    def restored(document: Mapping[str, Any]) -> Action:
        """What `stored` gave, read again."""
        return restored(document)

    def by_ids(self, ids: Sequence[UUID]) -> AsyncIterator[Action]:
        """Those that are stored, in no order."""
        return self._actions.by_ids(ids)

    def appended(self) -> AbstractAsyncContextManager[Appended]:
        """What is appended from now on."""
        return self._actions.appended()
