"""An agent's desktop: a call rings, and the screen shows what the customer did before, in every channel.

Against a server that `make serve` left running:

    export STEADYLIGHT_URL=http://127.0.0.1:8000
    export STEADYLIGHT_KEY=...               # printed by: steadylight channel add contact-centre --kind ASSISTED
    python examples/contact_centre.py --call call-1 --customer C-1001 --assurance OTP

`--customer` and `--assurance` are what the IVR proved and hands over with the call; without them the desktop knows
nobody, and says so. Prints one screen and ends; exit code 1 when Steadylight could not be asked. The names are made up:
they stand for the company's own customer register.
"""

import argparse
import sys
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from steadylight import Assurance, Client, Context, SteadylightError

NAMES = {"C-1001": "Mara Lindqvist", "C-1002": "Tom Okafor"}
MEANING = {
    "CLAIMED": "they only said so",
    "CALLER_ID": "only the telephone network says so",
    "KNOWLEDGE": "they knew something that only they should know",
    "OTP": "they read back a one-time code",
    "LOGIN": "they signed in",
    "IN_PERSON": "they showed a document",
}


def screen(context: Context, call: str, agent: str) -> Panel:
    """What the agent sees: who, how sure, what they did, where, and how long ago."""
    numbers = [one.value for one in context.identifiers if one.kind == "customer-number"]
    who = Table.grid(padding=(0, 2))
    if context.customer:
        named = ", ".join(f"{NAMES.get(one, 'no name on file')}, {one}" for one in numbers)
        who.add_row("Customer", Text(named, "bold"))
        who.add_row("How sure", f"{context.assurance}: {MEANING[context.assurance or 'CLAIMED']}")
    else:
        who.add_row("Customer", Text("not known. Ask, before you talk about anything of theirs.", "bold"))
    for visit in reversed(context.contacts):
        span = f"{visit.first_at:%H:%M:%S} to {visit.last_at:%H:%M:%S}"
        who.add_row(f"In {visit.channel}", Text(f"{span}, {visit.outcome}" if visit.outcome else span))

    did = Table("at (UTC)", "ago", "where", "what", "more", box=None, padding=(0, 2, 0, 0), header_style="dim")
    for action in context.actions:
        told = ", ".join(f"{name} {_shown(value)}" for name, value in action.properties.items())
        # As Text: what a customer typed must not be taken for markup.
        when = f"{action.at:%H:%M:%S}", _ago(action.at, context.at)
        did.add_row(*when, action.channel, Text(action.type), Text(told))
    parts: list[RenderableType] = [who, Text(), did if context.actions else Text("Nothing is recorded.", "dim")]
    if context.pending or context.stale:
        parts.append(Text("This may not be the latest.", "yellow"))
    title = f"Call {call} for {agent}, {context.at:%H:%M:%S} UTC"
    return Panel(Group(*parts), title=title, title_align="left", border_style="cyan", padding=(1, 2))


def _ago(at: datetime, now: datetime) -> str:
    seconds = max(0, round((now - at).total_seconds()))
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def main() -> int:
    """Shows one call. The exit code: 0 when Steadylight answered."""
    parser = argparse.ArgumentParser(description="The agent's desktop of Steadylight's demo.")
    parser.add_argument("--call", required=True, help="the telephone network's id of the call")
    parser.add_argument("--customer", help="the customer number, where the IVR proved it")
    parser.add_argument("--assurance", choices=list(Assurance), default="CLAIMED", help="how it was proven")
    parser.add_argument("--agent", default="a.singh", help="who sits here")
    given = parser.parse_args()
    with Client() as light:
        contact = light.customer(customer_number=given.customer, assurance=given.assurance).contact(key=given.call)
        try:
            context = contact.context(within=2)
        except SteadylightError as error:
            print(f"Steadylight could not be asked: {error}", file=sys.stderr)
            return 1
        Console().print(screen(context, given.call, given.agent))
        contact.record("call.answered", agent=given.agent)
    return 0


if __name__ == "__main__":
    sys.exit(main())
