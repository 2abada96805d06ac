"""GraphQL documents, parsed and validated once. Callers send few texts again and again: a hit is one dict look-up."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Self

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    specified_rules,
)
from strawberry.extensions import SchemaExtension
from strawberry.schema.schema import validate_document

from steadylight_server.access.models import Viewer
from steadylight_server.api.limits import Limits, check, parsed
from steadylight_server.api.permissions import Permissions, Rule
from steadylight_server.core.errors import Invalid, SteadylightError, Unauthenticated

# Some 50 KB each when parsed; together less than 30 MB in the worst case.
_KEPT = 512
_KEPT_LENGTH = 8_000
# Nobody-in-particular needs 14 characters. More is not parsed at all, since parsing is work for a stranger.
_STRANGERS_LENGTH = 1_000


class Refused(Exception):
    """A document that cannot be run; `errors` say why."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(f"{len(errors)} errors")
        self.errors = errors


class Document(str):
    """A validated document. It is its own text, so that strawberry's `execute` and `stream` take it; see `Prepared`."""

    node: DocumentNode
    label: str
    """The name of its operation if the server itself knows the document, else "other": a label for metrics."""
    _asked: dict[str | None, Mapping[Rule, str]]

    def __new__(cls, text: str, node: DocumentNode, label: str) -> Self:
        """`node` is what the text was parsed to."""
        document = super().__new__(cls, text)
        document.node = node
        document.label = label
        document._asked = {}
        return document

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """The operation to run. Raises Invalid if the name is unknown, or missing where there are several."""
        operations = _operations(self.node)
        if not name:
            if len(operations) != 1:
                raise Invalid("The document must have one operation, or operationName must say which.")
            return operations[0]
        for operation in operations:
            if operation.name is not None and operation.name.value == name:
                return operation
        raise Invalid("The document has no operation of the name that operationName gives.")

    def check(self, operation: OperationDefinitionNode, viewer: Viewer, permissions: Permissions) -> None:
        """Whether the viewer may run the operation. Raises Forbidden, naming a field."""
        name = operation.name.value if operation.name else None
        asked = self._asked.get(name)
        if asked is None:
            definitions = self.node.definitions
            fragments = {one.name.value: one for one in definitions if isinstance(one, FragmentDefinitionNode)}
            asked = self._asked[name] = permissions.asked_of(operation, fragments)
        for rule, field in asked.items():
            rule.check(viewer, field)


class Documents:
    """The documents of one schema. `trusted` ones are read at start, never forgotten, and named in metrics.

    Raises ValueError if a trusted document has no name or does not fit the schema.
    """

    def __init__(self, schema: GraphQLSchema, limits: Limits, trusted: Iterable[str] = ()) -> None:
        self._schema = schema
        self._limits = limits
        self._recent: dict[str, Document] = {}
        self._trusted: dict[str, Document] = {}
        for text in trusted:
            self._trusted[text] = self._trust(text)

    def read(self, text: str) -> Document:
        """The document of a text. Raises Refused with the errors of parsing or validating, or with the limit passed."""
        return self._known(text) or self._validated(text, self._parsed(text))

    def read_for_nobody(self, text: str) -> Document:
        """The same for a caller without a credential. Raises Unauthenticated for all but `__typename`.

        It is not validated before: what is wrong with a document tells of the schema.
        """
        if len(text) <= _STRANGERS_LENGTH:
            known = self._known(text)
            node = known.node if known else self._parsed(text)
            if _asks_only_typename(node):
                return known or self._validated(text, node)
        raise Unauthenticated("This needs a credential: send the header `Authorization: Bearer <key>`.")

    def _known(self, text: str) -> Document | None:
        if document := self._trusted.get(text):
            return document
        if document := self._recent.pop(text, None):
            self._recent[text] = document  # now the most recently used, which is what comes last
        return document

    def _parsed(self, text: str) -> DocumentNode:
        try:
            return parsed(text, self._limits)
        except GraphQLError as error:
            raise Refused([error]) from error
        except SteadylightError as error:
            raise Refused([GraphQLError(error.message, original_error=error)]) from error

    def _validated(self, text: str, node: DocumentNode) -> Document:
        try:
            check(node, self._limits)
        except SteadylightError as error:
            raise Refused([GraphQLError(error.message, original_error=error)]) from error
        if errors := validate_document(self._schema, node, tuple(specified_rules)):
            raise Refused(errors)
        document = Document(text, node, "other")
        if len(text) <= _KEPT_LENGTH:
            self._recent[text] = document
            if len(self._recent) > _KEPT:
                del self._recent[next(iter(self._recent))]
        return document

    def _trust(self, text: str) -> Document:
        try:
            document = self.read(text)
        except Refused as refused:
            raise ValueError(f"A trusted document does not fit the schema: {refused.errors}") from refused
        name = _operations(document.node)[0].name
        if name is None:
            raise ValueError("A trusted document needs a name.")
        return Document(text, document.node, name.value)


class Prepared(SchemaExtension):
    """Lets strawberry run a `Document` as it is, neither parsed nor validated again."""

    def on_parse(self) -> Iterator[None]:
        """Hands over what was prepared; a plain text goes strawberry's own way."""
        query = self.execution_context.query
        if isinstance(query, Document):
            self.execution_context.graphql_document = query.node
            self.execution_context.validation_rules = ()
        yield


def _operations(node: DocumentNode) -> list[OperationDefinitionNode]:
    return [definition for definition in node.definitions if isinstance(definition, OperationDefinitionNode)]


def _asks_only_typename(node: DocumentNode) -> bool:
    return all(
        isinstance(definition, OperationDefinitionNode)
        and all(
            isinstance(selection, FieldNode) and selection.name.value == "__typename"
            for selection in definition.selection_set.selections
        )
        for definition in node.definitions
    )
