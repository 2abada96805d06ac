"""An employee's tool: who is whom and why, and taking a link back. GraphQL, with a key that may link identities."""

from typing import Any
from uuid import uuid4

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from steadylight import Client

from ..stage import console, say

Found = dict[str, Any]

CUSTOMER = """
fragment Whole on Customer {
  id since
  identifiers { kind value }
  traits { name value at channel assurance actionId }
  actions(order: OLDEST_FIRST, first: 100) { nodes { id at channel type } }
  links { id reason status refusal assurance actionId why retiredWhy }
}
"""
LED_TO = CUSTOMER + "query LedTo($value: String!) { customers(value: $value) { ...Whole } }"
BY_ID = CUSTOMER + "query ById($id: ID!) { customer(by: { id: $id }) { ...Whole } }"
CONFLICTS = """
{
  identityConflicts(first: 100) { id reason status refusal assurance actionId customers { id } }
}
"""
PREVIEW = """
query Preview($one: ID!, $other: ID!) {
  mergePreview(one: { id: $one }, other: { id: $other }) { refusal identifiers { kind value } }
}
"""
ACTION = """
query Because($id: ID!) {
  node(id: $id) { ... on Action { id at channel type agent contact identifiers { kind value assurance } } }
}
"""
UNLINK = """
mutation Unlink($input: UnlinkInput!) { unlink(input: $input) { link { id status retiredBy retiredWhy } } }
"""


class Desk:
    """What an employee may ask and decide. What they see is audited, what they decide as well."""

    def __init__(self, admin: Client) -> None:
        self._admin = admin

    def led_to(self, value: str) -> list[Found]:
        """Every customer whom a value leads to."""
        found: list[Found] = self._admin.graphql(LED_TO, {"value": value})["customers"]
        return found

    def the(self, value: str) -> Found:
        """The one customer whom it leads to."""
        [one] = self.led_to(value)
        return one

    def by_id(self, id: str) -> Found:
        """The customer whom any id that was ever shown leads to now."""
        found: Found = self._admin.graphql(BY_ID, {"id": id})["customer"]
        return found

    def conflicts(self) -> list[Found]:
        """Links that a rule keeps from joining, and that nobody has decided on."""
        found: list[Found] = self._admin.graphql(CONFLICTS)["identityConflicts"]
        return found

    def refusal(self, one: str, other: str) -> str | None:
        """The rule that making one customer of the two would break."""
        refusal: str | None = self._admin.graphql(PREVIEW, {"one": one, "other": other})["mergePreview"]["refusal"]
        return refusal

    def because(self, link: Found) -> Found:
        """The action that proved both sides of a link."""
        found: Found = self._admin.graphql(ACTION, {"id": link["actionId"]})["node"]
        return found

    def unlink(self, link: Found, why: str) -> Found:
        """Takes the link back. The operation id makes it harmless to send this again."""
        given = {"operationId": str(uuid4()), "link": link["id"], "why": why}
        taken: Found = self._admin.graphql(UNLINK, {"input": given})["unlink"]["link"]
        say("Desk", f"takes the link back: “{why}”")
        return taken

    def show_links(self, title: str, links: list[Found]) -> None:
        """Draws links, each with its reason."""
        table = Table("why", "joins?", "how sure", "by what", box=None, padding=(0, 2, 0, 0), header_style="dim")
        for link in links:
            status = f"{link['status']}: {link['refusal']}" if link["refusal"] else link["status"]
            table.add_row(link["reason"], status, link["assurance"], Text(self._what(link)))
        panel = Panel(
            table if links else Text("None.", "dim"),
            title=f"Links of {title}",
            title_align="left",
            border_style="magenta",
        )
        console.print("", panel, "", sep="\n", soft_wrap=False)

    def _what(self, link: Found) -> str:
        if not link["actionId"]:
            return link["why"] or ""
        action = self.because(link)
        said = ", ".join(f"{one['kind']} {one['value']}" for one in action["identifiers"])
        return f"{action['type']} in {action['channel']} ({said})"


def kinds(customer: Found) -> list[str]:
    """What leads to a customer: `kind value`, sorted."""
    return sorted(f"{one['kind']} {one['value']}" for one in customer["identifiers"])


def types(customer: Found) -> list[str]:
    """What a customer did, the oldest first: `channel type`."""
    return [f"{action['channel']} {action['type']}" for action in customer["actions"]["nodes"]]


def traits(customer: Found) -> dict[str, object]:
    """What is known of a customer."""
    return {trait["name"]: trait["value"] for trait in customer["traits"]}
