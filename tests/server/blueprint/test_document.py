"""A blueprint's YAML is read, and every fault in it has a line."""

import pytest

from steadylight_server.access.models import ChannelKind
from steadylight_server.blueprint.document import read
from steadylight_server.core.document import MOST_CHARACTERS
from steadylight_server.core.errors import Invalid

THREADS = "version: 1\njourneys:\n  incident:\n    threads:\n"


def fault(text: str) -> str:
    with pytest.raises(Invalid) as refused:
        read(text)
    return refused.value.message


def test_the_least_blueprint_says_its_version() -> None:
    blueprint = read("version: 1\n")

    assert (blueprint.version, blueprint.default_region, blueprint.channels, blueprint.identifier_kinds) == (
        1,
        None,
        {},
        {},
    )


def test_it_reads_what_is_declared() -> None:
    blueprint = read(
        """
        # with comments
        version: 1
        default_region: NO
        channels:
          web: {kind: SELF_SERVICE, cost_per_contact: 0.10}
          desk:
            kind: "ASSISTED"
            highest_assurance: OTP
        identifier_kinds:
          badge:
            shared: false
            most: null
            priority: 12
            blocked: [null, 0, -1, 1.10, 007, true, "x y"]
        """
    )

    badge = blueprint.identifier_kinds["badge"]
    assert blueprint.default_region == "NO"
    assert blueprint.channels["web"].cost_per_contact == 0.1
    assert blueprint.channels["desk"].kind is ChannelKind.ASSISTED
    assert badge.blocked == ("null", "0", "-1", "1.10", "007", "true", "x y")
    assert (badge.shared, badge.most, badge.priority) == (False, None, 12)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: a blueprint is a mapping that begins with `version: 1`."),
        ("- version: 1", "line 1: a blueprint is a mapping that begins with `version: 1`."),
        ("version: 1\nchannels: [web", "line 2: this is no YAML: expected ',' or ']', but got '<stream end>'."),
        ("version: 1\n---\nversion: 1", "line 2: this is no YAML: but found another document."),
        ("version: 1\n\tchannels: {}", "line 2: this is no YAML: found character '\\t' that cannot start any token."),
        ("version: \x07", "This is no YAML: "),
        ("version: 1\nversion: 1", "line 2: version is here twice."),
        ("version: 1\nchannels: &all {}", "line 2: anchors and aliases are not taken. Write it out."),
        ("version: !!python/name:os.system 1", "line 1: tag:yaml.org,2002:python/name:os.system is not taken."),
        ("version: 1\n? [a]\n: 1", "line 2: a name is text."),
        ("version: 1\nchannels: " + "[" * 50, "line 2: nested too deeply."),
        ("channels: {}", "line 1: version: is missing"),
        ("version: 2", "line 1: version: this server reads version 1"),
        ("version: 1\ncolour: red", "line 2: colour: nothing is called so here. Is it spelt right?"),
        ("version: 1\nchannels:\n  web:\n    kind: SHOP", "line 4: channels.web.kind: Input should be"),
        ("version: 1\nchannels:\n  web: {}", "line 3: channels.web.kind: is missing"),
        ("version: 1\nchannels:\n  web:", "line 3: channels.web: here belong names, each with what it is"),
        ("version: 1\nchannels: [web]", "line 2: channels: here belong names, each with what it is"),
        ("version: 1\nchannels:\n  Web: {kind: ASSISTED}", "line 3: channels.Web: a name has 1 to 50 lower-case"),
        ("version: 1\ndefault_region: XX", "line 2: default_region: 'XX' is no region that has telephone numbers."),
        ("version: 1\ndefault_region: gb", "line 2: default_region: String should match"),
        (
            "version: 1\nidentifier_kinds:\n  badge:\n    bar: CLAIMED",
            "line 4: identifier_kinds.badge.bar: Input should be",
        ),
        (
            "version: 1\nidentifier_kinds:\n  b:\n    most: 0",
            "line 4: identifier_kinds.b.most: Input should be greater",
        ),
        (
            "version: 1\nidentifier_kinds:\n  b:\n    most: '3'",
            "line 4: identifier_kinds.b.most: Input should be a valid",
        ),
        (
            "version: 1\nidentifier_kinds:\n  b:\n    blocked_patterns:\n      - a\n      - (",
            "line 6: identifier_kinds.b.blocked_patterns.1: '(' is no regular expression",
        ),
        (
            "version: 1\nidentifier_kinds:\n  tablet:\n    shared: true\n    bar: OTP",
            "line 3: identifier_kinds.tablet: what is shared never counts, so it has no bar",
        ),
        (
            "version: 1\nidentifier_kinds:\n  b:\n    blocked: [Guest]\n    allowed: [guest]",
            "line 3: identifier_kinds.b: 'guest' is both blocked and allowed",
        ),
        (
            "version: 1\nidentifier_kinds: {persona: {}}",
            "line 1: identifier_kinds.persona: the server's own kind, which cannot be declared",
        ),
        (
            "version: 1\nidentifier_kinds: {record: {}}",
            "line 1: identifier_kinds.record: the server's own kind, which cannot be declared",
        ),
        (
            "version: 1\nidentifier_kinds:\n  login:\n    most: 2",
            "line 1: identifier_kinds.login.most: two logins are never one customer, so it is 1",
        ),
        (
            f"{THREADS}      subject: case\n      when: actor != SYSTEM",
            "line 6: journeys.incident.threads.when: there is no 'SYSTEM' to ask of. There are type, channel, actor,",
        ),
        (
            f"{THREADS}      subject: case\n      completes: |\n        type ==\n",
            "line 6: journeys.incident.threads.completes: this is no condition in CEL: line 2, character 1:",
        ),
        (
            f"{THREADS}      subject: case\n      counts:\n        a: 'true'\n        b: type = 'x'",
            "line 8: journeys.incident.threads.counts.b: this is no condition in CEL: character 6:",
        ),
        (f"{THREADS}      when: 'true'", "line 4: journeys.incident.threads.subject: is missing"),
        (
            f"{THREADS}      subject: case\n      counts: {{A: 'true'}}",
            "line 6: journeys.incident.threads.counts.A: a name has",
        ),
        ("#" * (MOST_CHARACTERS + 1), "A blueprint has at most 500,000 characters."),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, said: str) -> None:
    assert fault(text).startswith(said), fault(text)


def test_all_faults_are_said_in_the_order_of_the_text() -> None:
    said = fault("version: 1\nidentifier_kinds:\n  b: {most: 0}\nchannels:\n  web: {kind: SHOP}\n  app: {}\n")

    assert [line.partition(":")[0] for line in said.splitlines()] == ["line 3", "line 5", "line 6"]


def test_of_very_many_faults_the_first_are_said() -> None:
    said = fault("version: 1\n" + "".join(f"x{number}: 1\n" for number in range(30)))

    assert said.splitlines()[0].startswith("line 2: x0: ")
    assert said.splitlines()[20:] == ["and 10 more"]
