"""Who is whom in the graph: seen, merged, parted and settled by employees, on the real server."""

from typing import Any
from uuid import uuid4

import pytest

from tests.conftest import LiveServer
from tests.factories import action, batch

RECORD = "mutation R($input: RecordActionsInput!) { recordActions(input: $input) { stored token } }"
CUSTOMER = """query C($by: CustomerBy!) { customer(by: $by) {
    id since identifiers { kind value } actions(order: OLDEST_FIRST) { nodes { id type } }
    links { id reason status refusal by why retiredBy retiredWhy actionId assurance identifiers { kind value }
    customers { id } } } }"""
PREVIEW = """query P($one: CustomerBy!, $other: CustomerBy!) {
    mergePreview(one: $one, other: $other) { id refusal identifiers { kind value } since } }"""
MERGE = """mutation M($input: MergeCustomersInput!) { mergeCustomers(input: $input) { link {
    id status by why customers { id } } } }"""
NODE = "query N($id: ID!) { node(id: $id) { id } }"
UNLINK = "mutation U($input: UnlinkInput!) { unlink(input: $input) { link { status retiredWhy customers { id } } } }"
CONFLICTS = "{ identityConflicts(first: 100) { id refusal status customers { identifiers { value } } } }"
RESOLVE = "mutation V($input: ResolveConflictInput!) { resolveConflict(input: $input) { link { id status } } }"


class Desk:
    """An admin's tool and two channels, on one server."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.web = server.key("web")

    def record(self, *identifiers: dict[str, str], **fields: Any) -> None:
        """One action, stored."""
        told = self.server.graphql(RECORD, {"input": {"batch": batch(action(*identifiers, **fields))}}, self.web)
        assert told["data"]["recordActions"]["stored"] == 1

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data, as an admin."""
        answer = self.server.graphql(query, variables, self.server.admin_key)
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data

    def refused(self, query: str, **variables: Any) -> str:
        """The code of the one error, as an admin."""
        (error,) = self.server.graphql(query, variables, self.server.admin_key)["errors"]
        return str(error["extensions"]["code"])

    def customer(self, by: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.ask(CUSTOMER, by=by)["customer"]
        return found


@pytest.fixture
def desk(shared_server: LiveServer) -> Desk:
    return Desk(shared_server)


def proven(kind: str, assurance: str = "OTP") -> dict[str, str]:
    """An identifier that nobody has."""
    return {"kind": kind, "value": f"v-{uuid4().hex}", "assurance": assurance}


def by(identifier: dict[str, str]) -> dict[str, Any]:
    return {"identifier": identifier}


def test_what_one_action_proves_is_one_customer_and_says_why(desk: Desk) -> None:
    login, number = proven("login", "LOGIN"), proven("customer-number")
    desk.record(number, type="letter.sent")

    desk.record(login, number, type="plan.viewed")

    one, other = desk.customer(by(login)), desk.customer(by(number))
    (link,) = one["links"]
    assert one == other
    assert [node["type"] for node in one["actions"]["nodes"]] == ["letter.sent", "plan.viewed"]
    assert {key["value"] for key in one["identifiers"]} == {login["value"], number["value"]}
    assert (link["reason"], link["status"], link["assurance"]) == ("EVIDENCE", "ACTIVE", "OTP")
    assert link["actionId"] == one["actions"]["nodes"][1]["id"]
    assert {key["value"] for key in link["identifiers"]} == {login["value"], number["value"]}
    assert [person["id"] for person in link["customers"]] == [one["id"]] * 2


def test_what_an_import_joins_says_so_and_hangs_together_at_the_record_alone(desk: Desk) -> None:
    record, number, mail = proven("record", "LOGIN"), proven("customer-number"), proven("loyalty-card", "LOGIN")

    desk.record(number, mail, record, type="customer.imported")

    found = desk.customer(by(record))
    parted = [
        desk.ask(UNLINK, input={"operationId": str(uuid4()), "link": link["id"], "why": "not theirs"})
        for link in found["links"]
    ]
    assert {(link["reason"], link["assurance"]) for link in found["links"]} == {("IMPORT", "OTP"), ("IMPORT", "LOGIN")}
    assert len(parted) == 2
    assert [len(desk.customer(by(one))["actions"]["nodes"]) for one in (record, number, mail)] == [1, 0, 0]


def test_a_merge_is_previewed_done_once_and_undone(desk: Desk) -> None:
    ann, ben = proven("login", "LOGIN"), proven("customer-number")
    desk.record(ann, type="plan.viewed")
    desk.record(ben, type="letter.sent")
    before = [desk.customer(by(one)) for one in (ann, ben)]
    operation = {"operationId": str(uuid4()), "one": by(ann), "other": {"id": before[1]["id"]}, "why": "same passport"}

    preview = desk.ask(PREVIEW, one=by(ann), other=by(ben))["mergePreview"]
    merged = [desk.ask(MERGE, input=operation)["mergeCustomers"]["link"] for _ in range(2)]
    together = desk.customer(by(ben))
    nodes = [desk.ask(NODE, id=one["id"])["node"] for one in before]
    undo = {"operationId": str(uuid4()), "link": merged[0]["id"], "why": "two people after all"}
    parted = desk.ask(UNLINK, input=undo)["unlink"]["link"]
    after = [desk.customer(by(one)) for one in (ann, ben)]

    assert (preview["refusal"], preview["id"]) == (None, before[0]["id"])
    assert merged[0] == merged[1]
    assert (merged[0]["status"], merged[0]["why"]) == ("ACTIVE", "same passport")
    assert {key["value"] for key in together["identifiers"]} == {ann["value"], ben["value"]}
    assert {key["value"] for key in preview["identifiers"]} == {ann["value"], ben["value"]}
    assert [node["type"] for node in together["actions"]["nodes"]] == ["plan.viewed", "letter.sent"]
    assert desk.customer({"id": before[1]["id"]})["id"] == before[1]["id"]
    assert [met["id"] for met in nodes] == [before[0]["id"]] * 2
    assert (parted["status"], parted["retiredWhy"]) == ("RETIRED", "two people after all")
    for old, new in zip(before, after, strict=True):
        assert old | {"links": []} == new | {"links": []}
        assert [(link["status"], link["why"]) for link in new["links"]] == [("RETIRED", "same passport")]
    deeds = [one["deed"] for one in desk.server.database.audit.find({"whom": before[0]["id"]}, sort=[("_id", 1)])]
    assert [deed for deed in deeds if deed != "customer.read"] == [
        "customer.merged",
        "customer.merged",
        "customer.unlinked",
    ]


def test_two_logins_are_no_one_and_nothing_changes(desk: Desk) -> None:
    ann, ben = proven("login", "LOGIN"), proven("login", "LOGIN")
    desk.record(ann)
    desk.record(ben)

    preview = desk.ask(PREVIEW, one=by(ann), other=by(ben))["mergePreview"]
    given = {"operationId": str(uuid4()), "one": by(ann), "other": by(ben), "why": "one person"}
    code = desk.refused(MERGE, input=given)

    assert (preview["refusal"], code) == ("TOO_MANY_OF_A_KIND", "CONFLICT")
    assert desk.customer(by(ann))["links"] == []


def test_a_conflict_is_listed_and_settled_either_way(desk: Desk) -> None:
    for decision, status in (("APART", "RETIRED"), ("TOGETHER", None)):
        ann, ben, shared = proven("login", "LOGIN"), proven("login", "LOGIN"), proven("account")
        desk.record(ann, shared)
        desk.record(ben, shared)

        (conflict,) = [one for one in desk.ask(CONFLICTS)["identityConflicts"] if ben["value"] in str(one["customers"])]
        given = {"operationId": str(uuid4()), "link": conflict["id"], "decision": decision, "why": "asked them"}

        assert (conflict["status"], conflict["refusal"]) == ("REFUSED", "TOO_MANY_OF_A_KIND")
        if status is None:  # whose e-mail it is can be decided, but not that two logins are one
            assert desk.refused(RESOLVE, input=given) == "CONFLICT"
        else:
            assert desk.ask(RESOLVE, input=given)["resolveConflict"]["link"]["status"] == status
            assert conflict["id"] not in str(desk.ask(CONFLICTS))


@pytest.mark.parametrize(
    ("query", "given", "code"),
    [
        (MERGE, {"operationId": "again", "why": "x"}, "INVALID"),
        (MERGE, {"operationId": str(uuid4()), "why": " "}, "INVALID"),
        (MERGE, {"operationId": str(uuid4()), "why": "x" * 501}, "INVALID"),
        (UNLINK, {"operationId": str(uuid4()), "link": f"lnk_{uuid4().hex}", "why": "x"}, "NOT_FOUND"),
        (UNLINK, {"operationId": str(uuid4()), "link": f"cus_{uuid4().hex}", "why": "x"}, "NOT_FOUND"),
    ],
)
def test_what_is_no_decision_is_refused(desk: Desk, query: str, given: dict[str, str], code: str) -> None:
    ann, ben = proven("login", "LOGIN"), proven("customer-number")
    desk.record(ann)
    desk.record(ben)
    both = {"one": by(ann), "other": by(ben)} if query == MERGE else {}

    assert desk.refused(query, input={**given, **both}) == code
    assert desk.customer(by(ann))["links"] == []


def test_a_customer_is_not_merged_with_itself(desk: Desk) -> None:
    ann = proven("login", "LOGIN")
    desk.record(ann)
    given = {"operationId": str(uuid4()), "one": by(ann), "other": by(ann), "why": "x"}

    assert desk.refused(MERGE, input=given) == "INVALID"
    assert desk.refused(PREVIEW, one=by(ann), other=by(ann)) == "INVALID"


def test_an_operation_id_that_was_used_is_refused_and_not_audited(desk: Desk) -> None:
    some = [proven("account", "LOGIN") for _ in range(3)]
    for one in some:
        desk.record(one)
    id = str(uuid4())
    desk.ask(MERGE, input={"operationId": id, "one": by(some[0]), "other": by(some[1]), "why": "x"})

    code = desk.refused(MERGE, input={"operationId": id, "one": by(some[0]), "other": by(some[2]), "why": "x"})

    assert code == "CONFLICT"
    assert desk.server.database.audit.count_documents({"deed": "customer.merged", "why": {"$regex": id}}) == 1


def test_a_preview_shows_the_unified_customer_trait_by_trait(desk: Desk) -> None:
    ann, ben = proven("login", "LOGIN"), proven("customer-number")
    desk.record(ann, traits={"plan": "fibre", "city": "Bonn"}, at="2026-11-20T09:00:00Z")
    desk.record(ben, traits={"plan": "dsl", "language": "de"}, at="2026-11-20T10:00:00Z")
    traits = "{ name one { value } other { value } unified { value at assurance channel actionId } }"
    query = PREVIEW.replace("since }", f"since traits {traits} }}")

    seen = desk.ask(query, one=by(ann), other=by(ben))["mergePreview"]["traits"]

    of = {one["name"]: tuple(one[side] and one[side]["value"] for side in ("one", "other", "unified")) for one in seen}
    assert of == {"city": ("Bonn", None, "Bonn"), "language": (None, "de", "de"), "plan": ("fibre", "dsl", "dsl")}
    (plan,) = (one["unified"] for one in seen if one["name"] == "plan")
    assert (plan["at"], plan["assurance"], plan["channel"]) == ("2026-11-20T10:00:00.000Z", "OTP", "web")
    assert plan["actionId"] == desk.customer(by(ben))["actions"]["nodes"][0]["id"]
