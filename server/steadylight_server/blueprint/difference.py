"""What a new blueprint would change, in words, and what of it may not be done. Pure functions."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple, TypeVar

from steadylight_server.access.models import Channel
from steadylight_server.capabilities.models import Binding, Capability, Offer, WebhookBinding
from steadylight_server.capabilities.schemas import Schema
from steadylight_server.identity.kinds import Kind, undeclared
from steadylight_server.journeys.models import JourneyType, Question, Threading

T = TypeVar("T")


class How(StrEnum):
    """What becomes of something."""

    ADDED = "ADDED"
    CHANGED = "CHANGED"
    REMOVED = "REMOVED"
    KEPT = "KEPT"  # although the blueprint does not declare it any more


class Change(NamedTuple):
    """One line of the difference."""

    how: How
    what: str


def of_regions(before: str | None, after: str | None) -> Iterator[Change]:
    """Of the default region."""
    if before != after:
        yield Change(How.CHANGED, f"default region: {before or 'none'} → {after or 'none'}")


def of_channels(registered: Mapping[str, Channel], declared: Iterable[Channel]) -> Iterator[Change]:
    """Of channels that are declared, whether they were registered by a blueprint or by hand."""
    for after in declared:
        before = registered.get(after.name)
        if before is None:
            yield Change(How.ADDED, f"channel {after.name}: {', '.join(_of_channel(after).values())}")
        elif changed := _changed(_of_channel(before), _of_channel(after)):
            yield Change(How.CHANGED, f"channel {after.name}: {changed}")


def of_removed_channels(keys: Mapping[str, int]) -> Iterator[Change]:
    """Of channels that are declared no more, with the number of their good keys."""
    for name, count in keys.items():
        if count:
            has = "a key is" if count == 1 else f"{count} keys are"
            yield Change(How.KEPT, f"channel {name}: not declared any more, but stays, since {has} in use")
        else:
            yield Change(How.REMOVED, f"channel {name}")


def of_kinds(before: Mapping[str, Kind], after: Mapping[str, Kind]) -> Iterator[Change]:
    """Of kinds of identifier, as they are in force."""

    def removed(name: str) -> str:
        return f"as any kind that nobody declared, {_described(undeclared(name))}"

    return _of_named("identifier kind", before, after, _of_kind, removed)


def of_journeys(before: Mapping[str, JourneyType], after: Mapping[str, JourneyType]) -> Iterator[Change]:
    """Of types of journey. Those that are under way keep what they began with."""
    removed = "those under way keep their rules, new ones have none"
    return _of_named("journey", before, after, _of_journey, lambda name: removed)


def of_capabilities(before: Mapping[str, Capability], after: Mapping[str, Capability]) -> Iterator[Change]:
    """Of capabilities. What is being performed goes on as it began."""
    return _of_named("capability", before, after, _of_capability, lambda name: "no channel can perform it any more")


def _of_named(
    kind: str,
    before: Mapping[str, T],
    after: Mapping[str, T],
    told: Callable[[T], Mapping[str, str]],
    removed: Callable[[str], str],
) -> Iterator[Change]:
    """Of what a blueprint declares by name; `removed` says what holds where it is declared no more."""
    for name in sorted(before.keys() | after.keys()):
        what = f"{kind} {name}"
        if name not in before:
            yield Change(How.ADDED, f"{what}: {', '.join(told(after[name]).values())}")
        elif name not in after:
            yield Change(How.REMOVED, f"{what}: {removed(name)}")
        elif changed := _changed(told(before[name]), told(after[name])):
            yield Change(How.CHANGED, f"{what}: {changed}")


def other_normalisers(before: Mapping[str, Kind], after: Mapping[str, Kind]) -> dict[str, str]:
    """The kinds whose values would be kept otherwise than before, each with what would change."""
    found = {}
    for name in sorted(before.keys() | after.keys()):
        one, other = (kinds.get(name) or undeclared(name) for kinds in (before, after))
        if one.normaliser != other.normaliser:
            found[name] = f"{one.normaliser} → {other.normaliser}"
    return found


def _of_channel(channel: Channel) -> dict[str, str]:
    cost = channel.cost_per_contact
    told = {"kind": channel.kind.value, "highest assurance": f"up to {channel.highest_assurance.name}"}
    return told if cost is None else {**told, "cost": f"{cost:g} a contact"}


def _of_kind(kind: Kind) -> dict[str, str]:
    told = {
        "normaliser": kind.normaliser.value,
        "bar": f"counts from {kind.bar.name}" if kind.bar else "shared",
        "priority": f"priority {kind.priority}",
        "most": f"at most {kind.most} a customer" if kind.most else "any number a customer",
    }
    lists = {"blocked": kind.blocked, "blocked patterns": kind.blocked_patterns, "allowed": kind.allowed}
    return told | {name: f"{name} {', '.join(sorted(values))}" for name, values in lists.items() if values}


def _of_journey(type: JourneyType) -> dict[str, str]:
    told = {
        "category": type.category.value,
        "label": f"called {type.label!r}" if type.label else "",
        "steps": f"steps {' → '.join(type.steps)}" if type.steps else "",
        "stalls": f"stalls after {type.stalls_after}" if type.stalls_after else "",
        "abandoned": f"abandoned after {type.abandoned_after}" if type.abandoned_after else "",
        "resume": f"picked up from {type.resume.name}",
        **{f"resume in {channel}": f"in {channel} from {level.name}" for channel, level in type.resume_in.items()},
        **(_of_threading(type.threads) if type.threads else {}),
        **{f"question {name}": f"asks {name} ({_of_question(one)})" for name, one in type.questions.items()},
    }
    return {name: text for name, text in told.items() if text}


def _of_capability(one: Capability) -> dict[str, str]:
    by = one.implementation
    told = {
        "implementation": f"by {by.url}" if isinstance(by, WebhookBinding) else f"by the function {by.name}",
        "secret": f"signed with {by.secret}" if isinstance(by, WebhookBinding) else "",
        "keys": _HONOURED[by.honours_keys],
        "label": f"called {one.label!r}" if one.label else "",
        "description": f"described {one.description!r}" if one.description else "",
        "assurance": f"from {one.assurance.name}",
        "scopes": f"takes {', '.join(sorted(one.scopes))}" if one.scopes else "",
        "reversible": "reversible" if one.is_reversible else "",
        "reversed by": f"reversed by {one.reversed_by}" if one.reversed_by else "",
        "timeout": f"within {one.timeout}",
        "input": f"input {_of_schema(one.input)}",
        "output": f"output {_of_schema(one.output)}",
        **{f"channel {name}": f"in {name} {_of_binding(said)}" for name, said in one.channels.items()},
    }
    return {name: text for name, text in told.items() if text}


_HONOURED = {True: "honours keys", False: "does not honour keys", None: ""}


def _of_schema(schema: Schema) -> str:
    return json.dumps(dict(schema.document), ensure_ascii=False)


def _of_binding(said: Binding) -> str:
    words = {Offer.AVAILABLE: "available", Offer.LIMITED: "limited", Offer.NOT_FEASIBLE: "not feasible"}
    return f"{words[said.offer]} ({said.reason})" if said.reason else words[said.offer]


def _of_threading(threading: Threading) -> dict[str, str]:
    told = {
        "threads": f"one for each {threading.subject}",
        "when": f"of what is {threading.when.text}" if threading.when else "",
        "completes": f"completed by {threading.completes.text}" if threading.completes else "",
        "reopens": f"reopened by {threading.reopens.text}" if threading.reopens else "",
    }
    return told | {f"count {name}": f"counts {name} ({one.text})" for name, one in threading.counts.items()}


def _of_question(question: Question) -> str:
    told = [
        question.label and repr(question.label),
        question.form.value if question.form else "",
        question.pattern and f"matching {question.pattern}",
        question.choices and f"one of {', '.join(question.choices)}",
        question.sensitivity.value,
        f"holds {question.fresh_for}" if question.fresh_for else "",
        question.reuse.value,
        f"told from {question.assurance.name}",
        "shared" if question.is_shared else "",
    ]
    return ", ".join(text for text in told if text)


def _described(kind: Kind) -> str:
    return ", ".join(_of_kind(kind).values())


def _changed(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    names = [*after, *(name for name in before if name not in after)]
    differ = [name for name in names if before.get(name) != after.get(name)]
    return "; ".join(f"{before.get(name, f'no {name}')} → {after.get(name, f'no {name}')}" for name in differ)
