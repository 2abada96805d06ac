"""JSON Schemas of inputs and outputs: compiled once, asked often. The only home of `jsonschema_rs`.

A schema is JSON Schema 2020-12 that refers to nothing outside itself, never to itself, and is small when what it refers
to is written out: so the time that a value takes is bounded. Regular expressions are run by an engine whose time is
linear; it has neither look-around nor back-references.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

MOST_NODES = 2_000  # schemas within one, with all that it refers to written out
DEEPEST = 12
# Faults that are told of one value; more would scroll the first ones away.
_MOST_TOLD = 5
_LONGEST_FAULT = 300
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_NOT_TAKEN = ("$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$vocabulary", "definitions")
_ONE = (
    *("additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"),
    *("unevaluatedItems", "unevaluatedProperties", "contentSchema"),
)
_LISTED = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("properties", "patternProperties", "dependentSchemas")
_DEFS = "#/$defs/"

Path = tuple[str | int, ...]


class SchemaFault(ValueError):
    """This is no schema, or none that is taken here. `path` is where in it."""

    def __init__(self, message: str, path: Sequence[str | int] = ()) -> None:
        super().__init__(message)
        self.path = tuple(path)


class Schema:
    """What a value must be. `document` is the schema as it was declared."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Raises SchemaFault."""
        self.document: Mapping[str, Any] = MappingProxyType(dict(document))
        _check(document)
        self._validator = _compiled(document)

    def faults(self, value: object) -> list[str]:
        """What is wrong with a value, each with its JSON pointer and never with the value; none where it will do."""
        if self._validator.is_valid(value):
            return []
        found: list[str] = []
        for error in self._validator.iter_errors(value):
            pointer = "".join(f"/{_escaped(step)}" for step in error.instance_path)
            found.append(f"{pointer or '/'}: {error.message[:_LONGEST_FAULT]}")
            if len(found) == _MOST_TOLD:
                break
        return found

    def __eq__(self, other: object) -> bool:
        """Whether the two ask for the same."""
        return isinstance(other, Schema) and self.document == other.document

    def __hash__(self) -> int:
        """Of what stays the same."""
        return hash(tuple(sorted(self.document)))


def _compiled(document: Mapping[str, Any]) -> Any:
    # Not at the top: it takes a while to load, and few commands judge anything.
    from jsonschema_rs import Draft202012Validator, RegexOptions, ValidationError

    try:
        return Draft202012Validator(
            dict(document),
            validate_formats=True,
            ignore_unknown_formats=False,
            pattern_options=RegexOptions(size_limit=1_000_000),
            mask="the value",
            offline=True,
        )
    except (ValidationError, ValueError) as error:
        path = getattr(error, "instance_path", ())
        message = getattr(error, "message", str(error)).removeprefix("the value ")
        raise SchemaFault(f"this is no JSON Schema: {message[:_LONGEST_FAULT]}", path) from None


def _check(document: Mapping[str, Any]) -> None:
    """Raises SchemaFault for what could take for ever, or refers to elsewhere."""
    definitions = document.get("$defs", {})
    sizes: dict[str, int] = {}

    def size(schema: object, path: Path, within: tuple[str, ...]) -> int:
        """How many schemas it is, with what it refers to written out."""
        if len(path) > 2 * DEEPEST:
            raise SchemaFault(f"at most {DEEPEST} schemas within one another", path)
        if not isinstance(schema, Mapping):
            return 1
        for name in _NOT_TAKEN:
            if name in schema:
                raise SchemaFault(f"{name} is not taken", (*path, name))
        if schema.get("$schema", _DRAFT) != _DRAFT:
            raise SchemaFault(f"$schema is {_DRAFT}, or left out", (*path, "$schema"))
        count = 1 + sum(size(one, where, within) for one, where in _parts(schema, path))
        if "$ref" in schema:
            count += referred(schema["$ref"], (*path, "$ref"), within)
        if count > MOST_NODES:
            raise SchemaFault(f"at most {MOST_NODES:,} schemas, with what is referred to written out", path)
        return count

    def referred(ref: object, path: Path, within: tuple[str, ...]) -> int:
        name = ref.removeprefix(_DEFS) if isinstance(ref, str) and ref.startswith(_DEFS) else None
        if name is None or "/" in name or not isinstance(definitions, Mapping):
            raise SchemaFault("$ref leads to `#/$defs/NAME` of the same schema, and nowhere else", path)
        if name not in definitions:
            raise SchemaFault(f"$defs has no {name}", path)
        if name in within:
            raise SchemaFault(f"{name} refers to itself", path)
        if name not in sizes:
            sizes[name] = size(definitions[name], ("$defs", name), (*within, name))
        return sizes[name]

    size(document, (), ())
    if isinstance(definitions, Mapping):
        for name in definitions:
            referred(f"{_DEFS}{name}", ("$defs", name), ())


def _parts(schema: Mapping[str, Any], path: Path) -> Iterator[tuple[object, Path]]:
    """The schemas that one consists of, each with its place."""
    for keyword in _ONE:
        if keyword in schema:
            yield schema[keyword], (*path, keyword)
    for keyword in _LISTED:
        if isinstance(listed := schema.get(keyword), Sequence):
            for index, one in enumerate(listed):
                yield one, (*path, keyword, index)
    for keyword in _NAMED:
        if isinstance(named := schema.get(keyword), Mapping):
            for name, one in named.items():
                yield one, (*path, keyword, name)
    if path and "$defs" in schema:
        raise SchemaFault("$defs stands at the top", (*path, "$defs"))


def _escaped(step: str | int) -> str:
    return str(step).replace("~", "~0").replace("/", "~1")


#: An object, of which nothing is asked.
ANYTHING = Schema({"type": "object"})
