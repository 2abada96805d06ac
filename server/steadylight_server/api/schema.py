"""The graph, put together from its slices."""

from collections.abc import Iterable
from pathlib import Path

import strawberry
from strawberry.schema.config import StrawberryConfig

from steadylight_server.api.actions import Action
from steadylight_server.api.activity import ActivitySubscriptions
from steadylight_server.api.capabilities import (
    CapabilityMutations,
    CapabilityQueries,
    CapabilitySubscriptions,
    Performance,
)
from steadylight_server.api.channels import ChannelMutations, ChannelQueries
from steadylight_server.api.contexts import ContextQueries
from steadylight_server.api.customers import Customer, CustomerQueries
from steadylight_server.api.editing import EditingMutations, EditingQueries
from steadylight_server.api.errors import Schema
from steadylight_server.api.identities import IdentityMutations, IdentityQueries
from steadylight_server.api.journeys import Journey, JourneyMutations
from steadylight_server.api.knowledge import Article, KnowledgeQueries
from steadylight_server.api.limits import Limits
from steadylight_server.api.parity import ParityQueries
from steadylight_server.api.permissions import PERMISSIONS
from steadylight_server.api.recording import ActionMutations
from steadylight_server.api.scalars import SCALARS
from steadylight_server.api.search import SearchQueries


@strawberry.type(description="What can be read.")
class Query(
    CustomerQueries,
    ContextQueries,
    KnowledgeQueries,
    SearchQueries,
    EditingQueries,
    CapabilityQueries,
    ParityQueries,
    IdentityQueries,
    ChannelQueries,
):
    pass


@strawberry.type(description="What can be done.")
class Mutation(
    ActionMutations,
    JourneyMutations,
    EditingMutations,
    CapabilityMutations,
    IdentityMutations,
    ChannelMutations,
):
    pass


@strawberry.type(description="What is told as it happens, over graphql-transport-ws.")
class Subscription(ActivitySubscriptions, CapabilitySubscriptions):
    pass


def trusted() -> Iterable[str]:
    """The documents that the SDK sends, by name: parsed and validated once, at start."""
    return [path.read_text() for path in sorted((Path(__file__).parents[1] / "contract/operations").glob("*.graphql"))]


def schema(limits: Limits | None = None) -> Schema:
    """The executable schema."""
    return Schema(
        Query,
        Mutation,
        Subscription,
        limits=limits,
        trusted=trusted(),
        permissions=PERMISSIONS,
        types=[Customer, Action, Journey, Article, Performance],
        config=StrawberryConfig(scalar_map=SCALARS),
    )


def printed() -> str:
    """The schema in the schema definition language, as committed in schema/schema.graphql."""
    return schema().as_str()
