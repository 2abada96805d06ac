"""Customers in the graph: found by whoever may, and their timeline paged as Relay has it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.conftest import LiveServer
from tests.factories import action, batch, login

RECORD = "mutation($input: RecordActionsInput!) { recordActions(input: $input) { stored verdicts } }"
CUSTOMER = """
query($by: CustomerBy!, $filter: ActionFilter, $order: ActionOrder! = NEWEST_FIRST, $first: Int, $after: String,
      $last: Int, $before: String) {
  customer(by: $by) {
    id isKnown since identifiers { kind value }
    actions(filter: $filter, order: $order, first: $first, after: $after, last: $last, before: $before) {
      edges { cursor node { id } }
      nodes { id sequence }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}
"""
ACTION = """
id type at sequence channel actor agent contact journey subject { kind id } properties
identifiers { kind value assurance } receivedAt claimedAt
"""
START = datetime(2026, 1, 2, 9, tzinfo=UTC)


def written(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Ann:
    """A customer with twelve actions, every third through the IVR."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.value = f"C-{uuid4().hex}"
        self.by = {"identifier": login(self.value)}
        self.web, self.ivr = server.key("web"), server.key("ivr")
        self.actions = [
            action(
                login(self.value),
                sequence=number,
                at=written(START + timedelta(minutes=number)),
                type=("plan.viewed", "case.opened")[number % 2],
                **({"subject": {"kind": "case", "id": "1"}} if number % 4 == 0 else {}),
            )
            for number in range(12)
        ]
        for key, some in ((self.ivr, self.actions[::3]), (self.web, [*self.actions[1::3], *self.actions[2::3]])):
            answer = server.graphql(RECORD, {"input": {"batch": batch(*some)}}, key)
            assert answer["data"]["recordActions"]["stored"] == len(some)

    def asked(self, **variables: Any) -> dict[str, Any]:
        answer = self.server.graphql(CUSTOMER, {"by": self.by, **variables}, self.web)
        assert "errors" not in answer, answer
        customer: dict[str, Any] = answer["data"]["customer"]
        return customer

    def sequences(self, **variables: Any) -> list[int]:
        return [one["sequence"] for one in self.asked(**variables)["actions"]["nodes"]]


@pytest.fixture(scope="module")
def ann(shared_server: LiveServer) -> Ann:
    return Ann(shared_server)


def codes(answer: dict[str, Any]) -> list[str]:
    return [error["extensions"]["code"] for error in answer["errors"]]


def test_a_customer_is_found_by_identifier_and_by_id(ann: Ann) -> None:
    found = ann.asked()

    assert found["id"].startswith("cus_")
    assert found["isKnown"] is True
    assert found["identifiers"] == [{"kind": "login", "value": ann.value}]
    assert abs(datetime.fromisoformat(found["since"]) - datetime.now(UTC)) < timedelta(minutes=5)
    assert ann.asked(by={"id": found["id"]}) == found


def test_nobody_and_too_little_assurance_are_told_alike(ann: Ann) -> None:
    asked = [
        {"identifier": login(ann.value, "KNOWLEDGE")},
        {"identifier": login("nobody")},
        {"identifier": {**login(ann.value), "kind": "contact:persona"}},
        {"id": f"cus_{uuid4().hex}"},
    ]

    answers = [ann.server.graphql(CUSTOMER, {"by": by}, ann.web) for by in asked]

    assert {codes(one)[0] for one in answers} == {"NOT_FOUND"}
    assert {one["errors"][0]["message"] for one in answers} == {"No such customer, or not enough assurance to say so."}
    assert [one["errors"][0]["path"] for one in answers] == [["customer"]] * 4


def test_a_channels_word_is_capped(ann: Ann) -> None:
    weak = ann.server.key("sms", highest="CALLER_ID")

    assert codes(ann.server.graphql(CUSTOMER, {"by": ann.by}, weak)) == ["NOT_FOUND"]


@pytest.mark.parametrize("by", [{}, {"id": "cus_1", "identifier": login("C-1")}, {"id": None}])
def test_exactly_one_way_to_find_a_customer_is_given(ann: Ann, by: dict[str, Any]) -> None:
    assert codes(ann.server.graphql(CUSTOMER, {"by": by}, ann.web)) == ["INVALID"]


def test_reading_needs_its_scope(ann: Ann) -> None:
    writer = ann.server.key("web", scopes=frozenset())

    answers = [
        ann.server.graphql(CUSTOMER, {"by": ann.by}, writer),
        ann.server.graphql(f'{{ node(id: "{ann.asked()["id"]}") {{ id }} }}', key=writer),
    ]

    assert [codes(one) for one in answers] == [["FORBIDDEN"], ["FORBIDDEN"]]


def test_a_timeline_is_newest_first_unless_asked_otherwise(ann: Ann) -> None:
    assert ann.sequences() == list(range(11, -1, -1))
    assert ann.sequences(order="OLDEST_FIRST") == list(range(12))


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ({}, list(range(12))),
        ({"channel": "ivr"}, [0, 3, 6, 9]),
        ({"type": "case.opened"}, [1, 3, 5, 7, 9, 11]),
        ({"subject": {"kind": "case", "id": "1"}}, [0, 4, 8]),
        ({"channel": "ivr", "type": "case.opened"}, [3, 9]),
        ({"since": written(START + timedelta(minutes=4)), "until": "2026-01-02T10:06:00+01:00"}, [4, 5]),
        ({"channel": "web", "type": None, "since": None}, [1, 2, 4, 5, 7, 8, 10, 11]),
        ({"channel": ""}, []),
        ({"channel": "branch"}, []),
    ],
)
def test_a_timeline_is_filtered(ann: Ann, filter: dict[str, Any], expected: list[int]) -> None:
    assert ann.sequences(filter=filter, order="OLDEST_FIRST") == expected


def test_paging_forwards_gives_each_action_once(ann: Ann) -> None:
    walked, after, pages = [], None, []
    while True:
        actions = ann.asked(first=5, after=after, order="OLDEST_FIRST")["actions"]
        walked += [one["sequence"] for one in actions["nodes"]]
        pages.append((actions["pageInfo"]["hasPreviousPage"], actions["pageInfo"]["hasNextPage"]))
        after = actions["pageInfo"]["endCursor"]
        assert after == actions["edges"][-1]["cursor"]
        assert [edge["node"]["id"] for edge in actions["edges"]] == [one["id"] for one in actions["nodes"]]
        if not actions["pageInfo"]["hasNextPage"]:
            break

    assert walked == list(range(12))
    assert pages == [(False, True), (True, True), (True, False)]


def test_paging_backwards_gives_each_action_once(ann: Ann) -> None:
    walked: list[int] = []
    before = None
    for _ in range(3):
        actions = ann.asked(last=5, before=before)["actions"]
        walked[:0] = [one["sequence"] for one in actions["nodes"]]
        before = actions["pageInfo"]["startCursor"]

    assert walked == list(range(11, -1, -1))
    assert actions["pageInfo"]["hasPreviousPage"] is False


def test_an_empty_page_has_no_cursors(ann: Ann) -> None:
    assert ann.asked(filter={"channel": "branch"})["actions"] == {
        "edges": [],
        "nodes": [],
        "pageInfo": {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None},
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"first": 0},
        {"first": 101},
        {"last": 101},
        {"first": 1, "last": 1},
        {"after": "nonsense"},
        {"before": "nonsense"},
        {"filter": {"since": "yesterday"}},
        {"filter": {"until": "9999-12-31T23:59:59-14:00"}},
        {"order": "SIDEWAYS"},
    ],
)
def test_a_window_out_of_bounds_is_invalid(ann: Ann, wrong: dict[str, Any]) -> None:
    assert codes(ann.server.graphql(CUSTOMER, {"by": ann.by, **wrong}, ann.web)) == ["INVALID"]


def test_an_action_is_shown_as_it_is_stored(ann: Ann) -> None:
    whole = action(
        login(ann.value),
        {"kind": "email", "value": "Ann@Example.org", "assurance": "CLAIMED"},
        at="2026-02-03T04:05:06.789Z",
        contact="visit-1",
        journey="buy",
        actor="AGENT",
        agent="a.singh",
        subject={"kind": "plan", "id": "fibre"},
        properties={"deep": [{"a": 1.5, "big": 2**60}, None]},
        sequence=2**40,
        type="plan.bought",
    )
    slow = batch(whole, sent_at=written(datetime.now(UTC) - timedelta(hours=1)))
    ann.server.graphql(RECORD, {"input": {"batch": slow}}, ann.web)

    answer = ann.server.graphql(
        f"query($id: ID!) {{ node(id: $id) {{ __typename ... on Action {{ {ACTION} }} }} }}",
        {"id": f"act_{whole['id'].replace('-', '')}"},
        ann.web,
    )

    node = answer["data"]["node"]
    corrected = datetime.fromisoformat(node.pop("at")) - datetime.fromisoformat(whole["at"])
    assert abs(corrected - timedelta(hours=1)) < timedelta(seconds=10)
    assert abs(datetime.fromisoformat(node.pop("receivedAt")) - datetime.now(UTC)) < timedelta(seconds=30)
    assert node == {
        "__typename": "Action",
        "id": f"act_{whole['id'].replace('-', '')}",
        "type": "plan.bought",
        "sequence": 2**40,
        "channel": "web",
        "actor": "AGENT",
        "agent": "a.singh",
        "contact": "visit-1",
        "journey": "buy",
        "subject": {"kind": "plan", "id": "fibre"},
        "properties": whole["properties"],
        "identifiers": [
            {"kind": "login", "value": ann.value, "assurance": "LOGIN"},
            {"kind": "email", "value": "ann@example.org", "assurance": "CLAIMED"},
        ],
        "claimedAt": "2026-02-03T04:05:06.789Z",
    }


def test_a_customer_is_a_node(ann: Ann) -> None:
    id = ann.asked()["id"]

    answer = ann.server.graphql(
        "query($id: ID!) { node(id: $id) { id ... on Customer { isKnown } } }", {"id": id}, ann.web
    )

    assert answer["data"]["node"] == {"id": id, "isKnown": True}


@pytest.mark.parametrize("prefix", ["", "con_", "xyz_", "CUS_", "cus", "act_", "cus_"])
def test_what_never_was_a_global_id_is_not_found(ann: Ann, prefix: str) -> None:
    answer = ann.server.graphql("query($id: ID!) { node(id: $id) { id } }", {"id": f"{prefix}{uuid4().hex}"}, ann.web)

    assert codes(answer) == ["NOT_FOUND"]
    assert answer["errors"][0]["path"] == ["node"]


@pytest.mark.parametrize("id", ["", "cus_", "cus_1", "act_" + "z" * 32, "cus_" + "é" * 200])
def test_garbage_is_not_found(ann: Ann, id: str) -> None:
    answer = ann.server.graphql("query($id: ID!) { node(id: $id) { id } }", {"id": id}, ann.web)

    assert codes(answer) == ["NOT_FOUND"]
    assert len(answer["errors"][0]["message"]) < 150


def test_an_action_is_no_customer(ann: Ann) -> None:
    id = f"act_{ann.actions[0]['id'].replace('-', '')}"

    assert codes(ann.server.graphql(CUSTOMER, {"by": {"id": id}}, ann.web)) == ["NOT_FOUND"]
