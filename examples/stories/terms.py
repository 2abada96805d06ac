"""A bank's terms from one source, in the app and on the desk; and whoever was shown them is on record."""

import json
import re

from .house import HERE, STEADYLIGHT, House
from .stage import expect, say, show

CUSTOMER = "C-1005"


def play(house: House) -> None:
    """Raises Failed unless each reader has what is for them, and both are listed as having been shown it."""
    data = house.stage.folder / "data"

    def articles(command: str, *given: str) -> str:
        return house.stage.run(f"articles {command}", *STEADYLIGHT, "articles", command, *given, "--data", str(data))

    articles("import", str(HERE / "terms"), "--yes")
    say("Bank", "publishes its terms from a folder of Markdown")

    say("App", f"customer {CUSTOMER} looks up what an overdraft costs")
    seen = show(house.screen("terms", "terms.py", "app", "SELF_SERVICE", "overdraft", "--customer", CUSTOMER))
    expect("12.4 % a year" in seen, f"The app does not say what it costs: {seen}")
    expect("refunded" not in seen and "Business" not in seen, f"The app shows what is not the customer's: {seen}")

    say("Desk", "an adviser reads the same, and one paragraph more")
    reading = ("overdraft", "--customer", CUSTOMER, "--employee", "a.singh")
    told = show(house.screen("terms", "terms.py", "desk", "ASSISTED", *reading))
    expect("12.4 % a year" in told and "may be refunded" in told, f"The desk lacks the employees' part: {told}")

    say("SMS", "the same as a text message, in German as far as there is any")
    short = house.screen("terms", "terms.py", "app", "SELF_SERVICE", *reading[:3], "--sms", "--locale", "de-AT")
    expect(re.search(r"12,4 % im Jahr.* Write to us within 13 months\.", short), f"The text message says: {short}")

    *_, told = articles("affected", "overdraft", "1", "--json").splitlines()  # what is logged stands before it
    shown = json.loads(told)
    found = [(one["channel"], one["rendering"]) for one in shown]
    expect(found == [("app", "sms"), ("desk", "plain"), ("app", "plain")], f"Who was shown it: {found}")
    say("Demo", "one source, three renderings; and whoever was shown it is on record, should it turn out to be wrong.")
