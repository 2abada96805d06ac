"""Which profiles are one customer: a pure function of the profiles and their links, whatever order they came in.

Links are taken one after the other in an order of their own: an employee's decision before evidence, the surer evidence
before the less sure, the earlier before the later. One that would break a rule is refused, with the rule, and joins
nothing; all others join. So a link that arrives late may take the place of one that came before it in time, and the
outcome is the same as if they had arrived the other way round.

    a customer has at most one `login`, and of other kinds what the kind says
    a customer has at most MOST profiles that somebody proved
    a persona is of one customer: whom an employee named, else whose action was the first there
    two profiles whose link was taken back stay two, by whatever way, unless somebody decides otherwise later
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from steadylight_server.identity.models import Link, Profile, Reason, Refusal

# More is no person, but a shared telephone or a test address that nobody blocked.
MOST = 50


@dataclass(frozen=True)
class Partition:
    """`customer_ids` by profile: the oldest profile's of each component. `refused` by link, with the rule."""

    customer_ids: Mapping[UUID, UUID]
    refused: Mapping[UUID, Refusal]


def partition(profiles: Sequence[Profile], links: Iterable[Link], most: Mapping[str, int]) -> Partition:
    """The components that the links make of the profiles; retired links count for nothing.

    `most` says how many identifiers of a kind one customer may have; what is not in it is open.
    """
    groups = {profile.id: _Group(profile) for profile in profiles}
    refused: dict[UUID, Refusal] = {}
    links = sorted(links, key=lambda link: link.order)
    parted = _parted(links)
    personas = {profile.id for profile in profiles if profile.is_persona}
    for link in links:
        one, other = (groups[id] for id in link.profile_ids)
        if one is other or link.is_retired:
            continue
        if refusal := _taken(link, groups, personas) or one.refuses(other, most, parted):
            refused[link.id] = refusal
            continue
        larger, smaller = sorted((one, other), key=lambda group: len(group.ids), reverse=True)
        larger.take(smaller)
        for id in smaller.ids:
            groups[id] = larger
    return Partition({id: group.oldest.id for id, group in groups.items()}, refused)


def _taken(link: Link, groups: Mapping[UUID, "_Group"], personas: Set[UUID]) -> Refusal | None:
    """A persona follows one customer. It hangs on them as a leaf, and never makes one of two."""
    if link.reason is not Reason.PERSONA:
        return None
    (persona,) = personas & set(link.profile_ids)
    return Refusal.TAKEN if groups[persona].kinds else None


def _parted(links: Sequence[Link]) -> Sequence[tuple[UUID, UUID]]:
    """The pairs whose latest word is that they are two."""
    apart: dict[tuple[UUID, UUID], datetime] = {}
    together: dict[tuple[UUID, UUID], datetime] = {}
    for link in links:
        pair = link.profile_ids
        if link.retired_at is not None:
            apart[pair] = max(link.retired_at, apart.get(pair, link.retired_at))
        elif link.reason is Reason.DECISION:
            together[pair] = max(link.made_at, together.get(pair, link.made_at))
    return [pair for pair, at in apart.items() if pair not in together or together[pair] < at]


class _Group:
    """Profiles that are one customer so far."""

    def __init__(self, profile: Profile) -> None:
        self.ids = [profile.id]
        self.oldest = profile
        self.kinds = Counter() if profile.is_persona else Counter([profile.key.kind])

    def refuses(self, other: "_Group", most: Mapping[str, int], parted: Sequence[tuple[UUID, UUID]]) -> Refusal | None:
        """The rule that the two would break together."""
        for one, two in parted:
            if (one in self.ids and two in other.ids) or (two in self.ids and one in other.ids):
                return Refusal.PARTED
        for kind, limit in most.items():
            if self.kinds[kind] + other.kinds[kind] > limit and self.kinds[kind] and other.kinds[kind]:
                return Refusal.TOO_MANY_OF_A_KIND
        if self.kinds.total() + other.kinds.total() > MOST:
            return Refusal.TOO_MANY_PROFILES
        return None

    def take(self, other: "_Group") -> None:
        """Becomes one with it."""
        self.ids += other.ids
        self.oldest = min(self.oldest, other.oldest, key=lambda profile: profile.age)
        self.kinds += other.kinds
