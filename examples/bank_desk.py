"""A desk in the bank's branch: the adviser opens the statement, and changes the plan if the customer wants that.

Against a server that `make serve` left running, with bank.yaml applied and core_banking.py beside it:

    export STEADYLIGHT_URL=http://127.0.0.1:8000
    export STEADYLIGHT_KEY=...                 # printed by: steadylight key add bank-branch
    python examples/bank_desk.py --customer C-1003 --period 2026-10
    python examples/bank_desk.py --customer C-1003 --period 2026-10 --plan plus

What to look at: `statement` and `plan`. The branch performs with the same keys as every other channel: what was done
once is not done again. Prints one screen and ends; exit code 1 when something could not be performed.
"""

import argparse
import secrets
import sys

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from steadylight import Client, Contact, Performance, SteadylightError

ADVISER = "j.pinto"


def statement(visit: Contact, period: str) -> Group:
    """What was booked, and where it was looked at first."""
    done = visit.perform("statement.view", {"period": period}, key=f"statement-{period}", agent=ADVISER)
    told = _output(done)
    lines = Table("on", "what", "amount", box=None, padding=(0, 2, 0, 0), header_style="dim")
    for line in told["lines"]:
        lines.add_row(line["on"], Text(line["text"]), f"{line['amount']:.2f}")
    seen = f"Opened before, in {done.channel}." if done.repeated else "Opened here first."
    return Group(Text(f"Statement of {period}", "bold"), lines, Text(f"Balance {told['balance']:.2f} EUR"), Text(seen))


def plan(visit: Contact, wanted: str) -> Text:
    """What has become of the plan."""
    told = _output(visit.perform("plan.change", {"plan": wanted}, key=f"plan-{wanted}", agent=ADVISER))
    return Text(f"Plan changed from {told['from']} to {told['to']}.", "bold")


def _output(done: Performance) -> dict:
    """Raises SystemExit with the reason, where it is not done."""
    if done.state != "DONE" or done.output is None:
        sys.exit(f"{done.capability} is {done.state}: {done.failure.message if done.failure else 'ask again later'}")
    return dict(done.output)


def main() -> int:
    """Shows one customer. The exit code: 0 when Steadylight answered."""
    parser = argparse.ArgumentParser(description="The desk in a branch of Steadylight's demo.")
    parser.add_argument("--customer", required=True, help="the customer number, from the document that was shown")
    parser.add_argument("--period", required=True, help="which statement, as 2026-10")
    parser.add_argument("--plan", choices=["free", "plus", "premium"], help="the plan that the customer wants")
    given = parser.parse_args()
    with Client() as light:
        visit = f"desk-{secrets.token_hex(4)}"
        contact = light.customer(customer_number=given.customer, assurance="IN_PERSON").contact(key=visit)
        try:
            parts = [statement(contact, given.period)]
            if given.plan:
                parts.append(Group(Text(), plan(contact, given.plan)))
        except SteadylightError as error:
            print(f"Not performed: {error}", file=sys.stderr)
            return 1
    title = f"Branch, {ADVISER}: {given.customer}"
    Console().print(Panel(Group(*parts), title=title, title_align="left", border_style="cyan", padding=(1, 2)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
