"""Channels in the graph, and who is asking."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from tests.conftest import LiveServer

REGISTER = """
mutation($input: RegisterChannelInput!) {
  registerChannel(input: $input) { key channel { name kind highestAssurance createdAt } }
}
"""
VIEWER = "{ viewer { channel scopes highestAssurance serverTime } }"


def code(answer: dict) -> str:
    (error,) = answer["errors"]
    return error["extensions"]["code"]


def test_a_channel_is_registered_and_its_key_works(shared_server: LiveServer) -> None:
    name = f"desk-{uuid4().hex[:8]}"

    answer = shared_server.graphql(REGISTER, {"input": {"name": name, "kind": "ASSISTED"}}, shared_server.admin_key)

    made = answer["data"]["registerChannel"]
    at = made["channel"].pop("createdAt")
    assert made["channel"] == {"name": name, "kind": "ASSISTED", "highestAssurance": "IN_PERSON"}
    assert abs(datetime.fromisoformat(at) - datetime.now(UTC)) < timedelta(seconds=30)
    who = shared_server.graphql(VIEWER, key=made["key"])["data"]["viewer"]
    assert abs(datetime.fromisoformat(who.pop("serverTime")) - datetime.now(UTC)) < timedelta(seconds=30)
    assert who == {
        "channel": name,
        "scopes": ["actions:write", "customers:read"],
        "highestAssurance": "IN_PERSON",
    }


def test_a_channel_may_be_registered_with_less_assurance(shared_server: LiveServer) -> None:
    input = {"name": f"ivr-{uuid4().hex[:8]}", "kind": "AUTOMATED_AGENT", "highestAssurance": "CALLER_ID"}

    answer = shared_server.graphql(REGISTER, {"input": input}, shared_server.admin_key)
    other = shared_server.graphql(REGISTER, {"input": {**input, "highestAssurance": None}}, shared_server.admin_key)

    assert answer["data"]["registerChannel"]["channel"]["highestAssurance"] == "CALLER_ID"
    assert code(other) == "CONFLICT"


def test_an_admin_speaks_for_no_channel(shared_server: LiveServer) -> None:
    who = shared_server.graphql(VIEWER, key=shared_server.admin_key)["data"]["viewer"]

    assert (who["channel"], who["scopes"]) == (
        None,
        ["capabilities:report", "channels:register", "customers:read", "identities:link", "knowledge:write"],
    )


def test_channels_are_for_admins(shared_server: LiveServer) -> None:
    web = shared_server.key("web")

    listed = shared_server.graphql("{ channels { name } }", key=shared_server.admin_key)
    refused = [
        shared_server.graphql("{ channels { name } }", key=web),
        shared_server.graphql(REGISTER, {"input": {"name": "new", "kind": "ASSISTED"}}, web),
    ]

    names = [one["name"] for one in listed["data"]["channels"]]
    assert "web" in names
    assert names == sorted(names)
    assert [code(one) for one in refused] == ["FORBIDDEN", "FORBIDDEN"]
    assert "new" not in names


def test_a_wrong_name_is_invalid(shared_server: LiveServer) -> None:
    answer = shared_server.graphql(REGISTER, {"input": {"name": "Web!", "kind": "ASSISTED"}}, shared_server.admin_key)

    assert code(answer) == "INVALID"
    assert answer["errors"][0]["path"] == ["registerChannel"]
