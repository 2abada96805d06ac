"""What kinds of identifier there are, and what each is good for.

A kind's `bar` is the assurance from which it counts: below it, a sight of somebody's e-mail address is a claim and
leads nowhere. `priority` says which identifier of an action is its home when several count; the lowest number wins.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from steadylight_server.core.assurance import Assurance
from steadylight_server.identity.models import PERSONA, Home, Identifier, Key


def exact(value: str) -> str:
    """The value as it came, in Unicode's composed form, without white space around it."""
    return unicodedata.normalize("NFC", value).strip()


def folded(value: str) -> str:
    """Without case: two spellings of one mailbox or login are one."""
    return exact(value).casefold()


def digits(value: str) -> str:
    """A phone number's digits with its leading plus, if any; everything else is decoration."""
    return ("+" if exact(value).startswith("+") else "") + re.sub(r"\D", "", value)


@dataclass(frozen=True)
class Kind:
    """The rules of one kind of identifier. `bar` None: a shared thing, which never says who somebody is."""

    name: str
    bar: Assurance | None
    priority: int
    normalise: Callable[[str], str] = exact


DECLARED = (
    Kind("login", Assurance.OTP, 10),
    Kind("customer-number", Assurance.KNOWLEDGE, 20),
    Kind("account", Assurance.KNOWLEDGE, 30),
    Kind("email", Assurance.OTP, 40, folded),
    Kind("phone", Assurance.OTP, 50, digits),
    Kind("device", None, 900),
    Kind("cookie", None, 910),
)
# What nobody declared is taken at its word only from somebody signed in, and compared letter by letter.
UNDECLARED_BAR = Assurance.LOGIN
UNDECLARED_PRIORITY = 500


class Kinds:
    """The kinds that are in force."""

    def __init__(self, declared: Sequence[Kind] = DECLARED) -> None:
        self._kinds: Mapping[str, Kind] = {kind.name: kind for kind in declared}

    @property
    def declared(self) -> Collection[Kind]:
        """Those that somebody declared."""
        return self._kinds.values()

    def of(self, name: str) -> Kind:
        """The kind of that name; an undeclared one gets the careful defaults."""
        bar = None if name == PERSONA else UNDECLARED_BAR  # nobody may speak for a contact that is not theirs
        return self._kinds.get(name) or Kind(name, bar, UNDECLARED_PRIORITY)

    def home(self, identifiers: Sequence[Identifier], *, channel: str, contact: str | None) -> Home | None:
        """Where something with these identifiers, in that contact of that channel, belongs.

        The profile of the highest-priority identifier that reaches its bar; else the contact's own persona, which no
        other contact can reach; else, with neither, None.
        """
        proven: list[Identifier] = []
        claims: list[Identifier] = []
        for identifier in identifiers:
            kind = self.of(identifier.kind)
            normal = Identifier(identifier.kind, kind.normalise(identifier.value), identifier.assurance)
            reaches = kind.bar is not None and identifier.assurance >= kind.bar and bool(normal.value)
            (proven if reaches else claims).append(normal)
        proven.sort(key=lambda one: (self.of(one.kind).priority, one.kind, one.value))
        if proven:
            return Home(Key(proven[0].kind, proven[0].value), proven, claims)
        if contact is not None:
            return Home(Key(PERSONA, f"{channel}/{contact}"), [], claims)
        return None
