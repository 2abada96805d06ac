"""For whom a fragment is: audiences, what of a viewer they ask, and which of them hold.

An audience names roles, segments, channels, products and regions. Of each that it names, one must be the viewer's; what
it does not name is open. A condition in CEL may ask for more. An audience has one canonical text, however it was
written down, and so a key: thousands of fragments have few distinct audiences, and each is evaluated once a viewer.
"""

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any

from steadylight_server.access.models import Role
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.conditions import Condition
from steadylight_server.core.errors import Invalid

# What a condition may ask of: the levels of assurance are there by name, to compare with.
_LEVELS: Mapping[str, int] = {level.name: level.value for level in Assurance}
_FEW = ("role", "channel", "assurance", *_LEVELS)
FACTS = (*_FEW, "customer")
ROLES = (Role.CUSTOMER, Role.AGENT, Role.ADMIN)
EMPLOYEES = (Role.AGENT, Role.ADMIN)
# The traits of a customer that say in which sets they are, each a text or several.
SEGMENT, PRODUCT, REGION = "segment", "product", "region"

_LINE_ENDS = re.compile("\r\n|[\r\x85\u2028\u2029]")
_MOST_NAMES = 100
_MOST_NAME = 100


@dataclass(frozen=True)
class Viewpoint:
    """What of a viewer, and of the customer in hand, an audience may ask.

    `role` is CUSTOMER, AGENT or ADMIN: for whose eyes it is. `traits` are the customer's, by name; none where nobody
    knows who they are. `assurance` is how sure the channel is of them.
    """

    role: Role = Role.CUSTOMER
    channel: str | None = None
    assurance: Assurance = Assurance.CLAIMED
    traits: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @cached_property
    def segments(self) -> frozenset[str]:
        """Those of the customer."""
        return _texts(self.traits.get(SEGMENT))

    @cached_property
    def products(self) -> frozenset[str]:
        """Those that the customer has."""
        return _texts(self.traits.get(PRODUCT))

    @cached_property
    def regions(self) -> frozenset[str]:
        """Those in which the customer is."""
        return _texts(self.traits.get(REGION))

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """What conditions are given, by the names of FACTS."""
        own = {"role": self.role.value, "channel": self.channel or "", "assurance": self.assurance.value}
        return {**own, **_LEVELS, "customer": dict(self.traits)}


@dataclass(frozen=True)
class Audience:
    """For whom something is. An empty set is open to all; a `condition` is CEL over FACTS."""

    roles: frozenset[Role] = frozenset()
    segments: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    products: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    condition: str | None = None

    @classmethod
    def of(
        cls,
        *,
        roles: Collection[str] = (),
        segments: Collection[str] = (),
        channels: Collection[str] = (),
        products: Collection[str] = (),
        regions: Collection[str] = (),
        condition: str | None = None,
    ) -> "Audience":
        """From what somebody wrote. Raises Invalid for a role that is none, an empty name, and what is no CEL."""
        known = {role.value: role for role in ROLES}
        if unknown := sorted(set(roles) - known.keys()):
            raise Invalid(f"audience.roles: {unknown[0]!r} is none. There are {', '.join(known)}.")
        sets = {"segments": segments, "channels": channels, "products": products, "regions": regions}
        for name, given in sets.items():
            if any(not one.strip() or len(one) > _MOST_NAME for one in given) or len(set(given)) > _MOST_NAMES:
                raise Invalid(f"audience.{name}: at most {_MOST_NAMES}, each with 1 to {_MOST_NAME} characters.")
        condition = _LINE_ENDS.sub("\n", condition or "").strip()
        if condition:
            try:
                _compiled(condition)
            except ValueError as error:
                raise Invalid(f"audience.condition: {error}.") from None
        kept = {name: frozenset(map(line, given)) for name, given in sets.items()}
        return cls(frozenset(known[role] for role in roles), **kept, condition=condition or None)

    @cached_property
    def text(self) -> str:
        """The canonical text: JSON of what is not open, sorted; `{}` for everybody. Equal audiences have one text."""
        told: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if value:
                told[one.name] = value if isinstance(value, str) else sorted(map(str, value))
        return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @cached_property
    def key(self) -> str:
        """32 hexadecimal digits, the same in every server: the 128-bit BLAKE2b of the text."""
        return hashlib.blake2b(self.text.encode(), digest_size=16).hexdigest()

    @classmethod
    def from_text(cls, text: str) -> "Audience":
        """What `text` gave."""
        return _read(text)

    def holds(self, viewpoint: Viewpoint) -> bool:
        """Whether the viewer is one of them. A condition that cannot be evaluated, as of a trait that is not there,
        does not hold.
        """
        return (
            (not self.roles or viewpoint.role in self.roles)
            and (not self.channels or viewpoint.channel in self.channels)
            and (not self.segments or not self.segments.isdisjoint(viewpoint.segments))
            and (not self.products or not self.products.isdisjoint(viewpoint.products))
            and (not self.regions or not self.regions.isdisjoint(viewpoint.regions))
            and (self.condition is None or _is_met(self.condition, viewpoint))
        )


EVERYBODY = Audience()


def holding(viewpoint: Viewpoint, audiences: Collection[Audience]) -> frozenset[Audience]:
    """Those of the audiences that the viewer is one of; each distinct one is evaluated once."""
    return frozenset(audience for audience in frozenset(audiences) if audience.holds(viewpoint))


def line(text: str) -> str:
    """The text in one line, with single spaces."""
    return " ".join(text.split())


def _is_met(condition: str, viewpoint: Viewpoint) -> bool:
    try:
        return _compiled(condition).holds(viewpoint.facts)
    except ValueError:  # another release took it for CEL: what cannot be asked does not hold
        return False


@lru_cache(maxsize=10_000)
def _compiled(condition: str) -> Condition:
    return Condition(condition, FACTS, few=_FEW)


@lru_cache(maxsize=10_000)
def _read(text: str) -> Audience:
    told = json.loads(text)
    condition = told.pop("condition", None)
    roles = frozenset(Role(role) for role in told.pop("roles", ()))
    return Audience(roles, **{name: frozenset(names) for name, names in told.items()}, condition=condition)


def _texts(value: Any) -> frozenset[str]:
    """A trait as the names that it says: a text, or a list of texts."""
    if isinstance(value, str):
        return frozenset([value])
    return frozenset(one for one in value if isinstance(one, str)) if isinstance(value, list | tuple) else frozenset()
