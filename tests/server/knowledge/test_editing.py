"""Articles are written version by version, nobody undoes what another did first, and nothing is half done."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from steadylight_server.core.errors import Conflict, Invalid, NotFound, Unavailable
from steadylight_server.knowledge.audience import EVERYBODY, Viewpoint
from steadylight_server.knowledge.models import Article, Content, State, Version
from tests.factories import BY, content, fragment
from tests.server.conftest import Slices

FIRST, SECOND = content(fragment(body="One pound a day.")), content(fragment(body="Two pounds a day."))
AT = datetime(2026, 1, 1, tzinfo=UTC)


async def save(slices: Slices, what: Content = FIRST, revision: int = 0, slug: str = "roaming") -> Article:
    return await slices.editing.save(slug, what, revision=revision, reason="new tariff", by=BY)


async def publish(slices: Slices, what: Content | None = FIRST, revision: int = 0, slug: str = "roaming") -> Article:
    return await slices.editing.publish(slug, what, revision=revision, reason="new tariff", by=BY)


async def expire(slices: Slices, revision: int) -> Article:
    return await slices.editing.expire("roaming", revision=revision, reason="withdrawn", by=BY)


async def story(slices: Slices, slug: str = "roaming") -> list[tuple[int, State, str]]:
    versions = await slices.editing.versions(slug)
    return [(one.number, one.state, one.content.fragments[0].body) for one in versions]


async def test_a_draft_is_shown_to_nobody(slices: Slices) -> None:
    article = await save(slices)

    assert (article.state, article.number, article.revision, article.draft) == (State.DRAFT, 1, 1, 1)
    assert await slices.editing.article("roaming") == article
    with pytest.raises(NotFound):
        await slices.knowledge.shown_to("roaming", Viewpoint())


async def test_a_draft_is_published_as_it_is(slices: Slices) -> None:
    await save(slices)

    article = await publish(slices, None, revision=1)

    assert (article.state, article.number, article.draft) == (State.PUBLISHED, 2, None)
    assert (await slices.knowledge.shown_to("roaming", Viewpoint())).version == 2
    assert await story(slices) == [
        (2, State.PUBLISHED, "One pound a day."),
        (1, State.DRAFT, "One pound a day."),
    ]


async def test_a_draft_beside_what_is_published_changes_nothing_of_it(slices: Slices) -> None:
    await publish(slices)

    article = await save(slices, SECOND, revision=1)

    assert (article.state, article.draft) == (State.PUBLISHED, 2)
    assert (await slices.knowledge.shown_to("roaming", Viewpoint())).fragments[0].body == "One pound a day."


async def test_a_correction_is_shown_at_once_and_the_old_version_is_kept(slices: Slices) -> None:
    await publish(slices)

    await publish(slices, SECOND, revision=1)

    assert (await slices.knowledge.shown_to("roaming", Viewpoint())).fragments[0].body == "Two pounds a day."
    old = await slices.editing.version("roaming", 1)
    assert (old.content, old.author, old.reason) == (FIRST, "tests", "new tariff")
    [changed] = await slices.editing.diff("roaming", 1, 2)
    assert changed.part == "body"
    assert changed.diff.splitlines()[-2:] == ["-One pound a day.", "+Two pounds a day."]


async def test_what_has_expired_is_shown_no_more_and_can_be_published_again(slices: Slices) -> None:
    await publish(slices)

    article = await expire(slices, 1)

    assert (article.state, article.published) == (State.EXPIRED, None)
    with pytest.raises(NotFound):
        await slices.knowledge.shown_to("roaming", Viewpoint())
    assert await expire(slices, 2) == article
    drafted = await save(slices, SECOND, revision=2)
    assert (drafted.state, drafted.draft) == (State.EXPIRED, 3)
    assert (await publish(slices, None, revision=3)).state is State.PUBLISHED
    assert [state for _, state, _ in await story(slices)] == ["PUBLISHED", "DRAFT", "EXPIRED", "PUBLISHED"]


async def test_the_same_again_changes_nothing(slices: Slices) -> None:
    drafted = await save(slices)
    assert await save(slices, revision=1) == drafted
    published = await publish(slices, revision=1)

    assert await publish(slices, revision=2) == published
    assert await publish(slices, None, revision=2) == published


async def test_who_is_second_is_told_so(slices: Slices) -> None:
    await publish(slices)

    outcomes = await asyncio.gather(
        *(save(slices, content(fragment(body=f"Draft {n}.")), revision=1) for n in range(5)), return_exceptions=True
    )

    assert sorted(type(one).__name__ for one in outcomes) == ["Article", *["Conflict"] * 4]
    assert [number for number, _, _ in await story(slices)] == [2, 1]


async def test_one_article_is_made_whoever_makes_it_at_the_same_moment(slices: Slices) -> None:
    outcomes = await asyncio.gather(
        *(save(slices, content(fragment(body=f"Draft {n}."))) for n in range(5)), return_exceptions=True
    )

    assert sorted(type(one).__name__ for one in outcomes) == ["Article", *["Conflict"] * 4]
    assert [number for number, _, _ in await story(slices)] == [1]


async def test_a_change_is_whole_or_not_at_all(slices: Slices) -> None:
    before = await publish(slices)

    async with slices.failing("insert", collection="article_versions", errorCode=112):
        with pytest.raises(Unavailable):
            await publish(slices, SECOND, revision=1)

    assert await slices.editing.article("roaming") == before
    assert [number for number, _, _ in await story(slices)] == [1]


async def test_what_was_done_is_in_the_audit_and_what_was_refused_is_not(slices: Slices) -> None:
    await publish(slices)
    with pytest.raises(Conflict):
        await publish(slices, SECOND, revision=0)
    await expire(slices, 1)

    assert [(one["deed"], one["why"]) for one in await slices.documents("audit")] == [
        ("article.published", "roaming@1: new tariff"),
        ("article.expired", "roaming@2: withdrawn"),
    ]


async def test_what_is_not_there_cannot_be_changed(slices: Slices) -> None:
    with pytest.raises(NotFound):
        await publish(slices, None)
    with pytest.raises(NotFound):
        await expire(slices, 0)
    with pytest.raises(Conflict):
        await save(slices, revision=3)
    await save(slices)
    with pytest.raises(Invalid, match="never published"):
        await expire(slices, 1)
    for asked in (slices.editing.article("other"), slices.editing.version("roaming", 2)):
        with pytest.raises(NotFound, match=r"There is no such article\."):
            await asked


async def test_a_change_has_a_reason(slices: Slices) -> None:
    for reason in (" ", "x" * 501):
        with pytest.raises(Invalid, match="reason: 1 to 500 characters"):
            await slices.editing.save("roaming", FIRST, revision=0, reason=reason, by=BY)


async def test_a_clock_that_lags_does_not_put_a_change_before_the_last(slices: Slices) -> None:
    slices.clock.at = AT
    await publish(slices)
    slices.clock.at = AT - timedelta(hours=1)

    assert (await publish(slices, SECOND, revision=1)).updated_at == AT


async def test_versions_are_read_in_pages_from_either_end(slices: Slices) -> None:
    for number in range(5):
        await save(slices, content(fragment(body=f"Draft {number}.")), revision=number)

    async def numbers(**given: object) -> list[int]:
        return [one.number for one in await slices.editing.versions("roaming", **given)]  # type: ignore[arg-type]

    assert await numbers(limit=2) == [5, 4]
    assert await numbers(after=4, limit=2) == [3, 2]
    assert await numbers(backwards=True, limit=2) == [1, 2]
    assert await numbers(backwards=True, before=2, limit=9) == [3, 4, 5]


def written(day: int, what: Content = FIRST, reason: str = "revised") -> Version:
    return Version("roaming", 0, State.PUBLISHED, what, "unknown", reason, AT + timedelta(days=day))


async def test_a_history_is_recorded_with_its_true_times_once(slices: Slices) -> None:
    past = [written(2, SECOND), written(1)]

    article, new = await slices.editing.record("roaming", past, by=BY)
    again = await slices.editing.record("roaming", past, by=BY)

    assert (article.number, article.updated_at, new) == (2, AT + timedelta(days=2), 2)
    assert again == (article, 0)
    assert [one.at for one in await slices.editing.versions("roaming")] == [AT + timedelta(days=day) for day in (2, 1)]
    assert (await slices.knowledge.shown_to("roaming", Viewpoint())).fragments[0].body == "Two pounds a day."


async def test_a_history_goes_on_and_is_not_rewritten(slices: Slices) -> None:
    await slices.editing.record("roaming", [written(1), written(3)], by=BY)

    for wrong in (written(2, SECOND, "late"), written(3, SECOND)):
        with pytest.raises(Invalid, match="roaming: "):
            await slices.editing.record("roaming", [wrong], by=BY)

    assert (await slices.editing.record("roaming", [written(1), written(3), written(4, SECOND)], by=BY))[1] == 1
    with pytest.raises(Invalid, match="nothing to record"):
        await slices.editing.record("other", [], by=BY)


async def test_what_is_read_is_what_was_written(slices: Slices) -> None:
    whole = content(
        fragment("a", "# A", heading="Costs", spoken="It costs.", sms="Costs", audience=EVERYBODY),
        fragment("a", "# Ä", locale="de-CH"),
        titles={"en": "Roaming", "de-CH": "Im Ausland"},
        topics=("costs",),
        capabilities=("plan.change",),
        journeys=("add-broadband",),
        owner="a.singh",
        review_on=AT.date(),
    )

    await publish(slices, whole)

    assert (await slices.editing.version("roaming", 1)).content == whole
    article = await slices.editing.article("roaming")
    assert article.published is not None
    assert article.published.content == whole
