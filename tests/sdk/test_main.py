"""`python -m steadylight check` and `spool`."""

import json
from typing import Any

import pytest

from steadylight import __main__, __version__
from steadylight._client import Client
from steadylight.testing import Server


@pytest.fixture(autouse=True)
def _in_memory(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    monkeypatch.delenv("STEADYLIGHT_URL", raising=False)
    monkeypatch.delenv("STEADYLIGHT_KEY", raising=False)
    connect: Any = lambda url, key, options: Client(url, key, options=options, transport=server.transport)  # noqa: E731
    monkeypatch.setattr(__main__, "Client", connect)


def test_all_is_well(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    code = __main__.main(["check", "--url", server.url, "--key", server.key("web")])

    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert lines[:2] == [
        "URL      http://steadylight.test/graphql",
        "channel  web, at most LOGIN, actions:write, customers:read",
    ]
    assert [line.split()[0] for line in lines[2:4]] == ["clock", "latency"]
    assert lines[4:] == ["All is well."]


def test_problems_are_listed_and_the_exit_code_tells(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    code = __main__.main(["check", "--url", server.url, "--key", "wrong"])

    lines = capsys.readouterr().out.splitlines()
    assert code == 1
    assert lines[1].startswith("problem  The server does not know this key.")
    assert lines[2] == "1 to repair."


def test_json_is_one_line(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    code = __main__.main(["check", "--url", server.url, "--key", server.admin_key, "--json"])

    (line,) = capsys.readouterr().out.splitlines()
    assert code == 1
    assert json.loads(line)["channel"] is None
    assert json.loads(line)["ok"] is False


def test_a_missing_url_is_a_problem_like_any_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["check"]) == 1

    assert "problem  No Steadylight URL. Set STEADYLIGHT_URL" in capsys.readouterr().out


def test_a_wrong_command_line_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        __main__.main([])

    assert caught.value.code == 2


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        __main__.main(["--help"])

    assert "python -m steadylight check" in capsys.readouterr().out
    assert __version__


def left_behind(server: Server, key: str, *types: str) -> None:
    """What a process recorded that ended while the server was away."""
    server.down()
    light = Client(server.url, key, transport=server.transport)
    for type in types:
        light.contact("k").record(type)
    light.close()
    server.up()


def spool(server: Server, key: str, *arguments: str) -> int:
    return __main__.main(["spool", *arguments, "--url", server.url, "--key", key])


def test_what_waits_on_disk_is_counted_shown_and_delivered(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    key = server.key("web")
    left_behind(server, key, "plan.viewed", "plan.chosen")

    assert spool(server, key, "stats", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["undelivered"], told["processes"], told["refused"], told["dropped"]) == (2, 1, 0, {})
    assert spool(server, key, "stats") == 0
    assert "undelivered  2" in capsys.readouterr().out.splitlines()

    assert spool(server, key, "show") == 0
    assert [json.loads(line)["type"] for line in capsys.readouterr().out.splitlines()] == ["plan.viewed", "plan.chosen"]

    assert spool(server, key, "drain") == 0
    assert capsys.readouterr().out == "2 stored, 0 were there already, 0 refused, 0 left\n"
    assert [action.type for action in server.actions] == ["plan.viewed", "plan.chosen"]
    assert spool(server, key, "show") == 0
    assert capsys.readouterr().out == ""


def test_what_was_refused_is_shown_with_its_reason(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    key = server.key("web")
    left_behind(server, key, "x" * 500)
    spool(server, key, "drain")
    capsys.readouterr()

    assert spool(server, key, "show", "--refused") == 0

    [note] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (note["code"], note["action"]["type"]) == ("INVALID", "x" * 500)


def test_other_keys_are_drained_when_asked_for(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    left_behind(server, server.key("web"), "plan.viewed")
    new = server.key("web")

    assert spool(server, new, "stats", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["keys"]) == 1
    assert spool(server, new, "drain", "--all-keys") == 0

    assert [action.type for action in server.actions] == ["plan.viewed"]


def test_a_drain_that_fails_says_so(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    key = server.key("web")
    left_behind(server, key, "plan.viewed")
    server.down()

    assert spool(server, key, "drain", "--within", "0.1") == 1

    told = capsys.readouterr()
    assert told.out.endswith("1 left\n")
    assert "cannot be reached" in told.err


@pytest.mark.parametrize("arguments", [["--url", "nonsense"], ["--spool", "off"]])
def test_without_a_spool_its_commands_say_so(
    server: Server, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    given = ["spool", "stats", "--url", server.url, "--key", "sl_a_b", *arguments]
    assert __main__.main(given) == 1

    assert capsys.readouterr().err != ""
