"""`steadylight key`."""

import pytest

from .conftest import Steadylight


@pytest.fixture
def web(environment: str, steadylight: Steadylight) -> str:
    """The id of the first key of a channel called web."""
    key: str = steadylight.json("channel", "add", "web")["key"]
    return key.split("_")[1]


def test_keys_are_made_for_a_channel_or_an_admin(web: str, steadylight: Steadylight) -> None:
    full = steadylight.json("key", "add", "web")
    less = steadylight.json("key", "add", "web", "--scope", "actions:write")
    admin = steadylight.json("key", "add", "--admin")

    assert full["scopes"] == ["actions:write", "customers:read"]
    assert less["scopes"] == ["actions:write"]
    assert (admin["channel"], admin["scopes"]) == (
        None,
        ["capabilities:report", "channels:register", "customers:read", "identities:link", "knowledge:write"],
    )
    assert [key["id"] for key in steadylight.json("key", "list", "web")] == [web, full["id"], less["id"]]
    assert [key["id"] for key in steadylight.json("key", "list", "--admin")] == [admin["id"]]
    assert len(steadylight.json("key", "list")) == 4
    assert all("key" not in key and "hash" not in key for key in steadylight.json("key", "list"))


def test_a_channel_s_key_may_have_scopes_of_the_company_s_own(web: str, steadylight: Steadylight) -> None:
    wanted = ["actions:write", "customers:read", "capabilities:report", "perform:money"]
    key = steadylight.json("key", "add", "web", *(part for scope in wanted for part in ("--scope", scope)))

    assert key["scopes"] == sorted(wanted)


def test_a_rotated_key_ends_after_the_overlap_and_hands_on_its_scopes(web: str, steadylight: Steadylight) -> None:
    steadylight("key", "revoke", web)
    old = steadylight.json("key", "add", "web", "--scope", "actions:write")

    new = steadylight.json("key", "rotate", "web", "--overlap", "30m")

    keys = {key["id"]: key for key in steadylight.json("key", "list", "web")}
    assert new["scopes"] == ["actions:write"]
    assert keys.keys() == {old["id"], new["id"]}
    assert keys[new["id"]]["state"] == "good"
    assert keys[old["id"]]["state"] == f"good until {keys[old['id']]['expires_at']}"


def test_an_ended_key_is_listed_only_when_asked_for(web: str, steadylight: Steadylight) -> None:
    steadylight("key", "rotate", "web", "--overlap", "0")
    second = steadylight.json("key", "list", "web")[0]["id"]
    revoked = steadylight.json("key", "revoke", second)

    states = {key["id"]: key["state"] for key in steadylight.json("key", "list", "web", "--ended")}
    assert revoked == {"revoked": second}
    assert states == {web: "expired", second: "revoked"}
    assert steadylight("key", "list", "web").stdout == "There is no key yet. Add one: steadylight key add CHANNEL\n"


def test_people_are_shown_the_key_once_and_a_table(web: str, steadylight: Steadylight) -> None:
    said = steadylight("key", "add", "--admin").stdout
    steadylight("key", "add", "web")
    table = steadylight("key", "list").stdout

    assert said.startswith("Key ")
    scopes = "capabilities:report, channels:register, customers:read, identities:link, knowledge:write"
    assert f"of an admin, for {scopes}. Shown once:\n\n    sl_" in said
    assert f"{web}   web       good    actions:write, customers:read" in table
    assert "(admin)" in table
    assert steadylight("key", "revoke", web).stdout.startswith(f"Key {web} is revoked, on every server.")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("add",), 2, "Name a channel, or say --admin."),
        (("add", "web", "--admin"), 2, "Name a channel, or say --admin."),
        (("add", "web", "--scope", "channels:register"), 2, "a channel's key can have actions:write"),
        (("add", "--admin", "--scope", "actions:write"), 2, "an admin's key can have capabilities:report"),
        (("add", "web", "--scope", "perform:Money"), 2, "customers:read, knowledge:write, perform:NAME only"),
        (("add", "--admin", "--scope", "perform:money"), 2, "an admin's key can have"),
        (("rotate", "web", "--overlap", "soon"), 2, "is no length of time"),
        (("add", "shop"), 1, "There is no channel called shop."),
        (("rotate", "shop"), 1, "There is no channel called shop."),
        (("list", "shop"), 1, "There is no channel called shop."),
        (("revoke", "0123456789ab"), 1, "There is no key or session with the id 0123456789ab."),
    ],
)
def test_what_cannot_be_done_is_told(
    arguments: tuple[str, ...], code: int, told: str, web: str, steadylight: Steadylight
) -> None:
    assert told in steadylight("key", *arguments, code=code).stderr
