"""Documents made from the schema, each of which uses one coordinate of it: `Customer.actions(filter:)`, say."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

from graphql import (
    GraphQLArgument,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_required_argument,
    is_required_input_field,
)

Composite = GraphQLObjectType | GraphQLInterfaceType
Values = Mapping[str, Callable[[], Any]]
"""What stands for each argument and input field, by coordinate."""


class Asked(NamedTuple):
    """A document and its variables, and the names of the fields that lead to what the coordinate is about."""

    kind: str
    text: str
    variables: dict[str, Any]
    path: list[str]


def coordinates(schema: GraphQLSchema) -> Iterator[str]:
    """Each field, argument and input field; introspection aside."""
    for name, type in schema.type_map.items():
        if name.startswith("__"):
            continue
        if isinstance(type, Composite):
            for field, told in type.fields.items():
                yield f"{name}.{field}"
                yield from (f"{name}.{field}({argument}:)" for argument in told.args)
        elif isinstance(type, GraphQLInputObjectType):
            yield from (f"{name}.{field}" for field in type.fields)


class Documents:
    """Makes them.

    `values` has what is given where something must or shall be; `always` what is given even if it need not be; `along`
    what one coordinate cannot be used without; `detours` are fields that are no way to others; `beside` is what is
    selected with every field of a type.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        values: Values,
        *,
        always: Collection[str],
        along: Mapping[str, str],
        detours: Collection[str],
        beside: Mapping[str, str],
    ) -> None:
        self._schema = schema
        self._values = values
        self._always = always
        self._along = along
        self._detours = detours
        self._beside = beside
        self._ways: dict[str, list[tuple[Composite, str]]] = {}
        self._holders: dict[str, str] = {}
        self._explore()

    def using(self, coordinate: str) -> Asked:
        """A document that uses the coordinate, by the shortest way from a root."""
        wanted = [coordinate, self._along.get(coordinate, coordinate)]
        while (holder := coordinate.split(".")[0]) in self._holders:
            coordinate = self._holders[holder]
            wanted.append(coordinate)
        name, _, member = coordinate.partition("(")[0].partition(".")
        type = self._schema.type_map[name]
        assert isinstance(type, Composite)
        return self._document([*self._ways[name], (type, member)], set(wanted))

    def ways_to(self, name: str, field: str, most: int = 5) -> Iterator[Asked]:
        """A document for each way of at most `most` steps from a root to a field of a type."""
        for root in (self._schema.query_type, self._schema.mutation_type, self._schema.subscription_type):
            assert root is not None
            todo: list[list[tuple[Composite, str]]] = [[(root, one)] for one in root.fields]
            while todo:
                way = todo.pop()
                here = get_named_type(way[-1][0].fields[way[-1][1]].type)
                if not isinstance(here, Composite):
                    continue
                if here.name == name:
                    yield self._document([*way, (here, field)], set())
                if len(way) < most:
                    todo += [[*way, (type, one)] for type in self._kinds(here) for one in type.fields]

    def _kinds(self, type: Composite) -> list[Composite]:
        if isinstance(type, GraphQLInterfaceType):
            return [type, *self._schema.get_possible_types(type)]
        return [type]

    def _explore(self) -> None:
        """By the shortest way from a query, then a mutation, then a subscription; through a list only where it must."""
        for root in (self._schema.query_type, self._schema.mutation_type, self._schema.subscription_type):
            assert root is not None
            self._ways[root.name] = []
            known: list[Composite] = [root]
            for through_lists in (False, True):
                for type in known:
                    known += self._next(type, through_lists)

    def _next(self, type: Composite, through_lists: bool) -> Iterator[Composite]:
        for name, field in type.fields.items():
            for argument, told in field.args.items():
                self._hold(f"{type.name}.{name}({argument}:)", told)
            to = get_named_type(field.type)
            is_near = (through_lists or "[" not in str(field.type)) and f"{type.name}.{name}" not in self._detours
            if is_near and isinstance(to, Composite) and to.name not in self._ways:
                self._ways[to.name] = [*self._ways[type.name], (type, name)]
                yield to

    def _hold(self, coordinate: str, told: Any) -> None:
        type = get_named_type(told.type)
        if isinstance(type, GraphQLInputObjectType) and type.name not in self._holders:
            self._holders[type.name] = coordinate
            for name, field in type.fields.items():
                self._hold(f"{type.name}.{name}", field)

    def _document(self, way: list[tuple[Composite, str]], wanted: set[str]) -> Asked:
        variables: dict[str, Any] = {}
        declared: list[str] = []
        last, field = way[-1]
        inner = self._least(get_named_type(last.fields[field].type))
        for type, name in reversed(way):
            given = []
            for argument, told in type.fields[name].args.items():
                coordinate = f"{type.name}.{name}({argument}:)"
                if self._is_given(coordinate, is_required_argument(told), wanted):
                    variable = f"v{len(variables)}"
                    variables[variable] = self._value(coordinate, told, wanted)
                    declared.append(f"${variable}: {told.type}")
                    given.append(f"{argument}: ${variable}")
            brackets = f"({', '.join(given)})" if given else ""
            inner = f"{self._besides(type)} {name}{brackets} {inner}"
            inner = f"{{ {inner} }}" if type is way[0][0] else f"{{ ... on {type.name} {{ {inner} }} }}"
        kind = way[0][0].name.lower()
        heading = f"({', '.join(declared)})" if declared else ""
        return Asked(kind, f"{kind} Asked{heading} {inner}", variables, [name for _, name in way])

    def _is_given(self, coordinate: str, is_required: bool, wanted: set[str]) -> bool:
        return is_required or coordinate in wanted or coordinate in self._always

    def _value(self, coordinate: str, told: GraphQLArgument | Any, wanted: set[str]) -> Any:
        type = get_named_type(told.type)
        if not isinstance(type, GraphQLInputObjectType):
            return self._values[coordinate]()
        if coordinate in self._values and not any(one.startswith(f"{type.name}.") for one in wanted):
            return self._values[coordinate]()
        chosen = [
            (name, field)
            for name, field in type.fields.items()
            if self._is_given(f"{type.name}.{name}", is_required_input_field(field), wanted)
        ]
        made = {name: self._value(f"{type.name}.{name}", field, wanted) for name, field in chosen}
        return [made] if "[" in str(told.type) else made

    def _besides(self, type: Composite) -> str:
        return "id" if "id" in type.fields else self._beside.get(type.name, "")

    def _least(self, type: Any) -> str:
        """Something to select where a field is no leaf."""
        if not isinstance(type, Composite):
            return ""
        if known := self._besides(type):
            return f"{{ {known} }}"
        name, field = next((name, field) for name, field in type.fields.items() if not field.args)
        return f"{{ {name} {self._least(get_named_type(field.type))} }}"
