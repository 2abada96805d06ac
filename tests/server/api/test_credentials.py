"""Who is let in by which header, from which page; and what a good credential still may not do."""

import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from steadylight_server.access.models import Role
from steadylight_server.core.embedded import EmbeddedDatabase
from steadylight_server.core.requests import SECURITY
from tests.conftest import LiveServer, settings_for
from tests.factories import BY, action, batch, login, now
from tests.issuers import IssuerKit
from tests.server.api.conftest import end_of, http, init, outcome, socket, with_access

CUSTOMERS = IssuerKit("id", "CUSTOMER", {"web-page": "web", "ivr-app": "ivr"}, algorithm="ES256")
AGENTS = IssuerKit("staff", "AGENT", {"desk": "web"}, algorithm="ES256")
NOBODY_HOME = IssuerKit("down", "CUSTOMER", {"web-page": "web"}, algorithm="ES256")
SHOP = "https://shop.example.com"
WHO = "{ viewer { role name channel scopes } }"
RECORD = "mutation($input: RecordActionsInput!) { recordActions(input: $input) { stored refused } }"
CONTEXT = """
query($input: ContextInput!) {
  context(input: $input) { customer { id } assurance claims { value } actions { type } contacts { key } }
}
"""


@pytest.fixture(scope="module")
def open_server(mongod: EmbeddedDatabase) -> Iterator[LiveServer]:
    """Trusts tokens, and lets the shop's page query."""
    issuers = (
        CUSTOMERS.settings(leeway_seconds=0),
        AGENTS.settings(leeway_seconds=0),
        NOBODY_HOME.settings("http://127.0.0.1:1/jwks.json"),
    )
    live = LiveServer(settings_for(mongod, issuers=issuers, allowed_origins=(SHOP,)))
    yield live
    live.stop()


@pytest.fixture(scope="module")
def web(open_server: LiveServer) -> str:
    return open_server.key("web")


@pytest.fixture(scope="module")
def ivr(open_server: LiveServer) -> str:
    return open_server.key("ivr", highest="CALLER_ID")


@pytest.fixture(scope="module")
def cookie(open_server: LiveServer) -> str:
    """Of an admin who is signed in."""
    _, link = with_access(open_server, lambda access: access.add_link(Role.ADMIN, "ann", by=BY))
    _, secret = with_access(open_server, lambda access: access.sign_in(link))
    return f"__Host-steadylight={secret}"


def ask(server: LiveServer, headers: dict[str, str], query: str = WHO, method: str = "POST") -> httpx.Response:
    if method == "GET":
        return http("GET", f"{server.url}/graphql", params={"query": query}, headers=headers)
    return http("POST", f"{server.url}/graphql", json={"query": query}, headers=headers)


# From which page a cookie is taken: Sec-Fetch-Site, Origin, and whether it is. OWN stands for the server's origin.
OWN = "OWN"
PAGES = [
    ("same-origin", None, True),
    ("same-origin", OWN, True),
    (None, OWN, True),
    ("same-site", None, False),
    ("same-site", OWN, False),
    ("cross-site", None, False),
    ("cross-site", OWN, False),
    ("none", None, False),
    ("", None, False),
    ("same-origin, cross-site", OWN, False),
    (None, None, False),
    (None, "", False),
    (None, "null", False),
    ("same-origin", "null", False),
    (None, "https://evil.example.com", False),
    ("same-origin", "https://evil.example.com", False),
    (None, SHOP, False),
    (None, "http://[", False),
    ("same-origin", "http://[::1", False),
    (None, f"{OWN}.evil.example.com", False),
    (None, "http://", False),
]


def page(server: LiveServer, site: str | None, origin: str | None) -> dict[str, str]:
    told = {"Sec-Fetch-Site": site, "Origin": origin and origin.replace(OWN, server.url)}
    return {name: value for name, value in told.items() if value is not None}


@pytest.mark.parametrize(("site", "origin", "is_taken"), PAGES)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_cookie_is_taken_from_this_servers_own_pages_only(
    open_server: LiveServer, cookie: str, method: str, site: str | None, origin: str | None, is_taken: bool
) -> None:
    headers = {"Cookie": cookie, **page(open_server, site, origin)}

    answer = ask(open_server, headers, method=method)

    assert (answer.status_code, outcome(answer)) == ((200, "ADMIN") if is_taken else (403, "FORBIDDEN"))


@pytest.mark.parametrize(("site", "origin", "is_taken"), PAGES)
def test_a_cookie_opens_a_websocket_from_this_servers_own_pages_only(
    open_server: LiveServer, cookie: str, site: str | None, origin: str | None, is_taken: bool
) -> None:
    headers = {"Cookie": cookie, **page(open_server, site, None)}
    try:
        with socket(open_server, headers, page(open_server, None, origin).get("Origin")) as connection:
            told = init(connection)
    except InvalidStatus as refused:
        told = refused.response.status_code

    assert told == "connection_ack" if is_taken else told in (403, 4403)


def test_a_page_without_tls_is_not_ours_where_we_are_reached_over_tls() -> None:
    from starlette.requests import HTTPConnection

    from steadylight_server.api.credentials import must_be_our_page
    from steadylight_server.core.errors import Forbidden

    def connection(scheme: str, origin: str) -> HTTPConnection:
        headers = [(b"host", b"light.example.com"), (b"origin", origin.encode())]
        return HTTPConnection({"type": "http", "scheme": scheme, "headers": headers, "path": "/"})

    for scheme, origin in (("https", "https"), ("wss", "https"), ("http", "https"), ("http", "http")):
        must_be_our_page(connection(scheme, f"{origin}://light.example.com"))
    for scheme in ("https", "wss"):
        with pytest.raises(Forbidden):
            must_be_our_page(connection(scheme, "http://light.example.com"))


def test_authorization_stands_before_the_cookie(open_server: LiveServer, web: str, cookie: str) -> None:
    own = {"Cookie": cookie, "Sec-Fetch-Site": "same-origin"}
    foreign = {"Cookie": cookie, "Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example.com"}

    told = [
        outcome(ask(open_server, headers))
        for headers in (
            own,
            own | {"Authorization": f"Bearer {web}"},
            own | {"Authorization": "Bearer sl_000000000000_wrong"},
            own | {"Authorization": ""},
            foreign | {"Authorization": f"Bearer {web}"},
        )
    ]
    with socket(open_server, {"Cookie": cookie}) as connection:
        over_a_socket = init(connection, authorization=f"Bearer {web}")

    assert told == ["ADMIN", "CHANNEL", "UNAUTHENTICATED", "UNAUTHENTICATED", "CHANNEL"]
    assert over_a_socket == "connection_ack"


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer x", "Basic {key}", "{key}", "Bearer {key} {key}", "Bearer {session}", "Bearer {link}"],
)
def test_what_is_no_bearer_of_a_key_is_refused(
    open_server: LiveServer, web: str, cookie: str, authorization: str
) -> None:
    _, link = with_access(open_server, lambda access: access.add_link(Role.ADMIN, "ann", by=BY))
    header = authorization.format(key=web, session=cookie.partition("=")[2], link=link)

    answer = ask(open_server, {"Authorization": header})

    assert (answer.status_code, outcome(answer)) == (401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_cookie_of_something_else_is_no_session(open_server: LiveServer, web: str, cookie: str) -> None:
    own = {"Sec-Fetch-Site": "same-origin"}

    told = [
        outcome(ask(open_server, own | {"Cookie": text}))
        for text in (f"__Host-steadylight={web}", "__Host-steadylight=", cookie[:-1], cookie.replace("sls", "sll"))
    ]
    without_the_prefix = ask(open_server, own | {"Cookie": cookie.removeprefix("__Host-")})

    assert told == ["UNAUTHENTICATED"] * 4
    assert without_the_prefix.status_code == 401


def test_a_customers_token_beside_a_key_narrows_it(open_server: LiveServer, web: str) -> None:
    key, own = {"Authorization": f"Bearer {web}"}, {"Steadylight-Customer": CUSTOMERS.token(aud="web-page")}

    told = {
        "good": outcome(ask(open_server, key | own)),
        "alone": outcome(ask(open_server, own)),
        "another channel's": outcome(ask(open_server, key | {"Steadylight-Customer": CUSTOMERS.token(aud="ivr-app")})),
        "an agent's": outcome(ask(open_server, key | {"Steadylight-Customer": AGENTS.token()})),
        "with Bearer": outcome(ask(open_server, key | {"Steadylight-Customer": f"Bearer {CUSTOMERS.token()}"})),
        "empty": outcome(ask(open_server, key | {"Steadylight-Customer": ""})),
        "beside an admin's": outcome(ask(open_server, {"Authorization": f"Bearer {open_server.admin_key}"} | own)),
        "beside a token": outcome(ask(open_server, {"Authorization": f"Bearer {CUSTOMERS.token()}"} | own)),
    }

    assert told == {
        "good": "CHANNEL",
        "alone": "UNAUTHENTICATED",
        "another channel's": "UNAUTHENTICATED",
        "an agent's": "UNAUTHENTICATED",
        "with Bearer": "UNAUTHENTICATED",
        "empty": "UNAUTHENTICATED",
        "beside an admin's": "FORBIDDEN",
        "beside a token": "FORBIDDEN",
    }


def test_a_customers_token_is_nobody_elses(open_server: LiveServer) -> None:
    token = {"Authorization": f"Bearer {CUSTOMERS.token('C-1', role='AGENT')}", "Steadylight-Reason": "curious"}

    search = ask(open_server, token, '{ customers(value: "C-2") { id } }')
    run = ask(open_server, token, "{ channels { name } }")

    assert (outcome(ask(open_server, token)), outcome(search), outcome(run)) == ("CUSTOMER", "FORBIDDEN", "FORBIDDEN")


def test_a_forged_token_is_refused_and_told_why(open_server: LiveServer) -> None:
    thief = IssuerKit("id", "CUSTOMER", {"web-page": "web"}, algorithm="ES256")

    answer = ask(open_server, {"Authorization": f"Bearer {thief.token()}"})

    assert (answer.status_code, outcome(answer)) == (401, "UNAUTHENTICATED")
    assert answer.json()["errors"][0]["message"] == "The token is not good: Signature verification failed."


def test_while_an_issuer_is_down_its_customers_are_told_to_come_again(open_server: LiveServer, web: str) -> None:
    token = NOBODY_HOME.token()

    answers = [
        ask(open_server, {"Authorization": f"Bearer {token}"}),
        ask(open_server, {"Authorization": f"Bearer {token}"}),
        ask(open_server, {"Authorization": f"Bearer {web}", "Steadylight-Customer": token}),
    ]
    with socket(open_server) as connection:
        over_a_socket = init(connection, authorization=f"Bearer {token}")

    assert [(one.status_code, outcome(one)) for one in answers] == [(503, "UNAVAILABLE")] * 3
    assert all(1 <= int(one.headers["retry-after"]) <= 5 for one in answers)
    assert over_a_socket == 1013
    assert outcome(ask(open_server, {"Authorization": f"Bearer {CUSTOMERS.token()}"})) == "CUSTOMER"


def test_a_token_ends_an_open_websocket_when_it_ends(open_server: LiveServer, web: str) -> None:
    short = CUSTOMERS.token("C-1", exp=time.time() + 1.5)
    with socket(open_server) as front, socket(open_server) as back:
        let_in = [
            init(front, authorization=f"Bearer {short}"),
            init(back, **{"authorization": f"Bearer {web}", "steadylight-customer": short}),
        ]
        by = {"identifier": login("C-1")}
        query = "subscription($by: CustomerBy!) { customerActivity(by: $by) { type } }"
        front.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": query, "variables": {"by": by}}}))
        closed = [end_of(connection) for connection in (front, back)]

    assert let_in == ["connection_ack", "connection_ack"]
    assert closed == [(4401, "Credential ended")] * 2
    with socket(open_server) as again:
        assert init(again, authorization=f"Bearer {short}") == 4401


def test_a_key_that_is_revoked_ends_its_websockets_at_once(open_server: LiveServer) -> None:
    key = open_server.key("web")
    with socket(open_server, {"Authorization": f"Bearer {key}"}) as connection:
        assert init(connection) == "connection_ack"

        open_server.revoke(key)
        began = time.monotonic()

        assert end_of(connection) == (4401, "Credential ended")
    assert time.monotonic() - began < 1  # it is checked every five seconds beside


# What a stolen key of one channel does not open


def record(server: LiveServer, key: str, *actions: dict[str, Any], **headers: str) -> dict[str, Any]:
    body = {"query": RECORD, "variables": {"input": {"batch": batch(*actions)}}}
    response = http("POST", f"{server.url}/graphql", json=body, headers={"Authorization": f"Bearer {key}", **headers})
    answer: dict[str, Any] = response.json()
    assert "errors" not in answer, answer
    result: dict[str, Any] = answer["data"]["recordActions"]
    return result


def test_a_stolen_key_records_as_its_own_channel_whatever_it_says(open_server: LiveServer, web: str, ivr: str) -> None:
    who = login(f"C-{uuid4().hex}")
    plain = action(who)
    claims = [action(who, **{name: "ivr"}) for name in ("channel", "channel_name", "key")]

    made = record(open_server, web, plain, *claims, **{"Steadylight-Channel": "ivr", "X-Channel": "ivr"})

    stored = {
        one["_id"]: one["channel"]
        for one in open_server.database["actions"].find({"_id": {"$in": [UUID(one["id"]) for one in (plain, *claims)]}})
    }
    assert stored[UUID(plain["id"])] == "web"
    assert set(stored.values()) == {"web"}
    assert made["stored"] == len(stored)
    one = "mutation { recordAction(input: {id: %s, type: %s, at: %s, contact: %s, channel: %s}) { token } }"
    text = one % tuple(json.dumps(value) for value in (str(uuid4()), "plan.viewed", now(), "call-1", "ivr"))
    refused = ask(open_server, {"Authorization": f"Bearer {web}"}, text)
    assert outcome(refused) == "INVALID"


def test_a_stolen_key_does_not_reach_another_channels_contacts(open_server: LiveServer, web: str, ivr: str) -> None:
    contact = f"call-{uuid4().hex}"
    email = {"kind": "email", "value": "ann@example.org", "assurance": "CLAIMED"}
    made = record(open_server, ivr, action(email, contact=contact, type="pin.asked"))

    own, stolen = (open_server.graphql(CONTEXT, {"input": {"contact": contact}}, key) for key in (ivr, web))

    assert made["stored"] == 1
    assert [one["type"] for one in own["data"]["context"]["actions"]] == ["pin.asked"]
    told = stolen["data"]["context"]
    assert (told["actions"], told["contacts"], told["claims"]) == ([], [], [])
    record(open_server, web, action(login(f"C-{uuid4().hex}"), contact=contact, type="thief.came"))
    again = open_server.graphql(CONTEXT, {"input": {"contact": contact}}, ivr)
    assert [one["type"] for one in again["data"]["context"]["actions"]] == ["pin.asked"]


def test_a_stolen_key_asserts_no_more_than_its_channel_may(open_server: LiveServer, web: str, ivr: str) -> None:
    name = f"C-{uuid4().hex}"
    secret = action(login(name), type="balance.viewed")
    record(open_server, web, secret)

    told = open_server.graphql(
        CONTEXT, {"input": {"identifiers": [login(name, "IN_PERSON")], "contact": "call-2"}}, ivr
    )["data"]["context"]
    claimed = action(login(name, "IN_PERSON"), contact="call-3")
    record(open_server, ivr, claimed)

    assert told["actions"] == []
    (stored,) = open_server.database["actions"].find({"_id": UUID(claimed["id"])})
    (heard,) = stored["identifiers"]
    assert heard["assurance"] not in ("IN_PERSON", "LOGIN")


# CORS, and what stands on every answer


def preflight(server: LiveServer, origin: str, headers: str = "authorization,content-type") -> httpx.Response:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": headers,
    }
    return http("OPTIONS", f"{server.url}/graphql", headers=asked)


def allowed(response: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name.startswith("access-control-")}


def test_no_foreign_page_may_query_unless_the_settings_say_so(shared_server: LiveServer) -> None:
    key = {"Authorization": f"Bearer {shared_server.admin_key}", "Origin": SHOP}

    answers = [preflight(shared_server, SHOP), ask(shared_server, key), ask(shared_server, {"Origin": SHOP})]

    assert [one.status_code for one in answers] == [405, 200, 401]
    assert [allowed(one) for one in answers] == [{}, {}, {}]


def test_a_page_of_the_settings_may_query_without_a_cookie(open_server: LiveServer, web: str) -> None:
    before = preflight(open_server, SHOP, "authorization,content-type,steadylight-customer,x-request-id")
    answer = ask(open_server, {"Authorization": f"Bearer {CUSTOMERS.token()}", "Origin": SHOP})
    refused = ask(open_server, {"Authorization": "Bearer wrong", "Origin": SHOP})

    assert before.status_code == 200
    assert before.headers["access-control-allow-methods"] == "GET, POST"
    assert "authorization" in before.headers["access-control-allow-headers"].lower()
    assert before.headers["access-control-max-age"] == "600"
    assert outcome(answer) == "CUSTOMER"
    for one in (before, answer, refused):
        assert one.headers["access-control-allow-origin"] == SHOP
        assert "Origin" in one.headers["vary"]
        assert "access-control-allow-credentials" not in one.headers


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example.com", "http://shop.example.com", f"{SHOP}.evil.example.com", f"{SHOP}:8443", "null"],
)
def test_a_page_of_nobody_in_the_settings_may_not(open_server: LiveServer, web: str, origin: str) -> None:
    before = preflight(open_server, origin)
    answer = ask(open_server, {"Authorization": f"Bearer {web}", "Origin": origin})

    assert before.status_code == 400
    assert "access-control-allow-origin" not in {**before.headers, **answer.headers}
    with pytest.raises(InvalidStatus) as refused, socket(open_server, origin=origin):
        pass
    assert refused.value.response.status_code == 403


def test_a_page_of_the_settings_opens_a_websocket_with_a_token(open_server: LiveServer, cookie: str) -> None:
    with socket(open_server, origin=SHOP) as connection:
        let_in = init(connection, authorization=f"Bearer {CUSTOMERS.token()}")
    with socket(open_server, {"Cookie": cookie}, SHOP) as connection:
        with_a_cookie = init(connection)

    assert (let_in, with_a_cookie) == ("connection_ack", 4403)


def test_security_headers_are_on_every_answer(open_server: LiveServer, web: str, cookie: str) -> None:
    browser = {"Accept": "text/html"}
    key = {"Authorization": f"Bearer {web}"}
    fault = {"failCommands": ["find"], "namespace": f"{open_server.database.name}.credentials", "errorCode": 2}
    with httpx.Client(base_url=open_server.url, verify=False) as client:
        answers = {
            "data": client.post("/graphql", json={"query": WHO}, headers=key),
            "refused": client.post("/graphql", json={"query": WHO}),
            "wrong method": client.put("/graphql"),
            "not there": client.get("/nowhere"),
            "home": client.get("/", headers=browser),
            "page": client.get("/graphiql", headers=browser),
            "no asset": client.get("/graphiql/assets/nothing.js"),
            "sign-in": client.get("/sign-in"),
            "script": client.get("/sign-in.js"),
            "no sign-in": client.post("/sign-in", content=b"{}"),
            "no session": client.post("/sign-out", headers={"Sec-Fetch-Site": "same-origin"}),
            "health": client.get("/healthz"),
            "ready": client.get("/readyz"),
            "metrics": client.get("/metrics"),
            "preflight": preflight(open_server, SHOP),
        }
        admin = open_server.client.admin
        admin.command("configureFailPoint", "failCommand", mode="alwaysOn", data=fault)
        try:
            wrong = {"Authorization": f"Bearer sl_{'0' * 12}_{'x' * 43}"}
            answers["fault"] = client.post("/graphql", json={"query": WHO}, headers=wrong)
        finally:
            admin.command("configureFailPoint", "failCommand", mode="off")

    assert answers["fault"].status_code == 500
    missing = {
        name: absent
        for name, answer in answers.items()
        if (absent := [header for header in SECURITY if header not in answer.headers])
    }
    assert missing == {}
    for name in ("data", "refused", "not there", "health", "fault"):
        assert {header: answers[name].headers[header] for header in SECURITY} == dict(SECURITY)
    assert all("frame-ancestors 'none'" in one.headers["content-security-policy"] for one in answers.values())
    assert answers["sign-in"].headers["cache-control"] == answers["data"].headers["cache-control"] == "no-store"
