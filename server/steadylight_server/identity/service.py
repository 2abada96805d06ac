"""Finds out who somebody is, and makes a profile at first sight of an identifier that counts."""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from steadylight_server.core.assurance import Assurance
from steadylight_server.core.clock import Clock, now
from steadylight_server.core.errors import NotFound, Unavailable
from steadylight_server.core.ids import uuid7
from steadylight_server.identity.kinds import Kinds
from steadylight_server.identity.links import Links
from steadylight_server.identity.models import Customer, Evidence, Home, Identifier, Key, Profile
from steadylight_server.identity.store import IdentityStore, Taken

# Which profile an identifier leads to never changes, so it may be remembered; this many take about 30 MB.
_MOST_REMEMBERED = 100_000
# Who is one customer with whom does change: what is remembered is a guess. Of two profiles each, this many take 10 MB.
_MOST_FAMILIES = 20_000
_NOBODY = "No such customer, or not enough assurance to say so."


class IdentityService:
    """The only way from an identifier to a customer."""

    def __init__(self, store: IdentityStore, *, kinds: Kinds | None = None, clock: Clock = now) -> None:
        self._store = store
        self._clock = clock
        self._remembered: OrderedDict[Key, UUID] = OrderedDict()
        self._families: OrderedDict[UUID, tuple[UUID, Sequence[UUID]]] = OrderedDict()
        self.kinds = kinds or Kinds()
        self.links = Links(store, self.kinds, clock=clock)

    async def resolve(self, keys: Collection[Key]) -> dict[Key, UUID]:
        """The profile of each key, made where there is none: in bulk, and once, whoever asks at the same moment."""
        for _ in range(10):
            found = await self.known(keys)
            fresh = {key: uuid7() for key in keys if key not in found}
            try:
                if fresh:
                    await self._store.add(fresh, self._clock())
            except Taken:
                continue
            self._remember(fresh)
            return found | fresh
        raise Unavailable("Too many first sights of the same customers at once. Try again shortly.")

    async def known(self, keys: Collection[Key]) -> dict[Key, UUID]:
        """The profile of each key that has one; never makes one."""
        found = {key: self._remembered[key] for key in keys if key in self._remembered}
        missing = [key for key in keys if key not in found]
        if missing:
            more = await self._store.profile_ids(missing)
            self._remember(more)
            found |= more
        return found

    async def prove(self, evidence: Collection[Evidence]) -> None:
        """Joins the customers whom each piece of evidence proves to be one. Again, or in another order, is harmless."""
        if evidence:
            keys = {key for one in evidence for key in one.keys}
            await self.links.prove(evidence, await self.resolve(keys))

    async def profile(self, key: Key) -> UUID | None:
        """The profile of one key; never makes one."""
        return (await self.known([key])).get(key)

    async def persona(self, home: Home) -> UUID | None:
        """The profile of a persona, for whoever comes with it; None once it is somebody's, who must say so."""
        profile_id = await self.profile(home.key)
        return profile_id if profile_id and not await self.links.taken([profile_id]) else None

    async def personas(self, asserted: Iterable[Identifier], *, channel: str, contact: str | None) -> list[UUID]:
        """The profiles of the personas of a place, whoever has proven since to be them."""
        return list((await self.known(self.kinds.personas(asserted, channel=channel, contact=contact))).values())

    async def unclaimed(self, asserted: Iterable[Identifier], *, channel: str, contact: str | None) -> list[Profile]:
        """The personas of a place that are nobody's yet: they become whose who is known there next."""
        ids = await self.personas(asserted, channel=channel, contact=contact)
        taken = await self.links.taken(ids)
        people = [await self.customer(id) for id in ids if id not in taken]
        # One that an employee joined to somebody has more than itself.
        return [person.profiles[0] for person in people if len(person.profiles) == 1]

    async def customer(self, profile_id: UUID) -> Customer:
        """The customer that a profile, by any id ever shown, is part of. Raises NotFound."""
        family = await self._store.family(profile_id)
        if not family:
            raise NotFound(_NOBODY)
        return self._seen(Customer(family[0].customer_id, family), profile_id)

    async def proven_beside(self, customer: Customer, evidence: Collection[Evidence]) -> list[UUID]:
        """The profiles that the customer will have beside theirs once the evidence is in; nothing is joined by it.

        Profiles are made where somebody is seen for the first time.
        """
        ids = await self.resolve({key for one in evidence for key in one.keys})
        found: dict[UUID, None] = {}
        for one in evidence:
            first, other = (ids[key] for key in one.keys)
            if other not in customer.profile_ids:
                found |= dict.fromkeys(await self.links.joined_by(first, other, one.assurance))
        return [id for id in found if id not in customer.profile_ids]

    async def customers(self, profile_ids: Collection[UUID]) -> dict[UUID, Customer]:
        """The customer of each of these profiles, in one round trip. Raises NotFound where one is not there."""
        found = await self._store.families(set(profile_ids))
        if len(found) < len(set(profile_ids)):
            raise NotFound(_NOBODY)
        return {id: Customer(family[0].customer_id, family) for id, family in found.items()}

    def guess(self, profile_id: UUID) -> tuple[UUID, Sequence[UUID]]:
        """The customer whom this profile was last seen to be part of, by id and profiles; `found` says if it is."""
        return self._families.get(profile_id, (profile_id, (profile_id,)))

    def pipelines(self, customer_id: UUID) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """What `found` needs, by collection, for whoever asks for more than that in one round trip."""
        return {self._store.name: self._store.pipeline(customer_id)}

    def found(self, profile_id: UUID, found: Mapping[str, Sequence[Mapping[str, Any]]]) -> Customer | None:
        """The customer that the pipelines found; None where the profile is not part of that one."""
        family = self._store.together(found[self._store.name])
        if not any(profile.id == profile_id for profile in family):
            return None
        return self._seen(Customer(family[0].customer_id, family), profile_id)

    def _seen(self, customer: Customer, profile_id: UUID) -> Customer:
        """Remembers those of several profiles: one alone is what is guessed anyway."""
        if len(customer.profiles) > 1:
            self._families[profile_id] = (customer.id, customer.profile_ids)
            if len(self._families) > _MOST_FAMILIES:
                self._families.popitem(last=False)
        else:
            self._families.pop(profile_id, None)
        return customer

    async def hold(self, profile_id: UUID) -> Customer:
        """The same, within a transaction: nobody joins or parts this customer, or holds them too, until its end."""
        await self._store.lock(profile_id)
        return await self.customer(profile_id)

    async def profile_at(self, home: Home | None) -> UUID | None:
        """The profile of a place in `kinds.home`; never makes one."""
        return await self.profile(home.key) if home else None

    async def customer_at(self, home: Home | None) -> Customer:
        """The customer of a place in `kinds.home`. Raises NotFound, alike for nobody and for not sure enough."""
        profile_id = await self.profile_at(home)
        if profile_id is None:
            raise NotFound(_NOBODY)
        return await self.customer(profile_id)

    async def customer_by(self, kind: str, value: str, assurance: Assurance) -> Customer:
        """Who is behind an identifier that was asserted with that assurance. Raises NotFound, as above."""
        return await self.customer_at(self.kinds.home([Identifier(kind, value, assurance)], channel="", contact=None))

    async def customers_with(self, value: str) -> list[Customer]:
        """Everybody whom this value leads to as an identifier of any declared kind; the longest known first."""
        keys = {Key(kind.name, kind.normalise(value)) for kind in self.kinds.declared if kind.bar is not None}
        profile_ids = (await self.known([key for key in keys if key.value])).values()
        found = {customer.id: customer for customer in [await self.customer(id) for id in profile_ids]}
        return sorted(found.values(), key=lambda customer: (customer.since, customer.id))

    def _remember(self, profiles: dict[Key, UUID]) -> None:
        self._remembered.update(profiles)
        for _ in range(len(self._remembered) - _MOST_REMEMBERED):
            self._remembered.popitem(last=False)
