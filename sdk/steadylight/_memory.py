"""What `testing.Server` remembers: it stores actions and answers contexts by `_rules`."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from ._actions import MAX_DEPTH, MAX_PROPERTIES, MAX_TRAIT_BYTES, dumps, rfc3339
from ._errors import Invalid
from ._links import Home, Links
from ._models import Action, Identifier
from ._plain import Assurance
from ._rules import MOST_IDENTIFIERS, ActionInput, BatchInput, IdentifierInput, Seen, fault, why

_MOST_ACTIONS = 500
_MOST_BYTES = 500_000
_CLOCK_TOLERANCE = timedelta(seconds=30)
_FUTURE_TOLERANCE = timedelta(minutes=5)
_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
# Actions without a contact's key belong together until nothing happens for so long.
_GAP = timedelta(minutes=30)
_MOST_CONTACTS = 10


class RecordedAction(Action):
    """An action as the in-memory server stored it, with who it was said to be."""

    identifiers: tuple[Identifier, ...] = ()


class Memory:
    """Actions, and what can be said of them."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        #: Actions that still get the verdict RETRY.
        self.hesitations = 0
        self._stored: dict[str, tuple[str, dict[str, Any]]] = {}
        self._homes: dict[Home, list[RecordedAction]] = {}
        self._customers: dict[Home, str] = {}
        self._links = Links()
        self._types: set[str] = set()
        self._assurances: dict[str, Assurance] = {}
        #: What a context tells of the journeys of these homes.
        self.journeys: Callable[[Sequence[Home]], list[dict[str, Any]]] = lambda family: []

    @property
    def actions(self) -> list[RecordedAction]:
        """All, in the order of the timeline: by time, sequence and id."""
        every = [action for actions in self._homes.values() for action in actions]
        return sorted(every, key=_position)

    @property
    def token(self) -> str:
        """Proves what was stored until now."""
        return f"memory-{len(self._stored)}"

    def record(self, raw: object, channel: str, cap: Assurance) -> dict[str, Any]:
        """The VerdictBatch. Raises Invalid for what is no batch."""
        try:
            batch = BatchInput.model_validate(raw)
        except ValidationError as error:
            raise Invalid(f"The batch is not an ActionBatch: {why(error)}.") from None
        if not 1 <= len(batch.actions) <= _MOST_ACTIONS:
            raise Invalid(f"A batch has 1 to {_MOST_ACTIONS} actions, not {len(batch.actions)}.")
        if len(dumps(raw)) > _MOST_BYTES:
            raise Invalid(f"A batch has at most {_MOST_BYTES:,} bytes. Send it in halves.")
        off = self._now() - batch.sent_at
        skew = off if abs(off) > _CLOCK_TOLERANCE else timedelta()
        letters, exceptions, warnings = "", [], []
        for index, each in enumerate(batch.actions):
            letter, code, message, blocked = self._take(each, channel, cap, skew)
            letters += letter
            for kind in blocked:
                message = f"The {kind} stands for nobody, or is no {kind}: it proves nothing, and is kept as a claim."
                warnings.append({"index": index, "code": "BLOCKED_VALUE", "message": message})
            if letter in "XR":
                id = each.get("id") if isinstance(each, dict) else None
                told = {"index": index, "verdict": "REFUSED" if letter == "X" else "RETRY", "code": code}
                exceptions.append({**told, "id": id[:36] if isinstance(id, str) else None, "message": message})
            elif letter == "S" and each["type"] not in self._types:
                self._types.add(each["type"])
                message = f"First action of the type {each['type']!r}: is it spelt right?"
                warnings.append({"index": index, "code": "NEW_TYPE", "message": message})
        counts = {"stored": "S", "duplicate": "D", "refused": "X", "retry": "R"}
        return {
            **{name: letters.count(letter) for name, letter in counts.items()},
            "verdicts": letters,
            "exceptions": exceptions,
            "warnings": warnings,
            "token": self.token,
        }

    def _take(self, raw: object, channel: str, cap: Assurance, skew: timedelta) -> tuple[str, str, str, Sequence[str]]:
        """Letter, code and message; and the kinds of identifiers that stand for nobody, if it is stored."""
        try:
            action = ActionInput.model_validate(raw)
        except ValidationError as error:
            return "X", "INVALID", why(error), ()
        seen = Seen(action.identifiers, cap, channel, action.contact)
        if found := self._fault(action, seen, skew):
            return "X", "INVALID", found, ()
        told = action.told()
        before = self._stored.get(action.id)
        if before == (channel, told):
            return "D", "", "", seen.blocked
        if before is not None:
            return "X", "CONFLICT", "An action with this id is stored already and says something else", ()
        if self.hesitations:
            self.hesitations -= 1
            return "R", "UNAVAILABLE", "Not stored this time; send it again", ()
        self._stored[action.id] = (channel, told)
        self._keep(action, seen, channel, skew)
        return "S", "", "", seen.blocked

    def _fault(self, action: ActionInput, seen: Seen, skew: timedelta) -> str | None:
        if action.at < _EARLIEST:
            return "at: before 1900"
        if action.at + skew > self._now() + _FUTURE_TOLERANCE:
            return "at: ahead of the server's clock by more than 5 minutes"
        if action.agent and action.actor != "AGENT":
            return "agent: only an action whose actor is AGENT has one"
        if len(dumps(action.properties)) > MAX_PROPERTIES:
            return f"properties: at most {MAX_PROPERTIES:,} bytes as JSON"
        if (found := fault(action.properties, MAX_DEPTH)) is not None:
            return f"properties: {found}"
        if len(dumps(action.traits)) > MAX_TRAIT_BYTES:
            return f"traits: at most {MAX_TRAIT_BYTES:,} bytes as JSON"
        if (found := fault(action.traits, MAX_DEPTH)) is not None:
            return f"traits: {found}"
        if seen.home is None:
            return "identifiers: none reaches its bar with a value that stands for somebody, and there is no contact"
        return None

    def _keep(self, action: ActionInput, seen: Seen, channel: str, skew: timedelta) -> None:
        given = action.model_dump(exclude={"identifiers", "at"}, exclude_unset=True)
        stored = RecordedAction.model_validate(
            {
                "actor": "CUSTOMER",
                **given,
                "at": rfc3339(action.at + skew),
                "channel": channel,
                "identifiers": [{"kind": each.kind, "value": each.value} for each in seen.all],
            }
        )
        self._assurances[stored.id] = seen.assurance
        home = self.place(seen, stored.at)
        self._homes.setdefault(home, []).append(stored)
        self._customers.setdefault(home, f"cus_{uuid.uuid4().hex}")
        self._links.see(home)
        if seen.proven:
            self._links.prove(seen.proven, stored.at, stored.id)
            for persona in seen.personas:
                self._links.join(persona, home, stored.at, stored.id)

    def context(self, asked: Mapping[str, Any], channel: str | None, cap: Assurance) -> dict[str, Any]:
        """The ContextDocument. Raises Invalid."""
        recent = asked.get("recent", 20)
        if not 1 <= recent <= 100:
            raise Invalid(f"recent: 1 to 100 actions, not {recent}.")
        if asked.get("after") and asked["after"] not in {f"memory-{count}" for count in range(len(self._stored) + 1)}:
            raise Invalid("The token is not one of this server's.")
        try:
            identifiers = [IdentifierInput.model_validate(each) for each in asked.get("identifiers") or ()]
        except ValidationError as error:
            raise Invalid(f"identifiers: {why(error)}") from None
        if len(identifiers) > MOST_IDENTIFIERS:
            raise Invalid(f"identifiers: at most {MOST_IDENTIFIERS}.")
        seen = Seen(identifiers, cap, channel, asked.get("contact") or "")
        family = self.family(seen)
        actions = self.of(family)[::-1]
        known = bool(seen.proven and family)
        return {
            "customer": self._customers.setdefault(family[0], f"cus_{uuid.uuid4().hex}") if known else None,
            "assurance": seen.assurance,
            "identifiers": [{"kind": home[0], "value": home[1]} for home in family if len(home) == 2],
            "claims": [each.model_dump(mode="json") for each in seen.claims if each.kind != "persona"],
            "actions": [_shown(each) for each in actions[:recent]],
            "contacts": _contacts(actions),
            "journeys": self.journeys(family),
            "traits": self._traits(family),
            "at": rfc3339(self._now()),
            "token": self.token,
            **_in_few_words(asked.get("brief"), self.journeys(family)),
        }

    def _traits(self, family: Sequence[Home]) -> list[dict[str, Any]]:
        """By name, the latest; but what was said of somebody who had proven themselves goes before all else."""
        best: dict[str, tuple[bool, RecordedAction]] = {}
        for each in self.of(family):
            counts = self._assurances[each.id] >= Assurance.KNOWLEDGE
            for name in each.traits:
                if name not in best or counts >= best[name][0]:
                    best[name] = (counts, each)
        return [
            {
                "name": name,
                "value": said.traits[name],
                "at": rfc3339(said.at),
                "assurance": self._assurances[said.id],
                "channel": said.channel,
            }
            for name, (_, said) in sorted(best.items())
            if said.traits[name] is not None
        ]

    def of(self, family: Sequence[Home]) -> list[RecordedAction]:
        """All actions of these homes, in the order of the timeline."""
        return sorted((each for home in family for each in self._homes.get(home, ())), key=_position)

    def assurance(self, id: str) -> Assurance:
        """How sure the channel was of whoever did that."""
        return self._assurances[id]

    def prove(self, seen: Seen, at: datetime, id: str) -> None:
        """What these identifiers prove holds from now on, before the action that tells of it is there."""
        if seen.proven and seen.home is not None:
            self._links.see(seen.home)
            self._links.prove(seen.proven, at, id)

    def place(self, seen: Seen, at: datetime) -> Home:
        """Where what is done belongs; under a persona that was somebody's by then, to its leftovers."""
        home = seen.home
        assert home is not None
        taken = None if seen.proven else self._links.taken(home)
        # Leftovers are nobody's: on a shared device that may be anybody.
        return (*home, "after") if taken is not None and at > taken else home

    def unclaimed(self, seen: Seen) -> list[Home]:
        """The personas of their place that are nobody's yet: they become whose who is known there next."""
        return [persona for persona in seen.personas if self._links.taken(persona) is None]

    def met(self, seen: Seen) -> set[Home]:
        """All of whoever the personas of their place have become."""
        return {home for persona in seen.personas for home in self._links.of(persona)}

    def family(self, seen: Seen) -> list[Home]:
        """What may be shown to whoever asks: all of a customer who is proven, else the persona alone."""
        if seen.home is None:
            return []
        if seen.proven:
            return self._links.of(seen.home)
        return [] if self._links.taken(seen.home) else [seen.home]


def _in_few_words(form: str | None, journeys: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """An approximation: the server's words tell more, within 160 characters or 5 lines."""
    if form is None:
        return {}
    if form not in ("SMS", "CARD"):
        raise Invalid("brief: SMS or CARD.")
    lines = [f"{one['type']}: {one['status']}"[:100] for one in journeys if one["status"] in ("OPEN", "WAITING")]
    return {"brief": lines[:1] or ["Nothing of yours is open."] if form == "SMS" else lines[:5]}


def _shown(action: RecordedAction) -> dict[str, Any]:
    """With a global id, which is how the server shows ids."""
    told = action.model_dump(mode="json", exclude={"identifiers"}, exclude_none=True)
    if not action.traits:
        del told["traits"]
    if action.type == "journey.answered":  # is read as an answer
        told["properties"] = {name: value for name, value in action.properties.items() if name != "value"}
    return {**told, "id": f"act_{uuid.UUID(action.id).hex}"}


def _position(action: Action) -> tuple[datetime, int, str]:
    return action.at, action.sequence, action.id


def _contacts(actions: Sequence[RecordedAction]) -> list[dict[str, Any]]:
    """The latest, latest first, from actions given newest first."""
    found: list[dict[str, Any]] = []
    open_ones: dict[tuple[str, str | None], dict[str, Any]] = {}
    for action in reversed(actions):
        if action.type == "customer.imported":
            continue
        who = (action.channel, action.contact)
        contact = open_ones.get(who)
        if contact is None or (action.contact is None and action.at - contact["last_at"] >= _GAP):
            id = uuid.uuid5(uuid.NAMESPACE_OID, f"{action.channel}/{action.contact or action.at}")
            contact = {"id": f"con_{id.hex}", "channel": action.channel, "first_at": action.at}
            if action.contact is not None:
                contact["key"] = action.contact
            found.append(contact)
            open_ones[who] = contact
        contact["last_at"] = action.at
        if action.type == "contact.ended":
            contact.pop("outcome", None)
            if action.properties.get("outcome") is not None:
                contact["outcome"] = str(action.properties["outcome"])[:100]
    latest = sorted(found, key=lambda contact: contact["last_at"], reverse=True)
    return [
        {**contact, "first_at": rfc3339(contact["first_at"]), "last_at": rfc3339(contact["last_at"])}
        for contact in latest[:_MOST_CONTACTS]
    ]
