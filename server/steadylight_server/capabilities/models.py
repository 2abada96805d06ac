"""Capabilities and what is performed of them, as the rest of the server and those who implement them see them."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol
from uuid import UUID, uuid5

from steadylight_server.capabilities.schemas import ANYTHING, Schema
from steadylight_server.core.assurance import Assurance

# The types of the actions that tell of a performance.
PERFORMED = "capability.performed"  # it is over, and how: one for each performance
ACCEPTED = "capability.accepted"  # it goes on after the answer
SETTLED = "capability.settled"  # somebody found out what had come of one whose outcome was unknown
REFUSED = "capability.refused"  # a customer wanted it and this channel may not: a gap that they met

PREFIX = "prf_"

MOST_KEY = 200  # characters
MOST_INPUT_BYTES = 32_768
MOST_OUTPUT_BYTES = 262_144
MOST_HANDLE = 200  # characters
MOST_CODE = 50
MOST_MESSAGE = 500


class Failed(Exception):
    """It was tried and will not be: an outcome, kept and told to whoever asks with the same key.

    `code` is the business's own, as `LIMIT_EXCEEDED`; `message` is written for whoever serves the customer.
    """

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.code = code
        self.message = message


class Unknown(Exception):
    """It may have happened, or not: no answer came, or none that can be read. The message is for operators."""


class NotDone(Exception):
    """Certainly nothing happened, so it may be tried again: nobody was reached. The message is for operators."""


class IdentifiedBy(NamedTuple):
    """An identifier that leads to a customer, normalised."""

    kind: str
    value: str


@dataclass(frozen=True)
class CustomerRef:
    """For whom: the id as the graph shows it, `cus_…`, and what leads to them, the longest known first."""

    id: str
    identifiers: tuple[IdentifiedBy, ...] = ()

    def by(self, kind: str) -> str | None:
        """The longest known identifier of that kind: a customer number, say."""
        return next((one.value for one in self.identifiers if one.kind == kind), None)


@dataclass(frozen=True)
class Call:
    """What an implementation is asked to do.

    `key` is this deed's alone, among all customers: an implementation that honours keys does the same key once, and
    answers each repetition as it did the first. `given_key` is how the channels call the deed, which another customer's
    may be called, too. `attempt` is 1 unless the deed was begun before and nobody knows what came of that. `timeout`
    is for how many seconds an answer is awaited.
    """

    capability: str
    key: str
    input: Mapping[str, Any]
    customer: CustomerRef
    channel: str
    assurance: Assurance
    attempt: int
    performance_id: UUID
    given_key: str = ""
    timeout: float = 10.0


@dataclass(frozen=True)
class Answer:
    """What an implementation answers: the output, or, where it goes on by itself, `handle`: its own name for that.

    Who goes on reports by `reportProgress` and `completePerformance`. A failure is no answer but is raised: `Failed`.
    """

    output: Mapping[str, Any] | None = None
    handle: str | None = None


@dataclass(frozen=True)
class Progress:
    """How far a performance has come: `done` from 0 to 1, None where nobody can tell; a line for people."""

    done: float | None = None
    message: str = ""
    at: datetime | None = None


# Told how far it has come; may be called as often as it pleases.
Tell = Callable[[Progress], None]


class Implementation(Protocol):
    """The one implementation of a capability.

    Raises Failed for a definite failure, Unknown where it may have happened, NotDone where certainly nothing did.
    Whatever else it raises is taken for Unknown.
    """

    @property
    def honours_keys(self) -> bool:
        """Whether the same key again does nothing again, and is answered as the first time."""
        ...

    @property
    def unavailable(self) -> str | None:
        """Why it cannot be called now, as while its circuit is open; None where it can."""
        ...

    async def __call__(self, call: Call, tell: Tell) -> Answer:
        """Does it. Is cancelled when the timeout is over."""
        ...


class Offer(StrEnum):
    """What a channel makes of a capability, by the blueprint."""

    AVAILABLE = "AVAILABLE"
    LIMITED = "LIMITED"  # it can be performed, but not all of it is there
    NOT_FEASIBLE = "NOT_FEASIBLE"


@dataclass(frozen=True)
class Binding:
    """What one channel makes of a capability, and the reason, where that is less than all."""

    offer: Offer = Offer.AVAILABLE
    reason: str = ""


@dataclass(frozen=True)
class FunctionBinding:
    """A Python function, by the name of its entry point in the group `steadylight.capabilities`.

    `honours_keys` False holds also where the function says otherwise; None is as it says.
    """

    name: str
    honours_keys: bool | None = None

    @property
    def place(self) -> str:
        """Where keys are known: what is implemented elsewhere by then has never heard of them."""
        return f"function {self.name}"


@dataclass(frozen=True)
class WebhookBinding:
    """A server of the company's that is called over HTTP. `secret` is the name of what calls are signed with."""

    url: str
    secret: str
    honours_keys: bool = False

    @property
    def place(self) -> str:
        """Where keys are known, as above."""
        return f"webhook {self.url}"


@dataclass(frozen=True)
class Capability:
    """A business function that every channel calls alike. `version` is the number of the blueprint that declared it.

    `scopes` are what a channel's key must have beside what performing takes. A channel that is not in `channels`
    offers it whole: gaps are declared.
    """

    name: str
    implementation: FunctionBinding | WebhookBinding
    version: int = 0
    label: str = ""
    description: str = ""
    input: Schema = ANYTHING
    output: Schema = ANYTHING
    assurance: Assurance = Assurance.LOGIN
    scopes: frozenset[str] = frozenset()
    is_reversible: bool = False
    reversed_by: str | None = None
    timeout: timedelta = timedelta(seconds=10)
    channels: Mapping[str, Binding] = field(default_factory=lambda: MappingProxyType({}))

    def binding(self, channel: str) -> Binding:
        """What that channel makes of it."""
        return self.channels.get(channel) or Binding()


class Why(StrEnum):
    """Why a channel may not offer a capability to a customer now, or not all of it."""

    NOT_FEASIBLE = "NOT_FEASIBLE"  # the blueprint says so, with the reason
    LIMITED = "LIMITED"  # it is offered, with limits that the blueprint states
    ASSURANCE_TOO_LOW = "ASSURANCE_TOO_LOW"  # it is offered once the customer has proven more
    SCOPE_MISSING = "SCOPE_MISSING"  # the channel's key lacks a scope
    UNAVAILABLE = "UNAVAILABLE"  # what implements it cannot be called now


@dataclass(frozen=True)
class Offered:
    """What there is to a capability for one customer in one channel now. `why` is None where it is offered whole."""

    capability: Capability
    is_offered: bool
    why: Why | None = None
    reason: str = ""


class State(StrEnum):
    """What has become of a performance."""

    RUNNING = "RUNNING"
    ACCEPTED = "ACCEPTED"  # it goes on by itself, and whoever does it will say what comes of it
    DONE = "DONE"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"  # it may have happened, or not; it is never repeated

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it by itself."""
        return self not in (State.RUNNING, State.ACCEPTED)


@dataclass(frozen=True)
class Failure:
    """Why nothing was done, or why nobody knows: a code for programs, a line for people."""

    code: str
    message: str = ""


@dataclass(frozen=True)
class Performance:
    """One deed: one key of one customer and one capability, whatever channel asks.

    `channel` is the one that began it, `attempt` counts how often it was tried. `failure` says why it FAILED or is
    UNKNOWN. `journey` is the one that it belongs to, as actions name it.
    """

    id: UUID
    profile_id: UUID
    capability: str
    key: str
    digest: bytes
    state: State
    channel: str
    assurance: Assurance
    begun_at: datetime
    attempt: int = 1
    output: Mapping[str, Any] | None = None
    failure: Failure | None = None
    handle: str | None = None
    progress: Progress | None = None
    ended_at: datetime | None = None
    label: str = ""
    journey: str | None = None

    @property
    def name(self) -> str:
        """As actions and implementations name it."""
        return f"{PREFIX}{self.id.hex}"


@dataclass(frozen=True)
class Forgotten:
    """A performance that is none any more: nothing was done, and its key is free."""

    id: UUID


@dataclass(frozen=True)
class Left:
    """An attempt that nobody holds any more: what was asked for, and whether it may be tried again, at that `place`."""

    performance: Performance
    input: Mapping[str, Any]
    asked: Mapping[str, Any]
    is_safe: bool
    place: str


def performance_id(profile_id: UUID, capability: str, key: str) -> UUID:
    """The same for the same key: an implementation that honours keys knows it, also where nothing is stored of it."""
    return uuid5(profile_id, f"{capability} {key}")


# A Python function that implements a capability, as an entry point gives it: plain, a coroutine, or an async generator
# that yields Progress and then the output.
Function = Callable[[Call], Any]
Yielded = AsyncIterator[Progress | Answer | Mapping[str, Any]]
