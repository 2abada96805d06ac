"""Random operations over a schema: their fields, their arguments, and what the arguments hold.

hypothesis draws only the seed of each: left to draw every choice, it would send variations of a few.
"""

import json
from collections.abc import Callable, Collection, Mapping
from random import Random
from typing import Any, NamedTuple

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_composite_type,
    is_required_argument,
    is_required_input_field,
)
from hypothesis import strategies as st

DEEPEST = 4
Pools = Mapping[str, Callable[[Random], Any]]
"""What arguments and input fields hold: by coordinate, else by the name of the type."""


class Operation(NamedTuple):
    """One operation as it is sent."""

    kind: str
    text: str
    variables: dict[str, Any]

    @property
    def body(self) -> str:
        """As JSON."""
        return json.dumps({"query": self.text, "variables": self.variables})


def operations(schema: GraphQLSchema, pools: Pools, rare: Collection[str]) -> st.SearchStrategy[Operation]:
    """Operations at most DEEPEST fields deep. `rare` fields are in one of eight, or they would be in nearly all."""
    seeds = st.randoms(use_true_random=True)
    return seeds.map(lambda random: _operation(random, schema, pools, frozenset(rare)))


def _operation(random: Random, schema: GraphQLSchema, pools: Pools, rare: frozenset[str]) -> Operation:
    roots = {
        "query": schema.query_type,
        "mutation": schema.mutation_type,
        "subscription": schema.subscription_type,
    }
    (kind,) = random.choices([*roots], [14, 5, 1])
    root = roots[kind]
    assert root is not None
    drawing = _Drawing(random, schema, pools, frozenset() if random.random() < 1 / 8 else rare)
    selected = drawing.selection(root, DEEPEST, most=1 if kind == "subscription" else 3)
    heading = f"({', '.join(drawing.declared)})" if drawing.declared else ""
    return Operation(kind, f"{kind} Asked{heading} {selected}", drawing.variables)


class _Drawing:
    """One operation while it is drawn."""

    def __init__(self, random: Random, schema: GraphQLSchema, pools: Pools, shunned: frozenset[str]) -> None:
        self._random = random
        self._schema = schema
        self._pools = pools
        self._shunned = shunned
        self.variables: dict[str, Any] = {}
        self.declared: list[str] = []

    def selection(self, type: GraphQLObjectType | GraphQLInterfaceType, deepest: int, most: int = 8) -> str:
        """Some of the type's fields, and of those that implement it."""
        names = [
            name
            for name, field in type.fields.items()
            if f"{type.name}.{name}" not in self._shunned
            and (deepest > 1 or not is_composite_type(get_named_type(field.type)))
        ]
        if not names:
            return "{ __typename }"
        chosen = set(self._random.sample(names, self._random.randint(1, min(most, len(names)))))
        further = [name for name in names if is_composite_type(get_named_type(type.fields[name].type))]
        if further and len(chosen) < most:  # what is private lies deep
            chosen.add(self._random.choice(further))
        made = [self._field(type, name, deepest) for name in sorted(chosen)]
        if isinstance(type, GraphQLInterfaceType):
            kinds = self._schema.get_possible_types(type)
            made += [f"... on {kind.name} {self.selection(kind, deepest)}" for kind in kinds]
        return f"{{ {' '.join(made)} }}"

    def _field(self, type: GraphQLObjectType | GraphQLInterfaceType, name: str, deepest: int) -> str:
        field = type.fields[name]
        given = []
        for argument, told in field.args.items():
            coordinate = f"{type.name}.{name}({argument}:)"
            if is_required_argument(told) or self._maybe(coordinate):
                variable = f"v{len(self.declared)}"
                self.declared.append(f"${variable}: {told.type}")
                self.variables[variable] = self._value(told.type, coordinate)
                given.append(f"{argument}: ${variable}")
        to = get_named_type(field.type)
        inner = self.selection(to, deepest - 1) if isinstance(to, GraphQLObjectType | GraphQLInterfaceType) else ""
        return f"{name}{'(' + ', '.join(given) + ')' if given else ''} {inner}"

    def _value(self, type: GraphQLInputType, coordinate: str) -> Any:
        if isinstance(type, GraphQLNonNull):
            return self._value(type.of_type, coordinate)
        if coordinate in self._pools:
            return self._pools[coordinate](self._random)
        if isinstance(type, GraphQLList):
            return [self._value(type.of_type, coordinate) for _ in range(self._random.randint(0, 2))]
        if isinstance(type, GraphQLEnumType):
            return self._random.choice(sorted(type.values))
        if isinstance(type, GraphQLInputObjectType):
            return self._input(type)
        return self._pools[type.name](self._random)

    def _input(self, type: GraphQLInputObjectType) -> dict[str, Any]:
        if type.is_one_of:
            chosen = {self._random.choice(sorted(type.fields))}
        else:
            chosen = {
                name
                for name, field in type.fields.items()
                if is_required_input_field(field) or self._maybe(f"{type.name}.{name}")
            }
        return {name: self._value(type.fields[name].type, f"{type.name}.{name}") for name in sorted(chosen)}

    def _maybe(self, coordinate: str) -> bool:
        """What has a pool of its own is worth more."""
        return self._random.random() < (1 / 3 if coordinate in self._pools else 1 / 5)
