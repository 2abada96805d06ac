"""Viewers of all sorts against articles of all sorts: each is shown what they are to be shown, and nothing else.

Over GraphQL and the SDK, in every rendering, in lists, by name and id, and in errors. `make prove-audiences` tries many
more.
"""

from dataclasses import replace
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from steadylight import Client, NotFound
from steadylight.testing import FAST
from tests.conftest import LiveServer
from tests.factories import action, batch, login
from tests.viewers import CHANNELS, Eyes, Part, article, eyes, files, shown

VIEWERS, ARTICLES = 12, 6
RECORD = "mutation ($input: RecordActionsInput!) { recordActions(input: $input) { refused } }"
PUBLISH = "mutation ($input: PublishArticleInput!) { publishArticle(input: $input) { article { revision } } }"
FRAGMENTS = "fragments { html plain sms spoken }"
PAGE = f"nodes {{ slug title {FRAGMENTS} }} pageInfo {{ hasNextPage endCursor }}"
LISTED = f"query ($for: ViewpointInput, $after: String) {{ articles(for: $for, first: 3, after: $after) {{ {PAGE} }} }}"
ONE = f"query ($by: ArticleBy!, $for: ViewpointInput) {{ article(by: $by, for: $for) {{ slug {FRAGMENTS} }} }}"


def test_each_viewer_is_shown_what_is_for_them_and_nothing_else(server: LiveServer) -> None:
    matrix(server, viewers=VIEWERS, articles=ARTICLES, seed=uuid4().int % 10_000)


def matrix(server: LiveServer, *, viewers: int, articles: int, seed: int) -> dict[str, int]:
    """Tries them all; how many answers were compared, how many articles were shown, how many were not there."""
    random = Random(seed)
    print(f"seed {seed}")
    keys = {name: server.key(name, kind) for name, kind in CHANNELS.items()}
    library: dict[str, list[Part]] = {f"a{number}": article(f"a{number}", random) for number in range(articles)}
    for name, parts in library.items():
        given = {"slug": name, "revision": 0, "reason": "new", "files": files(name, parts)}
        answer = server.graphql(PUBLISH, {"input": given}, server.admin_key)
        assert "errors" not in answer, answer
    counts = {"compared": 0, "shown": 0, "nothing": 0}
    lights = {name: Client(server.url, key, options=FAST) for name, key in keys.items()}
    try:
        for number in range(viewers):
            who = eyes(random)
            name = f"viewer-{number}"
            said = action(login(name), traits=dict(who.traits)) if who.traits else action(login(name))
            told = server.graphql(RECORD, {"input": {"batch": batch(said)}}, keys["web"])
            assert told["data"]["recordActions"]["refused"] == 0
            for kind, count in looked(server, lights[who.channel], keys[who.channel], name, who, library).items():
                counts[kind] += count
    finally:
        for light in lights.values():
            light.close(timeout=0)
    return counts


def looked(
    server: LiveServer, light: Client, key: str, name: str, who: Eyes, library: dict[str, list[Part]]
) -> dict[str, int]:
    """Everything that one viewer is answered, compared with what they are to be shown."""
    # Below the bar of a login nobody is anybody: of them nothing is known.
    seen = who if who.level in ("OTP", "LOGIN") else replace(who, traits={}, level="CLAIMED")
    expected = {slug: texts for slug, parts in library.items() if (texts := shown(parts, seen))}
    given: dict[str, Any] = {"identifiers": [login(name, who.level)], "locale": who.locale}
    given |= {"asEmployee": True} if who.is_employee else {}
    found: dict[str, Any] = {}
    after = None
    while True:
        page = server.graphql(LISTED, {"for": given, "after": after}, key)["data"]["articles"]
        found |= {one["slug"]: one["fragments"] for one in page["nodes"]}
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
        assert page["nodes"], "more was promised than is there"
    assert list(found) == sorted(expected)
    contact = light.customer(login=name, assurance=who.level).contact(key=f"{name}-visit")
    for slug in library:
        by_slug = server.graphql(ONE, {"by": {"slug": slug}, "for": given}, key)
        by_id = server.graphql(ONE, {"by": {"id": f"art_{slug}"}, "for": given}, key)
        if slug not in expected:
            assert by_slug["data"] == by_id["data"] == {"article": None}
            (one,), (other,) = by_slug["errors"], by_id["errors"]
            assert (one["message"], other["message"]) == ("There is no such article.",) * 2
            with pytest.raises(NotFound):
                contact.article(slug, locale=who.locale, as_employee=who.is_employee, within=5)
            continue
        right = [{"html": f"<p>{text}</p>", "plain": text, "sms": text, "spoken": text} for text in expected[slug]]
        through = contact.article(slug, locale=who.locale, as_employee=who.is_employee, within=5)
        again = contact.article(slug, locale=who.locale, as_employee=who.is_employee, within=5)
        mine = [one.model_dump(include={"html", "plain", "sms", "spoken"}) for one in through.fragments]
        assert found[slug] == by_slug["data"]["article"]["fragments"] == by_id["data"]["article"]["fragments"] == right
        assert mine == right
        assert again == through
    return {"compared": 3 * len(library) + 1, "shown": len(expected), "nothing": len(library) - len(expected)}
