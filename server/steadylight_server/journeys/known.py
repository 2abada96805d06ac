"""What is known of a question, and to whom it is told. Pure functions over what a customer was asked and said."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from uuid import UUID

from steadylight_server.core.assurance import Assurance
from steadylight_server.journeys.answers import Register
from steadylight_server.journeys.asks import is_stale, worthless
from steadylight_server.journeys.models import Again, Answer, Journey, Known, Listed, Question, Reuse, Sensitivity
from steadylight_server.journeys.names import named
from steadylight_server.timeline.models import Action


def _counting(
    journey: Journey, registers: Iterable[Register], question: Question, others: Collection[str]
) -> list[Register]:
    """The registers that count for a question of this journey; those of other questions, too."""
    own = {named(journey), *others}
    return [one for one in registers if question.is_shared or one.journey in own]


def answers_of(
    listed: Sequence[Listed], registers: Sequence[Register], assurance: Assurance, channel: str
) -> Mapping[UUID, Sequence[Answer]]:
    """What is known in each journey to somebody of that assurance in that channel, who may pick it up; by id."""
    journeys = [one.journey for one in listed]
    same: dict[tuple[str, str], set[str]] = {}
    for one in journeys:
        if one.status.is_open:
            same.setdefault((one.type.name, one.key), set()).add(named(one))
    admitted = [one for one in journeys if assurance >= one.type.bar(channel)]
    return {one.id: answers(one, registers, same.get((one.type.name, one.key), ()), assurance) for one in admitted}


def answers(
    journey: Journey, registers: Iterable[Register], others: Collection[str], assurance: Assurance
) -> list[Answer]:
    """What is known in a journey to somebody of that assurance, by question; never what is SECRET.

    `others` are the customer's journeys that a merge brought together with it.
    """
    by_question: dict[str, list[Register]] = {}
    for one in registers:
        by_question.setdefault(one.question, []).append(one)
    found: list[Answer] = []
    for name in sorted(by_question):
        rules = journey.type.question(name)
        said = _latest(_counting(journey, by_question[name], rules, others), rules)
        is_told = rules.sensitivity is not Sensitivity.SECRET and assurance >= rules.assurance
        if said is not None and is_told:
            found.append(said)
    return found


def _latest(registers: Iterable[Register], question: Question) -> Answer | None:
    """The latest answer to the question that will do."""
    said = [
        one.said
        for one in registers
        if one.question == question.name
        and one.said is not None
        and one.said.value is not None
        and question.fault(one.said.value) is None
    ]
    return max(said, key=lambda answer: (answer.at, answer.action_id), default=None)


def known(
    journey: Journey, question: str, registers: Iterable[Register], others: Collection[str], deed: Action
) -> Known:
    """What somebody who asks now, with the assurance of their deed, is told. `others` as for `answers`."""
    rules = journey.type.question(question)
    counting = _counting(journey, registers, rules, others)
    here = (deed.channel, deed.contact)
    said = _latest(counting, rules)
    if said is None:
        before = [one for one in counting if one.question == question and one.asked_in not in (None, here)]
        lost = any(one.said is None and one.is_passed_over(counting) for one in before)
        return Known(rules, again=Again.NOT_RECORDED if lost else None)
    # They have just said it, unless the contact is one that goes on for months, such as a thread of text messages.
    if deed.contact is not None and (said.channel, said.contact) == here and not is_stale(rules, said, deed):
        return Known(rules, said, Reuse.USE)
    if why := worthless(rules, said, deed):
        return Known(rules, again=why)
    if deed.assurance < rules.assurance:
        return Known(rules, again=Again.ASSURANCE_TOO_LOW)
    return Known(rules, said, rules.reuse)
