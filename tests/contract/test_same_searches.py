"""What is found, by the real server and by the one for embedders' tests, to either client; and that it was shown."""

import hashlib
from typing import Any

import pytest

from steadylight import Forbidden, Unreachable
from steadylight.testing import Server
from tests.contract.conftest import House, done
from tests.contract.test_same_articles import contact, publish, told


async def search(house: House, of: Any, query: str, total: int, **given: Any) -> Any:
    """What is found, once so many are: a server finds what was published a moment later."""
    while True:
        found = await done(of.search(query, within=5, **given))
        if found.total == total:
            return found


def word(name: str) -> str:
    """One that is in no other test's articles."""
    return "zq" + hashlib.blake2b(name.encode(), digest_size=6).hexdigest()


async def test_what_is_found_is_shown_and_that_it_was_is_recorded(house: House, name: str) -> None:
    own = word(name)
    publish(house, name, {"cost": f"Two pounds & {own}.", "free": "At home."}, {"note": f"Offer {own}."})
    light = house.connect("web")
    visit = contact(light, name)

    found = await search(house, visit, own, 1)

    (hit,) = found.hits
    assert (hit.slug, hit.version, hit.title, hit.fragment, hit.locale) == (name, 1, "Roaming", "cost", "en")
    assert hit.snippet == f"Two pounds & {own}."
    assert hit.html == f"Two pounds &amp; <mark>{own}</mark>."
    assert (found.meant, found.stale, hit.heading) == (None, False, None)
    shown = await told(light, visit)
    assert shown[-1] == {
        "article": name,
        "version": 1,
        "fragments": ["cost"],
        "rendering": "snippet",
        "locale": "en",
        "hash": hashlib.blake2b(f"{hit.snippet}\n".encode(), digest_size=16).hexdigest(),
        "subject": ("article", name),
        "actor": "CUSTOMER",
    }


async def test_what_is_the_employees_is_found_by_them_alone(house: House, name: str) -> None:
    own = word(name)
    publish(house, name, {"cost": f"Two {own}."}, {"note": f"Offer {own}."})
    desk, web = house.connect("desk", "ASSISTED"), house.connect("web")

    both = await search(house, contact(desk, name), own, 2, as_employee=True, agent="a.singh")
    alone = await search(house, contact(web, name), own, 1)

    assert {hit.fragment for hit in both.hits} == {"cost", "note"}
    assert [hit.fragment for hit in alone.hits] == ["cost"]
    assert {tuple(one["fragments"]) for one in await told(desk, contact(desk, name))} >= {both_of(both)}
    with pytest.raises(Forbidden):
        await done(contact(web, name).search(own, within=5, as_employee=True))


def both_of(found: Any) -> tuple[str, ...]:
    return tuple(hit.fragment for hit in found.hits)


async def test_where_nothing_is_found_nothing_is_recorded(house: House, name: str) -> None:
    light = house.connect("web")
    visit = contact(light, name)
    visit.record("plan.viewed")

    found = await done(visit.search("qqqqqqqqxyz", within=5))

    assert (found.hits, found.total) == ((), 0)
    assert await told(light, visit) == []


@pytest.mark.parametrize("server_of_either_sort", ["memory"], indirect=True)
async def test_while_the_server_is_away_what_was_found_may_stand_in_and_is_recorded(house: House, name: str) -> None:
    own = word(name)
    publish(house, name, {"cost": f"Two {own}."})
    light, server = house.connect("web"), house._server
    assert isinstance(server, Server)
    visit = contact(light, name)
    await search(house, visit, own, 1)
    server.down()

    stale = await done(visit.search(own, within=5, stale_ok=True))
    for query, stale_ok in ((own, False), ("other", True)):
        with pytest.raises(Unreachable):
            await done(visit.search(query, within=0.05, stale_ok=stale_ok))
    server.up()

    assert (stale.stale, stale.total) == (True, 1)
    assert [one["version"] for one in await told(light, visit)] == [1, 1]
