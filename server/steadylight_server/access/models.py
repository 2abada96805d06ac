"""Channels, credentials and viewers, as the rest of the server sees them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, StringConstraints

from steadylight_server.core.assurance import Assurance

ChannelName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,49}$")]


class ChannelKind(StrEnum):
    """Who acts at the company's end of the channel."""

    SELF_SERVICE = "SELF_SERVICE"
    ASSISTED = "ASSISTED"
    AUTOMATED_AGENT = "AUTOMATED_AGENT"


class Scope(StrEnum):
    """What a key may do. A channel's key has the first two unless others were asked for.

    Beside these a channel's key may have scopes of the company's own, `perform:NAME`, which capabilities ask for.
    """

    ACTIONS_WRITE = "actions:write"
    CUSTOMERS_READ = "customers:read"
    CHANNELS_REGISTER = "channels:register"
    IDENTITIES_LINK = "identities:link"
    CAPABILITIES_REPORT = "capabilities:report"
    KNOWLEDGE_WRITE = "knowledge:write"


CHANNEL_SCOPES = frozenset({Scope.ACTIONS_WRITE, Scope.CUSTOMERS_READ})
ADMIN_SCOPES = frozenset(
    {
        Scope.CUSTOMERS_READ,
        Scope.CHANNELS_REGISTER,
        Scope.IDENTITIES_LINK,
        Scope.CAPABILITIES_REPORT,
        Scope.KNOWLEDGE_WRITE,
    }
)
AGENT_SCOPES = frozenset({Scope.CUSTOMERS_READ})
# What a channel's key has only where it was asked for.
GRANTED_SCOPES = frozenset({Scope.CAPABILITIES_REPORT, Scope.KNOWLEDGE_WRITE})
OWN_SCOPE = r"perform:[a-z][a-z0-9-]{0,49}"

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
    cost_per_contact: float | None = None  # in the company's currency


class Role(StrEnum):
    """On whose behalf a request is made."""

    CHANNEL = "CHANNEL"  # a channel's back end, with its key
    CUSTOMER = "CUSTOMER"  # a customer's own page or app, with their token
    AGENT = "AGENT"  # an employee who serves customers
    ADMIN = "ADMIN"  # an employee who runs Steadylight, or their tool


class CredentialKind(StrEnum):
    """What a secret of ours opens. The value stands in front of it."""

    KEY = "sl"  # in the header Authorization, until it is revoked
    LINK = "sll"  # a sign-in link, once
    SESSION = "sls"  # in a browser's cookie, for some hours


class Credential(Frozen):
    """A secret of ours without the secret. `channel` is None for an admin's; `name` is an employee's."""

    id: str
    kind: CredentialKind = CredentialKind.KEY
    role: Role
    name: str | None = None
    channel: str | None = None
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def is_good(self, at: datetime) -> bool:
        """Whether it opens anything at that time."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


class Proven(NamedTuple):
    """The identifier that a customer's token proved."""

    kind: str
    value: str


class Viewer(Frozen):
    """Who a request comes from: a credential that was checked.

    `id` names the credential or the token's subject: limits and the audit know the viewer by it. `channel` is None for
    who speaks for no channel. `customer` is whom a token speaks for: nobody else can be seen then.
    """

    role: Role
    id: str
    name: str | None = None
    channel: str | None = None
    scopes: frozenset[str]
    highest_assurance: Assurance
    customer: Proven | None = None
    credential: str | None = None
    expires_at: datetime | None = None

    def may(self, scope: str) -> bool:
        """Whether the credential has the scope."""
        return scope in self.scopes

    def cap(self, assurance: Assurance) -> Assurance:
        """What the viewer's word counts for: never more than its channel may assert, nothing beside a token."""
        return Assurance.CLAIMED if self.customer else min(assurance, self.highest_assurance)

    def described(self) -> dict[str, str]:
        """Who it is, as the audit keeps it."""
        told = {"role": self.role.value, "id": self.id, "name": self.name, "channel": self.channel}
        return {name: value for name, value in told.items() if value}
