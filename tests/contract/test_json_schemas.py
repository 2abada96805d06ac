"""The JSON Schemas judge as the server does, and describe what it really sends."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker, ValidationError  # type: ignore[import-untyped]
from jsonschema.validators import extend  # type: ignore[import-untyped]

from steadylight._operations import FETCH_ARTICLE, FETCH_CONTEXT, RECORD_ACTIONS
from steadylight_server.blueprint.document import read
from steadylight_server.core.errors import Invalid
from steadylight_server.imports.models import read_map
from steadylight_server.ingest import shape
from steadylight_server.ingest.models import (
    DEEPEST_PROPERTIES,
    MOST_ACTIONS,
    MOST_BATCH_BYTES,
    MOST_PROPERTY_BYTES,
    Refusal,
)
from tests.conftest import LiveServer
from tests.factories import action, batch, login

FOLDER = Path(__file__).parents[2] / "schema"
NAMES = ("actions", "verdicts", "context", "article", "blueprint", "import")
EXAMPLES = FOLDER.parent / "examples"
MAPS = sorted(EXAMPLES.glob("**/*.map.yaml"))
BLUEPRINTS = sorted({*EXAMPLES.glob("**/*.yaml")} - {*MAPS})

formats = FormatChecker(())


@formats.checks("date-time", raises=ValueError)
def is_a_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value.upper().replace(" ", "T")).tzinfo is not None


def ecma(validator: Any, pattern: str, value: object, schema: object) -> Iterator[Any]:
    """As JSON Schema means it: `$` is the end, while Python's is also before a last line feed."""
    if isinstance(value, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), value):
        yield ValidationError(f"{value!r} does not match {pattern}")


Validator = extend(Draft202012Validator, {"pattern": ecma})


def schema(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FOLDER / f"{name}.schema.json").read_text())
    return loaded


def validator(name: str, part: str | None = None) -> Any:
    """Judges by the whole schema, or by one of its definitions."""
    whole = schema(name)
    if part:
        whole = {**whole, "$ref": f"#/$defs/{part}"}
    return Validator(whole, format_checker=formats)


ACTION, BATCH, LINE = validator("actions", "action"), validator("actions"), validator("actions", "line")


def silent(part: dict[str, Any], place: str = "") -> Iterator[str]:
    """The places of definitions and properties that say nothing about themselves."""
    for word in ("$defs", "properties", "dependentSchemas"):
        for name, inner in part.get(word, {}).items():
            if not inner.get("description"):
                yield f"{place}/{word}/{name}"
            yield from silent(inner, f"{place}/{word}/{name}")
    for inner in part.get("patternProperties", {}).values():
        yield from silent(inner, f"{place}/patternProperties")
    for word in ("items", "propertyNames"):
        if word in part:
            yield from silent(part[word], f"{place}/{word}")


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_one_and_explains_every_part(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))

    assert schema(name)["description"]
    assert list(silent(schema(name))) == []


def test_the_descriptions_state_the_servers_limits() -> None:
    definitions = schema("actions")["$defs"]

    assert definitions["batch"]["properties"]["actions"]["maxItems"] == MOST_ACTIONS
    assert f"{MOST_BATCH_BYTES:,} bytes" in schema("actions")["description"]
    properties = definitions["fact"]["properties"]["properties"]["description"]
    assert f"{MOST_PROPERTY_BYTES:,} bytes" in properties
    assert f"{DEEPEST_PROPERTIES} levels" in properties


# What both can judge: no unassigned character, which a pattern cannot name, and none beyond the first plane.
characters = st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs", "Cn"])
text = st.text(characters, max_size=5) | st.sampled_from(["Dürer", "a\n", "\u200b", "x" * 100, "x" * 101, "x" * 257])
odd: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers() | st.just([]) | st.just({})
time = st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.isoformat(timespec="milliseconds"))
times = time | st.sampled_from(
    ["2026-11-22", "2026-02-30T00:00:00Z", "2026-11-22T09:30:00", "2026-11-22 09:30:00z", "1"]
)
levels = st.sampled_from(["CLAIMED", "CALLER_ID", "KNOWLEDGE", "OTP", "LOGIN", "IN_PERSON", "login", ""])
kinds = st.sampled_from(["login", "caller_id", "a", "x" * 50, "Login", "1a", "x" * 51, "a\n", ""])
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)
identifier = st.fixed_dictionaries({"kind": kinds, "value": text, "assurance": levels})
known = st.builds(login, st.sampled_from(["C-1", "C-2"]))
changes = st.fixed_dictionaries(
    {},
    optional={
        "id": st.uuids().map(str) | st.uuids().map(lambda id: str(id).upper()) | st.sampled_from(["", "x"]) | odd,
        "sequence": st.integers(-2, 2**53 + 2) | st.floats(0.1, 0.9) | text,
        "type": text | odd,
        "at": times | odd,
        "identifiers": st.lists(identifier, max_size=2) | st.lists(known, max_size=12) | odd,
        "contact": text | odd,
        "journey": text | odd,
        "actor": st.sampled_from(["CUSTOMER", "AGENT", "SYSTEM", "agent"]) | odd,
        "agent": text | odd,
        "subject": st.fixed_dictionaries({"kind": text, "id": text}, optional={"more": text}) | odd,
        "properties": st.dictionaries(text, values, max_size=3) | text,
        "traits": st.dictionaries(text | st.sampled_from(["plan", "a.b", "$set", "x" * 101]), values, max_size=3) | odd,
        "channel": st.just("web"),
    },
)
without = st.sets(st.sampled_from(["id", "sequence", "type", "at", "identifiers", "properties", "traits"]), max_size=1)


@settings(max_examples=300, deadline=None)
@given(changes, without)
def test_the_server_takes_an_action_exactly_if_the_schema_does(changed: dict[str, Any], left_out: set[str]) -> None:
    sent = {name: value for name, value in (action(login("C-1")) | changed).items() if name not in left_out}

    judged = shape.actions([sent])[0]

    assert ACTION.is_valid(sent) is not isinstance(judged, Refusal), judged


@settings(max_examples=100, deadline=None)
@given(times | odd, st.integers(0, 2), st.sets(st.sampled_from(["sent_at", "actions", "more"]), max_size=1))
def test_the_server_takes_a_batch_exactly_if_the_schema_does(sent_at: Any, count: int, other: set[str]) -> None:
    sent = {"sent_at": sent_at, "actions": [action(login("C-1"))] * count}
    for name in other:
        sent.pop(name, None) if name in sent else sent.update({name: 1})

    try:
        shape.batch(sent)
        taken = True
    except Invalid:
        taken = False

    assert BATCH.is_valid(sent) is taken


def test_a_batch_has_at_most_500_actions() -> None:
    assert BATCH.is_valid(batch(*[action(login("C-1"))] * 500))
    assert not BATCH.is_valid(batch(*[action(login("C-1"))] * 501))


@pytest.mark.parametrize(
    ("channel", "good"), [("web", True), ("contact-centre", True), ("Web", False), ("", False), (None, False)]
)
def test_a_line_of_a_log_is_an_action_with_its_channel(channel: str | None, good: bool) -> None:
    assert LINE.is_valid(action(login("C-1")) | {"channel": channel}) is good
    assert not LINE.is_valid(action(login("C-1")))
    assert not LINE.is_valid(action(login("C-1"), color="red") | {"channel": "web"})


@pytest.mark.parametrize("file", BLUEPRINTS, ids=lambda file: file.name)
def test_every_example_of_a_blueprint_is_one(file: Path) -> None:
    validator("blueprint").validate(yaml.safe_load(file.read_text()))

    assert read(file.read_text()).version == 1


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("version: 1", True),
        ("version: 2", False),
        ("channels: {}", False),
        ("{version: 1, colour: red}", False),
        ("{version: 1, default_region: GB}", True),
        ("{version: 1, default_region: gb}", False),
        ("{version: 1, channels: {web: {kind: SELF_SERVICE, cost_per_contact: 1}}}", True),
        ("{version: 1, channels: {web: {kind: SELF_SERVICE, cost_per_contact: -1}}}", False),
        ("{version: 1, channels: {Web: {kind: SELF_SERVICE}}}", False),
        ("{version: 1, channels: {web: {kind: SHOP}}}", False),
        ("{version: 1, channels: {web: {}}}", False),
        ("{version: 1, identifier_kinds: {badge: {}}}", True),
        ("{version: 1, identifier_kinds: {Badge: {}}}", False),
        ("{version: 1, identifier_kinds: {badge: {most: null, shared: true, blocked: [null, 0, x]}}}", True),
        ("{version: 1, identifier_kinds: {badge: {most: 0}}}", False),
        ('{version: 1, identifier_kinds: {badge: {most: "1"}}}', False),
        ("{version: 1, identifier_kinds: {badge: {bar: CLAIMED}}}", False),
        ("{version: 1, identifier_kinds: {badge: {normaliser: lower}}}", False),
        ('{version: 1, identifier_kinds: {badge: {shared: "yes"}}}', False),
        ("{version: 1, identifier_kinds: {badge: {blocked: x}}}", False),
    ],
)
def test_a_blueprint_is_one_for_the_server_exactly_if_it_is_for_the_schema(text: str, good: bool) -> None:
    try:
        read(text)
        taken = True
    except Invalid:
        taken = False

    assert (validator("blueprint").is_valid(yaml.safe_load(text)), taken) == (good, good)


@pytest.mark.parametrize("file", MAPS, ids=lambda file: file.name)
def test_every_example_of_a_map_is_one(file: Path) -> None:
    validator("import").validate(yaml.safe_load(file.read_text()))

    assert read_map(file.read_text()).source


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("{source: crm, key: id}", True),
        ("{source: crm, key: [branch, id]}", True),
        ("{source: crm, key: []}", False),
        ("{source: crm, key: {a: b}}", False),
        ("{source: CRM, key: id}", False),
        ("{key: id}", False),
        ("{source: crm, key: id, colour: red}", False),
        ("{source: crm, key: id, identifiers: [{kind: email, column: mail, assurance: OTP}]}", True),
        ("{source: crm, key: id, identifiers: [{kind: person, columns: [a, b], assurance: OTP}]}", True),
        ("{source: crm, key: id, identifiers: [{kind: person, columns: [a], assurance: OTP}]}", False),
        ("{source: crm, key: id, identifiers: [{kind: email, column: mail}]}", False),
        ("{source: crm, key: id, identifiers: [{kind: Email, column: mail, assurance: OTP}]}", False),
        ("{source: crm, key: id, identifiers: [{kind: email, assurance: OTP}]}", False),
        ("{source: crm, key: id, identifiers: [{kind: x, column: a, columns: [a, b], assurance: OTP}]}", False),
        ("{source: crm, key: id, traits: [a, b]}", True),
        ("{source: crm, key: id, traits: [a, a]}", False),
        ("{source: crm, key: id, traits: [a b]}", False),
        ("{source: crm, key: id, traits: {city: town, born: {column: dob, type: date}}}", True),
        ("{source: crm, key: id, traits: {a city: town}}", False),
        ("{source: crm, key: id, traits: {born: {type: date}}}", False),
        ("{source: crm, key: id, traits: {born: {column: dob, type: day}}}", False),
        ("{source: crm, key: id, at: changed, revision: 2}", True),
        ("{source: crm, key: id, revision: -1}", False),
    ],
)
def test_a_map_is_one_for_the_server_exactly_if_it_is_for_the_schema(text: str, good: bool) -> None:
    try:
        read_map(text)
        taken = True
    except Invalid:
        taken = False

    assert (validator("import").is_valid(yaml.safe_load(text)), taken) == (good, good)


def test_what_the_server_answers_is_as_described(server: LiveServer) -> None:
    key = server.key("web")
    full = action(
        login("C-1"),
        {"kind": "email", "value": "a@b.example", "assurance": "CLAIMED"},
        contact="visit-1",
        journey="add-broadband",
        actor="AGENT",
        agent="a.singh",
        subject={"kind": "order", "id": "77"},
    )
    sent = batch(full, action(login("C-1")), action(login("C-1"), id="x"), action(login("C-1"), id=full["id"]))
    asked = {"identifiers": full["identifiers"], "contact": "visit-1"}

    answers = [server.graphql(RECORD_ACTIONS, {"input": {"batch": sent}}, key) for _ in range(2)]
    verdicts = [answer["data"]["recordActions"]["verdicts"] for answer in answers]
    context = server.graphql(FETCH_CONTEXT, {"input": asked}, key)["data"]["contextDocument"]
    card, message = (
        server.graphql(FETCH_CONTEXT, {"input": asked | {"brief": form}}, key)["data"]["contextDocument"]
        for form in ("CARD", "SMS")
    )
    stranger = server.graphql(FETCH_CONTEXT, {"input": {"identifiers": []}}, key)["data"]["contextDocument"]

    assert BATCH.is_valid(batch(full))
    assert [one["verdicts"] for one in verdicts] == ["SSXX", "DDXX"]
    assert {one["code"] for one in verdicts[0]["exceptions"]} == {"INVALID", "CONFLICT"}
    assert len(verdicts[0]["warnings"]) == 1
    assert len(context["actions"]) == 2
    assert [one["value"] for one in context["claims"]] == ["a@b.example"]
    assert {one.get("key") for one in context["contacts"]} == {"visit-1", None}
    assert stranger["customer"] is None
    for one in verdicts:
        validator("verdicts").validate(one)
    for document in (context, card, message, stranger):
        validator("context").validate(document)
    # And nothing is sent that is not described.
    described_names = schema("context")["$defs"]["action"]["properties"].keys()
    assert {name for one in context["actions"] for name in one} <= described_names
    assert card.keys() == schema("context")["properties"].keys()
    assert context.keys() == card.keys() - {"brief"}
    assert message["brief"] == ["Nothing of yours is open."]
    assert verdicts[0].keys() == schema("verdicts")["properties"].keys()


def test_an_article_document_is_as_described(shared_server: LiveServer) -> None:
    text = "---\ntitle: T\nexpires: 2099-01-01\ntopics: [a]\n---\n<!-- fragment\nid: b\nheading: H\n-->\n*B*\n"
    given = {"slug": "described", "revision": 0, "reason": "x", "files": [{"name": "described.md", "text": text}]}
    publish = "mutation ($input: PublishArticleInput!) { publishArticle(input: $input) { article { id } } }"
    assert "errors" not in shared_server.graphql(publish, {"input": given}, shared_server.admin_key)

    answer = shared_server.graphql(FETCH_ARTICLE, {"input": {"slug": "described"}}, shared_server.key("web"))

    document = answer["data"]["articleDocument"]
    validator("article").validate(document)
    assert document.keys() == schema("article")["properties"].keys()
    assert document["fragments"][0].keys() == schema("article")["properties"]["fragments"]["items"]["properties"].keys()
