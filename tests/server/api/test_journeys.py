"""Journeys in the graph: begun in one channel and gone on with in another, by whoever may; nobody is asked twice."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import anyio.to_thread
import pytest
from websockets.asyncio.client import connect

from steadylight_server.core.embedded import EmbeddedDatabase
from tests.conftest import LiveServer, settings_for
from tests.factories import action, batch, login

BLUEPRINT = """
version: 1
journeys:
  move:
    label: Moving house
    category: SERVICE
    steps: [where, when]
    questions:
      postcode: {label: "Which postcode?", form: TEXT, pattern: "[A-Z0-9 ]+"}
      rooms: {form: NUMBER}
      speed: {choices: [slow, fast], reuse: CONFIRM}
      iban: {assurance: LOGIN}
      pin: {sensitivity: SECRET}
  port:
    resume: OTP
    resume_in: {ivr: LOGIN}
"""
ANSWER = "question value at channel contact assurance actionId"
JOURNEY = f"""
id type label category version key status outcome step steps startedAt startedIn activeAt changedAt changedIn reopened
stalledAt duplicateOf questions {{ name label form pattern choices }} answers {{ {ANSWER} }}
asks {{ question at channel contact isKnown again }}
"""
PAYLOADS = {
    "startJourney": f"journey {{ {JOURNEY} }} resumed token",
    "askQuestion": f"question {{ name label form pattern choices }} answer {{ {ANSWER} }} use again token",
    "answerQuestion": f"journey {{ {JOURNEY} }} token",
    "advanceJourney": f"journey {{ {JOURNEY} }} isDone token",
    "setJourneyStatus": f"journey {{ {JOURNEY} }} isDone token",
}
RECORD = "mutation($input: RecordActionsInput!) { recordActions(input: $input) { stored } }"
NODE = f"query($id: ID!) {{ node(id: $id) {{ __typename id ... on Journey {{ {JOURNEY} }} }} }}"
CUSTOMER = f"query($by: CustomerBy!) {{ customer(by: $by) {{ id journeys {{ {JOURNEY} }} }} }}"
CONTEXT = f"query($input: ContextInput!) {{ context(input: $input) {{ customer {{ id }} journeys {{ {JOURNEY} }} }} }}"
MERGE = "mutation($input: MergeCustomersInput!) { mergeCustomers(input: $input) { link { id } } }"
FOLLOW = "subscription($by: CustomerBy!) { customerActivity(by: $by) { type properties } }"


class Desk:
    """A server with declared types of journey, and the keys of three channels."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.keys = {channel: server.key(channel) for channel in ("web", "sms", "ivr")}

    def asked(self, query: str, variables: dict[str, Any], key: str | None = None) -> dict[str, Any]:
        """The data, as the website's key gets it if there is no other."""
        answer = self.server.graphql(query, variables, key or self.keys["web"])
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data

    def sent(self, deed: str, who: dict[str, str] | None, channel: str, **input: Any) -> dict[str, Any]:
        """The whole answer to one operation."""
        name = f"{deed[0].upper()}{deed[1:]}Input"
        given = {"operationId": str(uuid4()), "identifiers": [who] if who else [], **input}
        query = f"mutation($input: {name}!) {{ {deed}(input: $input) {{ {PAYLOADS[deed]} }} }}"
        return self.server.graphql(query, {"input": given}, self.keys[channel])

    def do(self, deed: str, who: dict[str, str] | None, channel: str = "web", **input: Any) -> Any:
        """The payload of one operation."""
        answer = self.sent(deed, who, channel, **input)
        assert "errors" not in answer, answer
        return answer["data"][deed]

    def refused(self, deed: str, who: dict[str, str] | None, channel: str = "web", **input: Any) -> tuple[str, str]:
        """Code and message of the one error of an operation."""
        (error,) = self.sent(deed, who, channel, **input)["errors"]
        return error["extensions"]["code"], error["message"]

    def start(self, who: dict[str, str] | None, channel: str = "web", type: str = "move", **input: Any) -> str:
        """The id of the journey."""
        id: str = self.do("startJourney", who, channel, type=type, **input)["journey"]["id"]
        return id

    def answer(self, who: dict[str, str] | None, journey: str, question: str, value: object, **input: Any) -> None:
        self.do("answerQuestion", who, journey=journey, question=question, value=value, **input)

    def node(self, id: str, key: str | None = None) -> Any:
        return self.asked(NODE, {"id": id}, key)["node"]

    def journeys(self, who: dict[str, str]) -> list[dict[str, Any]]:
        """As the customer has them."""
        found: list[dict[str, Any]] = self.asked(CUSTOMER, {"by": {"identifier": who}})["customer"]["journeys"]
        return found

    def context(self, channel: str = "web", **input: Any) -> Any:
        return self.asked(CONTEXT, {"input": input}, self.keys[channel])["context"]


@pytest.fixture(scope="module")
def desk(mongod: EmbeddedDatabase) -> Iterator[Desk]:
    live = LiveServer(settings_for(mongod), blueprint=BLUEPRINT)
    yield Desk(live)
    live.stop()


@pytest.fixture
def ann() -> dict[str, str]:
    return login(f"C-{uuid4().hex}")


def told(answers: list[dict[str, Any]]) -> dict[str, Any]:
    """Values by question."""
    return {one["question"]: one["value"] for one in answers}


def test_a_journey_that_is_started_is_told_in_full(desk: Desk, ann: dict[str, str]) -> None:
    made = desk.do("startJourney", ann, type="move", key="order-7", contact="visit-1")

    journey = made["journey"]
    assert (made["resumed"], isinstance(made["token"], str)) == (False, True)
    assert journey["id"].startswith("jrn_")
    assert journey["startedAt"] == journey["activeAt"]
    assert {name: journey[name] for name in ("type", "label", "category", "version", "key", "status", "step")} == {
        "type": "move",
        "label": "Moving house",
        "category": "SERVICE",
        "version": 1,
        "key": "order-7",
        "status": "OPEN",
        "step": "where",
    }
    assert (journey["steps"], journey["startedIn"], journey["reopened"]) == (["where", "when"], "web", 0)
    empty = ("outcome", "changedAt", "changedIn", "stalledAt", "duplicateOf")
    assert [journey[name] for name in empty] == [None] * 5
    assert journey["questions"][:2] == [
        {
            "name": "postcode",
            "label": "Which postcode?",
            "form": "TEXT",
            "pattern": "[A-Z0-9 ]+",
            "choices": [],
        },
        {"name": "rooms", "label": None, "form": "NUMBER", "pattern": None, "choices": []},
    ]
    assert journey["answers"] == journey["asks"] == []


def test_a_type_that_nobody_declared_has_no_rules(desk: Desk, ann: dict[str, str]) -> None:
    journey = desk.do("startJourney", ann, type="paint-the-door")["journey"]

    names = ("label", "category", "version", "key", "step", "steps", "questions")
    assert [journey[name] for name in names] == [None, "OTHER", 0, "", None, [], []]


def test_it_is_picked_up_in_another_channel_with_what_is_known(desk: Desk, ann: dict[str, str]) -> None:
    id = desk.start(ann, contact="visit-1")
    desk.answer(ann, id, "postcode", "SW1A 1AA", contact="visit-1")

    found = desk.do("startJourney", ann, "sms", type="move", contact="sms-1")

    assert (found["resumed"], found["journey"]["id"]) == (True, id)
    (said,) = found["journey"]["answers"]
    assert said["actionId"].startswith("act_")
    assert {name: said[name] for name in ("question", "value", "channel", "contact", "assurance")} == {
        "question": "postcode",
        "value": "SW1A 1AA",
        "channel": "web",
        "contact": "visit-1",
        "assurance": "LOGIN",
    }


def test_the_same_operation_again_changes_nothing(desk: Desk, ann: dict[str, str]) -> None:
    once = {"operationId": str(uuid4()), "type": "move"}

    made = [desk.do("startJourney", ann, **once) for _ in range(2)]

    assert [one["resumed"] for one in made] == [False, False]
    assert made[0]["journey"]["id"] == made[1]["journey"]["id"]
    assert desk.refused("startJourney", ann, **{**once, "type": "other"}) == (
        "CONFLICT",
        "This operation id was used for something else.",
    )


def test_who_asks_steadylight_first_does_not_ask_the_customer_again(desk: Desk, ann: dict[str, str]) -> None:
    id = desk.start(ann)

    first = desk.do("askQuestion", ann, journey=id, question="speed", contact="visit-1")
    desk.answer(ann, id, "speed", "fast", contact="visit-1")
    second = desk.do("askQuestion", ann, "sms", journey=id, question="speed", contact="sms-1")

    rules = {"name": "speed", "label": None, "form": None, "pattern": None, "choices": ["slow", "fast"]}
    assert {name: first[name] for name in ("question", "answer", "use", "again")} == {
        "question": rules,
        "answer": None,
        "use": None,
        "again": None,
    }
    assert (second["answer"]["value"], second["use"], second["again"]) == ("fast", "CONFIRM", None)


def test_why_a_customer_is_asked_again_is_told(desk: Desk, ann: dict[str, str]) -> None:
    id = desk.start(ann)
    for question in ("postcode", "speed"):  # they went on after the first, and left at the second
        desk.do("askQuestion", ann, journey=id, question=question, contact="visit-1")

    again = desk.do("askQuestion", ann, "sms", journey=id, question="postcode", contact="sms-1")
    desk.answer(ann, id, "postcode", "SW1A 1AA", channel="sms", contact="sms-1")
    desk.answer(ann, id, "postcode", "SW1A 1AA", channel="ivr", contact="call-1")

    assert (again["answer"], again["again"]) == (None, "NOT_RECORDED")
    names = ("question", "channel", "contact", "isKnown", "again")
    assert [tuple(one[name] for name in names) for one in desk.node(id)["asks"]] == [
        ("postcode", "web", "visit-1", False, None),
        ("speed", "web", "visit-1", False, None),
        ("postcode", "sms", "sms-1", False, "NOT_RECORDED"),
        ("postcode", "ivr", "call-1", False, "NOT_FETCHED"),
    ]


def test_an_answer_can_be_taken_back(desk: Desk, ann: dict[str, str]) -> None:
    id = desk.start(ann)
    desk.answer(ann, id, "rooms", 3)

    desk.answer(ann, id, "rooms", None)

    assert desk.node(id)["answers"] == []
    assert desk.refused("answerQuestion", ann, journey=id, question="rooms") == (
        "INVALID",
        "value: what they said, or null to take an answer back.",
    )


@pytest.mark.parametrize(
    ("question", "value", "message"),
    [
        ("postcode", 7, "postcode: text is wanted."),
        ("postcode", "sw1a", "postcode: it must match '[A-Z0-9 ]+'."),
        ("rooms", "three", "rooms: a number is wanted."),
        ("rooms", True, "rooms: a number is wanted."),
        ("speed", "faster", "speed: one of slow, fast is wanted."),
        ("", "x", "question: 1 to 100 characters."),
        ("q" * 101, "x", "question: 1 to 100 characters."),
        ("other", "x" * 33_000, "properties: at most 32,768 bytes as JSON"),
    ],
)
def test_an_answer_that_will_not_do_is_invalid(
    desk: Desk, ann: dict[str, str], question: str, value: object, message: str
) -> None:
    id = desk.start(ann)

    refused = desk.refused("answerQuestion", ann, journey=id, question=question, value=value)

    assert refused == ("INVALID", message)
    assert desk.node(id)["answers"] == []


def test_of_two_steps_from_one_place_the_second_is_told_of_the_first(desk: Desk, ann: dict[str, str]) -> None:
    id = desk.start(ann)

    won = desk.do("advanceJourney", ann, journey=id, step="when", cameFrom="where")
    lost = desk.do("advanceJourney", ann, "sms", journey=id, step="where", cameFrom="where")

    assert (won["isDone"], won["journey"]["step"]) == (True, "when")
    assert (lost["isDone"], lost["journey"]["step"], lost["journey"]["changedIn"]) == (False, "when", "web")
    assert lost["journey"]["changedAt"] == won["journey"]["changedAt"]
    assert desk.refused("advanceJourney", ann, journey=id, step="why") == (
        "INVALID",
        "step: one of where, when, not 'why'.",
    )


def test_of_two_who_end_it_the_second_is_told_how_it_ended(desk: Desk, ann: dict[str, str]) -> None:
    id = desk.start(ann)

    won = desk.do("setJourneyStatus", ann, journey=id, status="COMPLETED", outcome="moved")
    lost = desk.do("setJourneyStatus", ann, "sms", journey=id, status="CANCELLED", outcome="no")
    opened = desk.do("setJourneyStatus", ann, journey=id, status="OPEN")

    assert (won["isDone"], won["journey"]["status"], won["journey"]["outcome"]) == (True, "COMPLETED", "moved")
    assert (lost["isDone"], lost["journey"]["status"], lost["journey"]["outcome"]) == (False, "COMPLETED", "moved")
    names = ("status", "outcome", "reopened")
    assert [opened["journey"][name] for name in names] == ["OPEN", None, 1]


def test_it_is_not_opened_again_beside_another(desk: Desk, ann: dict[str, str]) -> None:
    id = desk.start(ann)
    desk.do("setJourneyStatus", ann, journey=id, status="COMPLETED")
    desk.start(ann)

    assert desk.refused("setJourneyStatus", ann, journey=id, status="OPEN")[0] == "CONFLICT"


DEEDS: dict[str, dict[str, Any]] = {
    "askQuestion": {"question": "postcode"},
    "answerQuestion": {"question": "postcode", "value": "SW1A 1AA"},
    "advanceJourney": {"step": "when", "cameFrom": "where"},
    "setJourneyStatus": {"status": "CANCELLED"},
}


@pytest.mark.parametrize("deed", DEEDS)
def test_another_customer_s_journey_is_not_there(desk: Desk, ann: dict[str, str], deed: str) -> None:
    id = desk.start(ann)
    before = desk.node(id)
    strangers = [login(uuid4().hex), {**ann, "assurance": "CLAIMED"}]

    answers = [
        desk.refused(deed, stranger, journey=journey, contact=uuid4().hex, **DEEDS[deed])
        for stranger in strangers
        for journey in (id, f"jrn_{uuid4().hex}")
    ]

    assert set(answers) == {("NOT_FOUND", "There is no such journey, or not enough assurance to say so.")}
    assert desk.node(id) == before


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("id", ["", "jrn_1", "act_290ccca7129544fab34f051c7fc91f34", "jrn_" + "é" * 200])
def test_what_is_no_id_of_a_journey_is_not_found(desk: Desk, ann: dict[str, str], deed: str, id: str) -> None:
    code, message = desk.refused(deed, ann, journey=id, **DEEDS[deed])

    assert (code, message) == ("NOT_FOUND", f"There is nothing with the id {id[:80]!r}.")


@pytest.mark.parametrize(
    ("input", "message"),
    [
        ({"operationId": "once"}, "operationId: a UUID."),
        ({"type": ""}, "type: 1 to 50 characters; key: at most 200."),
        ({"type": "t" * 51}, "type: 1 to 50 characters; key: at most 200."),
        ({"key": "k" * 201}, "type: 1 to 50 characters; key: at most 200."),
        ({"agent": "a" * 129}, "agent: String should have at most 128 characters"),
        ({"contact": ""}, "contact: String should have at least 1 character"),
        ({"identifiers": [login("C-1")] * 11}, "identifiers: at most 10"),
        (
            {"identifiers": []},
            "identifiers: none reaches the bar of its kind with a value that stands for somebody. "
            "Prove one, or give the contact in which it was claimed",
        ),
    ],
)
def test_what_breaks_a_rule_is_invalid(desk: Desk, ann: dict[str, str], input: dict[str, Any], message: str) -> None:
    assert desk.refused("startJourney", ann, **{"type": "move", **input}) == ("INVALID", message)


def test_an_outcome_has_a_bound(desk: Desk, ann: dict[str, str]) -> None:
    id = desk.start(ann)

    refused = desk.refused("setJourneyStatus", ann, journey=id, status="COMPLETED", outcome="x" * 101)

    assert refused == ("INVALID", "outcome: at most 100 characters.")
    assert desk.node(id)["status"] == "OPEN"


def test_below_the_bar_nobody_goes_on(desk: Desk, ann: dict[str, str]) -> None:
    id = desk.start(ann, type="port")
    number = {"kind": "customer-number", "value": f"N-{uuid4().hex}", "assurance": "KNOWLEDGE"}
    otp = {**ann, "assurance": "OTP"}
    message = "This journey goes on in {} when somebody has proven who they are by {}."

    assert desk.refused("startJourney", number, type="port") == ("FORBIDDEN", message.format("web", "OTP"))
    assert desk.refused("startJourney", otp, "ivr", type="port") == ("FORBIDDEN", message.format("ivr", "LOGIN"))
    for deed, input in DEEDS.items():
        assert desk.refused(deed, otp, "ivr", journey=id, **input) == ("FORBIDDEN", message.format("ivr", "LOGIN"))
    assert desk.start(otp, "sms", type="port") == id


def test_a_journey_is_a_node(desk: Desk, ann: dict[str, str]) -> None:
    id = desk.start(ann)

    assert desk.node(id) == {"__typename": "Journey", **desk.journeys(ann)[0]}
    answer = desk.server.graphql(NODE, {"id": f"jrn_{uuid4().hex}"}, desk.keys["web"])
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["NOT_FOUND"]


def test_a_customer_s_journeys_are_the_open_ones_first(desk: Desk, ann: dict[str, str]) -> None:
    ids = {key: desk.start(ann, key=key) for key in "abcd"}
    desk.do("setJourneyStatus", ann, journey=ids["b"], status="WAITING")
    desk.do("setJourneyStatus", ann, journey=ids["d"], status="COMPLETED")

    assert [one["key"] for one in desk.journeys(ann)] == ["c", "b", "a", "d"]


def test_of_two_that_a_merge_brings_together_the_later_takes_the_place(desk: Desk) -> None:
    people = [{"kind": "customer-number", "value": uuid4().hex, "assurance": "OTP"} for _ in range(2)]
    first, second = (desk.start(one) for one in people)
    one, other = ({"identifier": one} for one in people)
    merged = {"operationId": str(uuid4()), "one": one, "other": other, "why": "one passport"}

    desk.asked(MERGE, {"input": merged}, desk.server.admin_key)

    assert [(one["id"], one["duplicateOf"]) for one in desk.journeys(people[0])] == [(second, None), (first, second)]
    assert desk.node(first)["duplicateOf"] == second
    moved = desk.do("advanceJourney", people[0], journey=first, step="when", cameFrom="where")
    assert moved["journey"]["duplicateOf"] == second


def test_a_context_shows_the_journeys_of_who_is_known(desk: Desk, ann: dict[str, str]) -> None:
    id = desk.start(ann)
    desk.answer(ann, id, "iban", "DE02")

    context = desk.context("sms", identifiers=[ann])
    less = desk.context("sms", identifiers=[{**ann, "assurance": "OTP"}])
    claimed = desk.context("sms", identifiers=[{**ann, "assurance": "CLAIMED"}])

    assert [(one["id"], told(one["answers"])) for one in context["journeys"]] == [(id, {"iban": "DE02"})]
    assert [(one["id"], told(one["answers"])) for one in less["journeys"]] == [(id, {})]
    assert (claimed["customer"], claimed["journeys"]) == (None, [])


def test_a_context_shows_a_contact_of_nobody_known_its_own(desk: Desk) -> None:
    visit = f"visit-{uuid4().hex}"
    id = desk.start(None, contact=visit)
    desk.answer(None, id, "postcode", "SW1A 1AA", contact=visit)

    context, other = desk.context(contact=visit), desk.context("sms", contact=visit)

    assert context["customer"] is None
    assert [(one["id"], told(one["answers"])) for one in context["journeys"]] == [(id, {"postcode": "SW1A 1AA"})]
    assert other["journeys"] == []


def test_once_somebody_is_known_there_their_contact_alone_shows_nothing_of_them(
    desk: Desk, ann: dict[str, str]
) -> None:
    visit = f"visit-{uuid4().hex}"
    id = desk.start(None, contact=visit)
    desk.answer(ann, id, "postcode", "SW1A 1AA", contact=visit)

    assert desk.context(identifiers=[ann], contact=visit)["journeys"][0]["id"] == id
    assert desk.context(contact=visit)["journeys"] == []
    assert desk.refused("askQuestion", None, journey=id, question="postcode", contact=visit)[0] == "NOT_FOUND"


def test_answers_are_shown_to_who_is_sure_enough(desk: Desk, ann: dict[str, str]) -> None:
    id = desk.start(ann)
    for question, value in (("postcode", "SW1A 1AA"), ("iban", "DE02"), ("pin", "1234")):
        desk.answer(ann, id, question, value, contact="visit-1")
    otp = {**ann, "assurance": "OTP"}

    assert told(desk.do("startJourney", ann, "sms", type="move")["journey"]["answers"]) == {
        "postcode": "SW1A 1AA",
        "iban": "DE02",
    }
    assert told(desk.do("startJourney", otp, "sms", type="move")["journey"]["answers"]) == {"postcode": "SW1A 1AA"}
    assert told(desk.node(id)["answers"]) == {"postcode": "SW1A 1AA"}
    assert told(desk.node(id, desk.server.admin_key)["answers"]) == {"postcode": "SW1A 1AA", "iban": "DE02"}
    secret = desk.do("askQuestion", otp, "sms", journey=id, question="pin")
    assert (secret["answer"]["value"], secret["use"]) == ("1234", "USE")
    low = desk.do("askQuestion", otp, "sms", journey=id, question="iban")
    assert (low["answer"], low["again"]) == (None, "ASSURANCE_TOO_LOW")


def test_below_the_bar_of_a_journey_no_answer_is_shown(desk: Desk, ann: dict[str, str]) -> None:
    id = desk.start(ann, type="port")
    desk.answer(ann, id, "old-number", "555", contact="visit-1")

    shown = [
        desk.context("sms", identifiers=[{**ann, "assurance": "OTP"}]),
        desk.context("ivr", identifiers=[{**ann, "assurance": "OTP"}]),
        desk.context("ivr", identifiers=[ann]),
    ]

    assert [told(one["journeys"][0]["answers"]) for one in shown] == [{"old-number": "555"}, {}, {"old-number": "555"}]
    assert desk.node(id)["answers"] == []


def test_an_action_tells_what_was_answered_and_never_the_answer(desk: Desk, ann: dict[str, str]) -> None:
    secret = f"secret-{uuid4().hex}"
    id = desk.start(ann)
    desk.answer(ann, id, "postcode-of-old", secret)
    sent = {"type": "journey.answered", "journey": id, "properties": {"question": "other", "value": secret}}
    desk.asked(RECORD, {"input": {"batch": batch(action(ann, **sent))}})
    actions = "actions { id type properties }"

    listed = desk.asked(
        f"query($by: CustomerBy!) {{ customer(by: $by) {{ {actions.replace('{', '{ nodes {', 1)} }} }} }}",
        {"by": {"identifier": ann}},
    )
    context = desk.asked(
        f"query($input: ContextInput!) {{ context(input: $input) {{ {actions} }} contextDocument(input: $input) }}",
        {"input": {"identifiers": [ann]}},
    )

    shown = [
        listed["customer"]["actions"]["nodes"],
        context["context"]["actions"],
        context["contextDocument"]["actions"],
    ]
    for some in shown:
        answered = [one["properties"] for one in some if one["type"] == "journey.answered"]
        assert sorted(map(str, answered)) == ["{'question': 'other'}", "{'question': 'postcode-of-old'}"]
    ids = [one["id"] for one in shown[0]]
    nodes = [
        desk.asked("query($id: ID!) { node(id: $id) { ... on Action { properties } } }", {"id": one}) for one in ids
    ]
    context["contextDocument"].pop("journeys")  # which hold the answers
    assert secret not in json.dumps([listed, context, nodes])
    assert told(desk.node(id)["answers"]) == {"postcode-of-old": secret, "other": secret}


async def test_who_follows_hears_of_an_answer_but_not_what_it_was(desk: Desk, ann: dict[str, str]) -> None:
    id = await anyio.to_thread.run_sync(desk.start, ann)
    url = desk.server.url.replace("http", "ws") + "/graphql"
    hello = {"type": "connection_init", "payload": {"authorization": f"Bearer {desk.keys['sms']}"}}
    payload = {"query": FOLLOW, "variables": {"by": {"identifier": ann}}}

    async with connect(url, subprotocols=["graphql-transport-ws"], proxy=None) as socket:  # type: ignore[list-item]
        await socket.send(json.dumps(hello))
        await socket.recv()
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
        async with asyncio.timeout(20):
            while True:  # until it is followed
                await anyio.to_thread.run_sync(desk.answer, ann, id, "postcode", "SW1A 1AA")
                try:
                    async with asyncio.timeout(0.3):
                        heard = json.loads(await socket.recv())
                except TimeoutError:
                    continue
                break

    assert heard["payload"]["data"]["customerActivity"] == {
        "type": "journey.answered",
        "properties": {"question": "postcode"},
    }
