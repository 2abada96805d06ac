"""Recording through the graph: in bulk and one by one, typed and as a document, with the same rules."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.conftest import LiveServer
from tests.factories import action, batch, login, now

RECORD = """
mutation($input: RecordActionsInput!) {
  recordActions(input: $input) {
    stored duplicate refused retry token verdicts
    exceptions { index actionId verdict code message }
    warnings { index code message }
  }
}
"""
RECORD_ONE = """
mutation($input: RecordActionInput!) {
  recordAction(input: $input) {
    verdict { index actionId verdict code message } warnings { index code message } token
  }
}
"""


@pytest.fixture
def web(shared_server: LiveServer) -> str:
    return shared_server.key("web")


def somebody() -> dict[str, str]:
    return login(f"C-{uuid4().hex}")


def record(server: LiveServer, key: str, *actions: dict[str, Any]) -> dict[str, Any]:
    answer = server.graphql(RECORD, {"input": {"batch": batch(*actions)}}, key)
    assert "errors" not in answer, answer
    return answer["data"]["recordActions"]


def record_one(server: LiveServer, key: str, **input: Any) -> dict[str, Any]:
    given = {"id": str(uuid4()), "type": "plan.viewed", "at": now(), **input}
    answer = server.graphql(RECORD_ONE, {"input": given}, key)
    assert "errors" not in answer, answer
    return {"id": given["id"], **answer["data"]["recordAction"]}


def stored(server: LiveServer, id: str) -> dict[str, Any] | None:
    return server.database["actions"].find_one({"_id": UUID(id)})


def code(answer: dict[str, Any]) -> str:
    (error,) = answer["errors"]
    return error["extensions"]["code"]


def test_typed_verdicts_say_what_the_document_says(shared_server: LiveServer, web: str) -> None:
    who, type = somebody(), f"plan.{uuid4().hex}"
    known = action(who, type=type)
    record(shared_server, web, known)
    new = f"{type}.new"
    sent = [
        action(who, type=new),
        known,
        {**known, "type": new},
        action(who, id="no uuid", type=type),
        {"id": 7},
    ]

    made = record(shared_server, web, *sent)

    document = made["verdicts"]
    assert (made["stored"], made["duplicate"], made["refused"], made["retry"]) == (1, 1, 3, 0)
    assert document["verdicts"] == "SDXXX"
    assert {name: document[name] for name in ("stored", "duplicate", "refused", "retry", "token")} == {
        name: made[name] for name in ("stored", "duplicate", "refused", "retry", "token")
    }
    assert [(one["index"], one["actionId"], one["code"]) for one in made["exceptions"]] == [
        (2, known["id"], "CONFLICT"),
        (3, "no uuid", "INVALID"),
        (4, None, "INVALID"),
    ]
    assert document["exceptions"] == [
        {**{name: one[name] for name in ("index", "verdict", "code", "message")}, "id": one["actionId"]}
        for one in made["exceptions"]
    ]
    assert made["warnings"] == document["warnings"]
    assert made["warnings"] == [
        {"index": 0, "code": "NEW_TYPE", "message": f"First action of the type {new!r}: is it spelt right?"}
    ]


def test_what_is_no_batch_is_invalid(shared_server: LiveServer, web: str) -> None:
    wrongs: list[object] = [{}, [], "batch", 7, batch()]
    for wrong in wrongs:
        answer = shared_server.graphql(RECORD, {"input": {"batch": wrong}}, web)

        assert code(answer) == "INVALID"
        assert answer["data"] is None


def test_only_a_channel_records(shared_server: LiveServer) -> None:
    one = action(somebody())
    variables = {"input": {"batch": batch(one)}}

    assert code(shared_server.graphql(RECORD, variables)) == "UNAUTHENTICATED"
    assert code(shared_server.graphql(RECORD, variables, shared_server.admin_key)) == "FORBIDDEN"
    assert stored(shared_server, one["id"]) is None


def test_one_action_is_recorded_with_all_its_fields(shared_server: LiveServer, web: str) -> None:
    who = somebody()

    made = record_one(
        shared_server,
        web,
        at="2026-01-02T03:04:05.678+01:00",
        sequence=2**53 - 1,
        identifiers=[who],
        contact="visit-1",
        journey="buy",
        actor="AGENT",
        agent="a.singh",
        subject={"kind": "plan", "id": "fibre"},
        properties={"plan": [1, None, {"a.b": "$c"}]},
    )

    assert made["verdict"] == {
        "index": 0,
        "actionId": made["id"],
        "verdict": "STORED",
        "code": None,
        "message": None,
    }
    assert isinstance(made["token"], str)
    document = stored(shared_server, made["id"])
    assert document is not None
    assert document["at"].isoformat() == "2026-01-02T02:04:05.678000+00:00"
    assert {name: document[name] for name in ("sequence", "contact", "journey", "actor", "agent", "subject")} == {
        "sequence": 2**53 - 1,
        "contact": "visit-1",
        "journey": "buy",
        "actor": "AGENT",
        "agent": "a.singh",
        "subject": {"kind": "plan", "id": "fibre"},
    }
    assert document["identifiers"] == [who]
    assert document["properties"] == {"plan": [1, None, {"a.b": "$c"}]}


def test_one_action_needs_little(shared_server: LiveServer, web: str) -> None:
    made = record_one(shared_server, web, contact="visit-1", agent=None, subject=None, properties=None)

    document = stored(shared_server, made["id"])
    assert document is not None
    assert (document["sequence"], document["actor"], document["properties"]) == (0, "CUSTOMER", {})


def test_one_action_is_judged_by_the_rules_of_a_batch(shared_server: LiveServer, web: str) -> None:
    first = record_one(shared_server, web, contact="1", type="plan.viewed")
    fields = {"id": first["id"], "contact": "1"}
    document = stored(shared_server, first["id"])
    assert document is not None
    at = document["at"].isoformat()

    again = record_one(shared_server, web, at=at, type="plan.viewed", **fields)
    other = record_one(shared_server, web, at=at, type="plan.bought", **fields)
    refused = record_one(shared_server, web, type="")
    nowhere = record_one(shared_server, web)

    assert [one["verdict"]["verdict"] for one in (again, other, refused, nowhere)] == [
        *("DUPLICATE", "REFUSED", "REFUSED", "REFUSED")
    ]
    assert [one["verdict"]["code"] for one in (again, other, refused, nowhere)] == [
        *(None, "CONFLICT", "INVALID", "INVALID")
    ]
    assert refused["verdict"]["message"] == "type: String should have at least 1 character"
    assert refused["token"] is None


@pytest.mark.parametrize(
    "wrong", [{"at": "yesterday"}, {"at": 1_795_305_600}, {"sequence": -1}, {"sequence": 2**53}, {"sequence": 1.5}]
)
def test_a_scalar_out_of_its_bounds_is_invalid(shared_server: LiveServer, web: str, wrong: dict[str, Any]) -> None:
    input = {"id": str(uuid4()), "type": "plan.viewed", "at": now(), "contact": "1", **wrong}

    answer = shared_server.graphql(RECORD_ONE, {"input": input}, web)

    assert code(answer) == "INVALID"
    assert stored(shared_server, input["id"]) is None


def test_what_a_document_may_hold_but_the_database_may_not_is_refused(shared_server: LiveServer, web: str) -> None:
    """Written into the document, where numbers may be of any length, and sent beside it, nested beyond measure."""
    inline = f"""
    mutation {{
      recordAction(input: {{
        id: "{uuid4()}", type: "plan.viewed", at: "{now()}", contact: "1", properties: {{n: 36893488147419103232}}
      }}) {{ verdict {{ verdict message }} }}
    }}
    """
    nested: Any = {}
    for _ in range(400):
        nested = {"a": nested}

    long = shared_server.graphql(inline, key=web)
    deep = record(shared_server, web, action(contact="1", properties=nested), action(contact="1"))

    assert long["data"]["recordAction"]["verdict"] == {
        "verdict": "REFUSED",
        "message": "properties: whole numbers have at most 64 bits",
    }
    assert deep["verdicts"]["verdicts"] == "XS"
    assert deep["exceptions"][0]["message"] == "properties: at most 8 levels deep"


def test_a_channels_actions_are_its_own(shared_server: LiveServer, web: str) -> None:
    made = record(shared_server, web, {**action(somebody()), "channel": "ivr"})

    assert made["refused"] == 1
    assert made["exceptions"][0]["message"] == "channel: Extra inputs are not permitted"
