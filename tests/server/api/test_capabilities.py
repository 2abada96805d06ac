"""Capabilities in the graph: what is offered and performed, who is told what came of it, and how it comes along."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import anyio.to_thread
import pytest
from websockets.asyncio.client import ClientConnection, connect

from steadylight_server.access.models import CHANNEL_SCOPES, Scope
from steadylight_server.capabilities import Answer, Call, Failed, NotDone, Progress
from steadylight_server.core.embedded import EmbeddedDatabase
from tests.conftest import LiveServer, settings_for
from tests.factories import login

BLUEPRINT = """
version: 1
channels:
  web: {kind: SELF_SERVICE}
  kiosk: {kind: SELF_SERVICE}
capabilities:
  statement.view:
    label: See a statement
    description: What was booked.
    implementation: {function: view}
    input: {type: object, properties: {period: {type: string}}, required: [period]}
    reversible: true
    timeout: 5s
    channels: {kiosk: {not_feasible: No printer.}}
  report.order: {implementation: {function: order}}
  walk.far: {implementation: {function: walk}}
  gate.open: {implementation: {function: open}}
  gate.close: {implementation: {function: close}}
"""
SHOWN = """id capability label key state output failure { code message } progress { done message at } channel attempt
begunAt endedAt"""
PERFORM = f"""mutation($input: PerformCapabilityInput!) {{
  performCapability(input: $input) {{ performance {{ {SHOWN} }} repeated token }}
}}"""
LIST = """query($input: CapabilitiesInput!) {
  capabilities(input: $input) {
    name label description input output assurance reversible reversedBy timeout isOffered why reason
  }
}"""
LOOK = f"query($id: ID!) {{ performance(id: $id) {{ {SHOWN} }} node(id: $id) {{ ... on Performance {{ state }} }} }}"
REPORT = "mutation($input: ReportProgressInput!) { reportProgress(input: $input) { performance { state output } } }"
COMPLETE = f"""mutation($input: CompletePerformanceInput!) {{
  completePerformance(input: $input) {{ performance {{ {SHOWN} }} }}
}}"""
FOLLOW = f"subscription($id: ID!) {{ performance(id: $id) {{ {SHOWN} }} }}"


async def order(call: Call) -> Answer:
    return Answer(handle="job-7")


async def walk(call: Call) -> AsyncIterator[Progress | Mapping[str, Any]]:
    for step in (0.25, 0.5):
        yield Progress(step, f"{step:.0%}")
        await asyncio.sleep(0.4)
    yield {"far": True}


async def open_gate(call: Call) -> Mapping[str, Any]:
    await asyncio.sleep(2)
    raise NotDone("nobody is there")


async def close_gate(call: Call) -> Mapping[str, Any]:
    raise Failed("TOO_POOR", "The account has 3 euros.")


@pytest.fixture(scope="module")
def bank(mongod: EmbeddedDatabase) -> Iterator[LiveServer]:
    functions = {"view": lambda call: {"url": f"/{call.input['period']}"}, "order": order, "walk": walk}
    functions |= {"open": open_gate, "close": close_gate}
    live = LiveServer(settings_for(mongod), blueprint=BLUEPRINT, functions=functions)
    yield live
    live.stop()


@pytest.fixture(scope="module")
def web(bank: LiveServer) -> str:
    return bank.key("web")


@pytest.fixture(scope="module")
def reporter(bank: LiveServer) -> str:
    return bank.key("bank", scopes=frozenset({*CHANNEL_SCOPES, Scope.CAPABILITIES_REPORT}))


def somebody() -> dict[str, str]:
    return login(f"C-{uuid4().hex}")


def perform(bank: LiveServer, key: str, who: dict[str, str], capability: str = "statement.view", **given: Any) -> Any:
    input = {"capability": capability, "input": {"period": "2026-10"}, "key": "k-1", "identifiers": [who], **given}
    answer = bank.graphql(PERFORM, {"input": input}, key)
    assert "errors" not in answer, answer
    return answer["data"]["performCapability"]


def error(answer: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    (only,) = answer["errors"]
    extensions = {name: value for name, value in only["extensions"].items() if name != "requestId"}
    return only["message"], extensions


def test_it_is_performed_and_shown(bank: LiveServer, web: str) -> None:
    who = somebody()

    first = perform(bank, web, who, contact="visit-1")
    again = perform(bank, bank.key("app"), who)

    shown = first["performance"]
    assert (shown["capability"], shown["label"], shown["key"]) == ("statement.view", "See a statement", "k-1")
    assert (shown["state"], shown["output"], shown["failure"], shown["progress"]) == (
        "DONE",
        {"url": "/2026-10"},
        None,
        None,
    )
    assert (shown["channel"], shown["attempt"], first["repeated"]) == ("web", 1, False)
    assert shown["begunAt"] <= shown["endedAt"]
    assert (again["performance"], again["repeated"]) == (shown, True)


def test_errors_say_what_is_wrong_for_programs(bank: LiveServer, web: str) -> None:
    who = somebody()
    perform(bank, web, who)

    def asked(key: str = web, **given: Any) -> tuple[str, dict[str, Any]]:
        input = {"capability": "statement.view", "input": {"period": "x"}, "key": "k-1", "identifiers": [who], **given}
        return error(bank.graphql(PERFORM, {"input": input}, key))

    assert asked()[1] == {"code": "CONFLICT"}
    assert asked(input={"period": 7}) == (
        'input/period: the value is not of type "string"',
        {"code": "INVALID"},
    )
    assert asked(bank.key("kiosk")) == ("No printer.", {"code": "FORBIDDEN", "why": "NOT_FEASIBLE"})
    assert asked(capability="magic")[1] == {"code": "NOT_FOUND"}
    assert asked(identifiers=[])[1] == {"code": "INVALID"}


def test_what_is_offered_is_told_with_its_schemas(bank: LiveServer, web: str) -> None:
    def listed(key: str, **given: Any) -> dict[str, Any]:
        answer = bank.graphql(LIST, {"input": {"identifiers": [somebody()], **given}}, key)
        return {one["name"]: one for one in answer["data"]["capabilities"]}

    here, there = listed(web), listed(bank.admin_key, channel="kiosk")

    assert list(here) == ["gate.close", "gate.open", "report.order", "statement.view", "walk.far"]
    assert here["statement.view"] == {
        "name": "statement.view",
        "label": "See a statement",
        "description": "What was booked.",
        "input": {"type": "object", "properties": {"period": {"type": "string"}}, "required": ["period"]},
        "output": {"type": "object"},
        "assurance": "LOGIN",
        "reversible": True,
        "reversedBy": None,
        "timeout": 5.0,
        "isOffered": True,
        "why": None,
        "reason": None,
    }
    view = there["statement.view"]
    assert (view["isOffered"], view["why"], view["reason"]) == (False, "NOT_FEASIBLE", "No printer.")


def test_what_came_of_it_is_shown_by_its_id_only_to_who_is_sure_enough(bank: LiveServer, web: str) -> None:
    done = perform(bank, web, somebody())["performance"]

    channel = bank.graphql(LOOK, {"id": done["id"]}, web)["data"]
    admin = bank.graphql(LOOK, {"id": done["id"]}, bank.admin_key)["data"]

    assert channel == {"performance": {**done, "output": None}, "node": {"state": "DONE"}}
    assert admin == {"performance": done, "node": {"state": "DONE"}}
    nowhere = bank.graphql(LOOK, {"id": f"prf_{uuid4().hex}"}, web)
    assert {one["extensions"]["code"] for one in nowhere["errors"]} == {"NOT_FOUND"}
    assert nowhere["data"] == {"performance": None, "node": None}


def test_what_is_accepted_is_reported_and_completed_by_who_may(bank: LiveServer, web: str, reporter: str) -> None:
    who = somebody()
    id = perform(bank, web, who, "report.order")["performance"]["id"]

    half = bank.graphql(REPORT, {"input": {"performance": id, "done": 0.5, "message": "Half."}}, reporter)
    shown = bank.graphql(LOOK, {"id": id}, bank.admin_key)["data"]["performance"]
    over = bank.graphql(COMPLETE, {"input": {"performance": id, "output": {"pages": 3}}}, reporter)

    assert half["data"]["reportProgress"]["performance"] == {"state": "ACCEPTED", "output": None}
    assert (shown["state"], shown["progress"]["done"], shown["progress"]["message"]) == ("ACCEPTED", 0.5, "Half.")
    assert over["data"]["completePerformance"]["performance"]["state"] == "DONE"
    assert perform(bank, web, who, "report.order")["performance"]["output"] == {"pages": 3}
    late = bank.graphql(REPORT, {"input": {"performance": id, "done": 0.6}}, reporter)
    assert error(late) == ("It is DONE, not ACCEPTED.", {"code": "CONFLICT"})
    other = bank.graphql(COMPLETE, {"input": {"performance": id, "failure": {"code": "NO"}}}, reporter)
    assert error(other)[1] == {"code": "CONFLICT"}
    assert error(bank.graphql(COMPLETE, {"input": {"performance": id, "output": [1]}}, reporter))[0] == (
        "output: an object is wanted."
    )
    mute = bank.graphql(COMPLETE, {"input": {"performance": id, "output": {}}}, web)
    assert "capabilities:report" in error(mute)[0]


@asynccontextmanager
async def following(bank: LiveServer, key: str, id: str) -> AsyncIterator[ClientConnection]:
    url = bank.url.replace("http", "ws") + "/graphql"
    async with connect(url, subprotocols=["graphql-transport-ws"], proxy=None) as connection:  # type: ignore[list-item]
        await connection.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {key}"}}))
        assert (await heard(connection))["type"] == "connection_ack"
        payload = {"query": FOLLOW, "variables": {"id": id}}
        await connection.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
        yield connection


async def heard(connection: ClientConnection) -> Any:
    return json.loads(await asyncio.wait_for(connection.recv(), 20))


async def all_of(connection: ClientConnection) -> list[Any]:
    told = []
    while (message := await heard(connection))["type"] == "next":
        told.append(message["payload"]["data"]["performance"])
    assert message["type"] == "complete", message
    return told


async def test_how_far_it_has_come_is_told_until_it_is_over(bank: LiveServer, web: str) -> None:
    id = (await anyio.to_thread.run_sync(lambda: perform(bank, web, somebody(), "walk.far", within=0)))["performance"][
        "id"
    ]

    async with following(bank, bank.admin_key, id) as admin, following(bank, web, id) as channel:
        told, less = await asyncio.gather(all_of(admin), all_of(channel))

    assert told[0]["state"] == "RUNNING"
    assert (told[-1]["state"], told[-1]["output"], told[-1]["progress"]["done"]) == ("DONE", {"far": True}, 0.5)
    assert (less[-1]["state"], less[-1]["output"]) == ("DONE", None)
    steps = [one["progress"]["done"] for one in told if one["progress"]]
    assert steps == sorted(steps)
    assert len(told) == len({json.dumps(one) for one in told})


async def test_what_is_over_is_told_once_and_what_was_accepted_when_it_is_completed(
    bank: LiveServer, web: str, reporter: str
) -> None:
    done = await anyio.to_thread.run_sync(lambda: perform(bank, web, somebody()))
    accepted = await anyio.to_thread.run_sync(lambda: perform(bank, web, somebody(), "report.order"))
    id = accepted["performance"]["id"]

    async with following(bank, bank.admin_key, done["performance"]["id"]) as connection:
        assert await all_of(connection) == [done["performance"]]
    async with following(bank, bank.admin_key, id) as connection:
        first = await heard(connection)
        given = {"input": {"performance": id, "failure": {"code": "NO", "message": "no"}}}
        await anyio.to_thread.run_sync(lambda: bank.graphql(COMPLETE, given, reporter))
        (last,) = await all_of(connection)
    async with following(bank, web, f"prf_{uuid4().hex}") as connection:
        (nothing,) = (await heard(connection))["payload"]["errors"]

    assert first["payload"]["data"]["performance"]["state"] == "ACCEPTED"
    assert (last["state"], last["failure"]) == ("FAILED", {"code": "NO", "message": "no"})
    assert nothing["extensions"]["code"] == "NOT_FOUND"


async def test_who_follows_what_was_not_done_is_told_so(bank: LiveServer, web: str) -> None:
    id = (await anyio.to_thread.run_sync(lambda: perform(bank, web, somebody(), "gate.open", within=0)))["performance"][
        "id"
    ]

    async with following(bank, web, id) as connection:
        first, last = await heard(connection), await heard(connection)

    assert first["payload"]["data"]["performance"]["state"] == "RUNNING"
    assert [one["extensions"]["code"] for one in last["payload"]["errors"]] == ["UNAVAILABLE"]
    assert "Nothing was done" in last["payload"]["errors"][0]["message"]


async def test_why_it_failed_is_told_by_its_id_only_to_who_is_sure_enough(bank: LiveServer, web: str) -> None:
    refused = await anyio.to_thread.run_sync(lambda: perform(bank, web, somebody(), "gate.close"))
    failed = refused["performance"]

    channel = await anyio.to_thread.run_sync(lambda: bank.graphql(LOOK, {"id": failed["id"]}, web))
    admin = await anyio.to_thread.run_sync(lambda: bank.graphql(LOOK, {"id": failed["id"]}, bank.admin_key))

    assert failed["failure"] == {"code": "TOO_POOR", "message": "The account has 3 euros."}
    assert channel["data"]["performance"]["failure"] == {"code": "TOO_POOR", "message": ""}
    assert admin["data"]["performance"]["failure"] == failed["failure"]
