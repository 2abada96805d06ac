"""Threads in the graph: what a customer did about one thing, as the blueprint says."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from steadylight_server.core.embedded import EmbeddedDatabase
from tests.conftest import LiveServer, settings_for
from tests.factories import action, batch, login

BLUEPRINT = """
version: 1
journeys:
  incident:
    label: Incident
    category: ISSUE
    threads:
      subject: case
      completes: 'type == "case.closed"'
      reopens: 'type == "case.reopened"'
      counts: {notes: 'type == "case.noted" && properties.by == "desk"'}
"""
RECORD = "mutation($input: RecordActionsInput!) { recordActions(input: $input) { stored } }"
THREADS = """query($by: CustomerBy!) { customer(by: $by) { threads {
  type label category subject { kind id } status startedAt startedIn activeAt changedAt changedIn
  channels reopened counts
} } }"""


@pytest.fixture(scope="module")
def server(mongod: EmbeddedDatabase) -> Iterator[LiveServer]:
    live = LiveServer(settings_for(mongod), blueprint=BLUEPRINT)
    yield live
    live.stop()


def test_what_a_customer_did_about_each_thing_is_shown_the_latest_first(server: LiveServer) -> None:
    who = login(uuid4().hex)
    web, desk = server.key("web"), server.key("desk", "ASSISTED")

    def about(case: str, type: str, minute: int, **properties: str) -> dict[str, object]:
        at = f"2026-11-20T09:{minute:02}:00.000Z"
        return action(who, type=type, at=at, subject={"kind": "case", "id": case}, properties=properties)

    first = [about("7", "case.opened", 0), about("7", "case.closed", 3), about("8", "case.opened", 9)]
    later = [about("7", "case.noted", 1, by="desk"), about("7", "case.noted", 2), about("7", "case.reopened", 5)]
    for key, some in ((desk, later), (web, first)):
        server.graphql(RECORD, {"input": {"batch": batch(*some)}}, key)

    eighth, seventh = server.graphql(THREADS, {"by": {"identifier": who}}, web)["data"]["customer"]["threads"]

    assert (eighth["subject"], eighth["status"], eighth["changedAt"]) == ({"kind": "case", "id": "8"}, "OPEN", None)
    assert seventh == {
        "type": "incident",
        "label": "Incident",
        "category": "ISSUE",
        "subject": {"kind": "case", "id": "7"},
        "status": "OPEN",
        "startedAt": "2026-11-20T09:00:00.000Z",
        "startedIn": "web",
        "activeAt": "2026-11-20T09:05:00.000Z",
        "changedAt": "2026-11-20T09:05:00.000Z",
        "changedIn": "desk",
        "channels": ["desk", "web"],
        "reopened": 1,
        "counts": {"notes": 1},
    }
