"""Schemas: what they say of a value, and which are taken at all."""

from typing import Any

import pytest

from steadylight_server.capabilities.schemas import ANYTHING, MOST_NODES, Schema, SchemaFault

PERIOD = {
    "type": "object",
    "properties": {
        "period": {"type": "string", "pattern": r"^\d{4}-\d\d$"},
        "a/b~c": {"type": "array", "items": {"$ref": "#/$defs/amount"}},
    },
    "$defs": {"amount": {"type": "number", "minimum": 0}},
    "additionalProperties": False,
}


def test_a_value_that_will_do_has_no_faults() -> None:
    assert Schema(PERIOD).faults({"period": "2026-10", "a/b~c": [0, 1.5]}) == []
    assert ANYTHING.faults({"x": [None]}) == []


def test_faults_tell_the_place_and_never_the_value() -> None:
    faults = Schema(PERIOD).faults({"period": "my secret", "a/b~c": [1, "my secret"], "more": "my secret"})

    assert sorted(faults) == [
        "/: Additional properties are not allowed ('more' was unexpected)",
        '/a~1b~0c/1: the value is not of type "number"',
        r'/period: the value does not match "^\d{4}-\d\d$"',
    ]
    assert ANYTHING.faults([]) == ['/: the value is not of type "object"']


def test_at_most_five_faults_are_told() -> None:
    assert len(Schema({"items": {"type": "number"}}).faults(["x"] * 100)) == 5


def test_a_format_is_asked_of_a_value() -> None:
    assert Schema({"format": "date"}).faults("2026-02-30") == ['/: the value is not a "date"']


@pytest.mark.parametrize(
    ("schema", "told", "path"),
    [
        ({"type": "objct"}, "this is no JSON Schema", ("type",)),
        ({"properties": {"a": {"pattern": "(?=x)"}}}, 'is not a "regex"', ("properties", "a", "pattern")),
        ({"properties": {"a": {"pattern": "("}}}, 'is not a "regex"', ("properties", "a", "pattern")),
        ({"format": "phone"}, "Unknown format", ("format",)),
        ({"$ref": "https://example.org/schema"}, "and nowhere else", ("$ref",)),
        ({"items": [], "not": {"$ref": "#/properties/a"}}, "and nowhere else", ("not", "$ref")),
        ({"$ref": "#"}, "and nowhere else", ("$ref",)),
        ({"$ref": "#/$defs/a"}, "$defs has no a", ("$ref",)),
        ({"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}}, "a refers to itself", ("$defs", "a", "items", "$ref")),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "or left out", ("$schema",)),
        ({"anyOf": [{}, {"$id": "urn:x"}]}, "$id is not taken", ("anyOf", 1, "$id")),
        ({"$dynamicRef": "#a"}, "$dynamicRef is not taken", ("$dynamicRef",)),
        ({"items": {"$defs": {}}}, "stands at the top", ("items", "$defs")),
    ],
)
def test_what_is_not_taken_is_told_with_its_place(schema: dict[str, Any], told: str, path: tuple[Any, ...]) -> None:
    with pytest.raises(SchemaFault) as fault:
        Schema(schema)

    assert told in str(fault.value)
    assert fault.value.path == path


def test_names_that_look_like_keywords_are_names() -> None:
    properties = {"$ref": {"type": "string"}, "$id": {"enum": ["$ref"]}, "items": {"const": {"$ref": "#"}}}

    assert Schema({"properties": properties}).faults({"$ref": "x", "$id": "$ref", "items": {"$ref": "#"}}) == []


def test_what_grows_when_it_is_written_out_is_refused() -> None:
    grows = {f"d{level}": {"allOf": [{"$ref": f"#/$defs/d{level + 1}"}] * 10} for level in range(8)}

    with pytest.raises(SchemaFault, match=f"at most {MOST_NODES:,} schemas"):
        Schema({"$defs": {**grows, "d8": {"type": "string"}}, "$ref": "#/$defs/d0"})


def test_what_is_nested_too_deeply_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(30):
        schema = {"not": schema}

    with pytest.raises(SchemaFault, match="within one another"):
        Schema(schema)


def test_a_regular_expression_takes_no_long_time_for_a_value_made_for_it() -> None:
    # An engine that steps back would take for ever: pytest's own limit would end it.
    assert Schema({"pattern": "^(a+)+$"}).faults("a" * 30_000 + "!")


def test_schemas_are_the_same_if_they_say_the_same() -> None:
    assert Schema(PERIOD) == Schema(dict(PERIOD))
    assert hash(Schema(PERIOD)) == hash(Schema(dict(PERIOD)))
    assert Schema(PERIOD) != ANYTHING
