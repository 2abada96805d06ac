"""Keys: shown once, stored as a hash, good until they end."""

import asyncio
import hashlib
import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from steadylight_server.access.gate import Gate
from steadylight_server.access.models import ADMIN_SCOPES, CHANNEL_SCOPES, ChannelKind, Scope
from steadylight_server.access.service import AccessService
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.errors import Conflict, Invalid, NotFound, Unauthenticated
from tests.factories import BY, viewer
from tests.server.conftest import Slices

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
SELF_SERVICE, ASSISTED = ChannelKind.SELF_SERVICE, ChannelKind.ASSISTED
ADMIN = viewer(None, scopes=ADMIN_SCOPES)


@pytest.fixture
def access(house: Slices) -> AccessService:
    """With a clock that stands still."""
    house.clock.at = AT
    return house.access


@pytest.fixture
def gate(house: Slices, access: AccessService) -> Gate:
    """Remembers nothing, since nobody refreshes it."""
    return house.gate


@pytest.fixture
async def web(access: AccessService) -> str:
    """The name of a channel of one's own."""
    return (await access.add_channel(f"web-{uuid4().hex[:12]}", SELF_SERVICE, by=BY)).name


async def test_a_channel_is_as_it_was_added(access: AccessService) -> None:
    name = f"desk-{uuid4().hex[:12]}"

    added = await access.add_channel(name, ASSISTED, by=BY)

    assert (added.kind, added.highest_assurance, added.created_at) == (ASSISTED, Assurance.IN_PERSON, AT)
    assert await access.channel(name) == added
    assert added in await access.channels()


async def test_channels_are_listed_by_name(access: AccessService) -> None:
    for letter in "bca":
        await access.add_channel(f"{letter}-{uuid4().hex[:12]}", SELF_SERVICE, by=BY)

    names = [one.name for one in await access.channels()]

    assert names == sorted(names)


async def test_a_channels_assurance_can_be_lowered(access: AccessService) -> None:
    added = await access.add_channel(
        f"ivr-{uuid4().hex[:12]}", SELF_SERVICE, highest_assurance=Assurance.CALLER_ID, by=BY
    )

    assert added.highest_assurance is Assurance.CALLER_ID


@pytest.mark.parametrize("name", ["", "Web", "1web", "we b", "web_shop", "w" * 51, "web\n"])
async def test_what_is_no_name_is_invalid(access: AccessService, name: str) -> None:
    with pytest.raises(Invalid, match="1 to 50 lower-case letters"):
        await access.add_channel(name, SELF_SERVICE, by=BY)


async def test_the_longest_name_is_taken(access: AccessService) -> None:
    name = f"w{uuid4().hex}".ljust(50, "x")

    assert (await access.add_channel(name, SELF_SERVICE, by=BY)).name == name


async def test_a_taken_name_is_a_conflict(access: AccessService, web: str) -> None:
    with pytest.raises(Conflict, match=f"There is a channel called {web} already"):
        await access.add_channel(web, SELF_SERVICE, by=BY)


async def test_a_channel_that_is_not_there_is_not_found(access: AccessService) -> None:
    with pytest.raises(NotFound, match="steadylight channel add nowhere"):
        await access.channel("nowhere")
    with pytest.raises(NotFound):
        await access.add_key("nowhere", by=BY)
    with pytest.raises(NotFound):
        await access.rotate("nowhere", overlap=timedelta(), by=BY)


async def test_a_key_opens_its_channel(access: AccessService, gate: Gate, web: str) -> None:
    credential, key = await access.add_key(web, by=BY)

    who = await gate.key(key)

    assert re.fullmatch(r"sl_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", key)
    assert key.split("_")[1] == credential.id
    assert who.credential == credential.id
    assert (who.channel, who.highest_assurance) == (web, Assurance.LOGIN)
    assert credential.scopes == CHANNEL_SCOPES == {Scope.ACTIONS_WRITE, Scope.CUSTOMERS_READ}


async def test_a_key_may_have_fewer_scopes(access: AccessService, gate: Gate, web: str) -> None:
    _, key = await access.add_key(web, scopes=frozenset({Scope.ACTIONS_WRITE}), by=BY)

    assert (await gate.key(key)).scopes == {Scope.ACTIONS_WRITE}


async def test_an_admins_key_has_no_channel(access: AccessService, gate: Gate) -> None:
    credential, key = await access.add_key(None, by=BY)

    who = await gate.key(key)

    assert (who.channel, who.highest_assurance) == (None, Assurance.IN_PERSON)
    assert credential.scopes == ADMIN_SCOPES == {Scope.CUSTOMERS_READ, Scope.CHANNELS_REGISTER}
    assert credential in await access.keys(None)


async def test_the_hash_of_a_key_is_stored_and_never_the_key(access: AccessService, house: Slices, web: str) -> None:
    credential, key = await access.add_key(web, by=BY)

    (document,) = await house.documents("credentials", _id=credential.id)

    assert document == {
        "_id": credential.id,
        "kind": "sl",
        "role": "CHANNEL",
        "channel": web,
        "hash": hashlib.sha256(key.encode()).digest(),
        "scopes": ["actions:write", "customers:read"],
        "created_at": AT,
    }
    assert key.rpartition("_")[2] not in str(await house.documents("credentials"))


async def test_unknown_expired_and_revoked_keys_are_told_alike(
    access: AccessService, gate: Gate, house: Slices, web: str
) -> None:
    _, good = await access.add_key(web, by=BY)
    _, expired = await access.add_key(web, by=BY)
    await access.rotate(web, overlap=timedelta(seconds=10), by=BY)
    revoked_credential, revoked = await access.add_key(web, by=BY)
    await access.revoke(revoked_credential.id, by=BY)
    house.clock.at = AT + timedelta(seconds=10)
    other_secret = good[:-43] + "x" * 43
    told = set()

    for key in (
        expired,
        revoked,
        other_secret,
        "sl_000000000000_" + "x" * 43,
        "password",
        "",
        "sl_\ud800",
        good + "\n",
    ):
        with pytest.raises(Unauthenticated) as caught:
            await gate.key(key)
        told.add((caught.value.code, caught.value.message))

    assert len(told) == 1
    assert told.pop()[0] == "UNAUTHENTICATED"


async def test_rotating_lets_the_old_key_live_for_the_overlap(
    access: AccessService, gate: Gate, house: Slices, web: str
) -> None:
    old_credential, old = await access.add_key(web, by=BY)

    new_credential, new = await access.rotate(web, overlap=timedelta(hours=1), by=BY)
    house.clock.at = AT + timedelta(minutes=59)
    both = [(await gate.key(key)).credential for key in (old, new)]
    house.clock.at = AT + timedelta(hours=1)

    assert both == [old_credential.id, new_credential.id]
    with pytest.raises(Unauthenticated):
        await gate.key(old)
    assert (await gate.key(new)).channel == web


async def test_rotating_again_prolongs_nothing_and_leaves_ended_keys_alone(
    access: AccessService, house: Slices, web: str
) -> None:
    revoked, _ = await access.add_key(web, by=BY)
    await access.revoke(revoked.id, by=BY)
    old, _ = await access.add_key(web, by=BY)
    second, _ = await access.rotate(web, overlap=timedelta(minutes=1), by=BY)

    third, _ = await access.rotate(web, overlap=timedelta(hours=1), by=BY)

    ends = {one.id: (one.expires_at, one.revoked_at) for one in await access.keys(web)}
    assert ends == {
        revoked.id: (None, AT),
        old.id: (AT + timedelta(minutes=1), None),
        second.id: (AT + timedelta(hours=1), None),
        third.id: (None, None),
    }


async def test_nobody_gains_a_scope_by_rotating(access: AccessService, web: str) -> None:
    await access.add_key(web, scopes=frozenset({Scope.CUSTOMERS_READ}), by=BY)

    credential, _ = await access.rotate(web, overlap=timedelta(), by=BY)

    assert credential.scopes == {Scope.CUSTOMERS_READ}


async def test_rotating_without_a_key_makes_a_usual_one(access: AccessService, web: str) -> None:
    credential, _ = await access.rotate(web, overlap=timedelta(), by=BY)

    assert credential.scopes == CHANNEL_SCOPES


async def test_a_revoked_key_stays_revoked_since_the_first_time(access: AccessService, house: Slices, web: str) -> None:
    credential, _ = await access.add_key(web, by=BY)
    await access.revoke(credential.id, by=BY)
    house.clock.at = AT + timedelta(days=1)

    await access.revoke(credential.id, by=BY)

    assert [one.revoked_at for one in await access.keys(web)] == [AT]


async def test_revoking_what_is_not_there_is_not_found(access: AccessService) -> None:
    with pytest.raises(NotFound, match="There is no key or session with the id 000000000000"):
        await access.revoke("000000000000", by=BY)


async def test_keys_are_listed_oldest_first(access: AccessService, house: Slices, web: str) -> None:
    made = []
    for minutes in (5, 1, 3):
        house.clock.at = AT + timedelta(minutes=minutes)
        made.append((await access.add_key(web, by=BY))[0])

    assert await access.keys(web) == [made[1], made[2], made[0]]


async def test_registering_again_gives_the_same_channel_and_another_key(access: AccessService, gate: Gate) -> None:
    name = f"chat-{uuid4().hex[:12]}"

    first, key = await access.register(ADMIN, name, SELF_SERVICE)
    second, other = await access.register(ADMIN, name, SELF_SERVICE, highest_assurance=Assurance.LOGIN)

    assert first == second
    assert key != other
    assert [(await gate.key(one)).channel for one in (key, other)] == [name, name]


async def test_registering_as_something_else_is_a_conflict(access: AccessService, web: str) -> None:
    for kind, assurance in ((ASSISTED, None), (SELF_SERVICE, Assurance.OTP)):
        with pytest.raises(Conflict):
            await access.register(ADMIN, web, kind, highest_assurance=assurance)

    assert await access.keys(web) == []


async def test_one_channel_is_made_whoever_registers_it_at_the_same_moment(access: AccessService) -> None:
    name = f"chat-{uuid4().hex[:12]}"

    made = await asyncio.gather(*(access.register(ADMIN, name, SELF_SERVICE) for _ in range(10)))

    assert len({channel for channel, _ in made}) == 1
    assert len({key for _, key in made}) == 10


async def test_a_secret_is_made_once_whoever_asks_first(house: Slices) -> None:
    name = f"token-{uuid4().hex}"

    made = await asyncio.gather(*(house.beside().access.secret(name) for _ in range(20)))

    assert len(set(made)) == 1
    assert len(made[0]) == 32
    assert await house.access.secret(name) == made[0]
    assert await house.access.secret(f"{name}-other") != made[0]
