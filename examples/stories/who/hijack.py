"""Somebody opens an account with an e-mail address that is not theirs; later its owner arrives."""

from dataclasses import dataclass

from steadylight import Client, Context

from ..house import House
from ..stage import expect, say
from .desk import Desk, Found, kinds
from .screens import arrived, channel, did, screen

EMAIL, ATTACKER, OWNER = "olga@example.org", "account-6001", "account-6002"


@dataclass(frozen=True)
class Seen:
    """What the screens and the desk were shown."""

    led_to_before: list[Found]
    attacker_before: Context
    owner: Context
    attacker: Context
    stranger: Context
    led_to: list[Found]
    attackers_record: Found


def play(house: House) -> Seen:
    """Raises Failed if the one is shown, or given, anything of the other."""
    desk = Desk(house.admin)
    with channel(house, "web") as web, channel(house, "chat", "ASSISTED") as chat:
        say("Attacker", f"opens an account, and gives {EMAIL}, which is somebody else's. Nobody asks for proof")
        attacker = web.customer(login=ATTACKER, assurance="LOGIN").contact("web-6001")
        attacker.identify(email=EMAIL, assurance="CLAIMED")
        attacker.record("voucher.bought", {"amount": "50.00"}, traits={"ship_to": "PO box 13"})
        arrived(web)
        before, led_to_before = screen("The shop, for the attacker", attacker), desk.led_to(EMAIL)
        expect(not led_to_before, "An address that nobody proved leads to somebody.")
        say("Desk", f"looks {EMAIL} up: it leads to nobody. An e-mail address counts from OTP on; CLAIMED is a claim")

        say("Owner", "opens an account of her own, and follows the link that the shop sends to the address: OTP")
        owner = web.customer(login=OWNER, assurance="LOGIN").contact("web-6002")
        owner.record("plan.viewed", {"plan": "fibre-500"})
        owner.identify(email=EMAIL, assurance="OTP")
        owner.record("bill.paid", {"amount": "34.00"}, traits={"ship_to": "2 Quay Street"})
        arrived(web)
        seen = Seen(
            led_to_before=led_to_before,
            attacker_before=before,
            owner=screen("The shop, for the owner", owner),
            attacker=screen("The shop, for the attacker, afterwards", attacker),
            stranger=_claims(chat),
            led_to=desk.led_to(EMAIL),
            attackers_record=desk.the(ATTACKER),
        )
    desk.show_links(f"the customer whom {EMAIL} leads to", [link for one in seen.led_to for link in one["links"]])
    check(seen)
    say(
        "Demo",
        "nothing of the attacker's account is the owner's, and nothing of hers is theirs",
    )
    return seen


def _claims(chat: Client) -> Context:
    say("Attacker", "tries the chat: “I am Olga, my address is on file”")
    visit = chat.contact("chat-6003")
    visit.identify(email=EMAIL, assurance="CLAIMED")
    return screen("The chat's adviser", visit)


def check(seen: Seen) -> None:
    """Raises Failed unless each has what is theirs alone."""
    expect([kinds(one) for one in seen.led_to] == [[f"email {EMAIL}", f"login {OWNER}"]], "The address is not hers.")
    expect("web voucher.bought" not in did(seen.owner), "The owner is given what the attacker did.")
    expect("web bill.paid" not in did(seen.attacker), "The attacker is shown what the owner did.")
    expect(seen.stranger.customer is None, "A mere claim showed somebody.")
