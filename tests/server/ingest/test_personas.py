"""What was done before it was known who they are is joined whatever came first, by whatever server, through a crash."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from steadylight_server.core.assurance import Assurance
from steadylight_server.identity.models import Customer, Reason
from tests.factories import action, batch, login, viewer
from tests.server.conftest import Slices
from tests.server.ingest.test_service import swept

WEB = viewer("web")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def did(minute: int, *identifiers: dict[str, str], **fields: Any) -> dict[str, Any]:
    moment = (NOON + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")
    return action(*identifiers, at=moment, **fields)


def persona(value: str) -> dict[str, str]:
    return {"kind": "persona", "value": value, "assurance": "CLAIMED"}


def name() -> str:
    return f"n-{uuid4().hex}"


async def customer(house: Slices, who: dict[str, str]) -> Customer:
    return await house.identity.customer_by(who["kind"], who["value"], Assurance.LOGIN)


async def kinds(house: Slices, who: dict[str, str]) -> list[str]:
    return [profile.key.kind for profile in (await customer(house, who)).profiles]


@pytest.mark.parametrize("named", [False, True], ids=["of a contact", "of an app"])
async def test_two_servers_at_once_never_miss_each_other(house: Slices, named: bool) -> None:
    """One is told of somebody unknown, the other of who it is: each must see what the other wrote."""
    for _ in range(15):
        who, visit = login(name()), name()
        under = [persona(visit)] if named else []
        told = [did(0, *under, contact=visit), did(1, who, *under, contact=visit)]

        await asyncio.gather(*(house.beside().ingest.record(WEB, batch(one)) for one in told))

        assert sorted(await kinds(house, who)) == sorted(["app:persona" if named else "contact:persona", "login"])


async def test_a_crash_between_the_two_is_mended_by_the_sweeper(house: Slices) -> None:
    who, visit = login(name()), name()
    await house.ingest.record(WEB, batch(did(1, who, contact=visit)))
    process = house.beside()

    async def die(*given: object) -> None:
        raise KeyboardInterrupt

    process.identity.links.join = die  # type: ignore[method-assign, assignment]
    with pytest.raises(KeyboardInterrupt):
        await process.ingest.record(WEB, batch(did(0, contact=visit)))
    before = await kinds(house, who)
    await asyncio.sleep(0.002)

    await swept(house).finish_old()

    assert (before, await kinds(house, who)) == (["login"], ["login", "contact:persona"])


async def test_the_link_says_why_and_is_one_whoever_comes_later(house: Slices) -> None:
    ann, ben, visit = login(name()), login(name()), name()
    first = did(1, ann, contact=visit)
    await house.ingest.record(WEB, batch(did(3, ben, contact=visit)))
    await house.ingest.record(WEB, batch(did(0, contact=visit)))
    theirs = [await kinds(house, ben)]

    await house.ingest.record(WEB, batch(first))
    theirs.append(await kinds(house, ben))

    person = await customer(house, ann)
    (link,) = await house.identity.links.of(person.profile_ids)
    assert theirs == [["login", "contact:persona"], ["login"]]
    assert person.id == next(one.id for one in person.profiles if one.is_persona)
    assert (link.reason, link.assurance, link.at) == (Reason.PERSONA, Assurance.LOGIN, NOON + timedelta(minutes=1))
    assert link.action_id is not None
    assert str(link.action_id) == first["id"]
    assert await house.identity.links.conflicts(100) == []


async def test_what_an_employee_took_back_stays_apart(house: Slices) -> None:
    who, visit = login(name()), name()
    await house.ingest.record(WEB, batch(did(0, contact=visit), did(1, who, contact=visit)))
    (link,) = await house.identity.links.of((await customer(house, who)).profile_ids)

    await house.identity.links.retire(link.id, by={"role": "ADMIN"}, why="a shared device")
    await house.beside().ingest.record(WEB, batch(did(-1, who, contact=visit)))

    assert await kinds(house, who) == ["login"]


async def test_a_whole_kiosk_of_customers_hangs_together_by_nothing(house: Slices) -> None:
    """One contact key for everybody, for ever: they stay as many customers as they are, and cost no crowd."""
    visit, people = name(), [login(name()) for _ in range(60)]
    told = [did(0, contact=visit), *(did(minute, who, contact=visit) for minute, who in enumerate(people, 1))]

    await house.ingest.record(WEB, batch(*told[:30]))
    await house.beside().ingest.record(WEB, batch(*told[30:]))

    families = [sorted(await kinds(house, who)) for who in people]
    assert families == [["contact:persona", "login"], *[["login"]] * 59]


async def test_who_signed_in_sixty_times_can_still_be_linked(house: Slices) -> None:
    """Personas are leaves: they count for none of the 50 profiles of a customer."""
    who, number = login(name()), {"kind": "customer-number", "value": name(), "assurance": "OTP"}
    for _ in range(60):
        visit = name()
        await house.ingest.record(WEB, batch(did(0, contact=visit), did(1, who, contact=visit)))

    await house.ingest.record(WEB, batch(did(9, who, number)))

    found = await kinds(house, number)
    assert (len(found), found.count("contact:persona")) == (62, 60)


async def test_known_customers_cost_no_look_up_but_one_for_new_contacts(house: Slices) -> None:
    people = [login(name()) for _ in range(20)]
    first, second = name(), name()
    known = [did(0, who, contact=f"{first}-{place}") for place, who in enumerate(people)]
    await house.ingest.record(WEB, batch(*known))

    async with house.watched() as again:
        await house.ingest.record(WEB, batch(*(did(1, who, contact=f"{first}-{n}") for n, who in enumerate(people))))
    async with house.watched() as anew:
        await house.ingest.record(WEB, batch(*(did(2, who, contact=f"{second}-{n}") for n, who in enumerate(people))))
    fresh = house.beside()
    async with house.watched() as cold:
        await fresh.ingest.record(WEB, batch(*(did(3, who, contact=f"{first}-{n}") for n, who in enumerate(people))))

    assert [reads(done) for done in (again, anew)] == [[], ["identifiers"]]
    # One to know them, and one whether anybody was unknown in these contacts, of which this server has not heard.
    assert reads(cold) == ["identifiers", "identifiers"]


def reads(done: list[dict[str, Any]]) -> list[str]:
    """The collections that were read, a name for each query."""
    found = [one for one in done if one["op"] == "query" or "aggregate" in one.get("command", {})]
    assert all("COLLSCAN" not in one.get("planSummary", "") for one in found)
    return [one["ns"].rpartition(".")[2] for one in found]


async def test_the_contacts_of_the_unknown_are_found_by_their_index(house: Slices) -> None:
    visits = [name() for _ in range(5)]
    await house.ingest.record(WEB, batch(*(did(1, login(name()), contact=visit) for visit in visits)))

    async with house.watched() as done:
        await house.ingest.record(WEB, batch(*(did(0, contact=visit) for visit in visits)))

    of_contacts = [one for one in done if one["ns"].endswith(".contacts") and one["op"] == "query"]
    assert of_contacts
    assert all("IXSCAN { channel: 1, key: 1 }" in one["planSummary"] for one in of_contacts)
    assert all(one["keysExamined"] <= 2 * one["nreturned"] + 5 for one in of_contacts)


async def test_of_one_id_told_twice_in_a_batch_the_first_is_kept_wherever_they_go(house: Slices) -> None:
    who, visit = login(name()), name()
    first = did(3, contact=visit, type="page.viewed")
    await house.ingest.record(WEB, batch(did(1, who, contact=visit)))

    answer = await house.ingest.record(WEB, batch(first, {**first, "type": "plan.viewed"}))

    (stored,) = await house.documents("actions", _id=UUID(first["id"]))
    assert [(one.index, one.code) for one in answer.exceptions] == [(1, "CONFLICT")]
    assert stored["type"] == "page.viewed"
    assert stored["profile_id"] not in (await customer(house, who)).profile_ids
