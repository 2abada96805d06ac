"""A capability behind a webhook, from GraphQL to the old system and back, whatever that does: a clear answer, a circuit
that opens and closes, and nothing half recorded.
"""

import base64
import json
import time
from collections.abc import Iterator
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from steadylight_server.core.circuit import Circuit
from steadylight_server.core.embedded import EmbeddedDatabase
from tests import receiver as legacy
from tests.conftest import LiveServer, settings_for
from tests.factories import login
from tests.receiver import Behaviour, Receiver, receiving

SECRET = "whsec_" + base64.b64encode(b"a legacy system's own secret!").decode()
CONFIDENTIAL = "what the old system says of a customer"
BLUEPRINT = """
version: 1
capabilities:
  statement.view:
    implementation: {webhook: {url: "%(url)s", secret: core-banking}, honours_keys: true}
    output: {type: object, properties: {number: {type: integer}}}
    timeout: 2s
  money.send:
    implementation: {webhook: {url: "%(url)s", secret: core-banking}}
    output: {type: object, properties: {number: {type: integer}}}
    timeout: 1s
"""
PERFORM = """mutation P($input: PerformCapabilityInput!) { performCapability(input: $input) { repeated
    performance { id state output failure { code message } } } }"""
COMPLETE = """mutation C($input: CompletePerformanceInput!) { completePerformance(input: $input) { __typename } }"""
OFFERED = "query O($input: CapabilitiesInput!) { capabilities(input: $input) { name isOffered why reason } }"
# Of the circuits of this server.
FAILURES, PAUSE = 4, 1.0


class Bank:
    """The server and the old system, and a customer of whom nothing is recorded yet."""

    def __init__(self, server: LiveServer, core: Receiver) -> None:
        self.server, self.core = server, core
        self.web = server.key("web")
        self.customer = login(f"customer-{uuid4().hex[:8]}")

    def perform(self, capability: str, key: str = "k-1") -> dict[str, Any]:
        """What is answered, as it came."""
        deed = {
            "capability": capability,
            "input": {"to": "ann"},
            "key": key,
            "identifiers": [self.customer],
            "within": 10.0,  # for as long as it takes on a busy machine
        }
        return self.server.graphql(PERFORM, {"input": deed}, self.web)

    def performed(self, capability: str, key: str = "k-1") -> dict[str, Any]:
        """The performance."""
        told: dict[str, Any] = self.perform(capability, key)["data"]["performCapability"]["performance"]
        return told

    def offered(self) -> dict[str, dict[str, Any]]:
        """What the channel may offer, by name."""
        told = self.server.graphql(OFFERED, {"input": {"identifiers": [self.customer]}}, self.web)
        return {one["name"]: one for one in told["data"]["capabilities"]}

    def recorded(self) -> tuple[list[str], list[tuple[str, str]]]:
        """The states of what is kept, and the type and state of what is on the timeline, of this customer."""
        profile = self.server.database.identifiers.find_one({"value": self.customer["value"]})
        mine = {"profile_id": profile["profile_id"] if profile else None}
        kept = [one["state"] for one in self.server.database.performances.find(mine).sort("begun_at")]
        told = self.server.database.actions.find(mine).sort("at")
        return kept, [(one["type"], one["properties"].get("state", "")) for one in told]

    def nothing_is_left(self) -> bool:
        """Whether no intent, no lease and no action that waits to be recorded is there."""
        database = self.server.database
        undone = {"$or": [{"deeds.0": {"$exists": True}}, {"state": {"$ne": "RUNNING"}, "lease": {"$exists": True}}]}
        return not database.intents.count_documents({}) and not database.performances.count_documents(undone)


@pytest.fixture(scope="module")
def served(mongod: EmbeddedDatabase) -> Iterator[tuple[LiveServer, Receiver]]:
    with receiving(SECRET) as core, pytest.MonkeyPatch.context() as patch:
        brisk = partial(Circuit, failures=FAILURES, pause=PAUSE)
        patch.setattr("steadylight_server.core.webhook.Circuit", brisk)
        settings = settings_for(mongod, webhook_secrets={"core-banking": (SECRET,)})
        server = LiveServer(settings, blueprint=BLUEPRINT % {"url": core.url})
        yield server, core
        server.stop()


@pytest.fixture
def bank(served: tuple[LiveServer, Receiver]) -> Bank:
    """With circuits that are closed: what worked last counts most."""
    server, core = served
    bank = Bank(server, core)
    core.behaves(legacy.does_it)
    core.honours_keys = True
    for capability in ("statement.view", "money.send"):
        for number in range(2 * FAILURES):
            while "errors" in bank.perform(capability, f"warm-{number}"):
                time.sleep(0.1)
    core.received.clear()
    core.deeds.clear()
    return Bank(server, core)


def test_four_channels_ask_and_the_old_system_is_called_once(bank: Bank) -> None:
    told = []
    for channel in ("web", "app", "ivr", "branch"):
        bank.web = bank.server.key(channel)
        told.append(bank.perform("statement.view")["data"]["performCapability"])

    assert [one["repeated"] for one in told] == [False, True, True, True]
    assert len({json.dumps(one["performance"]) for one in told}) == 1
    (received,) = bank.core.received
    assert received.said["data"]["key"] == "k-1"
    assert received.key == received.said["data"]["performance"] == told[0]["performance"]["id"]
    assert bank.recorded() == (["DONE"], [("capability.performed", "DONE")])


WRONG: dict[str, Behaviour] = {
    "error": legacy.answers(500, {"code": "OOPS", "message": CONFIDENTIAL}),
    "garbage": legacy.answers(200, f"<html>{CONFIDENTIAL}".encode()),
    "redirect": legacy.answers(302, {}, Location="http://127.0.0.1:1/"),
    "hangs-up": legacy.hangs_up,
    "half-closed": legacy.stops_in_the_middle,
    "slow": legacy.is_slow,
    "endless": legacy.is_endless,
}


@pytest.mark.parametrize("how", WRONG)
def test_what_may_have_been_done_is_unknown_and_never_done_twice(bank: Bank, how: str) -> None:
    bank.core.behaves(WRONG[how], legacy.does_it)

    first, again = bank.performed("money.send"), bank.performed("money.send")

    assert first == again
    assert (first["state"], first["failure"]["code"]) == ("UNKNOWN", "NO_ANSWER")
    assert len(bank.core.received) == 1
    assert len(bank.core.deeds) <= 1
    assert bank.recorded() == (["UNKNOWN"], [("capability.performed", "UNKNOWN")])
    assert bank.nothing_is_left()
    assert not leaks(bank, first)


@pytest.mark.parametrize("how", [name for name in WRONG if name != "slow"])
def test_who_honours_keys_is_asked_again_and_does_it_once(bank: Bank, how: str) -> None:
    bank.core.behaves(WRONG[how], WRONG[how], legacy.does_it)

    told = bank.performed("statement.view")

    assert (told["state"], told["failure"]) == ("DONE", None)
    assert bank.core.deeds == [told["id"]]
    assert len(bank.core.received) == 3
    assert bank.recorded() == (["DONE"], [("capability.performed", "DONE")])
    assert bank.nothing_is_left()


def test_who_is_slow_and_honours_keys_is_waited_for_and_does_it_once(bank: Bank) -> None:
    bank.core.behaves(legacy.is_slow, legacy.does_it)

    told = bank.performed("statement.view")
    for _ in range(20):
        if told["state"] == "RUNNING":
            told = bank.performed("statement.view")

    assert told["state"] == "DONE"
    assert bank.core.deeds == [told["id"]]
    assert bank.recorded() == (["DONE"], [("capability.performed", "DONE")])


@pytest.mark.parametrize("capability", ["statement.view", "money.send"])
def test_where_nobody_listens_nothing_is_kept_and_the_key_is_free(bank: Bank, capability: str) -> None:
    bank.core.stop()
    try:
        answer = bank.perform(capability)
    finally:
        bank.core.start()
    before = bank.recorded()
    told = bank.performed(capability)

    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "UNAVAILABLE"
    assert error["message"] == "What does it cannot be reached now. Nothing was done; try again."
    assert before == ([], [])
    assert (told["state"], len(bank.core.deeds)) == ("DONE", 1)


def test_what_the_old_system_does_not_look_at_is_not_done(bank: Bank) -> None:
    bank.core.behaves(legacy.answers(404, b"<html>no such page</html>"), legacy.does_it)

    (error,) = bank.perform("money.send")["errors"]
    before = bank.recorded()

    assert error["extensions"]["code"] == "UNAVAILABLE"
    assert before == ([], [])
    assert bank.performed("money.send")["state"] == "DONE"


def test_a_refusal_is_kept_in_its_own_words(bank: Bank) -> None:
    bank.core.behaves(legacy.answers(422, {"code": "LIMIT_EXCEEDED", "message": "At most 3 a day."}), legacy.does_it)

    first, again = bank.performed("money.send"), bank.performed("money.send")

    assert first == again
    assert first["failure"] == {"code": "LIMIT_EXCEEDED", "message": "At most 3 a day."}
    assert bank.recorded() == (["FAILED"], [("capability.performed", "FAILED")])


def test_an_output_that_does_not_fit_is_unknown_and_is_not_told(bank: Bank) -> None:
    bank.core.behaves(legacy.answers(200, {"number": CONFIDENTIAL}))

    told = bank.performed("statement.view")

    assert (told["state"], told["output"], told["failure"]["code"]) == ("UNKNOWN", None, "INVALID_OUTPUT")
    assert not leaks(bank, told)


def test_what_goes_on_over_there_is_completed_by_who_does_it(bank: Bank) -> None:
    bank.core.behaves(legacy.answers(202, {"handle": "batch 77"}))

    told = bank.performed("statement.view")
    report = {"performance": told["id"], "output": {"number": 1}}
    core = bank.server.key("core", scopes=frozenset({"capabilities:report"}))
    done = bank.server.graphql(COMPLETE, {"input": report}, core)

    assert told["state"] == "ACCEPTED"
    assert "errors" not in done, done
    assert bank.performed("statement.view")["output"] == {"number": 1}
    assert bank.recorded()[1] == [("capability.accepted", "ACCEPTED"), ("capability.performed", "DONE")]


def test_a_circuit_opens_says_so_to_every_channel_and_closes(bank: Bank) -> None:
    bank.core.behaves(legacy.answers(500, {}))
    for number in range(2 * FAILURES):
        if "errors" in bank.perform("money.send", f"k-{number}"):
            break
    asked, kept = len(bank.core.received), bank.recorded()

    (error,) = bank.perform("money.send", "while it is open")["errors"]
    offered = {
        one["name"]: one
        for one in bank.server.graphql(OFFERED, {"input": {"identifiers": [bank.customer]}}, bank.web)["data"][
            "capabilities"
        ]
    }

    assert error["extensions"]["code"] == "UNAVAILABLE"
    assert (len(bank.core.received), bank.recorded()) == (asked, kept), "it was turned away, and nothing is recorded"
    assert set(kept[0]) == {"UNKNOWN"}
    assert (offered["money.send"]["isOffered"], offered["money.send"]["why"]) == (False, "UNAVAILABLE")
    assert offered["statement.view"]["isOffered"], "another circuit"
    assert not leaks(bank, error, offered)

    bank.core.behaves(legacy.does_it)
    time.sleep(PAUSE)
    assert bank.performed("money.send", "while it is open")["state"] == "DONE"
    assert bank.performed("money.send", "and then")["state"] == "DONE"


def leaks(bank: Bank, *told: object) -> bool:
    """Whether a channel was told where the old system is, how it is called, or what it said."""
    text = json.dumps(told)
    return any(secret in text for secret in (CONFIDENTIAL, bank.core.url, "127.0.0.1", SECRET, "core-banking"))
