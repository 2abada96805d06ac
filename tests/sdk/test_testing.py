"""The in-memory server: the contract's rules."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from steadylight import Assurance, Client, Forbidden, Invalid, NotFound, Options, Unauthenticated, Verdicts
from steadylight.testing import Server

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def server() -> Server:
    return Server(now=lambda: NOW)


def action(number: int = 1, **more: Any) -> dict[str, Any]:
    id = f"01900000-0000-7000-8000-{number:012x}"
    given = {"id": id, "sequence": number, "type": "a.b", "at": "2026-11-21T00:00:00Z", "contact": "k", **more}
    return {name: value for name, value in given.items() if value is not ...}


def deliver(server: Server, *actions: dict[str, Any], sent_at: datetime = NOW, **channel: Any) -> Verdicts:
    key = server.key(**{"channel": "web", **channel})
    with Client(server.url, key, options=Options(now=lambda: sent_at), transport=server.transport) as light:
        return light.deliver(actions)


def context(server: Server, *identifiers: tuple[str, str, str], contact: str = "other", **channel: Any) -> Any:
    with server.client(**channel) as light:
        return light.customer(identifiers=identifiers).contact(contact).context(within=5)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"id": "no-uuid"}, "id"),
        ({"id": 7}, "id"),
        ({"id": ...}, "id"),
        ({"sequence": -1}, "sequence"),
        ({"sequence": "1"}, "sequence"),
        ({"sequence": 2**63}, "sequence"),
        ({"type": ""}, "type"),
        ({"type": "x" * 101}, "type"),
        ({"type": "a\u0007b"}, "type"),
        ({"at": "yesterday"}, "at"),
        ({"at": 1_700_000_000}, "at"),
        ({"at": "2026-11-21T00:00:00"}, "at"),
        ({"at": "1899-12-31T23:59:59Z"}, "at: before 1900"),
        ({"at": "2026-11-22T00:05:01Z"}, "at: ahead"),
        ({"contact": None}, "contact"),
        ({"contact": "x" * 129}, "contact"),
        ({"contact": ...}, "identifiers: none reaches"),
        ({"identifiers": [{"kind": "login", "value": "x", "assurance": "SURE"}]}, "identifiers.0.assurance"),
        ({"identifiers": [{"kind": "Login", "value": "x", "assurance": "OTP"}]}, "identifiers.0.kind"),
        ({"identifiers": [{"kind": "login", "value": "", "assurance": "OTP"}]}, "identifiers.0.value"),
        ({"identifiers": [{"kind": "k", "value": "x", "assurance": "OTP"}] * 11}, "identifiers"),
        ({"actor": "ROBOT"}, "actor"),
        ({"agent": "a.singh"}, "agent: only"),
        ({"subject": {"kind": "case"}}, "subject.id"),
        ({"properties": [1]}, "properties"),
        ({"properties": {"a": "x" * 40_000}}, "properties: at most 32,768 bytes"),
        ({"properties": {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": 1}}}}}}}}}, None),
        ({"properties": {"a": {"b": {"c": {"d": {"e": {"f": {"g": [[]]}}}}}}}}, "properties: at most 8 levels"),
        ({"properties": {"a\0": 1}}, "properties: names must not contain"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_an_action_outside_of_the_contract_is_refused_and_the_rest_stored(
    server: Server, wrong: dict[str, Any], why: str | None
) -> None:
    verdicts = deliver(server, action(1, **wrong), action(2))

    assert (verdicts.stored, verdicts.refused) == ((1, 1) if why else (2, 0))
    assert [(each.index, each.code) for each in verdicts.exceptions] == ([(0, "INVALID")] if why else [])
    assert why is None or verdicts.exceptions[0].message.startswith(why)


def test_the_same_fact_is_a_duplicate_and_another_a_conflict(server: Server) -> None:
    first = deliver(server, action(1, properties={"a": 1}))
    same = deliver(server, action(1, properties={"a": 1}, actor="CUSTOMER"))
    other = deliver(server, action(1, properties={"a": 2}))
    elsewhere = deliver(server, action(1, properties={"a": 1}), channel="ivr")

    assert (first.stored, same.duplicate, other.refused, elsewhere.refused) == (1, 1, 1, 1)
    assert (other.exceptions[0].code, elsewhere.exceptions[0].code) == ("CONFLICT", "CONFLICT")
    assert len(server.actions) == 1


def test_a_new_type_is_warned_of_once(server: Server) -> None:
    verdicts = deliver(server, action(1), action(2), action(3, type="c.d"))

    assert [(notice.index, notice.code) for notice in verdicts.warnings] == [(0, "NEW_TYPE"), (2, "NEW_TYPE")]


def test_a_clock_that_is_off_is_corrected(server: Server) -> None:
    deliver(server, action(1, at="2026-11-22T01:00:00Z"), sent_at=NOW + timedelta(hours=1, seconds=30))
    deliver(server, action(2, at="2026-11-21T00:00:00Z"), sent_at=NOW + timedelta(seconds=30))

    assert [item.at for item in server.actions] == [
        datetime(2026, 11, 21, tzinfo=UTC),
        datetime(2026, 11, 21, 23, 59, 30, tzinfo=UTC),
    ]


LOGIN = {"kind": "login", "value": "C-1", "assurance": "LOGIN"}


@pytest.mark.parametrize(
    ("kind", "value", "bar", "below", "spelt"),
    [
        ("login", "C-1", "OTP", "KNOWLEDGE", " C-1 "),
        ("customer-number", "77", "KNOWLEDGE", "CALLER_ID", "77"),
        ("account", "77", "KNOWLEDGE", "CALLER_ID", "77"),
        ("email", "a@b.example", "OTP", "KNOWLEDGE", "A@B.example"),
        ("phone", "+442079460000", "OTP", "CALLER_ID", "+44 (20) 7946-0000"),
        ("loyalty-card", "77", "LOGIN", "OTP", "77"),
    ],
)
def test_a_kind_shows_its_customer_from_its_bar_on(
    server: Server, kind: str, value: str, bar: str, below: str, spelt: str
) -> None:
    deliver(server, action(1, identifiers=[{"kind": kind, "value": value, "assurance": bar}]))

    shown = context(server, (kind, spelt, bar))
    hidden = context(server, (kind, value, below))

    assert [item.type for item in shown.actions] == ["a.b"]
    assert [(each.kind, each.value) for each in shown.identifiers] == [(kind, value)]
    assert shown.assurance == Assurance(bar)
    assert (hidden.customer, hidden.actions, hidden.contacts, hidden.identifiers) == (None, (), (), ())
    assert (hidden.assurance, [(claim.kind, claim.value) for claim in hidden.claims]) == ("CLAIMED", [(kind, value)])


@pytest.mark.parametrize("kind", ["device", "cookie"])
def test_a_thing_never_says_who_somebody_is(server: Server, kind: str) -> None:
    deliver(server, action(1, identifiers=[{"kind": kind, "value": "x", "assurance": "LOGIN"}]))

    assert context(server, (kind, "x", "LOGIN")).actions == ()


def test_a_claim_shows_its_own_contact_alone(server: Server) -> None:
    claim = {"kind": "email", "value": "a@b.example", "assurance": "CLAIMED"}
    deliver(server, action(1, identifiers=[claim], contact="mine"), action(2, identifiers=[claim], contact="another"))

    mine = context(server, ("email", "a@b.example", "CLAIMED"), contact="mine")
    owner = context(server, ("email", "a@b.example", "OTP"), contact="mine")

    assert [item.sequence for item in mine.actions] == [1]
    assert (mine.customer, owner.customer, owner.actions) == (None, None, ())


def test_the_same_contact_key_in_another_channel_is_another_contact(server: Server) -> None:
    deliver(server, action(1))

    assert context(server, contact="k", channel="ivr").actions == ()
    assert len(context(server, contact="k").actions) == 1


def test_a_channel_asserts_no_more_than_it_may(server: Server) -> None:
    deliver(server, action(1, identifiers=[LOGIN]))

    with server.client() as light:
        key = server.key("chat", "AUTOMATED_AGENT", highest_assurance="KNOWLEDGE")
        light._transport._client.headers["Authorization"] = f"Bearer {key}"
        shown = light.customer(login="C-1", assurance="LOGIN").contact("x").context(within=5)

    assert (shown.customer, [claim.assurance for claim in shown.claims]) == (None, ["KNOWLEDGE"])


def test_the_best_proven_identifier_is_home(server: Server) -> None:
    number = {"kind": "customer-number", "value": "77", "assurance": "KNOWLEDGE"}
    deliver(server, action(1, identifiers=[number, LOGIN]))

    assert len(context(server, ("login", "C-1", "LOGIN")).actions) == 1
    assert len(context(server, ("customer-number", "77", "KNOWLEDGE")).actions) == 1


def test_contacts_are_told_with_their_outcome(server: Server) -> None:
    resolved = {"outcome": "RESOLVED"}
    deliver(
        server,
        action(1, identifiers=[LOGIN], at="2026-11-20T00:00:00Z", contact=...),
        action(2, identifiers=[LOGIN]),
        action(3, identifiers=[LOGIN], type="contact.ended", properties=resolved, at="2026-11-21T01:00:00Z"),
    )

    told = context(server, ("login", "C-1", "LOGIN")).contacts

    assert [(each.key, each.outcome, each.first_at.hour, each.last_at.hour) for each in told] == [
        ("k", "RESOLVED", 0, 1),
        (None, None, 0, 0),
    ]


def post(server: Server, query: str, given: Any, *, key: str | None = None, name: str = "") -> Any:
    with httpx.Client(transport=server.transport) as http:
        answer = http.post(
            server.url + "/graphql",
            json={"query": query, "operationName": name, "variables": {"input": given}},
            headers={"Authorization": f"Bearer {key or server.key('web')}"},
        )
        return answer.json()


@pytest.mark.parametrize(
    "batch",
    [
        None,
        {},
        {"sent_at": "now", "actions": []},
        {"sent_at": "2026-11-22T00:00:00Z", "actions": []},
        {"sent_at": "2026-11-22T00:00:00Z", "actions": [action()] * 501},
        {"sent_at": "2026-11-22T00:00:00Z", "actions": [action(properties={"a": "x" * 30_000})] * 20},
        {"sent_at": "2026-11-22T00:00:00Z", "actions": [action()], "more": 1},
    ],
)
def test_what_is_no_batch_is_invalid_as_a_whole(server: Server, batch: Any) -> None:
    answer = post(server, "mutation", {"batch": batch}, name="RecordActions")

    assert [error["extensions"]["code"] for error in answer["errors"]] == ["INVALID"]
    assert server.actions == ()


@pytest.mark.parametrize("given", [{"recent": 101}, {"after": "forged"}, {"identifiers": [{"kind": "x"}]}])
def test_a_context_is_asked_for_within_bounds(server: Server, given: dict[str, Any]) -> None:
    answer = post(server, "query", given, name="FetchContext")

    assert [error["extensions"]["code"] for error in answer["errors"]] == ["INVALID"]


def test_an_admin_records_nothing_and_reads_a_customer(server: Server) -> None:
    deliver(server, action(1, identifiers=[LOGIN]))

    refused = post(server, "mutation", {"batch": None}, key=server.admin_key, name="RecordActions")
    read = post(server, "query", {"identifiers": [LOGIN]}, key=server.admin_key, name="FetchContext")

    assert refused["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert len(read["data"]["contextDocument"]["actions"]) == 1


def test_channels_are_of_known_kinds(server: Server) -> None:
    with pytest.raises(ValueError, match="'ROBOT' is no kind of channel"):
        server.key("x", "ROBOT")

    told = post(server, "mutation", {"name": "x", "kind": "ROBOT"}, key=server.admin_key, name="RegisterChannel")
    assert told["errors"][0]["extensions"]["code"] == "INVALID"


def test_a_stranger_and_a_revoked_key_may_ask_for_typename_alone(server: Server) -> None:
    key = server.key("web")
    server.revoke(key)

    assert post(server, "{__typename}", {}, key=key) == {"data": {"__typename": "Query"}}
    assert post(server, "{ other }", {}, key=key)["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


def test_it_comes_and_goes() -> None:
    server = Server()
    with server.client() as light:
        server.down()
        assert not light.check(within=0.1).ok
        server.up()
        assert light.check().problems == ()
        server.fail(401)
        with pytest.raises(Unauthenticated):
            light.graphql("{__typename}")
        with pytest.raises(Invalid):
            light.graphql("{ other }")


def test_articles_are_what_the_test_says_and_are_shown_to_customers_and_employees(server: Server) -> None:
    first = server.publish("roaming", "Roaming", {"cost": "Two <b>pounds</b>\n\na day."}, employees={"note": "Bundle."})
    second = server.publish("roaming", "Roaming", {"cost": "Three."})

    with server.client("web") as light:
        shown = light.contact("k").article("roaming", locale="de")
        server.expire("roaming")
        with pytest.raises(NotFound):
            light.contact("k").article("roaming")

    assert (first, second, shown.version, shown.locale, shown.plain) == (1, 2, 2, "de", "Three.")
    assert [one.type for one in server.actions] == ["article.shown"]
    assert server.actions[0].properties["hash"] == shown.hashes["html"]


def test_nobody_is_an_employee_beside_a_customers_token(server: Server) -> None:
    server.publish("inside", "Inside", {}, employees={"note": "Bundle.\n\nTwo <b>."})
    token = ".".join(["e30", "eyJzdWIiOiAiQy0xIn0", ""])

    with server.client("desk", "ASSISTED") as light:
        shown = light.contact("k").article("inside", as_employee=True, agent="ann")
        with pytest.raises(Forbidden):
            light.customer(token=token).contact("k").article("inside", as_employee=True)

    assert shown.html == "<p>Bundle.</p>\n<p>Two &lt;b&gt;.</p>"
