"""A customer's own web page asks GraphQL for what is theirs with a token of their own, and sees what happens next."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from .deposit import CARD, PIN, pay_in
from .house import House
from .stage import PATIENCE, Failed, expect, say

CUSTOMER, PASSWORD = "C-1004", "mandarine"
OWN_CARD, OWN_PIN = "5300000000004822", "1860"
NEIGHBOUR = '{ customer(by: { identifier: { kind: "customer-number", value: "C-1003", assurance: LOGIN } }) { id } }'
# Seconds in which a new action must be on the page.
SOON = 3.0

Query = Callable[..., dict[str, Any]]


def play(house: House) -> None:
    """Raises Failed unless the page may ask what is the customer's, nothing else, and is told of the next deposit."""
    page = house.page()
    machine = house.serve("cash machine", "cash_machine.py", "cash-machine", "SELF_SERVICE").url()
    pay_in(machine, "session-2", OWN_CARD, OWN_PIN, {"100": 1})
    pay_in(machine, "session-3", CARD, PIN, {"5": 1})  # somebody else, whom the page must not see

    page.url()
    with httpx.Client(headers={"Origin": house.origin}, timeout=PATIENCE) as browser:
        documents = load(house, browser)
        token = sign_in(house, browser)
        me = ask(house, browser, token, documents["me.graphql"])
        check(me)
        refused(house, browser, token, documents["me.graphql"])
    with following(house, token, documents["activity.graphql"], me["id"]) as next_action:
        say("Browser", "follows what happens, over a WebSocket that began with the token")
        # A subscription is not acknowledged: until the first action is told, it may not have begun.
        for number in range(5):
            pay_in(machine, f"session-{number + 4}", OWN_CARD, OWN_PIN, {"50": 1})
            if action := next_action("deposit.made"):
                break
        else:
            raise Failed("The page was never told of a deposit.")
    amount = f"{action['properties']['amount']} {action['properties']['currency']}"
    say("Browser", f"is told while it is open: {amount} in {action['channel']} at {action['at'][11:19]}")
    say("Demo", "the customer saw what is theirs, and the page needed no back end of its own.")


def load(house: House, browser: httpx.Client) -> dict[str, str]:
    """The page's files, as a browser gets them. Its GraphQL documents by name."""
    page = browser.get(house.origin).raise_for_status()
    policy = page.headers["Content-Security-Policy"]
    expect(policy.startswith("default-src 'none'; script-src 'self';"), f"The page's policy is lax: {policy}")
    expect(house.url in policy and house.identity in policy, f"The page's policy forbids its own questions: {policy}")
    say("Browser", f"opens the page at {house.origin}, whose policy forbids any script but its own")
    settings = browser.get(f"{house.origin}/settings.json").raise_for_status().json()
    expect(settings == {"steadylight": house.url, "identity": house.identity}, f"The page's settings: {settings}")
    for name in ("page.js", "page.css"):
        browser.get(f"{house.origin}/{name}").raise_for_status()
    names = ("me.graphql", "activity.graphql")
    return {name: browser.get(f"{house.origin}/{name}").raise_for_status().text for name in names}


def sign_in(house: House, browser: httpx.Client) -> str:
    """The customer's token."""
    given = {"customer": CUSTOMER, "password": PASSWORD, "audience": "own-page"}
    answer = browser.post(f"{house.identity}/token", json=given).raise_for_status()
    allows(answer, house.origin)
    token: str = answer.json()["token"]
    say("Browser", f"signs in at the identity provider, and gets a token for ten minutes: {token[:24]}…")
    return token


def ask(house: House, browser: httpx.Client, token: str, document: str) -> dict[str, Any]:
    """Who the server says this is: asked from another origin, as a browser does, which first asks whether it may."""
    asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    may = browser.options(f"{house.url}/graphql", headers=asking).raise_for_status()
    allows(may, house.origin)
    expect("authorization" in may.headers["Access-Control-Allow-Headers"].lower(), "The token's header is not allowed.")
    answer = post(house, browser, token, document).raise_for_status()
    allows(answer, house.origin)
    told = answer.json()
    expect("errors" not in told, f"The page was refused: {told}")
    me: dict[str, Any] = told["data"]["viewer"]["customer"]
    return me


def post(house: House, browser: httpx.Client, token: str | None, document: str) -> httpx.Response:
    """The answer to one GraphQL document."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return browser.post(f"{house.url}/graphql", json={"query": document}, headers=headers)


def allows(answer: httpx.Response, origin: str) -> None:
    """Raises Failed unless a browser would hand the answer to a page of that origin."""
    allowed = answer.headers.get("Access-Control-Allow-Origin")
    expect(allowed == origin, f"{answer.request.method} {answer.request.url} allows {allowed}, not {origin}.")


def check(me: dict[str, Any]) -> None:
    """Raises Failed unless the page shows who this is, and the deposit at the cash machine."""
    expect({"kind": "customer-number", "value": CUSTOMER} in me["identifiers"], f"Who is this? {me['identifiers']}")
    say("Browser", f"asks the Steadylight server at another origin: viewer is {CUSTOMER}")
    shown = [(one["channel"], one["type"], one["properties"].get("amount")) for one in me["actions"]["nodes"]]
    expect(("cash-machine", "deposit.made", "100.00") in shown, f"The page lacks the deposit: {shown}")
    say("Browser", f"and has {len(shown)} actions, among them a deposit of 100.00 at a cash machine")


def refused(house: House, browser: httpx.Client, token: str, document: str) -> None:
    """Raises Failed unless the page gets nothing without a token, with a changed one, and nothing of anybody else's."""
    head, claims, signature = token.split(".")
    forged = f"{head}.{claims}.{signature[::-1]}"
    for what, given in (("without a token", None), ("with a forged token", forged)):
        errors = post(house, browser, given, document).json().get("errors")
        code = errors[0]["extensions"]["code"] if errors else None
        expect(code == "UNAUTHENTICATED", f"Asked {what}, the server says {code}.")
        say("Browser", f"{what}: {code}")
    errors = post(house, browser, token, NEIGHBOUR).json().get("errors")
    expect(errors and errors[0]["extensions"]["code"] == "NOT_FOUND", f"The token shows somebody else: {errors}")
    say("Browser", "asks for C-1003, who is a customer, too: NOT_FOUND")
    may = browser.options(
        f"{house.url}/graphql",
        headers={"Origin": "http://127.0.0.1:9", "Access-Control-Request-Method": "POST"},
    )
    expect("Access-Control-Allow-Origin" not in may.headers, "The server lets any page in.")


@contextmanager
def following(house: House, token: str, document: str, me: str) -> Iterator[Callable[[str], dict[str, Any] | None]]:
    """Subscribes. What it gives returns the next action of a type, or None if none comes soon."""
    address = f"{house.url.replace('http', 'ws', 1)}/graphql"
    protocol = Subprotocol("graphql-transport-ws")
    with connect(address, origin=Origin(house.origin), subprotocols=[protocol], proxy=None) as socket:

        def tell(**message: object) -> None:
            socket.send(json.dumps(message))

        def next_action(type: str) -> dict[str, Any] | None:
            while True:
                try:
                    heard = json.loads(socket.recv(SOON))
                except TimeoutError:
                    return None
                if heard["type"] == "ping":
                    tell(type="pong")
                    continue
                expect(heard["type"] == "next", f"The subscription ended: {heard}")
                action: dict[str, Any] = heard["payload"]["data"]["customerActivity"]
                if action["type"] == type:
                    return action

        tell(type="connection_init", payload={"authorization": f"Bearer {token}"})
        heard = json.loads(socket.recv(PATIENCE))
        expect(heard["type"] == "connection_ack", f"The token opens no WebSocket: {heard}")
        tell(type="subscribe", id="1", payload={"query": document, "variables": {"me": me}})
        yield next_action
