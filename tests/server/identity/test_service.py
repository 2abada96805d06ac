"""Each identifier leads to one profile, whoever asks at the same moment, and claims lead nowhere."""

import asyncio
from uuid import uuid4

import pytest

from steadylight_server.core.assurance import Assurance
from steadylight_server.core.errors import NotFound, Unavailable
from steadylight_server.identity import service as module
from steadylight_server.identity.models import Home, Key
from steadylight_server.identity.store import Taken
from tests.server.conftest import Slices


def logins(count: int) -> list[Key]:
    """That nobody has."""
    return [Key("login", f"C-{uuid4().hex}") for _ in range(count)]


async def test_a_first_sight_makes_a_profile_and_a_second_finds_it(house: Slices) -> None:
    (key,) = logins(1)

    made = await house.identity.resolve([key])
    found = await house.beside().identity.resolve([key])

    assert made == found
    assert list(made) == [key]
    assert made[key].version == 7
    customer = await house.identity.customer(made[key])
    assert (customer.id, customer.identifiers, customer.is_known) == (made[key], [key], True)


async def test_a_profile_that_was_found_once_is_remembered(house: Slices) -> None:
    keys = logins(3)
    made = await house.identity.resolve(keys)

    async with house.watched() as done:
        again = await house.identity.resolve(keys)
        one = await house.identity.profile(keys[0])

    assert again == made
    assert one == made[keys[0]]
    assert done == []


async def test_no_keys_resolve_to_nothing(house: Slices) -> None:
    assert await house.identity.resolve([]) == {}


async def test_known_and_new_keys_of_several_kinds_resolve_together(house: Slices) -> None:
    old, new = logins(2)
    number = Key("customer-number", old.value)
    made = await house.identity.resolve([old])

    found = await house.beside().identity.resolve([old, new, number])

    assert found[old] == made[old]
    assert len(set(found.values())) == 3


async def test_one_profile_is_made_whoever_asks_at_the_same_moment(house: Slices) -> None:
    processes = [house.beside(), house.beside()]
    for _ in range(3):
        keys = logins(2)

        found = await asyncio.gather(*(processes[number % 2].identity.resolve(keys) for number in range(50)))

        assert len({tuple(sorted(one.items())) for one in found}) == 1
        values = [key.value for key in keys]
        assert len(await house.documents("identifiers", value={"$in": values})) == 2
        assert len(await house.documents("profiles", value={"$in": values})) == 2


async def test_overlapping_sets_of_new_keys_give_one_profile_each(house: Slices) -> None:
    keys = logins(10)
    sets = [keys[start : start + 4] for start in range(7)]

    found = await asyncio.gather(*(house.beside().identity.resolve(some) for some in sets))

    assert len({pair for one in found for pair in one.items()}) == 10


async def test_keys_that_are_always_taken_are_unavailable_in_the_end(
    house: Slices, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def taken(*given: object) -> None:
        raise Taken

    monkeypatch.setattr(house.stores.identity, "add", taken)

    with pytest.raises(Unavailable, match="Too many first sights"):
        await house.identity.resolve(logins(1))


async def test_the_oldest_memories_are_forgotten_first(house: Slices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_REMEMBERED", 2)
    keys = logins(3)

    made = await house.identity.resolve(keys)

    assert list(house.identity._remembered) == keys[1:]
    assert await house.identity.profile(keys[0]) == made[keys[0]]


async def test_looking_makes_no_profile(house: Slices) -> None:
    (key,) = logins(1)

    assert await house.identity.profile(key) is None
    assert await house.documents("identifiers", value=key.value) == []


async def test_who_is_not_there_and_who_is_not_proven_are_told_alike(house: Slices) -> None:
    there, nobody = logins(2)
    await house.identity.resolve([there])
    told = set()

    for wrong in (
        house.identity.customer_by("login", there.value, Assurance.KNOWLEDGE),
        house.identity.customer_by("login", nobody.value, Assurance.LOGIN),
        house.identity.customer_by("device", there.value, Assurance.IN_PERSON),
        house.identity.customer_at(None),
        house.identity.customer_at(Home(nobody, [], [])),
        house.identity.customer(uuid4()),
    ):
        with pytest.raises(NotFound) as caught:
            await wrong
        told.add((caught.value.code, caught.value.message))

    assert told == {("NOT_FOUND", "No such customer, or not enough assurance to say so.")}


async def test_who_is_proven_is_found_in_any_spelling(house: Slices) -> None:
    address = f"{uuid4().hex}@example.org"
    made = await house.identity.resolve([Key("email", address)])

    customer = await house.identity.customer_by("email", f" {address.upper()} ", Assurance.OTP)

    assert customer.id == made[Key("email", address)]
