"""What somebody finds is what they are shown, and every server finds what any has published."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from pymongo import WriteConcern

from steadylight_server.access.models import Role
from steadylight_server.core.clock import now
from steadylight_server.core.errors import Unavailable
from steadylight_server.knowledge.audience import EVERYBODY, Audience, Viewpoint, holding
from steadylight_server.knowledge.models import Content, Fragment, State, Version
from steadylight_server.knowledge.search import Answer, SearchService
from steadylight_server.knowledge.selection import Selection, Selections
from steadylight_server.knowledge.view import shown
from tests.factories import BY, content, fragment
from tests.server.conftest import Slices

STAFF = Audience.of(roles=["AGENT", "ADMIN"])
GOLD = Audience.of(segments=["gold"])
CUSTOMER, AGENT = Viewpoint(), Viewpoint(Role.AGENT)


async def publish(slices: Slices, slug: str, what: Content, revision: int = 0) -> int:
    done = await slices.editing.publish(slug, what, revision=revision, reason="new", by=BY)
    return done.revision


def found(search: SearchService, query: str, viewpoint: Viewpoint = CUSTOMER, **given: object) -> list[str]:
    hits = search.search(query, viewpoint, **given).hits  # type: ignore[arg-type]
    return [f"{hit.article.slug}#{hit.fragment.id}" for hit in hits]


async def until(holds: Callable[[], bool]) -> None:
    """Waits for what comes in its own time; the test's own limit ends it."""
    while not holds():
        await asyncio.sleep(0.01)


async def test_what_was_published_before_is_found_and_what_is_published_later(slices: Slices) -> None:
    await publish(slices, "roaming", content(fragment(body="Calls **abroad** cost <b>nothing</b> more.")))
    await slices.editing.save("draft", content(fragment(body="abroad")), revision=0, reason="new", by=BY)

    async with slices.search.following():
        assert found(slices.search, "abroad") == ["roaming#body"]
        await publish(slices.beside(), "later", content(fragment(body="Letters from abroad."), title="Letters"))
        await until(lambda: found(slices.search, "letters") == ["later#body"])

    (hit,) = slices.search.search("calls abroad", CUSTOMER, first=1).hits
    assert (hit.article.title, hit.article.version) == ("Roaming charges", 1)
    assert hit.snippet.html.startswith("<mark>Calls</mark> <mark>abroad</mark> cost")


async def test_two_servers_find_what_either_publishes_corrects_and_takes_back(slices: Slices) -> None:
    other = slices.beside()
    async with slices.search.following(), other.search.following():
        revision = await publish(slices, "a", content(fragment(body="first")))
        await until(lambda: found(other.search, "first") == ["a#body"])
        revision = await publish(other, "a", content(fragment(body="second")), revision)
        await until(lambda: found(slices.search, "second") == ["a#body"])
        assert found(slices.search, "first") == []
        saved = await slices.editing.save("a", content(fragment(body="third")), revision=revision, reason="x", by=BY)
        await publish(slices, "b", content(fragment(body="other")))
        await until(lambda: found(other.search, "other") == ["b#body"])
        assert (found(other.search, "second"), found(other.search, "third")) == (["a#body"], [])
        await slices.editing.expire("a", revision=saved.revision, reason="over", by=BY)
        await until(lambda: found(other.search, "second") == [])


async def test_a_title_that_tells_of_what_is_for_others_is_not_searched_for_them(slices: Slices) -> None:
    parts = [
        fragment(body="Fees."),
        fragment(body="Gebühren.", locale="de", audience=STAFF),
        fragment(body="Gebühren, Schweiz.", locale="de-CH"),
    ]
    await publish(slices, "a", content(*parts, titles={"en": "Fees", "de": "Mitarbeiterbonus"}))

    async with slices.search.following():
        assert found(slices.search, "mitarbeiterbonus", AGENT, locale="de") == ["a#body"]
        assert found(slices.search, "mitarbeiterbonus", locale="de-CH") == []
        assert slices.search.suggest("mitarb", CUSTOMER, "de-CH") == []
        (hit,) = slices.search.search("schweiz fees", CUSTOMER, "de-CH").hits
    assert hit.article.title == "Fees"


async def test_what_no_majority_had_yet_when_the_stream_began_is_found(slices: Slices) -> None:
    admin, raw = slices.database.client.admin, slices.database.raw
    await publish(slices, "a", content(fragment(body="first")))
    unsure = raw["articles"].with_options(write_concern=WriteConcern(1))
    await admin.command("configureFailPoint", "disableSnapshotting", mode="alwaysOn")
    try:
        body = {"published.content.fragments.0.body": "second", "revision": 2}
        await unsure.update_one({"_id": "a"}, {"$set": body})
        following = slices.search.following()
        entered = asyncio.create_task(following.__aenter__())
        await asyncio.wait([entered], timeout=0.3)
    finally:
        await admin.command("configureFailPoint", "disableSnapshotting", mode="off")

    await admin.command("appendOplogNote", data={"goes": "on"})  # by itself it would in ten seconds
    await entered
    try:
        assert found(slices.search, "second") == ["a#body"]
    finally:
        await following.__aexit__(None, None, None)


async def test_what_is_for_others_is_not_found_by_any_way(slices: Slices) -> None:
    await publish(
        slices, "a", content(fragment(body="known"), fragment("inside", "Margins are ninety.", audience=STAFF))
    )
    await publish(slices, "b", content(fragment(body="Margins.", audience=STAFF), title="Margins", topics=("money",)))

    async with slices.search.following():
        for text in ("margins", "margi", "margnis", "ninety", "Margins are ninety.", "money"):
            assert slices.search.search(text, CUSTOMER, counts=True) == Answer()
        assert slices.search.search("known", CUSTOMER, topics=["money"]).total == 0
        assert slices.search.suggest("mar", CUSTOMER) == []
        assert found(slices.search, "margins", AGENT) == ["b#body", "a#inside"]
        assert slices.search.suggest("mar", AGENT) == ["margins"]
        assert [one.name for one in slices.search.search("margins", AGENT, counts=True).topics] == ["money"]


async def test_what_ends_by_itself_is_not_found_from_that_moment_on_at_any_server(slices: Slices) -> None:
    slices.clock.at = begin = now()
    end = begin + timedelta(hours=1)
    other = slices.beside()
    await publish(slices, "offer", content(fragment(body="A carnival tariff."), topics=("sale",), expires_at=end))
    await publish(slices, "usual", content(fragment(body="The usual tariff.")))

    async with slices.search.following(), other.search.following():
        for search in (slices.search, other.search):
            slices.clock.at = begin
            before = search.search("tariff", CUSTOMER, counts=True)
            assert (before.total, [one.name for one in before.topics], before.lasts) == (2, ["sale"], end - begin)
            assert search.suggest("carn", CUSTOMER) == ["carnival"]
            slices.clock.at = end - timedelta(milliseconds=1)
            assert found(search, "carnival") == ["offer#body"]
            slices.clock.at = end
            after = search.search("tariff", CUSTOMER, counts=True)
            assert ([hit.article.slug for hit in after.hits], after.total) == (["usual"], 1)
            assert (list(after.topics), after.lasts) == ([], None)
            assert search.search("carnivla", CUSTOMER, counts=True) == Answer()
            assert search.suggest("carn", CUSTOMER) == []
        await publish(slices, "later", content(fragment(body="Later.")))
        await until(lambda: found(slices.search, "later") == ["later#body"])
        assert not slices.search._index.ended(end)  # the change took it out


async def test_what_has_ended_is_found_again_when_it_is_prolonged(slices: Slices) -> None:
    slices.clock.at = begin = now()
    offer = content(fragment(body="A carnival tariff."), expires_at=begin)
    revision = await publish(slices, "offer", offer)

    async with slices.search.following():
        assert found(slices.search, "carnival") == []
        longer = content(fragment(body="A carnival tariff."), expires_at=begin + timedelta(1))
        await publish(slices, "offer", longer, revision)
        await until(lambda: found(slices.search, "carnival") == ["offer#body"])


async def test_the_locale_decides_which_of_two_texts_is_found(slices: Slices) -> None:
    two = (fragment(body="charges abroad"), fragment(body="Gebühren charges", locale="de"))
    await publish(slices, "a", content(*two, titles={"en": "Roaming", "de": "Ausland"}))

    async with slices.search.following():
        (english,), (german,) = (
            slices.search.search("charges", CUSTOMER, locale).hits for locale in ("en-GB", "de-CH")
        )

    assert (english.fragment.locale, english.article.title) == ("en", "Roaming")
    assert (german.fragment.locale, german.article.title) == ("de", "Ausland")
    assert found(slices.search, "abroad", locale="de") == []


async def test_a_stream_that_is_lost_is_opened_again_and_all_is_read_anew(
    slices: Slices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steadylight_server.knowledge.search.RETRY", 0.01)
    await publish(slices, "a", content(fragment(body="first")))
    with structlog.testing.capture_logs() as told:
        async with slices.search.following():
            async with slices.failing("getMore", "aggregate", collection="articles", errorCode=112):
                await until(lambda: any("lost" in entry["event"] for entry in told))
                await publish(slices, "b", content(fragment(body="second")))
            await until(lambda: found(slices.search, "second") == ["b#body"])

    assert found(slices.search, "first") == ["a#body"]


async def test_articles_that_are_put_back_from_a_backup_are_read_anew(
    slices: Slices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steadylight_server.knowledge.search.RETRY", 0.01)
    await publish(slices, "a", content(fragment(body="first")))
    kept = await slices.documents("articles")
    async with slices.search.following():
        await slices.database.raw["articles"].drop()
        await until(lambda: found(slices.search, "first") == [])
        await slices.database.raw["articles"].insert_many(kept)
        await until(lambda: found(slices.search, "first") == ["a#body"])


async def test_a_database_that_is_away_at_the_start_is_told(slices: Slices) -> None:
    async with slices.failing("aggregate", collection="articles", errorCode=112):
        with pytest.raises(Unavailable):
            async with slices.search.following():
                pass


LOCALES = ("en", "en-GB", "de", "de-CH", "fr")
fragments = st.builds(
    Fragment,
    id=st.sampled_from(["a", "b"]),
    body=st.just("text"),
    locale=st.sampled_from(LOCALES),
    audience=st.sampled_from([EVERYBODY, STAFF, GOLD, Audience.of(condition="customer.age > 3")]),
)
viewpoints = st.builds(
    Viewpoint,
    role=st.sampled_from([Role.CUSTOMER, Role.AGENT]),
    traits=st.sampled_from([{}, {"segment": "gold"}, {"segment": "gold", "age": 7}]),
)


@given(
    st.lists(fragments, min_size=1, max_size=6, unique_by=lambda one: (one.id, one.locale)),
    st.sampled_from(LOCALES),
    viewpoints,
    st.sampled_from([None, *LOCALES]),
)
@settings(deadline=None)
def test_what_is_selected_is_what_is_shown(
    several: list[Fragment], own: str, viewpoint: Viewpoint, locale: str | None
) -> None:
    what = content(*several, titles={own: "Title"}, locale=own)
    held = holding(viewpoint, what.audiences)
    selections = Selections()
    keys = {one: selections.key(Selection.of(one, what)) for one in several}

    selected = {one for one, key in keys.items() if key in selections.holding(held, locale)}

    told = shown(Version("a", 1, State.PUBLISHED, what, "x", "y", now()), held, locale)
    assert selected == (set(told.fragments) if told else set())
