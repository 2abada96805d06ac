"""What customers were asked and what they said, in MongoDB. A projection of the actions `journey.asked` and
`journey.answered`: registers, kept by minimum and maximum, so that order and repetition of actions do not matter.

answers   _id: made from (profile, journey, question) · profile_id: the shard key · journey: as the actions name it ·
          question · said?: {order, value, at, assurance, channel, contact, action_id}, the latest ·
          asked?: {order, channel, contact}, the first                                index: question

A null value takes an answer back.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from pymongo import IndexModel, UpdateOne

from steadylight_server.core.assurance import Assurance
from steadylight_server.core.mongo import Database, Document
from steadylight_server.core.stores import Kept, Store
from steadylight_server.journeys.models import ANSWERED, ASKED, MOST_QUESTION, Answer
from steadylight_server.timeline.models import Action

# More than anybody was asked; a channel that makes up names does not make every question slow. What was answered last
# goes first.
MOST_READ = 1_000
_Place = tuple[UUID, str, str]  # profile, journey, question


@dataclass(frozen=True)
class Register:
    """What is known of one question in one journey: the latest answer, and where it was first asked.

    The orders sort as the timeline does; empty for what never was.
    """

    question: str
    journey: str
    said: Answer | None = None
    said_order: bytes = b""
    asked_in: tuple[str, str | None] | None = None
    asked_order: bytes = b""

    def is_passed_over(self, registers: Iterable["Register"]) -> bool:
        """Whether the conversation went on where it was first asked: then the customer said something to it."""
        return any(
            (other.asked_in == self.asked_in and other.asked_order > self.asked_order)
            or (
                other.said is not None
                and (other.said.channel, other.said.contact) == self.asked_in
                and other.said_order > self.asked_order
            )
            for other in registers
            if other.question != self.question
        )


class AnswerStore(Store):
    """Keeps and reads answers."""

    collections = {"answers": Kept.PROJECTION}
    indexes = {"answers": [IndexModel([("profile_id", 1), ("question", 1)], name="question")]}

    def __init__(self, database: Database, *, suffix: str = "") -> None:
        super().__init__(database, suffix=suffix)
        self._answers = self.collection("answers")

    def beside(self, suffix: str) -> Self:
        """The same, over a second set of collections."""
        return type(self)(self.database, suffix=suffix)

    async def project(self, actions: Iterable[Action]) -> None:
        """Takes the actions into account; doing so again changes nothing."""
        registers: dict[_Place, Document] = {}
        for action in actions:
            if action.journey is None or action.type not in (ASKED, ANSWERED):
                continue
            question = action.properties.get("question")
            if not isinstance(question, str) or not 0 < len(question) <= MOST_QUESTION:
                continue
            register = registers.setdefault((action.profile_id, action.journey, question), {})
            if action.type == ANSWERED:
                register["said"] = max(register.get("said", _NOTHING), _said(action), key=_order)
            else:
                register["asked"] = min(register.get("asked", _asked(action)), _asked(action), key=_order)
        if not registers:
            return
        places = list(registers.items())
        there = await self._answers.insert_new([{**_document(place), **one} for place, one in places])
        if there:
            await self._answers.bulk_write([_change(*places[index]) for index in there])

    async def of(self, profile_ids: Collection[UUID]) -> list[Register]:
        """What these profiles were asked and said."""
        return self.registers(await self._answers.aggregate(self.pipeline(profile_ids)))

    @property
    def name(self) -> str:
        """Of the collection, for a pipeline that joins it."""
        return self._answers.name

    @staticmethod
    def pipeline(profile_ids: Collection[UUID]) -> list[Mapping[str, Any]]:
        """What `of` looks for; give it to `registers`."""
        return [
            {"$match": {"profile_id": {"$in": list(profile_ids)}}},
            {"$sort": {"said.order": -1}},
            {"$limit": MOST_READ},
        ]

    @staticmethod
    def registers(found: Iterable[Mapping[str, Any]]) -> list[Register]:
        """What the pipeline found."""
        return [_register(one) for one in found]


_NOTHING: Document = {"order": b""}


def _order(one: Mapping[str, Any]) -> bytes:
    order: bytes = one["order"]
    return order


def _said(action: Action) -> Document:
    # First the order: of two registers the database keeps the greater, and compares them field by field.
    return {
        "order": action.position.packed(),
        "value": action.properties.get("value"),
        "at": action.at,
        "assurance": action.assurance.name,
        "channel": action.channel,
        "contact": action.contact,
        "action_id": action.id,
    }


def _asked(action: Action) -> Document:
    return {"order": action.position.packed(), "channel": action.channel, "contact": action.contact}


def _document(place: _Place) -> Document:
    profile_id, journey, question = place
    return {"_id": _id(place), "profile_id": profile_id, "journey": journey, "question": question}


def _change(place: _Place, register: Document) -> UpdateOne:
    change = {"$max": {"said": register["said"]}} if "said" in register else {}
    if "asked" in register:
        change["$min"] = {"asked": register["asked"]}
    return UpdateOne({"_id": _id(place), "profile_id": place[0]}, change)


def _id(place: _Place) -> UUID:
    profile_id, journey, question = place
    text = f"{journey}\x1f{question}"
    return UUID(bytes=hashlib.blake2b(text.encode(), key=profile_id.bytes, digest_size=16).digest())


def _register(found: Mapping[str, Any]) -> Register:
    said, asked = found.get("said"), found.get("asked")
    answer = None
    if said is not None:
        answer = Answer(
            question=found["question"],
            value=said["value"],
            at=said["at"],
            channel=said["channel"],
            contact=said["contact"],
            assurance=Assurance[said["assurance"]],
            action_id=said["action_id"],
            journey=found["journey"],
        )
    return Register(
        found["question"],
        found["journey"],
        answer,
        said["order"] if said else b"",
        (asked["channel"], asked["contact"]) if asked else None,
        asked["order"] if asked else b"",
    )
