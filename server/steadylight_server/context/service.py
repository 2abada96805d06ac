"""Puts a context together: who it is, and everything of theirs, in one round trip."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from steadylight_server.access.models import Role, Scope, Viewer
from steadylight_server.context.models import Context
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.causality import Moment
from steadylight_server.core.clock import Clock, now
from steadylight_server.core.errors import Forbidden, Invalid
from steadylight_server.core.mongo import Database
from steadylight_server.core.paging import MAX_PAGE
from steadylight_server.identity.models import MOST_IDENTIFIERS, NAMED, Customer, Identifier, heard
from steadylight_server.identity.service import IdentityService
from steadylight_server.journeys.models import Answer, Listed
from steadylight_server.journeys.service import JourneyService
from steadylight_server.timeline.service import Recent, TimelineService


class ContextService:
    """The only assembler of contexts."""

    def __init__(
        self,
        database: Database,
        identity: IdentityService,
        timeline: TimelineService,
        journeys: JourneyService,
        *,
        token_secret: bytes,
        clock: Clock = now,
    ) -> None:
        self._database = database
        self._identity = identity
        self._timeline = timeline
        self._journeys = journeys
        self._token_secret = token_secret
        self._clock = clock

    async def fetch(
        self,
        viewer: Viewer,
        identifiers: Sequence[Identifier],
        *,
        contact: str | None = None,
        after: str | None = None,
        recent: int = 20,
    ) -> Context:
        """What the viewer's channel may know of whoever these identifiers prove, and of that contact.

        `after` is a token: the context then holds at least what the write that gave it stored. Raises Forbidden
        without the scope, Invalid for a token that is not ours, Unavailable where the write has not arrived yet.
        """
        if not viewer.may(Scope.CUSTOMERS_READ):
            raise Forbidden(f"This credential lacks the scope {Scope.CUSTOMERS_READ}.")
        if not 0 < recent <= MAX_PAGE:
            raise Invalid(f"recent: 1 to {MAX_PAGE} actions, not {recent}.")
        known = heard(viewer, identifiers)
        channel = viewer.channel or ""
        home = self._identity.kinds.home(known, channel=channel, contact=contact if channel else None)
        if len(identifiers) > MOST_IDENTIFIERS:
            raise Invalid(f"identifiers: at most {MOST_IDENTIFIERS}.")
        moment = Moment.from_token(after, self._token_secret) if after else None
        async with self._database.session(moment) as session:
            customer = persona = profile_id = None
            recently = Recent((), (), (), {})
            journeys: Sequence[Listed] = ()
            answers: Mapping[UUID, Sequence[Answer]] = {}
            assurance = home.assurance if home else Assurance.CLAIMED
            if home is not None and home.is_persona:
                if profile_id := await self._identity.persona(home):
                    persona = await self._identity.customer(profile_id)
                    recently = await self._timeline.recent([profile_id], recent, self._journeys.pipelines([profile_id]))
            elif home is not None and (profile_id := await self._identity.profile(home.key)):
                customer, recently = await self._whole(profile_id, recent)
            if profile_id:
                # An employee has looked at a document, or says why they look.
                sure = Assurance.IN_PERSON if viewer.role in (Role.AGENT, Role.ADMIN) else assurance
                journeys, answers = self._journeys.found(recently.beside, sure, channel)
            written = session.moment
        return Context(
            customer=customer,
            persona=persona,
            assurance=assurance,
            claims=[one for one in (home.claims if home else known) if one.kind != NAMED],
            actions=recently.actions,
            contacts=recently.contacts,
            traits=recently.traits,
            journeys=journeys,
            answers=answers,
            at=self._clock(),
            token=written.token(self._token_secret) if written else after,
        )

    async def _whole(self, profile_id: UUID, recent: int) -> tuple[Customer, Recent]:
        """The customer, and what is known of all their profiles; again where the guess at who they are was wrong."""
        customer_id, profile_ids = self._identity.guess(profile_id)
        while True:
            beside = {**self._journeys.pipelines(profile_ids), **self._identity.pipelines(customer_id)}
            recently = await self._timeline.recent(profile_ids, recent, beside)
            customer = self._identity.found(profile_id, recently.beside)
            if customer is not None and set(customer.profile_ids) == set(profile_ids):
                return customer, recently
            customer = customer or await self._identity.customer(profile_id)
            customer_id, profile_ids = customer.id, customer.profile_ids
