"""Journeys, their types and what was asked and answered in them, as the rest of the server sees them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Any
from uuid import UUID

from steadylight_server.core.assurance import Assurance
from steadylight_server.core.conditions import Condition, Conditions
from steadylight_server.timeline.models import Subject

# What a condition of a threading may ask of an action; the first three have few values.
FACTS = ("type", "channel", "actor", "subject", "properties", "agent")

# The types of the actions that tell of a journey.
STARTED = "journey.started"
RESUMED = "journey.resumed"
ASKED = "journey.asked"
ANSWERED = "journey.answered"
ADVANCED = "journey.advanced"
CHANGED = "journey.changed"
STALLED = "journey.stalled"

MOST_QUESTION = 100  # characters of its name
MOST_MATCHED = 1_000  # characters of an answer that a pattern is tried on, which may be slow


class Status(StrEnum):
    """Where a journey stands. It is open while it is OPEN or WAITING."""

    OPEN = "OPEN"
    WAITING = "WAITING"  # for somebody who is not the customer
    COMPLETED = "COMPLETED"
    ABANDONED = "ABANDONED"
    CANCELLED = "CANCELLED"

    @property
    def is_open(self) -> bool:
        """Whether it can be picked up."""
        return self in (Status.OPEN, Status.WAITING)

    def may_become(self, other: "Status") -> bool:
        """An open one may become anything; what is completed may be opened again, and the rest has ended."""
        return self.is_open or (self is Status.COMPLETED and other is Status.OPEN)


class Category(StrEnum):
    """What a journey is about."""

    PURCHASE = "PURCHASE"
    SERVICE = "SERVICE"
    ISSUE = "ISSUE"
    COMPLAINT = "COMPLAINT"
    ONBOARDING = "ONBOARDING"
    OTHER = "OTHER"


class Reuse(StrEnum):
    """What becomes of an answer when the question comes up again."""

    USE = "USE"  # nobody asks again
    CONFIRM = "CONFIRM"  # it is shown to the customer, who says whether it still holds
    NEVER = "NEVER"  # it is asked anew each time


class Again(StrEnum):
    """Why a customer had to be asked what they had been asked before."""

    NOT_RECORDED = "NOT_RECORDED"  # it was asked, the conversation went on, and no answer was recorded
    NOT_FETCHED = "NOT_FETCHED"  # the channel did not ask Steadylight
    FETCHED_NOT_SHOWN = "FETCHED_NOT_SHOWN"  # the channel knew, and asked all the same
    STALE = "STALE"  # the answer is older than it may be
    ASSURANCE_TOO_LOW = "ASSURANCE_TOO_LOW"  # nobody had proven enough to be told it
    REVERIFY = "REVERIFY"  # it is asked anew each time


class Form(StrEnum):
    """What an answer is."""

    TEXT = "TEXT"
    NUMBER = "NUMBER"
    BOOLEAN = "BOOLEAN"
    DATE = "DATE"


class Sensitivity(StrEnum):
    """To whom an answer is shown."""

    PUBLIC = "PUBLIC"  # in every channel
    PERSONAL = "PERSONAL"  # not where others may read it, as in a text message
    SECRET = "SECRET"  # to whom asks for it by name, and in no summary


@dataclass(frozen=True)
class Question:
    """What a journey asks of a customer. As it is here for a question that nobody declared.

    `fresh_for` is how long an answer holds, None for ever. `assurance` is how sure a channel must be to be told it.
    """

    name: str
    label: str = ""
    form: Form | None = None
    pattern: str | None = None
    choices: tuple[str, ...] = ()
    sensitivity: Sensitivity = Sensitivity.PERSONAL
    fresh_for: timedelta | None = None
    reuse: Reuse = Reuse.USE
    assurance: Assurance = Assurance.CLAIMED
    #: Whether it means the same in every journey that asks it: then an answer from one serves the others.
    is_shared: bool = False

    def fault(self, value: object) -> str | None:
        """What is wrong with an answer; None where it will do."""
        if value is None:
            return None  # It takes the answer back.
        if self.form is not None and not _FITS[self.form](value):
            return f"{self.name}: {_WANTED[self.form]} is wanted."
        if self.pattern is not None and len(str(value)) > MOST_MATCHED:
            return f"{self.name}: at most {MOST_MATCHED} characters."
        if self.pattern is not None and not re.fullmatch(self.pattern, str(value)):
            return f"{self.name}: it must match {self.pattern!r}."
        if self.choices and value not in self.choices:
            return f"{self.name}: one of {', '.join(self.choices)} is wanted."
        return None


def _is_date(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(date.fromisoformat(value))
    except ValueError:
        return False


_FITS = {
    Form.TEXT: lambda value: isinstance(value, str),
    Form.NUMBER: lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    Form.BOOLEAN: lambda value: isinstance(value, bool),
    Form.DATE: _is_date,
}
_WANTED = {
    Form.TEXT: "text",
    Form.NUMBER: "a number",
    Form.BOOLEAN: "true or false",
    Form.DATE: "a date like 2026-11-22",
}


def condition(text: str) -> Condition:
    """What an action is asked for its journey. Raises ValueError for what is no CEL over FACTS."""
    return Condition(text, FACTS, few=FACTS[:3])


@dataclass(frozen=True)
class Threading:
    """Which actions are of a journey although they name none: those about a `subject` of that kind for which `when`
    holds. Each subject is one journey.

    It is COMPLETED by the latest action for which `completes` holds, OPEN by one for which `reopens` does. `counts` are
    what is counted in it, by name.
    """

    subject: str
    when: Condition | None = None
    completes: Condition | None = None
    reopens: Condition | None = None
    counts: Mapping[str, Condition] = field(default_factory=lambda: MappingProxyType({}))

    @cached_property
    def asked(self) -> Conditions:
        """What is asked of each action: `when`, `completes`, `reopens` and `counts.NAME`, where they are declared."""
        own = {"when": self.when, "completes": self.completes, "reopens": self.reopens}
        counts = {f"counts.{name}": condition for name, condition in self.counts.items()}
        return Conditions({**{name: one for name, one in own.items() if one is not None}, **counts})


@dataclass(frozen=True)
class JourneyType:
    """The rules of one type of journey. As it is here for a type that nobody declared.

    `version` is the number of the blueprint that declared it, 0 for none. `resume` is how sure a channel must be of who
    it is before it is let in, and `resume_in` the same for single channels.
    """

    name: str
    version: int = 0
    label: str = ""
    category: Category = Category.OTHER
    steps: tuple[str, ...] = ()
    questions: Mapping[str, Question] = field(default_factory=lambda: MappingProxyType({}))
    stalls_after: timedelta | None = None
    abandoned_after: timedelta | None = None
    resume: Assurance = Assurance.CLAIMED
    resume_in: Mapping[str, Assurance] = field(default_factory=lambda: MappingProxyType({}))
    threads: Threading | None = None

    def question(self, name: str) -> Question:
        """The question of that name; one that nobody declared may be asked, too."""
        return self.questions.get(name) or Question(name)

    def bar(self, channel: str | None) -> Assurance:
        """How sure that channel must be of who it is."""
        return self.resume_in.get(channel or "", self.resume)


@dataclass(frozen=True)
class Journey:
    """One thing a customer wants to get done. `key` is the business's own name for it: an order, an address.

    It keeps the type that it began with. `active_at` is when anything was last done about it, and `due_at` when
    something becomes of it by itself.
    """

    id: UUID
    profile_id: UUID
    type: JourneyType
    key: str
    status: Status
    started_at: datetime
    started_in: str
    active_at: datetime
    revision: int = 1
    step: str | None = None
    changed_at: datetime | None = None
    changed_in: str | None = None
    outcome: str | None = None
    reopened: int = 0
    stalled_at: datetime | None = None
    due_at: datetime | None = None

    @property
    def has_stalled(self) -> bool:
        """Whether nothing was done about it since it was found to have stalled."""
        return self.stalled_at is not None and self.stalled_at >= self.active_at

    @property
    def age(self) -> tuple[datetime, UUID]:
        """The earliest comes first."""
        return (self.started_at, self.id)


@dataclass(frozen=True)
class Thread:
    """A journey that nobody began by name: what was done about one subject, as its type's `threads` say.

    `changed_at` and `changed_in` are of the action that last completed or reopened it, `reopened` is how often that was
    done. `channels` are in alphabetical order.
    """

    id: UUID
    profile_id: UUID
    type: JourneyType
    subject: Subject
    status: Status
    started_at: datetime
    started_in: str
    active_at: datetime
    channels: tuple[str, ...]
    reopened: int = 0
    counts: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    changed_at: datetime | None = None
    changed_in: str | None = None


@dataclass(frozen=True)
class Threaded:
    """All threads of one type, counted: how many are COMPLETED, how many were ever reopened, what was counted in them
    by name, and how many began in each channel.
    """

    type: str
    journeys: int
    completed: int
    reopened: int
    counts: Mapping[str, int]
    by_channel: Mapping[str, int]


@dataclass(frozen=True)
class Answer:
    """What a customer said, when, where, and how sure the channel was of them."""

    question: str
    value: Any
    at: datetime
    channel: str
    contact: str | None
    assurance: Assurance
    action_id: UUID
    journey: str


@dataclass(frozen=True)
class Known:
    """What there is to a question now: an answer and whether it is to be confirmed, or why there is none to show.

    `again` is set where the customer was asked before: asking them now is asking again.
    """

    question: Question
    answer: Answer | None = None
    use: Reuse | None = None
    again: Again | None = None


@dataclass(frozen=True)
class Ask:
    """One time that a question came up in a contact; `again` where the customer had to say what they had said."""

    question: str
    at: datetime
    channel: str
    contact: str | None
    journey: str
    is_known: bool
    again: Again | None


@dataclass(frozen=True)
class Listed:
    """A journey beside the customer's others: an open one of the same type and key that began later takes its place."""

    journey: Journey
    duplicate_of: UUID | None = None


@dataclass(frozen=True)
class Change:
    """What somebody wanted to do to a journey; `is_done` False where somebody else came first, and `journey` is as they
    left it.
    """

    journey: Journey
    is_done: bool


def properties_shown(type: str, properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an action tells to whoever may see it: what a customer answered is read as an answer, by who may."""
    if type != ANSWERED:
        return properties
    return {name: value for name, value in properties.items() if name != "value"}


def listed(journeys: Sequence[Journey]) -> list[Listed]:
    """The journeys of a customer in the same order, each with the open one that took its place."""
    latest = {
        (one.type.name, one.key): one.id
        for one in sorted(journeys, key=lambda journey: journey.age)
        if one.status.is_open
    }

    def other(one: Journey) -> UUID | None:
        first = latest.get((one.type.name, one.key)) if one.status.is_open else None
        return None if first == one.id else first

    return [Listed(one, other(one)) for one in journeys]
