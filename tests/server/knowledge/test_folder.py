"""Articles as a folder of Markdown: what is written is read again, and every fault is told by file and line."""

import tempfile
from datetime import UTC, date, datetime
from pathlib import Path
from string import printable

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from steadylight_server.core.clock import now
from steadylight_server.core.errors import Invalid
from steadylight_server.knowledge import folder
from steadylight_server.knowledge.audience import Audience
from steadylight_server.knowledge.folder import BadFolder
from steadylight_server.knowledge.models import Content, Fragment, State, Version
from tests.factories import content, fragment

OWN = """\
---
title: Roaming charges
owner: a.singh
review_on: 2027-01-31
topics: [roaming, costs]
capabilities: plan.change
---
Roaming costs **two pounds** a day.

<!-- fragment
id: refunds
heading: Refunds
audience: {roles: [AGENT, ADMIN], condition: 'customer.age >= 18'}
sms: Up to £50 without asking.
-->
Up to 50 pounds, without asking.
"""
GERMAN = """\
---
title: Im Ausland
---
Zwei Pfund am Tag.
"""
EXPECTED = content(
    fragment(body="Roaming costs **two pounds** a day."),
    fragment(
        "refunds",
        "Up to 50 pounds, without asking.",
        heading="Refunds",
        audience=Audience.of(roles=["AGENT", "ADMIN"], condition="customer.age >= 18"),
        sms="Up to £50 without asking.",
    ),
    fragment(body="Zwei Pfund am Tag.", locale="de"),
    titles={"en": "Roaming charges", "de": "Im Ausland"},
    owner="a.singh",
    review_on=date(2027, 1, 31),
    topics=("roaming", "costs"),
    capabilities=("plan.change",),
)


def put(to: Path, **texts: str) -> Path:
    for name, text in texts.items():
        file = to / name.replace("__", "/").replace("_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
    return to


def texts(what: Content, slug: str = "roaming") -> dict[str, str]:
    return dict(folder.files(Version(slug, 1, State.PUBLISHED, what.arranged(), "a", "b", now())))


def test_an_article_is_read_from_its_files(tmp_path: Path) -> None:
    put(tmp_path, help__roaming_md=OWN, help__roaming_de_md=GERMAN, README_md="# Ours", _git__x_md="no article")

    assert folder.read(tmp_path) == {"help/roaming": EXPECTED.arranged()}


@pytest.mark.parametrize(
    ("written", "at", "again"),
    [
        ("2026-12-31", datetime(2026, 12, 31, tzinfo=UTC), "expires: 2026-12-31\n"),
        ("'2026-12-31'", datetime(2026, 12, 31, tzinfo=UTC), "expires: 2026-12-31\n"),
        (
            "2026-12-31T18:00:00+02:00",
            datetime(2026, 12, 31, 16, tzinfo=UTC),
            "expires: '2026-12-31T16:00:00Z'\n",
        ),
        (
            "2026-12-31t23:59:59.9996z",
            datetime(2026, 12, 31, 23, 59, 59, 999000, UTC),
            "expires: '2026-12-31T23:59:59.999Z'\n",
        ),
    ],
)
def test_when_an_article_ends_is_a_day_or_a_moment(written: str, at: datetime, again: str) -> None:
    given = {"offer.md": f"---\ntitle: Offer\nexpires: {written}\n---\nHalf price.\n"}

    found = folder.content(given)["offer"]

    assert found.expires_at == at
    assert again in texts(found, "offer")["offer.md"]
    assert folder.content(texts(found, "offer")) == {"offer": found}


@pytest.mark.parametrize(
    "written", ["2026-12-32", "31.12.2026", "2026-12-31T18:00:00", "1798675200", "soon", "20261231"]
)
def test_what_is_no_moment_is_told_with_its_line(written: str) -> None:
    with pytest.raises(BadFolder, match=r"offer.md:3: expires: a day such as 2027-06-30 is wanted, or a moment"):
        folder.content({"offer.md": f"---\ntitle: Offer\nexpires: {written}\n---\nHalf price.\n"})


def test_an_article_is_written_as_a_person_would_write_it() -> None:
    written = texts(EXPECTED)

    assert written["roaming.de.md"] == GERMAN
    assert written["roaming.md"].splitlines() == [
        "---",
        "title: Roaming charges",
        "owner: a.singh",
        "review_on: 2027-01-31",
        "topics: [roaming, costs]",
        "capabilities: [plan.change]",
        "---",
        "Roaming costs **two pounds** a day.",
        "",
        "<!-- fragment",
        "id: refunds",
        "heading: Refunds",
        "audience:",
        "  roles: [ADMIN, AGENT]",
        "  condition: customer.age >= 18",
        "sms: Up to £50 without asking.",
        "-->",
        "Up to 50 pounds, without asking.",
    ]


def test_the_audience_of_a_file_is_that_of_its_fragments_unless_they_say_another(tmp_path: Path) -> None:
    mine = "<!-- fragment\nid: own\naudience: {channels: web}\n-->\nB"
    put(tmp_path, a_md=f"---\ntitle: T\naudience: {{roles: AGENT}}\n---\nA\n{mine}\n")

    found = folder.read(tmp_path)["a"].fragments

    assert [one.audience for one in found] == [Audience.of(roles=["AGENT"]), Audience.of(channels=["web"])]


def test_other_line_ends_and_a_byte_order_mark_change_nothing(tmp_path: Path) -> None:
    put(tmp_path, a_md="\ufeff" + OWN.replace("\n", "\r\n"), b_md=OWN)

    found = folder.read(tmp_path)

    assert found["a"] == found["b"]


@pytest.mark.parametrize(
    ("name", "text", "faults"),
    [
        ("a_md", "Text.", ["a.md:1: a file begins with front matter, between two lines of `---`"]),
        ("a_md", "---\ntitle: T\nText.", ["a.md:1: a file begins with front matter, between two lines of `---`"]),
        ("a_md", "---\nowner: b\n---\nText.", ["a.md:1: title: is missing"]),
        (
            "a_md",
            "---\ntitle: T\ncolour: red\nreview_on: soon\n---\nText.",
            [
                "a.md:3: colour: nothing is called so here. Is it spelt right?",
                "a.md:4: review_on: Input should be a valid date",
            ],
        ),
        ("a_md", "---\ntitle: T\n---\n", ["a.md:1: fragments: 1 to 200 of them"]),
        ("a_md", "---\ntitle: T\nlocale: EN\n---\nX", ["a.md:5: A locale is written 'en', not 'EN'"]),
        (
            "a_md",
            "---\ntitle: T\n---\n<!-- fragment\nid: b\naudience: {roles: BOSS}\n-->\nY\n<!-- fragment\nid: b\n-->\nZ",
            [
                "a.md:4: audience.roles: 'BOSS' is none. There are CUSTOMER, AGENT, ADMIN",
                "a.md:9: the fragment b begins on line 4 already",
            ],
        ),
        ("a_md", "---\ntitle: T\n---\nX\n<!-- fragment\nid: b\n", ["a.md:5: the comment that begins here ends with"]),
        ("a_md", "---\ntitle: T\n---\nX\n<!-- fragment\n-->\nY", ["a.md:5: a fragment's comment is a mapping that"]),
        ("a_md", "---\ntitle: T\n---\nX\n<!-- fragment\nid: b\n-->\n", ["a.md:5: the body of b has 1 to 100,000"]),
        ("a_de_md", GERMAN, ["a.de.md:1: there is no file of the article in its own locale"]),
        ("a_deutsch_md", GERMAN, ["a.deutsch.md:1: 'deutsch' is no locale such as en or de-CH"]),
        ("a_DE_md", GERMAN, ["a.DE.md:1: the locale is written 'de'"]),
        ("A_md", OWN, ["A.md:1: 'A' is no article's name"]),
        ("a_b_c_md", OWN, ["a.b.c.md:1: a file is named like roaming-charges.md or roaming-charges.de.md"]),
    ],
    ids=[str(number) for number in range(15)],
)
def test_every_fault_is_told_with_file_and_line(name: str, text: str, faults: list[str], tmp_path: Path) -> None:
    put(tmp_path, **{name: text}, good_md=OWN)

    with pytest.raises(BadFolder) as caught:
        folder.read(tmp_path)

    told = str(caught.value).split("\n")
    assert len(told) == len(faults)
    for one, expected in zip(told, faults, strict=True):
        assert one.startswith(expected)


def test_of_the_whole_article_only_its_own_file_tells(tmp_path: Path) -> None:
    put(tmp_path, a_md=OWN, a_de_md="---\ntitle: T\nowner: b\n---\nX", b_md=OWN, b_en_md=GERMAN)

    with pytest.raises(BadFolder) as caught:
        folder.read(tmp_path)

    assert [str(one) for one in caught.value.faults] == [
        "a.de.md:1: of the article as a whole only the file in its own locale tells",
        "b.en.md:1: en is the article's own locale: that is b.md",
    ]


def test_a_fragment_may_stand_behind_any_number_of_lines(tmp_path: Path) -> None:
    parts = [f"<!-- fragment\nid: f{n}\n-->\nText.{chr(10) * 99_000}" for n in range(7)]
    put(tmp_path, a_md="---\ntitle: T\n---\n" + "".join(parts))

    assert [one.id for one in folder.read(tmp_path)["a"].fragments] == [f"f{n}" for n in range(7)]


def test_of_too_many_fragments_none_is_read(tmp_path: Path) -> None:
    put(tmp_path, a_md="---\ntitle: T\n---\n" + "<!-- fragment\nid: a\n-->\nText.\n" * 201)

    with pytest.raises(BadFolder) as caught:
        folder.read(tmp_path)

    assert str(caught.value) == "a.md:804: a file has at most 200 fragments"


def test_what_is_no_text_is_told_too(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"---\ntitle: \xff\n---\nX")

    with pytest.raises(BadFolder, match=r"a\.md:1: 'utf-8' codec can't decode"):
        folder.read(tmp_path)


def test_only_what_changed_is_written_and_what_is_no_more_is_told(tmp_path: Path) -> None:
    first = folder.write(tmp_path, texts(EXPECTED, "help/roaming"))
    again = folder.write(tmp_path, texts(EXPECTED, "help/roaming"))
    own = texts(content(), "help/roaming")

    assert (first, again, folder.write(tmp_path, own)) == (2, 0, 1)
    assert folder.strays(tmp_path, own) == ["help/roaming.de.md"]


PIECES = [*printable, "é", "£", "\u2028", "\x85", "𝄞", "-->", "---\n", "\n\n", "<!-- fragment"]
WORDS = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)
LINES = st.lists(st.sampled_from([*PIECES, "null", "2.50", "- ", ": "]), min_size=1, max_size=20).map("".join)
NAMES = st.lists(LINES.filter(lambda one: bool(one.strip())), max_size=3, unique=True)
AUDIENCES = st.builds(
    Audience.of,
    roles=st.lists(st.sampled_from(["CUSTOMER", "AGENT", "ADMIN"]), max_size=2),
    segments=NAMES,
    channels=NAMES,
    condition=st.sampled_from([None, 'role == "AGENT"', "customer.age > 3 // --> \n && true"]),
)
LOCALES = st.sampled_from(["en", "de", "de-CH"])
FRAGMENTS = st.builds(
    Fragment,
    st.sampled_from(["body", "a", "b", "c"]),
    WORDS,
    LOCALES,
    AUDIENCES,
    heading=st.none() | LINES,
    spoken=st.none() | WORDS,
    sms=st.none() | LINES,
)
CONTENTS = st.builds(
    Content,
    st.fixed_dictionaries({"en": LINES, "de": LINES}, optional={"de-CH": LINES, "fr": LINES}),
    st.sampled_from(["en", "de"]),
    st.lists(FRAGMENTS, min_size=1, max_size=6).map(tuple),
    NAMES.map(tuple),
    NAMES.map(tuple),
    NAMES.map(tuple),
    st.none() | LINES,
    st.none() | st.dates(),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(CONTENTS)
def test_what_is_exported_and_imported_is_the_same(what: Content) -> None:
    arranged = what.arranged()
    try:
        arranged.check()
    except Invalid:
        assume(False)
    with tempfile.TemporaryDirectory() as name:
        folder.write(Path(name), texts(what))

        assert folder.read(Path(name)) == {"roaming": arranged}
