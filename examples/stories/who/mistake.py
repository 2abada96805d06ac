"""An adviser mistypes a customer number, and two people become one; the mistake is found, and undone."""

import json
from dataclasses import dataclass
from typing import Any

from steadylight import Client, Context

from ..house import STEADYLIGHT, House
from ..stage import expect, say
from .desk import Desk, Found, traits, types
from .screens import arrived, channel, did, screen

PAUL, PAULS, ROSA = "paul-9001", "C-9012", "C-9021"
WHY = "C-9021 was typed for C-9012 in chat-9001."


@dataclass(frozen=True)
class Seen:
    """Both customers before, as one, and after; what tells of the mistake; and the audit."""

    paul_before: Found
    rosa_before: Found
    teller_before: Context
    together: Found
    by_her_id: Found
    teller_while: Context
    link: Found
    proof: Found
    paul_after: Found
    rosa_after: Found
    teller_after: Context
    after_saying_it_again: list[Found]
    audit: list[dict[str, Any]]


def play(house: House) -> Seen:
    """Raises Failed unless both are as before once the link is taken back."""
    desk = Desk(house.admin)
    with (
        channel(house, "web") as web,
        channel(house, "chat", "ASSISTED") as chat,
        channel(house, "branch", "ASSISTED") as branch,
    ):
        say("Paul", f"signs in to the web shop; his number is {PAULS}")
        proven = [("login", PAUL, "LOGIN"), ("customer-number", PAULS, "LOGIN")]
        visit = web.customer(identifiers=proven).contact("web-9001")
        visit.record("tariff.viewed", {"tariff": "Solo S"}, traits={"tariff": "Solo S", "town": "Leeds"})
        arrived(web)
        say("Rosa", f"pays in at a branch; she has no login, and her number is {ROSA}")
        counter = branch.customer(customer_number=ROSA, assurance="IN_PERSON").contact("counter-9002")
        counter.record("deposit.made", {"amount": "190.00"}, traits={"tariff": "Family XL", "town": "Porto"})
        arrived(branch)
        paul_before, rosa_before = desk.the(PAUL), desk.the(ROSA)
        teller_before = screen("The branch, for Rosa", counter)

        say("Chat", f"Paul, signed in, says his number. The adviser types {ROSA} for {PAULS}: KNOWLEDGE, enough")
        _types(chat, ROSA, "tariff.changed", {"tariff": "Solo M"})
        together, by_her_id = desk.the(ROSA), desk.by_id(rosa_before["id"])
        teller_while = screen("The branch, for Rosa: somebody else's web visit and chat", counter)
        say("Branch", f"and what is known of Rosa: {_told(together)}. Her deposit shows in Paul's web shop, too")

        desk.show_links(f"the customer whom {ROSA} leads to", together["links"])
        [(link, proof)] = [(one, proof) for one in together["links"] if ROSA in _values(proof := desk.because(one))]
        say("Desk", f"finds what did it: {proof['type']} in {proof['channel']} {proof['contact']}, by {proof['agent']}")
        desk.unlink(link, WHY)
        paul_after, rosa_after = desk.the(PAUL), desk.the(ROSA)
        teller_after = screen("The branch, for Rosa", counter)

        say("Chat", "the adviser's program still has the wrong number, and sends it with the next action, too")
        _types(chat, ROSA, "chat.rated", {})
        again = [desk.the(PAUL), desk.the(ROSA)]
    desk.show_links(f"{ROSA}, for good", again[1]["links"])
    audit = _audit(house, rosa_before["id"])
    for entry in reversed(audit):
        if entry["deed"] == "customer.unlinked":
            say("Audit", f"{entry['deed']} by {entry['who']['role']} {entry['who']['id']}: “{entry['why']}”")
    seen = Seen(
        paul_before=paul_before,
        rosa_before=rosa_before,
        teller_before=teller_before,
        together=together,
        by_her_id=by_her_id,
        teller_while=teller_while,
        link=link,
        proof=proof,
        paul_after=paul_after,
        rosa_after=rosa_after,
        teller_after=teller_after,
        after_saying_it_again=again,
        audit=audit,
    )
    check(seen)
    say("Demo", "both are as before; the chat is Paul's. The link stays, retired, with who took it back and why.")
    say("Demo", "a blueprint with `most: 1` for customer-number, as telco.yaml has it, would have refused that link")
    return seen


def _types(chat: Client, number: str, type: str, told: dict[str, object]) -> None:
    """An action in a chat with Paul, under the number that the adviser typed."""
    known = chat.customer(identifiers=[("login", PAUL, "LOGIN"), ("customer-number", number, "KNOWLEDGE")])
    known.contact("chat-9001").record(type, told, agent="r.costa", traits=told)
    arrived(chat)


def _values(action: Found) -> list[str]:
    return [one["value"] for one in action["identifiers"]]


def _told(customer: Found) -> str:
    return ", ".join(f"{name} {value}" for name, value in traits(customer).items())


def _audit(house: House, id: str) -> list[dict[str, Any]]:
    """What was noted about a customer, the newest first."""
    asked = ("audit", "list", "--customer", id, "--json", "--data", house.stage.folder / "data")
    entries: list[dict[str, Any]] = json.loads(house.stage.run("audit list", *STEADYLIGHT, *asked))
    return entries


def check(seen: Seen) -> None:
    """Raises Failed unless they were one, and are two again, each with what is theirs."""
    expect(seen.by_her_id == seen.together, "Rosa's id is lost.")
    expect(did(seen.teller_while) != did(seen.teller_before), "The mistake mixed nothing up.")
    same = ("id", "since", "identifiers", "traits", "actions")
    expect(all(seen.rosa_after[name] == seen.rosa_before[name] for name in same), "Rosa is not as before.")
    expect(did(seen.teller_after) == did(seen.teller_before), "The teller's screen is not as before.")
    expect(types(seen.paul_after) == [*types(seen.paul_before), "chat tariff.changed"], "Paul is not as before.")
    again = [one["id"] for one in seen.after_saying_it_again]
    expect(again == [seen.paul_before["id"], seen.rosa_before["id"]], "Said again, it joined them again.")
