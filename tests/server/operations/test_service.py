"""What employees decide joins two customers whole or not at all, and is taken back without a trace."""

from uuid import UUID, uuid4

import pytest

from steadylight_server.access.models import ADMIN_SCOPES
from steadylight_server.core.errors import Conflict, Invalid
from steadylight_server.identity.models import Customer, Key, Link, Refusal
from steadylight_server.operations.service import Operations
from tests.factories import action, batch, viewer
from tests.server.conftest import Slices
from tests.server.identity.test_links import keys, proof

ADMIN = viewer(None, scopes=ADMIN_SCOPES)


@pytest.fixture
def operations(house: Slices) -> Operations:
    return Operations(house.identity, house.audit)


async def person(house: Slices, key: Key) -> Customer:
    """Whose the key is; made where there is nobody."""
    profiles = await house.identity.resolve([key])
    return await house.identity.customer(profiles[key])


async def merged(operations: Operations, one: Customer, other: Customer) -> Link:
    return await operations.merge(ADMIN, one, other, id=uuid4(), why="the same passport")


async def test_a_merge_tears_nothing_off_either_customer(house: Slices, operations: Operations) -> None:
    """What they were made of is proven, and the oldest of each is no login: nothing but the whole shows the rule."""
    (number, other), logins = keys(2, "customer-number"), keys(2, "login")
    await house.identity.resolve([number])
    await house.identity.resolve([other])
    await house.identity.prove([proof(number, logins[0]), proof(other, logins[1])])
    ann, ben = await person(house, number), await person(house, other)
    audited = await house.documents("audit")

    seen = await operations.preview(ann, ben)
    with pytest.raises(Conflict, match="more of one kind"):
        await merged(operations, ann, ben)

    assert seen.refusal is Refusal.TOO_MANY_OF_A_KIND
    assert (await person(house, number), await person(house, other)) == (ann, ben)
    assert await house.documents("audit") == audited


async def test_whoever_comes_between_a_look_and_a_decision_is_not_torn_off_either(
    house: Slices, operations: Operations, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, other = keys(2, "customer-number")
    ann, ben = await person(house, number), await person(house, other)
    logins = keys(2, "login")
    unseen = house.identity.links.refusal

    async def seen_before(*pair: UUID) -> Refusal | None:
        found = await unseen(*pair)
        await house.identity.prove([proof(number, logins[0]), proof(other, logins[1])])
        return found

    monkeypatch.setattr(house.identity.links, "refusal", seen_before)
    with pytest.raises(Conflict, match="more of one kind"):
        await merged(operations, ann, ben)

    assert [one.key.kind for one in (await person(house, number)).profiles] == ["customer-number", "login"]


async def test_a_merge_takes_the_persona_along(house: Slices, operations: Operations) -> None:
    """Though the persona is the oldest of its customer, the decision is on somebody known."""
    visit, login, number = uuid4().hex, *keys(1, "login"), *keys(1, "customer-number")
    who = {"kind": "login", "value": login.value, "assurance": "LOGIN"}
    for one in (action(contact=visit), action(who, contact=visit)):
        await house.ingest.record(viewer("web"), batch(one))
    ann, ben = await person(house, login), await person(house, number)

    link = await merged(operations, ann, ben)
    together = await person(house, number)
    await operations.unlink(ADMIN, link, id=uuid4(), why="two people")

    assert ann.profiles[0].is_persona
    assert set(together.profile_ids) == {*ann.profile_ids, *ben.profile_ids}
    assert (await person(house, login), await person(house, number)) == (ann, ben)


async def test_those_whom_somebody_parted_are_decided_on_themselves(house: Slices, operations: Operations) -> None:
    first, login, number = *keys(1, "account"), *keys(1, "login"), *keys(1, "customer-number")
    await house.identity.resolve([first])
    await house.identity.prove([proof(first, login)])
    await house.identity.prove([proof(login, number)])
    profile_id = await house.identity.profile(number)
    assert profile_id is not None
    (evidence,) = await house.identity.links.of([profile_id])
    await operations.unlink(ADMIN, evidence, id=uuid4(), why="mistyped")
    ann, ben = await person(house, login), await person(house, number)

    link = await merged(operations, ann, ben)

    assert link.profile_ids == evidence.profile_ids
    assert len((await person(house, number)).profiles) == 3


async def test_one_customer_cannot_be_merged_with_itself(house: Slices, operations: Operations) -> None:
    ann = await person(house, keys(1)[0])

    with pytest.raises(Invalid, match="one customer already"):
        await merged(operations, ann, ann)
    for why in (" ", "x" * 501):
        with pytest.raises(Invalid, match="why"):
            await operations.merge(ADMIN, ann, await person(house, keys(1)[0]), id=uuid4(), why=why)
