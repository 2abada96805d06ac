"""A deposit at a cash machine that the teller in the branch sees to the second."""

import re
from datetime import UTC, datetime

import httpx

from .house import House
from .stage import PATIENCE, Failed, expect, say, seconds_between, show

CUSTOMER, CARD, PIN = "C-1003", "5300000000004711", "4921"


def play(house: House) -> None:
    """Raises Failed unless the teller's screen shows the deposit with the second at which it was made."""
    machine = house.serve("cash machine", "cash_machine.py", "cash-machine", "SELF_SERVICE").url()
    say("Machine", f"a cash machine is at {machine}")
    between = pay_in(machine, "session-1", CARD, PIN, {"50": 3, "20": 2})

    say("Branch", "the customer steps up to a teller, and shows nothing yet")
    unknown = look(house)
    expect("not known" in unknown and "deposit of" not in unknown, "A mere number showed the teller somebody's money.")
    say("Branch", "shows a passport")
    check(show(look(house, "--document", "passport")), between)
    say("Demo", "the teller saw the deposit, to the second.")


def pay_in(machine: str, session: str, card: str, pin: str, notes: dict[str, int]) -> tuple[datetime, datetime]:
    """The customer at the machine. The moments between which the notes went in."""
    with httpx.Client(base_url=f"{machine}/sessions/{session}", timeout=PATIENCE) as slots:

        def post(event: str, **told: object) -> None:
            say("Machine", f"“{slots.post(f'/{event}', json=told).raise_for_status().json()['screen']}”")

        say("Customer", f"puts in the card …{card[-4:]} and keys in its PIN")
        post("card", card=card, pin=pin)
        before = datetime.now(UTC)
        post("deposit", notes=notes)
        after = datetime.now(UTC)
        post("leave")
    return before, after


def look(house: House, *shown: str) -> str:
    """What is on the teller's screen."""
    return house.screen("branch", "branch.py", "branch", "ASSISTED", "--customer", CUSTOMER, *shown)


def check(screen: str, between: tuple[datetime, datetime]) -> None:
    """Raises Failed unless the teller was told who, how sure, how much, where, and when to the second."""
    expect(f"Inês Duarte, {CUSTOMER}  IN_PERSON" in screen, "The screen does not say who this is.")
    made = r"\d\d \w+ (\d\d:\d\d:\d\d) +\d+ s +deposit of 190\.00 EUR +cash-machine, CM-17, Harbour Street, card …4711"
    found = re.search(made, screen)
    if not found:
        raise Failed("The screen lacks the deposit.")
    possible = seconds_between(*between)
    expect(found[1] in possible, f"The deposit was made at {possible[0]}, not at {found[1]}.")
