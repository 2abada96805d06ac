"""What kinds of identifier there are, and what each is good for.

A kind's `bar` is the assurance from which it counts: below it, a sight of somebody's e-mail address is a claim and
leads nowhere. `priority` says which identifier of an action is its home when several count; the lowest number wins.
A value that stands for nobody, or is none of its kind, stays a claim whatever the assurance: `identity/values` judges.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from steadylight_server.core.assurance import Assurance
from steadylight_server.identity.models import APP_PERSONA, NAMED, PERSONA, RECORD, Home, Identifier, Key
from steadylight_server.identity.values import Normaliser, Reading, Values


@dataclass(frozen=True)
class Kind:
    """The rules of one kind of identifier. `bar` None: a shared thing, which never says who somebody is.

    `most` is how many of it one customer may have, None any number. `blocked` values, and those that wholly match one
    of `blocked_patterns`, stand for nobody, beside the values that stand for nobody in any kind; `allowed` ones are
    somebody all the same. Case makes no difference to them. `region`, of two letters, is where a
    telephone number without a country code is from; None takes none without.
    """

    name: str
    bar: Assurance | None
    priority: int
    normaliser: Normaliser = Normaliser.EXACT
    most: int | None = None
    blocked: frozenset[str] = frozenset()
    blocked_patterns: tuple[str, ...] = ()
    allowed: frozenset[str] = frozenset()
    region: str | None = None

    @property
    def shared(self) -> bool:
        """Whether it is a thing that several people use: it never says who somebody is, and joins nobody."""
        return self.bar is None

    @property
    def values(self) -> Values:
        """What judges its values."""
        return Values(self.normaliser, self.region, self.blocked, self.blocked_patterns, self.allowed)

    def normalise(self, value: str) -> str:
        """The value as it is kept; empty where nothing is left of it."""
        return self.values.read(value).value


DECLARED = (
    # Before all others: what an import says of somebody stays with its own row, and hangs together only through it.
    Kind(RECORD, Assurance.LOGIN, 5),
    Kind("login", Assurance.OTP, 10, most=1),
    Kind("customer-number", Assurance.KNOWLEDGE, 20),
    Kind("account", Assurance.KNOWLEDGE, 30),
    # Mailboxes that no person reads, and test@ at any domain.
    Kind("email", Assurance.OTP, 40, Normaliser.EMAIL, blocked_patterns=(r"(no-?reply|do-?not-?reply|test)@.*",)),
    # Eight times one digit at the end: whoever was asked for a number and did not want to give theirs.
    Kind("phone", Assurance.OTP, 50, Normaliser.PHONE, blocked_patterns=(r"\+\d*(\d)\1{7}",)),
    Kind("device", None, 900),
    Kind("cookie", None, 910),
)
# What nobody declared is taken at its word only from somebody signed in, and compared letter by letter.
UNDECLARED_BAR = Assurance.LOGIN
UNDECLARED_PRIORITY = 500

# Values whose reading is remembered: some 5 MB. An e-mail address takes 70 µs to read, a telephone number 50.
_MOST_REMEMBERED = 20_000


@lru_cache(1000)
def undeclared(name: str) -> Kind:
    """The careful defaults. Nobody may speak for a contact that is not theirs; a persona says nothing of who it is."""
    return Kind(name, None if name in (PERSONA, APP_PERSONA, NAMED) else UNDECLARED_BAR, UNDECLARED_PRIORITY)


class Kinds:
    """The kinds that are in force. Whoever holds it sees a new declaration at once."""

    def __init__(self, declared: Sequence[Kind] = DECLARED) -> None:
        self.declare(declared)

    def declare(self, declared: Sequence[Kind]) -> None:
        """Puts these in the place of all that were."""
        values = {kind.name: kind.values for kind in declared}
        others = Values()

        def read(kind: str, value: str) -> Reading:
            return values.get(kind, others).read(value)

        self._kinds: Mapping[str, Kind] = {kind.name: kind for kind in declared}
        self._read = lru_cache(_MOST_REMEMBERED)(read)
        self._most = {kind.name: kind.most for kind in declared if kind.most is not None}

    @property
    def declared(self) -> Collection[Kind]:
        """Those that somebody declared."""
        return self._kinds.values()

    @property
    def most(self) -> Mapping[str, int]:
        """How many of a kind one customer may have; any number of a kind that is not in it."""
        return self._most

    def of(self, name: str) -> Kind:
        """The kind of that name; an undeclared one gets the careful defaults."""
        return self._kinds.get(name) or undeclared(name)

    def home(self, identifiers: Sequence[Identifier], *, channel: str, contact: str | None) -> Home | None:
        """Where something with these identifiers, in that contact of that channel, belongs.

        The profile of the highest-priority identifier that reaches its bar; else the persona that the app names, which
        no other channel can reach; else the contact's own, which no other contact can; else None.
        """
        proven: list[Identifier] = []
        claims: list[Identifier] = []
        blocked: list[Identifier] = []
        for identifier in identifiers:
            bar = self.of(identifier.kind).bar
            value, is_somebody = self._read(identifier.kind, identifier.value)
            normal = Identifier(identifier.kind, value, identifier.assurance)
            (proven if is_somebody and bar is not None and identifier.assurance >= bar else claims).append(normal)
            if not is_somebody:
                blocked.append(normal)
        proven.sort(key=lambda one: (self.of(one.kind).priority, one.kind, one.value))
        if proven:
            return Home(Key(proven[0].kind, proven[0].value), proven, claims, tuple(blocked))
        if personas := self.personas(claims, channel=channel, contact=contact):
            return Home(personas[0], [], claims, tuple(blocked))
        return None

    def personas(self, identifiers: Iterable[Identifier], *, channel: str, contact: str | None) -> list[Key]:
        """Where what is done there is kept while nothing is proven: as the app says, then in the contact."""
        named = [one.value for one in identifiers if one.kind == NAMED and self._read(NAMED, one.value).is_somebody]
        keys = [Key(APP_PERSONA, f"{channel}/{value}") for value in named]
        return keys if contact is None else [*keys, Key(PERSONA, f"{channel}/{contact}")]
