"""`steadylight channel`."""

import re

from .conftest import Steadylight

KEY = r"sl_[0-9a-f]{12}_[A-Za-z0-9_-]{43}"


def test_a_channel_is_added_and_its_key_shown_once(environment: str, steadylight: Steadylight) -> None:
    added = steadylight.json("channel", "add", "web", "--kind", "SELF_SERVICE")
    said = steadylight("channel", "add", "contact-centre", "--kind", "assisted", "--highest-assurance", "otp").stdout
    listed = steadylight.json("channel", "list")

    assert re.fullmatch(KEY, added.pop("key"))
    assert (added["name"], added["kind"], added["highest_assurance"]) == ("web", "SELF_SERVICE", "LOGIN")
    assert len(re.findall(KEY, said)) == 1
    assert [(one["name"], one["kind"], one["highest_assurance"]) for one in listed] == [
        ("contact-centre", "ASSISTED", "OTP"),
        ("web", "SELF_SERVICE", "LOGIN"),
    ]
    assert listed[1] == added
    assert "sl_" not in steadylight("channel", "list").stdout


def test_the_list_is_a_table_for_people(environment: str, steadylight: Steadylight) -> None:
    assert steadylight("channel", "list").stdout == "There is no channel yet. Add one: steadylight channel add web\n"

    steadylight("channel", "add", "web")

    lines = [line.split() for line in steadylight("channel", "list").stdout.splitlines() if line.strip()]
    assert lines[0] == ["name", "kind", "highest", "assurance", "created", "at"]
    assert lines[2][:3] == ["web", "SELF_SERVICE", "LOGIN"]


def test_a_name_that_is_taken_or_none_is_refused(environment: str, steadylight: Steadylight) -> None:
    steadylight("channel", "add", "web")

    taken = steadylight("channel", "add", "web", "--kind", "ASSISTED", code=1)
    steadylight("channel", "add", "Web Shop", code=1)
    steadylight("channel", "add", "shop", "--kind", "HUMAN", code=2)
    unknown = steadylight("channel", "add", "shop", "--highest-assurance", "SURE", code=2)

    assert (taken.stdout, taken.stderr) == ("", "Error: There is a channel called web already.\n")
    assert "CLAIMED, CALLER_ID, KNOWLEDGE, OTP, LOGIN, IN_PERSON" in unknown.stderr
    assert [one["name"] for one in steadylight.json("channel", "list")] == ["web"]
