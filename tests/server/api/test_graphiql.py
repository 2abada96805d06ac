"""GraphiQL as a person meets it, in a real browser that can reach this machine only; and what surrounds the page."""

import json
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest
from graphql import OperationType
from starlette.applications import Starlette

from steadylight_server.access.models import Role
from steadylight_server.api import graphiql
from steadylight_server.api.errors import HANDLERS
from steadylight_server.api.schema import schema
from tests.browser import CHROMIUM, Page, Visit, visitors
from tests.conftest import LiveServer
from tests.factories import BY, action, now
from tests.server.api.conftest import with_access

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
ANN = {"kind": "email", "value": "ann@example.org", "assurance": "OTP"}
RECORD = "mutation Record($input: RecordActionsInput!) { recordActions(input: $input) { stored } }"
# What Chromium says on the console of a 401, which asking for the schema without a key is answered with.
REFUSED = "network: Failed to load resource: the server responded with a status of 401 (Unauthorized)"

in_a_browser = pytest.mark.skipif(
    not (CHROMIUM and shutil.which("node") and shutil.which("npm")),
    reason="GraphiQL is tried in Chromium, and built with node and npm: at least one of the three is not installed",
)


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    """Chromium, which takes seconds to start."""
    assert (graphiql.ASSETS / "manifest.json").exists(), "run `make graphiql`"
    with visitors(tmp_path_factory.mktemp("chromium")) as visit:
        yield visit


@pytest.fixture
def page(server: LiveServer, visit: Visit) -> Iterator[Page]:
    """A visitor at /graphiql, as soon as its editors are there."""
    with visit() as page:
        page.open(f"{server.url}/graphiql")
        page.until("globalThis.__MONACO?.editor.getEditors().length === 4")
        page.until(f"{text('response')}.includes('UNAUTHENTICATED')")
        yield page


def text(name: str) -> str:
    """The JavaScript for what an editor holds: `operation`, `variables`, `request-headers` or `response`."""
    return f"__MONACO.editor.getModels().find(one => one.uri.path.includes('-{name}.')).getValue()"


def sign_in(page: Page, key: str) -> None:
    """Types the key where the page shows that it belongs: between `Bearer ` and the quotation mark."""
    page.click('[aria-label="Headers"] .graphiql-editor:not(.hidden)')
    page.press("End", 35, holding="Control")
    page.press("ArrowUp", 38)
    page.press("End", 35)
    page.press("ArrowLeft", 37)
    page.write(key)
    page.until(f"{text('response')} === ''")


def begin(page: Page, example: str) -> None:
    """Opens an example in a tab of its own and runs it."""
    number = [one["name"] for one in graphiql.examples()].index(example) + 1
    page.click(f".examples li:nth-child({number}) button")
    page.until(f"{text('operation')}.includes(' {example}')")
    page.click(".graphiql-execute-button")


def answer(page: Page, sign: str) -> Any:
    """What the response editor shows as soon as `sign` is in it."""
    return json.loads(page.until(f"{text('response')}.includes({json.dumps(sign)}) && {text('response')}"))


@in_a_browser
def test_a_field_is_completed_and_a_query_answered(server: LiveServer, page: Page) -> None:
    sign_in(page, server.key("web"))
    page.click('[aria-label="Operation Editor"] .graphiql-editor')
    page.press("a", 65, holding="Control")
    page.write("{ viewer { cha")
    page.until("document.querySelector('.suggest-widget.visible .monaco-list-row[aria-label^=channel]')")
    page.press("Enter", 13)
    page.until(f"{text('operation')}.includes('channel')")
    page.press("Enter", 13, holding="Control")

    assert answer(page, "data") == {"data": {"viewer": {"channel": "web"}}}
    assert page.foreign == []
    assert set(page.complaints) == {REFUSED}


@in_a_browser
def test_a_mutation_records_and_a_subscription_follows(server: LiveServer, page: Page) -> None:
    key = server.key("web")
    sign_in(page, key)
    begin(page, "RecordAction")
    recorded = answer(page, "verdict")
    begin(page, "CustomerByEmail")
    found = answer(page, "plan.viewed")
    begin(page, "FollowCustomer")
    page.until("document.querySelector('.graphiql-execute-button[aria-label^=Stop]')")
    followed = record_until_seen(server, page, key)

    assert recorded["data"]["recordAction"]["verdict"] == {"verdict": "STORED", "code": None, "message": None}
    assert found["data"]["customer"]["identifiers"] == [{"kind": "email", "value": "ann@example.org"}]
    assert followed["data"]["customerActivity"]["channel"] == "web"
    assert followed["data"]["customerActivity"]["type"] == "plan.chosen"
    assert server.url.replace("http", "ws") + "/graphql" in page.requested
    assert page.foreign == []
    assert set(page.complaints) == {REFUSED}


def record_until_seen(server: LiveServer, page: Page, key: str) -> Any:
    """Records until the page shows it: only what is done after the server began to follow is told."""
    for _ in range(40):
        batch = {"sent_at": now(), "actions": [action(ANN, type="plan.chosen")]}
        assert server.graphql(RECORD, {"input": {"batch": batch}}, key)["data"]["recordActions"]["stored"] == 1
        page.evaluate("new Promise(done => setTimeout(done, 250))")
        if "plan.chosen" in page.evaluate(text("response")):
            break
    return answer(page, "plan.chosen")


@in_a_browser
def test_the_explorer_shows_what_can_be_asked(server: LiveServer, page: Page) -> None:
    sign_in(page, server.key("web"))
    page.click('[aria-label="Show GraphiQL Explorer"]')
    page.until("document.querySelector('.graphiql-explorer-root')?.textContent.includes('contextDocument')")

    assert page.foreign == []
    assert set(page.complaints) == {REFUSED}


@in_a_browser
def test_the_key_is_stored_nowhere(server: LiveServer, page: Page) -> None:
    key = server.key("web")
    sign_in(page, key)
    begin(page, "WhoAmI")
    answer(page, "data")
    page.until("sessionStorage.length")  # the tabs are stored half a second after a change

    stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert key not in stored
    assert json.loads(stored)[0] == {}


@in_a_browser
def test_what_would_leave_the_machine_is_refused_and_noticed(page: Page) -> None:
    blocked = page.evaluate("fetch('https://elsewhere.example/').then(() => false, () => true)")
    image = "new Promise(done => Object.assign(new Image(), {onerror: done, src: 'https://elsewhere.example/i.png'}))"
    page.evaluate(image + ".then(() => true)")

    assert blocked
    complaints = [one for one in page.complaints if "CSP" in one]
    assert [one.split()[2] for one in complaints] == ["connect-src", "img-src"]


def new_link(server: LiveServer, role: Role, name: str, channel: str | None = None) -> str:
    """Where a browser signs in, once."""
    _, secret = with_access(server, lambda access: access.add_link(role, name, channel=channel, by=BY))
    return f"{server.url}/sign-in#{secret}"


@contextmanager
def signed_in(server: LiveServer, visit: Visit, role: Role, name: str) -> Iterator[Page]:
    """A visitor who came by a link, as soon as GraphiQL is ready for them."""
    with visit() as page:
        page.open(new_link(server, role, name))
        page.until("location.pathname === '/graphiql'")
        page.until("globalThis.__MONACO?.editor.getEditors().length === 4")
        page.until(f"document.querySelector('.who')?.textContent.includes('{name} ({role.value})')")
        yield page


@pytest.fixture
def two_anns(server: LiveServer) -> str:
    """A key of the channel that recorded two customers whom the same text leads to: as an e-mail and as a login."""
    key = server.key("web")
    as_login = {"kind": "login", "value": ANN["value"], "assurance": "LOGIN"}
    for one in (action(ANN), action(as_login)):  # one after the other: the first is known longest, and shown first
        batch = {"sent_at": now(), "actions": [one]}
        assert server.graphql(RECORD, {"input": {"batch": batch}}, key)["data"]["recordActions"]["stored"] == 1
    return key


@in_a_browser
def test_an_admin_signs_in_by_a_link_and_finds_changes_and_follows(
    server: LiveServer, visit: Visit, two_anns: str
) -> None:
    with signed_in(server, visit, Role.ADMIN, "ops") as page:
        begin(page, "FindCustomer")
        found = answer(page, "login")
        begin(page, "RegisterChannel")
        registered = answer(page, "key")
        begin(page, "FollowCustomer")
        page.until("document.querySelector('.graphiql-execute-button[aria-label^=Stop]')")
        followed = record_until_seen(server, page, two_anns)
        page.click('[aria-label="Operation Editor"] .graphiql-editor')
        page.press("a", 65, holding="Control")
        page.write("{ chan")
        page.until("document.querySelector('.suggest-widget.visible .monaco-list-row[aria-label^=channels]')")

        assert page.evaluate("document.cookie") == ""
        assert page.foreign == []
        assert page.complaints == []

    kinds = [[one["kind"] for one in hit["identifiers"]] for hit in found["data"]["customers"]]
    assert kinds == [["email"], ["login"]]
    assert [hit["actions"]["nodes"][0]["channel"] for hit in found["data"]["customers"]] == ["web", "web"]
    assert registered["data"]["registerChannel"]["key"].startswith("sl_")
    assert followed["data"]["customerActivity"]["type"] == "plan.chosen"
    noted = list(server.database.audit.find({}, {"deed": 1, "who.name": 1, "_id": 0}, sort=[("_id", 1)]))
    by_ops = [one["deed"] for one in noted if one["who"].get("name") == "ops"]
    assert [deed for deed in by_ops if deed.startswith("customer.")] == ["customer.read", "customer.followed"]


@in_a_browser
def test_nothing_of_a_visit_is_left_when_it_is_over(server: LiveServer, visit: Visit, two_anns: str) -> None:
    with signed_in(server, visit, Role.ADMIN, "ops") as page:
        begin(page, "FindCustomer")
        answer(page, "login")
        page.until("JSON.stringify({...sessionStorage}).includes('ann@example.org')")
        begin(page, "RegisterChannel")
        page.click(".who button")
        page.until("document.querySelector('.who')?.textContent === 'Nobody is signed in'")
        page.until("globalThis.__MONACO?.editor.getEditors().length === 4")

        tabs = page.evaluate("[...document.querySelectorAll('.graphiql-tab-button')].map(tab => tab.textContent)")
        assert tabs == list(graphiql.FIRST)
        assert page.evaluate("sessionStorage.getItem('graphiql:queries')") is None


@in_a_browser
def test_a_link_works_once_and_who_signed_out_is_out(server: LiveServer, visit: Visit) -> None:
    link = new_link(server, Role.ADMIN, "ops")
    with visit() as page:
        page.open(link)
        page.until("document.querySelector('.who')?.textContent.includes('ops')")
        page.open(f"{server.url}/healthz")
        page.open(link)
        page.until("document.querySelector('#told')?.textContent.includes('was used')")
        assert "#" not in page.evaluate("location.href")

        page.open(f"{server.url}/graphiql")
        page.click(".who button")
        page.until("document.querySelector('.who')?.textContent === 'Nobody is signed in'")
        asked = page.evaluate("fetch('graphql?query={viewer{role}}').then(answer => answer.status)")

        assert asked == 401
        page.until("document.querySelector('.examples-hint')?.textContent.includes('steadylight admin link')")
        assert page.foreign == []


@in_a_browser
def test_an_agent_says_why_in_any_language(server: LiveServer, visit: Visit, two_anns: str) -> None:
    with signed_in(server, visit, Role.AGENT, "a.singh") as page:
        begin(page, "FindCustomer")
        refused = answer(page, "FORBIDDEN")
        give_reason(page, "Rückruf – 100 % 账单")
        page.click(".graphiql-execute-button")
        found = answer(page, "login")
        begin(page, "FollowCustomer")
        unfollowed = answer(page, "FORBIDDEN")
        give_reason(page, "Rückruf – 200 % 账单")
        page.click(".graphiql-execute-button")
        page.until("document.querySelector('.graphiql-execute-button[aria-label^=Stop]')")
        record_until_seen(server, page, two_anns)

    assert "Steadylight-Reason" in refused["errors"][0]["message"]
    assert "Steadylight-Reason" in unfollowed["errors"][0]["message"]
    assert len(found["data"]["customers"]) == 2
    read, followed = server.database.audit.find({"deed": {"$regex": "^customer"}}, sort=[("_id", 1)])
    assert (read["who"]["name"], read["why"], len(read["whom"])) == ("a.singh", "Rückruf – 100 % 账单", 2)
    assert (followed["who"]["name"], followed["why"], len(followed["whom"])) == ("a.singh", "Rückruf – 200 % 账单", 1)


def give_reason(page: Page, reason: str) -> None:
    """Types it where the page shows that it belongs."""
    page.click('[aria-label="Headers"] .graphiql-editor:not(.hidden)')
    page.press("Home", 36, holding="Control")
    page.press("ArrowDown", 40)
    page.press("End", 35)
    page.press("ArrowLeft", 37)
    page.press("ArrowLeft", 37)
    page.write(reason)


class _Foreign(BaseHTTPRequestHandler):
    """A page of somebody else's, on this machine: another port is another origin, though the same site."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Foreign</title><body>")

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def foreign() -> Iterator[str]:
    """Its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Foreign) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


@in_a_browser
def test_a_foreign_page_cannot_use_the_cookie(server: LiveServer, visit: Visit, foreign: str, two_anns: str) -> None:
    graph, out = json.dumps(f"{server.url}/graphql"), json.dumps(f"{server.url}/sign-out")
    look = json.dumps(f"{server.url}/graphql?query=" + quote('{ customers(value: "ann@example.org") { id } }'))
    plant = 'mutation { registerChannel(input: {name: "planted", kind: SELF_SERVICE}) { key } }'
    body = json.dumps(json.dumps({"query": plant}))
    with_cookie = "credentials: 'include'"
    typed = "headers: {'Content-Type': 'application/json'}"
    # What a page may not read it might still set off: `no-cors` sends the cookie along and asks nobody before.
    asks = (
        f"fetch({look}, {{{with_cookie}}})",
        f"fetch({graph}, {{method: 'POST', {with_cookie}, body: {body}, {typed}}})",
        f"fetch({look}, {{mode: 'no-cors', {with_cookie}}})",
        f"fetch({graph}, {{method: 'POST', mode: 'no-cors', {with_cookie}, body: {body}}})",
        f"fetch({out}, {{method: 'POST', mode: 'no-cors', {with_cookie}}})",
    )
    follow = f"""new Promise(done => {{
        const socket = new WebSocket({graph.replace("http", "ws", 1)}, "graphql-transport-ws");
        socket.onopen = () => socket.send('{{"type": "connection_init"}}');
        socket.onmessage = () => done("let in");
        socket.onclose = () => done("closed");
    }})"""
    with signed_in(server, visit, Role.ADMIN, "ops") as page:
        page.open(foreign)
        page.until("document.title === 'Foreign' && document.body")
        read = [page.evaluate(f"{ask}.then(answer => answer.ok, () => false)") for ask in asks]
        followed = page.evaluate(follow)
        page.evaluate(f"document.body.innerHTML = '<form method=post action=' + {out} + '></form>'")
        page.evaluate("document.forms[0].submit()")
        page.until(f"location.href === {out} && document.body?.textContent.includes('FORBIDDEN')")
        page.open(f"{server.url}/graphiql")
        page.until("document.querySelector('.who')?.textContent.includes('ops (ADMIN)')")  # nobody signed them out

    assert read == [False] * len(asks)
    assert followed == "closed"
    assert server.database.channels.count_documents({"_id": "planted"}) == 0
    noted = server.database.audit.distinct("deed")
    assert {"customer.read", "session.revoked"}.isdisjoint(noted)


@asynccontextmanager
async def visitor(assets: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the page alone, whose files lie in `assets`."""
    app = Starlette(routes=graphiql.routes(assets), exception_handlers=HANDLERS)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x", headers=BROWSER) as client:
        yield client


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """Assets like the real ones."""
    (tmp_path / "page-ABC.js").write_text("1")
    (tmp_path / "page-ABC.css").write_text("")
    (tmp_path / "manifest.json").write_text('{"script": "page-ABC.js", "style": "page-ABC.css"}')
    return tmp_path


async def test_the_page_allows_scripts_of_this_server_only(built: Path) -> None:
    async with visitor(built) as client:
        page = await client.get("/graphiql")

    policy = dict(rule.split(" ", 1) for rule in page.headers["Content-Security-Policy"].split("; "))
    assert page.status_code == 200
    assert page.headers["Cache-Control"] == "no-cache"
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == policy["worker-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert 'src="graphiql/assets/page-ABC.js"' in page.text
    assert "://" not in page.text


async def test_files_with_a_hash_in_their_name_are_kept_for_ever(built: Path) -> None:
    async with visitor(built) as client:
        script = await client.get("/graphiql/assets/page-ABC.js")
        missing = await client.get("/graphiql/assets/page-DEF.js")
        outside = await client.get("/graphiql/assets/..%2Fgraphiql.py")

    assert script.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert [missing.status_code, outside.status_code] == [404, 404]


async def test_only_browsers_are_shown_the_page(built: Path) -> None:
    async with visitor(built) as client:
        home = await client.get("/")
        others = [await client.get(path, headers={"Accept": "application/json"}) for path in ("/", "/graphiql")]
        posted = await client.post("/graphiql")

    assert (home.status_code, home.headers["Location"]) == (307, "graphiql")
    assert [one.status_code for one in others] == [404, 406]
    assert posted.status_code == 405
    assert all(one.json()["errors"][0]["message"] for one in others)


async def test_without_its_files_the_page_says_how_to_make_them(tmp_path: Path) -> None:
    async with visitor(tmp_path) as client:
        page = await client.get("/graphiql")

    assert page.status_code == 404
    assert "make graphiql" in page.text
    assert "STEADYLIGHT_REQUIRE_GRAPHIQL=1" in page.text
    assert "<script" not in page.text
    assert "://" not in page.text


def test_the_operations_of_the_contract_are_among_the_examples() -> None:
    names = [one["name"] for one in graphiql.examples()]

    assert names[:2] == list(graphiql.FIRST)
    of_a_journey = {"AskQuestion", "AdvanceJourney", "SetJourneyStatus"}  # whose id nobody knows beforehand
    assert {path.stem for path in graphiql.OPERATIONS.glob("*.graphql")} - of_a_journey < set(names)
    assert of_a_journey.isdisjoint(names)
    assert len(names) == len(set(names))


@pytest.mark.parametrize("example", graphiql.examples(), ids=lambda one: str(one["name"]))
def test_an_example_runs_as_it_is(shared_server: LiveServer, example: dict[str, Any]) -> None:
    web = shared_server.key("web")
    key = shared_server.admin_key if example["name"] in ("FindCustomer", "RegisterChannel") else web
    filled = example["variables"].replace("<a new UUID>", str(uuid4())).replace("<now>", now())
    shared_server.graphql(RECORD, {"input": {"batch": {"sent_at": now(), "actions": [action(ANN)]}}}, web)

    document = schema().documents.read(example["query"])
    if example["name"] in ("PerformCapability", "FetchArticle"):  # no blueprint declares it here, and none is published
        answer = shared_server.graphql(example["query"], json.loads(filled), key)
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["NOT_FOUND"]
    elif document.operation(None).operation is not OperationType.SUBSCRIPTION:  # those are followed in the browser
        assert "errors" not in shared_server.graphql(example["query"], json.loads(filled or "{}"), key)
