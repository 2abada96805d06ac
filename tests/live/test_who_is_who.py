"""What examples/who_is_who.py shows holds: nobody is taken for somebody else, and a mistake is undone."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from examples.stories.house import opened
from examples.stories.stage import Failed, stage
from examples.stories.who import hijack, mistake, number, tablet
from examples.stories.who.desk import kinds, traits, types
from examples.stories.who.screens import did
from steadylight import Context

Play = Callable[[ModuleType], Any]
WALKTHROUGH = Path(__file__).parents[2] / "examples" / "who_is_who.py"


@pytest.fixture(scope="module")
def play() -> Iterator[Play]:
    """Plays a scene, once, on the house that all share: each has people of its own. What it saw."""
    with stage() as on, opened(on) as house:
        yield cache(lambda scene: scene.play(house))


def known_by(context: Context) -> list[str]:
    return sorted(f"{one.kind} {one.value}" for one in context.identifiers)


def told(context: Context, channel: str) -> list[tuple[str, str]]:
    """What is shown of one channel, the oldest first: the type, and its properties as text."""
    mine = [action for action in reversed(context.actions) if action.channel == channel]
    return [(action.type, ", ".join(map(str, action.properties.values()))) for action in mine]


@pytest.mark.timeout(300)
def test_an_account_opened_with_somebody_elses_address_gets_nothing_of_theirs(
    play: Play,
) -> None:
    seen = play(hijack)

    assert seen.led_to_before == []
    [owner] = seen.led_to
    assert kinds(owner) == known_by(seen.owner) == ["email olga@example.org", "login account-6002"]
    assert types(owner) == did(seen.owner) == ["web plan.viewed", "web contact.identified", "web bill.paid"]
    assert traits(owner) == {"ship_to": "2 Quay Street"}
    assert [(link["reason"], link["status"], link["assurance"]) for link in owner["links"]] == [
        ("EVIDENCE", "ACTIVE", "OTP")
    ]
    for attacker in (seen.attacker_before, seen.attacker):
        assert known_by(attacker) == ["login account-6001"]
        assert did(attacker) == ["web contact.identified", "web voucher.bought"]
        assert [(claim.kind, claim.value) for claim in attacker.claims] == [("email", "olga@example.org")]
    assert seen.attackers_record["id"] != owner["id"]
    assert seen.attackers_record["links"] == []
    assert traits(seen.attackers_record) == {"ship_to": "PO box 13"}
    assert (seen.stranger.customer, did(seen.stranger)) == (None, ["chat contact.identified"])


@pytest.mark.timeout(300)
def test_nothing_of_one_reaches_another_on_a_shared_tablet(play: Play) -> None:
    seen = play(tablet)
    ann, ben = tablet.FAMILY

    assert (seen.ann_before_sign_in.customer, did(seen.ann_before_sign_in)) == (None, ["shop-app plan.viewed"])
    assert len(set(seen.personas)) == 3  # a new one with each signing out
    for login, looked_at in ((ann, ("plan.viewed", "family-5g")), (ben, ("phone.viewed", "fold-3"))):
        assert known_by(seen.careful[login]) == known_by(seen.forgetful[login]) == [f"login {login}"]
        shown = told(seen.careful[login], "shop-app")
        assert [type for type, _ in shown] == [
            looked_at[0],
            "contact.identified",
            "bill.paid",
            "contact.signed-out",
        ]
        assert (shown[0], shown[2]) == (looked_at, ("bill.paid", login))
    assert (seen.child.customer, did(seen.child)) == (None, ["shop-app game.played"])
    for nobody in (seen.next_with_the_old_persona, seen.nobody):
        assert (nobody.customer, nobody.actions, nobody.contacts) == (None, (), ())

    # Without a signing out, what Ben did before his own signing in is nobody's.
    anns, bens = (told(seen.forgetful[login], "tv-app") for login in (ann, ben))
    assert [type for type, _ in anns] == ["film.viewed", "contact.identified", "film.bought"]
    assert [type for type, _ in bens] == ["contact.identified", "film.bought"]
    assert {film for _, film in (anns[0], anns[2])} == {"Harbour"}
    assert bens[1] == ("film.bought", "Present for Ann")
    assert [(link["reason"], link["status"]) for link in seen.links] == [("PERSONA", "ACTIVE")] * 2


@pytest.mark.timeout(300)
def test_a_number_that_goes_to_somebody_else_takes_nothing_along_that_was_done_signed_in(
    play: Play,
) -> None:
    seen = play(number)

    # While both have proven it, the two are apart, and what is known by the number alone is still Ann's.
    assert seen.refusal == "TOO_MANY_OF_A_KIND"
    assert [(link["status"], link["refusal"]) for link in seen.conflicts] == [("REFUSED", "TOO_MANY_OF_A_KIND")]
    assert known_by(seen.ann_while) == ["login ann-8001", "phone +447700900321"]
    assert did(seen.ann_while) == ["app plan.changed", "hotline balance.asked"]
    assert (known_by(seen.ben_while), did(seen.ben_while)) == (["login ben-8002"], ["app sim.activated"])
    assert seen.number_while.customer == seen.ann_while.customer

    # The reason is found, and taken back.
    assert (seen.proof["type"], seen.proof["channel"]) == ("plan.changed", "app")
    assert (seen.taken["id"], seen.taken["status"], seen.taken["retiredWhy"]) == (
        seen.link["id"],
        "RETIRED",
        number.WHY,
    )
    assert seen.conflicts_after == []

    # The number is Ben's with all that was proven by it alone; what Ann's old phone proved earlier changes nothing.
    assert [one["id"] for one in seen.led_to] == [seen.ben_after["id"]]
    assert kinds(seen.ben_after) == ["login ben-8002", "phone +447700900321"]
    assert types(seen.ben_after) == ["hotline balance.asked", "app sim.activated", "hotline menu.chosen"]
    assert seen.number_after.customer == seen.ben_after["id"]
    assert kinds(seen.ann_after) == ["login ann-8001"]
    assert types(seen.ann_after) == ["app plan.viewed", "app plan.changed"]
    assert [link["status"] for link in seen.ann_after["links"]] == ["RETIRED"]


@pytest.mark.timeout(300)
def test_a_mistyped_number_that_made_one_of_two_people_is_found_and_undone(play: Play) -> None:
    seen = play(mistake)

    # One customer, mixed; both ids lead to it, and it has the older one.
    assert seen.together["id"] == seen.paul_before["id"] != seen.rosa_before["id"]
    assert seen.by_her_id == seen.together
    assert kinds(seen.together) == ["customer-number C-9012", "customer-number C-9021", "login paul-9001"]
    assert types(seen.together) == ["web tariff.viewed", "branch deposit.made", "chat tariff.changed"]
    assert traits(seen.together) == {"tariff": "Solo M", "town": "Porto"}
    assert did(seen.teller_while) == types(seen.together)

    # The action that did it says where, and by whom.
    assert (seen.proof["channel"], seen.proof["contact"], seen.proof["agent"]) == ("chat", "chat-9001", "r.costa")
    assert seen.link["assurance"] == "KNOWLEDGE"

    # Both are as before, to the letter, but for the link and for the chat, which was Paul's.
    assert seen.rosa_after | {"links": []} == seen.rosa_before
    assert did(seen.teller_after) == did(seen.teller_before)
    apart = ("id", "since", "identifiers")
    assert [seen.paul_after[name] for name in apart] == [seen.paul_before[name] for name in apart]
    assert seen.paul_after["actions"]["nodes"][:-1] == seen.paul_before["actions"]["nodes"]
    assert types(seen.paul_after)[-1] == "chat tariff.changed"
    assert traits(seen.paul_after) == {"tariff": "Solo M", "town": "Leeds"}

    # It stays: said again it joins nobody, and who took it back and why is kept and audited.
    paul, rosa = seen.after_saying_it_again
    assert (paul["id"], rosa) == (seen.paul_before["id"], seen.rosa_after)
    assert [(link["id"], link["status"], link["retiredWhy"]) for link in rosa["links"]] == [
        (seen.link["id"], "RETIRED", mistake.WHY)
    ]
    unlinked = [entry for entry in seen.audit if entry["deed"] == "customer.unlinked"]
    assert len(unlinked) == 1
    assert set(unlinked[0]["whom"]) == {seen.paul_before["id"], seen.rosa_before["id"]}
    assert mistake.WHY in unlinked[0]["why"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("scene", "wrong"),
    [
        (hijack, lambda seen: {"stranger": seen.owner}),
        (hijack, lambda seen: {"owner": seen.attacker}),
        (tablet, lambda seen: {"child": seen.careful[tablet.FAMILY[0]]}),
        (tablet, lambda seen: {"nobody": seen.child}),
        (number, lambda seen: {"ben_while": seen.ann_while}),
        (number, lambda seen: {"ben_after": seen.ann_after}),
        (mistake, lambda seen: {"rosa_after": seen.together}),
        (mistake, lambda seen: {"after_saying_it_again": [seen.together] * 2}),
    ],
)
def test_a_scene_in_which_people_are_mixed_up_fails(
    play: Play, scene: ModuleType, wrong: Callable[[Any], dict[str, Any]]
) -> None:
    seen = play(scene)

    with pytest.raises(Failed):
        scene.check(replace(seen, **wrong(seen)))


@pytest.mark.timeout(300)
def test_the_walkthrough_runs_by_itself_and_ends() -> None:
    command = [sys.executable, str(WALKTHROUGH), "tablet", "hijack"]
    with tempfile.TemporaryDirectory(prefix="sl-") as folder:  # a short path, since it will hold a socket
        run = subprocess.run(
            command,
            env=os.environ | {"TMPDIR": folder, "XDG_STATE_HOME": folder},
            capture_output=True,
            text=True,
            check=False,
        )
        left = list(Path(folder).iterdir())

    assert (run.returncode, left) == (0, []), run.stdout + run.stderr
    assert re.findall(r"^(\d)\. (\w+ \w+)", run.stdout, re.MULTILINE) == [("1", "A family"), ("2", "Somebody opens")]
    assert "All came out as it should." in run.stdout


def test_the_help_lists_the_scenes() -> None:
    run = subprocess.run([sys.executable, WALKTHROUGH, "--help"], capture_output=True, text=True, check=True)

    scenes = re.findall(r"^  ([\w-]+) +[A-Z]", run.stdout, re.MULTILINE)
    assert scenes == ["hijack", "tablet", "number", "mistake"]
