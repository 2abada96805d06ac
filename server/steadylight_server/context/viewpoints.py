"""For whose eyes an article is: what its audiences may ask of the viewer, and of the customer in hand."""

from collections.abc import Sequence

from steadylight_server.access.models import ChannelKind, Role, Viewer
from steadylight_server.access.service import AccessService
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.errors import Forbidden, Invalid
from steadylight_server.identity.models import MOST_IDENTIFIERS, Customer, Identifier, heard
from steadylight_server.identity.service import IdentityService
from steadylight_server.knowledge.audience import Viewpoint
from steadylight_server.timeline.service import TimelineService

_STAFF = (Role.AGENT, Role.ADMIN)


class Viewpoints:
    """The only maker of viewpoints for requests. Where nothing is said, it is that of a customer."""

    def __init__(self, access: AccessService, identity: IdentityService, timeline: TimelineService) -> None:
        self._access = access
        self._identity = identity
        self._timeline = timeline

    async def role(self, viewer: Viewer, *, as_employee: bool | None) -> Role:
        """In which role the viewer reads. Raises Forbidden for one who would be an employee and is none.

        Employees read as such unless they ask for what customers see. A channel reads for its customer; for its
        employee only if it is ASSISTED, says so, and presents no customer's token.
        """
        if viewer.role in _STAFF:
            return Role.CUSTOMER if as_employee is False else viewer.role
        if not as_employee:
            return Role.CUSTOMER
        is_desk = viewer.role is Role.CHANNEL and viewer.customer is None and viewer.channel is not None
        if is_desk and (await self._access.channel(viewer.channel or "")).kind is ChannelKind.ASSISTED:
            return Role.AGENT
        raise Forbidden("asEmployee: only an employee, or a channel in which employees serve customers, is one.")

    async def of(
        self,
        viewer: Viewer,
        identifiers: Sequence[Identifier] = (),
        *,
        contact: str | None = None,
        as_employee: bool | None = None,
    ) -> tuple[Viewpoint, Customer | None]:
        """The viewpoint, and the customer in hand: whoever these identifiers prove, or was met in that contact.

        Raises Forbidden, Invalid.
        """
        if len(identifiers) > MOST_IDENTIFIERS:
            raise Invalid(f"identifiers: at most {MOST_IDENTIFIERS}.")
        role = await self.role(viewer, as_employee=as_employee)
        channel = viewer.channel or ""
        known = heard(viewer, identifiers)
        home = self._identity.kinds.home(known, channel=channel, contact=contact if channel else None)
        if home is None:
            return Viewpoint(role, viewer.channel), None
        find = self._identity.persona(home) if home.is_persona else self._identity.profile(home.key)
        profile_id = await find
        if profile_id is None:
            return Viewpoint(role, viewer.channel, home.assurance), None
        customer = await self._identity.customer(profile_id)
        # Who has proven nothing has what was said in this contact alone.
        seen = customer.alone(profile_id) if home.is_persona else customer
        traits = {one.name: one.value for one in await self._timeline.traits(seen.profile_ids)}
        sure = Assurance.IN_PERSON if viewer.role in _STAFF else home.assurance
        return Viewpoint(role, viewer.channel, sure, traits), customer
