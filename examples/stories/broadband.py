"""An order that is begun in the web chat and finished by text message: nobody is asked twice."""

import time
from typing import Any

import httpx

from .house import HERE, STEADYLIGHT, House
from .stage import PATIENCE, expect, say, wait_for

CUSTOMER, MOBILE = "C-1005", "+447700900155"
ANOTHER, ANOTHERS_MOBILE = "C-1006", "+447700900156"
JOURNEYS = """
query Journeys($number: String!) {
  customer(by: { identifier: { kind: "customer-number", value: $number, assurance: LOGIN } }) {
    journeys {
      type status outcome startedIn changedIn
      answers { question value channel }
      asks { question channel isKnown again }
    }
  }
}
"""


def play(house: House) -> None:
    """Raises Failed unless the second channel asks only what the first has not learnt; and one that forgets is seen."""
    applied = house.stage.run(
        "apply", *STEADYLIGHT, "apply", HERE / "broadband.yaml", "--yes", "--data", house.stage.folder / "data"
    )
    expect("add-broadband" in applied, f"The blueprint was not applied:\n{applied}")
    chat = house.serve("web chat", "web_chat.py", "web-chat", "AUTOMATED_AGENT").url()
    sms = house.serve("sms", "sms.py", "sms", "AUTOMATED_AGENT").url()
    say("Apps", f"web chat at {chat}, SMS webhook at {sms}")
    time.sleep(1)  # Servers look for a new blueprint twice a second.
    line(chat, "chat-1", CUSTOMER, "I want broadband")
    check(house, remembered(chat, sms))
    say("Demo", "the second channel asked nothing that the first had learnt.")

    forgetful = house.start_again("sms", "sms.py", "--forgetful").url()
    line(chat, "chat-2", ANOTHER, "I want broadband")
    line(chat, "chat-2", ANOTHER, "SW1A 2AA")
    texts(forgetful, ANOTHERS_MOBILE, ["SW1A 2AA"])
    told = wait_for("the answers to arrive", lambda: _with(journey(house, ANOTHER), "sms"))
    seen = [(one["channel"], one["question"], one["again"]) for one in told["asks"] if one["again"]]
    shown(told)
    expect(seen == [("sms", "postcode", "NOT_FETCHED")], f"The record of asks says {seen}.")
    say("Demo", "an app that did not ask Steadylight asked the postcode again: it is in the record, as NOT_FETCHED.")


def remembered(chat: str, sms: str) -> list[str]:
    """The customer chats, leaves, and goes on by text message. What they were asked there."""
    line(chat, "chat-1", CUSTOMER, "SW1A 1AA")
    line(chat, "chat-1", CUSTOMER, "500")
    say("Customer", "their bus has come: they leave, and send a text message from it")
    return texts(sms, MOBILE, ["Tuesday"])


def line(chat: str, id: str, customer: str, text: str) -> str:
    """One line of the customer's in the chat, and what it says."""
    given = {"customer": customer, "text": text}
    reply: str = httpx.post(f"{chat}/chats/{id}", json=given, timeout=PATIENCE).raise_for_status().json()["say"]
    say("Customer", f"chats: “{text}”")
    say("Chat", f"“{reply}”")
    return reply


def texts(sms: str, number: str, answers: list[str]) -> list[str]:
    """The customer proves themselves by a code, and answers. What each message of the company's said."""

    def send(text: str) -> str:
        given = {"from": number, "text": text}
        reply: str = httpx.post(f"{sms}/messages", json=given, timeout=PATIENCE).raise_for_status().json()["reply"]
        say("Customer", f"texts: “{text}”")
        say("SMS", f"“{reply}”")
        return reply

    code = send("CONTINUE").removeprefix("Your code is ").split(".")[0]
    return [send(text) for text in (code, *answers)]


def journey(house: House, customer: str) -> dict[str, Any]:
    """The customer's one journey, and each time that a question of it came up."""
    found = house.admin.graphql(JOURNEYS, {"number": customer})["customer"]["journeys"]
    expect(len(found) == 1, f"There are {len(found)} journeys.")
    told: dict[str, Any] = found[0]
    return told


def shown(told: dict[str, Any]) -> None:
    """Prints who was asked what, and where."""
    for one in told["asks"]:
        known = "known already" if one["isKnown"] else f"asked AGAIN: {one['again']}" if one["again"] else "asked"
        say("Record", f"{one['channel']:<9} {one['question']:<9} {known}")


def check(house: House, asked: list[str]) -> None:
    """Raises Failed unless one journey began in the chat, ended by SMS, has all answers and no question asked twice."""
    expect(asked == ["On which day may our engineer come?", "Thank you, it is ordered."], f"SMS asked {asked}.")
    told = wait_for("the answers to arrive", lambda: _with(journey(house, CUSTOMER), "sms"))
    shown(told)
    expect((told["startedIn"], told["changedIn"]) == ("web-chat", "sms"), f"It went from {told['startedIn']}.")
    expect((told["status"], told["outcome"]) == ("COMPLETED", "ordered"), f"It is {told['status']}.")
    where = {one["question"]: (one["value"], one["channel"]) for one in told["answers"]}
    wanted = {"postcode": ("SW1A 1AA", "web-chat"), "speed": ("500", "web-chat"), "day": ("Tuesday", "sms")}
    expect(where == wanted, f"The answers are {where}.")
    expect(not any(one["again"] for one in told["asks"]), "Somebody was asked twice.")


def _with(told: dict[str, Any], channel: str) -> dict[str, Any] | None:
    return told if any(one["channel"] == channel for one in told["answers"]) else None
