"""`steadylight apply` and `steadylight blueprint`."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from steadylight_server.cli import blueprints

from .conftest import Process, Steadylight

EXAMPLES = Path(__file__).parents[3] / "examples"
WEB = "version: 1\nchannels:\n  web: {kind: SELF_SERVICE}\n"
DESK = "version: 1\nchannels:\n  desk: {kind: ASSISTED}\n"
RECORD = "mutation($input: RecordActionsInput!) { recordActions(input: $input) { warnings { code } } }"
WHO = "{ viewer { highestAssurance } }"


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a blueprint."""

    def write(text: str) -> Path:
        path = tmp_path / "blueprint.yaml"
        path.write_text(text)
        return path

    return write


def test_a_blueprint_is_applied_and_shown_as_it_is_written(
    environment: str, steadylight: Steadylight, file: Callable[[str], Path]
) -> None:
    said = steadylight("apply", file(WEB)).stdout
    again = steadylight("apply", file(WEB)).stdout
    other = steadylight("apply", file(WEB + "# a remark\n")).stdout

    assert said.splitlines() == [
        "+ channel web: SELF_SERVICE, up to LOGIN",
        "Version 1 is in force. Running servers follow within a second.",
    ]
    assert again == "This is in force already, as version 1.\n"
    assert other.splitlines() == [
        "It changes nothing that is in force; only its text is new.",
        "Version 2 is in force. Running servers follow within a second.",
    ]
    assert steadylight("blueprint", "show").stdout == WEB + "# a remark\n"
    assert steadylight("blueprint", "show", "--version", 1).stdout == WEB
    assert [one["name"] for one in steadylight.json("channel", "list")] == ["web"]


def test_the_difference_can_be_seen_first(
    environment: str, steadylight: Steadylight, file: Callable[[str], Path]
) -> None:
    said = steadylight("apply", file(WEB), "--dry-run").stdout

    assert said.splitlines() == ["+ channel web: SELF_SERVICE, up to LOGIN", "Nothing was changed."]
    assert steadylight("blueprint", "list").stdout.startswith("No blueprint was applied yet.")
    assert steadylight.json("channel", "list") == []


@pytest.mark.parametrize("answer", ["y", "n"])
def test_on_a_terminal_somebody_is_asked(
    environment: str,
    steadylight: Steadylight,
    file: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
) -> None:
    asked: list[str] = []

    def confirm(question: str) -> bool:
        asked.append(question)
        return answer == "y"

    monkeypatch.setattr(blueprints, "_is_a_terminal", lambda: True)
    monkeypatch.setattr("typer.confirm", confirm)

    said = steadylight("apply", file(WEB)).stdout

    assert asked == ["Apply this?"]
    assert len(steadylight.json("blueprint", "list")) == (answer == "y")
    assert ("Nothing was changed." in said) == (answer == "n")

    steadylight("apply", file(DESK), "--yes")

    assert len(asked) == 1
    assert [one["name"] for one in steadylight.json("channel", "list")] == ["desk"]


def test_a_terminal_is_one_where_somebody_types_and_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not blueprints._is_a_terminal()

    for stream in ("stdin", "stdout"):
        monkeypatch.setattr(f"sys.{stream}", type("Terminal", (), {"isatty": lambda self: True})())

    assert blueprints._is_a_terminal()


def test_json_says_the_same(environment: str, steadylight: Steadylight, file: Callable[[str], Path]) -> None:
    dry = steadylight.json("apply", file(WEB), "--dry-run")
    applied = steadylight.json("apply", file(WEB))
    again = steadylight.json("apply", file(WEB))
    shown = steadylight.json("blueprint", "show")

    changes = [{"how": "ADDED", "what": "channel web: SELF_SERVICE, up to LOGIN"}]
    assert dry == {"version": 1, "applied": False, "changes": changes}
    assert applied == {"version": 1, "applied": True, "changes": changes}
    assert again == {"version": 1, "applied": False, "changes": []}
    assert shown.pop("applied_at").endswith("Z")
    assert shown.pop("by")
    assert shown == {"version": 1, "restores": None, "text": WEB}


def test_going_back_is_one_command(environment: str, steadylight: Steadylight, file: Callable[[str], Path]) -> None:
    steadylight("apply", file(WEB))
    steadylight("apply", file(DESK))

    dry = steadylight("blueprint", "rollback", "--dry-run").stdout
    said = steadylight("blueprint", "rollback").stdout
    listed = steadylight.json("blueprint", "list")
    lines = [line.split() for line in steadylight("blueprint", "list").stdout.splitlines() if line.strip()]

    assert dry.splitlines()[-1] == "Nothing was changed."
    assert said.splitlines() == [
        "+ channel web: SELF_SERVICE, up to LOGIN",
        "- channel desk",
        "Version 3 is in force, equal to version 1. Running servers follow within a second.",
    ]
    assert steadylight("blueprint", "show").stdout == WEB
    assert [(one["version"], one["restores"]) for one in listed] == [(3, 1), (2, None), (1, None)]
    assert lines[0] == ["version", "state", "applied", "at", "by", "as", "version"]
    assert (lines[2][0], lines[2][1:3], lines[2][-1]) == ("3", ["in", "force"], "1")
    steadylight("blueprint", "rollback", 2)
    assert steadylight("blueprint", "show").stdout == DESK


def test_what_is_wrong_is_said_with_the_file_and_the_line(
    environment: str, steadylight: Steadylight, file: Callable[[str], Path], tmp_path: Path
) -> None:
    wrong = file("version: 1\nchannels:\n  web: {kind: SHOP}\n")
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")

    refused = steadylight("apply", wrong, code=1)
    unreadable = steadylight("apply", binary, code=1)
    missing = steadylight("blueprint", "show", "--version", 7, code=1)
    none = steadylight("blueprint", "rollback", code=1)
    steadylight("apply", tmp_path / "missing.yaml", code=2)

    assert refused.stderr.splitlines()[0] == f"Error: {wrong} is no blueprint."
    assert refused.stderr.splitlines()[1].startswith("line 3: channels.web.kind: ")
    assert unreadable.stderr.startswith(f"Error: {binary} cannot be read as text: ")
    assert missing.stderr == "Error: There is no version 7. `steadylight blueprint list` shows those there are.\n"
    assert none.stderr.startswith("Error: No blueprint was applied yet")
    assert steadylight.json("blueprint", "list") == []


def test_the_example_of_a_telephone_company_applies(environment: str, steadylight: Steadylight) -> None:
    applied = steadylight.json("apply", EXAMPLES / "telco.yaml")

    assert [change["what"].partition(":")[0] for change in applied["changes"]] == [
        "default region",
        *(f"channel {name}" for name in ("web", "app", "ivr", "contact-centre", "shop")),
        *(f"identifier kind {name}" for name in ("customer-number", "phone", "set-top-box", "sim")),
        *(f"capability {name}" for name in ("bill.view", "plan.change")),
    ]
    assert len(steadylight.json("channel", "list")) == 5


def test_the_example_of_a_service_desk_applies(environment: str, steadylight: Steadylight) -> None:
    applied = steadylight.json("apply", EXAMPLES / "service-desk.yaml")

    assert [change["what"].partition(":")[0] for change in applied["changes"]] == [
        *(f"channel {name}" for name in ("phone", "web", "email", "ivr", "desk")),
        "journey incident",
    ]
    assert 'one for each case, completed by type == "case.closed"' in applied["changes"][-1]["what"]


def test_running_servers_notice(
    environment: str, steadylight: Steadylight, file: Callable[[str], Path], start: Callable[..., Process]
) -> None:
    key = steadylight.json("channel", "add", "web")["key"]
    servers = [start("serve", "--port", 0) for _ in range(2)]
    urls = [server.url() for server in servers]

    def ask(url: str, query: str, **variables: Any) -> Any:
        body = {"query": query, "variables": variables}
        headers = {"Authorization": f"Bearer {key}"}
        answer = httpx.post(f"{url}/graphql", json=body, headers=headers, timeout=20).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def soon(what: Callable[[str], bool]) -> float:
        """How long it took until it holds on every server."""
        began = time.monotonic()
        while not all(what(url) for url in urls):
            assert time.monotonic() - began < 10
            time.sleep(0.02)
        return time.monotonic() - began

    before = [ask(url, WHO)["viewer"]["highestAssurance"] for url in urls]
    text = "version: 1\nchannels:\n  web: {kind: SELF_SERVICE, highest_assurance: OTP}\n"
    steadylight("apply", file(text))
    took = soon(lambda url: ask(url, WHO)["viewer"]["highestAssurance"] == "OTP")
    steadylight("blueprint", "rollback", 1)

    assert before == ["LOGIN", "LOGIN"]
    assert took < 3
    assert [server.end()[0] for server in servers] == [0, 0]
