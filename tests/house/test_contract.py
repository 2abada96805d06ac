"""The committed contract is the one the code makes, is described throughout, and does not break its callers unseen."""

import graphql
import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    find_breaking_changes,
)
from graphql.type import is_introspection_type, is_specified_directive, is_specified_scalar_type

from . import contract


def undescribed(schema: GraphQLSchema) -> list[str]:
    """Coordinates of what has no description: `Type`, `Type.field`, `Type.field(argument:)`, `@directive`."""
    found: list[tuple[str, str | None]] = []
    for kind in schema.type_map.values():
        if is_introspection_type(kind) or is_specified_scalar_type(kind):
            continue
        found.append((kind.name, kind.description))
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            for name, field in kind.fields.items():
                found.append((f"{kind.name}.{name}", field.description))
                found += [(f"{kind.name}.{name}({key}:)", item.description) for key, item in field.args.items()]
        elif isinstance(kind, GraphQLInputObjectType):
            found += [(f"{kind.name}.{name}", item.description) for name, item in kind.fields.items()]
        elif isinstance(kind, GraphQLEnumType):
            found += [(f"{kind.name}.{name}", value.description) for name, value in kind.values.items()]
    for directive in schema.directives:
        if not is_specified_directive(directive):
            found.append((f"@{directive.name}", directive.description))
            found += [(f"@{directive.name}({key}:)", item.description) for key, item in directive.args.items()]
    return [coordinate for coordinate, description in found if not (description or "").strip()]


@pytest.fixture(scope="module")
def committed() -> GraphQLSchema:
    return build_schema(contract.SCHEMA.read_text())


def test_a_missing_description_is_found_wherever_it_is() -> None:
    schema = build_schema(
        """
        type Query { "Said." said(silent: Int, "Said." said: In): Kind }
        "Said." enum Kind { A "Said." B }
        "Said." input In { silent: Int }
        directive @silent("Said." said: Int) on FIELD
        """
    )

    assert undescribed(schema) == ["Query", "Query.said(silent:)", "Kind.A", "In.silent", "@silent"]


def test_the_committed_schema_is_the_one_the_code_makes(committed: GraphQLSchema) -> None:
    made = contract.made()[contract.SCHEMA]
    breaking = [
        f"{change.type.name}: {change.description}" for change in find_breaking_changes(committed, build_schema(made))
    ]

    assert contract.SCHEMA.read_text() == made, (
        "schema/schema.graphql is not what the code makes; `make schema` writes it. "
        + (f"It would break callers: {'; '.join(breaking)}" if breaking else "It breaks no caller.")
    )


def test_the_committed_schema_of_blueprints_is_the_one_the_code_makes() -> None:
    made = contract.made()[contract.BLUEPRINT]

    assert contract.BLUEPRINT.read_text() == made, "`make schema` writes schema/blueprint.schema.json."


def test_the_committed_operations_are_those_the_sdk_sends() -> None:
    sent = {file.name: text for file, text in contract.made().items() if file.parent == contract.OPERATIONS}
    kept = {file.name: text for file, text in contract.committed().items() if file.parent == contract.OPERATIONS}

    assert kept == sent


def test_the_operations_are_valid(committed: GraphQLSchema) -> None:
    for text in (text for file, text in contract.committed().items() if file.parent == contract.OPERATIONS):
        assert graphql.validate(committed, graphql.parse(text)) == []


def test_every_element_of_the_schema_is_described(committed: GraphQLSchema) -> None:
    assert undescribed(committed) == []
