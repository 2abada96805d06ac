"""Blueprints are only ever added."""

import pytest

from steadylight_server.blueprint.models import Version
from steadylight_server.core.clock import in_milliseconds, now
from steadylight_server.core.errors import Conflict
from tests.factories import BY
from tests.server.conftest import Slices


def version(number: int, restores: int | None = None) -> Version:
    text = f"version: 1 # {number}\n"
    return Version(number=number, text=text, applied_at=in_milliseconds(now()), by=BY, restores=restores)


async def test_the_latest_is_the_one_with_the_highest_number(slices: Slices) -> None:
    store = slices.stores.blueprints
    assert (await store.latest_number(), await store.versions(), await store.version(1)) == (0, [], None)

    first, second = version(1), version(2, restores=1)
    await store.add(first)
    await store.add(second)

    assert await store.latest_number() == 2
    assert await store.versions() == [second, first]
    assert await store.version(1) == first


async def test_a_number_is_given_once(slices: Slices) -> None:
    store = slices.stores.blueprints
    await store.add(version(1))

    with pytest.raises(Conflict):
        await store.add(version(1, restores=7))

    assert [one.restores for one in await store.versions()] == [None]
