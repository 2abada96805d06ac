"""Channels in the graph, and who is asking."""

from datetime import datetime
from typing import Annotated

import strawberry

from steadylight_server.access.models import Channel as Registered
from steadylight_server.access.models import Role
from steadylight_server.api import admission
from steadylight_server.api.customers import Customer, customer
from steadylight_server.api.enums import Assurance, ChannelKind
from steadylight_server.api.info import Info, viewer
from steadylight_server.core.clock import now


@strawberry.type(description="A registered app through which customers and the company meet.")
class Channel:
    name: str = strawberry.field(description="Its name, as it stands in every action.")
    kind: ChannelKind = strawberry.field(description="Who acts at the company's end.")
    highest_assurance: Assurance = strawberry.field(description="The most its word counts for.")
    created_at: datetime = strawberry.field(description="When it was registered.")


def channel(registered: Registered) -> Channel:
    """A channel as the graph shows it."""
    return Channel(
        name=registered.name,
        kind=registered.kind,
        highest_assurance=registered.highest_assurance,
        created_at=registered.created_at,
    )


@strawberry.type(description="Who is asking.")
class Viewer:
    role: Role = strawberry.field(description="On whose behalf.")
    name: str | None = strawberry.field(description="An employee's name; null for others.")
    channel: str | None = strawberry.field(description="The channel that the credential belongs to, if to one.")
    scopes: list[str] = strawberry.field(description="What the credential may do, sorted.")
    highest_assurance: Assurance = strawberry.field(description="The most its word counts for.")
    server_time: datetime = strawberry.field(description="The server's clock, to compare with one's own.")

    @strawberry.field(
        description="The customer whose token this is; null without one, and while nothing of theirs is stored."
    )
    async def customer(self, info: Info) -> Customer | None:
        person = await admission.own(info)
        return customer(person) if person else None


@strawberry.input(description="A channel to register.")
class RegisterChannelInput:
    name: str = strawberry.field(description="1 to 50 lower-case letters, digits and hyphens, a letter first.")
    kind: ChannelKind = strawberry.field(description="Who acts at the company's end.")
    highest_assurance: Assurance | None = strawberry.field(
        default=None, description="The most its word counts for. Left out: IN_PERSON if ASSISTED, else LOGIN."
    )


@strawberry.type(description="The channel, and a key for it.")
class RegisterChannelPayload:
    channel: Channel = strawberry.field(description="The channel, new or as it was.")
    key: str = strawberry.field(description="A new key, shown this once.")


@strawberry.type
class ChannelQueries:
    """Who is asking, and the channels there are."""

    @strawberry.field(description="Who is asking, and what the time is here.")
    def viewer(self, info: Info) -> Viewer:
        who = viewer(info)
        return Viewer(
            role=who.role,
            name=who.name,
            channel=who.channel,
            scopes=sorted(who.scopes),
            highest_assurance=who.highest_assurance,
            server_time=now(),
        )

    @strawberry.field(description="All channels, by name. For admins.")
    async def channels(self, info: Info) -> list[Channel]:
        return [channel(registered) for registered in await info.context.services.access.channels()]


@strawberry.type
class ChannelMutations:
    """Registering channels."""

    @strawberry.mutation(description="Registers a channel, or takes it as it is, and makes a key for it. For admins.")
    async def register_channel(
        self, info: Info, input: Annotated[RegisterChannelInput, strawberry.argument(description="The channel.")]
    ) -> RegisterChannelPayload:
        registered, key = await info.context.services.access.register(
            viewer(info), input.name, input.kind, highest_assurance=input.highest_assurance
        )
        return RegisterChannelPayload(channel=channel(registered), key=key)
