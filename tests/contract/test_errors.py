"""Every error code and every verdict of the contract, provoked over plain HTTP and through the SDK."""

import gzip
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import uuid4

import httpx
import pymongo
import pytest
from bson.timestamp import Timestamp

import steadylight
from steadylight import Client, Options
from steadylight._errors import of_code
from steadylight.testing import FAST
from steadylight_server.access.gate import Gate
from steadylight_server.access.models import Scope
from steadylight_server.access.service import AccessService
from steadylight_server.context.service import ContextService
from steadylight_server.core import errors as core
from steadylight_server.core import mongo
from steadylight_server.core.causality import Moment
from steadylight_server.core.embedded import EmbeddedDatabase
from steadylight_server.ingest.service import Ingest
from steadylight_server.timeline.service import TimelineService
from steadylight_server.workers import Activity
from tests.conftest import LiveServer, settings_for
from tests.factories import action, batch, login
from tests.live.follower import Follower

CODES = {
    "NOT_FOUND",
    "CONFLICT",
    "INVALID",
    "UNAUTHENTICATED",
    "FORBIDDEN",
    "RATE_LIMITED",
    "TOO_COMPLEX",
    "UNAVAILABLE",
    "INTERNAL",
}
# What can go wrong before an answer of the contract is there; the SDK's own.
ON_THE_WAY = {"UNKNOWN", "MISCONFIGURED", "TIMEOUT", "UNREACHABLE", "PROTOCOL"}

RECORD = "mutation R($input: RecordActionsInput!) { recordActions(input: $input) { verdicts } }"
CONTEXT = "query C($input: ContextInput!) { contextDocument(input: $input) }"
CUSTOMER = "query C($by: CustomerBy!) { customer(by: $by) { id isKnown actions { edges { node { id } } } } }"
REGISTER = "mutation R($input: RegisterChannelInput!) { registerChannel(input: $input) { key } }"
SECRET = "secret detail of ann@example.org"


# Loopback only, so no certificate is ever looked at; reading them would take 50 ms each time.
get, post = partial(httpx.get, verify=False), partial(httpx.post, verify=False)


def tree(root: Any) -> Iterator[Any]:
    """The class and all below it."""
    yield root
    for below in root.__subclasses__():
        yield from tree(below)


class Caller:
    """Asks one server in both ways, and sees to it that they tell the same."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.key = server.key("web")

    def http(self, query: str, variables: dict[str, Any] | None = None, key: str | None = None) -> httpx.Response:
        """The response to a plain POST that asks for the newer media type, with the channel's key unless another."""
        return post(
            f"{self.server.url}/graphql",
            json={"query": query, "variables": variables or {}},
            headers={"Authorization": f"Bearer {key or self.key}", "Accept": "application/graphql-response+json"},
            timeout=30,
        )

    def sdk(
        self, query: str, variables: dict[str, Any] | None = None, key: str | None = None
    ) -> steadylight.SteadylightError:
        """What the SDK raises."""
        with (
            Client(self.server.url, key or self.key, options=FAST) as light,
            pytest.raises(steadylight.SteadylightError) as raised,
        ):
            light.graphql(query, variables, within=30)
        return raised.value

    def refused(
        self, code: str, query: str, variables: dict[str, Any] | None = None, key: str | None = None, status: int = 200
    ) -> dict[str, Any]:
        """The one error, of that code and with that HTTP status, which the SDK raises in the class of the code."""
        response = self.http(query, variables, key)
        body = response.json()
        raised = self.sdk(query, variables, key)

        assert response.status_code == status
        assert not any((body.get("data") or {}).values())
        [error] = body["errors"]
        assert error["extensions"]["code"] == code
        assert error["extensions"]["requestId"] == response.headers["X-Request-Id"]
        assert (type(raised), raised.code, raised.message) == (of_code(code), code, error["message"])
        assert raised.request_id
        return error

    def stored(self) -> dict[str, list[dict[str, Any]]]:
        """All that is in the database, but for who may ask and what is under way."""
        kept = ("actions", "contacts", "action_types", "identifiers", "profiles")
        while self.server.database.intents.count_documents({}):
            time.sleep(0.05)  # what a test of a failing database left half done is being finished
        return {name: list(self.server.database[name].find(sort=[("_id", 1)])) for name in kept}


@pytest.fixture(scope="module")
def shared_server(mongod: EmbeddedDatabase) -> Iterator[LiveServer]:
    """As in every module, but it does not wait for long until it calls the database away."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(mongo, "PATIENCE", 0.5)
        patched.setattr(mongo, "TRANSACTION_PATIENCE", 0.5)
        live = LiveServer(settings_for(mongod, intent_lease=1))
        yield live
        live.stop()


@pytest.fixture
def caller(shared_server: LiveServer) -> Caller:
    return Caller(shared_server)


@pytest.fixture
def failing(shared_server: LiveServer) -> Callable[..., Any]:
    """Makes commands of the server under test fail in the database; of nobody else."""

    @contextmanager
    def fail(*commands: str, **how: Any) -> Iterator[None]:
        data = {"failCommands": list(commands), "appName": "steadylight", **how}
        shared_server.client.admin.command({"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": data})
        try:
            yield
        finally:
            shared_server.client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
            # The driver looks for its server again twice a second.
            while get(f"{shared_server.url}/readyz").status_code != 200:
                time.sleep(0.05)

    return fail


@contextmanager
def held_back(database: pymongo.database.Database[dict[str, Any]], type: str) -> Iterator[None]:
    """The database turns away actions of that type, and no others."""
    database.command("collMod", "actions", validator={"type": {"$ne": type}})
    try:
        yield
    finally:
        database.command("collMod", "actions", validator={})


def test_both_error_trees_have_one_class_for_each_code() -> None:
    of_the_server = [each.code for each in tree(core.SteadylightError) if "code" in vars(each)]
    of_the_sdk = [each.default_code for each in tree(steadylight.SteadylightError) if "default_code" in vars(each)]

    assert sorted(of_the_server) == sorted(CODES)
    assert sorted(of_the_sdk) == sorted(CODES | ON_THE_WAY)
    assert {code: of_code(code).default_code for code in CODES} == {code: code for code in CODES}
    assert all(hasattr(steadylight, each.__name__) for each in tree(steadylight.SteadylightError))


def test_not_found(caller: Caller) -> None:
    nobody = {"identifier": login(f"nobody-{uuid4()}")}
    unsure = {"identifier": login("C-1001", "CLAIMED")}

    error = caller.refused("NOT_FOUND", CUSTOMER, {"by": nobody})
    assert error["path"] == ["customer"]
    assert caller.refused("NOT_FOUND", CUSTOMER, {"by": unsure})["message"] == error["message"]
    for id in (f"cus_{uuid4().hex}", f"act_{uuid4().hex}", f"con_{uuid4().hex}", "cus_x", "x", ""):
        assert caller.refused("NOT_FOUND", "query($id: ID!) { node(id: $id) { id } }", {"id": id})["path"] == ["node"]
    assert caller.refused("NOT_FOUND", CUSTOMER, {"by": {"id": f"act_{uuid4().hex}"}})["path"] == ["customer"]


def test_a_path_that_is_not_there_is_not_found(caller: Caller) -> None:
    response = get(f"{caller.server.url}/graphiql/x")

    assert response.status_code == 404
    assert response.json()["errors"][0]["extensions"] == {
        "code": "NOT_FOUND",
        "requestId": response.headers["X-Request-Id"],
    }


def test_conflict(caller: Caller) -> None:
    given = {"input": {"name": "shop", "kind": "SELF_SERVICE"}}
    other = {"input": {"name": "shop", "kind": "ASSISTED"}}
    caller.http(REGISTER, given, caller.server.admin_key)
    before = list(caller.server.database.channels.find()), caller.server.database.credentials.count_documents({})

    error = caller.refused("CONFLICT", REGISTER, other, caller.server.admin_key)

    assert error["path"] == ["registerChannel"]
    assert (
        list(caller.server.database.channels.find()),
        caller.server.database.credentials.count_documents({}),
    ) == before


def test_invalid(caller: Caller) -> None:
    before = caller.stored()

    def context(**given: Any) -> dict[str, Any]:
        return {"input": {"identifiers": [], **given}}

    assert caller.refused("INVALID", CONTEXT, context(after="guess"))["path"] == ["contextDocument"]
    assert caller.refused("INVALID", CONTEXT, context(recent=0))["path"] == ["contextDocument"]
    assert caller.refused("INVALID", RECORD, {"input": {"batch": batch()}})["path"] == ["recordActions"]
    assert caller.refused("INVALID", "{ viewer", status=400)["locations"]
    assert caller.refused("INVALID", "{ colour }", status=400)["locations"]
    assert caller.refused("INVALID", "query($by: CustomerBy!) { customer(by: $by) { id } }", status=400)["message"]
    assert caller.refused("INVALID", CUSTOMER, {"by": {"id": "x", "identifier": login("C-1")}}, status=400)["message"]
    assert caller.refused("INVALID", CONTEXT, context(contact=7), status=400)["message"]
    assert caller.refused("INVALID", CUSTOMER, {"by": {"id": None}}, status=400)["message"]
    assert caller.refused("INVALID", CUSTOMER, {"by": {}}, status=400)["message"]
    literal = "query($id: ID) { customer(by: {id: $id, identifier: null}) { id } }"
    assert caller.refused("INVALID", literal, {"id": "cus_x"}, status=400)["message"]
    assert caller.stored() == before


@pytest.mark.parametrize(
    ("status", "sent"),
    [
        (400, {"content": b"{"}),
        (400, {"content": b"[]"}),
        (400, {"content": b'{"query": 7}'}),
        (400, {"content": b"{}", "headers": {"Content-Encoding": "gzip"}}),
        (413, {"content": b"x" * 1_000_001}),
        (413, {"content": gzip.compress(b" " * 1_000_001), "headers": {"Content-Encoding": "gzip"}}),
        (415, {"content": b"{}", "headers": {"Content-Type": "text/plain"}}),
        (406, {"content": b"{}", "headers": {"Accept": "text/html"}}),
    ],
    ids=["no JSON", "no object", "no query", "no gzip", "too large", "too large inside", "text", "as HTML"],
)
def test_a_request_that_is_none_is_invalid(caller: Caller, status: int, sent: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {caller.key}", "Content-Type": "application/json", **sent.get("headers", {})}

    response = post(f"{caller.server.url}/graphql", content=sent["content"], headers=headers)

    assert response.status_code == status
    assert response.json()["errors"][0]["extensions"] == {
        "code": "INVALID",
        "requestId": response.headers["X-Request-Id"],
    }


def test_unauthenticated(caller: Caller) -> None:
    revoked = caller.server.key("web")
    caller.server.revoke(revoked)
    before = caller.stored()
    sent = {"input": {"batch": batch(action(login("C-1001")))}}

    for key in (revoked, "guess", f"sl_{'0' * 12}_{'x' * 43}", caller.key[:-1], caller.key[:16] + "x" * 43):
        caller.refused("UNAUTHENTICATED", RECORD, sent, key, status=401)
        assert caller.http(RECORD, sent, key).headers["WWW-Authenticate"] == "Bearer"
    for headers in ({}, {"Authorization": caller.key}, {"Authorization": f"Basic {caller.key}"}):
        response = post(f"{caller.server.url}/graphql", json={"query": RECORD, "variables": sent}, headers=headers)
        assert response.status_code == 401
        assert [each["extensions"]["code"] for each in response.json()["errors"]] == ["UNAUTHENTICATED"]
    assert caller.stored() == before


def test_forbidden(caller: Caller) -> None:
    reads = caller.server.key("web", scopes=frozenset({Scope.CUSTOMERS_READ}))
    writes = caller.server.key("web", scopes=frozenset({Scope.ACTIONS_WRITE}))
    before = caller.stored()
    sent = {"input": {"batch": batch(action(login("C-1001")))}}
    by = {"by": {"identifier": login("C-1001")}}

    for query, variables, key in (
        (RECORD, sent, reads),
        (RECORD, sent, caller.server.admin_key),
        (CONTEXT, {"input": {"contact": "visit-1"}}, writes),
        (CUSTOMER, by, writes),
        ("{ channels { name } }", {}, None),
        (REGISTER, {"input": {"name": "mine", "kind": "ASSISTED"}}, None),
    ):
        # The whole document is refused before anything of it runs, so the error is of no field.
        assert "path" not in caller.refused("FORBIDDEN", query, variables, key, status=403)
    assert caller.stored() == before
    assert caller.server.database.channels.count_documents({"_id": "mine"}) == 0


def test_rate_limited_is_who_asks_too_often_and_the_sdk_waits_as_it_is_told(mongod: EmbeddedDatabase) -> None:
    live = LiveServer(settings_for(mongod, rate_per_credential="3/2 seconds"))
    try:
        caller = Caller(live)
        answers = [caller.http("{ viewer { role } }") for _ in range(4)]
        with Client(live.url, caller.key) as light:
            began = time.monotonic()
            context = light.contact("visit-1").context(within=10)
            waited = time.monotonic() - began
    finally:
        live.stop()

    assert [one.status_code for one in answers] == [200, 200, 200, 429]
    [error] = answers[3].json()["errors"]
    assert (error["extensions"]["code"], answers[3].headers["retry-after"]) == ("RATE_LIMITED", "2")
    assert 0 < error["extensions"]["retryAfter"] <= 2
    assert context.customer is None
    assert waited > 0.5


async def test_rate_limited_is_who_opens_more_than_50_operations_on_one_socket(caller: Caller) -> None:
    by = {"identifier": login("many-windows")}
    caller.http(RECORD, {"input": {"batch": batch(action(login("many-windows")))}})

    async with Follower.at(caller.server.url, caller.key) as follower:
        for number in range(51):
            await follower.follow(by, str(number))
        refused = await follower.heard()

        assert (refused["type"], refused["id"]) == ("error", "50")
        assert [each["extensions"]["code"] for each in refused["payload"]] == ["RATE_LIMITED"]
        assert refused["payload"][0]["extensions"]["retryAfter"] == 1.0


@pytest.mark.parametrize("status", [429, 200])
def test_rate_limited_is_obeyed_by_the_sdk(status: int) -> None:
    # Given by hand, so that both statuses are tried and nobody waits.
    told = {
        "message": "Too many requests.",
        "extensions": {"code": "RATE_LIMITED", "retryAfter": 7.5, "requestId": "r"},
    }

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, headers={"Retry-After": "8"}, json={"errors": [told], "data": None})

    with (
        Client("http://light.test", "key", transport=httpx.MockTransport(answer)) as light,
        pytest.raises(steadylight.RateLimited) as raised,
    ):
        light.graphql("{ viewer { channel } }")

    assert (raised.value.retry_after, raised.value.request_id) == (8.0, "r")


def test_too_complex(caller: Caller) -> None:
    deep = '{ customer(by: {id: "x"}) { actions { edges { node { subject ' + "{ kind " * 10 + "}" * 15
    wide = "{" + "".join(f"a{number}: viewer {{ channel }} " for number in range(61)) + "}"
    long = "{ viewer {" + " channel" * 4_000 + "}}"

    for document in (deep, wide, long):
        assert "path" not in caller.refused("TOO_COMPLEX", document, status=400)


@pytest.mark.parametrize(
    "how",
    [
        {"errorCode": 189},  # it has stepped down
        {"errorCode": 50},  # it took too long
        {"closeConnection": True},
    ],
    ids=str,
)
def test_unavailable_is_a_database_that_cannot_answer_now(
    caller: Caller, failing: Callable[..., Any], how: dict[str, Any]
) -> None:
    sent = action(login(f"later-{uuid4()}"), contact="visit-1")
    before = caller.stored()

    with failing("find", "aggregate", "insert", "update", **how):
        context = caller.http(CONTEXT, {"input": {"contact": "visit-1"}})
        recorded = caller.http(RECORD, {"input": {"batch": batch(sent)}})
        with Client(caller.server.url, caller.key, options=FAST) as light:
            verdicts = light.deliver([sent], within=0.5)
            with pytest.raises(steadylight.Unavailable) as raised:
                light.graphql(CONTEXT, {"input": {"contact": "visit-1"}}, within=30)
    after = caller.stored()
    with Client(caller.server.url, caller.key, options=FAST) as light:
        delivered = light.deliver([sent], within=20)

    for response in (context, recorded):
        [error] = response.json()["errors"]
        # The key itself could not be looked up: so it is the whole request that fails, and says when to come again.
        assert (response.status_code, error["extensions"]["code"]) == (503, "UNAVAILABLE")
        assert response.headers["Retry-After"] == "1"
        assert error["extensions"]["retryAfter"] == 1.0
    assert raised.value.retry_after == 1.0
    assert (verdicts.stored, verdicts.retry) == (0, 1)
    assert after == before
    assert (delivered.stored, delivered.duplicate) == (1, 0)


def test_unavailable_is_what_was_told_of_one_field(caller: Caller, failing: Callable[..., Any]) -> None:
    caller.http(RECORD, {"input": {"batch": batch(action(login("C-77")))}})
    asked = {"input": {"identifiers": [login("C-77")]}}

    with failing("aggregate", errorCode=50):
        error = caller.refused("UNAVAILABLE", CONTEXT, asked)
    with failing("insert", errorCode=50):
        unknown = {"input": {"batch": batch(action(login(f"new-{uuid4()}")))}}
        write = caller.refused("UNAVAILABLE", RECORD, unknown)

    assert (error["path"], error["extensions"]["retryAfter"]) == (["contextDocument"], 1.0)
    assert write["path"] == ["recordActions"]
    assert caller.http(CONTEXT, asked).json()["data"]["contextDocument"]["customer"]


def test_a_write_that_the_majority_may_not_have_is_not_called_stored(
    caller: Caller, failing: Callable[..., Any]
) -> None:
    known = action(login("C-78"))
    caller.http(RECORD, {"input": {"batch": batch(known)}})

    sent = {"input": {"batch": batch(action(login("C-78")))}}
    with failing("insert", writeConcernError={"code": 64, "errmsg": "waiting for replication timed out"}):
        told = caller.http(RECORD, sent), caller.http(RECORD, sent)

    assert [codes(each) for each in told] == [["UNAVAILABLE"], ["UNAVAILABLE"]]


def test_unavailable_is_a_write_that_has_not_arrived_yet(caller: Caller) -> None:
    secret = caller.server.database.secrets.find_one({"_id": "token"})
    assert secret is not None
    hello = caller.server.client.admin.command("ping")
    ahead = Timestamp(hello["operationTime"].time + 3_600, 1)
    token = Moment.of(ahead, hello["$clusterTime"]).token(secret["value"])

    error = caller.refused("UNAVAILABLE", CONTEXT, {"input": {"identifiers": [login("C-1001")], "after": token}})

    assert error["path"] == ["contextDocument"]


@pytest.mark.parametrize(
    ("service", "method", "query", "variables"),
    [
        (ContextService, "fetch", CONTEXT, {"input": {"contact": "visit-1"}}),
        (Ingest, "record", RECORD, {"input": {"batch": batch(action(login("C-1001")))}}),
        (AccessService, "register", REGISTER, {"input": {"name": "till", "kind": "ASSISTED"}}),
    ],
)
def test_internal_shows_the_request_id_and_nothing_else(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, service: type, method: str, query: str, variables: dict[str, Any]
) -> None:
    monkeypatch.setattr(service, method, broken)
    if service is AccessService:
        caller.key = caller.server.admin_key
    before = caller.stored()

    error = caller.refused("INTERNAL", query, variables)

    assert error["message"] == "Something went wrong on our side."
    assert error["extensions"].keys() == {"code", "requestId"}
    assert_nothing_leaks(caller.http(query, variables))
    raised = caller.sdk(query, variables)
    assert isinstance(raised, steadylight.Internal)
    assert SECRET not in f"{raised!r} {raised} {vars(raised)}"
    assert f"(request {raised.request_id})" in str(raised)
    assert caller.stored() == before


def test_internal_in_one_field_leaves_the_others(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TimelineService, "page", broken)
    caller.http(RECORD, {"input": {"batch": batch(action(login("C-79")))}})

    response = caller.http(
        "query C($by: CustomerBy!) { viewer { channel } customer(by: $by) { isKnown actions { edges { cursor } } } }",
        {"by": {"identifier": login("C-79")}},
    )

    [error] = response.json()["errors"]
    assert (error["path"], error["extensions"]["code"]) == (["customer", "actions"], "INTERNAL")
    assert_nothing_leaks(response)


def test_internal_before_the_graph_is_reached(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gate, "key", broken)
    headers = {"Authorization": f"Bearer {caller.key}", "X-Request-Id": "asked-by-the-test"}
    body = {"query": "{ viewer { channel } }"}

    response = post(f"{caller.server.url}/graphql", json=body, headers=headers)

    assert response.status_code == 500
    assert response.json() == {
        "errors": [
            {
                "message": "Something went wrong on our side.",
                "extensions": {"code": "INTERNAL", "requestId": "asked-by-the-test"},
            }
        ]
    }
    assert_nothing_leaks(response)
    assert type(caller.sdk("{ viewer { channel } }")) is steadylight.Internal


async def test_internal_over_a_socket(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    caller.http(RECORD, {"input": {"batch": batch(action(login("C-80")))}})
    monkeypatch.setattr(Activity, "follow", broken)

    async with Follower.at(caller.server.url, caller.key) as follower:
        await follower.follow({"identifier": login("C-80")})
        told = await follower.heard()

    assert SECRET not in json.dumps(told)
    [error] = told["payload"] if told["type"] == "error" else told["payload"]["errors"]
    assert (error["message"], error["extensions"]["code"]) == ("Something went wrong on our side.", "INTERNAL")


def test_what_a_fault_left_half_done_is_whole_when_it_is_called_a_duplicate(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = action(login("C-81"))
    with monkeypatch.context() as patched:
        patched.setattr(TimelineService, "project", broken)
        caller.refused("INTERNAL", RECORD, {"input": {"batch": batch(sent)}})

    with Client(caller.server.url, caller.key, options=FAST) as light:
        verdicts = light.deliver([sent], within=10)

    assert (verdicts.stored, verdicts.duplicate) == (0, 1)
    home = caller.server.database.profiles.find_one({"kind": "login", "value": "C-81"})
    assert home is not None
    assert caller.server.database.contacts.count_documents({"profile_id": home["_id"]}) == 1


def test_stored_and_duplicate(caller: Caller) -> None:
    sent = action(login(f"new-{uuid4()}"))

    first = caller.http(RECORD, {"input": {"batch": batch(sent)}}).json()["data"]["recordActions"]["verdicts"]
    again = caller.http(RECORD, {"input": {"batch": batch(sent)}}).json()["data"]["recordActions"]["verdicts"]
    with Client(caller.server.url, caller.key, options=FAST) as light:
        through = light.deliver([sent, action(login("C-1001"))])

    assert (first["verdicts"], first["exceptions"]) == ("S", [])
    assert (again["verdicts"], again["exceptions"]) == ("D", [])
    assert (through.stored, through.duplicate) == (1, 1)
    assert caller.server.database.actions.count_documents({"identifiers.value": sent["identifiers"][0]["value"]}) == 1


def test_refused(caller: Caller) -> None:
    there = action(login("C-82"))
    caller.http(RECORD, {"input": {"batch": batch(there)}})
    wrong = [action(login("C-82"), type=""), {**there, "type": "plan.bought"}]
    before = caller.stored()

    told = caller.http(RECORD, {"input": {"batch": batch(*wrong)}}).json()["data"]["recordActions"]["verdicts"]
    one = caller.http(
        "mutation R($input: RecordActionInput!) { recordAction(input: $input) { verdict { verdict code } token } }",
        {"input": {name: value for name, value in wrong[1].items() if name != "properties"}},
    ).json()["data"]["recordAction"]
    with Client(caller.server.url, caller.key, options=FAST) as light:
        through = light.deliver(wrong)

    assert told["verdicts"] == "XX"
    assert [(each["verdict"], each["code"]) for each in told["exceptions"]] == [
        ("REFUSED", "INVALID"),
        ("REFUSED", "CONFLICT"),
    ]
    assert one["verdict"] == {"verdict": "REFUSED", "code": "CONFLICT"}
    assert [(each.verdict, each.code) for each in through.exceptions] == [
        ("REFUSED", "INVALID"),
        ("REFUSED", "CONFLICT"),
    ]
    assert caller.stored() == before


def test_retry_is_an_action_that_the_database_did_not_take_this_time(caller: Caller) -> None:
    caller.http(RECORD, {"input": {"batch": batch(action(login("C-83")))}})
    sent = [action(login("C-83")), action(login("C-83"), type="held.back"), action(login("C-83"))]

    with held_back(caller.server.database, "held.back"):
        told = caller.http(RECORD, {"input": {"batch": batch(*sent)}}).json()["data"]["recordActions"]["verdicts"]
        with Client(caller.server.url, caller.key, options=Options(backoff_base=0.01)) as light:
            in_vain = light.deliver(sent, within=0.5)
            missing = caller.server.database.actions.count_documents({"type": "held.back"})
    with Client(caller.server.url, caller.key, options=FAST) as light:
        delivered = light.deliver(sent)

    assert (told["verdicts"], told["retry"]) == ("SRS", 1)
    assert [(each["index"], each["id"], each["verdict"], each["code"]) for each in told["exceptions"]] == [
        (1, sent[1]["id"], "RETRY", "UNAVAILABLE")
    ]
    assert (in_vain.duplicate, in_vain.retry, missing) == (2, 1, 0)
    # The last try in vain, for which nobody waited any more, may have come in between.
    assert (delivered.stored, delivered.duplicate, delivered.retry) in ((1, 2, 0), (0, 3, 0))
    assert caller.server.database.actions.count_documents({"type": "held.back"}) == 1


def codes(response: httpx.Response) -> list[str]:
    return [error["extensions"]["code"] for error in response.json().get("errors", ())]


def broken(*given: Any, **named: Any) -> Any:
    raise RuntimeError(SECRET)


def assert_nothing_leaks(response: httpx.Response) -> None:
    shown = f"{response.headers.multi_items()} {response.text}"
    for word in ("secret", "ann@example", "RuntimeError", "Traceback", "steadylight_server", ".py", "mongo"):
        assert word not in shown
