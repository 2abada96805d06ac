"""What of an article is for a viewer: fragments for them, each in the best locale of those for them."""

from steadylight_server.access.models import Role
from steadylight_server.core.clock import now
from steadylight_server.knowledge.audience import Audience, Viewpoint
from steadylight_server.knowledge.models import Content, Shown, State, Version
from steadylight_server.knowledge.view import shown_to
from tests.factories import content, fragment

STAFF = Audience.of(roles=["AGENT", "ADMIN"])
TITLES = {"en": "Roaming", "de": "Im Ausland", "fr": "À l'étranger"}


def shown(what: Content, locale: str | None = None, role: Role = Role.CUSTOMER) -> Shown | None:
    version = Version("roaming", 3, State.PUBLISHED, what, "unknown", "because", now())
    return shown_to(version, Viewpoint(role), locale)


def bodies(found: Shown | None) -> list[str]:
    return [one.body for one in found.fragments] if found is not None else []


def test_fragments_come_in_the_order_of_reading() -> None:
    what = content(fragment("b", "1"), fragment("a", "2"), fragment("b", "1 de", locale="de"), fragment("c", "3"))

    assert bodies(shown(what)) == ["1", "2", "3"]
    assert bodies(shown(what, "de-CH")) == ["1 de", "2", "3"]


def test_a_fragment_that_is_not_for_the_viewer_gives_way_to_one_in_the_next_locale() -> None:
    what = content(
        fragment("a", "en"), fragment("a", "de", locale="de"), fragment("a", "ch", locale="de-CH", audience=STAFF)
    )

    assert bodies(shown(what, "de-CH")) == ["de"]
    assert bodies(shown(what, "de-CH", Role.AGENT)) == ["ch"]


def test_what_is_in_no_locale_of_the_viewers_is_left_out() -> None:
    assert bodies(shown(content(fragment("a"), fragment("b", locale="fr")), "de")) == ["Text."]
    assert shown(content(fragment("b", locale="fr")), "de") is None


def test_an_article_of_which_nothing_is_for_the_viewer_is_nothing() -> None:
    assert shown(content(fragment(audience=STAFF))) is None
    assert shown(content(fragment(audience=STAFF)), role=Role.ADMIN) is not None


def test_a_title_does_not_tell_of_what_is_not_shown() -> None:
    what = content(fragment(), fragment("secret", locale="de", audience=STAFF), titles=TITLES)

    for_customer, for_agent = shown(what, "de"), shown(what, "de", Role.AGENT)

    assert for_customer is not None
    assert for_customer.title == "Roaming"
    assert for_agent is not None
    assert for_agent.title == "Im Ausland"
