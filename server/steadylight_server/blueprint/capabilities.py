"""The section of a blueprint that declares capabilities."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, GetJsonSchemaHandler, StringConstraints, model_validator
from pydantic_core import CoreSchema

from steadylight_server.access.models import ChannelName
from steadylight_server.blueprint.parts import Closed, Duration, Label, span
from steadylight_server.capabilities.models import Binding, Capability, FunctionBinding, Offer, WebhookBinding
from steadylight_server.capabilities.schemas import ANYTHING, Schema
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.document import Misplaced
from steadylight_server.ingest.models import AssuranceName

LONGEST_TIMEOUT = timedelta(hours=1)


def _timeout(text: str) -> str:
    """Raises ValueError for one that no connection outlasts."""
    if span(text) > LONGEST_TIMEOUT:
        raise ValueError("at most 1h. What takes longer is accepted, and reported when it is done")
    return text


def _schema(document: dict[str, Any]) -> dict[str, Any]:
    """Raises SchemaFault for what is none."""
    Schema(document)
    return document


def _url(text: str) -> str:
    """Raises ValueError for what is no address, or carries a password. To which hosts plain http may go, each server's
    settings say.
    """
    try:
        where = urlsplit(text)
        if where.scheme not in ("https", "http") or not where.hostname or where.port == 0:
            raise ValueError
    except ValueError:
        raise ValueError(f"{text!r} is no https address") from None
    if where.username is not None or where.password is not None or where.fragment:
        raise ValueError("an address without user, password or fragment. Secrets are no part of a blueprint")
    return text


CapabilityName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9.-]{0,49}$")]
FunctionName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,99}$")]
SecretName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,49}$")]
ScopeName = Annotated[str, StringConstraints(pattern=r"^perform:[a-z][a-z0-9-]{0,49}$")]
Timeout = Annotated[Duration, AfterValidator(_timeout)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Url = Annotated[str, StringConstraints(max_length=2_000), AfterValidator(_url)]
SchemaDocument = Annotated[dict[str, Any], AfterValidator(_schema)]


class DeclaredGap(Closed):
    """What a channel cannot do of a capability. One of the two."""

    limited: Reason | None = Field(None, description="It can be performed there, but not all of it is there: why.")
    not_feasible: Reason | None = Field(None, description="It cannot be performed there: why.")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.limited is None) == (self.not_feasible is None):
            raise ValueError("limited or not_feasible, one of the two")
        return self

    def binding(self) -> Binding:
        """As `capabilities` keeps it."""
        if self.not_feasible:
            return Binding(Offer.NOT_FEASIBLE, self.not_feasible)
        return Binding(Offer.LIMITED, self.limited or "")


def _gap(said: object) -> object:
    """Raises ValueError for nothing, which could mean anything."""
    if said is None:
        raise ValueError("AVAILABLE, or limited or not_feasible with the reason")
    return None if said == Offer.AVAILABLE else said


class _OrAvailable:
    """In the JSON Schema: the word AVAILABLE will do, too."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        gap, _ = handler(schema)["anyOf"]
        return {"anyOf": [{"const": Offer.AVAILABLE.value}, gap]}


Bound = Annotated[DeclaredGap | None, BeforeValidator(_gap), _OrAvailable()]


class DeclaredWebhook(Closed):
    """A server of the company's that does it when it is called over HTTP."""

    url: Url = Field(
        description="Where it is called, by https. Plain http only on the server's own machine, and at hosts in its "
        "STEADYLIGHT_WEBHOOK_HTTP_HOSTS."
    )
    secret: SecretName = Field(
        description="The name of the secret that calls are signed with; never the secret itself: that is in each "
        "server's STEADYLIGHT_WEBHOOK_SECRETS."
    )


class DeclaredImplementation(Closed):
    """The one implementation that all channels call: a function or a webhook."""

    function: FunctionName | None = Field(
        None, description="A Python function, by the name of its entry point in the group steadylight.capabilities."
    )
    webhook: DeclaredWebhook | None = Field(None, description="A server of the company's.")
    honours_keys: bool | None = Field(
        None,
        strict=True,
        description="Whether the same key again does nothing again and is answered as the first time. Only then is it "
        "tried again where nobody knows whether it was done. Left out: as the function says; a webhook does not.",
    )

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.function is None) == (self.webhook is None):
            raise ValueError("function or webhook, one of the two")
        return self

    def bound(self) -> FunctionBinding | WebhookBinding:
        """As `capabilities` keeps it."""
        if self.webhook is not None:
            return WebhookBinding(self.webhook.url, self.webhook.secret, bool(self.honours_keys))
        return FunctionBinding(self.function or "", self.honours_keys)


class DeclaredCapability(Closed):
    """A business function that every channel calls alike, implemented once."""

    implementation: DeclaredImplementation = Field(description="What does it.")
    label: Label = Field("", description="What people call it.")
    description: str = Field("", max_length=1_000, description="What it does, for whoever builds a channel.")
    input: SchemaDocument = Field(
        {"type": "object"},
        description="What it is given, as JSON Schema 2020-12. It refers to nothing outside itself.",
    )
    output: SchemaDocument = Field({"type": "object"}, description="What comes of it, likewise.")
    assurance: AssuranceName = Field("LOGIN", description="How sure a channel must be of who the customer is.")
    scopes: tuple[ScopeName, ...] = Field(
        (), max_length=10, description="What a channel's key must have beside what every performance takes."
    )
    reversible: bool = Field(False, strict=True, description="Whether it can be undone.")
    reversed_by: CapabilityName | None = Field(None, description="The capability that undoes it.")
    timeout: Timeout = Field("10s", description="How long it may take: 5s, 2m, at most 1h.")
    channels: dict[ChannelName, Bound] = Field(
        {},
        description="What each channel makes of it: AVAILABLE, limited or not_feasible with the reason. A channel that "
        "is left out offers it: gaps are declared.",
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.reversed_by is not None and not self.reversible:
            raise ValueError("what has a reversed_by is reversible: true")
        if len(set(self.scopes)) < len(self.scopes):
            raise ValueError("a scope is here twice")
        return self

    def capability(self, name: str, version: int) -> Capability:
        """As `capabilities` keeps it."""
        return Capability(
            name,
            self.implementation.bound(),
            version,
            self.label,
            self.description,
            _kept(self.input),
            _kept(self.output),
            Assurance[self.assurance],
            frozenset(self.scopes),
            self.reversible,
            self.reversed_by,
            span(self.timeout),
            {channel: said.binding() if said else Binding() for channel, said in self.channels.items()},
        )


def check(capabilities: Mapping[str, DeclaredCapability], channels: Mapping[str, object]) -> None:
    """Raises Misplaced for a channel or capability that is spoken of and not declared: a gap must not be misspelt."""
    for name, said in capabilities.items():
        for channel in said.channels:
            if channel not in channels:
                raise Misplaced(
                    f"the blueprint declares no channel {channel}", ("capabilities", name, "channels", channel)
                )
        if said.reversed_by is not None and said.reversed_by not in capabilities:
            raise Misplaced(f"there is no capability {said.reversed_by}", ("capabilities", name, "reversed_by"))


def is_data(path: tuple[str | int, ...]) -> bool:
    """Whether what stands there is a schema, in whose lists a number is a number."""
    return len(path) > 3 and path[0] == "capabilities" and path[2] in ("input", "output")


def _kept(document: dict[str, Any]) -> Schema:
    return ANYTHING if document == ANYTHING.document else Schema(document)
