"""Help, and how failures are told."""

import pytest
from typer.main import get_command

from steadylight_server.cli.commands import program

from .conftest import Steadylight

TREE = get_command(program)


def leaves(command: object, name: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    inner = getattr(command, "commands", None)
    if not inner:
        return [name]
    return [leaf for key, each in inner.items() for leaf in leaves(each, (*name, key))]


def test_these_are_the_commands() -> None:
    assert {" ".join(leaf) for leaf in leaves(TREE)} == {
        "serve",
        "replay",
        "schema",
        "version",
        "indexes",
        "rebuild",
        "journeys",
        "doctor",
        "parity check",
        "channel add",
        "channel list",
        "key add",
        "key rotate",
        "key revoke",
        "key list",
        "admin link",
        "agent link",
        "session list",
        "session end",
        "audit verify",
        "audit list",
        *(f"articles {one}" for one in ("list", "show", "history", "diff", "publish", "expire", "import", "export")),
        "articles affected",
        "articles due",
        "apply",
        "import customers",
        "blueprint show",
        "blueprint list",
        "blueprint rollback",
    }


@pytest.mark.parametrize("leaf", [*leaves(TREE), ("parity",)], ids=" ".join)
def test_each_explains_itself_with_an_example(leaf: tuple[str, ...], steadylight: Steadylight) -> None:
    said = steadylight(*leaf, "--help").stdout

    assert f"Example: steadylight {' '.join(leaf)}" in said
    assert ("--json" in said) is (leaf != ("serve",))


def test_wrong_settings_are_told_by_their_variable_and_without_their_value(
    steadylight: Steadylight, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEADYLIGHT_PORT", "s3cret")

    said = steadylight("channel", "list", code=1).stderr

    assert said.startswith("Error: The settings are not right. STEADYLIGHT_PORT: Input should be a valid integer")
    assert "s3cret" not in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("mongodb://127.0.0.1:1/", "The database does not answer. Does it run, and is STEADYLIGHT_MONGODB_URI right?"),
        ("http://127.0.0.1", "The database cannot be used: Invalid URI scheme"),
    ],
)
def test_a_database_that_cannot_be_used_is_told_in_one_line(
    uri: str, told: str, steadylight: Steadylight, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEADYLIGHT_MONGODB_URI", uri)

    said = steadylight("channel", "list", code=1).stderr

    assert said.startswith(f"Error: {told}")
    assert said.count("\n") == 1


def test_a_directory_beside_an_address_is_a_usage_error(
    environment: str, steadylight: Steadylight, tmp_path: object
) -> None:
    said = steadylight("channel", "list", "--data", tmp_path, code=2).stderr

    assert "STEADYLIGHT_MONGODB_URI names another database" in said
