"""How often a customer was asked, and why again: worked out from the actions that tell of it. Pure functions.

A channel that asks Steadylight first leaves `journey.asked`, with what it was told. One that does not leaves only the
answer, from which it is seen that somebody was asked:

    answered, never asked about in that contact    NOT_FETCHED, or what makes the earlier answer worthless, if there is
                                                   an earlier one; else it is the first time
    answered, though the channel was told           FETCHED_NOT_SHOWN; a CONFIRM that was answered is none
    asked, and there was nothing to tell            what the server said then

What a customer says once more in the same contact is a correction, and nobody asked again.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from steadylight_server.journeys.models import ANSWERED, ASKED, Again, Answer, Ask, Known, Question, Reuse
from steadylight_server.timeline.models import Action

_Contact = tuple[str, str | None]


@dataclass
class _Place:
    """One question, as far as it was followed."""

    said: Action | None = None
    told: dict[_Contact, str | None] = field(default_factory=dict)
    said_in: set[_Contact] = field(default_factory=set)


def asks(actions: Iterable[Action], question: Callable[[str, str], Question]) -> list[Ask]:
    """Each time that a question came up, the oldest first, from what a customer was asked and said.

    `question` gives the rules of a question by the journey, as the actions name it, and its name.
    """
    places: dict[tuple[str, str], _Place] = {}
    found: list[Ask] = []
    for action in sorted(actions, key=lambda one: one.position):
        name = action.properties.get("question")
        if action.journey is None or not isinstance(name, str):
            continue
        rules = question(action.journey, name)
        place = places.setdefault(("" if rules.is_shared else action.journey, name), _Place())
        contact = (action.channel, action.contact)
        if action.type == ASKED:
            is_known, again = action.properties.get("known") is True, _again(action.properties.get("again"))
            place.told[contact] = action.properties.get("use") if is_known else None
            found.append(_ask(action, name, is_known, again))
        elif action.type == ANSWERED:
            if contact not in place.said_in:
                if contact not in place.told:
                    again = worthless(rules, place.said, action) or Again.NOT_FETCHED if place.said else None
                    found.append(_ask(action, name, False, again))
                elif place.told[contact] == Reuse.USE:
                    found.append(_ask(action, name, False, Again.FETCHED_NOT_SHOWN))
            place.said_in.add(contact)
            # Nothing is known of what was taken back: whoever asks then does not ask again.
            place.said = None if action.properties.get("value") is None else action
    return found


def worthless(question: Question, said: Action | Answer, now: Action) -> Again | None:
    """What keeps an answer from being used at the time of `now`, whoever asks."""
    if question.reuse is Reuse.NEVER:
        return Again.REVERIFY
    return Again.STALE if is_stale(question, said, now) else None


def is_stale(question: Question, said: Action | Answer, now: Action) -> bool:
    """Whether an answer is older than it may be at the time of `now`."""
    return question.fresh_for is not None and now.at - said.at > question.fresh_for


def _again(text: object) -> Again | None:
    return Again(text) if isinstance(text, str) and text in Again.__members__ else None


def _ask(action: Action, question: str, is_known: bool, again: Again | None) -> Ask:
    return Ask(question, action.at, action.channel, action.contact, action.journey or "", is_known, again)


def told(known: Known) -> dict[str, Any]:
    """What `journey.asked` says of what the channel was told: the answer itself stays where it is."""
    answer = known.answer
    return {
        "question": known.question.name,
        "known": answer is not None,
        **({"use": known.use.value} if known.use else {}),
        **({"again": known.again.value} if known.again else {}),
        **({"answer": str(answer.action_id)} if answer else {}),
    }
