"""How deep, wide and long a document may be. Checked on every document before it is validated, since validating costs
more than measuring: this walk is linear in the document, however its fragments are nested."""

from dataclasses import dataclass, replace
from typing import Self

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    parse,
)

from steadylight_server.core.config import Settings
from steadylight_server.core.errors import TooComplex

# GraphiQL asks 15 deep (a type of a type …); the types of a schema are few, so this costs little.
INTROSPECTION_DEPTH = 20
# What takes milliseconds each, one after the other: a search, and articles or a page of them as they are rendered.
_SEARCHING = frozenset({"search", "suggest", "searchDocument", "articleDocument", "fragments"})
# Selections inside one another by any means, fragments too; keeps this walk and the validator's off Python's stack end.
NESTING = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """The most a document may have: nested fields, aliases and searches (each as often as its fragment is spread), and
    tokens.

    Searches are also suggestions, and what renders articles: each counts where it is written.
    """

    depth: int = 12
    aliases: int = 60
    searches: int = 10
    tokens: int = 4_000

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The limits that the operator chose."""
        return cls(
            depth=settings.max_depth,
            aliases=settings.max_aliases,
            searches=settings.max_searches,
            tokens=settings.max_tokens,
        )


def parsed(text: str, limits: Limits) -> DocumentNode:
    """The document, parsed. Raises TooComplex past the tokens' limit, and graphql-core's GraphQLSyntaxError."""
    try:
        return parse(text, max_lexical_tokens=limits.tokens, max_comments=limits.tokens)
    except GraphQLSyntaxError as error:
        # graphql-core has no type of its own for what it gives up on; every such message ends so.
        if error.message.endswith("Parsing aborted."):
            raise TooComplex(error.message.removeprefix("Syntax Error: ")) from error
        raise


def check(document: DocumentNode, limits: Limits) -> None:
    """Raises TooComplex if an operation of the document is deeper, or has more aliases or searches, than allowed."""
    measure = _Measure(document)
    for operation in document.definitions:
        if not isinstance(operation, OperationDefinitionNode):
            continue
        size = measure.selections(operation.selection_set, 0)
        if size.depth > limits.depth:
            raise TooComplex(f"The document is {size.depth} fields deep; at most {limits.depth} are allowed.")
        if size.introspection_depth > INTROSPECTION_DEPTH:
            raise TooComplex(f"Introspection may be at most {INTROSPECTION_DEPTH} fields deep.")
        if size.aliases > limits.aliases:
            raise TooComplex(f"The document has {size.aliases} aliases; at most {limits.aliases} are allowed.")
        if size.searches > limits.searches:
            raise TooComplex(
                f"The document asks for {size.searches} searches, suggestions and renderings of articles; at most"
                f" {limits.searches} are allowed."
            )


@dataclass(frozen=True, slots=True)
class _Size:
    depth: int = 0
    introspection_depth: int = 0
    aliases: int = 0
    searches: int = 0

    def beside(self, other: "_Size") -> "_Size":
        return _Size(
            max(self.depth, other.depth),
            max(self.introspection_depth, other.introspection_depth),
            self.aliases + other.aliases,
            self.searches + other.searches,
        )


class _Measure:
    def __init__(self, document: DocumentNode) -> None:
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._measured: dict[str, _Size] = {}

    def selections(self, chosen: SelectionSetNode | None, level: int) -> _Size:
        size = _Size()
        if chosen is None:
            return size
        if level > NESTING:
            raise TooComplex(f"Selections may be nested at most {NESTING} times, fragments included.")
        for selection in chosen.selections:
            size = size.beside(self._selection(selection, level + 1))
        return size

    def _selection(self, selection: SelectionNode, level: int) -> _Size:
        if isinstance(selection, FragmentSpreadNode):
            return self._fragment(selection.name.value, level)
        inside = self.selections(getattr(selection, "selection_set", None), level)
        if not isinstance(selection, FieldNode):
            return inside
        aliases = inside.aliases + (selection.alias is not None)
        if selection.name.value in ("__schema", "__type"):
            return _Size(depth=1, introspection_depth=inside.depth + 1, aliases=aliases)
        searches = inside.searches + (selection.name.value in _SEARCHING)
        return replace(inside, depth=inside.depth + 1, aliases=aliases, searches=searches)

    def _fragment(self, name: str, level: int) -> _Size:
        if name not in self._measured:
            # While it is being measured it counts as nothing, which ends a cycle; validation then refuses the cycle.
            self._measured[name] = _Size()
            if name in self._fragments:
                self._measured[name] = self.selections(self._fragments[name].selection_set, level)
        return self._measured[name]
