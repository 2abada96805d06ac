"""What an article may be, and where a text is looked for."""

import pytest

from steadylight_server.core.errors import Invalid
from steadylight_server.knowledge.audience import Audience
from steadylight_server.knowledge.models import Content, check_slug, fallbacks, locale
from tests.factories import content, fragment

WIDE = Audience.of(segments=[f"{n:0100}" for n in range(100)])


@pytest.mark.parametrize(
    ("given", "expected"),
    [("de", "de"), ("de-ch", "de-CH"), ("DE_CH", "de-CH"), ("zh-hant-tw", "zh-Hant-TW"), ("es-419", "es-419")],
)
def test_a_locale_is_kept_in_one_spelling(given: str, expected: str) -> None:
    assert locale(given) == expected


@pytest.mark.parametrize("given", ["", "d", "deutsch", "de-", "de-C", "de CH", "x-y-z"])
def test_what_is_no_locale_is_refused(given: str) -> None:
    with pytest.raises(Invalid, match="is no locale"):
        locale(given)


@pytest.mark.parametrize(
    ("wanted", "own", "expected"),
    [
        ("de-CH", "en", ["de-CH", "de", "en"]),
        ("zh-Hant-TW", "de", ["zh-Hant-TW", "zh-Hant", "zh", "de"]),
        ("en", "en-GB", ["en", "en-GB"]),
        (None, "en-GB", ["en-GB", "en"]),
    ],
)
def test_a_text_is_looked_for_in_ever_wider_locales(wanted: str | None, own: str, expected: list[str]) -> None:
    assert fallbacks(wanted, own) == expected


@pytest.mark.parametrize("slug", ["roaming-charges", "a", "health-care/needs/mental-health", "faq_2"])
def test_an_article_is_named_like_a_path(slug: str) -> None:
    check_slug(slug)


@pytest.mark.parametrize("slug", ["", "/a", "a/", "a//b", "../a", "A", "a b", "-a", "a@2", "x" * 201])
def test_what_cannot_name_an_article_is_refused(slug: str) -> None:
    with pytest.raises(Invalid, match="no article's name"):
        check_slug(slug)


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        (content(locale="de"), "title: there is none in de"),
        (content(title=" "), "title: 1 to 300 characters"),
        (Content({"en": "T"}, "en"), "fragments: 1 to 200 of them"),
        (content(fragment(), fragment()), "fragments: body is there twice in en"),
        (content(fragment("Body")), "fragments: 'Body' is no name"),
        (content(fragment(locale="EN")), "A locale is written 'en', not 'EN'"),
        (content(fragment(body="\n")), "fragments: the body of body has 1 to 100,000 characters"),
        (content(fragment(heading=" ")), "fragments: the heading of body"),
        (content(fragment(sms="")), "fragments: sms of body has 1 to 2,000 characters"),
        (content(topics=("a", "a")), "topics: at most 50, each once"),
        (content(owner="x" * 101), "owner: each has 1 to 100 characters"),
        (content(*(fragment(f"f{n}", "x" * 99_999) for n in range(11))), "at most 1,000,000 characters together"),
        (
            content(*(fragment(f"f{n}", audience=WIDE) for n in range(101))),
            "at most 1,000,000 characters together",
        ),
        (content(fragment(body="A.\n<!-- fragment\xa0\nid: b\n-->\nB.")), "which divides fragments in a file"),
        (content(capabilities=("\ud800",)), "no halves of characters"),
        (content(fragment(audience=Audience.of(segments=["\ud800"]))), "no halves of characters"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_an_article_may_not_be(wrong: Content, fault: str) -> None:
    with pytest.raises(Invalid, match=fault):
        wrong.check()


def test_the_same_fragment_may_be_there_in_several_locales() -> None:
    content(fragment(), fragment(locale="de-CH"), titles={"en": "Roaming", "de": "Roaming"}).check()
