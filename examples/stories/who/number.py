"""A telephone number was Ann's; the network gives it to Ben, who proves that it is his."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from steadylight import Client, Contact, Context

from ..house import House
from ..stage import expect, say
from .desk import Desk, Found, types
from .screens import arrived, channel, did, screen

PHONE, ANN, BEN = "+447700900321", "ann-8001", "ben-8002"
WHY = "The network gave the number to somebody else."


@dataclass(frozen=True)
class Seen:
    """What was shown and stored: `refused` while both have proven the number, `after` once Ann's link is back."""

    alone: Found
    conflicts: list[Found]
    refusal: str | None
    ann_while: Context
    ben_while: Context
    number_while: Context
    link: Found
    proof: Found
    taken: Found
    conflicts_after: list[Found]
    ann_after: Found
    ben_after: Found
    led_to: list[Found]
    number_after: Context


def play(house: House) -> Seen:
    """Raises Failed unless the number ends up with Ben, and what Ann did when signed in with Ann."""
    desk = Desk(house.admin)
    with channel(house, "app") as app, channel(house, "hotline", "AUTOMATED_AGENT") as hotline:
        say("Ann", f"signs in to the app, and proves {PHONE} with a code: the two are linked")
        ann = _signs_in(app, ANN, "plan.changed", {"plan": "family-5g"})
        say("Ann", "calls the hotline, which asks for a code alone, and for nothing else")
        _calls(hotline, "call-8001", "balance.asked")
        alone = desk.the(PHONE)
        desk.show_links(ANN, alone["links"])

        say("Network", "gives the number to somebody else")
        say("Ben", "signs in to the app, and proves the number with a code, as Ann did")
        ben = _signs_in(app, BEN, "sim.activated", {"sim": "…4411"})
        both = desk.the(ANN), desk.the(BEN)
        refusal, conflicts = desk.refusal(both[0]["id"], both[1]["id"]), _between(desk, *both)
        say("Server", f"one customer has one login, so the new link is refused ({refusal}) and waits for a person")
        ann_while, ben_while = screen("The app, for Ann", ann), screen("The app, for Ben", ben)
        say("Ben", "calls the hotline, which asks for a code alone")
        number_while = screen("The hotline, to which the number is all", _calls(hotline, "call-8002", "menu.chosen"))
        say("Demo", "until somebody decides, the number alone still leads to Ann: ask for more where that matters")

        desk.show_links(f"{BEN}: the conflict", conflicts)
        [link] = [one for one in both[0]["links"] if one["reason"] == "EVIDENCE" and one["status"] == "ACTIVE"]
        proof = desk.because(link)
        say("Desk", f"reads what made the number Ann's: {proof['type']} in {proof['channel']} at {proof['at'][:19]}")
        taken = desk.unlink(link, WHY)
        say(
            "App",
            "Ann's old phone was off: what it kept from when the number was hers arrives only now, and proves both",
        )
        _signs_in(app, ANN, "plan.viewed", {"plan": "solo"}, at=datetime.now(UTC) - timedelta(days=1))

        seen = Seen(
            alone=alone,
            conflicts=conflicts,
            refusal=refusal,
            ann_while=ann_while,
            ben_while=ben_while,
            number_while=number_while,
            link=link,
            proof=proof,
            taken=taken,
            conflicts_after=_between(desk, *both),
            ann_after=desk.the(ANN),
            ben_after=desk.the(BEN),
            led_to=desk.led_to(PHONE),
            number_after=screen("The hotline, for Ben", _calls(hotline, "call-8003", "balance.asked")),
        )
        screen("The app, for Ann", app.customer(login=ANN, assurance="LOGIN").contact())
    desk.show_links(ANN, seen.ann_after["links"])
    desk.show_links(BEN, seen.ben_after["links"])
    check(seen)
    say(
        "Demo",
        "the number is Ben's. What Ann did signed in stays hers; calls with the number alone go with it",
    )
    return seen


def _signs_in(app: Client, login: str, type: str, told: dict[str, object], *, at: datetime | None = None) -> Contact:
    """A visit in which both the login and the number are proven."""
    proven = [("login", login, "LOGIN"), ("phone", PHONE, "OTP")]
    visit = app.customer(identifiers=proven).contact(f"app-{login}")
    visit.record(type, told, at=at)
    arrived(app)
    return visit


def _calls(hotline: Client, call: str, type: str) -> Contact:
    """A call in which the number alone is proven."""
    visit = hotline.customer(phone=PHONE, assurance="OTP").contact(call)
    visit.record(type)
    arrived(hotline)
    return visit


def _between(desk: Desk, one: Found, other: Found) -> list[Found]:
    """The conflicts between these two: others of the house are not this story's."""
    wanted = {one["id"], other["id"]}
    return [link for link in desk.conflicts() if {customer["id"] for customer in link["customers"]} == wanted]


def check(seen: Seen) -> None:
    """Raises Failed unless the two were never mixed, and the number is Ben's in the end."""
    expect(seen.conflicts and not seen.conflicts_after, "The conflict was not shown, or is still there.")
    expect("app plan.changed" not in did(seen.ben_while), "Ben is shown what Ann did.")
    expect("app sim.activated" not in did(seen.ann_while), "Ann is shown what Ben did.")
    expect([one["id"] for one in seen.led_to] == [seen.ben_after["id"]], "The number is not Ben's.")
    expect("app plan.changed" in types(seen.ann_after), "Ann lost what she did.")
    expect("app plan.changed" not in types(seen.ben_after), "Ben was given what Ann did.")
