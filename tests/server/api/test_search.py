"""Search over GraphQL: what is found, counted, suggested and mended is for who asks, and nothing else is told."""

import json
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tests.conftest import SHARED, LiveServer
from tests.factories import login

VAGOV = SHARED / "data" / "vagov_kb" / "articles.jsonl"
PUBLISH = "mutation ($input: PublishArticleInput!) { publishArticle(input: $input) { article { id } } }"
SEARCH = """query ($input: SearchInput!) { search(input: $input) {
  hits { article { slug title fragments { id } } fragment { id heading plain } snippetHtml score }
  totalCount meant topics { name count } locales { name count } } }"""
DOCUMENT = "query ($input: SearchInput!) { searchDocument(input: $input) }"
SCHEMA = Path(__file__).parents[3] / "schema/search.schema.json"
SUGGEST = "query ($input: SuggestInput!) { suggest(input: $input) }"
STAFF = "audience: {roles: [AGENT, ADMIN]}\n"
NOTHING = {"hits": [], "totalCount": 0, "meant": None, "topics": [], "locales": []}


def publish(server: LiveServer, slug: str, body: str, *, audience: str = "", topics: str = "") -> None:
    head = f"---\ntitle: Roaming\ntopics: [{topics}]\n---\n"
    text = f"{head}<!-- fragment\nid: body\nheading: Abroad\n{audience}-->\n{body}\n"
    told = {"slug": slug, "revision": 0, "reason": "new", "files": [{"name": f"{slug}.md", "text": text}]}
    assert "errors" not in server.graphql(PUBLISH, {"input": told}, server.admin_key)


def ask(server: LiveServer, document: str, key: str, **given: Any) -> Any:
    answer = server.graphql(document, {"input": given}, key)
    assert "errors" not in answer, answer
    ((told),) = answer["data"].values()
    return told


def until(server: LiveServer, key: str, total: int, **given: Any) -> Any:
    """What is found once so much is: a server finds what was published a moment later."""
    while (found := ask(server, SEARCH, key, **given))["totalCount"] != total:
        time.sleep(0.01)
    return found


def test_a_search_tells_what_was_found_why_and_how_much(server: LiveServer) -> None:
    key = server.key("web")
    publish(server, "costs", "Calls & texts cost **two** pounds a day.", topics="mobile, costs")
    publish(server, "inside", "Calls earn us ninety.", audience=STAFF, topics="margins")

    found = until(server, key, 1, query="what do clals cost?")

    (hit,) = found["hits"]
    assert hit.pop("score") > 0
    assert hit == {
        "article": {"slug": "costs", "title": "Roaming", "fragments": [{"id": "body"}]},
        "fragment": {"id": "body", "heading": "Abroad", "plain": "Calls & texts cost two pounds a day."},
        "snippetHtml": "<mark>Calls</mark> &amp; texts <mark>cost</mark> two pounds a day.",
    }
    assert found["meant"] == "what do calls cost?"
    assert found["topics"] == [{"name": "costs", "count": 1}, {"name": "mobile", "count": 1}]
    assert found["locales"] == [{"name": "en", "count": 1}]
    assert ask(server, SUGGEST, key, prefix="two po") == ["two pounds"]
    assert ask(server, SEARCH, key, query="ninety margins", topics=["margins"]) == NOTHING


def test_the_document_is_as_its_schema_says(server: LiveServer) -> None:
    key = server.key("web")
    publish(server, "costs", "Calls & texts cost two pounds a day.")
    until(server, key, 1, query="calls")

    found = ask(server, DOCUMENT, key, query="clals")

    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(found)
    assert found["hits"][0].pop("score") > 0
    assert found == {
        "hits": [
            {
                "slug": "costs",
                "version": 1,
                "title": "Roaming",
                "fragment": "body",
                "locale": "en",
                "heading": "Abroad",
                "snippet": "Calls & texts cost two pounds a day.",
                "html": "<mark>Calls</mark> &amp; texts cost two pounds a day.",
            }
        ],
        "total": 1,
        "meant": "calls",
    }


def test_a_query_says_no_more_than_it_may(server: LiveServer) -> None:
    key = server.key("web")
    wrong: list[dict[str, Any]] = [
        {"first": 0},
        {"first": 51},
        {"offset": -1},
        {"topics": ["t" * 101]},
        {"locales": ["xxxxx"]},
        {"locale": "?"},
    ]

    for given in wrong:
        (error,) = server.graphql(SEARCH, {"input": {"query": "a", **given}}, key)["errors"]
        assert error["extensions"]["code"] == "INVALID"
    assert ask(server, SEARCH, key, query='\x00 " AND (( NOT * ~ : ] <b>' + "long " * 999) == NOTHING


@pytest.mark.skipif(not VAGOV.exists(), reason="needs ../shared/data/vagov_kb, which is not part of the project")
def test_what_is_private_is_found_by_no_customer_by_any_path(server: LiveServer, tmp_path: Path) -> None:
    from tests.server.cli.conftest import Steadylight

    (tmp_path / "map.yaml").write_text("article: id\ntitle: title\nbody: body\ntopics: [hub]\nrestricted: private\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STEADYLIGHT_MONGODB_URI", str(server.settings.mongodb_uri))
        patch.setenv("STEADYLIGHT_DATABASE", server.settings.database)
        Steadylight().json("articles", "import", VAGOV, "--map", tmp_path / "map.yaml")
    articles = [json.loads(line) for line in VAGOV.read_bytes().splitlines()]
    private = {one["id"] for one in articles if one["private"]}
    known = {word for one in articles if not one["private"] for word in _words(one)}
    web, desk = server.key("web"), server.key("desk", "ASSISTED")
    for one in articles:
        if not one["private"]:
            continue
        title, own = one["title"], sorted(_words(one) - known)
        while one["id"] not in _slugs(ask(server, SEARCH, desk, query=title, asEmployee=True, first=50)):
            time.sleep(0.01)
        for word in [title, *own]:
            slipped = f"{word[:-2]}{word[-1]}{word[-2]}"
            for typed in (word, f"{word} ", word[:-2], slipped, f"{slipped} "):
                found = ask(server, SEARCH, web, query=typed, identifiers=[login("ann")], first=50)
                suggested = ask(server, SUGGEST, web, prefix=typed, first=20)
                assert private.isdisjoint(_slugs(found))
                assert not {*own} & {*f"{found['meant']} {suggested}".split()}
    whole = ask(server, SEARCH, web, query="veterans va benefits health care", first=50)
    seen = Counter(one["hub"] for one in articles if not one["private"])
    assert whole["topics"]
    assert all(one["count"] <= seen[one["name"]] for one in whole["topics"])
    assert whole["totalCount"] <= len(articles) - len(private)


def _words(one: dict[str, Any]) -> set[str]:
    return set(re.findall(r"[a-z]{6,}", f"{one['title']} {one['body']}".lower()))


def _slugs(found: dict[str, Any]) -> set[str]:
    return {hit["article"]["slug"] for hit in found["hits"]}
