"""Traits are registers: what was said last counts, whatever the order and however often it comes."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID, uuid4

import pytest

from steadylight_server.core.assurance import Assurance
from steadylight_server.timeline import traits as module
from steadylight_server.timeline.models import Action, Trait
from tests.factories import fact
from tests.server.conftest import Slices

START = datetime(2026, 11, 22, 9, tzinfo=UTC)


def said(profile_id: UUID, minute: int = 0, *, assurance: Assurance = Assurance.LOGIN, **traits: Any) -> Action:
    """An action that tells these traits, so many minutes after the start."""
    return fact(profile_id, at=START + timedelta(minutes=minute), assurance=assurance, traits=traits)


async def known(slices: Slices, *profile_ids: UUID) -> dict[str, Any]:
    return {trait.name: trait.value for trait in await slices.timeline.traits(profile_ids)}


async def test_the_latest_word_counts_and_says_where_it_comes_from(slices: Slices) -> None:
    ann = uuid4()
    first, second = said(ann, 0, plan="fibre-100", city="Bonn"), said(ann, 5, plan="fibre-500")

    await slices.stores.traits.project([second])
    await slices.stores.traits.project([first])

    assert await slices.timeline.traits([ann]) == [
        Trait("city", "Bonn", START, Assurance.LOGIN, "web", first.id),
        Trait("plan", "fibre-500", second.at, Assurance.LOGIN, "web", second.id),
    ]


async def test_any_order_any_batches_and_any_repetition_give_the_same(slices: Slices) -> None:
    outcomes = []
    for order in permutations(range(4)):
        ann = uuid4()
        told = [
            said(ann, 0, plan="a"),
            said(ann, 3, plan="b", assurance=Assurance.CLAIMED),
            said(ann, 2, plan="c"),
            said(ann, 1, plan="d"),
        ]
        first, *others = [told[place] for place in order]
        await slices.stores.traits.project([first])
        await slices.stores.traits.project([*others, first])
        outcomes.append(await known(slices, ann))

    assert outcomes == [{"plan": "c"}] * 24


async def test_what_is_said_of_nobody_in_particular_changes_nothing_that_was_proven(slices: Slices) -> None:
    ann = uuid4()
    await slices.stores.traits.project([said(ann, 0, plan="fibre", assurance=module.BAR)])

    await slices.stores.traits.project(
        [said(ann, 9, plan="dsl", mood="curious", assurance=Assurance.CALLER_ID), said(ann, 5, mood="angry")]
    )

    assert await known(slices, ann) == {"plan": "fibre", "mood": "angry"}


async def test_of_several_profiles_the_latest_counts_and_null_takes_back(slices: Slices) -> None:
    ann, number, other = uuid4(), uuid4(), uuid4()

    await slices.stores.traits.project(
        [
            said(ann, 0, plan="fibre", city="Bonn"),
            said(number, 1, plan=None, language="de"),
            said(other, 2, plan="dsl"),
        ]
    )

    assert await known(slices, ann, number) == {"city": "Bonn", "language": "de"}
    assert await known(slices, ann) == {"plan": "fibre", "city": "Bonn"}
    assert await known(slices) == {}


async def test_two_words_of_one_moment_are_ordered_by_their_sequence(slices: Slices) -> None:
    ann = uuid4()
    early, late = said(ann, plan="fibre"), said(ann, plan="dsl")

    await slices.stores.traits.project([late])
    await slices.stores.traits.project([early])

    assert early.sequence < late.sequence
    assert await known(slices, ann) == {"plan": "dsl"}


async def test_any_json_is_kept_as_it_came(slices: Slices) -> None:
    ann = uuid4()
    value = {"$set": {"a.b": [1, None, {"_id": "x"}]}, "": 2.5, "$inc": True}
    await slices.stores.traits.project([said(ann, 0, odd="before")])

    await slices.stores.traits.project([said(ann, 1, odd=value)])

    assert await known(slices, ann) == {"odd": value}


async def test_made_up_names_do_not_hide_what_was_proven(slices: Slices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_READ", 5)
    ann, persona = UUID(int=2), UUID(int=1)
    made_up = {f"a{number}": number for number in range(20)}

    await slices.stores.traits.project(
        [said(ann, 0, plan="fibre"), said(persona, 9, assurance=Assurance.CLAIMED, **made_up)]
    )

    found = await known(slices, persona, ann)
    assert len(found) == 5
    assert found["plan"] == "fibre"
