"""Channels and credentials are found by index."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from steadylight_server.access.models import Channel, ChannelKind, Credential, Role, Scope
from steadylight_server.core.assurance import Assurance
from tests.server.conftest import TAKEN, Slices

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


async def test_a_channel_is_put_in_the_place_of_what_it_was_and_removed(house: Slices) -> None:
    store = house.stores.access
    channel = Channel(
        name="put",
        kind=ChannelKind.ASSISTED,
        highest_assurance=Assurance.OTP,
        created_at=AT,
        cost_per_contact=5.2,
    )

    await store.put_channel(channel)
    first = await store.channel("put")
    other = channel.model_copy(update={"kind": ChannelKind.SELF_SERVICE, "cost_per_contact": None})
    await store.put_channel(other.model_copy(update={"created_at": AT + timedelta(days=1)}))
    second = await store.channel("put")
    await store.remove_channel("put")

    assert first == channel
    assert second == other
    assert await store.channel("put") is None


async def test_a_channel_is_stored_once_and_read_back(house: Slices) -> None:
    channel = Channel(
        name=f"web-{uuid4().hex}", kind=ChannelKind.ASSISTED, highest_assurance=Assurance.OTP, created_at=AT
    )

    assert await house.stores.access.add_channel(channel)
    assert not await house.stores.access.add_channel(channel)

    assert await house.stores.access.channel(channel.name) == channel
    assert await house.documents("channels", _id=channel.name) == [
        {"_id": channel.name, "kind": "ASSISTED", "highest_assurance": "OTP", "created_at": AT}
    ]


async def test_a_credential_is_read_back_with_its_hash(house: Slices) -> None:
    credential = Credential(
        id=uuid4().hex[:12],
        role=Role.CHANNEL,
        channel="web",
        scopes=frozenset({Scope.CUSTOMERS_READ}),
        created_at=AT,
        expires_at=AT,
    )

    await house.stores.access.add_credential(credential, b"hash")

    assert await house.stores.access.credential(credential.id) == (credential, b"hash")
    assert await house.stores.access.credential("0" * 12) is None


async def test_looking_up_keys_scans_nothing(house: Slices) -> None:
    name = f"web-{uuid4().hex}"
    for number in range(30):
        credential = Credential(
            id=uuid4().hex[:12],
            role=Role.CHANNEL,
            channel=name if number < 3 else None,
            scopes=frozenset(),
            created_at=AT,
        )
        await house.stores.access.add_credential(credential, b"hash")

    async with house.watched() as done:
        found = await house.stores.access.keys(name)
        await house.stores.access.credential(found[0].id)

    assert [(one["nreturned"], one["keysExamined"], one["docsExamined"]) for one in done] == [(3, 4, 3), (1, 1, 1)]


async def test_a_secret_that_another_server_made_a_moment_before_is_taken(house: Slices) -> None:
    name = f"token-{uuid4().hex}"
    await house.database.raw["secrets"].insert_one({"_id": name, "value": b"theirs"})

    async with house.failing("findAndModify", collection="secrets", times=1, **TAKEN):
        assert await house.stores.access.secret(name) == b"theirs"
