"""What is found, in which order, and that nothing of it depends on what is not for whoever searches."""

import random
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steadylight_server.knowledge.entries import Entry
from steadylight_server.knowledge.index import Index
from steadylight_server.knowledge.query import MOST_QUERY, MOST_RANKED
from steadylight_server.knowledge.question import Found
from tests.searching import search

ROAMING = Entry(
    *("roaming", "abroad", "en-GB", "Using your phone abroad", "Roaming charges"),
    *("In most countries calls cost what they cost at home.", "all"),
    topics=("mobile", "charges"),
)
BILLS = Entry(
    *(
        "bills",
        "reading",
        "en-GB",
        "Your bill",
        "How to read it",
        "Charges are listed by day. Ask us what one is for.",
        "all",
    ),
    topics=("charges",),
)
MARGINS = Entry(
    "margins", "secret", "en-GB", "Margins", "What we earn", "Roaming is sold at a markup of ninety.", "staff"
)
KUENDIGUNG = Entry(
    "exit", "how", "de-CH", "Vertrag kündigen", "Kündigung", "Die Kündigungen gelten ab Monatsende.", "all"
)


@pytest.fixture
def index() -> Index:
    index = Index()
    index.change({entry.article: [entry] for entry in (ROAMING, BILLS, MARGINS, KUENDIGUNG)})
    return index


def names(found: Found) -> list[str]:
    return [hit.entry.article for hit in found.hits]


def test_what_answers_best_comes_first(index: Index) -> None:
    found = search(index, "What are the charges for roaming?", audiences=["all"])

    assert names(found) == ["roaming", "bills"]
    assert found.hits[0].score > found.hits[1].score > 0
    assert (found.total, found.meant) == (2, None)


def test_what_is_for_others_is_not_there(index: Index) -> None:
    assert names(search(index, "markup", audiences=["staff"])) == ["margins"]
    for text in ("markup", "marku", "markpu", "Roaming is sold at a markup of ninety."):
        assert "margins" not in names(search(index, text, audiences=["all"]))
        assert search(index, "markup", audiences=["all"], counts=True) == Found()
        assert search(index, text, audiences=[]) == Found()
    assert index.suggest("mark", audiences=["all"]) == []
    assert index.suggest("mark", audiences=["staff"]) == ["markup"]


@pytest.mark.parametrize("typed", ["Kündigung", "kundigung", "KÜNDIGUNGEN", "kündigen", "künd"])
def test_words_are_found_in_all_their_forms_and_without_their_accents(index: Index, typed: str) -> None:
    assert names(search(index, typed, audiences=["all"])) == ["exit"]


def test_the_last_word_may_be_a_beginning_until_something_stands_behind_it(index: Index) -> None:
    assert names(search(index, "roam", audiences=["all"])) == ["roaming"]
    assert names(search(index, "countr", audiences=["all"])) == ["roaming"]
    assert names(search(index, "phon ", audiences=["all"])) == ["roaming"]
    assert search(index, "ro ", audiences=["all"]) == Found()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("raoming charges?", "roaming charges?"),
        ("the chagres, please", "the charges, please"),
        ("contries!", "countries!"),
        ("rooming chrages ", "roaming charges "),
    ],
)
def test_a_word_that_is_not_there_is_mended(index: Index, typed: str, meant: str) -> None:
    found = search(index, typed, audiences=["all"])

    assert found.meant == meant
    assert "roaming" in names(found)


@pytest.mark.parametrize("typed", ["", " ", "?!", "the of and", "4711", "\ud800", "'", "zzzzzz", "a" * 5_000])
def test_what_says_nothing_finds_nothing(index: Index, typed: str) -> None:
    assert search(index, typed, audiences=["all"]) == Found()
    assert index.suggest(typed, audiences=["all"]) == []


def test_of_many_words_that_are_not_there_the_first_are_mended(index: Index) -> None:
    strange = [f"roami{letter}g" for letter in "abcdefghij"]

    meant = search(index, " ".join(strange), audiences=["all"]).meant

    assert meant == " ".join(["roaming"] * 8 + strange[8:])


def test_a_query_of_stop_words_alone_is_taken_at_its_word() -> None:
    index = Index()
    index.put("who", [Entry("who", "a", "en", "The Who", "", "A band.", "all")])
    index.put("what", [Entry("what", "a", "en", "What", "", "A word.", "all")])

    assert names(search(index, "the who", audiences=["all"])) == ["who"]


def test_what_is_marked_is_escaped() -> None:
    index = Index()
    body = "x " * 300 + "Pay <b>charges</b> & fees\n\nfor   roaming by day. " + "y " * 300
    index.put("a", [Entry("a", "a", "en", "Title", "", body, "all")])

    (hit,) = search(index, "charge roaming", audiences=["all"]).hits

    assert (
        "Pay &lt;b&gt;<mark>charges</mark>&lt;/b&gt; &amp; fees for <mark>roaming</mark> by day. y" in hit.snippet.html
    )
    assert hit.snippet.text.startswith("… x")
    assert hit.snippet.text.endswith("y …")
    assert [hit.snippet.text[slice(*one)] for one in hit.snippet.ranges] == ["charges", "roaming"]


def test_where_the_body_has_none_of_the_words_the_snippet_is_its_beginning(index: Index) -> None:
    (hit,) = search(index, "abroad", audiences=["all"]).hits

    assert hit.snippet.html == "In most countries calls cost what they cost at home."


def test_topics_and_locales_narrow_what_is_found_and_are_counted(index: Index) -> None:
    found = search(index, "charges monatsende", audiences=["all"], counts=True)

    assert [(one.name, one.count) for one in found.topics] == [("charges", 2), ("mobile", 1)]
    assert [(one.name, one.count) for one in found.locales] == [("en-GB", 2), ("de-CH", 1)]
    assert names(search(index, "charges", audiences=["all"], topics=["mobile"])) == ["roaming"]
    assert names(search(index, "charges monatsende", audiences=["all"], locales=["de-CH"])) == ["exit"]
    assert search(index, "charges", audiences=["all"], topics=["none"]).total == 0


def test_many_values_narrow_as_few_do(index: Index) -> None:
    others = [f"another-{number}" for number in range(100)]

    few = search(index, "charges", audiences=["all"], topics=["mobile"])
    many = search(index, "charges", audiences=["all"], topics=["mobile", *others])

    assert names(many) == names(few) == ["roaming"]
    assert search(index, "charges", audiences=["all"], topics=others).total == 0


def test_suggestions_lead_to_something(index: Index) -> None:
    assert index.suggest("read ch", audiences=["all"]) == ["read charges"]
    assert index.suggest("home ch", audiences=["all"]) == ["home charges"]
    assert index.suggest("monatsende ch", audiences=["all"]) == []
    assert index.suggest("c", audiences=["all"], limit=2) == ["charges", "calls"]


def test_a_page_is_what_follows_the_one_before() -> None:
    index = Index()
    index.put("many", [Entry("many", f"f{number:03}", "en", "Same", "", "word", "all") for number in range(150)])
    pages = [search(index, "word", audiences=["all"], first=30, offset=offset) for offset in range(0, 150, 30)]

    assert {page.total for page in pages} == {150}
    assert len({hit.entry.fragment for page in pages for hit in page.hits}) == MOST_RANKED


def test_a_change_takes_the_place_of_what_was_there(index: Index) -> None:
    index.put("roaming", [replace(ROAMING, body="Nothing any more.", heading="News", version=2)])

    assert search(index, "countries", audiences=["all"]) == Found()
    assert [hit.entry.version for hit in search(index, "news", audiences=["all"]).hits] == [2]
    index.remove("roaming")
    assert "roaming" not in index
    assert "bills" in index
    assert search(index, "abroad", audiences=["all"]) == Found()
    index.replace({"exit": [KUENDIGUNG]})
    assert len(index) == 1
    index.replace({})
    assert search(index, "kündigung", audiences=["all"]) == Found()


def test_characters_that_are_words_are_found() -> None:
    index = Index()
    index.put("jp", [Entry("jp", "a", "ja", "海外ローミング料金", "", "料金は国によって異なります。", "all")])

    (hit,) = search(index, "料金", audiences=["all"]).hits
    assert hit.snippet.html.startswith("<mark>料</mark><mark>金</mark>は国")


WORDS = ["roaming", "charges", "charge", "card", "carde", "phone", "phones", "abroad", "bill", "billing", "zebra"]
texts = st.lists(st.sampled_from(WORDS), min_size=0, max_size=8).map(" ".join)
entries = st.builds(
    Entry,
    article=st.sampled_from(["a", "b", "c", "d", "e"]),
    fragment=st.uuids().map(str),
    locale=st.sampled_from(["en", "en-GB", "de", "xx"]),
    title=texts,
    heading=texts,
    body=texts,
    audience=st.sampled_from(["all", "gold", "staff"]),
    topics=st.lists(st.sampled_from(["t1", "t2"]), unique=True, max_size=2).map(tuple),
)
queries = st.one_of(
    texts,
    st.lists(st.sampled_from([*WORDS, "chrages", "ro", "billng", "pone", "zebr"]), max_size=5).map(" ".join),
    st.text(max_size=40),
)


def test_what_is_among_the_best_of_many_does_not_depend_on_what_is_for_others() -> None:
    chance = random.Random(4)
    vocabulary = [f"w{number}" for number in range(300)]

    def body(most: int) -> str:
        told = chance.choices(vocabulary, k=chance.randint(5, most))
        return " ".join([*told, *["alpha"] * chance.randint(1, 5), *["beta"] * chance.randint(0, 3)])

    mine = [Entry(f"a{number}", "f", "en", "t", "", body(80), "all") for number in range(4 * MOST_RANKED)]
    others = [Entry(f"s{number}", "f", "en", "t", "", "alpha " + body(3_000), "staff") for number in range(MOST_RANKED)]
    alone, together = Index(), Index()
    alone.change({one.article: [one] for one in mine})
    together.change({one.article: [one] for one in [*mine, *others]})

    for query in ("alpha beta ", "alpha w3 ", "alpha "):
        found, same = (search(index, query, audiences=["all"], first=MOST_RANKED) for index in (alone, together))
        assert found.total == same.total > MOST_RANKED
        assert [(hit.entry, hit.score) for hit in found.hits] == [(hit.entry, hit.score) for hit in same.hits]


@given(st.lists(entries, max_size=20), queries, st.sets(st.sampled_from(["all", "gold"])), st.randoms())
@settings(max_examples=60, deadline=None)
def test_what_somebody_finds_is_the_same_as_if_there_were_nothing_else(
    several: list[Entry], query: str, audiences: set[str], chance: random.Random
) -> None:
    """Hits, their order and scores, snippets, counts, what was meant and suggestions."""
    whole, own = Index(), Index()
    articles = {entry.article: [one for one in several if one.article == entry.article] for entry in several}
    for article, some in sorted(articles.items(), key=lambda _: chance.random()):
        whole.put(article, some)
    own.change({name: [one for one in some if one.audience in audiences] for name, some in articles.items()})

    by_whole, by_own = (search(each, query, audiences=audiences, counts=True) for each in (whole, own))
    assert by_whole == by_own
    assert whole.suggest(query, audiences=audiences) == own.suggest(query, audiences=audiences)
    assert all(hit.entry.audience in audiences for hit in search(whole, query, audiences=audiences).hits)


BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
moments = st.integers(0, 4).map(lambda days: BEGIN + timedelta(days))


@given(
    st.lists(entries, max_size=20),
    st.dictionaries(st.sampled_from(["a", "b", "c", "d", "e"]), moments),
    st.lists(moments, min_size=1, max_size=3),
    queries,
    st.sets(st.sampled_from(["all", "gold"])),
)
@settings(max_examples=60, deadline=None)
def test_what_has_ended_is_the_same_as_what_was_never_there(
    several: list[Entry], ends: dict[str, datetime], asked: list[datetime], query: str, audiences: set[str]
) -> None:
    """Hits, scores, counts, what was meant and suggestions, at the very moment, and whichever is asked for first."""
    several = [replace(one, expires_at=ends.get(one.article)) for one in several]
    index = Index()
    index.change({one.article: [other for other in several if other.article == one.article] for one in several})

    for at in asked:
        left = [one for one in several if one.expires_at is None or one.expires_at > at]
        alone = Index()
        alone.change({one.article: [other for other in left if other.article == one.article] for one in left})
        assert search(index, query, audiences=audiences, at=at, counts=True) == search(
            alone, query, audiences=audiences, counts=True
        )
        assert index.suggest(query, audiences=audiences, at=at) == alone.suggest(query, audiences=audiences)


def test_how_long_an_answer_lasts_is_told_by_what_is_for_whoever_asks(index: Index) -> None:
    tomorrow = BEGIN + timedelta(1)
    index.put("margins", [replace(MARGINS, expires_at=BEGIN)])
    index.put("bills", [replace(BILLS, expires_at=tomorrow)])

    assert search(index, "roaming", audiences=["all"]).until == tomorrow
    assert search(index, "roaming", audiences=["all", "staff"]).until == BEGIN
    assert search(index, "roaming", audiences=["all", "staff"], at=BEGIN).until == tomorrow
    assert search(index, "roaming", audiences=["all"], at=tomorrow).until is None


@given(st.text(max_size=2 * MOST_QUERY))
@settings(max_examples=100, deadline=None)
def test_whatever_somebody_types_is_a_query(query: str) -> None:
    for text in (query, f"charges {query}", f"{query}charges"):
        for hit in search(INDEX, text, audiences=["all"], counts=True).hits:
            assert "<" not in re.sub("</?mark>", "", hit.snippet.html)
        INDEX.suggest(text, audiences=["all"])


INDEX = Index()
INDEX.change({entry.article: [entry] for entry in (ROAMING, BILLS, MARGINS, KUENDIGUNG)})
