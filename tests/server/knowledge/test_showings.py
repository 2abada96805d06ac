"""Who was shown which version: everybody who is recorded to have been, nobody else, however it was recorded."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steadylight_server.core.errors import NotFound
from steadylight_server.core.paging import Window
from steadylight_server.ingest.showings import ShowingsRebuilt, showings
from steadylight_server.timeline.models import Action, Subject
from steadylight_server.timeline.rebuild import rebuild
from tests.factories import BY, content, fact, fragment
from tests.server.conftest import Slices

AT = datetime(2026, 11, 22, tzinfo=UTC)
SHOWN = "article.shown"


def shown(slug: str = "roaming", version: Any = 1, profile_id: UUID | None = None, **fields: Any) -> Action:
    told = {"version": version, "fragments": ["body"], "rendering": "html", "locale": "en", "hash": "f00d"}
    return fact(
        profile_id or uuid4(), **{"type": SHOWN, "subject": Subject("article", slug), "properties": told, **fields}
    )


async def listed(slices: Slices, slug: str = "roaming", version: int = 1) -> list[UUID]:
    found: list[UUID] = []
    window = Window(2)
    while True:
        page = await slices.knowledge.affected_by(slug, version, window)
        found += [one.id for one in page.items]
        if not page.has_next:
            return found
        window = Window(2, after=page.items[-1].position)


async def article(slices: Slices, slug: str = "roaming", versions: int = 2) -> None:
    for revision in range(versions):
        what = content(fragment(body=f"Version {revision + 1}."))
        await slices.editing.publish(slug, what, revision=revision, reason="new", by=BY)


def test_an_action_tells_what_was_shown() -> None:
    action = shown(contact="visit-7", channel="ivr", at=AT)

    [one] = showings([action])

    assert (one.id, one.article, one.version, one.profile_id) == (action.id, "roaming", 1, action.profile_id)
    assert (one.channel, one.contact, one.at, one.position) == ("ivr", "visit-7", AT, action.position)
    assert (one.fragments, one.rendering, one.locale, one.hash) == (("body",), "html", "en", "f00d")


@pytest.mark.parametrize(
    "other",
    [
        shown(type="plan.viewed"),
        shown(subject=None),
        shown(subject=Subject("case", "roaming")),
        shown(version="1"),
        shown(version=True),
        shown(version=0),
        shown(version=2**31),
        shown(properties={}),
    ],
    ids=[str(number) for number in range(8)],
)
def test_what_names_no_version_of_an_article_tells_of_none(other: Action) -> None:
    assert showings([other]) == []


def test_what_else_is_wrong_is_left_out() -> None:
    [one] = showings([shown(properties={"version": 3, "fragments": ["a", 7, None], "rendering": 1, "hash": []})])

    assert (one.version, one.fragments, one.rendering, one.locale, one.hash) == (3, ("a",), None, None, None)
    assert showings([shown(properties={"version": 3, "fragments": "all"})])[0].fragments == ()


async def test_a_version_that_is_not_there_was_shown_to_nobody(house: Slices) -> None:
    for slug, version in (("never", 1), ("never", 0)):
        with pytest.raises(NotFound):
            await house.knowledge.affected_by(slug, version, Window())


async def test_pages_go_both_ways(house: Slices) -> None:
    await article(house, "paged", 1)
    actions = [shown("paged", at=AT + timedelta(minutes=number)) for number in range(5)]
    await house.knowledge.note(showings(actions))

    last = await house.knowledge.affected_by("paged", 1, Window(2, backwards=True))
    before = await house.knowledge.affected_by("paged", 1, Window(2, before=last.items[0].position, backwards=True))

    ids = [one.id for one in actions][::-1]
    assert await listed(house, "paged") == ids
    assert [one.id for one in last.items] == ids[3:]
    assert [one.id for one in before.items] == ids[1:3]


STORIES = st.lists(
    st.tuples(
        st.sampled_from(["roaming", "fees"]),
        st.integers(1, 3),
        st.sampled_from([SHOWN, "plan.viewed"]),
        st.integers(0, 5),
    ),
    max_size=25,
)


@pytest.fixture(scope="module")
async def written(shared: Slices) -> Slices:
    """Two articles with three versions each."""
    for slug in ("roaming", "fees"):
        await article(shared, slug, 3)
    return shared


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(story=STORIES, seed=st.integers(0, 99))
async def test_everybody_who_was_shown_a_version_is_listed_and_nobody_else(
    written: Slices, story: list[tuple[str, int, str, int]], seed: int
) -> None:
    await written.stores.showings.begin_anew()
    actions = [
        shown(slug, version, type=type, at=AT + timedelta(minutes=minute), profile_id=UUID(int=minute))
        if type == SHOWN
        else fact(UUID(int=minute), type=type, subject=Subject("article", slug), properties={"version": version})
        for slug, version, type, minute in story
    ]
    arriving = Random(seed).sample(actions + actions[::2], len(actions) + len(actions[::2]))

    for start in range(0, len(arriving), 7):
        await written.knowledge.note(showings(arriving[start : start + 7]))

    for slug in ("roaming", "fees"):
        for version in (1, 2, 3):
            right = [
                one
                for one in actions
                if one.type == SHOWN and one.subject == ("article", slug) and one.properties["version"] == version
            ]
            right.sort(key=lambda one: one.position, reverse=True)
            assert await listed(written, slug, version) == [one.id for one in right]


async def test_what_was_shown_is_rebuilt_from_actions(slices: Slices) -> None:
    actions = [shown(at=AT + timedelta(minutes=number)) for number in range(10)]
    await slices.timeline.append(actions)
    await slices.knowledge.note(showings(actions))
    right = await slices.documents("showings")
    await slices.database.raw["showings"].delete_many({"order": {"$exists": True}})

    await rebuild(slices.database, others=[lambda suffix: ShowingsRebuilt(slices.stores.showings.beside(suffix))])

    assert await slices.documents("showings") == right
    assert len(right) == 10
