"""The verbs of a contact that record: the same, and plain calls, in both clients."""

import base64
import json
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar

from ._actions import Common, random_uuid
from ._plain import Assurance
from ._recorder import Recorder, log

#: (kind, value), or (kind, value, assurance).
IdentifierLike = tuple[str, str] | tuple[str, str, str]
Identifiers = tuple[Mapping[str, str], ...]
_ASSURANCES = {each.value: each.value for each in Assurance}


def identifiers_of(
    assurance: str, listed: Iterable[IdentifierLike], named: Mapping[str, str | None], token: str | None = None
) -> Identifiers:
    """As the wire wants them. `customer_number="77"` is of the kind `customer-number`; a value None is left out.

    Where nothing but a token is given, who it names is the `login`.
    """
    listed = tuple(listed)
    if token is not None and not listed and not any(named.values()):
        listed = tuple(("login", subject, Assurance.LOGIN.value) for subject in _subject(token))
    pairs: list[Any] = [(kind.replace("_", "-"), value) for kind, value in named.items()]
    told = [
        {"kind": str(each[0]), "value": str(each[1]), "assurance": _assurance(each[2] if len(each) > 2 else assurance)}
        for each in (*pairs, *listed)
        if each[1] is not None
    ]
    return tuple(told)


def _subject(token: str) -> list[str]:
    """Whom a JSON Web Token names, unverified: the server verifies it. Nobody for what is none."""
    try:
        payload = token.split(".")[1]
        subject = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"]
    except (IndexError, KeyError, TypeError, ValueError):
        log.warning("token= is no JSON Web Token that names a subject; nobody is identified by it")
        return []
    return [str(subject)]


def _assurance(name: str) -> str:
    try:
        return _ASSURANCES[name]
    except (KeyError, TypeError):
        log.warning("%r is no assurance (%s); taken as CLAIMED", name, ", ".join(Assurance))
        return Assurance.CLAIMED.value


class Recording:
    """One visit, call or chat, as its channel records it. Nothing here raises or waits for the network."""

    __slots__ = ("__weakref__", "_common", "_key", "_known", "_persona", "_recorder", "_token")

    def __init__(
        self,
        recorder: Recorder,
        identifiers: Identifiers,
        key: str | None,
        token: str | None = None,
        persona: str | None = None,
    ) -> None:
        self._recorder = recorder
        self._token = token
        self._persona = persona
        self._key = random_uuid() if key is None else str(key)
        self._is(identifiers)

    @property
    def key(self) -> str:
        """The channel's own name for this contact: a session id, a call id. The same key is the same contact."""
        return self._key

    @property
    def persona(self) -> str | None:
        """What this app calls whoever it is while nobody knows; None for whoever is in this contact.

        Keep it where the visit is kept, in a cookie, say, and give it to the next `contact()`: what is recorded with it
        becomes the customer's once they sign in. `sign_out()` makes a new one.
        """
        return self._persona

    def _is(self, identifiers: Identifiers) -> None:
        """From now on actions carry these."""
        self._known = identifiers
        if self._persona is not None:
            identifiers = (*identifiers, {"kind": "persona", "value": self._persona, "assurance": "CLAIMED"})
        self._common = Common(self._key, identifiers)

    @property
    def _identifiers(self) -> Identifiers:
        """What actions carry now."""
        return self._common.identifiers

    def record(
        self,
        type: str,
        properties: Mapping[str, Any] | None = None,
        *,
        at: datetime | None = None,
        actor: str = "CUSTOMER",
        agent: str | None = None,
        subject: tuple[str, str] | Mapping[str, str] | None = None,
        journey: str | None = None,
        traits: Mapping[str, Any] | None = None,
        id: str | None = None,
    ) -> str | None:
        """Keeps what somebody did, for delivery in the background. Its id; None when it had to be dropped.

        `type` is `noun.verb`; `properties` at most 32 KB as JSON and 8 levels deep; `at` is now unless given; `actor`
        CUSTOMER, AGENT or SYSTEM (naming the `agent` makes it AGENT); `subject` the business object as (kind, id).
        `traits` is what it tells about the customer, by name, at most 50 and 8 KB; None takes one back. Give an `id`
        (a UUID) where the same fact may be recorded twice: it is stored once.
        """
        if actor == "CUSTOMER" and agent is None and subject is None and journey is None and traits is None:
            return self._recorder.record(type, properties, self._common, None, id, at)
        given = {"agent": agent, "journey": journey, "traits": traits, "subject": subject}
        more: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        more["actor"] = actor if agent is None else "AGENT"
        return self._recorder.record(type, properties, self._common, more, id, at)

    def identify(
        self,
        *,
        assurance: str = "CLAIMED",
        identifiers: Iterable[IdentifierLike] = (),
        token: str | None = None,
        **named: str | None,
    ) -> None:
        """Who it is has become clear: from now on actions carry this too, one identifier of a kind.

        A customer's own `token` proves it to the server when their context is read. Recorded as `contact.identified`.
        """
        new = identifiers_of(assurance, identifiers, named, token)
        self._token = token or self._token
        kinds = {identifier["kind"] for identifier in new}
        self._is((*(each for each in self._known if each["kind"] not in kinds), *new))
        self.record("contact.identified", {"kinds": sorted(kinds)})

    def sign_out(self) -> None:
        """They leave the device: recorded as `contact.signed-out`, and later actions carry nothing of theirs.

        Whoever comes next is somebody else, with a `persona` of their own.
        """
        self.record("contact.signed-out")
        self._persona, self._token = random_uuid(), None
        self._is(())

    def end(self, outcome: str | None = None) -> None:
        """The contact is over. Recorded as `contact.ended`, with what came of it, e.g. RESOLVED."""
        self.record("contact.ended", None if outcome is None else {"outcome": outcome})

    def _whose(self) -> Hashable:
        """Who it is, for what is kept of what was read.

        With the assurance: what somebody signed in was shown is not for whom merely claims to be them.
        """
        who = tuple(tuple(sorted(one.items())) for one in self._identifiers)
        return (self.key, who, self._token)

    def _record_shown(self, article: str, told: Mapping[str, Any], *, as_employee: bool, agent: str | None) -> None:
        """That something of an article was shown, so that whoever was shown what turned out to be wrong is found."""
        self.record(
            "article.shown",
            told,
            subject=("article", article),
            actor="AGENT" if as_employee else "CUSTOMER",
            agent=agent if as_employee else None,
        )


C = TypeVar("C", bound=Recording)


class Customer(Generic[C]):
    """Somebody, as this channel knows them."""

    def __init__(
        self,
        identifiers: Identifiers,
        token: str | None,
        begin: Callable[[Identifiers, str | None, str | None, str | None], C],
    ) -> None:
        self._identifiers = identifiers
        self._token = token
        self._begin = begin

    def contact(self, key: str | None = None, *, persona: str | None = None) -> C:
        """One visit, call or chat of theirs: the one of this key, or a new one.

        `persona` is what the app called them before they signed in: what was recorded with it is theirs.
        """
        return self._begin(self._identifiers, key, self._token, persona)
