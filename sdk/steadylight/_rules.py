"""The rules by which `testing.Server` judges actions and identifiers.

They are the contract's rules, written a second time on purpose: the SDK imports nothing of the server, and the same
contract tests run against both. E-mail addresses and telephone numbers are approximated, since the SDK brings no
library for them: what is obviously none is refused alike. The kinds are those that ship; it reads no blueprint.
"""

import re
import unicodedata
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Annotated, Any, Literal, NamedTuple

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

from ._actions import MAX_DEPTH, MAX_TRAITS, rfc3339
from ._plain import Assurance

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
_Trait = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,99}$")]
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
    traits: Annotated[dict[_Trait, Any], Field(max_length=MAX_TRAITS)] = {}

    def told(self) -> dict[str, Any]:
        """What a repetition must tell the same; the server may cap assurance differently each time."""
        who = sorted((each.kind, _read(each.kind, each.value)[0]) for each in self.identifiers)
        return {**self.model_dump(exclude={"identifiers", "at"}), "identifiers": who, "at": rfc3339(self.at)}


class BatchInput(_Closed):
    """The outer shape of an ActionBatch."""

    sent_at: _Time
    actions: list[Any]


def _exact(value: str) -> str:
    return unicodedata.normalize("NFC", value).strip()


def _email(value: str) -> str | None:
    """An approximation: the server asks email-validator, which also knows what no mailbox can be called."""
    kept = _exact(value).lower()
    return kept if re.fullmatch(r"[^@\s<>]+@[^@\s.<>]+(\.[^@\s.<>]+)+", kept) else None


def _phone(value: str) -> str | None:
    """An approximation: digits behind a plus. The server asks phonenumbers, which knows how long each country's are."""
    kept = "+" + re.sub(r"\D", "", value)
    return kept if re.fullmatch(r"\+[\d\s()./-]{8,}", _exact(value)) and 8 <= len(kept) <= 16 else None


# They stand for nobody, in any kind, in any case: what apps, forms, exports and tests send that have nothing to say.
_COMMON = frozenset(
    {
        # what programs print where there is no value
        *("null", "(null)", "<null>", "nil", "<nil>", "none", "undefined", "void", "nan", "inf", "infinity", "\\n"),
        *("optional(nil)", "[object object]", "object", "[]", "{}", "()", "true", "false", "0", "-1", "0.0", "-1.0"),
        # what people, forms and exports write there
        *("n/a", "#n/a", "n.a.", "unknown", "not set", "(not set)", "not provided", "(not provided)", "not available"),
        *("not applicable", "missing", "empty", "blank", "invalid", "default", "deleted", "removed", "redacted"),
        # whom apps call so while nobody is signed in
        *("anonymous", "anon", "guest", "visitor", "nobody", "noone", "no one", "public"),
        # what developers and testers type
        *("test", "tester", "testing", "test user", "testuser", "demo", "dummy", "example", "foo", "bar", "foobar"),
        *("asdf", "qwerty", "xxx", "todo", "tbd", "string", "12345678-1234-1234-1234-123456789012"),
        *("user@example.com", "example@example.com", "email@example.com", "name@example.com", "foo@bar.com"),
        *("a@a.com", "abc@abc.com", "none@none.com", "null@null.com", "no@email.com", "noemail@noemail.com"),
        *("test@test.com", "test@example.com", "anonymous@anonymous.com", "unknown@unknown.com"),
    }
)
# A variable of a template that nobody filled in: {{ user.id }}, ${userId}, %USER_ID%, [[id]], *|EMAIL|*.
_UNFILLED = re.compile(r"\{\{.*\}\}|\$\{.*\}|\[\[.*\]\]|\*\|.*\|\*|%\w+%|%[sd]|<%.*%>")
# What identifiers are written with and say nothing.
_DECORATION = str.maketrans("", "", " -_./:+(){}[]")
# One character all along: the all-zero UUID, 000-00-0000, 99999999, ffffffff-…, ????. Zeros in any number; four equal
# digits may be somebody's number, five hardly.
_REPEATED, _REPEATED_FROM = frozenset("0123456789fx*?#"), 5


def _is_common(bare: str) -> bool:
    if bare in _COMMON or _UNFILLED.fullmatch(bare):
        return True
    kept = bare.translate(_DECORATION)
    if not kept:
        return True
    return kept.strip(kept[0]) == "" and (kept[0] in "0?*#" or (kept[0] in _REPEATED and len(kept) >= _REPEATED_FROM))


class _Rule(NamedTuple):
    """`bar` None: never says who somebody is. The lowest `priority` wins. `normalise` gives None for what is none."""

    bar: Assurance | None
    priority: int
    normalise: Callable[[str], str | None] = _exact
    blocked: re.Pattern[str] | None = None


_KINDS = {
    "record": _Rule(Assurance.LOGIN, 5),
    "login": _Rule(Assurance.OTP, 10),
    "customer-number": _Rule(Assurance.KNOWLEDGE, 20),
    "account": _Rule(Assurance.KNOWLEDGE, 30),
    "email": _Rule(Assurance.OTP, 40, _email, re.compile(r"(no-?reply|do-?not-?reply|test)@.*")),
    "phone": _Rule(Assurance.OTP, 50, _phone, re.compile(r"\+\d*(\d)\1{7}")),
    "device": _Rule(None, 900),
    "cookie": _Rule(None, 910),
}
_UNDECLARED = _Rule(Assurance.LOGIN, 500)
_KINDS["persona"] = _Rule(None, 500)  # says nothing of who it is


def _read(name: str, value: str) -> tuple[str, bool]:
    """The value as its kind keeps it, and whether it can stand for somebody."""
    kind = _KINDS.get(name, _UNDECLARED)
    kept = kind.normalise(value)
    for each in (value, kept or ""):
        bare = _exact(each).strip("'\"` ").casefold()
        if _is_common(bare) or (kind.blocked and kind.blocked.fullmatch(bare)):
            return _exact(value), False
    return (kept, True) if kept else (_exact(value), False)


class Seen:
    """Who a set of identifiers is: `proven` reach their kind's bar, best first; `claims` do not."""

    def __init__(
        self, identifiers: Sequence[IdentifierInput], cap: Assurance, channel: str | None, contact: str
    ) -> None:
        self.proven: list[IdentifierInput] = []
        self.claims: list[IdentifierInput] = []
        #: Kinds of those that stand for nobody, one for each.
        self.blocked: list[str] = []
        for each in identifiers:
            bar = _KINDS.get(each.kind, _UNDECLARED).bar
            kept, is_somebody = _read(each.kind, each.value)
            same = IdentifierInput.model_construct(kind=each.kind, value=kept, assurance=min(each.assurance, cap))
            (self.proven if is_somebody and bar is not None and same.assurance >= bar else self.claims).append(same)
            if not is_somebody:
                self.blocked.append(each.kind)
        self.proven.sort(key=lambda one: (_KINDS.get(one.kind, _UNDECLARED).priority, one.kind, one.value))
        #: Where it belongs while nothing is proven: to whom the app names, then to this very contact.
        self.personas: list[tuple[str, ...]] = []
        if channel:
            named = [each.value for each in self.claims if each.kind == "persona" and "persona" not in self.blocked]
            self.personas = [("persona", channel, value) for value in named]
            if contact:
                self.personas.append(("contact", channel, contact))
        #: Where the action belongs: the best proven identifier, else the first persona, else nowhere.
        self.home: tuple[str, ...] | None = None
        if self.proven:
            self.home = (self.proven[0].kind, self.proven[0].value)
        elif self.personas:
            self.home = self.personas[0]

    @property
    def assurance(self) -> Assurance:
        """How sure it is who it is."""
        return max((each.assurance for each in self.proven), default=Assurance.CLAIMED)

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
