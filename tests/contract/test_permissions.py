"""Who may do what, field by field: every row of `permissions.py`, tried on a real server by every asker."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import anyio
import httpx
import pytest
from graphql import build_schema
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from steadylight_server.access.models import Role, Scope
from steadylight_server.access.service import AccessService
from steadylight_server.access.store import AccessStore
from steadylight_server.capabilities import Answer
from steadylight_server.core.audit import Audit, AuditStore
from steadylight_server.core.embedded import EmbeddedDatabase
from steadylight_server.core.mongo import Database
from tests.conftest import LiveServer, settings_for
from tests.contract.coordinates import Asked, Documents, coordinates
from tests.contract.permissions import ASKERS, rows
from tests.factories import BY, action, batch, login, now
from tests.issuers import IssuerKit

SCHEMA = build_schema((Path(__file__).parents[2] / "schema/schema.graphql").read_text())
ROWS = rows()
FIRST, SECOND = f"first-{uuid4().hex[:8]}", f"second-{uuid4().hex[:8]}"
COOKIE = "__Host-steadylight"
LETTERS = {"NOT_FOUND": "N", "FORBIDDEN": "F", "UNAUTHENTICATED": "U", "INVALID": "R"}
REFUSALS = "NFUR"
# Written by asking, whatever is answered: the audit, the counts of the limits. A credential's `last_used_at` as well.
BESIDES = {"audit", "audit_head", "rates"}
RECORD = "mutation ($input: RecordActionsInput!) { recordActions(input: $input) { token verdicts } }"
BLUEPRINT = """
version: 1
channels:
  sms: {kind: AUTOMATED_AGENT}
journeys:
  move:
    label: Moving house
    steps: [where, when]
    questions:
      postcode: {label: "Which postcode?", form: TEXT, pattern: "[a-z0-9-]+"}
      speed: {choices: [slow, fast]}
  order:
    label: An order
    threads: {subject: order, completes: 'type == "order.shipped"', counts: {steps: 'type != ""'}}
capabilities:
  statement.view:
    label: See a statement
    description: What was booked in a month.
    implementation: {function: view}
    reversible: true
    reversed_by: statement.hide
    channels: {sms: {not_feasible: A message is too short for it.}}
  statement.hide: {implementation: {function: view}, scopes: ["perform:never"]}
  statement.order: {implementation: {function: order}}
"""
FUNCTIONS = {
    "view": lambda call: {"url": f"statement-{call.customer.by('login')}"},
    "order": lambda call: Answer(handle="job"),
}
DID = ("placed", "shipped")
# What is done about a journey, and what is left to see of it.
DEEDS = {
    "startJourney": "journey { id }",
    "askQuestion": "token",
    "answerQuestion": "token",
    "advanceJourney": "isDone",
    "setJourneyStatus": "isDone",
}


PUBLISHED = "---\ntitle: A guide\nowner: ann\nreview_on: 2027-01-31\ntopics: [moving]\n---\n"
PUBLISHED += "<!-- fragment\nid: body\nheading: First\n-->\nSay when.\n"
PUBLISHED = PUBLISHED.replace("topics", "expires: 2099-12-31\ncapabilities: [order]\njourneys: [move]\ntopics")
DRAFTED = PUBLISHED.replace("when", "where and when")


class Person:
    """A customer with a call, a visit that has ended, and an action of a device whose clock was off."""

    def __init__(self, name: str) -> None:
        self.name = name
        said = login(name)
        about = {"journey": f"journey-{name}", "subject": {"kind": "case", "id": f"case-{name}"}}
        about |= {"properties": {"outcome": f"outcome-{name}"}}
        visit, call = f"visit-{name}", f"call-{name}"
        self.visited = [
            action(said, contact=visit, type="plan.viewed", traits={"plan": f"plan-{name}"}, **about),
            action(said, contact=visit, type="contact.ended", **about),
        ]
        about_it = {"contact": f"late-{name}", "subject": {"kind": "order", "id": f"order-{name}"}}
        self.late = [
            action(said, contact=f"late-{name}", at="2026-11-22T00:00:00.000Z"),
            *(action(said, type=f"order.{did}", at="2026-11-21T23:00:00.000Z", **about_it) for did in DID),
        ]
        self.called = [
            action(login(name, "IN_PERSON"), contact=call, type="call.noted", actor="AGENT", agent=f"agent-{name}")
        ]
        told = {"version": 1, "fragments": ["body"], "rendering": "html", "locale": "en", "hash": "0" * 32}
        about = {"contact": visit, "subject": {"kind": "article", "id": f"guide-{name}"}, "properties": told}
        self.visited.append(action(said, type="article.shown", **about))
        self.ids = {f"act_{UUID(one['id']).hex}" for one in (*self.visited, *self.late, *self.called)}
        self.number = {"kind": "customer-number", "value": f"number-{name}", "assurance": "OTP"}
        self.token = ""
        self.journey = ""
        self.performance = ""
        self.ordered: Iterator[str] = iter(())

    def learn(self, server: LiveServer, key: str, by: dict[str, Any]) -> None:
        """What the server calls them."""
        query = "query ($input: ContextInput!) { contextDocument(input: $input) }"
        told = server.graphql(query, {"input": {"identifiers": [by]}}, key)["data"]["contextDocument"]
        self.id = told["customer"]
        self.ids |= {told["customer"], *(one["id"] for one in told["contacts"])}
        self.token = told["token"]

    def wants(self, server: LiveServer, key: str) -> None:
        """Journeys: one with a question that came up twice and one that was never answered, one that stalled, one that
        has ended, and one that a merge will bring.
        """

        def do(deed: str, **input: Any) -> str:
            given = {"operationId": str(uuid4()), "identifiers": [login(self.name)], **input}
            given.setdefault("contact", f"visit-{self.name}")
            self.ids.add(f"act_{UUID(given['operationId']).hex}")
            mutation = (
                f"mutation ($input: {deed[0].upper()}{deed[1:]}Input!) {{ {deed}(input: $input) {{ {DEEDS[deed]} }} }}"
            )
            told = server.graphql(mutation, {"input": given}, key)["data"][deed]
            if "journey" not in told:
                return ""
            self.ids.add(told["journey"]["id"])
            return str(told["journey"]["id"])

        do("startJourney", type="move", identifiers=[self.number], contact=None)
        self.journey = do("startJourney", type="move")
        answer = {"journey": self.journey, "question": "postcode", "value": f"postcode-{self.name}"}
        do("askQuestion", journey=self.journey, question="speed")
        do("answerQuestion", **answer)
        do("answerQuestion", **answer, contact=f"late-{self.name}")
        ended = do("startJourney", type="move", key="ended")
        do("setJourneyStatus", journey=ended, status="COMPLETED", outcome=f"outcome-{self.name}")
        asleep = do("startJourney", type="move", key="asleep")
        server.database.journeys.update_one({"_id": UUID(asleep[4:])}, {"$set": {"stalled_at": datetime.now(UTC)}})

    def performs(self, server: LiveServer, key: str) -> None:
        """A statement, of which all that can be told is told, and orders that nobody has completed yet."""
        mutation = """mutation ($input: PerformCapabilityInput!) {
          performCapability(input: $input) { performance { id state } }
        }"""
        performances = server.database.performances
        for capability in ("statement.view", "statement.order"):
            given: dict[str, Any] = {
                "capability": capability,
                "input": {},
                "key": "k-1",
                "identifiers": [login(self.name)],
                "journey": self.journey,
            }
            told = server.graphql(mutation, {"input": given}, key)["data"]["performCapability"]["performance"]
            if told["state"] == "DONE":
                self.performance = told["id"]
        spoken: dict[str, Any] = {"code": "NO", "message": "no"}
        half: dict[str, Any] = {"done": 0.5, "message": "half", "at": datetime.now(UTC)}
        mine = {"_id": UUID(self.performance[4:])}
        performances.update_one(mine, {"$set": {"failure": spoken, "progress": half}})
        order: Any = performances.find_one({"key": "k-1", "state": "ACCEPTED"}, sort=[("begun_at", -1)])
        orders = [{**order, "_id": uuid4(), "key": f"order-{number}"} for number in range(500)]
        performances.insert_many(orders)
        names = [f"prf_{one['_id'].hex}" for one in orders]
        self.ids |= {self.performance, f"prf_{order['_id'].hex}", *names}
        self.ordered = iter(names)


class Scene:
    """The server, what is in it, and the headers of each asker."""

    def __init__(self, mongod: EmbeddedDatabase) -> None:
        self.kits = {
            "CUSTOMER": IssuerKit("id", "CUSTOMER", {"web-page": "web"}),
            "AGENT": IssuerKit("staff", "AGENT", {"desktop": "desk"}),
            "ADMIN": IssuerKit("tools", "ADMIN", {"tool": None}),
        }
        self.kiosks = IssuerKit("kiosks", "CUSTOMER", {"kiosk": "desk"})
        self.server = LiveServer(
            settings_for(
                mongod,
                # What kiosks prove leads to nobody: no kind of theirs is anybody's own.
                issuers=(*(kit.settings() for kit in self.kits.values()), self.kiosks.settings(kind="device")),
                rate_per_credential="unlimited",
                rate_per_customer="unlimited",
            ),
            blueprint=BLUEPRINT,
            functions=FUNCTIONS,
        )
        #: The words of whoever recorded for the second customer: what they said themselves may come back.
        self.said: set[str] = set()
        self.url = f"{self.server.url}/graphql"
        self.key = self.server.key("web")
        self.desk = self.server.key("desk", "ASSISTED")
        self.people = {FIRST: Person(FIRST), SECOND: Person(SECOND)}
        self._articles()
        for person in self.people.values():
            self.record(self.key, *person.visited)
            self.record(self.key, *person.late, sent_at="2026-11-22T00:00:01.000Z")
            self.record(self.desk, *person.called)
            person.learn(self.server, self.key, login(person.name))
            person.wants(self.server, self.key)
            person.performs(self.server, self.key)
            self.record(self.desk, action(login(person.name), person.number))
        self.spare = iter(self._strangers(400))
        self._conflict()
        self._gap()
        self.http = httpx.Client(timeout=20, verify=False)
        self.askers = self._askers()
        self._threads = ThreadPoolExecutor(8)

    def _articles(self) -> None:
        """One that is published and has a draft, shown to the first customer; one that is published; one that was."""

        def write(deed: str, slug: str, revision: int, text: str | None) -> None:
            files = {"files": [{"name": f"{slug}.md", "text": text}]} if text else {}
            given = {"slug": slug, "revision": revision, "reason": "new", **files}
            kind = f"{deed[0].upper()}{deed[1:]}Input!"
            mutation = f"mutation ($input: {kind}) {{ {deed}(input: $input) {{ article {{ id }} }} }}"
            told = self.server.graphql(mutation, {"input": given}, self.server.admin_key)
            assert "errors" not in told, told

        guide = f"guide-{FIRST}"
        write("publishArticle", guide, 0, PUBLISHED)
        write("saveArticle", guide, 1, DRAFTED)
        write("publishArticle", "tariff", 0, PUBLISHED)
        write("publishArticle", "old", 0, PUBLISHED)
        write("expireArticle", "old", 1, None)
        search = "query ($input: SearchInput!) { search(input: $input) { meant } }"
        end = time.monotonic() + 60  # until the server's index has them
        while not self.server.graphql(search, {"input": {"query": "giude"}}, self.key)["data"]["search"]["meant"]:
            assert time.monotonic() < end, "what was published is not found"
            time.sleep(0.05)

    def _strangers(self, count: int) -> list[dict[str, Any]]:
        """Customers whom nobody else asks for, by an identifier of theirs."""
        made = [{"kind": "account", "value": f"stranger-{uuid4().hex}", "assurance": "LOGIN"} for _ in range(count)]
        self.record(self.key, *(action(one) for one in made))
        return [{"identifier": one} for one in made]

    def _conflict(self) -> None:
        """Two logins with one account: one link between strangers that holds, and one that is refused."""
        shared = {"kind": "account", "value": f"shared-{uuid4().hex}", "assurance": "LOGIN"}
        for _ in range(2):
            self.record(self.key, action(login(f"stranger-{uuid4().hex}"), shared))
        found = self.server.database.links.find_one({"refusal": {"$exists": True}})
        assert found is not None
        self.refused = f"lnk_{found['_id'].hex}"

    def _gap(self) -> None:
        """A stranger does not get a statement in one channel, and goes to another."""
        stranger = login(f"stranger-{uuid4().hex}")
        gap = {"capability": "statement.view", "why": "NOT_FEASIBLE"}
        self.record(self.key, action(stranger, type="capability.refused", properties=gap))
        self.record(self.desk, action(stranger))

    def each(self, names: Iterable[str], ask: Callable[[str], str]) -> dict[str, str]:
        """What `ask` says of each name, asked at once."""
        names = list(names)
        return dict(zip(names, self._threads.map(ask, names), strict=True))

    def close(self) -> None:
        """Ends the server."""
        self._threads.shutdown()
        self.http.close()
        self.server.stop()

    def record(self, key: str, *actions: dict[str, Any], sent_at: str | None = None) -> None:
        """Stores them."""
        told = self.server.graphql(RECORD, {"input": {"batch": batch(*actions, sent_at=sent_at)}}, key)
        assert set(told["data"]["recordActions"]["verdicts"]["verdicts"]) == {"S"}, told

    def stored(self) -> dict[str, bytes]:
        """All that is in the database, but for BESIDES and when credentials were used last; the bytes by collection."""
        names = set(self.server.database.list_collection_names()) - BESIDES
        return {name: self._raw(name) for name in names}

    def _raw(self, name: str) -> bytes:
        """The documents of a collection, as they came: to decode them would take longer than all that is asked."""
        batches: Any = self.server.database[name].find_raw_batches({}, {"last_used_at": False}, sort=[("_id", 1)])
        return b"".join(batches)

    def _askers(self) -> dict[str, dict[str, str]]:
        """Headers by asker."""
        customers, agents, admins = self.kits.values()
        channel = self.server.key("web")
        token, other = customers.token(FIRST), customers.token(SECOND)
        why, there = {"Steadylight-Reason": "they asked"}, {"Steadylight-Contact": f"call-{FIRST}"}
        revoked = self.server.key("web")
        self.server.revoke(revoked)
        ours = {"Sec-Fetch-Site": "same-origin", "Origin": self.server.url}
        agent, admin, ended = (self._session(role) for role in (Role.AGENT, Role.ADMIN, Role.ADMIN))
        over = {"Cookie": f"{COOKIE}={ended}", **ours}
        assert self.http.post(f"{self.server.url}/sign-out", headers=over).status_code == 204
        return {
            "nobody": {},
            "another channel": bearer(self.server.key("shop")),
            "a channel that may not read": bearer(self.server.key("web", scopes=frozenset({Scope.ACTIONS_WRITE}))),
            "a channel that may not record": bearer(self.server.key("web", scopes=frozenset({Scope.CUSTOMERS_READ}))),
            "a channel": bearer(channel),
            "a channel beside the customer's token": bearer(channel) | {"Steadylight-Customer": token},
            "a channel beside another customer's token": bearer(channel) | {"Steadylight-Customer": other},
            "the customer": bearer(token),
            "another customer": bearer(other),
            "an agent without a reason": bearer(agents.token("ann")),
            "an agent in no such contact": bearer(agents.token("ann")) | {"Steadylight-Contact": f"call-{SECOND}"},
            "an agent with a reason": bearer(agents.token("ann")) | why,
            "an agent in the contact": bearer(agents.token("ann")) | there,
            "an admin's key": bearer(self.server.admin_key),
            "an admin's token": bearer(admins.token("tool")),
            "an agent's cookie": {"Cookie": f"{COOKIE}={agent}", **ours, **there},
            "an admin's cookie": {"Cookie": f"{COOKIE}={admin}", **ours},
            "an expired token": bearer(customers.token(FIRST, exp=int(time.time()) - 60)),
            "a revoked key": bearer(revoked),
            "a revoked session": over,
        }

    def _session(self, role: Role) -> str:
        """What the cookie of somebody who signed in holds."""

        async def link() -> str:
            assert self.server.settings.mongodb_uri is not None
            database = Database(self.server.settings.mongodb_uri, self.server.settings.database)
            access = AccessService(AccessStore(database), Audit(AuditStore(database)))
            try:
                channel = "desk" if role is Role.AGENT else None
                return (await access.add_link(role, "Kim", channel=channel, by=BY))[1]
            finally:
                await database.close()

        ours = {"Sec-Fetch-Site": "same-origin"}
        with httpx.Client(base_url=self.server.url, headers=ours, verify=False) as browser:
            response = browser.post("/sign-in", json={"link": anyio.run(link)})
        return response.headers["set-cookie"].partition(";")[0].partition("=")[2]


def bearer(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"}


@pytest.fixture(scope="module")
def scene(mongod: EmbeddedDatabase) -> Iterator[Scene]:
    scene = Scene(mongod)
    yield scene
    scene.close()


@pytest.fixture(scope="module")
def documents(scene: Scene) -> Documents:
    """Always about the first customer."""
    first = scene.people[FIRST]
    newest, oldest = cursors(scene, first)
    stranger = next(scene.spare)
    by: Callable[[], Any] = lambda: {"id": first.id}  # noqa: E731
    values: dict[str, Callable[[], Any]] = {
        "Query.customer(by:)": by,
        "Subscription.customerActivity(by:)": by,
        "Query.customers(value:)": lambda: FIRST,
        "Query.node(id:)": lambda: first.id,
        "CustomerBy.id": lambda: first.id,
        "CustomerBy.identifier": lambda: login(FIRST),
        "IdentifierInput.kind": lambda: "login",
        "IdentifierInput.value": lambda: FIRST,
        "IdentifierInput.assurance": lambda: "LOGIN",
        "ContextInput.identifiers": lambda: [login(FIRST), {"kind": "cookie", "value": "1", "assurance": "CLAIMED"}],
        "ContextInput.contact": lambda: f"visit-{FIRST}",
        "ContextInput.after": lambda: first.token,
        "ContextInput.recent": lambda: 5,
        "ContextInput.brief": lambda: "CARD",
        "Context.brief(form:)": lambda: "SMS",
        "ActionFilter.channel": lambda: "web",
        "ActionFilter.type": lambda: "plan.viewed",
        "ActionFilter.since": lambda: "2020-01-01T00:00:00.000Z",
        "ActionFilter.until": lambda: "2099-01-01T00:00:00.000Z",
        "SubjectInput.kind": lambda: "case",
        "SubjectInput.id": lambda: f"case-{FIRST}",
        "Customer.actions(filter:)": dict,
        "Customer.actions(order:)": lambda: "OLDEST_FIRST",
        "Customer.actions(first:)": lambda: 3,
        "Customer.actions(after:)": lambda: oldest,
        "Customer.actions(last:)": lambda: 3,
        "Customer.actions(before:)": lambda: newest,
        "RecordActionInput.id": lambda: str(uuid4()),
        "RecordActionInput.type": lambda: f"type-{uuid4().hex}",
        "RecordActionInput.at": now,
        "RecordActionInput.sequence": lambda: 7,
        "RecordActionInput.identifiers": lambda: [login(FIRST)],
        "RecordActionInput.contact": lambda: f"visit-{FIRST}",
        "RecordActionInput.journey": lambda: "buy",
        "RecordActionInput.actor": lambda: "AGENT",
        "RecordActionInput.agent": lambda: "Ann",
        "RecordActionInput.properties": lambda: {"a": 1},
        "RecordActionInput.traits": lambda: {"plan": "fibre"},
        "RecordActionsInput.batch": lambda: batch(action(login(FIRST), type=f"type-{uuid4().hex}")),
        "Query.mergePreview(one:)": by,
        "Query.mergePreview(other:)": lambda: stranger,
        "Query.identityConflicts(first:)": lambda: 5,
        "MergeCustomersInput.operationId": lambda: str(uuid4()),
        "MergeCustomersInput.one": lambda: next(scene.spare),
        "MergeCustomersInput.other": lambda: next(scene.spare),
        "MergeCustomersInput.why": lambda: "one passport",
        "UnlinkInput.operationId": lambda: str(uuid4()),
        "UnlinkInput.link": lambda: scene.refused,
        "UnlinkInput.why": lambda: "two people",
        "ResolveConflictInput.operationId": lambda: str(uuid4()),
        "ResolveConflictInput.link": lambda: scene.refused,
        "ResolveConflictInput.decision": lambda: "APART",
        "ResolveConflictInput.why": lambda: "two people",
        "Query.article(by:)": lambda: {"slug": f"guide-{FIRST}"},
        "ArticleBy.id": lambda: f"art_guide-{FIRST}",
        "ArticleBy.slug": lambda: f"guide-{FIRST}",
        "Query.articles(first:)": lambda: 3,
        "Query.articles(after:)": lambda: "art_a",
        "Query.articles(last:)": lambda: 3,
        "Query.articles(before:)": lambda: "art_z",
        "ArticleFilter.capability": lambda: "order",
        "ArticleFilter.journey": lambda: "move",
        "ArticleFilter.topic": lambda: "moving",
        "ArticleFilter.reviewBefore": lambda: "2027-02-01",
        "ViewpointInput.contact": lambda: f"visit-{FIRST}",
        "ViewpointInput.locale": lambda: "de",
        "ViewpointInput.asEmployee": lambda: False,
        "ViewpointInput.identifiers": lambda: [login(FIRST)],
        "ArticleInput.identifiers": lambda: [login(FIRST)],
        "ArticleInput.contact": lambda: f"visit-{FIRST}",
        "ArticleInput.locale": lambda: "de",
        "ArticleInput.asEmployee": lambda: False,
        "ArticleInput.slug": lambda: f"guide-{FIRST}",
        "ArticleInput.ifNoneMatch": lambda: "0" * 32,
        "SearchInput.query": lambda: "giude",
        "SearchInput.identifiers": lambda: [login(FIRST)],
        "SearchInput.contact": lambda: f"visit-{FIRST}",
        "SearchInput.locale": lambda: "de",
        "SearchInput.asEmployee": lambda: False,
        "SearchInput.topics": lambda: ["mobile"],
        "SearchInput.locales": lambda: ["en"],
        "SearchInput.first": lambda: 3,
        "SearchInput.offset": lambda: 0,
        "SuggestInput.prefix": lambda: "gui",
        "SuggestInput.identifiers": lambda: [login(FIRST)],
        "SuggestInput.contact": lambda: f"visit-{FIRST}",
        "SuggestInput.locale": lambda: "de",
        "SuggestInput.asEmployee": lambda: False,
        "SuggestInput.first": lambda: 3,
        "Query.articleRecord(slug:)": lambda: f"guide-{FIRST}",
        "ArticleRecord.versions(below:)": lambda: 2,
        "ArticleRecord.diff(before:)": lambda: 1,
        "ArticleRecord.diff(after:)": lambda: 2,
        "Query.affectedBy(article:)": lambda: f"guide-{FIRST}",
        "Query.affectedBy(version:)": lambda: 1,
        "Query.affectedBy(first:)": lambda: 3,
        "Query.affectedBy(after:)": lambda: newest,
        "Query.affectedBy(last:)": lambda: 3,
        "Query.affectedBy(before:)": lambda: oldest,
        "SaveArticleInput.slug": lambda: f"guide-{FIRST}",
        "SaveArticleInput.revision": lambda: 2,
        "SaveArticleInput.reason": lambda: "again",
        "ArticleFileInput.name": lambda: f"guide-{FIRST}.md",
        "ArticleFileInput.text": lambda: DRAFTED,
        "PublishArticleInput.slug": lambda: "tariff",
        "PublishArticleInput.revision": lambda: 1,
        "PublishArticleInput.reason": lambda: "again",
        "PublishArticleInput.files": lambda: [{"name": "tariff.md", "text": PUBLISHED}],
        "ExpireArticleInput.slug": lambda: "old",
        "ExpireArticleInput.revision": lambda: 2,
        "ExpireArticleInput.reason": lambda: "again",
        "StartJourneyInput.type": lambda: "move",
        "StartJourneyInput.key": lambda: "order-7",
        "AnswerQuestionInput.value": lambda: f"postcode-{FIRST}",
        "AdvanceJourneyInput.step": lambda: "when",
        "AdvanceJourneyInput.cameFrom": lambda: "where",
        "SetJourneyStatusInput.status": lambda: "WAITING",
        "SetJourneyStatusInput.outcome": lambda: "later",
        "Query.performance(id:)": lambda: first.performance,
        "Query.parity(since:)": lambda: "2026-11-01T00:00:00Z",
        "Query.parity(within:)": lambda: 600.0,
        "Subscription.performance(id:)": lambda: first.performance,
        "CapabilitiesInput.identifiers": lambda: [login(FIRST)],
        "CapabilitiesInput.contact": lambda: f"visit-{FIRST}",
        "CapabilitiesInput.channel": lambda: "web",
        "PerformCapabilityInput.capability": lambda: "statement.view",
        "PerformCapabilityInput.input": dict,
        "PerformCapabilityInput.key": lambda: "k-1",
        "PerformCapabilityInput.identifiers": lambda: [login(FIRST)],
        "PerformCapabilityInput.contact": lambda: f"visit-{FIRST}",
        "PerformCapabilityInput.agent": lambda: "Ann",
        "PerformCapabilityInput.journey": lambda: first.journey,
        "PerformCapabilityInput.within": lambda: 5.0,
        "ReportProgressInput.performance": lambda: next(first.ordered),
        "ReportProgressInput.done": lambda: 0.5,
        "ReportProgressInput.message": lambda: "half",
        "CompletePerformanceInput.performance": lambda: next(first.ordered),
        "CompletePerformanceInput.output": dict,
        "PerformanceFailureInput.code": lambda: "NO",
        "PerformanceFailureInput.message": lambda: "no",
        "RegisterChannelInput.name": lambda: f"c{uuid4().hex[:8]}",
        "RegisterChannelInput.kind": lambda: "ASSISTED",
        "RegisterChannelInput.highestAssurance": lambda: "OTP",
    }
    for name in (f"{deed[0].upper()}{deed[1:]}Input" for deed in DEEDS):
        values |= {
            f"{name}.operationId": lambda: str(uuid4()),
            f"{name}.journey": lambda: first.journey,
            f"{name}.question": lambda: "postcode",
            f"{name}.identifiers": lambda: [login(FIRST)],
            f"{name}.contact": lambda: f"visit-{FIRST}",
            f"{name}.agent": lambda: "Ann",
        }
    always = {one for one in values if one.endswith("Input.identifiers")}
    always |= {"Customer.actions(order:)", "AnswerQuestionInput.contact", "AnswerQuestionInput.value"}
    beside = {
        "Context": "customer { id }",
        "RecordActionPayload": "verdict { verdict }",
        "RecordActionsPayload": "refused",
        "PerformCapabilityPayload": "performance { id }",
    }
    along = {"RecordActionInput.agent": "RecordActionInput.actor"}
    completing = ("Mutation.completePerformance", "Mutation.completePerformance(input:)")
    payload = "CompletePerformancePayload.performance"
    for one in (*completing, "CompletePerformanceInput.performance", payload):
        along[one] = "CompletePerformanceInput.output"
    detours = {
        *("Query.identityConflicts", "Context.actions", "Context.claims", "RecordActionsPayload.warnings"),
        *("ArticleConnection.pageInfo", "ShowingConnection.pageInfo"),
        "Performance.journey",
    }
    return Documents(SCHEMA, values, always=always, along=along, detours=detours, beside=beside)


def cursors(scene: Scene, person: Person) -> tuple[str, str]:
    """Of the newest and of the oldest action."""
    query = "query ($by: CustomerBy!) { customer(by: $by) { actions { pageInfo { startCursor endCursor } } } }"
    told = scene.server.graphql(query, {"by": {"id": person.id}}, scene.key)["data"]["customer"]["actions"]["pageInfo"]
    return told["startCursor"], told["endCursor"]


def test_every_coordinate_has_a_row_and_every_row_a_coordinate() -> None:
    there = set(coordinates(SCHEMA))

    assert there - ROWS.keys() == set(), "Say in tests/contract/permissions.py who may use these."
    assert ROWS.keys() - there == set(), "These rows of tests/contract/permissions.py are about nothing in the schema."


@pytest.mark.parametrize("coordinate", [one for one in ROWS if not one.startswith("Subscription.")])
def test_who_may_use(coordinate: str, scene: Scene, documents: Documents) -> None:
    expected = ROWS[coordinate]
    refused = [asker for asker in expected if expected[asker] in REFUSALS]
    before = scene.stored()

    answers = scene.each(refused, lambda asker: answered(scene, asker, documents.using(coordinate)))
    after = scene.stored()
    others = expected.keys() - refused
    answers |= scene.each(others, lambda asker: answered(scene, asker, documents.using(coordinate)))

    assert answers == expected
    changed = sorted(name for name in before | after if before.get(name) != after.get(name))
    assert changed == [], f"what was refused with {coordinate} left something in the database"


@pytest.mark.parametrize("coordinate", [one for one in ROWS if one.startswith("Subscription.")])
def test_who_may_follow(coordinate: str, scene: Scene, documents: Documents) -> None:
    asked = documents.using(coordinate)
    answers: dict[str, str] = {}
    following: dict[str, ClientConnection] = {}

    with ExitStack() as stack:
        for asker, headers in scene.askers.items():
            socket = stack.enter_context(connected(scene, headers))
            try:
                socket.send(introduction(headers))
                assert json.loads(socket.recv(timeout=10)) == {"type": "connection_ack"}
                following[asker] = socket
                socket.send(subscribe(asked))
            except ConnectionClosed:
                answers[asker] = {4401: "U", 4403: "F"}[socket.close_code or 0]
        told: dict[str, Any] = {}
        while told.keys() != following.keys():
            for person in scene.people.values():
                happened = action(login(person.name))
                person.ids.add(f"act_{UUID(happened['id']).hex}")
                scene.record(scene.key, happened)
            for asker in following.keys() - told.keys():
                try:
                    told[asker] = json.loads(following[asker].recv(timeout=0.05))
                except TimeoutError:
                    continue
    answers |= {asker: judged(scene, heard(message), asked) for asker, message in told.items()}

    assert answers == ROWS[coordinate]


def test_an_agent_s_name_is_told_to_no_customer_on_any_way(scene: Scene, documents: Documents) -> None:
    ways = {asked.text: asked for asked in documents.ways_to("Action", "agent") if asked.kind != "subscription"}

    answers = scene.each(ways, lambda text: answered(scene, "the customer", ways[text]))

    assert len(ways) > 5
    assert set(answers.values()) == {"F"}


def test_no_way_leads_a_customer_to_another(scene: Scene, documents: Documents) -> None:
    told = {"Customer": "since", "Action": "type", "Journey": "key", "Answer": "value", "Ask": "at"}
    told |= {"Thread": "startedIn", "Performance": "channel"}
    found = [way for type, field in told.items() for way in documents.ways_to(type, field)]
    ways = {asked.text: asked for asked in found if asked.kind != "subscription"}

    answers = scene.each(ways, lambda text: answered(scene, "another customer", ways[text]))

    assert len(ways) > 10
    assert set(answers.values()) <= set("NFS")


PROBES = {
    "query ($id: ID!) { customer(by: {id: $id}) { id } }": lambda name, person: {"id": person},
    "query ($id: ID!) { node(id: $id) { id } }": lambda name, person: {"id": person},
    "query ($name: String!) { customers(value: $name) { id } }": lambda name, person: {"name": name},
    "query ($of: IdentifierInput!) { customer(by: {identifier: $of}) { id } }": lambda name, person: {
        "of": login(name)
    },
    "query ($of: IdentifierInput!) { context(input: {identifiers: [$of]}) { customer { id } } }": (
        lambda name, person: {"of": login(name)}
    ),
}


@pytest.mark.parametrize("query", PROBES)
def test_an_agent_who_only_names_a_contact_cannot_tell_who_is_there(query: str, scene: Scene) -> None:
    somebody = PROBES[query](FIRST, scene.people[FIRST].id)
    nobody = PROBES[query]("nobody", f"cus_{uuid4().hex}")
    headers = scene.askers["an agent in no such contact"]

    errors = [
        scene.http.post(scene.url, json={"query": query, "variables": given}, headers=headers).json()["errors"]
        for given in (somebody, nobody)
    ]

    assert [(error["message"], error["extensions"]["code"]) for (error,) in errors] == [
        (errors[0][0]["message"], "FORBIDDEN")
    ] * 2


def test_what_a_contact_of_nobody_known_holds_is_shown_to_who_is_in_it(scene: Scene) -> None:
    call, secret = f"call-{uuid4().hex}", uuid4().hex
    scene.record(scene.desk, action(contact=call, properties={"said": secret}))
    query = "query ($key: String!) { context(input: {contact: $key}) { customer { id } actions { properties } } }"
    agent = bearer(scene.kits["AGENT"].token("ann"))
    askers = {
        "in it": agent | {"Steadylight-Contact": call},
        "for a reason": agent | {"Steadylight-Reason": "they asked"},
        "in another": agent | {"Steadylight-Contact": f"call-{FIRST}"},
        "a kiosk": bearer(scene.kiosks.token("kiosk-1")),
    }

    answers = {
        name: scene.http.post(scene.url, json={"query": query, "variables": {"key": call}}, headers=headers).text
        for name, headers in askers.items()
    }

    assert [name for name, answer in answers.items() if secret in answer] == ["in it", "for a reason"]
    home = scene.server.database.actions.find_one({"contact": call})
    assert home is not None
    whom = f"cus_{home['profile_id'].hex}"
    noted = [entry["why"] for entry in scene.server.database.audit.find({"whom": whom}, sort=[("_id", 1)])]
    assert noted == [f"contact {call} in desk", "they asked"]


def test_a_contact_that_is_not_theirs_stands_in_no_audit(scene: Scene) -> None:
    why = f"why-{uuid4().hex}"
    headers = scene.askers["an agent in no such contact"] | {"Steadylight-Reason": why}
    query = "query ($id: ID!) { customer(by: {id: $id}) { id } }"

    answer = scene.http.post(
        scene.url, json={"query": query, "variables": {"id": scene.people[FIRST].id}}, headers=headers
    ).json()

    assert answer["data"]["customer"]["id"] == scene.people[FIRST].id
    assert scene.server.database.audit.count_documents({"why": why}) == 1


def test_another_customer_s_things_are_as_if_they_were_not_there(scene: Scene) -> None:
    query = "query ($id: ID!) { node(id: $id) { id } customer(by: {id: $id}) { id } }"

    def told(id: str) -> list[Any]:
        body = {"query": query, "variables": {"id": id}}
        answer = scene.http.post(scene.url, json=body, headers=scene.askers["another customer"]).json()
        return sorted(
            (error["path"], error["message"].replace(id, "…"), error["extensions"]["code"])
            for error in answer["errors"]
        )

    there = [told(id) for id in sorted(scene.people[FIRST].ids)]
    nowhere = {prefix: told(f"{prefix}{uuid4().hex}") for prefix in ("act_", "con_", "cus_", "jrn_", "prf_")}

    assert there == [nowhere[id[:4]] for id in sorted(scene.people[FIRST].ids)]


def answered(scene: Scene, asker: str, asked: Asked) -> str:
    """The letter for what the asker is answered. Whatever was recorded must be where the letter says."""
    body = {"query": asked.text, "variables": asked.variables}
    response = scene.http.post(scene.url, json=body, headers=scene.askers[asker])
    letter = judged(scene, response.json(), asked)
    if asked.kind == "mutation" and letter in "YS-" and (stored := recorded(scene, asked)):
        channel = "shop" if asker == "another channel" else "web"
        assert stored["channel"] == channel
        owner = scene.server.database.profiles.find_one({"_id": stored["profile_id"]})
        assert owner is not None
        whose = {FIRST: "Y", SECOND: "S"}[owner["value"]]
        if whose == "S":
            scene.said.update(texts(asked.variables))
        return whose if letter == "Y" else letter
    return letter


def recorded(scene: Scene, asked: Asked) -> dict[str, Any] | None:
    """The action that the document was to record, if it was to record one."""
    given_to_it = (one for one in asked.variables.values() if isinstance(one, dict))
    inputs = [one for one in given_to_it if one.keys() & {"batch", "id", "operationId"}]
    given = inputs[0] if inputs else {}
    id = given["batch"]["actions"][0]["id"] if "batch" in given else given.get("id", given.get("operationId"))
    return scene.server.database.actions.find_one({"_id": UUID(id)}) if id else None


def judged(scene: Scene, answer: dict[str, Any], asked: Asked) -> str:
    """The letter for an answer. Fails where it holds anything of both customers, or what neither was asked for."""
    if errors := answer.get("errors"):
        (code,) = {error["extensions"]["code"] for error in errors}
        assert not any((answer.get("data") or {}).values())
        return LETTERS[code]
    data = answer["data"]
    if "REFUSED" in json.dumps(data) or data.get("recordActions", {}).get("refused"):
        return "R"
    shown = {one for one in texts(data) if one[:4] in ("cus_", "act_", "con_", "jrn_", "prf_")}
    shown -= {f"act_{UUID(str(one['id'])).hex}" for one in asked.variables.values() if is_action(one)}
    whose = [letter for name, letter in ((FIRST, "Y"), (SECOND, "S")) if shown & scene.people[name].ids]
    assert len(whose) <= 1, f"both customers at once: {data}"
    foreign = {"Y": SECOND, "S": FIRST}.get(whose[0]) if whose else None
    said = scene.said.union(texts(asked.variables))
    assert not [one for one in texts(data) if foreign and foreign in one and one not in said], data
    if not there(data, asked.path):
        return "-"
    return whose[0] if whose else "Y"


def is_action(value: Any) -> bool:
    return isinstance(value, dict) and "at" in value and "id" in value


def texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


def there(value: Any, path: list[str]) -> bool:
    """Whether the names lead to anything: to another value than null and the empty list."""
    if isinstance(value, list):
        return any(there(one, path) for one in value)
    if value is None or not path:
        return value is not None
    return there(value[path[0]], path[1:])


@contextmanager
def connected(scene: Scene, headers: dict[str, str]) -> Iterator[ClientConnection]:
    """A WebSocket as a browser opens it: only the cookie can come with the handshake."""
    with connect(
        scene.url.replace("http", "ws", 1),
        subprotocols=[Subprotocol("graphql-transport-ws")],
        additional_headers={name: value for name, value in headers.items() if name in ("Cookie", "Origin")},
        proxy=None,
    ) as socket:
        yield socket


def introduction(headers: dict[str, str]) -> str:
    """The rest comes in the first message."""
    payload = {name.lower(): value for name, value in headers.items() if name not in ("Cookie", "Origin")}
    return json.dumps({"type": "connection_init", "payload": payload})


def subscribe(asked: Asked) -> str:
    payload = {"query": asked.text, "variables": asked.variables}
    return json.dumps({"type": "subscribe", "id": "1", "payload": payload})


def heard(message: dict[str, Any]) -> dict[str, Any]:
    """The answer in a message."""
    payload = message["payload"]
    answer: dict[str, Any] = {"errors": payload} if message["type"] == "error" else payload
    return answer


def test_askers_and_columns_are_the_same(scene: Scene) -> None:
    assert list(scene.askers) == [asker for group in ASKERS for asker in group]
