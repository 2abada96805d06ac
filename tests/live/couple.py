"""Two customers who ask at the same time, and what each must not see of the other.

All that belongs to a customer carries one of two words. The *known* one is in what the other may have got hold of:
identifiers, a contact's key, ids and cursors, which are among the arguments that the other sends. The *hidden* one is
in everything else, and the other never sends it: wherever it turns up, it leaked. Of what is known, the other may
hear what it said itself, and only where an answer has reason to repeat it:

    in an error's message       what this request sent
    in data, letter by letter   who it claimed to be in this request or in what it recorded; the id of the action that
                                this request records
"""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Protocol
from uuid import UUID, uuid4

import httpx
from graphql import GraphQLSchema, build_schema
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.browser import Page
from tests.factories import action, batch, login, now
from tests.issuers import IssuerKit
from tests.live.queries import Operation, Pools, operations

SCHEMA: GraphQLSchema = build_schema((Path(__file__).parents[2] / "schema/schema.graphql").read_text())
# A customer is refused these: a document that has one is refused as a whole.
FORBIDDEN = {
    "Query.customers",
    "Query.parity",
    "Query.contextDocument",
    "RecordActionsPayload.contextDocument",
    "Query.channels",
    "Action.agent",
    "Action.traits",
    "Customer.traits",
    "Context.traits",
    "Customer.links",
    "Query.mergePreview",
    "Query.identityConflicts",
    "Mutation.mergeCustomers",
    "Mutation.unlink",
    "Mutation.resolveConflict",
    "Mutation.recordActions",
    "Mutation.registerChannel",
    "Mutation.reportProgress",
    "Mutation.completePerformance",
    "Query.articleDocument",
    "Query.searchDocument",
    "Query.articleRecord",
    "Query.affectedBy",
    "Mutation.saveArticle",
    "Mutation.publishArticle",
    "Mutation.expireArticle",
}
# Seconds in which a follower listens for what happens meanwhile.
LISTENS = 0.15
RECORD = "mutation ($input: RecordActionsInput!) { recordActions(input: $input) { verdicts } }"
START = "mutation ($input: StartJourneyInput!) { startJourney(input: $input) { journey { id } } }"
ANSWER = "mutation ($input: AnswerQuestionInput!) { answerQuestion(input: $input) { token } }"
READ = """
query ($by: CustomerBy!, $identifiers: [IdentifierInput!]!) {
  customer(by: $by) { id actions(first: 100) { edges { cursor node { id contact } } } }
  context(input: {identifiers: $identifiers}) { token contacts { id key } }
}
"""


class Person:
    """A customer with a history in two channels."""

    def __init__(self) -> None:
        self.known, self.hidden = f"k{uuid4().hex}", f"h{uuid4().hex}"
        self.login = f"login-{self.known}"
        self.phone = f"+49{int(self.known[1:], 16)}"
        self.email = f"{self.known}@example.org"
        self.contact = f"contact-{self.known}"
        self.hidden_ids: set[str] = set()
        self.recorded: set[str] = set()
        self.journey = f"jrn_{uuid4().hex}"

    def history(self, *, agent: bool = False) -> list[dict[str, Any]]:
        """What a channel records of them."""
        who = login(self.login, "IN_PERSON" if agent else "LOGIN")
        private = {
            "journey": f"journey {self.hidden}",
            "subject": {"kind": "case", "id": f"case-{self.hidden}"},
            "properties": {"term": f"searched for {self.hidden}", "nested": {self.hidden: [self.hidden]}},
        }
        if agent:
            private |= {"actor": "AGENT", "agent": f"agent {self.hidden}"}
        _, email, phone = self.claims()
        open, secret = {"contact": self.contact}, {"contact": f"contact-{self.hidden}"}
        claimed = {"kind": "cookie", "value": f"cookie-{self.hidden}", "assurance": "CLAIMED"}
        return [
            action(who, email, **open, **private),
            action(who, phone, **open, **private, type="search.done"),
            action(who, claimed, **secret, **private),
            action(who, **secret, **(private | {"properties": {"outcome": self.hidden}}), type="contact.ended"),
        ]

    def happening(self) -> dict[str, Any]:
        """One more action, while somebody follows."""
        happened = action(login(self.login), properties={"now": self.hidden}, journey=self.hidden)
        self.hidden_ids.add(f"act_{UUID(happened['id']).hex}")
        return happened

    def wanted(self) -> dict[str, Any]:
        """A journey. What it is called is hidden, its id is known."""
        key = {"key": f"order-{self.hidden}"}
        return {"operationId": str(uuid4()), "identifiers": [login(self.login)], "type": "move", **key}

    def said(self) -> dict[str, Any]:
        """What a channel was told in it."""
        said = {"journey": self.journey, "question": "postcode", "value": f"postcode {self.hidden}"}
        return {"operationId": str(uuid4()), "identifiers": [login(self.login)], **said}

    def learn(self, told: dict[str, Any]) -> None:
        """Ids, cursors and a token, as the server calls them. What is in the open contact is known, the rest hidden."""
        self.id = told["customer"]["id"]
        edges = told["customer"]["actions"]["edges"]
        known = [edge for edge in edges if edge["node"]["contact"] == self.contact]
        self.actions = [edge["node"]["id"] for edge in known]
        self.cursors = [edge["cursor"] for edge in known]
        self.contacts = [one["id"] for one in told["context"]["contacts"] if one["key"] == self.contact]
        self.token = told["context"]["token"]
        self.hidden_ids |= {one["id"] for one in told["context"]["contacts"]} - set(self.contacts)
        for edge in edges:
            if edge not in known:
                self.hidden_ids |= {edge["node"]["id"], edge["cursor"]}

    @property
    def identifiers(self) -> list[str]:
        """That the other may know."""
        return [self.login, self.email, self.phone]

    def claims(self) -> list[dict[str, str]]:
        """The same, as asserted."""
        email, phone = {"kind": "email", "value": self.email}, {"kind": "phone", "value": self.phone}
        return [login(self.login), {**email, "assurance": "OTP"}, {**phone, "assurance": "OTP"}]

    def secrets(self) -> Iterator[str]:
        """What the other must not see, unless it said it itself."""
        yield from (self.known, self.phone[1:], self.id, self.journey, *self.actions, *self.contacts, *self.cursors)
        yield from (str(UUID(one.removeprefix("act_"))) for one in self.actions)


class Asker(Protocol):
    """Sends operations with one customer's token."""

    def ask(self, operation: Operation) -> str:
        """Headers and body of the answer."""

    def follow(self, operation: Operation, meanwhile: Callable[[], None]) -> str:
        """All that is heard while `meanwhile` runs and a little longer."""


class Plain:
    """By httpx and websockets."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token
        self._http = httpx.Client(timeout=20, verify=False, headers={"Authorization": f"Bearer {token}"})

    def close(self) -> None:
        """Hangs up."""
        self._http.close()

    def ask(self, operation: Operation) -> str:
        """Headers and body of the answer."""
        response = self._http.post(
            f"{self._url}/graphql", content=operation.body, headers={"Content-Type": "application/json"}
        )
        return "\n".join([*map(str, response.headers.multi_items()), response.text])

    def follow(self, operation: Operation, meanwhile: Callable[[], None]) -> str:
        """All that is heard."""
        heard = []
        url, protocol = f"{self._url.replace('http', 'ws', 1)}/graphql", Subprotocol("graphql-transport-ws")
        with connect(url, subprotocols=[protocol], proxy=None) as socket, suppress(TimeoutError, ConnectionClosed):
            for message in spoken(self._token, operation):
                socket.send(message)
            heard.append(socket.recv(timeout=5))
            meanwhile()
            while True:
                heard.append(socket.recv(timeout=LISTENS))
        return "\n".join(map(str, heard))


class InBrowser:
    """By a page of the server's own, in a real browser."""

    def __init__(self, page: Page, url: str, token: str) -> None:
        self._page, self._token = page, token
        page.open(f"{url}/graphiql")
        page.until(f"location.origin === {json.dumps(url)} && document.readyState === 'complete'")

    def ask(self, operation: Operation) -> str:
        """Headers and body of the answer."""
        sent = {
            "method": "POST",
            "headers": {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"},
            "body": operation.body,
        }
        read = "async answer => [...[...answer.headers].map(String), await answer.text()].join('\\n')"
        answer: str = self._page.evaluate(f"fetch('/graphql', {json.dumps(sent)}).then({read})")
        return answer

    def follow(self, operation: Operation, meanwhile: Callable[[], None]) -> str:
        """All that is heard."""
        first, second = map(json.dumps, spoken(self._token, operation))
        self._page.evaluate(
            f"""new Promise(done => {{
              window.heard = [];
              window.socket = new WebSocket(location.origin.replace('http', 'ws') + '/graphql', 'graphql-transport-ws');
              socket.onmessage = message => {{ heard.push(message.data); done() }};
              socket.onclose = () => done();
              socket.onopen = () => {{ socket.send({first}); socket.send({second}) }};
            }})"""
        )
        meanwhile()
        waited = f"new Promise(done => setTimeout(done, {LISTENS * 1000}))"
        heard: str = self._page.evaluate(f"{waited}.then(() => {{ socket.close(); return heard.join('\\n') }})")
        return heard


def spoken(token: str, operation: Operation) -> list[str]:
    """What a follower says."""
    introduction = {"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}
    payload = {"query": operation.text, "variables": operation.variables}
    return [json.dumps(introduction), json.dumps({"type": "subscribe", "id": "1", "payload": payload})]


class Couple:
    """Both, on a server with the channels `web` and `desk`, and what became of what they asked.

    `leaks` has each text of the other that somebody saw; `answers` counts, and `own` those that told the asker more of
    its own than it had sent; `echoes` those that repeated something of the other's.
    """

    def __init__(self, url: str, keys: dict[str, str], kit: IssuerKit) -> None:
        self.url, self._keys = url, keys
        self.people = (Person(), Person())
        self.tokens = tuple(kit.token(person.login) for person in self.people)
        self.leaks: list[tuple[Operation, str]] = []
        self.answers = self.own = self.echoes = 0
        self._http = httpx.Client(timeout=20, verify=False)
        for person in self.people:
            self._post("web", RECORD, {"input": {"batch": batch(*person.history())}})
            self._post("desk", RECORD, {"input": {"batch": batch(*person.history(agent=True))}})
            told = self._post("web", READ, {"by": {"identifier": login(person.login)}, **whom(person)})
            person.learn(told)
            started = self._post("web", START, {"input": person.wanted()})["startJourney"]
            person.journey = started["journey"]["id"]
            self._post("web", ANSWER, {"input": person.said()})

    def close(self) -> None:
        """Hangs up."""
        self._http.close()

    def ask(self, askers: tuple[Asker, Asker], *, times: int) -> None:
        """Random operations, so many of each of the two, both at the same moment."""
        draws = st.tuples(
            *(operations(SCHEMA, pools(me, other), FORBIDDEN) for me, other in (self.people, self.people[::-1]))
        )

        @settings(
            max_examples=times,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(draws)
        def both(asked: tuple[Operation, Operation]) -> None:
            list(threads.map(self._one, askers, asked, (0, 1)))

        with ThreadPoolExecutor(2) as threads:
            both()

    def _one(self, asker: Asker, asked: Operation, number: int) -> None:
        me, other = self.people[number], self.people[1 - number]
        me.recorded |= set(claimed(asked.variables)) if asked.kind == "mutation" else set()
        if asked.kind == "subscription":
            heard = asker.follow(asked, partial(self._happen, other, me))
        else:
            heard = asker.ask(asked)
        self.answers += 1
        self.own += any(text in heard for text in (me.hidden, *me.hidden_ids))
        self.echoes += other.known in heard
        self.leaks += [(asked, leak) for leak in leaks(heard, asked, me, other)]

    def _happen(self, *people: Person) -> None:
        """Twice: a subscription is not acknowledged, so the first may come too early."""
        for person in (*people, *people):
            self._post("web", RECORD, {"input": {"batch": batch(person.happening())}})

    def _post(self, channel: str, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._keys[channel]}"}
        body = {"query": query, "variables": variables}
        answer = self._http.post(f"{self.url}/graphql", json=body, headers=headers).json()
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data


def whom(person: Person) -> dict[str, Any]:
    return {"identifiers": [login(person.login)]}


def pools(me: Person, other: Person) -> Pools:
    """What the one sends: its own, the other's, and nonsense."""

    def one_of(*values: Any) -> Callable[[Random], Any]:
        return lambda random: random.choice(values)

    def of(*own: Any, others: Sequence[Any], nonsense: Sequence[Any] = ("nonsense", "", "é\x00")) -> Any:
        return lambda random: random.choice(random.choices([own or others, others, nonsense], [3, 2, 1])[0])

    def claim(random: Random) -> dict[str, str]:
        said = random.choice([*[login(other.login)] * 3, *other.claims(), *me.claims()])
        return {**said, "assurance": random.choice(["LOGIN", "LOGIN", "CLAIMED"])}

    value = of(me.login, me.login, me.email, me.phone, others=other.identifiers)
    cursors = of(*me.cursors, others=other.cursors)
    contacts = of(me.contact, others=[other.contact, f"web/{other.contact}"])
    theirs = [str(UUID(one.removeprefix("act_"))) for one in other.actions]
    deeds = ("StartJourney", "AskQuestion", "AnswerQuestion", "AdvanceJourney", "SetJourneyStatus")
    journeys = {
        "operationId": lambda random: random.choice([str(uuid4())] * 4 + theirs),
        "journey": of(me.journey, others=[other.journey]),
        "question": one_of(*["postcode"] * 4, f"asked.{me.hidden}", ""),
        "identifiers": lambda random: [claim(random) for _ in range(random.randint(0, 2))],
        "contact": contacts,
    }
    kind = one_of(*["login"] * 4, "email", "phone", "cookie", "contact:persona", "nonsense")
    return {
        "ID": of(
            *(me.id, me.journey, *me.actions, *me.contacts),
            others=[other.id, other.journey, *other.actions, *other.contacts],
        ),
        "CustomerBy.id": of(me.id, others=[other.id]),
        "Customer.actions(after:)": cursors,
        "Customer.actions(before:)": cursors,
        "IdentifierInput.kind": kind,
        "IdentifierInput.value": value,
        "Query.customers(value:)": value,
        "ContextInput.contact": contacts,
        "ViewpointInput.contact": contacts,
        "ViewpointInput.identifiers": lambda random: [claim(random) for _ in range(random.randint(0, 2))],
        "ViewpointInput.locale": one_of("de", "en-GB"),
        "ContextInput.after": of(me.token, others=[other.token]),
        "ContextInput.identifiers": lambda random: [claim(random) for _ in range(random.randint(0, 2))],
        "RecordActionInput.identifiers": lambda random: [claim(random) for _ in range(random.randint(1, 2))],
        "RecordActionInput.id": lambda random: random.choice([str(uuid4())] * 4 + theirs),
        "RecordActionInput.at": lambda random: now(),
        "RecordActionInput.type": one_of(*[f"viewed.{me.hidden}"] * 4, "contact.ended", ""),
        "RecordActionInput.contact": contacts,
        "RecordActionInput.journey": one_of(f"journey {me.hidden}"),
        **{f"{deed}Input.{name}": pool for deed in deeds for name, pool in journeys.items()},
        "StartJourneyInput.type": one_of(*["move"] * 4, ""),
        "AnswerQuestionInput.value": one_of({"said": me.hidden}, None),
        "StartJourneyInput.key": one_of("", f"order-{me.hidden}"),
        "AdvanceJourneyInput.step": one_of(f"step-{me.hidden}"),
        "ActionFilter.channel": one_of("web", "desk", "nonsense"),
        "ActionFilter.type": one_of("plan.viewed", "search.done", "nonsense"),
        "SubjectInput.kind": one_of("case", "nonsense"),
        "SubjectInput.id": one_of(f"case-{me.hidden}", "nonsense"),
        "Int": one_of(1, 2, 20, 100, 0, -1),
        "Boolean": one_of(True, False),
        "String": one_of("nonsense", ""),
        "DateTime": one_of("2020-01-01T00:00:00.000Z", "2099-01-01T00:00:00.000Z", now(), "never"),
        "Date": one_of("2020-01-01", "2099-01-01", "someday"),
        "Counter": one_of(0, 9),
        "Float": one_of(0.1, -1.0),
        "JSON": one_of({"said": me.hidden}),
        "ActionBatch": lambda random: batch(action(login(other.login))),
    }


def leaks(heard: str, asked: Operation, me: Person, other: Person) -> list[str]:
    """Every text of the other's in what was heard that the asker did not say itself; see the module."""
    found = [text for text in (other.hidden, *other.hidden_ids) if text in heard]
    secrets = list(other.secrets())
    for part in heard.split("\n"):
        if not part.startswith("{"):
            found += [text for text in secrets if text in part]
            continue
        answer = json.loads(part)
        payload = answer.get("payload")
        answer = payload if isinstance(payload, dict) else {"errors": payload} if payload else answer
        said = said_in(asked, me)
        found += [text for one in texts(answer.get("data")) if one not in said for text in secrets if text in one]
        sent = sorted(texts(asked.variables), key=len, reverse=True)
        for error in answer.get("errors") or ():
            message = json.dumps(error)
            for one in sent:
                message = message.replace(json.dumps(one)[1:-1], "") if one else message
            found += [text for text in secrets if text in message]
    return found


def said_in(asked: Operation, me: Person) -> set[str]:
    """What data may repeat, letter by letter."""
    claims = {one for one in claimed(asked.variables) if not one.startswith(("cus_", "act_", "con_", "jrn_", "prf_"))}
    inputs = [one for one in asked.variables.values() if isinstance(one, dict) and asked.kind == "mutation"]
    return me.recorded | claims | {one["id"] for one in inputs if "id" in one}


def claimed(value: Any) -> Iterator[str]:
    """Who the asker said it is, in which contact."""
    if isinstance(value, dict):
        if {"kind", "value", "assurance"} <= value.keys():
            yield value["value"]
        if isinstance(value.get("contact"), str):
            yield value["contact"]
        for inner in value.values():
            yield from claimed(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from claimed(inner)


def texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value, names included."""
    if isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value
