"""Profiles are joined by what proves them one, or by decision, and parted again: on the real database."""

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID, uuid4

import pytest

from steadylight_server.core.assurance import Assurance
from steadylight_server.core.errors import Conflict, NotFound
from steadylight_server.identity import store as module
from steadylight_server.identity.models import Evidence, Home, Identifier, Key, Refusal
from steadylight_server.identity.partition import partition
from tests.server.conftest import Slices

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
BY = {"role": "AGENT", "name": "a.singh"}


def keys(count: int, kind: str = "email") -> list[Key]:
    """That nobody has."""
    return [Key(kind, uuid4().hex) for _ in range(count)]


def proof(one: Key, other: Key, *, minutes: int = 0, assurance: Assurance = Assurance.OTP) -> Evidence:
    """An action that proved both."""
    return Evidence((one, other), assurance, AT + timedelta(minutes=minutes), uuid4())


async def customer(house: Slices, key: Key) -> UUID:
    """Of whom the key is, as another server sees it."""
    identity = house.beside().identity
    profile_id = await identity.profile(key)
    assert profile_id is not None
    return (await identity.customer(profile_id)).id


async def together(house: Slices, some: Sequence[Key]) -> list[set[Key]]:
    """Which of the keys are one customer, in the order of the keys."""
    found: dict[UUID, set[Key]] = {}
    for key in some:
        found.setdefault(await customer(house, key), set()).add(key)
    return list(found.values())


async def test_what_one_action_proves_is_one_customer_with_the_oldest_id(house: Slices) -> None:
    login, number, other = *keys(1, "login"), *keys(2, "customer-number")
    first = (await house.identity.resolve([number]))[number]

    await house.identity.prove([proof(login, number)])
    await house.identity.prove([proof(number, other)])

    assert await together(house, [login, number, other]) == [{login, number, other}]
    assert await customer(house, login) == first
    (link,) = [one for one in await house.identity.links.of([first]) if one.reason == "EVIDENCE"][:1]
    assert (link.assurance, link.at, link.is_active) == (Assurance.OTP, AT, True)


async def test_a_repetition_costs_no_query_and_changes_nothing(house: Slices) -> None:
    login, number = *keys(1, "login"), *keys(1, "customer-number")
    evidence = proof(login, number)
    await house.identity.prove([evidence])

    async with house.watched() as done:
        await house.identity.prove([evidence, proof(login, number, minutes=1)])
    await house.beside().identity.prove([proof(login, number, minutes=2)])

    assert done == []
    profile_id = (await house.identity.resolve([login]))[login]
    assert [link.at for link in await house.identity.links.of([profile_id])] == [AT]


async def test_earlier_evidence_that_comes_late_takes_its_place(house: Slices) -> None:
    ann, shared, ben = *keys(1, "login"), *keys(1), *keys(1, "login")
    await house.identity.prove([proof(ann, shared, minutes=5)])
    await house.identity.prove([proof(ben, shared, minutes=9)])
    before = await together(house, [ann, shared, ben])

    await house.beside().identity.prove([proof(ben, shared, minutes=1)])

    assert before == [{ann, shared}, {ben}]
    assert await together(house, [ann, shared, ben]) == [{ann}, {shared, ben}]
    refused = [link.profile_ids for link in await house.identity.links.conflicts(1_000)]
    ids = await house.identity.resolve([ann, shared])
    assert tuple(sorted(ids.values())) in refused


async def test_a_decision_joins_and_taking_it_back_parts(house: Slices) -> None:
    ann, ben = *keys(1, "login"), *keys(1, "customer-number")
    ids = await house.identity.resolve([ann, ben])
    id = uuid4()

    link = await house.identity.links.decide((ids[ann], ids[ben]), id=id, by=BY, why="same passport")
    again = await house.beside().identity.links.decide((ids[ann], ids[ben]), id=id, by=BY, why="same passport")
    joined = await together(house, [ann, ben])
    retired = await house.identity.links.retire(id, by=BY, why="two people after all")
    twice = await house.beside().identity.links.retire(id, by=BY, why="again")

    assert link == again
    assert joined == [{ann, ben}]
    assert await together(house, [ann, ben]) == [{ann}, {ben}]
    assert retired == twice
    (kept,) = await house.identity.links.of([ids[ann]])
    assert (kept.why, kept.retired_why, kept.retired_by, kept.is_active) == (
        "same passport",
        "two people after all",
        BY,
        False,
    )


async def test_a_decision_that_breaks_a_rule_changes_nothing(house: Slices) -> None:
    ann, ben = keys(2, "login")
    ids = await house.identity.resolve([ann, ben])

    with pytest.raises(Conflict, match="more of one kind"):
        await house.identity.links.decide((ids[ann], ids[ben]), id=uuid4(), by=BY, why="")

    assert await together(house, [ann, ben]) == [{ann}, {ben}]
    assert await house.identity.links.of(list(ids.values())) == []


async def test_an_operation_id_is_for_one_thing(house: Slices) -> None:
    some = keys(3)
    ids = list((await house.identity.resolve(some)).values())
    id = uuid4()
    await house.identity.links.decide((ids[0], ids[1]), id=id, by=BY, why="")

    with pytest.raises(Conflict, match="something else"):
        await house.identity.links.decide((ids[0], ids[2]), id=id, by=BY, why="")
    with pytest.raises(NotFound):
        await house.identity.links.retire(uuid4(), by=BY, why="")


async def test_what_an_employee_parted_no_later_action_joins(house: Slices) -> None:
    ann, ben = *keys(1, "login"), *keys(1, "customer-number")
    await house.identity.prove([proof(ann, ben)])
    ids = await house.identity.resolve([ann, ben])
    (link,) = await house.identity.links.of([ids[ann]])

    await house.identity.links.retire(link.id, by=BY, why="mistyped")
    await house.beside().identity.prove([proof(ann, ben, minutes=-9, assurance=Assurance.IN_PERSON)])

    assert await together(house, [ann, ben]) == [{ann}, {ben}]


async def test_an_identifier_that_everybody_has_joins_nobody_more(
    house: Slices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_AROUND", 5)
    shared, logins = *keys(1), keys(12, "login")

    for number, login in enumerate(logins):
        await house.identity.prove([proof(login, shared, minutes=number)])

    assert (await together(house, [shared, *logins]))[0] == {shared, logins[0]}
    ids = await house.identity.resolve([shared])
    refusals = [link.refusal for link in await house.identity.links.of(ids.values())]
    assert refusals[0] is None
    assert set(refusals[1:]) == {Refusal.TOO_MANY_OF_A_KIND, Refusal.TOO_MANY_PROFILES}


async def test_of_two_links_of_one_action_the_same_one_counts_whoever_was_seen_first(house: Slices) -> None:
    """They contradict each other, of two logins, and are equally sure and old: their place in the action decides."""
    for number in range(8):
        mine, logins, mails = keys(1, "customer-number")[0], keys(2, "login"), sorted(keys(2))
        for key in (*logins, *mails)[:: 1 if number % 2 else -1]:
            await house.identity.resolve([key])
        surer = [proof(login, mail, assurance=Assurance.LOGIN) for login, mail in zip(logins, mails, strict=True)]
        told = Home(mine, [Identifier(*key, Assurance.OTP) for key in (mine, *mails)], []).evidence(AT, uuid4())
        every = [*surer, *told]
        random.shuffle(every)

        for one in every:
            await house.beside().identity.prove([one])

        assert await together(house, [mine, *logins, *mails]) == [{mine, logins[0], mails[0]}, {logins[1], mails[1]}]


async def test_what_thousands_have_costs_no_crowd_for_each(house: Slices, monkeypatch: pytest.MonkeyPatch) -> None:
    """A switchboard's number that nobody blocked: once it is known for a crowd, its links are kept and that is all."""
    monkeypatch.setattr(module, "_MOST_AROUND", 5)
    shared, logins = *keys(1), keys(40, "login")
    for number, login in enumerate(logins[:12]):
        await house.identity.prove([proof(login, shared, minutes=number)])

    some = [proof(login, shared, minutes=number) for number, login in enumerate(logins[12:], 12)]
    async with house.watched() as done:
        await house.identity.prove(some)
        await house.identity.prove(some)

    ids = await house.identity.resolve([shared])
    refused = [link.refusal for link in await house.identity.links.of(ids.values())]
    assert len(refused) == 40
    assert set(refused[12:]) == {Refusal.TOO_MANY_PROFILES}
    assert [one["op"] for one in done if one["ns"].endswith(".links")] == ["insert"]


async def test_many_pairs_of_one_batch_are_joined_together(house: Slices) -> None:
    logins, numbers = keys(120, "login"), keys(120, "customer-number")

    await house.identity.prove([proof(one, other) for one, other in zip(logins, numbers, strict=True)])

    assert all(len(one) == 2 for one in await together(house, [*logins[:5], *numbers[:5]]))


async def test_overlapping_chains_joined_and_parted_at_once_come_out_as_computed(house: Slices) -> None:
    processes = [house.beside(), house.beside()]
    for _ in range(3):
        some = [*keys(8), *keys(2, "login")]
        random.shuffle(some)
        ids = await house.identity.resolve(some)
        links = [proof(one, other, minutes=random.randrange(9)) for one, other in pairwise(some)]

        await asyncio.gather(
            *(
                processes[number % 2].identity.prove([evidence])
                for number, evidence in enumerate([*links, *random.sample(links, 4)])
            )
        )
        found = await house.identity.links.of(ids.values())
        await asyncio.gather(
            *(
                processes[number % 2].identity.links.retire(link.id, by=BY, why="")
                for number, link in enumerate(random.sample(found, 3))
            )
        )

        stored = await house.identity.links.of(ids.values())
        profiles = [one for id in ids.values() for one in (await house.identity.customer(id)).profiles if one.id == id]
        assert len(stored) == len(links)
        assert len([link for link in stored if link.is_retired]) == 3
        outcome = partition(profiles, stored, house.identity.kinds.most)
        assert {one.id: one.customer_id for one in profiles} == outcome.customer_ids
        assert {link.id: link.refusal for link in stored if link.refusal} == outcome.refused


async def test_a_crowd_changes_nothing_of_a_link_that_is_there(house: Slices, monkeypatch: pytest.MonkeyPatch) -> None:
    shared, logins = *keys(1), keys(8, "login")
    for number, login in enumerate(logins):
        await house.identity.prove([proof(login, shared, minutes=number)])
    ids = await house.identity.resolve([shared, logins[0]])
    (link,) = [one for one in await house.identity.links.of(ids.values()) if set(one.profile_ids) == set(ids.values())]
    monkeypatch.setattr(module, "_MOST_AROUND", 2)

    await house.beside().identity.prove([proof(logins[0], shared, minutes=-9)])
    with pytest.raises(Conflict, match="cannot be worked out"):
        await house.identity.links.retire(link.id, by=BY, why="")

    assert link in await house.identity.links.of(ids.values())
    assert (await together(house, [shared, *logins]))[0] == {shared, logins[0]}


async def test_conflicts_are_found_by_index(house: Slices) -> None:
    ann, shared, ben = *keys(1, "login"), *keys(1), *keys(1, "login")
    await house.identity.prove([proof(ann, shared), proof(ben, shared, minutes=1)])

    query = {"refusal": {"$exists": True}, "reason": {"$ne": "PERSONA"}, "retired_at": {"$exists": False}}
    plan = await house.plan({"find": "links", "filter": query, "sort": {"made_at": 1}, "limit": 1})

    assert plan.is_frugal(), plan
    assert plan.returned == 1
