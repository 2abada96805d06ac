"""Random conditions in CEL, each with what it comes to, worked out by Python alone.

A condition that asks of what is not there, or of what is of another type, comes to nothing: None. Either side of
`&&` and `||` may decide alone, whatever the other comes to, as the specification of CEL has it.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from tests.eyes import CHANNELS, LEVELS, SEGMENTS, TARIFFS, Eyes

_SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TRAITS = ("age", "tariff", "member", "segment")


@dataclass(frozen=True)
class Condition:
    """An expression, and what it comes to for a viewer; whoever it is not true of is shown nothing."""

    text: str
    comes_to: Callable[[Eyes], bool | None] = field(repr=False, compare=False)


def age(sign: str, wanted: int) -> Condition:
    return Condition(f"customer.age {sign} {wanted}", _trait("age", lambda own: _SIGNS[sign](own, wanted)))


def _text(sign: str, wanted: str) -> Condition:
    return Condition(f'customer.tariff {sign} "{wanted}"', _trait("tariff", lambda own: _SIGNS[sign](own, wanted)))


def _begins(start: str) -> Condition:
    return Condition(f'customer.tariff.startsWith("{start}")', _trait("tariff", lambda own: own.startswith(start)))


def _among(name: str) -> Condition:
    """Of a trait that is one text and no list, this cannot be asked."""
    own = _trait("segment", lambda several: None if isinstance(several, str) else name in several)
    return Condition(f'"{name}" in customer.segment', own)


def _has(trait: str) -> Condition:
    return Condition(f"has(customer.{trait})", lambda eyes: trait in eyes.traits)


def _role(role: str) -> Condition:
    return Condition(f'role == "{role}"', lambda eyes: eyes.is_employee is (role == "AGENT"))


def _channel(sign: str, name: str) -> Condition:
    return Condition(f'channel {sign} "{name}"', lambda eyes: _SIGNS[sign](eyes.channel, name))


def sure(sign: str, level: str) -> Condition:
    return Condition(
        f"assurance {sign} {level}", lambda eyes: _SIGNS[sign](LEVELS.index(eyes.level), LEVELS.index(level))
    )


def _trait(name: str, ask: Callable[[Any], bool | None]) -> Callable[[Eyes], bool | None]:
    return lambda eyes: ask(eyes.traits[name]) if name in eyes.traits else None


def _not(one: Condition) -> Condition:
    def comes_to(eyes: Eyes) -> bool | None:
        said = one.comes_to(eyes)
        return None if said is None else not said

    return Condition(f"!({one.text})", comes_to)


def _joined(sign: str, one: Condition, other: Condition) -> Condition:
    decides = sign == "||"

    def comes_to(eyes: Eyes) -> bool | None:
        both = (one.comes_to(eyes), other.comes_to(eyes))
        if decides in both:
            return decides
        return None if None in both else not decides

    return Condition(f"({one.text}) {sign} ({other.text})", comes_to)


_leaves = st.one_of(
    st.builds(age, st.sampled_from(list(_SIGNS)), st.sampled_from([7, 17, 18, 40])),
    st.builds(_text, st.sampled_from(["==", "!="]), st.sampled_from(TARIFFS)),
    st.builds(_begins, st.sampled_from("mx")),
    st.just(Condition("customer.member", _trait("member", bool))),
    st.builds(_among, st.sampled_from(SEGMENTS)),
    st.builds(_has, st.sampled_from(_TRAITS)),
    st.builds(_role, st.sampled_from(["CUSTOMER", "AGENT"])),
    st.builds(_channel, st.sampled_from(["==", "!="]), st.sampled_from(list(CHANNELS))),
    st.builds(sure, st.sampled_from([">=", "<"]), st.sampled_from(LEVELS)),
)
conditions = st.recursive(
    _leaves,
    lambda inner: st.builds(_not, inner) | st.builds(_joined, st.sampled_from(["&&", "||"]), inner, inner),
    max_leaves=4,
)
