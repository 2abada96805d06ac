"""What somebody finds is what they are shown, and every server finds what any has published."""

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from pymongo import WriteConcern
from tantivy import Query, SearchResult

from steadylight_server.access.models import Role
from steadylight_server.core.clock import now
from steadylight_server.core.errors import Unavailable
from steadylight_server.knowledge.audience import EVERYBODY, Audience, Viewpoint, holding
from steadylight_server.knowledge.models import Content, Fragment, State, Version
from steadylight_server.knowledge.query import Search
from steadylight_server.knowledge.question import Question
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


async def found(search: SearchService, query: str, viewpoint: Viewpoint = CUSTOMER, **given: object) -> list[str]:
    answer = await search.ask(query, viewpoint, **given).answer()  # type: ignore[arg-type]
    return [f"{hit.article.slug}#{hit.fragment.id}" for hit in answer.hits]


async def told(
    search: SearchService, query: str, viewpoint: Viewpoint = CUSTOMER
) -> tuple[Answer, list[str], list[str]]:
    """The answer, and the topics and locales of all that could be found."""
    asked = search.ask(query, viewpoint)
    topics, locales = await asked.topics(), await asked.locales()
    return await asked.answer(), [one.name for one in topics], [one.name for one in locales]


async def until(search: SearchService, query: str, expected: list[str]) -> None:
    """Waits for what comes in its own time; the test's own limit ends it."""
    while await found(search, query) != expected:
        await asyncio.sleep(0.01)


async def test_what_was_published_before_is_found_and_what_is_published_later(slices: Slices) -> None:
    await publish(slices, "roaming", content(fragment(body="Calls **abroad** cost <b>nothing</b> more.")))
    await slices.editing.save("draft", content(fragment(body="abroad")), revision=0, reason="new", by=BY)

    async with slices.search.following():
        assert await found(slices.search, "abroad") == ["roaming#body"]
        await publish(slices.beside(), "later", content(fragment(body="Letters from abroad."), title="Letters"))
        await until(slices.search, "letters", ["later#body"])

    (hit,) = (await slices.search.ask("calls abroad", CUSTOMER).answer(first=1)).hits
    assert (hit.article.title, hit.article.version) == ("Roaming charges", 1)
    assert hit.snippet.html.startswith("<mark>Calls</mark> <mark>abroad</mark> cost")


async def test_two_servers_find_what_either_publishes_corrects_and_takes_back(slices: Slices) -> None:
    other = slices.beside()
    async with slices.search.following(), other.search.following():
        revision = await publish(slices, "a", content(fragment(body="first")))
        await until(other.search, "first", ["a#body"])
        revision = await publish(other, "a", content(fragment(body="second")), revision)
        await until(slices.search, "second", ["a#body"])
        assert await found(slices.search, "first") == []
        saved = await slices.editing.save("a", content(fragment(body="third")), revision=revision, reason="x", by=BY)
        await publish(slices, "b", content(fragment(body="other")))
        await until(other.search, "other", ["b#body"])
        assert (await found(other.search, "second"), await found(other.search, "third")) == (["a#body"], [])
        await slices.editing.expire("a", revision=saved.revision, reason="over", by=BY)
        await until(other.search, "second", [])


async def test_a_title_that_tells_of_what_is_for_others_is_not_searched_for_them(slices: Slices) -> None:
    parts = [
        fragment(body="Fees."),
        fragment(body="Gebühren.", locale="de", audience=STAFF),
        fragment(body="Gebühren, Schweiz.", locale="de-CH"),
    ]
    await publish(slices, "a", content(*parts, titles={"en": "Fees", "de": "Mitarbeiterbonus"}))

    async with slices.search.following():
        assert await found(slices.search, "mitarbeiterbonus", AGENT, locale="de") == ["a#body"]
        assert await found(slices.search, "mitarbeiterbonus", locale="de-CH") == []
        assert slices.search.suggest("mitarb", CUSTOMER, "de-CH") == []
        (hit,) = (await slices.search.ask("schweiz fees", CUSTOMER, "de-CH").answer()).hits
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
        assert await found(slices.search, "second") == ["a#body"]
    finally:
        await following.__aexit__(None, None, None)


async def test_what_is_for_others_is_not_found_by_any_way(slices: Slices) -> None:
    await publish(
        slices, "a", content(fragment(body="known"), fragment("inside", "Margins are ninety.", audience=STAFF))
    )
    await publish(slices, "b", content(fragment(body="Margins.", audience=STAFF), title="Margins", topics=("money",)))

    async with slices.search.following():
        for text in ("margins", "margi", "margnis", "ninety", "Margins are ninety.", "money"):
            assert await told(slices.search, text) == (Answer(), [], [])
        assert await found(slices.search, "known", topics=["money"]) == []
        assert slices.search.suggest("mar", CUSTOMER) == []
        assert await found(slices.search, "margins", AGENT) == ["b#body", "a#inside"]
        assert slices.search.suggest("mar", AGENT) == ["margins"]
        assert (await told(slices.search, "margins", AGENT))[1] == ["money"]


async def test_what_ends_by_itself_is_not_found_from_that_moment_on_at_any_server(slices: Slices) -> None:
    slices.clock.at = begin = now()
    end = begin + timedelta(hours=1)
    other = slices.beside()
    await publish(slices, "offer", content(fragment(body="A carnival tariff."), topics=("sale",), expires_at=end))
    await publish(slices, "usual", content(fragment(body="The usual tariff.")))

    async with slices.search.following(), other.search.following():
        for search in (slices.search, other.search):
            slices.clock.at = begin
            before, topics, _ = await told(search, "tariff")
            assert (before.total, topics, before.lasts) == (2, ["sale"], end - begin)
            assert search.suggest("carn", CUSTOMER) == ["carnival"]
            slices.clock.at = end - timedelta(milliseconds=1)
            assert await found(search, "carnival") == ["offer#body"]
            slices.clock.at = end
            after, topics, _ = await told(search, "tariff")
            assert ([hit.article.slug for hit in after.hits], after.total) == (["usual"], 1)
            assert (topics, after.lasts) == ([], None)
            assert await told(search, "carnivla") == (Answer(), [], [])
            assert search.suggest("carn", CUSTOMER) == []
        await publish(slices, "later", content(fragment(body="Later.")))
        await until(slices.search, "later", ["later#body"])
        assert not slices.search._index.ended(end)  # the change took it out


async def test_what_has_ended_is_found_again_when_it_is_prolonged(slices: Slices) -> None:
    slices.clock.at = begin = now()
    offer = content(fragment(body="A carnival tariff."), expires_at=begin)
    revision = await publish(slices, "offer", offer)

    async with slices.search.following():
        assert await found(slices.search, "carnival") == []
        longer = content(fragment(body="A carnival tariff."), expires_at=begin + timedelta(1))
        await publish(slices, "offer", longer, revision)
        await until(slices.search, "carnival", ["offer#body"])


async def test_the_locale_decides_which_of_two_texts_is_found(slices: Slices) -> None:
    two = (fragment(body="charges abroad"), fragment(body="Gebühren charges", locale="de"))
    await publish(slices, "a", content(*two, titles={"en": "Roaming", "de": "Ausland"}))

    async with slices.search.following():
        (english,), (german,) = [
            (await slices.search.ask("charges", CUSTOMER, locale).answer()).hits for locale in ("en-GB", "de-CH")
        ]

    assert (english.fragment.locale, english.article.title) == ("en", "Roaming")
    assert (german.fragment.locale, german.article.title) == ("de", "Ausland")
    assert await found(slices.search, "abroad", locale="de") == []


async def test_a_stream_that_is_lost_is_opened_again_and_all_is_read_anew(
    slices: Slices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steadylight_server.knowledge.search.RETRY", 0.01)
    await publish(slices, "a", content(fragment(body="first")))
    with structlog.testing.capture_logs() as logged:
        async with slices.search.following():
            async with slices.failing("getMore", "aggregate", collection="articles", errorCode=112):
                while not any("lost" in entry["event"] for entry in logged):
                    await asyncio.sleep(0.01)
                await publish(slices, "b", content(fragment(body="second")))
            await until(slices.search, "second", ["b#body"])

    assert await found(slices.search, "first") == ["a#body"]


async def test_articles_that_are_put_back_from_a_backup_are_read_anew(
    slices: Slices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steadylight_server.knowledge.search.RETRY", 0.01)
    await publish(slices, "a", content(fragment(body="first")))
    kept = await slices.documents("articles")
    async with slices.search.following():
        await slices.database.raw["articles"].drop()
        await until(slices.search, "first", [])
        await slices.database.raw["articles"].insert_many(kept)
        await until(slices.search, "first", ["a#body"])


async def test_a_database_that_is_away_at_the_start_is_told(slices: Slices) -> None:
    async with slices.failing("aggregate", collection="articles", errorCode=112):
        with pytest.raises(Unavailable):
            async with slices.search.following():
                pass


async def test_who_asked_before_a_change_is_answered_as_it_was_then(slices: Slices) -> None:
    revision = await publish(slices, "a", content(fragment(body="The first tariff."), topics=("old",)))
    async with slices.search.following():
        asked = slices.search.ask("tariff", CUSTOMER)
        await publish(slices, "a", content(fragment(body="The second tariff."), topics=("new",)), revision)
        await publish(slices, "b", content(fragment(body="Another tariff.")))
        await until(slices.search, "another", ["b#body"])
        await until(slices.search, "second", ["a#body"])

        (hit,) = (await asked.answer()).hits

        assert (hit.article.version, hit.snippet.text) == (1, "The first tariff.")
        assert [one.name for one in await asked.topics()] == ["old"]
        now_there = await slices.search.ask("tariff", CUSTOMER).answer()
        assert {hit.article.slug: hit.article.version for hit in now_there.hits} == {"a": 2, "b": 1}


class Gated(Question):
    """A question at which tantivy looks when the test says."""

    opened = threading.Event()

    def look(self) -> SearchResult:
        assert self.opened.wait(10)
        return super().look()


@pytest.fixture
async def gated(slices: Slices, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[threading.Event]:
    """Opens what keeps every search of one published article, for `first`, from being answered."""
    await publish(slices, "a", content(fragment(body="first")))
    monkeypatch.setattr(Gated, "opened", threading.Event())
    monkeypatch.setattr("steadylight_server.knowledge.index.Question", Gated)
    async with slices.search.following():
        yield Gated.opened
        Gated.opened.set()


async def test_while_tantivy_looks_others_go_on(slices: Slices, gated: threading.Event) -> None:
    several = [asyncio.create_task(found(slices.search, "first")) for _ in range(8)]

    await asyncio.sleep(0.05)
    waiting = [one.done() for one in several]
    gated.set()

    assert not any(waiting)
    assert await asyncio.gather(*several) == [["a#body"]] * 8


async def test_who_gives_up_waiting_keeps_nobody_from_searching(slices: Slices, gated: threading.Event) -> None:
    several = [asyncio.create_task(found(slices.search, "first")) for _ in range(8)]
    await asyncio.sleep(0.05)

    for one in several:
        one.cancel()
    given_up = await asyncio.gather(*several, return_exceptions=True)
    gated.set()

    assert all(isinstance(one, asyncio.CancelledError) for one in given_up)
    assert await found(slices.search, "first") == ["a#body"]


async def test_what_was_found_is_counted_once_however_often_it_is_asked_for(
    slices: Slices, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[Search] = []
    count = Search.counted

    def counting(search: Search, query: Query) -> object:
        counted.append(search)
        return count(search, query)

    monkeypatch.setattr(Search, "counted", counting)
    await publish(slices, "a", content(fragment(body="first")))
    async with slices.search.following():
        asked = slices.search.ask("first", CUSTOMER)
        several = await asyncio.gather(asked.locales(), asked.topics(), asked.locales())

    assert [[one.name for one in counts] for counts in several] == [["en"], [], ["en"]]
    assert len(counted) == 1


async def test_who_searches_alone_waits_for_no_thread(slices: Slices) -> None:
    await publish(slices, "a", content(fragment(body="first")))
    async with slices.search.following():
        for _ in range(3):
            assert await found(slices.search, "first") == ["a#body"]

    assert not slices.search._threads._executor._threads


async def test_nothing_is_left_of_a_search_that_was_closed(slices: Slices) -> None:
    await publish(slices, "a", content(fragment(body="first")))
    async with slices.search.following():
        several = await asyncio.gather(*(found(slices.search, "first") for _ in range(2)))
        assert several == [["a#body"]] * 2
    threads = slices.search._threads._executor._threads

    slices.search.close()

    for one in threads:
        one.join(5)
    assert threads
    assert not any(one.is_alive() for one in threads)


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
