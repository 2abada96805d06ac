"""Identifiers and profiles: found by index, made together or not at all."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from steadylight_server.core.ids import uuid7
from steadylight_server.identity.models import Key
from steadylight_server.identity.store import Taken
from tests.server.conftest import Slices

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def fresh(*kinds: str) -> dict[Key, UUID]:
    return {Key(kind, uuid4().hex): uuid7() for kind in kinds}


async def test_identifiers_are_found_in_one_cheap_round_trip(house: Slices) -> None:
    made = fresh("login", "login", "email")
    await house.stores.identity.add(made, AT)
    await house.stores.identity.add(fresh(*["login", "email"] * 20), AT)

    async with house.watched() as done:
        found = await house.stores.identity.profile_ids([*made, Key("phone", "1"), Key("login", "nobody")])

    assert found == made
    (one,) = done
    assert (one["nreturned"], one["docsExamined"]) == (3, 3)
    assert one["keysExamined"] <= 2 * 3 + 3  # each kind is a range of its own
    assert "COLLSCAN" not in one["planSummary"]


async def test_one_identifier_is_one_key(house: Slices) -> None:
    (key, id), *_ = fresh("login").items()
    await house.stores.identity.add({key: id}, AT)

    async with house.watched() as done:
        await house.stores.identity.profile_ids([key])
        await house.stores.identity.profile_ids([])

    assert [(one["nreturned"], one["keysExamined"]) for one in done] == [(1, 1)]


async def test_a_family_is_found_by_any_of_its_profiles_oldest_first(house: Slices) -> None:
    first, second, third = uuid7(), uuid7(), uuid7()
    for number, id in enumerate((second, third, first)):
        await house.stores.identity.add({Key("login", id.hex): id}, AT - timedelta(days=number))
    # Links come later; a family of several has one customer id by then.
    await house.database.raw["profiles"].update_many(
        {"_id": {"$in": [first, second, third]}}, {"$set": {"customer_id": first}}
    )

    async with house.watched() as done:
        family = await house.stores.identity.family(third)

    assert [one.id for one in family] == [first, third, second]
    assert {one.customer_id for one in family} == {first}
    assert family[0].key == Key("login", first.hex)
    (one,) = done
    assert one["keysExamined"] <= 2 * 3 + 1
    assert one["docsExamined"] == 1 + 3


async def test_nobody_has_no_family(house: Slices) -> None:
    assert await house.stores.identity.family(uuid4()) == []


async def test_profiles_are_made_all_or_none(house: Slices) -> None:
    taken, free = fresh("login"), fresh("login")
    await house.stores.identity.add(taken, AT)

    with pytest.raises(Taken):
        await house.stores.identity.add({**free, **dict.fromkeys(taken, uuid7())}, AT)

    (wanted,) = free
    assert await house.stores.identity.profile_ids([wanted, *taken]) == taken
    assert await house.documents("profiles", value=wanted.value) == []
