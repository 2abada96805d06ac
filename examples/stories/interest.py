"""Interest online, then a call whose agent knows: the page, the search terms and the time."""

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime

import httpx

from steadylight import Client, NotFound

from .house import House
from .stage import PATIENCE, Failed, expect, say, seconds_between, show, wait_for

CALL = "call-7d1f"
CUSTOMER, PASSWORD, MOBILE = "C-1001", "tangerine", "+447700900123"
TIMELINE = """
query Timeline($number: String!) {
  customer(by: { identifier: { kind: "customer-number", value: $number, assurance: LOGIN } }) {
    actions { nodes { channel type } }
  }
}
"""


def play(house: House) -> None:
    """Raises Failed unless the agent's screen shows what the customer did online, where and when."""
    apps = (
        house.serve("web shop", "web_shop.py", "web", "SELF_SERVICE"),
        house.serve("ivr", "ivr.py", "ivr", "AUTOMATED_AGENT"),
    )
    shop, ivr = (app.url() for app in apps)
    say("Apps", f"web shop at {shop}, IVR at {ivr}, each with a key of its own")
    between = visit(shop)
    wait_for("the visit to arrive", lambda: arrived(house.admin))
    check(answer(house, call(ivr)), between)
    say("Demo", "the agent was told, to the second.")


def visit(shop: str) -> tuple[datetime, datetime]:
    """The customer's browser. The moments between which they looked at the plan."""
    with httpx.Client(base_url=shop, follow_redirects=True, timeout=PATIENCE) as browser:
        browser.get("/").raise_for_status()
        page = browser.post("/sign-in", data={"customer": CUSTOMER, "password": PASSWORD}).text
        expect(CUSTOMER in page, f"The shop does not let {CUSTOMER} in:\n{page}")
        say("Browser", f"customer {CUSTOMER} signs in to the web shop")
        before = datetime.now(UTC)
        browser.get("/plans/fibre-500").raise_for_status()
        after = datetime.now(UTC)
        say("Browser", "looks at the plan fibre-500")
        time.sleep(1)
        browser.get("/search", params={"q": "moving"}).raise_for_status()
        say("Browser", "searches the help for “moving”, and reaches for the telephone")
    return before, after


def arrived(admin: Client) -> bool | None:
    """True when the whole visit is in the customer's timeline: asked in GraphQL, as any front end may."""
    try:
        actions = admin.graphql(TIMELINE, {"number": CUSTOMER})["customer"]["actions"]["nodes"]
    except NotFound:  # nobody of that number yet
        return None
    return True if {"channel": "web", "type": "help.searched"} in actions else None


def call(ivr: str) -> dict[str, str]:
    """The telephone network. What the IVR hands over to the agent's desktop."""
    with httpx.Client(base_url=f"{ivr}/calls/{CALL}", timeout=PATIENCE) as network:

        def post(event: str, told: Mapping[str, str]) -> dict[str, dict[str, str]]:
            answer: dict[str, dict[str, str]] = network.post(f"/{event}", json=told).raise_for_status().json()
            say("IVR", f"“{answer['say']}”")
            return answer

        say("Phone", f"calls from {MOBILE}")
        answer = post("begins", {"caller": MOBILE})
        expect(answer["known"] is None, "A caller's number showed somebody's data.")
        say("IVR", "is told nothing about the caller: a number can be forged, so it is only a claim")
        text = post("number", {"customer": CUSTOMER})["sms"]["text"]
        say("Phone", f"gets a text message: “{text}”")
        answer = post("code", {"code": text.split()[-1]})
        expect(answer["known"] and "fibre-500" in answer["say"], f"The IVR was not told of the visit: {answer}")
        time.sleep(1)
        say("Phone", "presses 1")
        return post("menu", {"choice": "adviser"})["transfer"]


def answer(house: House, handed: Mapping[str, str]) -> str:
    """The agent's desktop. What is on its screen."""
    proven = f"{handed['customer']}, proven by {handed['assurance']}"
    say("Desktop", f"{handed['call']} rings; handed over with it: {proven}")
    given = ("--call", handed["call"], "--customer", handed["customer"], "--assurance", handed["assurance"])
    return show(house.screen("desktop", "contact_centre.py", "contact-centre", "ASSISTED", *given))


def check(screen: str, between: tuple[datetime, datetime]) -> None:
    """Raises Failed unless the agent was told who, how sure, what, where, and when to the second."""
    for part in (f"Mara Lindqvist, {CUSTOMER}", "OTP: they read back a one-time code", "In web ", "In ivr "):
        expect(part in screen, f"The screen lacks “{part}”.")
    searched = re.search(r"web +help\.searched +words moving", screen)
    expect(searched, "The screen lacks the search terms.")
    for type in ("contact.identified", "menu.chosen"):
        expect(re.search(rf"ivr +{re.escape(type)}", screen), f"The screen lacks {type} in ivr.")

    found = re.search(r"(\d\d:\d\d:\d\d) +(?:(\d+) min )?(\d+) s +web +plan\.viewed +plan fibre-500", screen)
    shown = re.search(r"(\d\d:\d\d:\d\d) UTC", screen)
    if not found or not shown:
        raise Failed("The screen lacks the plan.")
    possible = seconds_between(*between)
    expect(found[1] in possible, f"The plan was looked at at {possible[0]}, not at {found[1]}.")
    ago = int(found[2] or 0) * 60 + int(found[3])
    apart = (_seconds(shown[1]) - _seconds(found[1])) % 86_400
    # The screen rounds a difference, the clock cuts off both of its ends.
    expect(abs(apart - ago) <= 1, f"By the clock it is {apart} s ago, by the screen {ago} s.")


def _seconds(clock: str) -> int:
    hours, minutes, seconds = map(int, clock.split(":"))
    return hours * 3600 + minutes * 60 + seconds
