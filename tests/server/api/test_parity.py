"""The parity report in the graph: the matrix, and the gaps that were met, for employees."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from steadylight_server.core.embedded import EmbeddedDatabase
from tests.conftest import LiveServer, settings_for
from tests.factories import action, batch, login

BLUEPRINT = """
version: 1
channels:
  sms: {kind: AUTOMATED_AGENT}
capabilities:
  statement.view:
    label: See a statement
    implementation: {function: view}
    channels: {sms: {not_feasible: A message is too short for it.}}
"""
PARITY = """query P($since: DateTime, $within: Float) { parity(since: $since, within: $within) {
    capabilities { capability label cells { channel parity reason } }
    gaps { capability channel why times customers changed changes { channel times } } since within isComplete } }"""
PERFORM = """mutation P($input: PerformCapabilityInput!) { performCapability(input: $input) { repeated } }"""
RECORD = "mutation R($input: RecordActionsInput!) { recordActions(input: $input) { stored } }"


@pytest.fixture(scope="module")
def bank(mongod: EmbeddedDatabase) -> Iterator[LiveServer]:
    server = LiveServer(settings_for(mongod), blueprint=BLUEPRINT, functions={"view": lambda call: {}})
    yield server
    server.stop()


def parity(server: LiveServer, **given: Any) -> Any:
    return server.graphql(PARITY, given, server.admin_key)


def test_a_gap_that_a_customer_met_is_in_the_report_with_where_they_went(bank: LiveServer) -> None:
    sms, web = bank.key("sms", "AUTOMATED_AGENT"), bank.key("web")
    deed = {"capability": "statement.view", "input": {}, "key": "k", "identifiers": [login("ann")]}
    (refused,) = bank.graphql(PERFORM, {"input": deed}, sms)["errors"]
    bank.graphql(RECORD, {"input": {"batch": batch(action(login("ann")))}}, web)

    told = parity(bank)["data"]["parity"]
    since = told.pop("since")

    assert refused["extensions"]["why"] == "NOT_FEASIBLE"
    assert told == {
        "capabilities": [
            {
                "capability": "statement.view",
                "label": "See a statement",
                "cells": [
                    {"channel": "sms", "parity": "NOT_FEASIBLE", "reason": "A message is too short for it."},
                    {"channel": "web", "parity": "UNDECLARED", "reason": None},
                ],
            }
        ],
        "gaps": [
            {
                "capability": "statement.view",
                "channel": "sms",
                "why": "NOT_FEASIBLE",
                "times": 1,
                "customers": 1,
                "changed": 1,
                "changes": [{"channel": "web", "times": 1}],
            }
        ],
        "within": 1800.0,
        "isComplete": True,
    }
    assert abs(datetime.now(UTC) - timedelta(days=30) - datetime.fromisoformat(since)) < timedelta(minutes=5)


def test_what_was_before_is_left_out(bank: LiveServer) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()

    assert parity(bank, since=tomorrow)["data"]["parity"]["gaps"] == []


@pytest.mark.parametrize("wrong", [{"within": 0}, {"within": -1}, {"within": 86_401}, {"within": 1e300}])
def test_a_time_out_of_bounds_is_refused(bank: LiveServer, wrong: dict[str, float]) -> None:
    (error,) = parity(bank, **wrong)["errors"]

    assert error["extensions"]["code"] == "INVALID"
    assert error["message"].startswith("within: ")
