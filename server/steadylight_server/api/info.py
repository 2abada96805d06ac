"""What every resolver is given: who asks, and the services that answer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import strawberry

from steadylight_server.access.models import Scope, Viewer
from steadylight_server.access.service import AccessService
from steadylight_server.context.service import ContextService
from steadylight_server.core.errors import Forbidden, Unauthenticated
from steadylight_server.identity.service import IdentityService
from steadylight_server.ingest.service import Ingest
from steadylight_server.timeline.service import TimelineService
from steadylight_server.workers import Activity

# How often an open subscription asks whether its viewer's key is still good, seconds.
CREDENTIAL_CHECK = 5.0


@dataclass(frozen=True)
class Services:
    """All that the graph may call."""

    access: AccessService
    identity: IdentityService
    timeline: TimelineService
    context: ContextService
    ingest: Ingest
    activity: Activity
    ping: Callable[[], Awaitable[None]]


@dataclass
class Context:
    """One request, or one socket. `viewer` is None for nobody in particular."""

    services: Services
    viewer: Viewer | None = None
    check_every: float = field(default=CREDENTIAL_CHECK, repr=False)

    async def watch_credential(self) -> None:
        """Returns when the viewer's credential has ended, within `check_every` seconds of it."""
        if self.viewer is not None:
            await self.services.access.ended(self.viewer, check_every=self.check_every)


Info = strawberry.Info[Context, None]


def viewer(info: Info, scope: Scope | None = None) -> Viewer:
    """Who asks. Raises Unauthenticated for nobody in particular, Forbidden without the scope."""
    who = info.context.viewer
    if who is None:
        raise Unauthenticated("Send a key: `Authorization: Bearer <key>`.")
    if scope is not None and not who.may(scope):
        raise Forbidden(f"This key lacks the scope {scope}.")
    return who
