"""Channels, credentials and viewers, as the rest of the server sees them."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from steadylight_server.core.assurance import Assurance


class ChannelKind(StrEnum):
    """Who acts at the company's end of the channel."""

    SELF_SERVICE = "SELF_SERVICE"
    ASSISTED = "ASSISTED"
    AUTOMATED_AGENT = "AUTOMATED_AGENT"


class Scope(StrEnum):
    """What a key may do. A channel's key has the first two unless fewer were asked for."""

    ACTIONS_WRITE = "actions:write"
    CUSTOMERS_READ = "customers:read"
    CHANNELS_REGISTER = "channels:register"


CHANNEL_SCOPES = frozenset({Scope.ACTIONS_WRITE, Scope.CUSTOMERS_READ})
ADMIN_SCOPES = frozenset({Scope.CUSTOMERS_READ, Scope.CHANNELS_REGISTER})

# An employee sees the customer's face or passport; no other kind of channel can.
HIGHEST_ASSURANCE = {
    ChannelKind.SELF_SERVICE: Assurance.LOGIN,
    ChannelKind.ASSISTED: Assurance.IN_PERSON,
    ChannelKind.AUTOMATED_AGENT: Assurance.LOGIN,
}


class Frozen(BaseModel):
    """A value that nobody changes."""

    model_config = ConfigDict(frozen=True)


class Channel(Frozen):
    """A registered app through which customers and the company meet."""

    name: str
    kind: ChannelKind
    highest_assurance: Assurance
    created_at: datetime


class Credential(Frozen):
    """A key without its secret. `channel` is None for an admin's."""

    id: str
    channel: str | None
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_good(self, at: datetime) -> bool:
        """Whether it opens anything at that time."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


class Viewer(Frozen):
    """Who a request comes from: a credential that was checked. `channel` is None for an admin."""

    credential: Credential
    channel: str | None
    highest_assurance: Assurance

    def may(self, scope: Scope) -> bool:
        """Whether the credential has the scope."""
        return scope in self.credential.scopes

    def cap(self, assurance: Assurance) -> Assurance:
        """What the viewer's word counts for: never more than its channel may assert."""
        return min(assurance, self.highest_assurance)
