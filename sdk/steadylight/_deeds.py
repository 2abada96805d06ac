"""Capabilities in the in-memory server: each is a function of the test, performed by the rules of the real server."""

import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import ValidationError

from ._actions import rfc3339
from ._errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from ._links import Home
from ._memory import Memory
from ._plain import Assurance
from ._rules import IdentifierInput, Seen, why


class Failed(Exception):
    """For a test's capability: it was tried and will not be. The performance is FAILED with this code and message."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.code = code
        self.message = message


class Unknown(Exception):
    """For a test's capability: nobody knows whether it was done. The performance is UNKNOWN."""


class NotDone(Exception):
    """For a test's capability: nothing was done. Whoever performs it is told UNAVAILABLE, and the key is free."""


class Accepted(dict[str, Any]):
    """For a test's capability: it goes on by itself. The performance is ACCEPTED."""


@dataclass(frozen=True)
class Declared:
    """A capability of a test."""

    name: str
    function: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    assurance: Assurance
    limited: Mapping[str, str]
    not_feasible: Mapping[str, str]


class _Done(NamedTuple):
    """What was performed, with the input in a form that can be compared, and the contact in which it was asked for."""

    said: str
    contact: str | None
    performance: dict[str, Any]


# Raises NotFound for a journey that is not the asker's.
Mine = Callable[[Mapping[str, Any], str, Assurance], object]


class Deeds:
    """Performs, once for each key of a customer."""

    def __init__(self, memory: Memory, now: Callable[[], datetime], mine: Mine) -> None:
        self._memory = memory
        self._now = now
        self._mine = mine
        self._declared: dict[str, Declared] = {}
        self._done: dict[tuple[Home, str, str], _Done] = {}

    def declare(self, capability: Declared) -> None:
        """Puts it in the place of another of its name."""
        self._declared[capability.name] = capability

    def list(self, given: Mapping[str, Any], channel: str, cap: Assurance) -> list[dict[str, Any]]:
        """As capabilities says."""
        seen = _seen(given, channel, cap)
        told = []
        for name in sorted(self._declared):
            one = self._declared[name]
            why, reason = _why(one, channel, seen.assurance)
            about: dict[str, Any] = {"name": name, "label": None, "description": None}
            about |= {"reversible": False, "reversedBy": None}
            about |= {"input": {"type": "object"}, "output": {"type": "object"}, "timeout": 10.0}
            about |= {"assurance": one.assurance, "isOffered": why in (None, "LIMITED"), "why": why, "reason": reason}
            told.append(about)
        return told

    def perform(self, given: Mapping[str, Any], channel: str, cap: Assurance) -> dict[str, Any]:
        """As performCapability says."""
        name, key, input = str(given.get("capability", "")), str(given.get("key", "")), given.get("input")
        if (one := self._declared.get(name)) is None:
            raise NotFound(f"The blueprint declares no capability {name[:80]!r}.")
        seen = _seen(given, channel, cap)
        if seen.home is None:
            raise Invalid("identifiers: none reaches its bar with a value that stands for somebody.")
        if given.get("journey") is not None:
            self._mine(given, channel, cap)
        withheld, reason = _why(one, channel, seen.assurance)
        if withheld not in (None, "LIMITED"):
            about = {"capability": name, "why": withheld, "reason": reason}
            id = uuid.uuid5(uuid.NAMESPACE_OID, f"{seen.home} {name} {key} {channel} {withheld}")
            self._tell(id, "capability.refused", given, channel, cap, about)
            raise Forbidden(reason or "")
        if not 0 < len(key) <= 200:
            raise Invalid("key: 1 to 200 characters.")
        if not isinstance(input, Mapping):
            raise Invalid("input: an object is wanted.")
        at = self._now()
        self._memory.prove(seen, at, str(uuid.uuid4()))
        home = self._memory.place(seen, at)
        mine = [*self._memory.family(seen), *self._memory.unclaimed(seen)] if seen.proven else [home]
        said = json.dumps(_plain(input), sort_keys=True)
        journey = {"id": str(given["journey"])} if given.get("journey") is not None else None
        if (done := self._same(mine, name, key, said, journey)) is not None:
            return {"performance": done, "repeated": True, "token": self._memory.token}
        contact = given.get("contact") or None
        if not seen.proven and self._is_used_in(self._memory.met(seen) - {home}, name, key, channel, contact):
            raise Forbidden("The key was used in this contact by who had signed in, who alone is told of it.")
        performance = {**self._performed(one, input, key, channel), "journey": journey}
        self._done[home, name, key] = _Done(said, contact, performance)
        state, failure = performance["state"], performance["failure"]
        about = {"capability": name, "performance": performance["id"], "key": key, "state": state}
        about |= {"code": failure["code"]} if failure else {}
        type = "capability.accepted" if state == "ACCEPTED" else "capability.performed"
        self._tell(uuid.uuid4(), type, given, channel, cap, about)
        return {"performance": performance, "repeated": False, "token": self._memory.token}

    def _same(
        self, homes: Iterable[Home], name: str, key: str, said: str, journey: Mapping[str, Any] | None
    ) -> dict[str, Any] | None:
        """What became of that key of these homes, None where it is free. Raises Conflict."""
        used = self._used(homes, name, key)
        alike = [done.performance for done in used if done.said == said]
        for performance in alike:
            if journey in (None, performance["journey"]):
                return performance
        if used:
            other = "for another journey, or for none" if alike else "with another input"
            raise Conflict(f"The key {key!r} was used for this {other}. Use another key for another deed.")
        return None

    def _is_used_in(self, homes: Iterable[Home], name: str, key: str, channel: str, contact: str | None) -> bool:
        """Whether one of these homes has that key, and it was asked for in that contact."""
        here = (channel, contact)
        used = self._used(homes, name, key)
        return contact is not None and any((done.performance["channel"], done.contact) == here for done in used)

    def _used(self, homes: Iterable[Home], name: str, key: str) -> Sequence[_Done]:
        return [self._done[home, name, key] for home in homes if (home, name, key) in self._done]

    def _performed(self, one: Declared, input: Mapping[str, Any], key: str, channel: str) -> dict[str, Any]:
        at = rfc3339(self._now())
        output, failure = None, None
        try:
            found = one.function(input)
            state, output = ("ACCEPTED", None) if isinstance(found, Accepted) else ("DONE", dict(found))
        except NotDone:
            raise Unavailable("What does it cannot be reached now. Nothing was done; try again.") from None
        except Failed as error:
            state, failure = "FAILED", {"code": error.code, "message": error.message}
        except Exception:  # a fault of the function is an outcome that nobody knows, as at the real server
            told = "What does it did not answer. It may have been done, or not."
            state, failure = "UNKNOWN", {"code": "NO_ANSWER", "message": told}
        return {
            "id": f"prf_{uuid.uuid4().hex}",
            "capability": one.name,
            "key": key,
            "state": state,
            "output": output,
            "failure": failure,
            "progress": None,
            "channel": channel,
            "attempt": 1,
            "begunAt": at,
            "endedAt": None if state == "ACCEPTED" else at,
        }

    def _tell(
        self,
        id: uuid.UUID,
        type: str,
        given: Mapping[str, Any],
        channel: str,
        cap: Assurance,
        properties: Mapping[str, Any],
    ) -> None:
        action = {
            "id": str(id),
            "sequence": 0,
            "type": type,
            "at": rfc3339(self._now()),
            "identifiers": list(given.get("identifiers") or ()),
            "properties": dict(properties),
            **({"contact": given["contact"]} if given.get("contact") else {}),
            **({"journey": given["journey"]} if given.get("journey") is not None else {}),
            **({"agent": given["agent"], "actor": "AGENT"} if given.get("agent") else {}),
        }
        self._memory.record({"sent_at": rfc3339(self._now()), "actions": [action]}, channel, cap)


def _seen(given: Mapping[str, Any], channel: str, cap: Assurance) -> Seen:
    try:
        identifiers = [IdentifierInput.model_validate(one) for one in given.get("identifiers") or ()]
    except ValidationError as error:
        raise Invalid(f"identifiers: {why(error)}") from None
    return Seen(identifiers, cap, channel, given.get("contact") or "")


def _why(one: Declared, channel: str, assurance: Assurance) -> tuple[str | None, str | None]:
    """Why the channel may not, or not all of it, and the same in words."""
    if channel in one.not_feasible:
        return "NOT_FEASIBLE", one.not_feasible[channel]
    if assurance < one.assurance:
        return "ASSURANCE_TOO_LOW", f"It takes somebody who has proven who they are by {one.assurance}."
    return ("LIMITED", one.limited[channel]) if channel in one.limited else (None, None)


def _plain(said: Any) -> Any:
    """Numbers are the same as 1 and as 1.0."""
    if isinstance(said, float) and said.is_integer():
        return int(said)
    if isinstance(said, Mapping):
        return {name: _plain(one) for name, one in said.items()}
    return [_plain(one) for one in said] if isinstance(said, list) else said
