"""Contacts are the same whatever the order and repetition of the actions they are made of."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from steadylight_server.timeline.contacts import ENDED, GAP, ContactStore, contacts, recent_pipeline
from steadylight_server.timeline.models import IMPORTED, Action, Contact
from tests.factories import fact
from tests.server.conftest import Slices

START = datetime(2026, 11, 22, 9, tzinfo=UTC)  # the start of a slot, too
PROFILE = UUID(int=1)


def minute(number: float) -> datetime:
    return START + timedelta(minutes=number)


def ended(profile: UUID, at: float, outcome: Any, **fields: Any) -> Action:
    properties = {} if outcome is None else {"outcome": outcome}
    return fact(profile, type=ENDED, at=minute(at), properties=properties, **fields)


async def kept(shared: Slices, *batches: Sequence[Action]) -> list[Contact]:
    """The contacts that these batches make."""
    for batch in batches:
        await shared.stores.contacts.project(batch)
    profile = batches[0][0].profile_id
    return contacts(await shared.database.collection("contacts").aggregate(recent_pipeline([profile], 100)))


def told(found: Sequence[Contact]) -> list[tuple[str, str | None, datetime, datetime, str | None]]:
    return [(one.channel, one.key, one.first_at, one.last_at, one.outcome) for one in found]


async def test_a_contact_reaches_from_its_first_to_its_last_action(shared: Slices) -> None:
    profile = uuid4()
    late, early, middle = (fact(profile, contact="call-1", at=minute(at)) for at in (200, 3, 50))

    found = await kept(shared, [late], [early, middle])

    assert told(found) == [("web", "call-1", minute(3), minute(200), None)]


async def test_what_an_import_brought_is_no_contact(shared: Slices) -> None:
    profile = uuid4()

    found = await kept(shared, [fact(profile, type=IMPORTED, at=minute(1)), fact(profile, at=minute(9))])

    assert told(found) == [("web", None, minute(9), minute(9), None)]


async def test_the_same_key_in_another_channel_or_of_another_profile_is_another_contact(shared: Slices) -> None:
    profile, other = uuid4(), uuid4()

    found = await kept(
        shared,
        [
            fact(profile, contact="1", at=minute(2)),
            fact(profile, contact="1", at=minute(1), channel="ivr"),
            fact(other, contact="1", at=minute(1)),
        ],
    )

    assert told(found) == [("web", "1", minute(2), minute(2), None), ("ivr", "1", minute(1), minute(1), None)]


async def test_without_a_key_a_gap_parts_contacts(shared: Slices) -> None:
    profile = uuid4()
    just_under = GAP / timedelta(minutes=1) - 0.001

    found = await kept(
        shared, [fact(profile, at=minute(at)) for at in (5, 5 + just_under, 4 + 2 * just_under, 100, 130)]
    )

    assert told(found) == [
        ("web", None, minute(130), minute(130), None),
        ("web", None, minute(100), minute(100), None),
        ("web", None, minute(5), minute(4 + 2 * just_under), None),
    ]


async def test_a_contact_that_goes_on_across_slots_keeps_its_id(shared: Slices) -> None:
    profile = uuid4()
    (first,) = await kept(shared, [fact(profile, at=minute(29))])

    (both,) = await kept(shared, [fact(profile, at=minute(31))], [fact(profile, at=minute(59))])

    assert both.id == first.id
    assert (both.first_at, both.last_at) == (minute(29), minute(59))


async def test_a_keyed_contact_never_joins_a_keyless_one(shared: Slices) -> None:
    profile = uuid4()

    found = await kept(
        shared, [fact(profile, at=minute(1)), fact(profile, at=minute(32), contact="1"), fact(profile, at=minute(40))]
    )

    assert [(one.key, one.first_at) for one in found] == [(None, minute(40)), ("1", minute(32)), (None, minute(1))]


async def test_the_latest_end_says_the_outcome(shared: Slices) -> None:
    profile = uuid4()
    late = ended(profile, 9, "RESOLVED", contact="1")
    tie = ended(profile, 9, "ABANDONED", contact="1", sequence=late.sequence - 1)

    for batch in ([tie], [late], [tie, ended(profile, 5, "HANDED_OFF", contact="1")]):
        found = await kept(shared, batch)

    assert told(found) == [("web", "1", minute(5), minute(9), "RESOLVED")]


async def test_an_end_without_an_outcome_stands_for_itself(shared: Slices) -> None:
    profile, keyless = uuid4(), uuid4()

    keyed = await kept(shared, [ended(profile, 5, "RESOLVED", contact="1"), ended(profile, 35, None, contact="1")])
    joined = await kept(shared, [ended(keyless, 25, "RESOLVED"), ended(keyless, 35, None)])

    assert [one.outcome for one in keyed] == [None]
    assert [one.outcome for one in joined] == [None]


async def test_of_joined_pieces_the_latest_that_ended_says_the_outcome(shared: Slices) -> None:
    profile = uuid4()

    found = await kept(
        shared, [ended(profile, 5, "ABANDONED"), ended(profile, 31, "RESOLVED"), fact(profile, at=minute(60))]
    )

    assert told(found) == [("web", None, minute(5), minute(60), "RESOLVED")]


async def test_an_outcome_is_text_of_at_most_100_characters(shared: Slices) -> None:
    profile = uuid4()

    found = await kept(shared, [ended(profile, 1, "R" * 200, contact="1"), ended(profile, 2, 7, contact="2")])

    assert [one.outcome for one in found] == ["7", "R" * 100]


async def test_nothing_is_written_for_no_actions(shared: Slices) -> None:
    async with shared.watched() as done:
        await shared.stores.contacts.project([])

    assert done == []


async def test_servers_that_meet_a_contact_at_once_make_it_once(shared: Slices) -> None:
    for _ in range(5):
        profile = uuid4()
        actions = [fact(profile, contact="call-1", at=minute(at)) for at in range(24)]

        await asyncio.gather(*(ContactStore(shared.database).project([one]) for one in actions))

        assert told(await kept(shared, actions[:1])) == [("web", "call-1", minute(0), minute(23), None)]


async def test_a_contact_that_was_forgotten_goes_on(shared: Slices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steadylight_server.timeline.contacts._MOST_MET", 1)
    profile = uuid4()
    first, other, second = (fact(profile, contact=key, at=minute(at)) for key, at in (("1", 0), ("2", 5), ("1", 9)))

    found = await kept(shared, [first], [other], [second], [second])

    assert told(found) == [("web", "1", minute(0), minute(9), None), ("web", "2", minute(5), minute(5), None)]


async def test_the_latest_contacts_are_found_without_scanning(shared: Slices) -> None:
    ours, theirs = uuid4(), uuid4()
    await shared.stores.contacts.project(
        [
            fact(profile, contact=f"call-{number}", at=minute(number))
            for profile in (ours, theirs)
            for number in range(50)
        ]
    )

    one = await shared.plan({"aggregate": "contacts", "pipeline": recent_pipeline([ours], 10), "cursor": {}})
    both = await shared.plan({"aggregate": "contacts", "pipeline": recent_pipeline([ours, theirs], 10), "cursor": {}})

    assert one.returned == both.returned == 10
    assert one.is_frugal(1), one
    assert both.is_frugal(2), both


def piece(at: float, **fields: Any) -> dict[str, Any]:
    return {
        "_id": uuid4(),
        "profile_id": PROFILE,
        "channel": "web",
        "first_at": minute(at),
        "last_at": minute(at + 10),
        **fields,
    }


def test_pieces_may_come_in_any_order() -> None:
    one, two, three = piece(0), piece(30), piece(100)

    assert contacts([three, one, two]) == contacts([one, two, three])
    assert [(each.id, each.last_at) for each in contacts([two, three, one])] == [
        (three["_id"], minute(110)),
        (one["_id"], minute(40)),
    ]


moments = st.integers(0, 400).map(lambda tenth: tenth / 4)
actions = st.builds(
    lambda at, key, channel, outcome: (at, key, channel, outcome),
    moments,
    st.sampled_from([None, "1", "2"]),
    st.sampled_from(["web", "ivr"]),
    st.sampled_from([False, None, "RESOLVED", "ABANDONED"]),
)
told_actions = st.lists(actions, min_size=1, max_size=8)


def in_python(facts: Sequence[Action]) -> list[tuple[str, str | None, datetime, datetime, str | None]]:
    """The contacts by their definition: sorted, and parted by keys and gaps."""
    whole: list[list[Action]] = []
    for one in sorted(facts, key=lambda one: one.position):
        for contact in whole:
            same = (one.channel, one.contact) == (contact[-1].channel, contact[-1].contact)
            if same and (one.contact is not None or one.at - contact[-1].at < GAP):
                contact.append(one)
                break
        else:
            whole.append([one])
    found = []
    for contact in whole:
        ends = [one.properties.get("outcome") for one in contact if one.type == ENDED]
        found.append(
            (contact[0].channel, contact[0].contact, contact[0].at, contact[-1].at, ends[-1] if ends else None)
        )
    return found


def stored_as(profile: UUID, given: Sequence[tuple[float, str | None, str, Any]]) -> list[Action]:
    return [
        fact(
            profile,
            id=UUID(int=number),
            sequence=0,
            at=minute(at),
            contact=key,
            channel=channel,
            type="plan.viewed" if outcome is False else ENDED,
            properties={"outcome": outcome} if outcome else {},
        )
        for number, (at, key, channel, outcome) in enumerate(given)
    ]


def anonymous(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in ("_id", "profile_id")}


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told_actions.flatmap(lambda given: st.tuples(st.just(given), st.permutations([*range(len(given))] * 2))))
@example(([(25, None, "web", "RESOLVED"), (35, None, "web", None)], [0, 1, 1, 0]))
async def test_order_and_repetition_make_no_difference(
    shared: Slices, orders: tuple[list[tuple[float, str | None, str, Any]], list[int]]
) -> None:
    given, order = orders
    at_once, in_turn = (stored_as(uuid4(), given) for _ in range(2))

    found = await kept(shared, at_once)
    again = await kept(shared, *([in_turn[number]] for number in order))

    assert sorted(told(found), key=str) == sorted(in_python(at_once), key=str)
    assert sorted(told(again), key=str) == sorted(told(found), key=str)
    documents = [await shared.documents("contacts", profile_id=one[0].profile_id) for one in (at_once, in_turn)]
    assert sorted(map(anonymous, documents[0]), key=str) == sorted(map(anonymous, documents[1]), key=str)
