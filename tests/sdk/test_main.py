"""`python -m steadylight check`."""

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
    connect: Any = lambda url, key: Client(url, key, transport=server.transport)  # noqa: E731
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
