"""Joins profiles that are one customer and parts them again. Nothing is moved: `profiles.customer_id` alone changes.

A link from evidence is made once for two profiles, and keeps the best action that proved both; each decision of an
employee is a link of its own. Whenever a link comes or goes, everybody around it is worked out anew
(`identity/partition`) in one transaction, so the outcome is a function of what is stored and not of its order.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import blake2b
from uuid import UUID, uuid4

from steadylight_server.core.assurance import Assurance
from steadylight_server.core.clock import Clock, now
from steadylight_server.core.errors import Conflict, NotFound
from steadylight_server.identity.kinds import Kinds
from steadylight_server.identity.models import Evidence, Joining, Key, Link, LinkOrder, Profile, Reason, Refusal
from steadylight_server.identity.partition import Partition, partition
from steadylight_server.identity.store import Crowded, IdentityStore

# Pairs in one transaction: more lock each other out, fewer cost a round trip each.
_TOGETHER = 50
_MOST_REMEMBERED = 100_000


class Links:
    """The only maker of links."""

    def __init__(self, store: IdentityStore, kinds: Kinds, *, clock: Clock = now) -> None:
        self._store = store
        self._kinds = kinds
        self._clock = clock
        # The order of the link that is stored for two profiles: evidence that comes behind it changes nothing.
        self._remembered: OrderedDict[tuple[UUID, UUID], LinkOrder] = OrderedDict()
        self._joined: OrderedDict[UUID, Joining] = OrderedDict()
        # Profiles to which more leads than can be worked out: what nobody blocked, though everybody has it.
        self._hubs: OrderedDict[UUID, None] = OrderedDict()

    async def of(self, profile_ids: Collection[UUID]) -> list[Link]:
        """All links of these profiles, retired ones and refused ones too; the oldest first."""
        return await self._store.links(profile_ids)

    async def conflicts(self, limit: int) -> list[Link]:
        """Links that a rule keeps from joining, and that nobody has decided on; the oldest first."""
        return await self._store.refused(limit)

    async def one(self, id: UUID) -> Link | None:
        """The link of that id."""
        return await self._store.link(id)

    async def refusal(self, one: UUID, other: UUID) -> Refusal | None:
        """The rule that a decision to join the customers of these two profiles, whole, would break, if any."""
        at = self._clock()
        trial = Link(uuid4(), _pair(one, other), Reason.DECISION, Assurance.IN_PERSON, at, at)
        try:
            profiles, links = await self._store.around(trial.profile_ids)
        except Crowded:
            return Refusal.TOO_MANY_PROFILES
        links = [*links, trial]
        return _breaks(trial, profiles, links, partition(profiles, links, self._kinds.most))

    async def joined_by(self, one: UUID, other: UUID, assurance: Assurance) -> Collection[UUID]:
        """All whom the customer of the first profile would be, were the two proven to be one now; nothing is joined."""
        at, pair = self._clock(), _pair(one, other)
        trial = Link(_id(pair), pair, Reason.EVIDENCE, assurance, at, at, action_id=uuid4())
        try:
            profiles, links = await self._store.around(pair)
        except Crowded:
            return (one,)
        if trial.id not in {link.id for link in links}:
            links = [*links, trial]
        customer_ids = partition(profiles, links, self._kinds.most).customer_ids
        return [id for id, customer_id in customer_ids.items() if customer_id == customer_ids[one]]

    @staticmethod
    def words(refusal: Refusal) -> str:
        """The rule, for people."""
        return _WHY_NOT[refusal]

    async def prove(self, evidence: Collection[Evidence], profile_ids: Mapping[Key, UUID]) -> None:
        """Joins what each piece of evidence proves to be one; again, or in another order, is harmless."""
        best: dict[tuple[UUID, UUID], Evidence] = {}
        for one in evidence:
            pair = _pair(profile_ids[one.keys[0]], profile_ids[one.keys[1]])
            behind = best[pair].order if pair in best else self._remembered.get(pair)
            if behind is None or one.order < behind:
                best[pair] = one
        fresh = [self._proven(pair, one) for pair, one in best.items()]
        for start in range(0, len(fresh), _TOGETHER):
            await self._add(fresh[start : start + _TOGETHER])

    async def join(self, joinings: Collection[Joining]) -> None:
        """Gives what was done under personas to whose it is; again, or in another order, is harmless."""
        best: dict[UUID, Joining] = {}
        for one in joinings:
            best[one.persona_id] = one.merged(best[one.persona_id]) if one.persona_id in best else one
        fresh = [
            one
            for id, one in best.items()
            if id not in self._joined or self._joined[id] != self._joined[id].merged(one)
        ]
        for start in range(0, len(fresh), _TOGETHER):
            await self._join(fresh[start : start + _TOGETHER])

    async def taken(self, persona_ids: Collection[UUID]) -> dict[UUID, datetime]:
        """Since when each of these personas is somebody's, if it is; one round trip."""
        links = await self._store.links_by_id(map(_persona_link_id, persona_ids)) if persona_ids else {}
        return {id: links[_persona_link_id(id)].at for id in persona_ids if _persona_link_id(id) in links}

    async def decide(self, profile_ids: tuple[UUID, UUID], *, id: UUID, by: Mapping[str, str], why: str) -> Link:
        """An employee says that the two are one. `id` is the operation's: again, the same link is returned.

        Raises Conflict where the id was used for something else, or a rule keeps the two apart: then nothing changes.
        """
        at = self._clock()
        link = Link(id, _pair(*profile_ids), Reason.DECISION, Assurance.IN_PERSON, at, at, by=by, why=why)
        made: list[Link] = []

        async def change() -> Sequence[UUID]:
            made.clear()
            before = await self._store.link(id)
            if before is not None:
                if before.profile_ids != link.profile_ids:
                    raise Conflict("This operation id was used for something else.")
                made.append(before)
                return ()
            await self._store.put_links([link])
            made.append(link)
            return link.profile_ids

        def work(
            profiles: Sequence[Profile], links: Sequence[Link]
        ) -> tuple[Mapping[UUID, UUID], Mapping[UUID, Refusal]]:
            outcome = partition(profiles, links, self._kinds.most)
            if refusal := _breaks(link, profiles, links, outcome):
                raise Conflict(_WHY_NOT[refusal])
            return outcome.customer_ids, outcome.refused

        try:
            await self._store.relink(change, work)
        except Crowded:
            raise Conflict(_WHY_NOT[Refusal.TOO_MANY_PROFILES]) from None
        return made[0]

    async def retire(self, id: UUID, *, by: Mapping[str, str], why: str) -> Link:
        """Takes a link back: reads are as they were before it, and its two profiles stay apart. Again is harmless.

        Raises NotFound; Conflict where more is linked around it than can be worked out at once.
        """
        retired: list[Link] = []

        async def change() -> Sequence[UUID]:
            retired.clear()
            link = await self._store.link(id)
            if link is None:
                raise NotFound("There is no such link.")
            retired.append(
                link
                if link.is_retired
                else replace(link, refusal=None, retired_at=self._clock(), retired_by=by, retired_why=why)
            )
            if link.is_retired:
                return ()
            await self._store.put_links(retired)
            return link.profile_ids

        try:
            await self._store.relink(change, self._work)
        except Crowded:
            raise Conflict(_CROWDED) from None
        return retired[0]

    async def _join(self, joinings: Sequence[Joining]) -> None:
        stored: dict[UUID, Link] = {}

        async def change() -> Sequence[UUID]:
            stored.clear()
            stored.update(await self._store.links_by_id(_persona_link_id(one.persona_id) for one in joinings))
            changed: list[Link] = []
            touched: list[UUID] = []
            for one in joinings:
                fresh = self._persona_link(one)
                before = stored.get(fresh.id)
                if before is not None and before.is_retired:
                    continue
                if before is None:
                    link = fresh
                else:
                    both = one.merged(_joining(one.persona_id, before))
                    link = replace(self._persona_link(both), made_at=before.made_at, refusal=before.refusal)
                    if link == before:
                        continue
                stored[link.id] = link
                changed.append(link)
                if before is None or before.profile_ids != link.profile_ids:
                    touched += link.profile_ids  # the persona leads to whose it was
            if changed:
                await self._store.put_links(changed)
            return touched

        try:
            await self._store.relink(change, self._work)
        except Crowded:
            if len(joinings) > 1:
                for one in joinings:
                    await self._join([one])
                return
            await self._refuse([self._persona_link(joinings[0])])
        for one in joinings:
            if link := stored.get(_persona_link_id(one.persona_id)):
                self._joined[one.persona_id] = _joining(one.persona_id, link)
        for _ in range(len(self._joined) - _MOST_REMEMBERED):
            self._joined.popitem(last=False)

    async def _refuse(self, links: Sequence[Link]) -> None:
        """Keeps links around which there is a crowd.

        One that is there stays as it is, joined or not: who is whom was not worked out.
        """
        if links:
            await self._store.add_links([replace(link, refusal=Refusal.TOO_MANY_PROFILES) for link in links])
            self._remembered.update({link.profile_ids: link.order for link in links})
        for memory in (self._hubs, self._remembered):
            for _ in range(len(memory) - _MOST_REMEMBERED):
                memory.popitem(last=False)

    def _is_crowded(self, link: Link) -> bool:
        return not self._hubs.keys().isdisjoint(link.profile_ids)

    def _persona_link(self, one: Joining) -> Link:
        pair = _pair(one.persona_id, one.profile_id)
        return Link(
            _persona_link_id(one.persona_id),
            pair,
            Reason.PERSONA,
            one.assurance,
            one.at,
            self._clock(),
            action_id=one.action_id,
        )

    async def _add(self, links: Sequence[Link]) -> None:
        await self._refuse([link for link in links if self._is_crowded(link)])
        links = [link for link in links if not self._is_crowded(link)]
        if not links:
            return
        stored: dict[UUID, Link] = {}

        async def change() -> Sequence[UUID]:
            stored.clear()
            stored.update(await self._store.links_by_id(link.id for link in links))
            changed: list[Link] = []
            for link in links:
                before = stored.get(link.id)
                if before is not None and (before.is_retired or before.order <= link.order):
                    continue
                if before is not None:
                    link = replace(link, made_at=before.made_at, refusal=before.refusal)
                stored[link.id] = link
                changed.append(link)
            if changed:
                await self._store.put_links(changed)
            return [id for link in changed for id in link.profile_ids]

        try:
            await self._store.relink(change, self._work)
        except Crowded:
            if len(links) > 1:
                for link in links:
                    await self._add([link])
                return
            self._hubs.update(dict.fromkeys(await self._store.hubs(links[0].profile_ids)))
            await self._refuse(links)
            return
        for link in stored.values():
            self._remembered[link.profile_ids] = link.order
        for _ in range(len(self._remembered) - _MOST_REMEMBERED):
            self._remembered.popitem(last=False)

    def _work(
        self, profiles: Sequence[Profile], links: Sequence[Link]
    ) -> tuple[Mapping[UUID, UUID], Mapping[UUID, Refusal]]:
        outcome = partition(profiles, links, self._kinds.most)
        return outcome.customer_ids, outcome.refused

    def _proven(self, pair: tuple[UUID, UUID], one: Evidence) -> Link:
        at = self._clock()
        return Link(_id(pair), pair, one.reason, one.assurance, one.at, at, action_id=one.action_id, rank=one.rank)


def _breaks(decision: Link, profiles: Sequence[Profile], links: Sequence[Link], outcome: Partition) -> Refusal | None:
    """The rule that keeps the two customers from being one, whole: a decision comes before all evidence, and must not
    tear off either what it was made of. `profiles` are as they were before it.
    """
    if refusal := outcome.refused.get(decision.id):
        return refusal
    were = {profile.customer_id for profile in profiles if profile.id in decision.profile_ids}
    whole = {profile.id for profile in profiles if profile.customer_id in were}
    if len({outcome.customer_ids[id] for id in whole}) == 1:
        return None
    torn = [
        link for link in links if link.is_active and link.id in outcome.refused and whole.issuperset(link.profile_ids)
    ]
    return outcome.refused[min(torn, key=lambda link: link.order).id]


_CROWDED = "So much is linked around it that it cannot be worked out at once. Block what many people share."
_WHY_NOT = {
    Refusal.TOO_MANY_OF_A_KIND: "Together they would have more of one kind of identifier than a customer may have.",
    Refusal.TOO_MANY_PROFILES: "Together they would be more than 50 profiles.",
    Refusal.TAKEN: "Somebody said whose the persona is.",
    Refusal.PARTED: "Somebody parted two of their profiles. Decide on those two themselves.",
}


def _pair(one: UUID, other: UUID) -> tuple[UUID, UUID]:
    return (one, other) if one < other else (other, one)


def _id(pair: tuple[UUID, UUID]) -> UUID:
    """The same on every server."""
    return UUID(bytes=blake2b(pair[0].bytes + pair[1].bytes, person=b"evidence", digest_size=16).digest())


def _persona_link_id(persona_id: UUID) -> UUID:
    """The same on every server; one for each persona, whosever it is."""
    return UUID(bytes=blake2b(persona_id.bytes, person=b"persona", digest_size=16).digest())


def _joining(persona_id: UUID, link: Link) -> Joining:
    """What a persona's link says."""
    (profile_id,) = set(link.profile_ids) - {persona_id}
    assert link.action_id is not None
    return Joining(persona_id, profile_id, link.at, link.action_id, link.assurance)
