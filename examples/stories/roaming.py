"""A complaint by phone about roaming in the morning; the app knows at noon, and offers no roaming pack."""

import re
from typing import Any

import httpx
from rich.console import Group
from rich.panel import Panel
from rich.text import Text

from .house import House
from .stage import PATIENCE, console, expect, say, show

CUSTOMER, PASSWORD = "C-1002", "clementine"
SAID, WORDS = "09:12", "Three days of data in Norway cost me 61 euros"
PACK = "Roaming pack, 9.90 a week"


def play(house: House) -> None:
    """Raises Failed unless the app's home screen is another one while the case is open."""
    app = house.serve("mobile app", "mobile_app.py", "app", "SELF_SERVICE").url()
    with httpx.Client(base_url=app, timeout=PATIENCE) as phone:
        told = {"customer": CUSTOMER, "password": PASSWORD}
        session = phone.post("/sign-in", json=told).raise_for_status().json()["session"]
        phone.headers["Authorization"] = f"Bearer {session}"

        say("App", f"customer {CUSTOMER} opens the mobile app, whose back end is at {app}")
        before = home(phone)
        expect(before == {"greeting": "Hello Tom.", "offers": [PACK, before["offers"][-1]]}, f"At first: {before}")

        say("Phone", f"in the morning Tom complains to an adviser: “{WORDS}”")
        about = ("--call", "call-58aa", "--case", "K-2041", "--about", "roaming", "--words", WORDS, "--said", SAID)
        printed = show(house.screen("phone desk", "phone_desk.py", "phone", "ASSISTED", "--customer", CUSTOMER, *about))
        expect(re.search(rf"Said +\d\d \w+, {SAID} UTC, about roaming", printed), "The desk did not write it up.")

        say("App", "at noon he looks at the app again")
        after = home(phone)
        # Before 09:12 UTC, the last 09:12 was yesterday's, and the app says so.
        wanted = rf"Hello Tom\. We are working on your roaming complaint of {SAID}( on \w+day)?\."
        expect(re.fullmatch(wanted, after["greeting"]), f"The app does not know of the complaint: {after}")
        expect(after["offers"] == before["offers"][1:], f"The app still offers a roaming pack: {after}")

        say("Phone", "the adviser closes the case")
        closing = ("--customer", CUSTOMER, "--call", "call-58ab", "--settle", "K-2041")
        house.screen("phone desk", "phone_desk.py", "phone", "ASSISTED", *closing)
        expect(home(phone) == before, "The app does not know that the case is closed.")
    say("Demo", "the app knew of the complaint, said so, and sold nothing against it.")


def home(phone: httpx.Client) -> dict[str, Any]:
    """The app's home screen, as its back end says it; shown here, too."""
    screen: dict[str, Any] = phone.get("/home").raise_for_status().json()
    lines = [Text(screen["greeting"], "bold"), Text(), *(Text(f"› {offer}") for offer in screen["offers"])]
    panel = Panel(Group(*lines), title="The app", title_align="left", border_style="cyan", width=48, padding=(1, 2))
    console.print("", panel, "", sep="\n", soft_wrap=False)
    return screen
