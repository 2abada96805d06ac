"""Laws of short forms, each shown for one made-up context with its answers.

    budget     a message is one line of at most 160 characters of GSM 03.38, a card at most 5 lines of at most 100
    redacted   a message shows nothing that is not PUBLIC, a card nothing that is SECRET, and neither an identifier, a
               trait, a property of an action, a contact's key, or more of an answer than is given
    order      the same context gives the same words, in whatever order its parts come

What must not be seen begins with a mark that nothing else has, so that a piece of it is seen, too. `hold` checks all
three; a hundred contexts are looked at with the tests, more as a proof.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from hypothesis import strategies as st

from steadylight_server.context import brief
from steadylight_server.context.models import Context
from steadylight_server.core import gsm
from steadylight_server.core.assurance import Assurance
from steadylight_server.identity.models import Customer, Identifier, Key, Profile
from steadylight_server.journeys.models import (
    Answer,
    Category,
    Journey,
    JourneyType,
    Listed,
    Question,
    Sensitivity,
    Status,
)
from steadylight_server.timeline.models import Contact
from tests.factories import fact

T = TypeVar("T")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
NEVER, NOT_IN_A_MESSAGE = "QZXN", "QZXM"
_SAMPLES = (
    "Add broadband",
    "Störung in der Straße",
    "š“Čech”… – €5 [x]",
    "Полный адрес",
    "😀 " * 30,
    "a\u202eb\x00\n\tc",
    "{[~]}^|\\" * 20,
    "x" * 300,
    "one two three " * 30,
    "",
)


@dataclass(frozen=True)
class World:
    """A context, what may be told of its journeys, the contact under way, and how all of it is shuffled."""

    context: Context
    answers: Mapping[Any, Sequence[Answer]]
    here: tuple[str, str | None]
    seed: int


def _marked(mark: str) -> st.SearchStrategy[str]:
    return st.sampled_from(_SAMPLES).map(lambda text: f"{mark} {text}")


_text = st.sampled_from(_SAMPLES) | st.text(max_size=60).filter(lambda text: "qz" not in gsm.written(text).lower())
# Few, and one of them often, so that many things are of one moment.
_time = st.sampled_from([3_540] * 6 + [0, 60, 86_400, 604_800, 700_000, 40_000_000, -60]).map(
    lambda seconds: NOON - timedelta(seconds=seconds)
)
_level = st.sampled_from(Assurance)
_channel = st.sampled_from(["web", "contact-centre", "ivr", "a" * 50])
_PUBLIC, _PERSONAL, _SECRET = (Question(one.value.lower(), sensitivity=one) for one in Sensitivity)
_QUESTIONS = {one.name: one for one in (_PUBLIC, _PERSONAL, _SECRET)}
_type = st.builds(
    JourneyType,
    st.sampled_from(["add-broadband", "фото", "x_y", "x" * 50]),
    label=_text,
    category=st.sampled_from(Category),
    steps=st.just(("address", "install-date")),
    questions=st.just(_QUESTIONS),
    resume=_level,
    resume_in=st.dictionaries(_channel, _level, max_size=3),
)
_journey = st.builds(
    Journey,
    st.uuids(),
    st.uuids(),
    _type,
    st.just("") | _marked(NOT_IN_A_MESSAGE),
    st.sampled_from([Status.OPEN, Status.OPEN, Status.WAITING, *Status]),
    _time,
    _channel,
    _time,
    step=st.none() | st.sampled_from(["address", "install-date"]) | _marked(NOT_IN_A_MESSAGE),
    changed_in=st.none() | _channel,
    outcome=st.none() | _marked(NEVER),
    stalled_at=st.none() | _time,
)
_listed = st.builds(Listed, _journey, st.sampled_from([None, None, None, UUID(int=1)]))
_values: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers() | st.floats() | _text


def _wrapped(text: str) -> st.SearchStrategy[Any]:
    return st.sampled_from([text, [text], {"is": text}])


def _answer(question: str, value: st.SearchStrategy[Any]) -> st.SearchStrategy[Answer]:
    return st.builds(
        Answer,
        st.just(question),
        value,
        _time,
        _channel,
        st.none() | _marked(NEVER),
        _level,
        st.uuids(),
        _marked(NEVER),
    )


_said = st.one_of(
    _answer(_PUBLIC.name, _values | st.lists(_text, max_size=2)),
    _answer(_PERSONAL.name, _marked(NOT_IN_A_MESSAGE).flatmap(_wrapped)),
    _answer("undeclared", _marked(NOT_IN_A_MESSAGE).flatmap(_wrapped)),
    _answer(_SECRET.name, _marked(NEVER).flatmap(_wrapped)),
)
_contact = st.builds(
    Contact,
    st.uuids(),
    st.uuids(),
    _channel,
    st.none() | _marked(NEVER),
    _time,
    _time,
    st.booleans(),
    st.none() | _marked(NOT_IN_A_MESSAGE),
)
_identifier = st.builds(Identifier, st.just("login"), _marked(NEVER), _level)
_customer = st.builds(
    lambda id, at, login: Customer(id, [Profile(id, id, Key("login", login), at)]), st.uuids(), _time, _marked(NEVER)
)
_action = st.builds(
    lambda id, at, told: fact(
        id,
        at=at,
        contact=told,
        agent=told,
        properties={"outcome": told},
        traits={"plan": told},
        identifiers=(Identifier("login", told, Assurance.LOGIN),),
    ),
    st.uuids(),
    _time,
    _marked(NEVER),
)
_context = st.builds(
    Context,
    st.none() | _customer,
    st.none(),
    _level,
    st.lists(_identifier, max_size=2),
    st.lists(_action, max_size=2),
    st.lists(_contact, max_size=4),
    st.just(()),
    st.lists(_listed, max_size=8, unique_by=lambda one: one.journey.id),
    st.just({}),
    st.just(NOON),
    st.just(NEVER),
)


def _worlds(context: Context) -> st.SearchStrategy[World]:
    ids = [one.journey.id for one in context.journeys]
    answers = st.fixed_dictionaries({id: st.lists(_said, max_size=5) for id in ids})
    here = st.sampled_from([("web", None), *((one.channel, one.key) for one in context.contacts)])
    return st.builds(World, st.just(context), answers, here, st.integers(0, 99))


worlds = _context.flatmap(_worlds)


def hold(world: World) -> None:
    """Raises AssertionError where a law does not hold."""
    message, card = brief.sms(world.context, world.answers), brief.card(world.context, world.answers, world.here)

    assert 0 < gsm.length(message) <= 160
    assert set(message) <= gsm.BASIC | gsm.EXTENSION
    assert 0 < len(card) <= 5
    assert all(0 < len(line) <= 100 and line.isprintable() for line in card)
    assert not {one for one in (NEVER, NOT_IN_A_MESSAGE) if one in message}
    assert NEVER not in " ".join(card)
    other = _shuffled(world)
    assert brief.sms(other.context, other.answers) == message
    assert brief.card(other.context, other.answers, other.here) == card


def _shuffled(world: World) -> World:
    order = random.Random(world.seed)
    context = world.context

    def again(parts: Sequence[T]) -> list[T]:
        return order.sample(parts, len(parts))

    mixed = replace(
        context,
        claims=again(context.claims),
        actions=again(context.actions),
        contacts=again(context.contacts),
        journeys=again(context.journeys),
    )
    return replace(world, context=mixed, answers={id: again(world.answers[id]) for id in again([*world.answers])})
