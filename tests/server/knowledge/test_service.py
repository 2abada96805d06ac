"""What articles show: only what is for who asks, by any way; and servers hear of changes."""

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest

from steadylight_server.access.models import Role
from steadylight_server.core.clock import now
from steadylight_server.core.errors import NotFound
from steadylight_server.knowledge.audience import Audience, Viewpoint
from steadylight_server.knowledge.models import ArticleFilter, Content, State
from tests.factories import BY, content, fragment
from tests.server.conftest import Slices

STAFF = content(fragment(audience=Audience.of(roles=["AGENT", "ADMIN"])))
GOLD = content(fragment(audience=Audience.of(segments=["gold"])))
CUSTOMER, AGENT = Viewpoint(), Viewpoint(Role.AGENT)


async def publish(slices: Slices, **articles: Content) -> None:
    for slug, what in articles.items():
        await slices.editing.publish(slug, what, revision=0, reason="new", by=BY)


async def listed(slices: Slices, viewpoint: Viewpoint, limit: int = 9, **given: object) -> list[str]:
    found = await slices.knowledge.listed(viewpoint, limit=limit, **given)  # type: ignore[arg-type]
    return [one.slug for one in found]


async def test_what_is_not_for_the_viewer_is_told_as_what_was_never_there(slices: Slices) -> None:
    await publish(slices, secret=STAFF)
    told = []
    for slug in ("secret", "never"):
        with pytest.raises(NotFound) as caught:
            await slices.knowledge.shown_to(slug, CUSTOMER)
        told.append(caught.value.message)

    assert told == ["There is no such article."] * 2
    assert (await slices.knowledge.shown_to("secret", AGENT)).slug == "secret"


async def test_what_is_listed_is_for_the_viewer(slices: Slices) -> None:
    await publish(slices, a=STAFF, b=content(), c=GOLD, d=STAFF, e=content(fragment(locale="fr")), f=content())
    await slices.editing.save("g", content(), revision=0, reason="new", by=BY)

    assert await listed(slices, CUSTOMER) == ["b", "f"]
    assert await listed(slices, CUSTOMER, locale="fr-CA") == ["b", "e", "f"]
    assert await listed(slices, AGENT) == ["a", "b", "d", "f"]
    assert await listed(slices, Viewpoint(traits={"segment": "gold"})) == ["b", "c", "f"]


async def test_pages_of_what_is_listed_lose_nothing_and_repeat_nothing(slices: Slices) -> None:
    await publish(slices, a=content(), b=content(fragment(locale="fr")), c=content(), d=STAFF, e=content())

    assert await listed(slices, CUSTOMER, 1, locale="de") == ["a"]
    assert await listed(slices, CUSTOMER, 1, locale="de", after="a") == ["c"]
    assert await listed(slices, CUSTOMER, 2, locale="de", after="a") == ["c", "e"]
    assert await listed(slices, CUSTOMER, 2, locale="de", backwards=True) == ["e", "c"]
    assert await listed(slices, CUSTOMER, 2, locale="de", backwards=True, before="c") == ["a"]


async def test_only_what_is_for_the_viewer_is_looked_at(slices: Slices) -> None:
    await publish(slices, **{f"s{n}": STAFF for n in range(30)}, z=content())

    async with slices.watched() as done:
        assert await listed(slices, CUSTOMER, 2) == ["z"]

    finds = [one for one in done if one["op"] == "query"]
    assert [one["docsExamined"] for one in finds] == [1]


async def test_from_its_moment_on_nobody_is_shown_it(slices: Slices) -> None:
    slices.clock.at = begin = now()
    end = begin + timedelta(hours=1)
    await publish(slices, offer=content(expires_at=end), usual=content())
    standing = await slices.editing.article("offer")

    slices.clock.at = end - timedelta(milliseconds=1)
    assert await listed(slices, CUSTOMER) == ["offer", "usual"]
    assert (await slices.knowledge.shown_to("offer", CUSTOMER)).slug == "offer"
    assert slices.editing.state(standing) is State.PUBLISHED
    slices.clock.at = end
    for viewpoint in (CUSTOMER, AGENT):
        assert await listed(slices.beside(), viewpoint) == ["usual"]
        with pytest.raises(NotFound):
            await slices.beside().knowledge.shown_to("offer", viewpoint)
    assert slices.editing.state(standing) is State.EXPIRED
    assert (await slices.editing.article("offer")).published is not None


async def test_what_has_ended_is_not_even_looked_at(slices: Slices) -> None:
    slices.clock.at = now()
    over = {f"s{n}": content(expires_at=slices.clock.at) for n in range(20)}
    await publish(slices, **over, z=content())

    async with slices.watched() as done:
        assert await listed(slices, CUSTOMER, 2) == ["z"]

    assert [one["docsExamined"] for one in done if one["op"] == "query"] == [1]


async def test_what_is_listed_belongs_to_what_is_asked_for(slices: Slices) -> None:
    plan: dict[str, Any] = {"capabilities": ("plan.change",), "journeys": ("move-house",)}
    await publish(
        slices,
        a=content(**plan, review_on=date(2027, 1, 31)),
        b=content(capabilities=("plan.change", "plan.view"), topics=("plans",)),
        c=content(),
        d=content(fragment(audience=Audience.of(roles=["AGENT", "ADMIN"])), **plan),
        e=content(journeys=("move-house",), topics=("plans",), review_on=date(2026, 12, 31)),
    )

    async def having(viewpoint: Viewpoint = CUSTOMER, **wanted: object) -> list[str]:
        return await listed(slices, viewpoint, filter=ArticleFilter(**wanted))  # type: ignore[arg-type]

    assert await having(capability="plan.change") == ["a", "b"]
    assert await having(AGENT, capability="plan.change") == ["a", "b", "d"]
    assert await having(journey="move-house") == ["a", "e"]
    assert await having(journey="move-house", topic="plans") == ["e"]
    assert await having(review_before=date(2027, 1, 31)) == ["e"]
    assert await having(review_before=date(2027, 2, 1)) == ["a", "e"]
    assert await having(capability="plan") == []
    wanted = ArticleFilter(capability="plan.change")
    assert await listed(slices, CUSTOMER, 1, after="a", filter=wanted) == ["b"]
    assert await listed(slices, CUSTOMER, 1, after="b", filter=wanted) == []
    assert await listed(slices, CUSTOMER, 1, backwards=True, filter=wanted) == ["b"]


async def test_what_is_published_is_told_to_who_feeds_on_it(slices: Slices) -> None:
    await publish(slices, a=content(), b=STAFF)
    await slices.editing.save("c", content(), revision=0, reason="new", by=BY)

    found = [one async for one in slices.knowledge.published()]

    assert sorted(one.slug for one in found) == ["a", "b"]
    assert all(one.published is not None for one in found)


async def test_other_servers_hear_of_what_is_published_corrected_and_expired(slices: Slices) -> None:
    async with slices.beside().knowledge.changes() as changes:
        await publish(slices, a=content())
        first = await changes.next()
        await slices.editing.publish("a", STAFF, revision=1, reason="corrected", by=BY)
        second = await changes.next()
        await slices.editing.expire("a", revision=2, reason="over", by=BY)
        third = await changes.next()
        nothing = await asyncio.wait_for(changes.next(), 5)

    assert first is not None
    assert first.published is not None
    assert first.published.number == 1
    assert second is not None
    assert second.published is not None
    assert second.published.content == STAFF
    assert third is not None
    assert third.published is None
    assert nothing is None
