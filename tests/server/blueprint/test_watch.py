"""Running servers notice a new blueprint, and keep the one before it where they cannot read it."""

import asyncio
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from steadylight_server.blueprint.models import Version
from steadylight_server.blueprint.watch import Watch, watching
from steadylight_server.capabilities.declared import Capabilities
from steadylight_server.core.clock import now
from steadylight_server.core.errors import Unavailable
from steadylight_server.identity.kinds import Kinds
from steadylight_server.journeys.declared import JourneyTypes
from tests.factories import BY
from tests.server.conftest import Slices

BADGE = "version: 1\nidentifier_kinds: {badge: {most: 3}}\n"
CARD = "version: 1\nidentifier_kinds: {card: {most: 4}}\n"
LATER = "version: 2\n"


async def put(slices: Slices, number: int, text: str) -> None:
    await slices.stores.blueprints.add(Version(number=number, text=text, applied_at=now(), by=BY))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.01)


def watch(slices: Slices) -> tuple[Watch, Kinds, list[int]]:
    """The watch of one server, its kinds, and a list that grows when channels may have changed."""
    kinds, told = Kinds(), list[int]()
    return Watch(slices.stores.blueprints, kinds, JourneyTypes(), Capabilities(), lambda: told.append(1)), kinds, told


async def test_without_a_blueprint_what_ships_is_in_force(slices: Slices) -> None:
    watched, kinds, told = watch(slices)

    await watched.refresh()

    assert (watched.number, told) == (0, [])
    assert kinds.most == {"login": 1}


async def test_a_new_blueprint_is_noticed_and_an_old_one_costs_one_look(slices: Slices) -> None:
    watched, kinds, told = watch(slices)
    await put(slices, 1, BADGE)

    await watched.refresh()
    await watched.refresh()

    assert (watched.number, len(told)) == (1, 1)
    assert kinds.most == {"login": 1, "badge": 3}

    await put(slices, 2, CARD)
    await watched.refresh()

    assert (watched.number, len(told)) == (2, 2)
    assert kinds.most == {"login": 1, "card": 4}


async def test_what_cannot_be_read_leaves_the_one_before_it_in_force(slices: Slices) -> None:
    watched, kinds, _ = watch(slices)
    await put(slices, 1, BADGE)
    await watched.refresh()
    await put(slices, 2, LATER)

    with capture_logs() as logs:
        await watched.refresh()
        await watched.refresh()

    assert watched.number == 1
    assert kinds.most == {"login": 1, "badge": 3}
    assert [(line["log_level"], line["version"]) for line in logs] == [("error", 2)]

    await put(slices, 3, CARD)
    await watched.refresh()

    assert watched.number == 3


async def test_a_server_that_starts_takes_the_latest_that_it_can_read(slices: Slices) -> None:
    for number, text in ((1, BADGE), (2, CARD), (4, LATER)):  # 3 was lost: nothing of ours removes one
        await put(slices, number, text)
    watched, kinds, _ = watch(slices)

    await watched.refresh()

    assert watched.number == 2
    assert kinds.most == {"login": 1, "card": 4}


async def test_it_is_in_force_from_the_start_and_a_new_one_soon(slices: Slices) -> None:
    await put(slices, 1, BADGE)
    watched, kinds, _ = watch(slices)

    async with watching(watched, every=0.02):
        assert kinds.most == {"login": 1, "badge": 3}
        await put(slices, 2, CARD)
        await until(lambda: watched.number == 2)

    assert kinds.most == {"login": 1, "card": 4}


async def test_it_goes_on_when_the_database_answers_again(slices: Slices, monkeypatch: pytest.MonkeyPatch) -> None:
    watched, _, _ = watch(slices)
    errors: list[Exception] = [Unavailable("not now"), RuntimeError("a fault of ours")]
    looks = watched.refresh

    async def refresh() -> None:
        if errors:
            raise errors.pop(0)
        await looks()

    with capture_logs() as logs:
        async with watching(watched, every=0.01):
            monkeypatch.setattr(watched, "refresh", refresh)
            await put(slices, 1, BADGE)
            await until(lambda: watched.number == 1)

    assert [line["log_level"] for line in logs] == ["warning", "error", "info"]
