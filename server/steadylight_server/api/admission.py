"""Whom a viewer may see. A field's rule (`api/permissions`) says who may ask; this says about whom, and notes it.

    a channel's back end        everybody whom its word leads to
    beside a customer's token,
    and the customer            that customer; anybody else is NOT_FOUND, as if they were not there
    an agent                    whoever is in the open contact that the header Steadylight-Contact names, in the
                                agent's channel, or for the reason that the header Steadylight-Reason states
    an admin                    everybody

What agents and admins see is audited before it is shown: what cannot be audited is not shown.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from graphql import OperationType

from steadylight_server.access.models import Role
from steadylight_server.api import nodes
from steadylight_server.api.info import Info, viewer
from steadylight_server.api.permissions import fields_asked
from steadylight_server.core.clock import now
from steadylight_server.core.errors import Forbidden, NotFound
from steadylight_server.identity.models import Customer, heard

_WHY = (
    "Say why you look: the header Steadylight-Contact with the key of the customer's open contact in your channel, "
    "or Steadylight-Reason with a reason in words. It is noted."
)
_NOT_IN_IT = f"{_WHY} There is no open contact of that key with this customer in your channel."


async def own(info: Info) -> Customer | None:
    """The customer whom the viewer's token speaks for; None without one, and while nothing of theirs is stored."""
    who = viewer(info)
    if who.customer is None:
        return None
    identity = info.context.services.identity
    profile_id = await identity.profile_at(identity.kinds.home(heard(who, ()), channel="", contact=None))
    return await identity.customer(profile_id) if profile_id else None


@contextmanager
def looked_up(info: Info) -> Iterator[None]:
    """Around a look-up, so that agents cannot probe who is there. Raises Forbidden for one who does not say why.

    One who names a contact is told the same of who is not there as of who is not in it.
    """
    if viewer(info).role is not Role.AGENT or info.context.reason:
        yield
    elif not info.context.contact:
        raise Forbidden(_WHY)
    else:
        try:
            yield
        except NotFound:
            raise Forbidden(_NOT_IN_IT) from None


async def admit(info: Info, *people: Customer) -> None:
    """Returns when the viewer may see these customers. Raises Forbidden, NotFound; Unavailable without an audit."""
    who = viewer(info)
    if who.customer is not None:
        self = await own(info)
        if any(self is None or person.id != self.id for person in people):
            raise NotFound("No such customer, or not enough assurance to say so.")
    elif who.role in (Role.AGENT, Role.ADMIN):
        why = await _why(info, people)
        await _note(info, [nodes.shown(nodes.CUSTOMER, person.id) for person in people], why)


async def _why(info: Info, people: Sequence[Customer]) -> str:
    """Raises Forbidden for an agent without a reason, unless the contact that was named is an open one of all these."""
    given = [info.context.reason] if info.context.reason else []
    contact = info.context.contact
    if contact and people and all([await _is_in(info, contact, person) for person in people]):
        given.append(f"contact {contact} in {viewer(info).channel}")
    if not given and viewer(info).role is Role.AGENT:
        raise Forbidden(_NOT_IN_IT if contact else _WHY)
    return "; ".join(given)


async def _is_in(info: Info, contact: str, person: Customer) -> bool:
    channel, timeline = viewer(info).channel, info.context.services.timeline
    return bool(channel and await timeline.open_contact(person.profile_ids, channel, contact, at=now()))


async def _note(info: Info, whom: Sequence[str], why: str) -> None:
    raw = info._raw_info
    await info.context.services.audit.note(
        who=viewer(info).described(),
        deed="customer.followed" if raw.operation.operation is OperationType.SUBSCRIPTION else "customer.read",
        whom=whom,
        fields=fields_asked(raw.schema, raw.operation, raw.fragments),
        why=why,
    )
