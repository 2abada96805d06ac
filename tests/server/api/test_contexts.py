"""A context in the graph: typed and as a document it says the same."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.conftest import LiveServer
from tests.factories import action, batch, login

RECORD = "mutation($input: RecordActionsInput!) { recordActions(input: $input) { stored token } }"
START = """
mutation($input: StartJourneyInput!) { startJourney(input: $input) { journey { id } } }
"""
ANSWER = """
mutation($input: AnswerQuestionInput!) { answerQuestion(input: $input) { token } }
"""
RECORD_AND_READ = """
mutation($input: RecordActionsInput!, $of: ContextInput!) {
  recordActions(input: $input) { stored contextDocument(input: $of) }
}
"""
BRIEFS = """
query($input: ContextInput!) {
  document: contextDocument(input: $input)
  context(input: $input) { usual: brief card: brief(form: CARD) message: brief(form: SMS) }
}
"""
BOTH = """
query($input: ContextInput!) {
  document: contextDocument(input: $input)
  context(input: $input) {
    customer { id isKnown identifiers { kind value } }
    assurance
    claims { kind value assurance }
    actions {
      id type at sequence channel actor agent contact journey subject { kind id } properties
    }
    contacts { id channel key firstAt lastAt outcome }
    at
    token
  }
}
"""


@pytest.fixture
def web(shared_server: LiveServer) -> str:
    return shared_server.key("web")


@pytest.fixture
def ivr(shared_server: LiveServer) -> str:
    return shared_server.key("ivr")


def record(server: LiveServer, key: str, *actions: dict[str, Any]) -> str:
    answer = server.graphql(RECORD, {"input": {"batch": batch(*actions)}}, key)
    assert answer["data"]["recordActions"]["stored"] == len(actions)
    token: str = answer["data"]["recordActions"]["token"]
    return token


def asked(server: LiveServer, key: str, **input: Any) -> dict[str, Any]:
    answer = server.graphql(BOTH, {"input": input}, key)
    assert "errors" not in answer, answer
    data: dict[str, Any] = answer["data"]
    return data


def given(document: dict[str, Any], *names: str) -> dict[str, Any]:
    """Of the typed form what the document has: it leaves out what is absent."""
    return {name: value for name, value in document.items() if value is not None or name not in names}


def test_typed_and_document_say_the_same(shared_server: LiveServer, web: str, ivr: str) -> None:
    value = f"C-{uuid4().hex}"
    claim = {"kind": "email", "value": "ann@example.org", "assurance": "CLAIMED"}
    record(
        shared_server,
        web,
        action(login(value), contact="visit-1", subject={"kind": "plan", "id": "fibre"}, journey="buy"),
        action(login(value), contact="visit-1", type="contact.ended", properties={"outcome": "RESOLVED"}),
        action(login(value)),
    )
    token = record(shared_server, ivr, action(login(value), contact="call-1", actor="AGENT", agent="a.singh"))

    data = asked(shared_server, web, identifiers=[login(value), claim], contact="visit-1", after=token)

    document, typed = data["document"], data["context"]
    assert typed["customer"] == {
        "id": document["customer"],
        "isKnown": True,
        "identifiers": document["identifiers"],
    }
    assert document["identifiers"] == [{"kind": "login", "value": value}]
    assert typed["assurance"] == document["assurance"] == "LOGIN"
    assert typed["claims"] == document["claims"] == [claim]
    optional = ("agent", "contact", "journey", "subject")
    assert [given(one, *optional) for one in typed["actions"]] == document["actions"]
    assert len(document["actions"]) == 4
    assert [
        given(
            {
                "id": one["id"],
                "channel": one["channel"],
                "key": one["key"],
                "first_at": one["firstAt"],
                "last_at": one["lastAt"],
                "outcome": one["outcome"],
            },
            "key",
            "outcome",
        )
        for one in typed["contacts"]
    ] == document["contacts"]
    assert {(one["channel"], one.get("key"), one.get("outcome")) for one in document["contacts"]} == {
        ("web", "visit-1", "RESOLVED"),
        ("web", None, None),
        ("ivr", "call-1", None),
    }
    assert typed["at"][:16] == document["at"][:16]
    assert isinstance(document["token"], str)
    assert isinstance(typed["token"], str)


def test_while_nothing_is_proven_the_context_is_the_contacts_own(shared_server: LiveServer, web: str, ivr: str) -> None:
    value, call = f"C-{uuid4().hex}", f"call-{uuid4().hex}"
    record(shared_server, web, action(login(value)))
    record(shared_server, ivr, action(login(value, "CALLER_ID"), contact=call))

    data = asked(shared_server, ivr, identifiers=[login(value, "CALLER_ID")], contact=call)

    assert data["context"]["customer"] is None
    assert (data["document"]["customer"], data["document"]["identifiers"]) == (None, [])
    assert data["document"]["assurance"] == "CLAIMED"
    assert [one["channel"] for one in data["document"]["actions"]] == ["ivr"]
    assert [one["key"] for one in data["document"]["contacts"]] == [call]


def test_nobody_in_particular_has_an_empty_context(shared_server: LiveServer, web: str) -> None:
    document = asked(shared_server, web)["document"]

    assert document.pop("at")
    assert document == {
        "customer": None,
        "assurance": "CLAIMED",
        "identifiers": [],
        "claims": [],
        "actions": [],
        "contacts": [],
        "journeys": [],
        "traits": [],
        "token": None,
    }


def test_a_context_is_told_in_few_words(shared_server: LiveServer, web: str) -> None:
    who = {"identifiers": [login(f"C-{uuid4().hex}")], "contact": "visit-1"}
    started = shared_server.graphql(START, {"input": {"operationId": str(uuid4()), "type": "move-house"} | who}, web)
    answer = {"journey": started["data"]["startJourney"]["journey"]["id"], "question": "city", "value": "Exeter"}
    kept = shared_server.graphql(ANSWER, {"input": {"operationId": str(uuid4())} | answer | who}, web)
    asked = {"identifiers": who["identifiers"], "after": kept["data"]["answerQuestion"]["token"]}
    card = [
        "Move house: open, just now; city: Exeter",
        "Last contact: web, just now, not ended",
        "Who it is: they signed in",
    ]
    message = ["Move house: left, just now. Go on in web."]

    answers = {
        form: shared_server.graphql(BRIEFS, {"input": asked | {"brief": form}}, web)["data"]
        for form in ("CARD", "SMS", None)
    }
    under_way = shared_server.graphql(BRIEFS, {"input": who}, web)["data"]

    assert [answer["context"] for answer in answers.values()] == [{"usual": card, "card": card, "message": message}] * 3
    assert (answers["CARD"]["document"]["brief"], answers["SMS"]["document"]["brief"]) == (card, message)
    assert "brief" not in answers[None]["document"]
    assert under_way["context"]["card"] == [card[0], card[2]]


@pytest.mark.parametrize(
    ("input", "message"),
    [
        ({"recent": 0}, "recent: 1 to 100 actions, not 0."),
        ({"recent": 101}, "recent: 1 to 100 actions, not 101."),
        ({"after": "forged"}, "The token is not one of ours. Present it exactly as it was given."),
        ({"identifiers": [login("C-1")] * 11}, "identifiers: at most 10."),
    ],
)
def test_what_breaks_a_rule_is_invalid(
    shared_server: LiveServer, web: str, input: dict[str, Any], message: str
) -> None:
    answer = shared_server.graphql(
        "query($input: ContextInput!) { contextDocument(input: $input) }", {"input": input}, web
    )

    (error,) = answer["errors"]
    assert (error["extensions"]["code"], error["message"]) == ("INVALID", message)
    assert error["path"] == ["contextDocument"]
    assert answer["data"] is None


def test_a_context_needs_its_scope(shared_server: LiveServer) -> None:
    key = shared_server.key("mute", scopes=frozenset())

    answer = shared_server.graphql("{ contextDocument(input: {}) }", key=key)

    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


@pytest.mark.parametrize("after", [None, "forged"])
def test_what_is_recorded_comes_back_in_the_context_of_the_same_request(
    shared_server: LiveServer, web: str, after: str | None
) -> None:
    who = login(f"C-{uuid4()}")
    one, other = action(who), action(who)
    of = {"identifiers": [who], **({"after": after} if after else {})}

    bulk = shared_server.graphql(RECORD_AND_READ, {"input": {"batch": batch(one)}, "of": of}, web)["data"]
    single = shared_server.graphql(
        """mutation($input: RecordActionInput!, $of: ContextInput!) { recordAction(input: $input) {
        verdict { verdict } context(input: $of) { actions { id } token } } }""",
        {"input": {name: other[name] for name in ("id", "type", "at", "identifiers")}, "of": of},
        web,
    )["data"]

    assert bulk["recordActions"]["stored"] == 1
    assert [told["id"] for told in bulk["recordActions"]["contextDocument"]["actions"]] == [shown(one)]
    assert single["recordAction"]["verdict"]["verdict"] == "STORED"
    assert {told["id"] for told in single["recordAction"]["context"]["actions"]} == {shown(one), shown(other)}


def test_what_became_of_the_actions_is_told_where_the_context_cannot_be(shared_server: LiveServer, web: str) -> None:
    who = login(f"C-{uuid4()}")
    of = {"identifiers": [who], "recent": 0}

    answer = shared_server.graphql(RECORD_AND_READ, {"input": {"batch": batch(action(who))}, "of": of}, web)

    assert answer["data"] == {"recordActions": {"stored": 1, "contextDocument": None}}
    (error,) = answer["errors"]
    assert (error["path"], error["extensions"]["code"]) == (["recordActions", "contextDocument"], "INVALID")


def shown(one: dict[str, Any]) -> str:
    return f"act_{UUID(one['id']).hex}"
