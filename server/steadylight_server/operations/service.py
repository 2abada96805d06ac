"""What employees decide about who is whom. Each is audited first; its operation id makes a repetition harmless.

A decision is a link (`identity/links`); nothing of a customer is moved, so taking it back makes every read as before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from steadylight_server.access.models import Viewer
from steadylight_server.core.audit import Audit
from steadylight_server.core.errors import Conflict, Invalid
from steadylight_server.identity.models import Customer, Link, Profile, Refusal
from steadylight_server.identity.service import IdentityService

_LONGEST_WHY = 500


@dataclass(frozen=True)
class Preview:
    """What two customers would be as one: the profiles, the oldest first, or the rule that they would break."""

    profiles: Sequence[Profile]
    refusal: Refusal | None


class Operations:
    """Merges, parts, and settles conflicts."""

    def __init__(self, identity: IdentityService, audit: Audit) -> None:
        self._identity = identity
        self._audit = audit

    async def preview(self, one: Customer, other: Customer) -> Preview:
        """What merging them would make. Changes nothing. Raises Invalid where they are one already."""
        _must_be_two(one, other)
        refusal = await self._identity.links.refusal(*await self._pair(one, other))
        return Preview(sorted((*one.profiles, *other.profiles), key=lambda profile: profile.age), refusal)

    async def merge(self, viewer: Viewer, one: Customer, other: Customer, *, id: UUID, why: str) -> Link:
        """Makes the two one customer. Raises Invalid where they are, Conflict where a rule keeps them apart."""
        self._check(why)
        before = await self._identity.links.one(id)
        if before is None:
            _must_be_two(one, other)
            pair = await self._pair(one, other)
            if refusal := await self._identity.links.refusal(*pair):
                raise Conflict(self._identity.links.words(refusal))
        elif not _is_of(before, one, other):
            raise Conflict("This operation id was used for something else.")
        else:
            pair = before.profile_ids
        # Audited once it is known that it can be: what was refused was not done.
        await self._note(viewer, "customer.merged", [one.id, other.id], id, why)
        return await self._identity.links.decide(pair, id=id, by=viewer.described(), why=why)

    async def unlink(self, viewer: Viewer, link: Link, *, id: UUID, why: str) -> Link:
        """Takes a link back: its two profiles are two customers, whatever comes. Again is harmless."""
        self._check(why)
        people = [(await self._identity.customer(one)).id for one in link.profile_ids]
        # By both names: what they are called now, and what each is called once they are two.
        await self._note(viewer, "customer.unlinked", list(dict.fromkeys([*people, *link.profile_ids])), id, why)
        return await self._identity.links.retire(link.id, by=viewer.described(), why=why)

    async def _pair(self, one: Customer, other: Customer) -> tuple[UUID, UUID]:
        """The two profiles on which is decided: those that somebody parted, else the longest known of each.

        A persona is no side of it unless there is nothing else: it follows whom it belongs to.
        """
        links = await self._identity.links.of(one.profile_ids)
        parted = [link for link in links if link.retired_at is not None and _is_of(link, one, other)]
        if parted:
            return max(parted, key=lambda link: (link.retired_at, link.id)).profile_ids
        return _face(one).id, _face(other).id

    async def _note(self, viewer: Viewer, deed: str, whom: Sequence[UUID], id: UUID, why: str) -> None:
        named = [f"cus_{one.hex}" for one in whom]
        await self._audit.note(who=viewer.described(), deed=deed, whom=named, why=f"{why} (operation {id})")

    @staticmethod
    def _check(why: str) -> None:
        if not why.strip() or len(why) > _LONGEST_WHY:
            raise Invalid(f"why: 1 to {_LONGEST_WHY} characters.")


def _must_be_two(one: Customer, other: Customer) -> None:
    if one.id == other.id:
        raise Invalid("These are one customer already.")


def _face(customer: Customer) -> Profile:
    return next((profile for profile in customer.profiles if not profile.is_persona), customer.profiles[0])


def _is_of(link: Link, one: Customer, other: Customer) -> bool:
    """Whether the link is between the two: each has a side of it. Once they are one customer, that has both."""
    first, second = ({profile.id for profile in customer.profiles} for customer in (one, other))
    a, b = link.profile_ids
    return (a in first and b in second) or (b in first and a in second)
