"""A family shares a tablet: one after the other, with an app that signs out, and with one that forgets to."""

from dataclasses import dataclass

from steadylight import Client, Context

from ..house import House
from ..stage import expect, say
from .desk import Desk, Found
from .screens import arrived, channel, did, screen

FAMILY = ("ann-7001", "ben-7002")
DEVICE = "tablet-7"


@dataclass(frozen=True)
class Seen:
    """What each was shown, by login; and whoever held the tablet without saying who they are."""

    ann_before_sign_in: Context
    careful: dict[str, Context]
    child: Context
    next_with_the_old_persona: Context
    forgetful: dict[str, Context]
    nobody: Context
    links: list[Found]
    personas: list[str | None]


def play(house: House) -> Seen:
    """Raises Failed if anything of one reaches another."""
    desk = Desk(house.admin)
    with channel(house, "shop-app") as app:
        before, child, stale, personas = _careful(app)
        careful = {login: _at_home(app, login) for login in FAMILY}
    with channel(house, "tv-app") as app:
        nobody = _forgetful(app)
        forgetful = {login: _at_home(app, login) for login in FAMILY}
    links = desk.the(FAMILY[0])["links"]
    desk.show_links(f"{FAMILY[0]}: what was done before signing in, in each app", links)
    seen = Seen(before, careful, child, stale, forgetful, nobody, links, personas)
    check(seen)
    say("Demo", "what each did before signing in joined them, and nobody was shown anything of anybody else.")
    return seen


def _careful(app: Client) -> tuple[Context, Context, Context, list[str | None]]:
    """An app that names a persona, keeps it in a cookie, and signs out. The tablet stays one contact throughout."""
    tablet = app.contact("tablet-evening", persona="persona-7000")
    personas = [tablet.persona]
    say("Ann", "takes the tablet and looks around. The app calls whoever it is persona-7000")
    tablet.record("plan.viewed", {"plan": "family-5g"})
    before = screen("The app, before Ann signs in", tablet)
    for login in FAMILY:
        name = login.split("-")[0].title()
        if login != FAMILY[0]:
            say(name, "takes the tablet and looks around")
            tablet.record("phone.viewed", {"phone": "fold-3"})
        say(name, "signs in, and pays. A device is said, too: it is shared, so it never says who somebody is")
        tablet.identify(login=login, device=DEVICE, assurance="LOGIN")
        tablet.record("bill.paid", {"by": login})
        tablet.sign_out()
        personas.append(tablet.persona)
        say(name, "signs out: the app calls whoever comes next by a new name")
        arrived(app)  # they hand the tablet over
    say("A child", "plays a game, and signs in nowhere")
    tablet.record("game.played")
    child = screen("The app, for the child", tablet)
    say("Somebody", "finds a tab in which persona-7000 is still in the cookie")
    return before, child, screen("That tab", app.contact("old-tab", persona=personas[0])), personas


def _forgetful(app: Client) -> Context:
    """An app that keeps one persona and one contact for the device, and never says that somebody left."""
    visit = {"key": "tv-session", "persona": "persona-7100"}
    ann, ben = FAMILY
    tablet = app.contact(**visit)
    say("Ann", "browses in another app, and signs in")
    tablet.record("film.viewed", {"film": "Harbour"})
    tablet.identify(login=ann, device=DEVICE, assurance="LOGIN")
    tablet.record("film.bought", {"film": "Harbour"})
    arrived(app)
    say("Ben", "takes the tablet. This app forgets Ann, but goes on under the old persona, and records no signing out")
    tablet = app.contact(**visit)
    tablet.record("film.viewed", {"film": "Present for Ann"})
    arrived(app)
    say("Ben", "signs in, too, and puts the tablet away")
    tablet.identify(login=ben, device=DEVICE, assurance="LOGIN")
    tablet.record("film.bought", {"film": "Present for Ann"})
    arrived(app)
    say("Demo", "what Ben did before he signed in is nobody's: after Ann's signing in, it may have been anybody")
    return screen("That app, for whoever comes next", app.contact(**visit))


def _at_home(app: Client, login: str) -> Context:
    return screen(f"On {login}'s own phone", app.customer(login=login, assurance="LOGIN").contact())


def check(seen: Seen) -> None:
    """Raises Failed unless each is shown what they did, and nobody anything else."""
    for login, shown in (*seen.careful.items(), *seen.forgetful.items()):
        others = {action.properties.get("by", login) for action in shown.actions} - {login}
        expect(not others, f"{login} is shown what {others} did.")
    expect(did(seen.careful[FAMILY[0]])[0] == "shop-app plan.viewed", "What Ann did before signing in is not hers.")
    expect(did(seen.child) == ["shop-app game.played"], "The child is shown anything but what they did.")
    expect(not seen.next_with_the_old_persona.actions and not seen.nobody.actions, "An old persona shows something.")
    told = [str(action.properties) for action in seen.forgetful[FAMILY[0]].actions]
    expect("Present" not in "".join(told), "Ann was told of her present.")
