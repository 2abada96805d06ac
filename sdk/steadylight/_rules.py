"""The rules by which `testing.Server` judges actions and identifiers.

They are the contract's rules, written a second time on purpose: the SDK imports nothing of the server, and the same
contract tests run against both.
"""

import re
import unicodedata
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from ._actions import MAX_DEPTH, rfc3339
from ._models import Assurance

#: More is a list of guesses, not somebody who is known.
MOST_IDENTIFIERS = 10


def _time(value: object) -> object:
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d", value):
        raise ValueError("must be an RFC 3339 time")
    return value


_Time = Annotated[AwareDatetime, BeforeValidator(_time), AfterValidator(lambda at: at.astimezone(UTC))]
_Id = Annotated[str, Field(strict=True), AfterValidator(lambda value: str(uuid.UUID(value)))]
_Name = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=128, pattern=r"^[^\p{C}]*$")]
_Value = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=256, pattern=r"^[^\p{C}]*$")]
_Type = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=100, pattern=r"^[^\p{C}]*$")]
_Kind = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z][a-z0-9_-]{0,49}$")]


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class IdentifierInput(_Closed):
    """An identifier as it comes in."""

    kind: _Kind
    value: _Value
    assurance: Assurance


class _Subject(_Closed):
    kind: _Name
    id: _Value


class ActionInput(_Closed):
    """An action as it comes in. Absent is the empty string here, since null is refused."""

    id: _Id
    sequence: Annotated[int, Field(strict=True, ge=0, lt=2**53)]
    type: _Type
    at: _Time
    identifiers: Annotated[list[IdentifierInput], Field(max_length=MOST_IDENTIFIERS)] = []
    actor: Literal["CUSTOMER", "AGENT", "SYSTEM"] = "CUSTOMER"
    contact: _Name = ""
    journey: _Name = ""
    agent: _Name = ""
    subject: _Subject = None  # type: ignore[assignment]
    properties: dict[str, Any] = {}

    def told(self) -> dict[str, Any]:
        """What a repetition must tell the same; the server may cap assurance differently each time."""
        who = sorted((each.kind, normal(each.kind, each.value)) for each in self.identifiers)
        return {**self.model_dump(exclude={"identifiers", "at"}), "identifiers": who, "at": rfc3339(self.at)}


class BatchInput(_Closed):
    """The outer shape of an ActionBatch."""

    sent_at: _Time
    actions: list[Any]


def _exact(value: str) -> str:
    return unicodedata.normalize("NFC", value).strip()


def _folded(value: str) -> str:
    return _exact(value).casefold()


def _digits(value: str) -> str:
    return ("+" if _exact(value).startswith("+") else "") + re.sub(r"\D", "", value)


# Kind: its bar (None: never says who somebody is), its priority (lowest wins) and how its values are made alike.
_KINDS: dict[str, tuple[Assurance | None, int, Callable[[str], str]]] = {
    "login": (Assurance.OTP, 10, _exact),
    "customer-number": (Assurance.KNOWLEDGE, 20, _exact),
    "account": (Assurance.KNOWLEDGE, 30, _exact),
    "email": (Assurance.OTP, 40, _folded),
    "phone": (Assurance.OTP, 50, _digits),
    "device": (None, 900, _exact),
    "cookie": (None, 910, _exact),
}
_UNDECLARED: tuple[Assurance | None, int, Callable[[str], str]] = (Assurance.LOGIN, 500, _exact)


def normal(kind: str, value: str) -> str:
    """The value as its kind keeps it."""
    return _KINDS.get(kind, _UNDECLARED)[2](value)


class Seen:
    """Who a set of identifiers is: `proven` reach their kind's bar, best first; `claims` do not."""

    def __init__(
        self, identifiers: Sequence[IdentifierInput], cap: Assurance, channel: str | None, contact: str
    ) -> None:
        self.proven: list[IdentifierInput] = []
        self.claims: list[IdentifierInput] = []
        for each in identifiers:
            bar = _KINDS.get(each.kind, _UNDECLARED)[0]
            same = IdentifierInput.model_construct(
                kind=each.kind, value=normal(each.kind, each.value), assurance=min(each.assurance, cap)
            )
            reaches = bar is not None and same.assurance >= bar and bool(same.value)
            (self.proven if reaches else self.claims).append(same)
        self.proven.sort(key=lambda one: (_KINDS.get(one.kind, _UNDECLARED)[1], one.kind, one.value))
        #: Where the action belongs: the best proven identifier, else this very contact, else nowhere.
        self.home: tuple[str, ...] | None = None
        if self.proven:
            self.home = (self.proven[0].kind, self.proven[0].value)
        elif contact and channel:
            self.home = ("contact", channel, contact)

    @property
    def all(self) -> list[IdentifierInput]:
        """Proven and claimed ones."""
        return [*self.proven, *self.claims]


def fault(value: object, depth: int) -> str | None:
    """What the database could not hold, or what is nested too deeply."""
    if isinstance(value, dict):
        if any("\0" in key for key in value):
            return "names must not contain the character NUL"
        if {"$ref", "$id"} <= value.keys():
            return "an object must not have both of the names $ref and $id"
        inner = list(value.values())
    elif isinstance(value, list):
        inner = value
    else:
        return (
            "whole numbers have at most 64 bits" if isinstance(value, int) and not -(2**63) <= value < 2**63 else None
        )
    if not depth:
        return f"at most {MAX_DEPTH} levels deep"
    return next((found for each in inner if (found := fault(each, depth - 1)) is not None), None)


def why(error: ValidationError) -> str:
    """The first thing that is wrong, and where."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
