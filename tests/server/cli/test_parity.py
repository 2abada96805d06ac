"""`steadylight parity`: the matrix and its reasons, the gaps that were met, and a difference between two channels."""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests import receiver as legacy
from tests.factories import action, login, now
from tests.receiver import Answer, Received, Receiver, receiving

from .conftest import Steadylight

SECRET = "whsec_" + base64.b64encode(b"a legacy system's own secret!").decode()
BLUEPRINT = """\
version: 1
channels:
  web: {kind: SELF_SERVICE}
  ivr: {kind: AUTOMATED_AGENT}
  sms: {kind: AUTOMATED_AGENT}
  branch: {kind: ASSISTED}
capabilities:
  statement.view:
    label: See a statement
    implementation: {webhook: {url: "%s", secret: core-banking}, honours_keys: true}
    scopes: ["perform:statements"]
    channels:
      web: AVAILABLE
      branch: AVAILABLE
      ivr: {limited: It is read out or sent by text message.}
      sms: {not_feasible: A message is too short for it.}
"""
EXAMPLE = Path(__file__).parents[3] / "examples" / "bank.yaml"
PERIOD = {"period": "2026-10"}


@pytest.fixture
def core(environment: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """The system behind the capability, which each channel is served alike by."""
    monkeypatch.setenv("STEADYLIGHT_WEBHOOK_SECRETS", json.dumps({"core-banking": [SECRET]}))
    with receiving(SECRET) as receiver:
        receiver.behaves(serving())
        yield receiver


def serving(**other: dict[str, Any]) -> legacy.Behaviour:
    """Answers a statement; `other` changes it by channel."""

    def behave(receiver: Receiver, received: Received, handler: BaseHTTPRequestHandler) -> Answer:
        data = received.said["data"]
        number = len(receiver.received)
        statement = {"period": data["input"]["period"], "total": 17.5, "lines": [{"text": "rent", "at": number}]}
        return 200, statement | other.get(data["channel"], {})

    return behave


@pytest.fixture
def bank(core: Receiver, steadylight: Steadylight, tmp_path: Path) -> Receiver:
    """The same, with its blueprint in force."""
    file = tmp_path / "bank.yaml"
    file.write_text(BLUEPRINT % core.url)
    steadylight("apply", file, "--yes")
    return core


@pytest.fixture
def given(tmp_path: Path) -> Path:
    file = tmp_path / "input.json"
    file.write_text(json.dumps(PERIOD))
    return file


def check(given: Path) -> list[object]:
    return ["parity", "check", "statement.view", "--input", given, "--customer", "login=C-1"]


def gap(login_of: str, channel: str, **about: Any) -> dict[str, Any]:
    properties = {"capability": "statement.view", "why": "NOT_FEASIBLE", **about}
    return action(login(login_of), channel=channel, type="capability.refused", properties=properties)


def test_without_capabilities_it_says_what_to_do(environment: str, steadylight: Steadylight) -> None:
    assert steadylight("parity").stdout.startswith("The blueprint declares no capability.")
    assert steadylight.json("parity")["capabilities"] == []


def test_the_matrix_has_each_channel_with_its_reason(bank: Receiver, steadylight: Steadylight) -> None:
    steadylight("channel", "add", "kiosk")

    report = steadylight.json("parity")
    shown = steadylight("parity").stdout
    lines = [line.split() for line in shown.splitlines() if line.strip()]

    assert report["capabilities"] == [
        {
            "capability": "statement.view",
            "label": "See a statement",
            "channels": {
                "branch": {"parity": "AVAILABLE", "reason": None},
                "ivr": {"parity": "LIMITED", "reason": "It is read out or sent by text message."},
                "kiosk": {"parity": "UNDECLARED", "reason": None},
                "sms": {"parity": "NOT_FEASIBLE", "reason": "A message is too short for it."},
                "web": {"parity": "AVAILABLE", "reason": None},
            },
        }
    ]
    assert (report["gaps"], report["within_seconds"], report["complete"]) == ([], 1800.0, True)
    assert lines[0] == ["capability", "branch", "ivr", "kiosk", "sms", "web"]
    assert lines[2] == ["statement.view", "yes", "limited", "not", "declared", "no", "yes"]
    assert ["statement.view", "sms", "no", *["A", "message", "is", "too", "short", "for", "it."]] in lines
    assert "No customer met a gap." in shown
    assert not bank.received, "a report performs nothing"


def test_the_example_s_matrix_and_reasons(environment: str, steadylight: Steadylight) -> None:
    steadylight("apply", EXAMPLE, "--yes")

    report = steadylight.json("parity")["capabilities"]
    lines = [line.split() for line in steadylight("parity").stdout.splitlines() if line.strip()]

    offers = {row["capability"]: {name: one["parity"] for name, one in row["channels"].items()} for row in report}
    everywhere = dict.fromkeys(("bank-app", "bank-branch", "bank-ivr", "bank-web"), "AVAILABLE")
    assert offers == {
        "plan.change": {**everywhere, "bank-app": "LIMITED", "bank-ivr": "NOT_FEASIBLE"},
        "statement.view": {**everywhere, "bank-ivr": "LIMITED"},
    }
    assert [
        (row["capability"], name, one["reason"])
        for row in report
        for name, one in row["channels"].items()
        if one["reason"]
    ] == [
        ("plan.change", "bank-app", "Premium takes a signature, which the app cannot take."),
        ("plan.change", "bank-ivr", "The terms of a plan must be seen before it is changed."),
        (
            "statement.view",
            "bank-ivr",
            "Nobody listens to a whole month: the balance is read out, the rest goes to the phone on file as a link.",
        ),
    ]
    assert lines[:4] == [
        ["capability", "bank-app", "bank-branch", "bank-ivr", "bank-web"],
        lines[1],
        ["plan.change", "limited", "yes", "no", "yes"],
        ["statement.view", "yes", "yes", "limited", "yes"],
    ]


def test_gaps_that_were_met_and_where_the_customers_went(
    bank: Receiver, steadylight: Steadylight, written: Callable[..., Path]
) -> None:
    log = [gap("C-1", "sms"), gap("C-2", "sms"), gap("C-3", "sms")]
    log += [action(login("C-1"), channel="branch", at=now()), action(login("C-2"), channel="branch", at=now())]
    log.append({**gap("C-4", "sms"), "at": "2026-01-01T00:00:00Z"})
    steadylight("replay", written(*log))

    report = steadylight.json("parity", "--since", "7d", "--within", "1h")
    lines = [line.split() for line in steadylight("parity").stdout.splitlines()]
    ever = steadylight.json("parity", "--since", "9999d")

    assert report["gaps"] == [
        {
            "capability": "statement.view",
            "channel": "sms",
            "why": "NOT_FEASIBLE",
            "times": 3,
            "customers": 3,
            "changed": 2,
            "changes": {"branch": 2},
        }
    ]
    assert ["statement.view", "sms", "NOT_FEASIBLE", "3", "3", "2", "branch", "2"] in lines
    assert ever["gaps"][0]["times"] == 4


@pytest.mark.parametrize("wrong", [("--since", "soon"), ("--within", "often")])
def test_what_is_no_time_is_a_usage_error(wrong: tuple[str, str], environment: str, steadylight: Steadylight) -> None:
    assert "no length of time" in steadylight("parity", *wrong, code=2).stderr


def test_channels_that_are_served_alike_are_the_same(bank: Receiver, steadylight: Steadylight, given: Path) -> None:
    told = steadylight(*check(given), "--yes", "--ignore", "/output/lines/*/at")

    assert told.stdout == "The same in branch, web, ivr: DONE.\n"
    assert [one.said["data"]["channel"] for one in bank.received] == ["branch", "web", "ivr"]
    assert {json.dumps(one.said["data"]["input"]) for one in bank.received} == {json.dumps(PERIOD)}
    assert len({one.key for one in bank.received}) == 3


def test_a_difference_between_two_channels_is_found(bank: Receiver, steadylight: Steadylight, given: Path) -> None:
    bank.behaves(serving(ivr={"total": 18.5, "note": "read out"}))

    told = steadylight.json(*check(given), "--yes", "--ignore", "/output/lines", code=1)
    shown = steadylight(*check(given), "--yes", "--ignore", "/output/lines", code=1).stdout

    assert told["reference"] == "branch"
    assert told["differences"] == {
        "web": [],
        "ivr": [
            {"pointer": "/output/total", "reference": 17.5, "channel": 18.5},
            {"pointer": "/output/note", "channel": "read out"},
        ],
    }
    assert told["results"]["web"]["output"]["total"] == 17.5
    assert [line.split() for line in shown.splitlines() if "ivr" in line] == [
        ["ivr", "/output/total", "17.5", "18.5"],
        ["ivr", "/output/note", "absent", '"read', 'out"'],
    ]


def test_a_failure_in_one_channel_alone_is_a_difference(bank: Receiver, steadylight: Steadylight, given: Path) -> None:
    refuses = legacy.answers(422, {"code": "NO_SUCH_PERIOD", "message": "There is none."})
    bank.behaves(serving(), refuses, serving())

    told = steadylight.json(*check(given), "--yes", "--ignore", "/output", code=1)

    failure = {"code": "NO_SUCH_PERIOD", "message": "There is none."}
    assert told["results"]["web"] == {"state": "FAILED", "failure": failure}
    assert [(one["pointer"], one["channel"]) for one in told["differences"]["web"]] == [
        ("/state", "FAILED"),
        ("/failure", failure),
    ]
    assert told["differences"]["ivr"] == []


def test_a_channel_that_cannot_keep_what_was_declared_is_a_difference(
    bank: Receiver, steadylight: Steadylight, given: Path, tmp_path: Path
) -> None:
    """A web page never sees a passport."""
    file = tmp_path / "strict.yaml"
    file.write_text((BLUEPRINT % bank.url).replace("label:", "assurance: IN_PERSON\n    label:"))
    steadylight("apply", file, "--yes")

    told = steadylight.json(*check(given), "--yes", "--channel", "branch", "--channel", "web", code=1)

    assert told["results"]["branch"]["state"] == "DONE"
    assert told["results"]["web"]["refused"]["code"] == "FORBIDDEN"
    assert [one["pointer"] for one in told["differences"]["web"]] == ["/state", "/output", "/refused"]


@pytest.mark.parametrize(
    ("behaviour", "told"),
    [
        (legacy.answers(202, {"handle": "job-7"}), "ACCEPTED"),
        (legacy.answers(200, [1]), "UNKNOWN"),
        (legacy.answers(401, {}), "UNAVAILABLE"),
    ],
    ids=["accepted", "unknown", "not done"],
)
def test_channels_without_a_result_are_not_the_same(
    core: Receiver, steadylight: Steadylight, given: Path, tmp_path: Path, behaviour: legacy.Behaviour, told: str
) -> None:
    file = tmp_path / "bank.yaml"
    file.write_text(BLUEPRINT.replace("honours_keys: true", "honours_keys: false") % core.url)
    steadylight("apply", file, "--yes")
    core.behaves(behaviour)

    said = steadylight(*check(given), "--yes", "--patience", "1", "--ignore", "/failure", code=1)

    assert f"No channel has a result to compare: {told}." in said.stderr
    assert "The same in" not in said.stdout


def test_it_is_asked_first_whether_it_shall_be_performed(bank: Receiver, steadylight: Steadylight, given: Path) -> None:
    said = steadylight(*check(given), code=1).stderr

    assert "statement.view is performed for real, 3 times: in branch, web, ivr. Say --yes if that is meant." in said
    assert not bank.received


def test_the_keys_that_it_made_are_ended(bank: Receiver, steadylight: Steadylight, given: Path) -> None:
    steadylight(*check(given), "--yes", "--ignore", "/output/lines")

    for channel in ("branch", "web", "ivr"):
        assert steadylight.json("key", "list", channel) == []
        (key,) = steadylight.json("key", "list", channel, "--ended")
        assert key["scopes"] == ["actions:write", "customers:read", "perform:statements"]
        # Whoever is killed in between ends nothing: they end by themselves.
        made, ends = (datetime.fromisoformat(key[name]) for name in ("created_at", "expires_at"))
        assert ends - made == timedelta(seconds=3 * (2 * 30 + 10) + 60)


@pytest.mark.parametrize(
    ("given_text", "more", "code", "said"),
    [
        ("{", (), 1, "The input is no JSON"),
        ("[]", (), 1, "The input is no JSON object."),
        ("{}", ("--channel", "fax"), 1, "There is no channel called fax. There are: branch, ivr, sms, web."),
        ("{}", ("--channel", "web", "--channel", "sms"), 1, "statement.view is offered in 1 of these channels"),
        ("{}", ("--ignore", "output"), 2, "is no JSON pointer"),
        ("{}", ("--customer", "77"), 2, "Write it like customer-number=77."),
    ],
    ids=["no-json", "a-list", "no-such-channel", "one-channel", "no-pointer", "nobody"],
)
def test_what_cannot_be_compared_is_told(
    bank: Receiver, steadylight: Steadylight, given: Path, given_text: str, more: tuple[str, ...], code: int, said: str
) -> None:
    given.write_text(given_text)

    assert said in steadylight(*check(given), *more, "--yes", code=code).stderr
    assert not bank.received


def test_a_capability_that_nobody_declared_is_told(bank: Receiver, steadylight: Steadylight, given: Path) -> None:
    told = steadylight("parity", "check", "card.block", "--input", given, "--customer", "login=C-1", code=1).stderr

    assert "declares no capability card.block. There are: statement.view." in told
