"""Journeys in the in-memory server: of types that no blueprint declares, by the rules of the real one."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from ._actions import rfc3339
from ._errors import Conflict, Invalid, NotFound
from ._links import Home
from ._memory import Memory, RecordedAction
from ._plain import Assurance
from ._rules import IdentifierInput, Seen, why

_BECOMES = {
    "OPEN": ("WAITING", "COMPLETED"),
    "WAITING": ("OPEN",),
    "COMPLETED": ("OPEN", "WAITING"),
    "ABANDONED": ("OPEN", "WAITING"),
    "CANCELLED": ("OPEN", "WAITING"),
}


class Errands:
    """Starts journeys, says what is known, and changes them. Whoever asks is given as the operation's input."""

    def __init__(self, memory: Memory, now: Callable[[], datetime]) -> None:
        self._memory = memory
        self._now = now
        self._all: dict[str, dict[str, Any]] = {}
        self._homes: dict[str, Home] = {}
        self._done: dict[str, set[str]] = {}

    def start(self, given: Mapping[str, Any], channel: str, cap: Assurance) -> dict[str, Any]:
        """As startJourney says."""
        type, key = str(given.get("type", "")), str(given.get("key") or "")
        if not 0 < len(type) <= 50 or len(key) > 200:
            raise Invalid("type: 1 to 50 characters; key: at most 200.")
        seen, operation = self._seen(given, channel, cap), _operation(given)
        assert seen.home is not None
        family = self._memory.family(seen) or [seen.home]
        same = [one for one in self._of(family) if (one["type"], one["key"]) == (type, key) and _is_open(one)]
        if same:
            journey = max(same, key=lambda one: (one["startedAt"], one["id"]))
        else:
            at = rfc3339(self._now())
            journey = {"id": f"jrn_{uuid.uuid4().hex}", "type": type, "key": key, "status": "OPEN", "step": None}
            journey |= {"steps": [], "questions": [], "outcome": None, "reopened": 0, "startedAt": at, "activeAt": at}
            self._all[journey["id"]] = {**journey, "changedAt": None, "changedIn": None}
            self._homes[journey["id"]] = seen.home
            self._done[journey["id"]] = {operation}
        resumed = operation not in self._done[journey["id"]]
        about = {"type": type, **({"key": key} if key else {})}
        self._tell("journey.resumed" if resumed else "journey.started", given, channel, cap, journey["id"], about)
        family = self._memory.family(seen)
        answers = [said for said in map(self._answer, self._questions(journey["id"], family)) if said is not None]
        return {**self._shown(journey["id"]), "answers": answers, "resumed": resumed, "token": self._memory.token}

    def ask(self, given: Mapping[str, Any], channel: str, cap: Assurance) -> dict[str, Any]:
        """As askQuestion says."""
        journey, family = self.mine(given, channel, cap)
        question, here = str(given.get("question", "")), (channel, given.get("contact"))
        if not 0 < len(question) <= 100:
            raise Invalid("question: 1 to 100 characters.")
        told = list(self._told(journey, family))
        mine = [one for one in told if one.properties.get("question") == question]
        answer = self._answer([one for one in mine if one.type == "journey.answered"])
        again = "NOT_RECORDED" if answer is None and _is_passed_over(mine, told, here) else None
        about: dict[str, Any] = {"question": question, "known": answer is not None}
        about |= {"use": "USE"} if answer else {}
        self._tell("journey.asked", given, channel, cap, journey, {**about, **({"again": again} if again else {})})
        return {"answer": answer, "use": "USE" if answer else None, "again": again, "token": self._memory.token}

    def advance(self, given: Mapping[str, Any], channel: str, cap: Assurance) -> dict[str, Any]:
        """As advanceJourney says."""
        id, _ = self.mine(given, channel, cap)
        step = str(given.get("step", ""))
        if not 0 < len(step) <= 50:
            raise Invalid("step: 1 to 50 characters.")
        journey, about = self._all[id], {"from": given.get("cameFrom"), "to": step}
        may = _is_open(journey) and journey["step"] == given.get("cameFrom")
        return self._change(id, given, channel, cap, may, {"step": step}, "journey.advanced", about)

    def become(self, given: Mapping[str, Any], channel: str, cap: Assurance) -> dict[str, Any]:
        """As setJourneyStatus says."""
        id, family = self.mine(given, channel, cap)
        status, journey = str(given.get("status")), self._all[id]
        if status not in _BECOMES:
            raise Invalid(f"status: one of {', '.join(_BECOMES)}.")
        may, outcome = journey["status"] in _BECOMES[status], given.get("outcome")
        change = {"status": status, "outcome": None if status == "OPEN" else outcome}
        if status == "OPEN" and journey["status"] == "COMPLETED":
            same = (journey["type"], journey["key"])
            if any(_is_open(one) and (one["type"], one["key"]) == same for one in self._of(family)):
                raise Conflict("The customer has another open journey of this type and key. Go on with that one.")
            change["reopened"] = journey["reopened"] + 1
        about = {"status": status, **({"outcome": outcome} if outcome is not None else {})}
        return self._change(id, given, channel, cap, may, change, "journey.changed", about)

    def of(self, family: Sequence[Home]) -> list[dict[str, Any]]:
        """As a ContextDocument tells of them: what is open first, then the latest."""
        mine = sorted(self._of(family), key=lambda one: (one["startedAt"], one["id"]), reverse=True)
        latest: dict[tuple[str, str], str] = {}
        for one in filter(_is_open, mine):
            latest.setdefault((one["type"], one["key"]), one["id"])
        names = {"startedAt": "started_at", "changedAt": "changed_at", "changedIn": "changed_in"}
        shown = []
        for one in sorted(mine, key=_is_open, reverse=True)[:20]:
            told = {names.get(name, name): value for name, value in one.items() if value or name == "id"}
            told |= {"active_at": self._active(one), "duplicate_of": latest.get((one["type"], one["key"]))}
            told.pop("activeAt", None)
            said = map(self._answer, self._questions(one["id"], family)) if _is_open(one) else ()
            told["answers"] = [_without_null(answer) for answer in said if answer is not None] or None
            if not _is_open(one) or told["duplicate_of"] == one["id"]:
                del told["duplicate_of"]
            shown.append({name: value for name, value in told.items() if value is not None})
        return shown

    def _change(
        self,
        id: str,
        given: Mapping[str, Any],
        channel: str,
        cap: Assurance,
        may: bool,
        change: Mapping[str, Any],
        type: str,
        about: Mapping[str, Any],
    ) -> dict[str, Any]:
        operation = _operation(given)
        if operation not in self._done[id] and may:
            at = rfc3339(self._now())
            self._all[id] |= {**change, "changedAt": at, "changedIn": channel}
            self._done[id].add(operation)
            self._tell(type, given, channel, cap, id, about)
        return {**self._shown(id), "isDone": operation in self._done[id], "token": self._memory.token}

    def _shown(self, id: str) -> dict[str, Any]:
        journey = self._all[id]
        return {"journey": {**journey, "activeAt": self._active(journey)}}

    def _active(self, journey: Mapping[str, Any]) -> str:
        """When anything was last done about it."""
        done = [rfc3339(one.at) for one in self._memory.actions if one.journey == journey["id"]]
        return max([str(journey["startedAt"]), *done])

    def mine(self, given: Mapping[str, Any], channel: str, cap: Assurance) -> tuple[str, list[Home]]:
        """The journey's id, and all homes of whoever asks. Raises NotFound for another's."""
        seen = self._seen(given, channel, cap)
        family = self._memory.family(seen)
        id = str(given.get("journey"))
        if self._homes.get(id) not in family:
            raise NotFound("There is no such journey, or not enough assurance to say so.")
        return id, family

    def _seen(self, given: Mapping[str, Any], channel: str, cap: Assurance) -> Seen:
        try:
            identifiers = [IdentifierInput.model_validate(one) for one in given.get("identifiers") or ()]
        except ValidationError as error:
            raise Invalid(f"identifiers: {why(error)}") from None
        seen = Seen(identifiers, cap, channel, given.get("contact") or "")
        if seen.home is None:
            raise Invalid("identifiers: none reaches its bar with a value that stands for somebody.")
        return seen

    def _tell(
        self,
        type: str,
        given: Mapping[str, Any],
        channel: str,
        cap: Assurance,
        journey: str,
        properties: Mapping[str, Any],
    ) -> None:
        action = {
            "id": _operation(given),
            "sequence": 0,
            "type": type,
            "at": rfc3339(self._now()),
            "identifiers": list(given.get("identifiers") or ()),
            "journey": journey,
            "properties": dict(properties),
            **({"contact": given["contact"]} if given.get("contact") else {}),
        }
        self._memory.record({"sent_at": rfc3339(self._now()), "actions": [action]}, channel, cap)

    def _of(self, family: Sequence[Home]) -> list[dict[str, Any]]:
        return [one for id, one in self._all.items() if self._homes[id] in family]

    def _told(self, journey: str, family: Sequence[Home]) -> Iterator[RecordedAction]:
        """What was asked and answered in it, and in what a merge brought together with it, in order."""
        same = (self._all[journey]["type"], self._all[journey]["key"])
        ids = {one["id"] for one in self._of(family) if (one["type"], one["key"]) == same and _is_open(one)} | {journey}
        for one in self._memory.of(family):
            if one.journey in ids and one.type in ("journey.asked", "journey.answered"):
                yield one

    def _questions(self, journey: str, family: Sequence[Home]) -> list[list[RecordedAction]]:
        """What was answered in it, by question."""
        found: dict[str, list[RecordedAction]] = {}
        for one in self._told(journey, family):
            if one.type == "journey.answered" and isinstance(one.properties.get("question"), str):
                found.setdefault(one.properties["question"], []).append(one)
        return [found[name] for name in sorted(found)]

    def _answer(self, said: Sequence[RecordedAction]) -> dict[str, Any] | None:
        """The latest; None where it was taken back."""
        if not said or said[-1].properties.get("value") is None:
            return None
        last = said[-1]
        return {
            "question": last.properties["question"],
            "value": last.properties["value"],
            "at": rfc3339(last.at),
            "channel": last.channel,
            "contact": last.contact or None,
            "assurance": self._memory.assurance(last.id),
        }


def _is_passed_over(
    mine: Sequence[RecordedAction], told: Sequence[RecordedAction], here: tuple[str, str | None]
) -> bool:
    """Whether the conversation went on where the question was first asked, if that was elsewhere."""
    if any(one.type == "journey.answered" for one in mine):
        return False
    seen: set[str] = set()
    steps = []  # answers, and each question the first time
    for one in told:
        question = str(one.properties.get("question"))
        if one.type == "journey.answered" or question not in seen:
            steps.append(one)
        seen.add(question)
    for first in mine[:1]:
        place, after = (first.channel, first.contact), steps[steps.index(first) + 1 :]
        return place != here and any((one.channel, one.contact) == place and one not in mine for one in after)
    return False


def _without_null(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if value is not None}


def _is_open(journey: Mapping[str, Any]) -> bool:
    return journey["status"] in ("OPEN", "WAITING")


def _operation(given: Mapping[str, Any]) -> str:
    try:
        return str(uuid.UUID(str(given.get("operationId"))))
    except ValueError:
        raise Invalid("operationId: a UUID.") from None
