"""Where two answers differ, by JSON pointer (RFC 6901)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final


class Absent:
    """Stands for what is not there."""

    def __repr__(self) -> str:
        return "absent"


ABSENT: Final = Absent()


@dataclass(frozen=True)
class Difference:
    """At one place the one has this and the other that; what is not there is ABSENT."""

    pointer: str
    one: Any
    other: Any


def differences(one: Any, other: Any, *, ignored: Sequence[str] = ()) -> list[Difference]:
    """All of them, in the order of the documents. Below an `ignored` pointer nothing counts; `*` is any one step."""
    unseen = [pointer.split("/") for pointer in ignored]
    return [one for one in _differing(one, other, "") if not any(_is_below(one.pointer, each) for each in unseen)]


def _differing(one: Any, other: Any, at: str) -> Iterator[Difference]:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in [*one, *(name for name in other if name not in one)]:
            yield from _differing(one.get(name, ABSENT), other.get(name, ABSENT), f"{at}/{_escaped(name)}")
    elif isinstance(one, list) and isinstance(other, list):
        for place in range(max(len(one), len(other))):
            here, there = (each[place] if place < len(each) else ABSENT for each in (one, other))
            yield from _differing(here, there, f"{at}/{place}")
    elif one != other or isinstance(one, bool) is not isinstance(other, bool):  # to Python, true is 1
        yield Difference(at, one, other)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _is_below(pointer: str, ignored: Sequence[str]) -> bool:
    steps = pointer.split("/")[: len(ignored)]
    return len(steps) == len(ignored) and all(
        wanted in ("*", step) for step, wanted in zip(steps, ignored, strict=True)
    )
