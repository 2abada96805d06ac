"""Who may use which field of the graph: one line for each rule, and every field stands under exactly one of them.

A document is checked before anything of it runs, so that a refused one does nothing at all. What a field *shows* is
narrowed further where it is read: a customer sees nobody else, an agent says why (`api/admission`). A field of the
schema without a rule keeps the server from starting.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    visit,
)

from steadylight_server.access.models import Role, Scope, Viewer
from steadylight_server.core.errors import Forbidden

Fragments = Mapping[str, FragmentDefinitionNode]


@dataclass(frozen=True)
class Rule:
    """Which roles, and which of their scopes it takes; None takes none."""

    roles: frozenset[Role]
    scope: Scope | None = None

    def check(self, viewer: Viewer, field: str) -> None:
        """Raises Forbidden, and says what is missing."""
        if viewer.role not in self.roles:
            allowed = " and ".join(sorted(_PLURAL[role] for role in self.roles))
            raise Forbidden(f"{field} is for {allowed}.")
        if self.scope is not None and not viewer.may(self.scope):
            raise Forbidden(f"This credential lacks the scope {self.scope}, which {field} takes.")


_PLURAL = {
    Role.CHANNEL: "channels' keys",
    Role.CUSTOMER: "customers",
    Role.AGENT: "agents",
    Role.ADMIN: "admins",
}
_ALL = frozenset(Role)
_STAFF = frozenset({Role.AGENT, Role.ADMIN})


def _fields(type: str, names: str) -> list[str]:
    return [f"{type}.{name}" for name in names.split()]


KNOWN = Rule(_ALL)
READ = Rule(_ALL, Scope.CUSTOMERS_READ)
# What the company says among itself: an employee's name, or what it thinks of them, is not for the customer's browser.
READ_INSIDE = Rule(_ALL - {Role.CUSTOMER}, Scope.CUSTOMERS_READ)
READ_IN_BULK = Rule(frozenset({Role.CHANNEL, Role.ADMIN}), Scope.CUSTOMERS_READ)
READ_BY_STAFF = Rule(_STAFF, Scope.CUSTOMERS_READ)
RECORD = Rule(frozenset({Role.CHANNEL, Role.CUSTOMER}), Scope.ACTIONS_WRITE)
RECORD_IN_BULK = Rule(frozenset({Role.CHANNEL}), Scope.ACTIONS_WRITE)
REPORT = Rule(frozenset({Role.CHANNEL, Role.ADMIN}), Scope.CAPABILITIES_REPORT)
EDIT = Rule(_ALL - {Role.CUSTOMER}, Scope.KNOWLEDGE_WRITE)
LINK = Rule(_STAFF, Scope.IDENTITIES_LINK)
RUN = Rule(frozenset({Role.ADMIN}), Scope.CHANNELS_REGISTER)

PERMISSIONS: Mapping[Rule, Iterable[str]] = {
    KNOWN: [
        *_fields("Query", "viewer"),
        *_fields("Viewer", "role name channel scopes highestAssurance serverTime"),
        *_fields("PageInfo", "hasNextPage hasPreviousPage startCursor endCursor"),
    ],
    READ: [
        *_fields("Query", "customer node context"),
        *_fields("RecordActionPayload", "context"),
        *_fields("Subscription", "customerActivity"),
        *_fields("Viewer", "customer"),
        *_fields("Node", "id"),
        *_fields("Customer", "id identifiers isKnown since actions"),
        *_fields("Identifier", "kind value"),
        *_fields("ActionConnection", "edges nodes pageInfo"),
        *_fields("ActionEdge", "node cursor"),
        *_fields("Action", "id type at sequence channel actor contact journey subject properties identifiers"),
        *_fields("Action", "receivedAt claimedAt"),
        *_fields("AssertedIdentifier", "kind value assurance"),
        *_fields("Subject", "kind id"),
        *_fields("Context", "customer assurance claims actions contacts at token"),
        *_fields("Contact", "id channel key firstAt lastAt outcome"),
        *_fields("Customer", "journeys threads"),
        *_fields("Thread", "type label category subject status startedAt startedIn activeAt changedAt changedIn"),
        *_fields("Thread", "channels reopened counts"),
        *_fields("Context", "journeys"),
        *_fields(
            "Journey", "id type label category version key status outcome step steps startedAt startedIn activeAt"
        ),
        *_fields("Journey", "changedAt changedIn reopened stalledAt duplicateOf questions answers asks"),
        *_fields("Answer", "question value at channel contact assurance actionId"),
        *_fields("Question", "name label form pattern choices"),
        *_fields("Ask", "question at channel contact isKnown again"),
        *_fields("Query", "capabilities performance"),
        *_fields("Subscription", "performance"),
        *_fields("Capability", "name label description input output assurance reversible reversedBy timeout"),
        *_fields("Capability", "isOffered why reason"),
        *_fields("Performance", "id capability label key state output failure progress channel attempt"),
        *_fields("Performance", "begunAt endedAt journey"),
        *_fields("PerformanceFailure", "code message"),
        *_fields("PerformanceProgress", "done message at"),
        *_fields("Query", "article articles"),
        *_fields("Article", "id slug version title locale topics fragments updatedAt expiresAt"),
        *_fields("ArticleFragment", "id heading locale html plain sms spoken"),
        *_fields("ArticleConnection", "edges nodes pageInfo"),
        *_fields("ArticleEdge", "node cursor"),
        *_fields("Query", "search suggest"),
        *_fields("SearchResults", "hits totalCount meant topics locales"),
        *_fields("SearchHit", "article fragment snippetHtml score"),
        *_fields("SearchCount", "name count"),
    ],
    READ_INSIDE: [
        *_fields("Action", "agent traits"),
        *_fields("Customer", "traits"),
        *_fields("Context", "traits"),
        *_fields("Context", "brief"),
        *_fields("Trait", "name value at assurance channel actionId"),
    ],
    READ_IN_BULK: [
        *_fields("Query", "contextDocument articleDocument searchDocument"),
        *_fields("RecordActionsPayload", "contextDocument"),
    ],
    RECORD: [
        *_fields("Mutation", "recordAction startJourney askQuestion answerQuestion advanceJourney setJourneyStatus"),
        *_fields("StartJourneyPayload", "journey answers resumed token"),
        *_fields("AskQuestionPayload", "question answer use again token"),
        *_fields("AnswerQuestionPayload", "journey token"),
        *_fields("AdvanceJourneyPayload", "journey isDone token"),
        *_fields("SetJourneyStatusPayload", "journey isDone token"),
        *_fields("Mutation", "performCapability"),
        *_fields("PerformCapabilityPayload", "performance repeated token"),
        *_fields("RecordActionPayload", "verdict warnings token"),
        *_fields("Verdict", "index actionId verdict code message"),
        *_fields("Warning", "index code message"),
    ],
    RECORD_IN_BULK: [
        *_fields("Mutation", "recordActions"),
        *_fields("RecordActionsPayload", "stored duplicate refused retry exceptions warnings verdicts token"),
    ],
    REPORT: [
        *_fields("Mutation", "reportProgress completePerformance"),
        *_fields("ReportProgressPayload", "performance"),
        *_fields("CompletePerformancePayload", "performance"),
    ],
    READ_BY_STAFF: [
        *_fields("Query", "customers parity"),
        *_fields("ParityReport", "capabilities gaps since within isComplete"),
        *_fields("ParityRow", "capability label cells"),
        *_fields("ParityCell", "channel parity reason"),
        *_fields("GapMet", "capability channel why times customers changed changes"),
        *_fields("ChannelChange", "channel times"),
        *_fields("Customer", "links"),
        *_fields("Query", "affectedBy"),
        *_fields("ShowingConnection", "edges nodes pageInfo"),
        *_fields("ShowingEdge", "node cursor"),
        *_fields("Showing", "customer channel contact at fragments rendering locale hash actionId"),
        *_fields("Link", "id reason status refusal assurance at actionId by why"),
        *_fields("Link", "retiredAt retiredBy retiredWhy identifiers customers"),
    ],
    EDIT: [
        *_fields("Query", "articleRecord"),
        *_fields("ArticleRecord", "id slug state revision published draft owner reviewOn capabilities journeys"),
        *_fields("ArticleRecord", "expiresAt versions diff"),
        *_fields("ArticleVersion", "number state author reason at files"),
        *_fields("ArticleFile", "name text"),
        *_fields("ArticleDifference", "part locale diff"),
        *_fields("Mutation", "saveArticle publishArticle expireArticle"),
        *_fields("SaveArticlePayload", "article"),
        *_fields("PublishArticlePayload", "article"),
        *_fields("ExpireArticlePayload", "article"),
    ],
    LINK: [
        *_fields("Query", "mergePreview identityConflicts"),
        *_fields("MergePreview", "refusal identifiers since id traits"),
        *_fields("MergedTrait", "name one other unified"),
        *_fields("Mutation", "mergeCustomers unlink resolveConflict"),
        *_fields("LinkPayload", "link"),
    ],
    RUN: [
        *_fields("Query", "channels"),
        *_fields("Mutation", "registerChannel"),
        *_fields("RegisterChannelPayload", "channel key"),
        *_fields("Channel", "name kind highestAssurance createdAt"),
    ],
}


class Permissions:
    """The rules of one schema. Raises ValueError for a field without a rule, with two, or a rule without a field."""

    def __init__(self, schema: GraphQLSchema, permissions: Mapping[Rule, Iterable[str]]) -> None:
        self._schema = schema
        self._rules = {field: rule for rule, fields in permissions.items() for field in fields}
        ruled = [field for fields in permissions.values() for field in fields]
        twice = {field for field in ruled if ruled.count(field) > 1}
        if wrong := set(self._rules) ^ fields_of(schema) | twice:
            raise ValueError(f"Every field stands under one rule of api/permissions: {', '.join(sorted(wrong))}")

    def asked_of(self, operation: OperationDefinitionNode, fragments: Fragments) -> Mapping[Rule, str]:
        """Each rule that the operation comes under, with the first field that it asks for there."""
        found: dict[Rule, str] = {}
        for field in fields_asked(self._schema, operation, fragments):
            found.setdefault(self._rules[field], field)
        return found


def fields_of(schema: GraphQLSchema) -> Set[str]:
    """`Type.field` for each field that can be asked for, introspection aside."""
    return {
        f"{name}.{field}"
        for name, type in schema.type_map.items()
        if isinstance(type, GraphQLObjectType | GraphQLInterfaceType) and not name.startswith("__")
        for field in type.fields
    }


def fields_asked(schema: GraphQLSchema, operation: OperationDefinitionNode, fragments: Fragments) -> list[str]:
    """`Type.field` for each field in the operation and its fragments, sorted; introspection aside."""
    asked: set[str] = set()
    seen: set[str] = set()
    todo: list[OperationDefinitionNode | FragmentDefinitionNode] = [operation]
    while todo:
        info = TypeInfo(schema)
        collector = _Collector(info)
        visit(todo.pop(), TypeInfoVisitor(info, collector))
        asked |= collector.fields
        todo += [fragments[name] for name in collector.spreads - seen]
        seen |= collector.spreads
    return sorted(asked)


class _Collector(Visitor):
    """Notes the fields and the fragments that a definition names."""

    def __init__(self, info: TypeInfo) -> None:
        super().__init__()
        self._info = info
        self.fields: set[str] = set()
        self.spreads: set[str] = set()

    def enter_field(self, node: FieldNode, *_: object) -> None:
        parent = self._info.get_parent_type()
        name = node.name.value
        if parent is not None and not name.startswith("__") and not parent.name.startswith("__"):
            self.fields.add(f"{parent.name}.{name}")

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: object) -> None:
        self.spreads.add(node.name.value)
