"""Keys: shown once, stored as a hash, good until they end."""

import asyncio
import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from steadylight_server.access.gate import Gate
from steadylight_server.access.models import ADMIN_SCOPES, CHANNEL_SCOPES, ChannelKind, CredentialKind, Role, Scope
from steadylight_server.access.service import AccessService
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.audit import Audit, AuditStore
from steadylight_server.core.errors import Conflict, Invalid, NotFound, Unauthenticated, Unavailable
from tests.factories import BY, viewer
from tests.server.conftest import Slices

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
SELF_SERVICE, ASSISTED = ChannelKind.SELF_SERVICE, ChannelKind.ASSISTED
GONE = {"errorCode": 50}
ADMIN = viewer(None, scopes=ADMIN_SCOPES)


class Failing(AuditStore):
    """The audit in a database that answers so many times more."""

    def __init__(self, of: AuditStore, *, after: int) -> None:
        super().__init__(of.database)
        self._left = after

    async def append(self, deeds: Sequence[Any]) -> None:
        if not self._left:
            raise Unavailable("The database cannot answer now.")
        self._left -= 1
        await super().append(deeds)


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
    assert credential.scopes == ADMIN_SCOPES == set(Scope) - {Scope.ACTIONS_WRITE}
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


async def test_those_that_are_there_are_revoked_beside_one_that_is_not(
    access: AccessService, gate: Gate, web: str
) -> None:
    keys = [(await access.add_key(web, by=BY))[1] for _ in range(2)]
    first, last = (key.split("_")[1] for key in keys)

    with pytest.raises(NotFound, match="the id 000000000000"):
        await access.revoke(first, "000000000000", last, by=BY)

    for key in keys:
        with pytest.raises(Unauthenticated):
            await gate.key(key)


async def test_a_key_is_revoked_although_the_audit_cannot_be_written(
    access: AccessService, gate: Gate, house: Slices, web: str
) -> None:
    credential, key = await access.add_key(web, by=BY)

    async with house.failing("find", collection="audit_head", **GONE):
        with pytest.raises(Unavailable, match=f"{credential.id} is ended, but the audit log does not say so yet"):
            await access.revoke(credential.id, by=BY)
    with pytest.raises(Unauthenticated):
        await gate.key(key)
    await access.revoke(credential.id, by=BY)

    assert ("key.revoked", credential.id) in await deeds(house)


async def test_no_key_ends_before_that_is_audited(access: AccessService, house: Slices, web: str) -> None:
    old = [(await access.add_key(web, by=BY))[0] for _ in range(2)]
    # The first note is the new key's, the second and third are those of the keys that end.
    audit = Audit(Failing(house.stores.audit, after=1))
    hindered = AccessService(house.stores.access, audit, clock=house.clock)

    with pytest.raises(Unavailable, match="so nothing was done"):
        await hindered.rotate(web, overlap=timedelta(), by=BY)

    ends = {one.id: one.expires_at for one in await access.keys(web)}
    assert [ends[one.id] for one in old] == [None, None]


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


async def deeds(house: Slices) -> list[tuple[str, str]]:
    """What was audited, and of what, oldest first."""
    return [(one["deed"], one["why"]) for one in await house.documents("audit")]


async def test_whatever_is_made_or_ended_is_audited(access: AccessService, house: Slices) -> None:
    name, before = f"web-{uuid4().hex[:12]}", len(await deeds(house))

    await access.add_channel(name, SELF_SERVICE, by=BY)
    first, _ = await access.add_key(name, by=BY)
    second, _ = await access.rotate(name, overlap=timedelta(hours=1), by=BY)
    await access.revoke(second.id, by=BY)
    link, secret = await access.add_link(Role.AGENT, "A. Singh", channel=name, by=BY)
    session, _ = await access.sign_in(secret)
    await access.revoke(session.id, by=BY)

    assert (await deeds(house))[before:] == [
        ("channel.added", name),
        ("key.added", f"{first.id} of {name}"),
        ("key.added", f"{second.id} of {name}"),
        ("key.ending", first.id),
        ("key.revoked", second.id),
        ("link.added", f"{link.id} of A. Singh"),
        ("session.added", f"{session.id} of A. Singh"),
        ("session.revoked", session.id),
    ]


async def test_what_is_not_audited_is_not_good(access: AccessService, house: Slices, web: str) -> None:
    _, link = await access.add_link(Role.ADMIN, "ann", by=BY)
    before = {one["_id"] for one in await house.documents("credentials")}

    async with house.failing("find", collection="audit_head", **GONE):
        for make in (
            access.add_key(web, by=BY),
            access.rotate(web, overlap=timedelta(), by=BY),
            access.add_link(Role.ADMIN, "ann", by=BY),
            access.sign_in(link),
        ):
            with pytest.raises(Unavailable, match="so nothing was done"):
                await make

    assert {one["_id"] for one in await house.documents("credentials")} == before


async def test_a_link_opens_one_session_whoever_is_first(access: AccessService, house: Slices) -> None:
    credential, link = await access.add_link(Role.ADMIN, "ann", by=BY)

    opened = await asyncio.gather(*(house.beside().access.sign_in(link) for _ in range(10)), return_exceptions=True)

    (session,) = [one[0] for one in opened if not isinstance(one, BaseException)]
    assert {type(one) for one in opened if isinstance(one, BaseException)} == {Unauthenticated}
    assert (session.kind, session.role, session.name) == (CredentialKind.SESSION, Role.ADMIN, "ann")
    assert (session.created_at, session.expires_at) == (AT, AT + timedelta(hours=8))
    assert session in await access.sessions()
    assert credential.id not in [one.id for one in await access.sessions()]


async def test_a_link_is_good_for_an_hour(access: AccessService, house: Slices) -> None:
    _, link = await access.add_link(Role.ADMIN, "ann", by=BY)
    _, other = await access.add_link(Role.ADMIN, "ann", by=BY)

    house.clock.at = AT + timedelta(minutes=59, seconds=59)
    await access.sign_in(other)
    house.clock.at = AT + timedelta(hours=1)

    with pytest.raises(Unauthenticated, match="is not known, or was used, or is too old"):
        await access.sign_in(link)


@pytest.mark.parametrize("name", ["", " ", "a ", " a", "a\nb", "\x1b[2J", "a\x7f", "a\x9bb", "a\udcff", "x" * 101])
async def test_what_is_no_employees_name_is_invalid(access: AccessService, name: str) -> None:
    with pytest.raises(Invalid, match="A name has 1 to 100 printable characters"):
        await access.add_link(Role.AGENT, name, by=BY)


@pytest.mark.parametrize("name", ["a", "Ann-Sofie Ö. 😀", "x" * 100])
async def test_people_are_called_as_they_are(access: AccessService, name: str) -> None:
    assert (await access.add_link(Role.AGENT, name, by=BY))[0].name == name


async def test_keys_and_sessions_do_not_mix(access: AccessService, web: str) -> None:
    _, link = await access.add_link(Role.AGENT, "ann", channel=web, by=BY)
    await access.sign_in(link)
    key, _ = await access.add_key(web, by=BY)

    assert await access.keys(web) == [key]
