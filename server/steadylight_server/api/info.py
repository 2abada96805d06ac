"""What every resolver is given: who asks, and the services that answer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

import strawberry

from steadylight_server.access.gate import Gate
from steadylight_server.access.models import Viewer
from steadylight_server.access.service import AccessService
from steadylight_server.capabilities.service import CapabilityService
from steadylight_server.context.service import ContextService
from steadylight_server.context.viewpoints import Viewpoints
from steadylight_server.core.audit import Audit
from steadylight_server.core.errors import Invalid, Unauthenticated
from steadylight_server.core.rates import Rate, Rates
from steadylight_server.identity.service import IdentityService
from steadylight_server.ingest.service import Ingest
from steadylight_server.insights.service import Insights
from steadylight_server.journeys.service import JourneyService
from steadylight_server.knowledge.editing import Editing
from steadylight_server.knowledge.search import SearchService
from steadylight_server.knowledge.service import KnowledgeService
from steadylight_server.operations.capabilities import CapabilityOperations
from steadylight_server.operations.journeys import JourneyOperations
from steadylight_server.operations.service import Operations
from steadylight_server.timeline.service import TimelineService
from steadylight_server.workers import Activity, PerformanceProgress

# How often an open subscription asks whether its viewer's key is still good, seconds.
CREDENTIAL_CHECK = 5.0


@dataclass(frozen=True)
class Services:
    """All that the graph may call."""

    access: AccessService
    gate: Gate
    audit: Audit
    rates: Rates
    identity: IdentityService
    timeline: TimelineService
    knowledge: KnowledgeService
    editing: Editing
    search: SearchService
    journeys: JourneyService
    context: ContextService
    viewpoints: Viewpoints
    operations: Operations
    errands: JourneyOperations
    capabilities: CapabilityService
    performing: CapabilityOperations
    insights: Insights
    ingest: Ingest
    activity: Activity
    progress: PerformanceProgress
    ping: Callable[[], Awaitable[None]]


@dataclass
class Context:
    """One request, or one socket. `viewer` is None for nobody in particular.

    `reason` and `contact` are why an employee looks at a customer, from the headers; see `api/admission`.
    """

    services: Services
    viewer: Viewer | None = None
    reason: str | None = None
    contact: str | None = None
    check_every: float = field(default=CREDENTIAL_CHECK, repr=False)

    async def begin(self) -> None:
        """Counts one operation of the viewer's. Raises RateLimited."""
        if self.viewer is not None:
            await self.services.rates.admit(Rate.CREDENTIAL, self.viewer.id)
            if self.viewer.customer is not None:
                await self.services.rates.admit(Rate.CUSTOMER, ":".join(self.viewer.customer))

    async def watch_credential(self) -> None:
        """Returns when the viewer's credential has ended, at most `check_every` seconds later."""
        if self.viewer is not None:
            await self.services.gate.ended(self.viewer, check_every=self.check_every)


Info = strawberry.Info[Context, None]


def operation(id: str) -> UUID:
    """The id of an operation. Raises Invalid."""
    try:
        return UUID(id)
    except ValueError:
        raise Invalid("operationId: a UUID.") from None


def viewer(info: Info) -> Viewer:
    """Who asks. Raises Unauthenticated for nobody in particular."""
    who = info.context.viewer
    if who is None:
        raise Unauthenticated("Send a key or a token: `Authorization: Bearer <it>`.")
    return who
