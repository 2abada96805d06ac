"""A teller's screen in a branch: the customer shows a document, and the teller sees today's money to the second.

Against a server that `make serve` left running:

    export STEADYLIGHT_URL=http://127.0.0.1:8000
    export STEADYLIGHT_KEY=...               # printed by: steadylight channel add branch --kind ASSISTED
    python examples/branch.py --customer C-1003 --document passport

A document that an employee looked at is the most that anybody can prove: IN_PERSON. Without `--document` the customer
number is a mere claim, and the screen says that the customer is not known. Prints one screen and ends; exit code 1 when
Steadylight could not be asked. The names are made up.
"""

import argparse
import secrets
import sys
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from steadylight import Client, Context, SteadylightError

NAMES = {"C-1003": "Inês Duarte", "C-1004": "Ola Brandt"}


def screen(context: Context, customer: str, teller: str) -> Panel:
    """Who stands here, and the deposits of the last time, each to the second."""
    parts: list[RenderableType] = []
    if context.customer:
        who = f"{NAMES.get(customer, 'no name on file')}, {customer}"
        parts.append(Text.assemble("Customer  ", (who, "bold"), f"  {context.assurance}"))
    else:
        parts.append(Text("Customer  not known. Ask for a document.", "bold"))
    money = Table("at (UTC)", "ago", "what", "where", box=None, padding=(0, 2, 0, 0), header_style="dim")
    for action in context.actions:
        if action.type == "deposit.made":
            told = action.properties
            what = f"deposit of {told['amount']} {told['currency']}"
            where = f"{action.channel}, {told['machine']}, card {told['card']}"
            # As Text: what another channel recorded must not be taken for markup.
            money.add_row(f"{action.at:%d %b %H:%M:%S}", _ago(action.at, context.at), Text(what, "bold"), Text(where))
    parts += [Text(), money if money.row_count else Text("No deposit is recorded.", "dim")]
    if context.pending or context.stale:
        parts.append(Text("This may not be the latest.", "yellow"))
    title = f"Branch, {teller}, {context.at:%H:%M:%S} UTC"
    return Panel(Group(*parts), title=title, title_align="left", border_style="cyan", padding=(1, 2))


def _ago(at: datetime, now: datetime) -> str:
    minutes, seconds = divmod(max(0, round((now - at).total_seconds())), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def main() -> int:
    """Shows one customer. The exit code: 0 when Steadylight answered."""
    parser = argparse.ArgumentParser(description="The teller's screen of Steadylight's demo.")
    parser.add_argument("--customer", required=True, help="the customer number")
    parser.add_argument("--document", help="what the customer showed, such as a passport")
    parser.add_argument("--teller", default="counter 3, m.costa", help="who sits here")
    given = parser.parse_args()
    assurance = "IN_PERSON" if given.document else "CLAIMED"
    with Client() as light:
        visit = f"branch-{secrets.token_hex(4)}"
        contact = light.customer(customer_number=given.customer, assurance=assurance).contact(key=visit)
        try:
            context = contact.context(within=2)
        except SteadylightError as error:
            print(f"Steadylight could not be asked: {error}", file=sys.stderr)
            return 1
        Console().print(screen(context, given.customer, given.teller))
        if given.document:
            contact.record("document.shown", {"document": given.document}, agent=given.teller)
    return 0


if __name__ == "__main__":
    sys.exit(main())
