"""What comes in, and what is answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, NotRequired
from uuid import UUID

from pydantic import ConfigDict, GetPydanticSchema, StringConstraints, with_config
from pydantic_core import core_schema
from typing_extensions import TypedDict  # pydantic asks for this one below Python 3.12

from steadylight_server.identity.models import MOST_VALUE

MOST_ACTIONS = 500
MOST_BATCH_BYTES = 500_000
MOST_PROPERTY_BYTES = 32_768
DEEPEST_PROPERTIES = 8
MOST_TRAITS = 50
MOST_TRAIT_BYTES = 8_192

_text = core_schema.str_schema
# pydantic reads numbers, and text of digits, as Unix times: neither is RFC 3339, and a slip by a factor of 1000 is
# easily made; so the text must look like a date first.
_LOOKS_LIKE_A_TIME = r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d"
Time = Annotated[
    datetime,
    GetPydanticSchema(
        lambda *_: core_schema.chain_schema(
            [_text(strict=True, pattern=_LOOKS_LIKE_A_TIME), core_schema.datetime_schema(tz_constraint="aware")]
        )
    ),
]
ActionId = Annotated[
    UUID, GetPydanticSchema(lambda *_: core_schema.chain_schema([_text(strict=True), core_schema.uuid_schema()]))
]
# As far as every JSON reader counts exactly.
SequenceNumber = Annotated[int, GetPydanticSchema(lambda *_: core_schema.int_schema(strict=True, ge=0, lt=2**53))]
Name = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=128, pattern=r"^[^\p{C}]*$")]
Value = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=MOST_VALUE, pattern=r"^[^\p{C}]*$")]
TypeName = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=100, pattern=r"^[^\p{C}]*$")]
KindName = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z][a-z0-9_-]{0,49}$")]
TraitName = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,99}$")]
AssuranceName = Literal["CLAIMED", "CALLER_ID", "KNOWLEDGE", "OTP", "LOGIN", "IN_PERSON"]

_closed = with_config(ConfigDict(extra="forbid"))


@_closed
class IdentifierInput(TypedDict):
    """As `$defs/identifier` of actions.schema.json."""

    kind: KindName
    value: Value
    assurance: AssuranceName


@_closed
class SubjectInput(TypedDict):
    """As `$defs/subject` of actions.schema.json."""

    kind: Name
    id: Value


@_closed
class ActionInput(TypedDict):
    """As `$defs/action` of actions.schema.json. A typed dict, because it is read once and made 500 at a time."""

    id: ActionId
    sequence: SequenceNumber
    type: TypeName
    at: Time
    identifiers: NotRequired[list[IdentifierInput]]
    actor: NotRequired[Literal["CUSTOMER", "AGENT", "SYSTEM"]]
    contact: NotRequired[Name]
    journey: NotRequired[Name]
    agent: NotRequired[Name]
    subject: NotRequired[SubjectInput]
    properties: NotRequired[dict[str, Any]]
    traits: NotRequired[dict[TraitName, Any]]


class VerdictKind(StrEnum):
    """What became of an action. RETRY alone is worth sending again."""

    STORED = "STORED"
    DUPLICATE = "DUPLICATE"
    REFUSED = "REFUSED"
    RETRY = "RETRY"


@dataclass(frozen=True)
class Verdict:
    """What became of one action that is not stored, and why. `id` is None where it could not be read."""

    index: int
    id: str | None
    kind: VerdictKind
    code: str
    message: str


@dataclass(frozen=True)
class Warning:
    """Something odd about an action that was stored all the same."""

    index: int
    code: Literal["NEW_TYPE", "BLOCKED_VALUE"]
    message: str


@dataclass(frozen=True)
class Answer:
    """A verdict for each action of the batch, in its order: what it is for all, the whole of it for the exceptions."""

    kinds: Sequence[VerdictKind]
    exceptions: Sequence[Verdict]
    warnings: Sequence[Warning]
    token: str | None

    def count(self, kind: VerdictKind) -> int:
        """How many actions met with that verdict."""
        return self.kinds.count(kind)


@dataclass(frozen=True)
class Refusal:
    """Why one action cannot be taken."""

    id: str | None
    code: Literal["INVALID"]
    message: str
