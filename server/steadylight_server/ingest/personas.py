"""What somebody does before it is known who they are: where it is kept, and whose it becomes.

It is kept under a persona: as the app names it, else the contact's own. Once somebody known acts there, too, the
persona is theirs, with all that was done under it before. What is done there later without saying who it is goes to the
persona's leftovers, which are nobody's: on a shared device that may be anybody.

Either may reach the server first, in one process or in two. So each writes before it looks for the other: who is known
is noted with the contact before personas are looked for, and a persona is made before the contact is looked into.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from steadylight_server.core.assurance import Assurance
from steadylight_server.identity.models import APP_PERSONA, PERSONA, Joining, Key
from steadylight_server.identity.service import IdentityService
from steadylight_server.timeline.models import Action
from steadylight_server.timeline.service import TimelineService

_MOST_REMEMBERED = 100_000
_Contact = tuple[str, str]  # channel and key


class Personas:
    """Keeps what nobody known did apart, and joins it when they are."""

    def __init__(self, identity: IdentityService, timeline: TimelineService) -> None:
        self._identity = identity
        self._timeline = timeline
        # What this process has joined already: by persona and profile, the earliest that was told. By contact, None.
        self._told: OrderedDict[object, datetime | None] = OrderedDict()

    async def taken(self, personas: Mapping[Key, _Contact | None], known: Mapping[Key, UUID]) -> dict[Key, datetime]:
        """Since when each of these personas is somebody's, if it is; `known` are those that are there.

        A contact's own is given with its contact: whoever was known there may have been so before there was a persona.
        """
        linked = await self._identity.links.taken([known[key] for key in personas if key in known])
        contacts = {contact: key for key, contact in personas.items() if contact and key not in known}
        times = {key: linked[known[key]] for key in personas if known.get(key) in linked}
        for contact, met in await self._timeline.met(contacts):
            key = contacts[contact]
            times[key] = min(met.at, times.get(key, met.at))
        return times

    async def join(self, actions: Sequence[Action]) -> None:
        """Gives personas to whose they are, as far as these stored and projected actions tell. Again is harmless."""
        joinings: dict[Key, Joining] = {}
        alone: dict[_Contact, Key] = {}
        for action in _firsts(actions):
            keys = self._identity.kinds.personas(action.identifiers, channel=action.channel, contact=action.contact)
            if action.assurance is Assurance.CLAIMED:
                if keys and keys[0].kind == PERSONA and action.contact is not None:
                    alone[action.channel, action.contact] = keys[0]
                continue
            for key in keys:
                told = _joining(action)
                joinings[key] = told.merged(joinings[key]) if key in joinings else told
        joinings = {key: told for key, told in joinings.items() if self._is_news(key, told)}
        alone = {contact: key for contact, key in alone.items() if contact not in self._told}
        for contact, met in await self._timeline.met(alone):
            told, key = Joining(_NOBODY, *met), alone[contact]
            joinings[key] = told.merged(joinings[key]) if key in joinings else told
        # One that the app names is made at once, one of a contact only by what is done there unproven.
        await self._identity.resolve({key for key in joinings if key.kind == APP_PERSONA})
        ids = await self._identity.known({*joinings, *alone.values()})
        await self._identity.links.join(
            [told._replace(persona_id=ids[key]) for key, told in joinings.items() if key in ids]
        )
        self._told.update({(key, told.profile_id): told.at for key, told in joinings.items()})
        self._told.update(dict.fromkeys(contact for contact, key in alone.items() if key in ids))
        for _ in range(len(self._told) - _MOST_REMEMBERED):
            self._told.popitem(last=False)

    def _is_news(self, key: Key, told: Joining) -> bool:
        """Whether it tells of an earlier action than what was told before."""
        before = self._told.get((key, told.profile_id))
        return before is None or told.at < before


def _firsts(actions: Sequence[Action]) -> Iterable[Action]:
    """The first action of each of the same identifiers in one contact: the others tell nothing more.

    Those of one batch share their identifiers as one object, so that most are passed over at the cost of a look.
    """
    firsts: dict[tuple[int, str | None, UUID], Action] = {}
    for action in actions:
        place = (id(action.identifiers), action.contact, action.profile_id)
        before = firsts.get(place)
        if before is None or (action.at, action.id) < (before.at, before.id):
            firsts[place] = action
    return firsts.values()


_NOBODY = UUID(int=0)


def _joining(action: Action) -> Joining:
    """What an action of somebody known says of the personas that it was done under, whatever their ids are."""
    return Joining(_NOBODY, action.profile_id, action.at, action.id, action.assurance)
