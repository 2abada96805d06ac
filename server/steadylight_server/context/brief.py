"""A context in few words: a text message that anybody may read, and a card for whoever serves the customer.

What is most urgent comes first, and what there is no room for is left out whole; only a name or a value that is too
long by itself is cut. The same context gives the same words, in whatever order its parts come.

    message   one text of at most 160 characters of GSM 03.38: what is open, where it goes on, and PUBLIC answers.
              Nothing that a channel made up for one customer: no key, no outcome, no step that is not declared
    card      at most 5 lines of at most 100 characters: what is wrong, what waits, what is open, each with its
              answers, PUBLIC and PERSONAL; the last contact, of the last 7 days; how sure one is of who it is
"""

import json
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any, NamedTuple
from unicodedata import category, normalize
from uuid import UUID

from steadylight_server.context.models import Context
from steadylight_server.core import gsm
from steadylight_server.core.assurance import Assurance
from steadylight_server.journeys.models import Answer, Category, Journey, Sensitivity, Status

MESSAGE = 160
LINES, LINE = 5, 100
RECENT = timedelta(days=7)
# With these the first part of a message or of a line, at its longest, needs no cutting of its own.
_NAME, _STEP, _CHANNEL, _VALUE = 36, 24, 30, 40
_MOST_READ = 500  # characters of a value; the longest has 32,768 bytes

Answers = Mapping[UUID, Sequence[Answer]]
"""What may be told to whoever asks, by journey."""
Place = tuple[str, str | None]
"""A channel, and its key for a contact."""

_SPANS = (
    (timedelta(days=365), "year"),
    (timedelta(days=30), "month"),
    (timedelta(days=7), "week"),
    (timedelta(days=1), "day"),
    (timedelta(hours=1), "hour"),
    (timedelta(minutes=1), "minute"),
)
_WRONG = {Category.ISSUE: "Issue: ", Category.COMPLAINT: "Complaint: "}
_PROOF = {
    Assurance.CALLER_ID: "from your phone",
    Assurance.KNOWLEDGE: "with proof",
    Assurance.OTP: "with a code",
    Assurance.LOGIN: "signed in",
    Assurance.IN_PERSON: "in person",
}
_SURE = {
    Assurance.CLAIMED: "nothing is proven",
    Assurance.CALLER_ID: "the network says so, which can be forged",
    Assurance.KNOWLEDGE: "they knew what only they should know",
    Assurance.OTP: "they read back a one-time code",
    Assurance.LOGIN: "they signed in",
    Assurance.IN_PERSON: "they showed a document",
}


class _Script(NamedTuple):
    """How a form is written: in which characters, how long they are, and what stands for what was cut."""

    written: Callable[[str], str]
    length: Callable[[str], int]
    cut: str

    def clipped(self, text: str, room: int) -> str:
        """The beginning of the text, as far as there is room; whole words unless that would cost half of it."""
        text = self.written(text)
        if self.length(text) <= room:
            return text
        ends = list(accumulate(map(self.length, text)))
        kept = text[: bisect_right(ends, room - self.length(self.cut))]
        words = kept if text[len(kept)] == " " else kept.rpartition(" ")[0]
        return (words if 2 * len(words) > len(kept) else kept).rstrip(" .,:;") + self.cut

    def fitted(self, parts: Iterable[str], room: int, between: str) -> str:
        """The parts in their order, the first cut if it must be; each of the others as a whole, or not at all."""
        text = ""
        for part in parts:
            longer = f"{text}{between}{part}" if text else self.clipped(part, room)
            if self.length(longer) <= room:
                text = longer
        return text


def _plain(text: str) -> str:
    """In one line, and without what steers a terminal or turns the direction of reading."""
    text = normalize("NFC", " ".join(text.split()))
    return " ".join("".join(one for one in text if category(one)[0] != "C").split())


_SMS = _Script(gsm.written, gsm.length, "...")
_CARD = _Script(_plain, len, "…")


def sms(context: Context, answers: Answers) -> str:
    """One text message: the most urgent journey that goes on with the customer, and how many others are open."""
    journeys = sorted(_open(context), key=lambda one: one.status is Status.WAITING)
    if not journeys:
        return "Nothing of yours is open."
    first, others = journeys[0], len(journeys) - 1
    step = first.step if first.step in first.type.steps else None
    state = "waiting" if first.status is Status.WAITING else "left"
    head = f"{_standing(first, state, step, context.at, _SMS)}."
    whole = (f"{head} {_where(first, most)}" for most in (3, 2, 1))
    text = next((one for one in whole if gsm.length(one) <= MESSAGE), head)
    more = [f"{others} more {'is' if others == 1 else 'are'} open."] if others else []
    noted = [f"{_begun(one)}." for one in _told(first, answers, {Sensitivity.PUBLIC}, context.at, _SMS)]
    return _SMS.fitted([text, *more, *noted], MESSAGE, " ")


def card(context: Context, answers: Answers, here: Place | None = None) -> list[str]:
    """Lines, the most urgent first. `here` is the contact under way, which is not the last one."""
    rest = [*_last_contact(context, here), _who(context)]
    journeys = _open(context)
    room = LINES - len(rest)
    shown = journeys if len(journeys) <= room else journeys[: room - 1]
    lines = [_line(one, answers, context.at) for one in shown]
    if left := len(journeys) - len(shown):
        lines.append(f"{left} more are open.")
    return [*lines, *rest]


def _open(context: Context) -> list[Journey]:
    """The most urgent first: what is wrong, then what has stalled, what waits, and what was done last.

    One whose place another took is not told of.
    """

    def urgency(one: Journey) -> tuple[Any, ...]:
        calm = (one.type.category not in _WRONG, not one.has_stalled, one.status is not Status.WAITING)
        return (*calm, context.at - one.active_at, context.at - one.started_at, one.id)

    open = [one.journey for one in context.journeys if one.journey.status.is_open and one.duplicate_of is None]
    return sorted(open, key=urgency)


def _line(journey: Journey, answers: Answers, at: datetime) -> str:
    state = "stalled" if journey.has_stalled else journey.status.lower()
    head = _WRONG.get(journey.type.category, "") + _standing(journey, state, journey.step, at, _CARD)
    key = [f"for {_CARD.clipped(journey.key, _NAME)}"] if _plain(journey.key) else []
    told = _told(journey, answers, {Sensitivity.PUBLIC, Sensitivity.PERSONAL}, at, _CARD)
    return _CARD.fitted([head, *key, *told], LINE, "; ")


def _standing(journey: Journey, state: str, step: str | None, at: datetime, script: _Script) -> str:
    """Which journey, where it stands, and since when."""
    names = (journey.type.label, _begun(_words(journey.type.name)), "Request")
    name = next(filter(None, (script.clipped(one, _NAME) for one in names)))
    place = script.clipped(_words(step or ""), _STEP)
    return f"{name}: {state}{f' at {place}' if place else ''}, {_ago(journey.active_at, at)}"


def _where(journey: Journey, most: int) -> str:
    """Where it goes on: where it was last, where it began, and where its type says; at most so many channels."""
    channels = (journey.changed_in, journey.started_in, *sorted(journey.type.resume_in))
    places = []
    for channel in dict.fromkeys(filter(None, channels)):
        if name := _SMS.clipped(_words(channel), _CHANNEL):
            proof = _PROOF.get(journey.type.bar(channel))
            places.append(f"{name} ({proof})" if proof else name)
    go_on = "See it in" if journey.status is Status.WAITING else "Go on in"
    return f"{go_on} {' or '.join(places[:most])}." if places else ""


def _told(journey: Journey, answers: Answers, to: Collection[Sensitivity], at: datetime, script: _Script) -> list[str]:
    """What was answered, the latest first; of each question one answer, if its sensitivity is one of these."""
    said = sorted(
        (at - one.at, one.question, one.action_id, _value(one.value))
        for one in answers.get(journey.id, ())
        if journey.type.question(one.question).sensitivity in to and one.value is not None
    )
    latest: dict[str, str] = {}
    for _, question, _, value in said:
        name, text = script.clipped(_words(question), _STEP), script.clipped(value, _VALUE)
        if name and text:
            latest.setdefault(question, f"{name}: {text}")
    return list(latest.values())


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return text[:_MOST_READ]


def _last_contact(context: Context, here: Place | None) -> list[str]:
    """The latest other than the one under way, if it was not long ago."""
    others = [one for one in context.contacts if one.key is None or (one.channel, one.key) != here]
    last = max(others, key=lambda one: (one.last_at, one.id), default=None)
    if last is None or context.at - last.last_at > RECENT:
        return []
    outcome = _plain(last.outcome or "") or ("ended" if last.is_ended else "not ended")
    channel = _CARD.clipped(_words(last.channel), _CHANNEL)
    return [_CARD.clipped(f"Last contact: {channel}, {_ago(last.last_at, context.at)}, {outcome}", LINE)]


def _who(context: Context) -> str:
    parts = [f"Who it is: {_SURE[context.assurance]}"]
    if context.customer is None and context.assurance > Assurance.CLAIMED:
        parts.append("never met before")
    if count := len(context.claims):
        parts.append(f"{count} claim{'s' if count > 1 else ''} not proven")
    return "; ".join(parts)


def _words(name: str) -> str:
    return name.replace("-", " ").replace("_", " ")


def _begun(text: str) -> str:
    """As a sentence begins."""
    return f"{text[:1].upper()}{text[1:]}"


def _ago(then: datetime, at: datetime) -> str:
    """How long before, in the largest unit of which there is one."""
    for span, word in _SPANS:
        if (count := (at - then) // span) > 0:
            return f"{count} {word}{'s' if count > 1 else ''} ago"
    return "just now"
