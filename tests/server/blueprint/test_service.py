"""Blueprints are applied: what is unsafe is refused, channels are registered, all of it is audited."""

import asyncio

import pytest

from steadylight_server.access.models import ChannelKind
from steadylight_server.blueprint.difference import Change, How
from steadylight_server.blueprint.models import Version
from steadylight_server.blueprint.service import BlueprintService
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.errors import Conflict, Invalid, NotFound, Unavailable
from steadylight_server.identity.models import Key
from tests.factories import BY
from tests.server.conftest import Slices

EMPTY = "version: 1\n"
CHANNELS = """\
version: 1
channels:
  web: {kind: SELF_SERVICE, cost_per_contact: 0.1}
  desk: {kind: ASSISTED, highest_assurance: OTP}
"""
BADGE = "version: 1\nidentifier_kinds:\n  badge: {normaliser: folded, bar: OTP}\n"


def service(slices: Slices) -> BlueprintService:
    async def has_identifiers(kind: str) -> bool:
        return await slices.database.collection("identifiers").find_one({"kind": kind}) is not None

    return BlueprintService(
        slices.stores.blueprints, slices.access, slices.audit, has_identifiers=has_identifiers, clock=slices.clock
    )


@pytest.fixture
async def blueprints(slices: Slices) -> BlueprintService:
    return service(slices)


async def applied(blueprints: BlueprintService, text: str) -> Version:
    return await blueprints.apply(await blueprints.plan(text), by=BY)


async def test_before_the_first_there_is_none(blueprints: BlueprintService) -> None:
    assert await blueprints.versions() == []
    for asked in (blueprints.version(), blueprints.version(3), blueprints.plan_rollback()):
        with pytest.raises(NotFound):
            await asked


async def test_a_blueprint_is_stored_as_it_is_written_and_registers_its_channels(
    slices: Slices, blueprints: BlueprintService
) -> None:
    plan = await blueprints.plan(CHANNELS)
    planned = await slices.access.channels()

    version = await blueprints.apply(plan, by=BY)

    assert plan.changes == [
        Change(How.ADDED, "channel web: SELF_SERVICE, up to LOGIN, 0.1 a contact"),
        Change(How.ADDED, "channel desk: ASSISTED, up to OTP"),
    ]
    assert planned == []
    assert (version.number, version.text, version.by, version.restores) == (1, CHANNELS, BY, None)
    assert await blueprints.version() == version
    assert await blueprints.version(1) == version
    channels = {
        one.name: (one.kind, one.highest_assurance, one.cost_per_contact) for one in await slices.access.channels()
    }
    assert channels == {
        "web": (ChannelKind.SELF_SERVICE, Assurance.LOGIN, 0.1),
        "desk": (ChannelKind.ASSISTED, Assurance.OTP, None),
    }
    entry = (await slices.audit.entries(limit=1))[0]
    assert (entry.who, entry.deed, entry.why.splitlines()[0]) == (BY, "blueprint.applied", "version 1")
    assert "added channel desk: ASSISTED, up to OTP" in entry.why


async def test_the_same_again_is_nothing_new(blueprints: BlueprintService) -> None:
    await applied(blueprints, CHANNELS)

    again = await blueprints.plan(CHANNELS)
    other_text = await blueprints.plan(CHANNELS + "# why\n")

    assert (again.is_new, again.changes) == (False, [])
    assert (other_text.is_new, other_text.changes) == (True, [])


async def test_what_somebody_undid_by_hand_is_done_again(slices: Slices, blueprints: BlueprintService) -> None:
    await applied(blueprints, CHANNELS)
    await slices.stores.access.remove_channel("web")

    plan = await blueprints.plan(CHANNELS)

    assert plan.is_new
    assert [change.what.partition(":")[0] for change in plan.changes] == ["channel web"]


async def test_a_channel_that_was_registered_by_hand_becomes_as_declared(
    slices: Slices, blueprints: BlueprintService
) -> None:
    before = await slices.access.add_channel("desk", ChannelKind.ASSISTED, by=BY)

    plan = await blueprints.plan(CHANNELS)
    await blueprints.apply(plan, by=BY)

    after = await slices.access.channel("desk")
    assert Change(How.CHANGED, "channel desk: up to IN_PERSON → up to OTP") in plan.changes
    assert after == before.model_copy(update={"highest_assurance": Assurance.OTP})


async def test_a_channel_that_is_declared_no_more_goes_unless_it_has_keys(
    slices: Slices, blueprints: BlueprintService
) -> None:
    await applied(blueprints, CHANNELS)
    await slices.access.add_channel("by-hand", ChannelKind.SELF_SERVICE, by=BY)
    await slices.access.add_key("desk", by=BY)
    revoked, _ = await slices.access.add_key("web", by=BY)
    await slices.access.revoke(revoked.id, by=BY)

    plan = await blueprints.plan(EMPTY)
    await blueprints.apply(plan, by=BY)

    assert plan.changes == [
        Change(How.REMOVED, "channel web"),
        Change(How.KEPT, "channel desk: not declared any more, but stays, since a key is in use"),
    ]
    assert [channel.name for channel in await slices.access.channels()] == ["by-hand", "desk"]


async def test_a_normaliser_stays_where_there_are_identifiers(slices: Slices, blueprints: BlueprintService) -> None:
    await applied(blueprints, BADGE)
    await slices.identity.resolve({Key("badge", "ab"), Key("card", "X")})
    card = "version: 1\nidentifier_kinds:\n  badge: {normaliser: folded}\n  card: {normaliser: email}\n"

    with pytest.raises(Conflict, match=r"badge \(folded → exact\)\. .* declare a kind with another name"):
        await blueprints.plan(EMPTY)
    with pytest.raises(Conflict, match=r"card \(exact → email\)"):
        await blueprints.plan(card)

    plan = await blueprints.plan(BADGE.replace("OTP", "LOGIN"))
    assert plan.changes == [Change(How.CHANGED, "identifier kind badge: counts from OTP → counts from LOGIN")]
    assert len(await blueprints.versions()) == 1


async def test_a_normaliser_may_change_where_there_are_none(blueprints: BlueprintService) -> None:
    await applied(blueprints, BADGE)

    plan = await blueprints.plan(BADGE.replace("folded", "exact"))

    assert plan.changes == [Change(How.CHANGED, "identifier kind badge: folded → exact")]


async def test_what_is_no_blueprint_is_refused(blueprints: BlueprintService) -> None:
    with pytest.raises(Invalid, match="line 1: version: this server reads version 1"):
        await blueprints.plan("version: 2")


async def test_going_back_is_a_new_version_equal_to_the_earlier(slices: Slices, blueprints: BlueprintService) -> None:
    await applied(blueprints, CHANNELS)
    await applied(blueprints, BADGE)

    plan = await blueprints.plan_rollback()
    version = await blueprints.apply(plan, by=BY)

    assert (version.number, version.text, version.restores) == (3, CHANNELS, 1)
    assert [change.how for change in plan.changes] == [How.ADDED, How.ADDED, How.REMOVED]
    assert len(await slices.access.channels()) == 2
    assert [one.number for one in await blueprints.versions()] == [3, 2, 1]
    assert (await slices.audit.entries(limit=1))[0].deed == "blueprint.restored"
    assert (await blueprints.plan_rollback(2)).text == BADGE
    with pytest.raises(NotFound, match="There is no version 9"):
        await blueprints.plan_rollback(9)


async def test_of_the_first_one_nobody_goes_back(blueprints: BlueprintService) -> None:
    await applied(blueprints, EMPTY)

    with pytest.raises(NotFound, match="There is no version before"):
        await blueprints.plan_rollback()


async def test_of_two_who_apply_at_once_one_is_told(slices: Slices, blueprints: BlueprintService) -> None:
    one, other = await blueprints.plan(CHANNELS), await service(slices.beside()).plan(BADGE)
    late = await blueprints.plan(EMPTY)

    told = await asyncio.gather(
        blueprints.apply(one, by=BY), service(slices.beside()).apply(other, by=BY), return_exceptions=True
    )
    with pytest.raises(Conflict, match="Look at the difference again"):
        await blueprints.apply(late, by=BY)

    assert sorted(type(one).__name__ for one in told) == ["Conflict", "Version"]
    stored = await blueprints.versions()
    assert len(stored) == 1
    assert bool(await slices.access.channels()) == (stored[0].text == CHANNELS)


async def test_what_a_later_release_applied_is_left_to_it(slices: Slices, blueprints: BlueprintService) -> None:
    first = await applied(blueprints, EMPTY)
    await slices.stores.blueprints.add(first.model_copy(update={"number": 2, "text": "version: 2\n"}))

    with pytest.raises(Conflict, match="Version 2 is in force, and this release cannot read it"):
        await blueprints.plan(EMPTY)


async def test_what_cannot_be_audited_is_not_applied(slices: Slices, blueprints: BlueprintService) -> None:
    plan = await blueprints.plan(CHANNELS)

    async with slices.failing("find", collection="audit_head", errorCode=50):
        with pytest.raises(Unavailable, match="so nothing was done"):
            await blueprints.apply(plan, by=BY)

    assert await blueprints.versions() == []
    assert await slices.access.channels() == []
