"""Signing in by a link: once, from this server's own page, until it is over on every server; and no secret is left."""

import io
import json
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest

from steadylight_server.access.models import Role
from steadylight_server.core.clock import now
from steadylight_server.core.embedded import EmbeddedDatabase
from tests.conftest import LiveServer, settings_for
from tests.factories import BY
from tests.issuers import IssuerKit
from tests.server.api.conftest import end_of, http, init, outcome, socket, with_access

OWN = {"Sec-Fetch-Site": "same-origin"}
WHO = {"query": "{ viewer { role name channel scopes } }"}
CUSTOMERS = IssuerKit("id", "CUSTOMER", {"web-page": "web"}, algorithm="ES256")


@pytest.fixture(scope="module")
def servers(mongod: EmbeddedDatabase) -> Iterator[tuple[LiveServer, LiveServer]]:
    """Two, on one database."""
    settings = settings_for(mongod)
    one, other = LiveServer(settings), LiveServer(settings)
    yield one, other
    other.stop()
    one.stop()


@pytest.fixture(scope="module")
def server(servers: tuple[LiveServer, LiveServer]) -> LiveServer:
    return servers[0]


def new_link(server: LiveServer, role: Role = Role.ADMIN, name: str = "ann", channel: str | None = None) -> str:
    """The secret of a sign-in link."""
    return with_access(server, lambda access: access.add_link(role, name, channel=channel, by=BY))[1]


def sign_in(server: LiveServer, link: object, **headers: str) -> httpx.Response:
    return http("POST", f"{server.url}/sign-in", json={"link": link}, headers=OWN | headers)


def cookie_of(answer: httpx.Response) -> dict[str, str]:
    """As a browser sends it back from a page of the server."""
    assert answer.status_code == 204, answer.text
    return {"Cookie": answer.headers["set-cookie"].partition(";")[0], **OWN}


def viewer(server: LiveServer, cookie: dict[str, str]) -> httpx.Response:
    return http("POST", f"{server.url}/graphql", json=WHO, headers=cookie)


def test_a_link_signs_a_browser_in_once_on_every_server(servers: tuple[LiveServer, LiveServer]) -> None:
    link = new_link(servers[0])

    first = sign_in(servers[0], link)
    again = [sign_in(server, link) for server in servers]

    assert (first.status_code, first.content, first.headers["cache-control"]) == (204, b"", "no-store")
    for server in servers:
        assert viewer(server, cookie_of(first)).json()["data"]["viewer"] == {
            "role": "ADMIN",
            "name": "ann",
            "channel": None,
            "scopes": [
                "capabilities:report",
                "channels:register",
                "customers:read",
                "identities:link",
                "knowledge:write",
            ],
        }
    for one in again:
        assert (one.status_code, outcome(one)) == (401, "UNAUTHENTICATED")
        assert "set-cookie" not in one.headers


def test_the_cookie_is_kept_by_browsers_for_this_host_over_tls_and_from_scripts(server: LiveServer) -> None:
    answer = sign_in(server, new_link(server))

    value, *attributes = answer.headers["set-cookie"].split("; ")
    assert re.fullmatch(r"__Host-steadylight=sls_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", value)
    assert sorted(attributes) == ["HttpOnly", "Max-Age=28800", "Path=/", "SameSite=strict", "Secure"]
    assert len(answer.headers.get_list("set-cookie")) == 1


def test_an_agent_signs_in_to_their_channel(server: LiveServer) -> None:
    server.key("desk", "ASSISTED")

    answer = viewer(server, cookie_of(sign_in(server, new_link(server, Role.AGENT, "a.singh", "desk"))))

    assert answer.json()["data"]["viewer"] == {
        "role": "AGENT",
        "name": "a.singh",
        "channel": "desk",
        "scopes": ["customers:read"],
    }


def test_of_twenty_who_use_a_link_at_the_same_moment_one_is_signed_in(servers: tuple[LiveServer, LiveServer]) -> None:
    link = new_link(servers[0])
    sessions = "credentials", {"kind": "sls"}
    before = servers[0].database[sessions[0]].count_documents(sessions[1])

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda number: sign_in(servers[number % 2], link), range(20)))

    assert sorted(one.status_code for one in answers) == [204] + [401] * 19
    assert servers[0].database[sessions[0]].count_documents(sessions[1]) == before + 1


def test_a_link_that_is_too_old_or_revoked_or_none_is_refused_alike(server: LiveServer) -> None:
    old, revoked, good = new_link(server), new_link(server), new_link(server)
    credentials = server.database["credentials"]
    credentials.update_one({"_id": old.split("_")[1]}, {"$set": {"expires_at": now() - timedelta(seconds=1)}})
    server.revoke(revoked)
    key, session = server.key("web"), cookie_of(sign_in(server, new_link(server)))["Cookie"].partition("=")[2]

    answers = [
        sign_in(server, link)
        for link in (old, revoked, good[:-1], good[:-43] + "x" * 43, f"{good} ", key, session, "", "link", "sll_")
    ]

    assert {one.status_code for one in answers} == {401}
    assert len({one.json()["errors"][0]["message"] for one in answers}) == 1
    assert sign_in(server, good).status_code == 204


def test_a_link_is_good_for_an_hour_and_a_session_for_eight(server: LiveServer) -> None:
    link = new_link(server)
    session = cookie_of(sign_in(server, link))["Cookie"].partition("=")[2]

    stored = {one: server.database["credentials"].find_one({"_id": one.split("_")[1]}) or {} for one in (link, session)}

    lasts = [one["expires_at"] - one["created_at"] for one in stored.values()]
    assert lasts == [timedelta(hours=1), timedelta(hours=8)]
    assert all(one["gone_at"] - one["expires_at"] == timedelta(days=30) for one in stored.values())
    assert "revoked_at" in stored[link]
    assert "revoked_at" not in stored[session]


def test_a_session_is_over_when_its_time_is(server: LiveServer) -> None:
    cookie = cookie_of(sign_in(server, new_link(server)))
    id = cookie["Cookie"].split("_")[3]
    change = {"$set": {"expires_at": now() - timedelta(seconds=1)}}
    assert server.database["credentials"].update_one({"_id": id}, change).matched_count == 1

    answer = viewer(server, cookie)

    assert (answer.status_code, outcome(answer)) == (401, "UNAUTHENTICATED")
    assert "You are not signed in." in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example.com"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example.com"},
    ],
)
@pytest.mark.parametrize("path", ["sign-in", "sign-out"])
def test_no_foreign_page_signs_anybody_in_or_out(server: LiveServer, path: str, headers: dict[str, str]) -> None:
    link, session = new_link(server), cookie_of(sign_in(server, new_link(server)))
    cookie = {"Cookie": session["Cookie"]}

    answer = http("POST", f"{server.url}/{path}", json={"link": link}, headers=cookie | headers)

    assert (answer.status_code, outcome(answer)) == (403, "FORBIDDEN")
    assert "set-cookie" not in answer.headers
    assert viewer(server, session).status_code == 200
    assert sign_in(server, link).status_code == 204


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'"link"',
        b"{",
        b"\xff",
        b'{"link": null}',
        b'{"link": ["a"]}',
        b'{"link": {"$gt": ""}}',
        b'{"link": "\\ud800"}',
        b"[" * 900,
        b'{"link": "' + b"x" * 1_000 + b'"}',
        b" " * 100_000,
    ],
)
def test_what_is_posted_must_be_a_link(server: LiveServer, body: bytes) -> None:
    answer = http("POST", f"{server.url}/sign-in", content=body, headers=OWN)

    assert (answer.status_code, outcome(answer)) == (400, "INVALID")


def test_opening_the_page_uses_nothing_up(server: LiveServer) -> None:
    link = new_link(server)
    for _ in range(3):
        page = http("GET", f"{server.url}/sign-in", params={"link": link})
        script = http("GET", f"{server.url}/sign-in.js")
        http("HEAD", f"{server.url}/sign-in")

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    for one in (page, script):
        assert one.headers["cache-control"] == "no-store"
        assert "script-src 'self'" in one.headers["content-security-policy"]
        assert "unsafe" not in one.headers["content-security-policy"]
        assert link not in one.text
    assert "http" not in page.text
    assert sign_in(server, link).status_code == 204


@pytest.mark.parametrize(("method", "path"), [("PUT", "sign-in"), ("DELETE", "sign-in"), ("GET", "sign-out")])
def test_another_method_is_not_allowed(server: LiveServer, method: str, path: str) -> None:
    answer = http(method, f"{server.url}/{path}", headers=OWN)

    assert (answer.status_code, outcome(answer)) == (405, "INVALID")


def test_who_signs_out_is_signed_out_on_every_server_and_socket(servers: tuple[LiveServer, LiveServer]) -> None:
    cookie = cookie_of(sign_in(servers[0], new_link(servers[0])))
    other = cookie_of(sign_in(servers[0], new_link(servers[0])))
    assert [viewer(server, cookie).status_code for server in servers] == [200, 200]

    with socket(servers[1], cookie, servers[1].url) as connection:
        assert init(connection) == "connection_ack"
        answer = http("POST", f"{servers[0].url}/sign-out", headers=cookie)
        after = [viewer(server, cookie) for server in servers]
        ended = end_of(connection)

    name, *attributes = answer.headers["set-cookie"].split("; ")
    assert (answer.status_code, name) == (204, '__Host-steadylight=""')
    assert {"Max-Age=0", "Path=/", "Secure", "HttpOnly", "SameSite=strict"} < set(attributes)
    assert [outcome(one) for one in after] == ["UNAUTHENTICATED"] * 2
    assert ended == (4401, "Credential ended")
    assert [viewer(server, other).status_code for server in servers] == [200, 200]
    again = http("POST", f"{servers[1].url}/sign-out", headers=cookie)
    assert (again.status_code, outcome(again)) == (401, "UNAUTHENTICATED")


def test_a_key_signs_nobody_out(server: LiveServer) -> None:
    key = server.key("web")

    answers = [
        http("POST", f"{server.url}/sign-out", headers=OWN | headers)
        for headers in ({}, {"Authorization": f"Bearer {key}"}, {"Cookie": f"__Host-steadylight={key}"})
    ]

    assert [one.status_code for one in answers] == [401] * 3
    assert "data" in server.graphql(WHO["query"], key=key)


def everything(server: LiveServer) -> str:
    """All that is stored, as text."""
    found: list[Any] = []
    for name in server.database.list_collection_names():
        found += [name, *server.database[name].find()]
    return repr(found)


def test_no_secret_is_logged_or_stored(mongod: EmbeddedDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    settings = settings_for(mongod, issuers=(CUSTOMERS.settings(),)).model_copy(update={"log_level": "debug"})
    server = LiveServer(settings)
    try:
        web, admin, token = server.key("web"), server.admin_key, CUSTOMERS.token("C-1")
        link, unused, forged = new_link(server), new_link(server), f"sll_{'0' * 12}_{'forged-secret' * 3}abcd"
        cookie = cookie_of(sign_in(server, link))
        for headers in (
            cookie,
            {"Cookie": cookie["Cookie"], "Sec-Fetch-Site": "cross-site"},
            {"Authorization": f"Bearer {web}"},
            {"Authorization": f"Bearer {admin}"},
            {"Authorization": f"Bearer {token}"},
            {"Authorization": f"Basic {web}"},
            {"Authorization": f"Bearer {web}", "Steadylight-Customer": token},
            {"Authorization": f"Bearer {web}x"},
            {"Authorization": f"Bearer {token}x"},
        ):
            http("POST", f"{server.url}/graphql", json=WHO, headers=headers)
            http("GET", f"{server.url}/graphql", params=WHO, headers=headers)
            with socket(server, headers) as connection:
                init(connection)
        for authorization in (web, token, f"{token}x"):
            with socket(server) as connection:
                init(connection, authorization=f"Bearer {authorization}")
        for one in (link, forged, web):
            sign_in(server, one)
        http("POST", f"{server.url}/sign-in", content=json.dumps({"link": link})[:-1], headers=OWN)
        fault = {"failCommands": ["find"], "namespace": f"{server.database.name}.credentials", "errorCode": 2}
        server.client.admin.command("configureFailPoint", "failCommand", mode="alwaysOn", data=fault)
        try:
            broken = [sign_in(server, unused), http("POST", f"{server.url}/graphql", headers={"Authorization": web})]
        finally:
            server.client.admin.command("configureFailPoint", "failCommand", mode="off")
        http("POST", f"{server.url}/sign-out", headers=cookie)
        server.revoke(web)
        stored = everything(server)
    finally:
        server.stop()

    said = log.getvalue()
    session = cookie["Cookie"].partition("=")[2]
    secrets = [one[-43:] for one in (web, admin, link, unused, session)] + [token.rpartition(".")[2], "forged-secret"]
    assert broken[0].status_code == 500
    assert '"path": "/sign-in"' in said or '"path":"/sign-in"' in said
    assert "session.added" in stored
    assert "session.revoked" in stored
    assert session.split("_")[1] in stored
    assert [one for one in secrets if one in said] == []
    assert [one for one in secrets if one in stored] == []
