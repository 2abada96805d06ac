"""Articles, by the real server and by the one for embedders' tests, to either client; and that they were shown."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from steadylight import Forbidden, NotFound, Unreachable
from steadylight.testing import FAST, Server
from tests.contract.conftest import House, Light, aside, done

PUBLISH = "mutation ($input: PublishArticleInput!) { publishArticle(input: $input) { article { revision } } }"
EXPIRE = "mutation ($input: ExpireArticleInput!) { expireArticle(input: $input) { article { revision } } }"
COST = "Two pounds a day."
NOTE = "Offer the bundle."


def publish(
    house: House,
    slug: str,
    customers: Mapping[str, str],
    employees: Mapping[str, str] | None = None,
    revision: int = 0,
    expires: datetime | None = None,
) -> None:
    """An article, or its next version."""
    server = house._server
    if isinstance(server, Server):
        server.publish(slug, "Roaming", customers, employees=employees, expires_at=expires)
        return
    parts = [f"<!-- fragment\nid: {id}\n-->\n{body}" for id, body in customers.items()]
    for id, body in (employees or {}).items():
        parts.append(f"<!-- fragment\nid: {id}\naudience: {{roles: [AGENT, ADMIN]}}\n-->\n{body}")
    ends = [f"expires: {expires.isoformat()}"] if expires is not None else []
    text = "\n".join(["---", "title: Roaming", *ends, "---", *parts])
    told = {"slug": slug, "revision": revision, "reason": "new", "files": [{"name": f"{slug}.md", "text": text}]}
    answer = aside(lambda: server.graphql(PUBLISH, {"input": told}, server.admin_key))
    assert "errors" not in answer, answer


def expire(house: House, slug: str, revision: int) -> None:
    """Takes an article back."""
    server = house._server
    if isinstance(server, Server):
        server.expire(slug)
        return
    told = {"input": {"slug": slug, "revision": revision, "reason": "over"}}
    assert "errors" not in aside(lambda: server.graphql(EXPIRE, told, server.admin_key))


def contact(light: Light, name: str, key: str = "visit") -> Any:
    return light.customer(login=name, assurance="LOGIN").contact(key=f"{name}-{key}")


async def article(of: Any, slug: str, **given: Any) -> Any:
    return await done(of.article(slug, within=5, **given))


async def told(light: Light, of: Any) -> list[dict[str, Any]]:
    """What was recorded as shown, the oldest first."""
    assert await done(light.flush(5)) == 0
    actions = (await done(of.context(within=5))).actions
    shown = [one for one in actions if one.type == "article.shown"][::-1]
    return [{**one.properties, "subject": (one.subject.kind, one.subject.id), "actor": one.actor} for one in shown]


async def test_an_article_is_shown_and_that_it_was_is_recorded(house: House, name: str) -> None:
    publish(house, name, {"cost": COST}, {"note": NOTE})
    light = house.connect("web")
    visit = contact(light, name)

    found = await article(visit, name, rendering="plain")

    assert (found.slug, found.version, found.title, found.locale, found.stale) == (name, 1, "Roaming", "en", False)
    assert [(one.id, one.html, one.plain, one.sms, one.spoken) for one in found.fragments] == [
        ("cost", f"<p>{COST}</p>", COST, COST, COST)
    ]
    assert (found.html, found.plain, found.sms, found.spoken) == (f"<p>{COST}</p>", COST, COST, COST)
    assert await told(light, visit) == [
        {
            "article": name,
            "version": 1,
            "fragments": ["cost"],
            "rendering": "plain",
            "locale": "en",
            "hash": found.hashes["plain"],
            "subject": ("article", name),
            "actor": "CUSTOMER",
        }
    ]
    assert found.hashes["plain"] == hashlib.blake2b(f"{COST}\n".encode(), digest_size=16).hexdigest()


async def test_what_is_shown_again_is_recorded_again_and_a_correction_is_seen(house: House, name: str) -> None:
    publish(house, name, {"cost": COST})
    light = house.connect("web")
    visit = contact(light, name)
    first = await article(visit, name)
    again = await article(visit, name)
    publish(house, name, {"cost": "Three pounds a day."}, revision=1)

    corrected = await article(visit, name)

    assert again == first
    assert (corrected.version, corrected.plain) == (2, "Three pounds a day.")
    assert [one["version"] for one in await told(light, visit)] == [1, 1, 2]


async def test_what_is_the_employees_is_shown_to_them_alone(house: House, name: str) -> None:
    publish(house, name, {"cost": COST}, {"note": NOTE})
    publish(house, f"{name}-inside", {}, {"note": NOTE})
    desk, web = house.connect("desk", "ASSISTED"), house.connect("web")

    employees = await article(contact(desk, name), name, as_employee=True, agent="a.singh")
    customers = await article(contact(desk, name), name)

    assert [one.id for one in employees.fragments] == ["cost", "note"]
    assert [one.id for one in customers.fragments] == ["cost"]
    assert [one["actor"] for one in await told(desk, contact(desk, name))] == ["AGENT", "CUSTOMER"]
    assert (await article(contact(desk, name), f"{name}-inside", as_employee=True)).plain == NOTE
    with pytest.raises(NotFound):
        await article(contact(web, name), f"{name}-inside")
    with pytest.raises(Forbidden):
        await article(contact(web, name), name, as_employee=True)


async def test_what_is_not_for_somebody_is_not_there_and_nothing_is_recorded(house: House, name: str) -> None:
    publish(house, name, {}, {"note": NOTE})
    light = house.connect("web")
    visit = contact(light, name)
    visit.record("plan.viewed")
    errors = []

    for slug in (name, f"{name}-never"):
        with pytest.raises(NotFound) as caught:
            await article(visit, slug)
        errors.append(caught.value.message)

    assert errors == ["There is no such article."] * 2
    assert await told(light, visit) == []


async def test_what_has_expired_is_not_shown_from_memory(house: House, name: str) -> None:
    publish(house, name, {"cost": COST})
    visit = contact(house.connect("web"), name)
    await article(visit, name)
    expire(house, name, 1)

    for _ in range(2):
        with pytest.raises(NotFound):
            await article(visit, name, stale_ok=True)


@pytest.mark.parametrize("server_of_either_sort", ["memory"], indirect=True)
async def test_while_the_server_is_away_what_was_shown_may_stand_in_and_is_recorded(house: House, name: str) -> None:
    publish(house, name, {"cost": COST})
    light, server = house.connect("web"), house._server
    assert isinstance(server, Server)
    visit, other = contact(light, name), contact(light, f"{name}-other")
    await article(visit, name)
    server.down()

    stale = await article(visit, name, stale_ok=True)
    for of, stale_ok in ((visit, False), (other, True)):
        with pytest.raises(Unreachable):
            await done(of.article(name, within=0.05, stale_ok=stale_ok))
    server.up()

    assert (stale.stale, stale.plain) == (True, COST)
    assert [one["version"] for one in await told(light, visit)] == [1, 1]


async def test_how_long_an_article_is_still_shown_is_told_with_it(house: House, name: str) -> None:
    tomorrow = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    publish(house, name, {"cost": COST}, expires=tomorrow)

    found = await article(contact(house.connect("web"), name), name)

    assert found.expires_at == tomorrow
    assert 86_000 < found.max_age <= 86_400


async def test_what_has_ended_by_itself_is_not_there(house: House, name: str) -> None:
    visit = contact(house.connect("web"), name)
    publish(house, name, {"cost": COST})
    await article(visit, name)
    publish(house, name, {"cost": COST}, revision=1, expires=datetime.now(UTC))

    for _ in range(2):
        with pytest.raises(NotFound, match="There is no such article"):
            await article(visit, name, stale_ok=True)


@pytest.mark.parametrize("server_of_either_sort", ["memory"], indirect=True)
@pytest.mark.parametrize("which", ["clock", "now"])
async def test_what_stands_in_ends_when_the_article_does_by_whichever_clock(
    house: House, name: str, which: str
) -> None:
    later = {"clock": 0.0, "now": 0.0}
    options = replace(
        FAST,
        clock=lambda: FAST.clock() + later["clock"],
        now=lambda: FAST.now() + timedelta(seconds=later["now"]),
    )
    publish(house, name, {"cost": COST}, expires=datetime.now(UTC) + timedelta(hours=1))
    server = house._server
    assert isinstance(server, Server)
    visit = contact(house.connect("web", options=options), name)
    await article(visit, name)
    await article(visit, name)  # by its ETag: nothing new is told, and it ends when it did
    found = await done(visit.search("pounds", within=5))
    server.down()

    later[which] = 3590.0
    assert (await article(visit, name, stale_ok=True)).stale
    assert (await done(visit.search("pounds", within=0.05, stale_ok=True))).hits == found.hits
    later[which] = 3600.0
    for asking in (
        lambda: visit.article(name, within=0.05, stale_ok=True),
        lambda: visit.search("pounds", within=0.05, stale_ok=True),
    ):
        with pytest.raises(Unreachable):
            await done(asking())
