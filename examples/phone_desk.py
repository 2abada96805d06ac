"""A phone adviser's desk: writes up a customer's complaint after the call, with the time at which it was said.

Against a server that `make serve` left running:

    export STEADYLIGHT_URL=http://127.0.0.1:8000
    export STEADYLIGHT_KEY=...               # printed by: steadylight channel add phone --kind ASSISTED
    python examples/phone_desk.py --customer C-1002 --about roaming --words "61 euros for data" --said 09:12

What to look at: `write_up`, where `at=` is when the customer said it and not when it was typed, and where the
complaint and what the company does about it have the same `subject`, a case. `--settle K-2041` closes that case.
Prints the case and ends; exit code 1 when Steadylight did not take it. The names are made up.
"""

import argparse
import secrets
import sys
from datetime import UTC, datetime, time, timedelta

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from steadylight import Assurance, Client, Contact

NAMES = {"C-1001": "Mara Lindqvist", "C-1002": "Tom Okafor"}
SECONDS = 5.0


def write_up(contact: Contact, agent: str, case: str, about: str, words: str, said: datetime) -> None:
    """The customer's words, at the time they said them, and the case that is open from now on."""
    contact.record("complaint.made", {"about": about, "words": words}, at=said, subject=("case", case))
    contact.record("case.opened", {"about": about}, agent=agent, subject=("case", case))
    contact.end("FOLLOW_UP")


def settle(contact: Contact, agent: str, case: str) -> None:
    """The case is closed; whoever greets the customer from now on need not mention it."""
    contact.record("case.closed", {"by": "refund"}, agent=agent, subject=("case", case))
    contact.end("RESOLVED")


def last(clock: time, now: datetime) -> datetime:
    """The latest moment at which clocks showed that time: today's, or yesterday's if today's is yet to come."""
    today = datetime.combine(now.date(), clock, now.tzinfo)
    return today if today <= now else today - timedelta(days=1)


def main() -> int:
    """Writes up one call. The exit code: 0 when all of it is stored."""
    parser = argparse.ArgumentParser(description="The phone adviser's desk of Steadylight's demo.")
    parser.add_argument("--call", default=f"call-{secrets.token_hex(2)}", help="the telephone network's id of the call")
    parser.add_argument("--customer", required=True, help="the customer number that the caller proved")
    parser.add_argument("--assurance", choices=list(Assurance), default="OTP", help="how it was proven")
    parser.add_argument("--agent", default="j.moreau", help="who sits here")
    parser.add_argument("--case", default=f"K-{secrets.randbelow(9000) + 1000}", help="the company's number for it")
    parser.add_argument("--about", default="service", help="what the complaint is about, in a word")
    parser.add_argument("--words", default="", help="what the customer said")
    parser.add_argument("--said", type=time.fromisoformat, help="when, as 09:12 in UTC; now if left out")
    parser.add_argument("--settle", metavar="CASE", help="instead of all this: close that case")
    given = parser.parse_args()
    now = datetime.now(UTC)
    said = last(given.said, now) if given.said else now
    case = given.settle or given.case

    with Client() as light:
        contact = light.customer(customer_number=given.customer, assurance=given.assurance).contact(key=given.call)
        if given.settle:
            settle(contact, given.agent, case)
        else:
            write_up(contact, given.agent, case, given.about, given.words, said)
        # An adviser wants to know before the next call; `record` itself would go on trying in the background.
        left, stats = light.flush(SECONDS), light.stats()
    if left or stats.refused:
        print(f"Not stored: {stats.last_error or 'Steadylight refused it'}", file=sys.stderr)
        return 1

    sheet = Table.grid(padding=(0, 2))
    sheet.add_row("Customer", f"{NAMES.get(given.customer, 'no name on file')}, {given.customer}")
    sheet.add_row("Case", f"{case}, {'closed' if given.settle else 'open'}")
    if not given.settle:
        sheet.add_row("Said", f"{said:%d %B, %H:%M} UTC, about {given.about}: “{given.words}”")
    title = f"Phone, {given.agent}, written up at {now:%H:%M:%S} UTC"
    Console().print(Panel(sheet, title=title, title_align="left", border_style="cyan", padding=(1, 2)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
