"""Conditions hold or do not, never raise, and remember what came of facts that have few values."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steadylight_server.core import conditions as module
from steadylight_server.core.conditions import MOST_CHARACTERS, Condition, Conditions

NAMES = ("type", "channel", "subject", "properties", "agent")
FEW = ("type", "channel")


def facts(type: str = "case.closed", channel: str = "desk", **others: Any) -> dict[str, Any]:
    return {"type": type, "channel": channel, "subject": {"kind": "case", "id": "1"}, "properties": {}, **others}


def condition(text: str) -> Condition:
    return Condition(text, NAMES, few=FEW)


class Counted(Mapping[str, Any]):
    """Facts that note which were read beside the few."""

    def __init__(self, of: dict[str, Any]) -> None:
        self.of, self.read = of, list[str]()

    def __getitem__(self, name: str) -> Any:
        if name not in FEW:
            self.read.append(name)
        return self.of[name]

    def __iter__(self):
        return iter(self.of)

    def __len__(self) -> int:
        return len(self.of)


@pytest.mark.parametrize(
    "text",
    [
        'type == "case.closed"',
        'type.startsWith("case.") && channel in ["desk", "phone"]',
        'type.matches("^case[.]") || properties.nowhere.at_all',
        'properties.priority <= 2 && properties.tags.exists(tag, tag == "vip")',
        "has(properties.priority) && !has(properties.nothing)",
        'subject.kind == "case" && subject.id != ""',
        'timestamp(properties.due).getFullYear() == 2026 && duration("90s").getMinutes() == 1',
        "type(properties.priority) == int && size(properties.tags) == 2",
        "[1, 2].all(type, type > 0)",
    ],
)
def test_what_holds(text: str) -> None:
    properties = {"priority": 2, "tags": ["vip", "new"], "due": "2026-11-22T09:00:00Z"}

    assert condition(text).holds(facts(properties=properties))


@pytest.mark.parametrize(
    "text",
    [
        'type == "case.opened"',
        'properties.missing == "x"',
        'properties["missing"] == 1',
        "properties.kind > 3",
        "properties.kind",
        "type",
        "1",
        "1 / 0 == 1",
        "9223372036854775807 + 1 > 0",
        "[1][7] == 1",
        'type.matches("(")',
        "int(properties.kind) == 1",
        'agent == "a.singh"',
        "agent",
        "type.getHours() == 1",
    ],
)
def test_what_cannot_be_evaluated_or_is_no_truth_does_not_hold(text: str) -> None:
    asked = condition(text)

    assert not asked.holds(facts(properties={"kind": "group"}, agent=None))
    assert not asked.holds(facts(properties={"kind": "group"}, agent=None))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("type ==", "this is no condition in CEL: character 8: Syntax error: mismatched input '<EOF>'"),
        ("type ==\n&&", "this is no condition in CEL: line 2, character 1: Syntax error: mismatched input '&&'"),
        ("", "this is no condition in CEL: character 1: Syntax error: mismatched input '<EOF>'"),
        ('typ == "a"', "there is no 'typ' to ask of. There are type, channel, subject, properties, agent"),
        ("[1].all(x, y > 0)", "there is no 'y' to ask of."),
        ("type.lowerAscii() == type", "there is no function 'lowerAscii'. There are bytes, contains,"),
        ("now() > 1", "there is no function 'now'."),
        ("1" * (MOST_CHARACTERS + 1), "a condition has at most 1,000 characters"),
        ("(" * 200 + "true" + ")" * 200, "this is no condition in CEL: character 97"),
    ],
)
def test_what_is_no_condition_is_refused_and_says_why(text: str, said: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        condition(text)

    assert str(refused.value).startswith(said)


@pytest.mark.parametrize("text", ["!" * 996 + "true", "-" * 999 + "1", "type" + ".a" * 498, "[" * 90 + "]" * 90])
def test_the_deepest_ones_that_are_taken_are_evaluated(text: str) -> None:
    assert condition(text).holds(facts()) == text.endswith("true")


def test_what_read_facts_of_few_values_alone_is_not_evaluated_again() -> None:
    asked = condition('type == "case.reassigned" && properties.kind == "group"')
    closed, moved = Counted(facts()), Counted(facts("case.reassigned", properties={"kind": "group"}))

    outcomes = [asked.holds(one) for one in (closed, closed, moved, moved)]

    assert outcomes == [False, False, True, True]
    assert (closed.read, moved.read) == ([], ["properties", "properties"])


def test_what_depends_on_more_is_asked_each_time() -> None:
    asked = condition('properties.kind == "group" || type == "case.closed"')

    assert asked.holds(facts("case.reassigned", properties={"kind": "group"}))
    assert not asked.holds(facts("case.reassigned", properties={"kind": "person"}))
    assert asked.holds(facts("case.closed"))


def test_a_fact_that_is_there_only_sometimes_is_not_taken_for_one_that_is_not() -> None:
    asked = condition('properties.kind == "group"')

    assert not asked.holds({"type": "a", "channel": "b"})
    assert asked.holds({"type": "a", "channel": "b", "properties": {"kind": "group"}})


def test_made_up_values_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_KNOWN", 3)
    asked = condition('type == "7"')

    outcomes = [asked.holds(facts(str(number))) for number in range(20)]

    assert outcomes == [number == 7 for number in range(20)]
    assert len(asked._known) <= 3


def test_several_are_answered_by_one_look_where_none_depends_on_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_KNOWN", 3)
    moved = condition('type == "case.reassigned" && properties.kind == "group"')
    asked = Conditions({"closes": condition('type == "case.closed"'), "moved": moved, "any": condition("true")})
    group, person = ({"kind": kind} for kind in ("group", "person"))

    closed = [asked.holding(facts()) for _ in range(2)]
    reassigned = [asked.holding(facts("case.reassigned", properties=one)) for one in (group, person, group)]
    others = [asked.holding(facts(str(number))) for number in range(9)]

    assert closed == [{"closes", "any"}] * 2
    assert reassigned == [{"moved", "any"}, {"any"}, {"moved", "any"}]
    assert others == [{"any"}] * 9
    assert len(asked._known) <= 3
    assert Conditions({}).holding(facts()) == frozenset()


def test_two_of_the_same_text_are_equal() -> None:
    one, same, other = condition('type == "a"'), condition('type == "a"'), condition('type == "b"')

    assert one == same != other
    assert len({one, same, other}) == 2
    assert repr(one) == "Condition('type == \"a\"')"


_LEAVES = st.sampled_from(
    ['type == "a"', 'channel == "web"', 'properties.x == "a"', "properties.y > 1", "has(properties.x)", "agent == type"]
)
_TEXTS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||", "=="]), inner).map(lambda three: "({} {} {})".format(*three)),
        inner.map(lambda one: f"!({one})"),
        st.tuples(inner, inner, inner).map(lambda three: "({} ? {} : {})".format(*three)),
        inner.map(lambda one: f'["a", "b"].exists(each, each == type || {one})'),
    ),
    max_leaves=6,
).filter(lambda text: len(text) <= MOST_CHARACTERS)
_VALUES = st.sampled_from(["a", "b", "web", 1, 2, None])
_FACTS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["a", "b"]),
        "channel": st.sampled_from(["web", "ivr"]),
        "properties": st.dictionaries(st.sampled_from(["x", "y"]), _VALUES),
        "agent": st.sampled_from(["a", "b"]),
    }
)


@given(texts=st.lists(_TEXTS, max_size=3), asked=st.lists(_FACTS, min_size=1, max_size=12))
def test_what_is_remembered_is_what_would_be_found(texts: list[str], asked: list[dict[str, Any]]) -> None:
    each = [condition(text) for text in texts]
    together = Conditions({str(place): condition(text) for place, text in enumerate(texts)})

    found = [[one.holds(facts) for one in each] for facts in asked]
    held = [together.holding(facts) for facts in asked]

    assert found == [[condition(text).holds(facts) for text in texts] for facts in asked]
    assert held == [{str(place) for place, holds in enumerate(one) if holds} for one in found]
