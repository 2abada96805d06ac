"""Capabilities in a blueprint: what they become, and on which line they are wrong."""

from datetime import timedelta

import pytest

from steadylight_server.blueprint import difference
from steadylight_server.blueprint.difference import Change, How
from steadylight_server.blueprint.document import read
from steadylight_server.capabilities.models import Binding, Capability, FunctionBinding, Offer, WebhookBinding
from steadylight_server.capabilities.schemas import Schema
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.errors import Invalid

WHOLE = """version: 1
channels:
  web: {kind: SELF_SERVICE}
  ivr: {kind: AUTOMATED_AGENT}
  kiosk: {kind: SELF_SERVICE}
capabilities:
  statement.view:
    label: See a statement
    description: What was booked.
    implementation: {function: view, honours_keys: false}
    input:
      type: object
      properties:
        copies: {enum: [1, 2]}
        flag: {enum: [true, null, "1"]}
      required: [copies]
    output: {type: object, required: [url]}
    assurance: OTP
    scopes: ["perform:statements"]
    reversible: true
    reversed_by: statement.hide
    timeout: 2m
    channels:
      web: AVAILABLE
      ivr: {limited: By SMS.}
      kiosk: {not_feasible: No printer.}
  statement.hide:
    implementation:
      webhook: {url: "https://bank.example/hide", secret: core-bank}
      honours_keys: true
"""


def declared(text: str = WHOLE) -> dict[str, Capability]:
    return dict(read(text).capabilities_declared(3))


def test_what_is_declared_is_what_channels_are_offered() -> None:
    found = declared()

    assert found["statement.view"] == Capability(
        "statement.view",
        FunctionBinding("view", honours_keys=False),
        3,
        "See a statement",
        "What was booked.",
        Schema(
            {
                "type": "object",
                "properties": {"copies": {"enum": [1, 2]}, "flag": {"enum": [True, None, "1"]}},
                "required": ["copies"],
            }
        ),
        Schema({"type": "object", "required": ["url"]}),
        Assurance.OTP,
        frozenset({"perform:statements"}),
        True,
        "statement.hide",
        timedelta(minutes=2),
        {
            "web": Binding(),
            "ivr": Binding(Offer.LIMITED, "By SMS."),
            "kiosk": Binding(Offer.NOT_FEASIBLE, "No printer."),
        },
    )
    hide = found["statement.hide"]
    assert hide.implementation == WebhookBinding("https://bank.example/hide", "core-bank", honours_keys=True)
    assert (hide.assurance, hide.timeout, hide.binding("anywhere")) == (
        Assurance.LOGIN,
        timedelta(seconds=10),
        Binding(),
    )


@pytest.mark.parametrize(
    ("was", "becomes", "line", "told"),
    [
        ("enum: [1, 2]", "type: numbr", 14, "properties.copies.type: this is no JSON Schema"),
        ("enum: [1, 2]", "$ref: 'https://a.example'", 14, "properties.copies.$ref: $ref leads to"),
        ("      kiosk: {not", "      kioks: {not", 26, "channels.kioks: the blueprint declares no channel kioks"),
        ("{limited: By SMS.}", "{}", 25, "channels.ivr: limited or not_feasible, one of the two"),
        ("{limited: By SMS.}", "{limited: x, not_feasible: y}", 25, "one of the two"),
        ("web: AVAILABLE", "web:", 24, "channels.web: AVAILABLE, or limited or not_feasible"),
        ("web: AVAILABLE", "web: SOMETIMES", 24, "channels.web"),
        ("reversed_by: statement.hide", "reversed_by: nothing", 21, "there is no capability nothing"),
        ("reversible: true", "reversible: false", 7, "what has a reversed_by is reversible"),
        ("perform:statements", "channels:register", 19, "scopes.0"),
        ('["perform:statements"]', '["perform:a", "perform:a"]', 7, "a scope is here twice"),
        ("timeout: 2m", "timeout: 2h", 22, "at most 1h"),
        ("{function: view, honours_keys: false}", "{honours_keys: false}", 10, "function or webhook, one of the two"),
        ("{function: view, honours_keys: false}", "{function: 'a b'}", 10, "implementation.function"),
        ("https://bank.example/hide", "ftp://bank.example/hide", 29, "is no https address"),
        ("https://bank.example/hide", "https://me:pw@bank.example", 29, "without user, password or fragment"),
        ("secret: core-bank", "secret: Th3-s3cr3t!", 29, "webhook.secret"),
        ("  statement.hide:", "  Statement:", 27, "capabilities.Statement"),
    ],
)
def test_a_fault_is_told_with_its_line(was: str, becomes: str, line: int, told: str) -> None:
    assert was in WHOLE

    with pytest.raises(Invalid) as refused:
        read(WHOLE.replace(was, becomes))

    assert f"line {line}: " in refused.value.message
    assert told in refused.value.message


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000/x", "http://localhost/x", "http://[::1]/x"])
def test_a_webhook_on_this_machine_needs_no_certificate(url: str) -> None:
    found = declared(WHOLE.replace("https://bank.example/hide", url))["statement.hide"].implementation

    assert isinstance(found, WebhookBinding)
    assert found.url == url


def test_the_difference_tells_what_channels_will_notice() -> None:
    before = declared()
    after = declared(
        WHOLE.replace("  statement.hide:", "  statement.drop:")
        .replace("reversed_by: statement.hide", "reversed_by: statement.drop")
        .replace("{limited: By SMS.}", "{not_feasible: No voice.}")
        .replace("assurance: OTP", "assurance: LOGIN")
        .replace("function: view,", "function: look,")
    )

    assert list(difference.of_capabilities(before, before)) == []
    assert list(difference.of_capabilities(before, after)) == [
        Change(
            How.ADDED,
            "capability statement.drop: by https://bank.example/hide, signed with core-bank, honours keys, from LOGIN, "
            'within 0:00:10, input {"type": "object"}, output {"type": "object"}',
        ),
        Change(How.REMOVED, "capability statement.hide: no channel can perform it any more"),
        Change(
            How.CHANGED,
            "capability statement.view: by the function view → by the function look; from OTP → from LOGIN; "
            "reversed by statement.hide → reversed by statement.drop; "
            "in ivr limited (By SMS.) → in ivr not feasible (No voice.)",
        ),
    ]
