"""Articles over GraphQL: what is not for somebody is nowhere; those who write see all; who was shown what."""

import json
from pathlib import Path
from typing import Any

import pytest

from steadylight_server.access.models import Scope
from tests.conftest import SHARED, LiveServer
from tests.factories import action, batch, login

VAGOV = SHARED / "data" / "vagov_kb" / "articles.jsonl"
RECORD = "mutation ($input: RecordActionsInput!) { recordActions(input: $input) { refused verdicts } }"
PUBLISH = "mutation ($input: PublishArticleInput!) { publishArticle(input: $input) { article { %s } } }"
SAVE = "mutation ($input: SaveArticleInput!) { saveArticle(input: $input) { article { %s } } }"
EXPIRE = "mutation ($input: ExpireArticleInput!) { expireArticle(input: $input) { article { %s } } }"
RECORD_OF = "query ($slug: String!) { articleRecord(slug: $slug) { %s } }"
DOCUMENT = "query ($input: ArticleInput!) { articleDocument(input: $input) }"
ARTICLE = "query ($by: ArticleBy!, $for: ViewpointInput) { article(by: $by, for: $for) { %s } }"
FILTERED = "query ($filter: ArticleFilter) { articles(first: 2, filter: $filter) { %s } }"
LIST = "query ($after: String, $for: ViewpointInput) { articles(first: 100, after: $after, for: $for) { %s } }"
AFFECTED = "query ($article: String!) { affectedBy(article: $article, version: 1, first: 2) { %s } }"
STANDING = "state revision published { number } draft { number author reason }"


def page(body: str, *, audience: str = "", title: str = "Roaming") -> str:
    return f"---\ntitle: {title}\n---\n<!-- fragment\nid: body\n{audience}-->\n{body}\n"


STAFF = "audience: {roles: [AGENT, ADMIN]}\n"


def write(server: LiveServer, deed: str, slug: str, text: str | None, revision: int = 0, **given: Any) -> Any:
    """The article, or the only error's message."""
    files = {"files": [{"name": f"{slug}.md", "text": text}]} if text is not None else {}
    told = {"slug": slug, "revision": revision, "reason": "because", **files, **given}
    answer = server.graphql(deed % STANDING, {"input": told}, server.admin_key)
    if "errors" in answer:
        (error,) = answer["errors"]
        return error["extensions"]["code"], error["message"]
    ((payload),) = answer["data"].values()
    return payload["article"]


def ask(server: LiveServer, query: str, variables: dict[str, Any], key: str | None = None) -> Any:
    answer = server.graphql(query, variables, key or server.key("web"))
    assert "errors" not in answer, answer
    return answer["data"]


def errors(server: LiveServer, query: str, variables: dict[str, Any], key: str | None = None) -> list[tuple[str, str]]:
    answer = server.graphql(query, variables, key or server.key("web"))
    return [(one["extensions"]["code"], one["message"]) for one in answer["errors"]]


def test_an_article_is_drafted_published_corrected_and_taken_back(server: LiveServer) -> None:
    drafted = write(server, SAVE, "roaming", page("One pound."))
    published = write(server, PUBLISH, "roaming", None, 1)
    corrected = write(server, PUBLISH, "roaming", page("Two pounds."), 2)
    late = write(server, SAVE, "roaming", page("Three pounds."), 2)
    record = ask(
        server,
        RECORD_OF
        % "versions { number state author reason files { name text } } diff(before: 2, after: 3) { part diff }",
        {"slug": "roaming"},
        server.admin_key,
    )["articleRecord"]
    expired = write(server, EXPIRE, "roaming", None, 3)

    assert (drafted["state"], drafted["published"], drafted["draft"]["number"]) == ("DRAFT", None, 1)
    assert (published["state"], published["published"]["number"], published["draft"]) == ("PUBLISHED", 2, None)
    assert (corrected["revision"], corrected["published"]["number"]) == (3, 3)
    assert late[0] == "CONFLICT"
    assert (expired["state"], expired["published"]) == ("EXPIRED", None)
    assert [(one["number"], one["state"], one["reason"]) for one in record["versions"]] == [
        (3, "PUBLISHED", "because"),
        (2, "PUBLISHED", "because"),
        (1, "DRAFT", "because"),
    ]
    assert record["versions"][0]["files"] == [{"name": "roaming.md", "text": "---\ntitle: Roaming\n---\nTwo pounds.\n"}]
    assert [(one["part"], one["diff"].splitlines()[-2:]) for one in record["diff"]] == [
        ("body", ["-One pound.", "+Two pounds."])
    ]
    deeds = [one["deed"] for one in server.database.audit.find(sort=[("_id", 1)]) if one["deed"].startswith("article.")]
    assert deeds == ["article.saved", "article.published", "article.published", "article.expired"]


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        (
            "roaming.md",
            "---\ncolour: red\n---\nX",
            "roaming.md:2: colour: nothing is called so here. Is it spelt right?",
        ),
        ("other.md", page("X"), "files: they are named roaming.md, or roaming.de.md for German."),
        (
            "roaming.md",
            page("X", audience="audience: {condition: 'x'}\n"),
            "roaming.md:4: audience.condition: there is",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_line(
    shared_server: LiveServer, name: str, text: str, fault: str
) -> None:
    given = {"slug": "roaming", "revision": 0, "reason": "x", "files": [{"name": name, "text": text}]}

    [(code, message)] = errors(shared_server, SAVE % "state", {"input": given}, shared_server.admin_key)

    assert code == "INVALID"
    assert message.startswith(fault)
    assert errors(shared_server, RECORD_OF % "state", {"slug": "roaming"}, shared_server.admin_key)[0][0] == "NOT_FOUND"


def test_an_editors_tool_may_write_with_a_channels_key_that_has_the_scope(shared_server: LiveServer) -> None:
    tool = shared_server.key("cms", scopes=frozenset({Scope.KNOWLEDGE_WRITE}))
    given = {"slug": "by-tool", "revision": 0, "reason": "x", "files": [{"name": "by-tool.md", "text": page("X")}]}

    told = ask(shared_server, SAVE % "draft { author }", {"input": given}, tool)

    assert told["saveArticle"]["article"]["draft"]["author"] == "cms"
    assert errors(shared_server, SAVE % "state", {"input": given})[0][0] == "FORBIDDEN"


def test_a_document_is_sent_once_and_again_when_something_else_is_shown(server: LiveServer) -> None:
    write(server, PUBLISH, "roaming", page("One pound."))
    key = server.key("web")
    given: dict[str, Any] = {"slug": "roaming"}
    first = ask(server, DOCUMENT, {"input": given}, key)["articleDocument"]
    given["ifNoneMatch"] = first["etag"]

    again = ask(server, DOCUMENT, {"input": given}, key)["articleDocument"]
    in_german = ask(server, DOCUMENT, {"input": {**given, "locale": "de"}}, key)["articleDocument"]
    write(server, PUBLISH, "roaming", page("Two pounds."), 1)
    corrected = ask(server, DOCUMENT, {"input": given}, key)["articleDocument"]

    assert again is None
    assert (in_german["locale"], in_german["fragments"][0]["locale"]) == ("de", "en")
    assert (corrected["version"], corrected["fragments"][0]["plain"]) == (2, "Two pounds.")
    assert corrected["etag"] != first["etag"]


def test_only_a_desk_may_say_that_it_is_for_an_employee(server: LiveServer) -> None:
    write(server, PUBLISH, "inside", page("Offer the bundle.", audience=STAFF))
    desk, web = server.key("desk", "ASSISTED"), server.key("web")
    asked = {"by": {"slug": "inside"}, "for": {"asEmployee": True}}

    assert ask(server, ARTICLE % "title", asked, desk)["article"] == {"title": "Roaming"}
    assert errors(server, ARTICLE % "title", {"by": {"slug": "inside"}}, desk)[0][0] == "NOT_FOUND"
    assert errors(server, ARTICLE % "title", asked, web)[0][0] == "FORBIDDEN"
    assert ask(server, ARTICLE % "title", {"by": {"slug": "inside"}}, server.admin_key)["article"] is not None
    as_customers = {"by": {"slug": "inside"}, "for": {"asEmployee": False}}
    assert errors(server, ARTICLE % "title", as_customers, server.admin_key)[0][0] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("query ($locale: String!) { articles(for: {locale: $locale}) { nodes { id } } }", {"locale": "deutsch"}),
        ('{ articles(after: "cus_1") { nodes { id } } }', {}),
        ("{ articles(first: 101) { nodes { id } } }", {}),
    ],
)
def test_what_cannot_be_asked_is_invalid(shared_server: LiveServer, query: str, variables: dict[str, Any]) -> None:
    assert [code for code, _ in errors(shared_server, query, variables)] == ["INVALID"]


def test_everybody_who_was_shown_a_version_is_told_to_employees(server: LiveServer) -> None:
    write(server, PUBLISH, "roaming", page("One pound."))
    key = server.key("web")
    told = {"version": 1, "fragments": ["body"], "rendering": "sms", "locale": "en", "hash": "f" * 32}
    about = {"type": "article.shown", "subject": {"kind": "article", "id": "roaming"}}
    shown = [action(login(name), properties=told, contact=f"c-{name}", **about) for name in ("ann", "bob", "cid")]
    others = [action(login("dan"), properties={**told, "version": 2}, **about), action(login("eve"))]
    assert ask(server, RECORD, {"input": {"batch": batch(*shown, *others)}}, key)["recordActions"]["refused"] == 0
    write(server, PUBLISH, "roaming", page("Two pounds."), 1)

    query = AFFECTED % "nodes { channel contact fragments rendering hash actionId customer } pageInfo { hasNextPage }"
    found = ask(server, query, {"article": "roaming"}, server.admin_key)["affectedBy"]

    assert found["pageInfo"]["hasNextPage"]
    assert [(one["channel"], one["contact"], one["rendering"]) for one in found["nodes"]] == [
        ("web", "c-cid", "sms"),
        ("web", "c-bob", "sms"),
    ]
    noted = server.database.audit.find_one({"whom": found["nodes"][0]["customer"]})
    assert noted is not None
    assert noted["deed"] == "customer.read"
    assert errors(server, AFFECTED % "nodes { at }", {"article": "never"}, server.admin_key)[0][0] == "NOT_FOUND"
    assert errors(server, AFFECTED % "nodes { at }", {"article": "roaming"}, key)[0][0] == "FORBIDDEN"


@pytest.fixture(scope="module")
def vagov(shared_server: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The real articles, imported by the command line."""
    if not VAGOV.exists():
        pytest.skip("needs ../shared/data/vagov_kb, which is not part of the project")
    from tests.server.cli.conftest import Steadylight

    folder: Path = tmp_path_factory.mktemp("map")
    (folder / "map.yaml").write_text("article: id\ntitle: title\nbody: body\ntopics: [hub]\nrestricted: private\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STEADYLIGHT_MONGODB_URI", str(shared_server.settings.mongodb_uri))
        patch.setenv("STEADYLIGHT_DATABASE", shared_server.settings.database)
        assert Steadylight().json("articles", "import", VAGOV, "--map", folder / "map.yaml")["new"] == 228
    return [json.loads(line) for line in VAGOV.read_bytes().splitlines()]


def listed(server: LiveServer, key: str, given: dict[str, Any]) -> list[str]:
    found: list[str] = []
    after = None
    while True:
        fields = "edges { cursor node { slug } } nodes { slug title topics } pageInfo { hasNextPage endCursor }"
        told = ask(server, LIST % fields, {"after": after, "for": given}, key)["articles"]
        found += [one["slug"] for one in told["nodes"]]
        after = told["pageInfo"]["endCursor"]
        if not told["pageInfo"]["hasNextPage"]:
            return found


def test_what_is_private_appears_to_no_customer_by_any_path(
    shared_server: LiveServer, vagov: list[dict[str, Any]]
) -> None:
    key = shared_server.key("web")
    private = [one for one in vagov if one["private"]]
    public = sorted(one["id"] for one in vagov if not one["private"])
    eyes: list[dict[str, Any]] = [{}, {"identifiers": [login("ann")]}, {"contact": "visit-1"}, {"locale": "de"}]

    assert len(private) == 3
    for given in eyes:
        assert [
            one for one in listed(shared_server, key, given) if not one.startswith(("roaming", "by-tool"))
        ] == public
    for slug in [one["id"] for one in private]:
        never = f"{slug}-never"
        told = []
        for name in (slug, never):
            asked: list[tuple[str, dict[str, Any]]] = [
                (ARTICLE % "id title fragments { plain }", {"by": {"slug": name}}),
                (ARTICLE % "id title fragments { plain }", {"by": {"id": f"art_{name}"}}),
                (DOCUMENT, {"input": {"slug": name}}),
                (DOCUMENT, {"input": {"slug": name, "ifNoneMatch": "0" * 32, "identifiers": [login("ann")]}}),
                ("query ($id: ID!) { node(id: $id) { id } }", {"id": f"art_{name}"}),
                (RECORD_OF % "title: slug", {"slug": name}),
                (AFFECTED % "nodes { at }", {"article": name}),
            ]
            told.append([errors(shared_server, *one, key) for one in asked])
        there, nowhere = told
        assert json.dumps(there).replace(slug, "…") == json.dumps(nowhere).replace(never, "…")
        around = f'query {{ articles(first: 1, after: "art_{slug}") {{ pageInfo {{ hasPreviousPage endCursor }} }} }}'
        assert ask(shared_server, around, {}, key)["articles"]["pageInfo"]["endCursor"] != f"art_{slug}"
    assert set(listed(shared_server, shared_server.admin_key, {})) >= {one["id"] for one in vagov}


def test_from_its_moment_on_an_article_is_nowhere_but_with_who_writes_it(server: LiveServer) -> None:
    key = server.key("web")
    open_end = page("Half price.").replace("---\n", "---\nexpires: 2099-01-01T12:00:00+02:00\n", 1)
    over = page("Half price.").replace("---\n", "---\nexpires: 2026-01-01\n", 1)
    write(server, PUBLISH, "offer", open_end)
    before = ask(server, DOCUMENT, {"input": {"slug": "offer"}}, key)["articleDocument"]
    shown = ask(server, ARTICLE % "id expiresAt", {"by": {"slug": "offer"}}, key)["article"]

    write(server, PUBLISH, "offer", over, 1)

    assert (before["expires_at"], shown["expiresAt"]) == ("2099-01-01T10:00:00.000Z",) * 2
    assert before["max_age"] > 1e9
    again = {"slug": "offer", "ifNoneMatch": before["etag"]}
    node = "query ($id: ID!) { node(id: $id) { id } }"
    asked: list[tuple[str, dict[str, Any]]] = [
        (ARTICLE % "id", {"by": {"slug": "offer"}}),
        (ARTICLE % "id", {"by": {"id": shown["id"]}}),
        (DOCUMENT, {"input": again}),
        (node, {"id": shown["id"]}),
    ]
    for query, variables in asked:
        for who in (key, server.admin_key):
            assert [code for code, _ in errors(server, query, variables, who)] == ["NOT_FOUND"]
    assert ask(server, LIST % "nodes { slug }", {}, key)["articles"] == {"nodes": []}
    record = ask(server, RECORD_OF % "state expiresAt published { number }", {"slug": "offer"}, server.admin_key)[
        "articleRecord"
    ]
    assert record == {"state": "EXPIRED", "expiresAt": "2026-01-01T00:00:00.000Z", "published": None}


def test_articles_are_listed_by_what_they_belong_to_among_what_is_for_the_viewer(server: LiveServer) -> None:
    front = "---\ncapabilities: plan.change\njourneys: move-house\nreview_on: 2027-01-31\n"
    for slug, audience in (("a", ""), ("b", STAFF), ("c", ""), ("d", "")):
        text = page("Text.", audience=audience)
        write(server, PUBLISH, slug, text if slug == "c" else text.replace("---\n", front, 1))
    key, selected = server.key("web"), "nodes { slug } pageInfo { hasNextPage }"

    def having(who: str, **wanted: str) -> Any:
        found = ask(server, FILTERED % selected, {"filter": wanted}, who)["articles"]
        return [one["slug"] for one in found["nodes"]], found["pageInfo"]["hasNextPage"]

    # What is for employees counts for no page of a customer's.
    assert having(key, capability="plan.change", journey="move-house") == (["a", "d"], False)
    assert having(server.admin_key, capability="plan.change") == (["a", "b"], True)
    assert having(server.admin_key, reviewBefore="2027-01-31") == ([], False)
    assert having(server.admin_key, reviewBefore="2027-02-01") == (["a", "b"], True)
    assert having(key) == (["a", "c"], True)
    refused = errors(server, FILTERED % selected, {"filter": {"reviewBefore": "2027-02-01"}}, key)
    assert refused == [("FORBIDDEN", "reviewBefore: this credential lacks the scope knowledge:write.")]


def test_a_document_that_asks_for_too_much_of_articles_is_not_run(shared_server: LiveServer) -> None:
    search = " ".join(f's{n}: search(input: {{query: "a"}}) {{ totalCount }}' for n in range(60))
    pages = " ".join(f"p{n}: articles {{ nodes {{ fragments {{ html }} }} }}" for n in range(11))

    for text, count in ((search, 60), (pages, 11)):
        [(code, message)] = errors(shared_server, f"{{ {text} }}", {})
        assert code == "TOO_COMPLEX"
        assert message.startswith(f"The document asks for {count} searches, suggestions and renderings of articles")
