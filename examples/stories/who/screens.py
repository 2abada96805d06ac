"""What a channel's screen is shown of whoever is in front of it: the context, drawn as it was answered."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from steadylight import Client, Contact, Context, Options

from ..house import House
from ..stage import PATIENCE, console, expect


@contextmanager
def channel(house: House, name: str, kind: str = "SELF_SERVICE") -> Iterator[Client]:
    """A channel's back end, with a key of its own."""
    key = house.admin.register_channel(name, kind)
    with Client(house.url, key, options=Options(spool=house.spool)) as light:
        yield light


def arrived(light: Client) -> None:
    """Returns once all that was recorded is stored. Raises Failed."""
    left, refused = light.flush(PATIENCE), light.stats().refused
    expect(not left and not refused, f"{left} actions were not delivered, {refused} refused.")


def screen(title: str, contact: Contact) -> Context:
    """Asks for the context of a contact, and draws it."""
    context = contact.context(within=PATIENCE)
    parts: list[RenderableType] = []
    if context.customer:
        known = ", ".join(f"{one.kind} {one.value}" for one in context.identifiers)
        parts.append(Text(f"Known by {known}", "bold"))
    else:
        parts.append(Text("Nobody is known here.", "bold"))
    parts += [Text(f"Said, and proves nothing: {one.kind} {one.value}", "yellow") for one in context.claims]
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for action in reversed(context.actions):
        told = ", ".join(f"{name} {value}" for name, value in action.properties.items() if name != "kinds")
        table.add_row(action.channel, action.type, Text(told))
    parts.append(table if context.actions else Text("Nothing is recorded.", "dim"))
    panel = Panel(Group(*parts), title=title, title_align="left", border_style="cyan")
    console.print("", panel, "", sep="\n", soft_wrap=False)
    return context


def did(context: Context) -> list[str]:
    """What is shown, the oldest first: `channel type`."""
    return [f"{action.channel} {action.type}" for action in reversed(context.actions)]
