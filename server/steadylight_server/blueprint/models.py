"""What a blueprint may say, and what each slice gets of it. `schema/blueprint.schema.json` is made of this."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema, model_validator

from steadylight_server.access.models import HIGHEST_ASSURANCE, Channel, ChannelKind, ChannelName
from steadylight_server.blueprint.capabilities import CapabilityName, DeclaredCapability, check
from steadylight_server.blueprint.parts import Closed, Duration, Label, span
from steadylight_server.capabilities.models import Capability
from steadylight_server.core import document
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.conditions import MOST_CHARACTERS, Condition
from steadylight_server.identity.kinds import DECLARED, UNDECLARED_BAR, Kind, undeclared
from steadylight_server.identity.models import NAMED, RECORD
from steadylight_server.identity.values import Normaliser
from steadylight_server.ingest.models import AssuranceName, KindName
from steadylight_server.journeys.models import (
    Category,
    Form,
    JourneyType,
    Question,
    Reuse,
    Sensitivity,
    Threading,
    condition,
)

_SHIPPED = {kind.name: kind for kind in DECLARED}


def _pattern(text: str) -> str:
    """Raises ValueError for what is no regular expression."""
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from None
    return text


def _region(text: str) -> str:
    """Raises ValueError for a region that no telephone numbers are known of."""
    from phonenumbers import SUPPORTED_REGIONS  # not at the top: `--help` need not wait for it

    if text not in SUPPORTED_REGIONS:
        raise ValueError(f"{text!r} is no region that has telephone numbers. Write GB, DE, US")
    return text


def _condition(text: str) -> str:
    """Raises ValueError for what is no condition over what is known of an action."""
    condition(text)
    return text


# In YAML `null` and `0` are no text; in these lists they are meant as it.
Text = Annotated[
    str,
    StringConstraints(max_length=256),
    WithJsonSchema({"type": ["string", "number", "boolean", "null"], "maxLength": 256}),
]
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(_pattern)]
Region = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$"), AfterValidator(_region)]
JourneyName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,49}$")]
StepName = JourneyName
QuestionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,49}$")]
CountName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,49}$")]
ConditionText = Annotated[str, StringConstraints(min_length=1, max_length=MOST_CHARACTERS), AfterValidator(_condition)]
SubjectKind = Annotated[str, StringConstraints(min_length=1, max_length=128)]
# Not CLAIMED: whoever says that they are somebody would be.
BarName = Literal["CALLER_ID", "KNOWLEDGE", "OTP", "LOGIN", "IN_PERSON"]


class DeclaredChannel(Closed):
    """An app through which customers and the company meet."""

    kind: ChannelKind = Field(description="Who acts at the company's end.")
    highest_assurance: AssuranceName | None = Field(
        None, description="The most its word counts for. Left out: IN_PERSON if ASSISTED, else LOGIN."
    )
    cost_per_contact: float | None = Field(
        None,
        strict=True,
        ge=0,
        allow_inf_nan=False,
        description="What one contact costs the company, in its own currency.",
    )

    def channel(self, name: str, at: datetime) -> Channel:
        """As `access` keeps it."""
        level = Assurance[self.highest_assurance] if self.highest_assurance else HIGHEST_ASSURANCE[self.kind]
        return Channel(
            name=name,
            kind=self.kind,
            highest_assurance=level,
            created_at=at,
            cost_per_contact=self.cost_per_contact,
        )


class DeclaredKind(Closed):
    """A kind of identifier. What is left out is as shipped for that name, or as for a kind that nobody declared."""

    normaliser: Normaliser | None = Field(
        None,
        description="How two spellings of one value are made alike: letter by letter, without case, as an e-mail "
        "address, as a telephone number. It cannot change once there are identifiers of the kind. Left out: exact.",
    )
    most: Annotated[int, Field(strict=True, ge=1)] | None = Field(
        None, description="How many of it one customer may have; null for any number. A customer has one login."
    )
    blocked: tuple[Text, ...] = Field(
        (),
        max_length=1000,
        description="Values that stand for nobody, beside those that ship, such as null, 0 and anonymous. In any case.",
    )
    blocked_patterns: tuple[Pattern, ...] = Field(
        (),
        max_length=50,
        description="Regular expressions: a value that one of them matches as a whole, in any case, stands for nobody.",
    )
    allowed: tuple[Text, ...] = Field(
        (), max_length=1000, description="Values that are blocked as shipped, and stand for somebody in this company."
    )
    bar: BarName | None = Field(
        None, description="The assurance from which it counts; below it, it is a claim. Left out: LOGIN."
    )
    priority: int | None = Field(
        None,
        strict=True,
        ge=1,
        le=10_000,
        description="Which identifier an action belongs to when several count: the lowest. Left out: 500.",
    )
    shared: bool | None = Field(
        None,
        strict=True,
        description="A thing that several people use: it never says who somebody is, and joins nobody.",
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.shared and self.bar is not None:
            raise ValueError("what is shared never counts, so it has no bar")
        folded = {text.casefold() for text in self.blocked}
        if both := [text for text in self.allowed if text.casefold() in folded]:
            raise ValueError(f"{both[0]!r} is both blocked and allowed")
        return self

    def kind(self, name: str, region: str | None) -> Kind:
        """As `identity` keeps it."""
        shipped = _SHIPPED.get(name) or undeclared(name)
        bar = shipped.bar
        if self.shared:
            bar = None
        elif self.bar is not None:
            bar = Assurance[self.bar]
        elif self.shared is False and bar is None:
            bar = UNDECLARED_BAR
        return Kind(
            name,
            bar,
            shipped.priority if self.priority is None else self.priority,
            self.normaliser or shipped.normaliser,
            self.most if "most" in self.model_fields_set else shipped.most,
            frozenset(self.blocked) | shipped.blocked,
            (*shipped.blocked_patterns, *self.blocked_patterns),
            frozenset(self.allowed),
            region,
        )


class DeclaredQuestion(Closed):
    """What a journey asks of a customer. What is left out is as for a question that nobody declared."""

    label: Label = Field("", description="How it is put to the customer.")
    form: Form | None = Field(None, description="What an answer is. Left out: anything.")
    pattern: Pattern | None = Field(None, description="A regular expression that an answer matches as a whole.")
    choices: tuple[Text, ...] = Field((), max_length=100, description="The answers there are. Left out: any.")
    sensitivity: Sensitivity = Field(
        Sensitivity.PERSONAL,
        description="PUBLIC is shown in every channel, PERSONAL not where others may read it, as in a text message; "
        "SECRET only to whom asks for it by name.",
    )
    fresh_for: Duration | None = Field(None, description="How long an answer holds: 30m, 12h, 90d. Left out: for ever.")
    reuse: Reuse = Field(
        Reuse.USE,
        description="What becomes of an answer when the question comes up again: USE it, let the customer CONFIRM it, "
        "or NEVER use it, but ask anew.",
    )
    assurance: AssuranceName = Field(
        "CLAIMED", description="How sure a channel must be of who it is before it is told an answer."
    )
    shared: bool = Field(
        False,
        strict=True,
        description="It means the same in every journey that declares it so: an answer from one serves the others.",
    )

    def question(self, name: str) -> Question:
        """As `journeys` keeps it."""
        return Question(
            name,
            self.label,
            self.form,
            self.pattern,
            self.choices,
            self.sensitivity,
            _span(self.fresh_for),
            self.reuse,
            Assurance[self.assurance],
            self.shared,
        )


class DeclaredThreads(Closed):
    """Which actions are of a journey although they name none, as those of systems that know of no journeys.

    Conditions are CEL over `type`, `channel`, `actor`, `subject.kind`, `subject.id`, `properties` and `agent`; what
    cannot be evaluated does not hold.
    """

    subject: SubjectKind = Field(
        description="The kind of subject: each subject of that kind that a customer's actions are about is a journey."
    )
    when: ConditionText | None = Field(None, description="Which of these actions are part of it. Left out: all.")
    completes: ConditionText | None = Field(None, description="Which actions complete it. Left out: none does.")
    reopens: ConditionText | None = Field(
        None, description="Which actions open it again, and are counted as that. Left out: none does."
    )
    counts: dict[CountName, ConditionText] = Field(
        {}, max_length=20, description="What is counted in it, by name: the actions for which the condition holds."
    )

    def threading(self) -> Threading:
        """As `journeys` keeps it."""
        return Threading(
            self.subject,
            _optional(self.when),
            _optional(self.completes),
            _optional(self.reopens),
            {name: condition(text) for name, text in self.counts.items()},
        )


class DeclaredJourney(Closed):
    """A type of journey. Types that nobody declares work, too; one that is under way keeps what it began with."""

    label: Label = Field("", description="What people call it.")
    category: Category = Field(Category.OTHER, description="What it is about.")
    steps: tuple[StepName, ...] = Field(
        (), max_length=50, description="Its steps, in the usual order. Nothing keeps a customer from another order."
    )
    questions: dict[QuestionName, DeclaredQuestion] = Field({}, description="What it asks, by name.")
    stalls_after: Duration | None = Field(
        None, description="How long nothing happens until it is said to have stalled: 30m, 12h, 2d. Left out: never."
    )
    abandoned_after: Duration | None = Field(
        None, description="How long nothing happens until it is ABANDONED. Left out: never."
    )
    resume: AssuranceName = Field(
        "CLAIMED", description="How sure a channel must be of who it is before it may pick the journey up."
    )
    resume_in: dict[ChannelName, AssuranceName] = Field({}, description="The same for single channels, by name.")
    threads: DeclaredThreads | None = Field(
        None,
        description="Which actions that name no journey are of one of this type. Holds for what is recorded from now "
        "on; `steadylight rebuild` applies it to what was recorded before.",
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        stalls, abandoned = _span(self.stalls_after), _span(self.abandoned_after)
        if stalls and abandoned and stalls >= abandoned:
            raise ValueError("it stalls before it is abandoned, so stalls_after is the shorter one")
        if len(set(self.steps)) < len(self.steps):
            raise ValueError("a step is here twice")
        return self

    def type(self, name: str, version: int) -> JourneyType:
        """As `journeys` keeps it."""
        return JourneyType(
            name,
            version,
            self.label,
            self.category,
            self.steps,
            {each: said.question(each) for each, said in self.questions.items()},
            _span(self.stalls_after),
            _span(self.abandoned_after),
            Assurance[self.resume],
            {channel: Assurance[level] for channel, level in self.resume_in.items()},
            self.threads.threading() if self.threads else None,
        )


def _optional(text: str | None) -> Condition | None:
    return None if text is None else condition(text)


def _span(text: str | None) -> timedelta | None:
    return None if text is None else span(text)


class Blueprint(Closed):
    """What business people declare in one YAML file, for `steadylight apply`. What it leaves out is as shipped."""

    version: Literal[1] = Field(description="Of this format.")
    default_region: Region | None = Field(
        None,
        description="Where telephone numbers without a country code are from: two letters, such as GB. Left out: such "
        "numbers stand for nobody.",
    )
    channels: dict[ChannelName, DeclaredChannel] = Field(
        {}, description="The channels, by name. Keys are not in here: `steadylight key add CHANNEL`."
    )
    identifier_kinds: dict[KindName, DeclaredKind] = Field(
        {},
        description="Kinds of identifier, by name. login, customer-number, account, email, phone, device and cookie "
        "are there without being declared.",
    )

    journeys: dict[JourneyName, DeclaredJourney] = Field(
        {}, description="Types of journey, by name. One that is not in here works, too, without rules."
    )

    capabilities: dict[CapabilityName, DeclaredCapability] = Field(
        {}, description="Business functions that every channel calls alike, by name."
    )

    @model_validator(mode="after")
    def _speaks_of_what_is_declared(self) -> Self:
        check(self.capabilities, self.channels)
        return self

    @model_validator(mode="after")
    def _leaves_the_server_s_own_kinds(self) -> Self:
        for name in (NAMED, RECORD):
            if name in self.identifier_kinds:
                raise ValueError(f"identifier_kinds.{name}: the server's own kind, which cannot be declared")
        return self

    @model_validator(mode="after")
    def _has_one_login(self) -> Self:
        login = self.identifier_kinds.get("login")
        if login and "most" in login.model_fields_set and login.most != 1:
            raise ValueError("identifier_kinds.login.most: two logins are never one customer, so it is 1")
        return self

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """All kinds by name, those included that ship."""
        names = [*_SHIPPED, *(name for name in self.identifier_kinds if name not in _SHIPPED)]
        said = self.identifier_kinds
        return {name: said.get(name, DeclaredKind()).kind(name, self.default_region) for name in names}

    def journey_types(self, version: int) -> Mapping[str, JourneyType]:
        """The types of journey by name, as that version of the blueprint declares them."""
        return {name: said.type(name, version) for name, said in self.journeys.items()}

    def capabilities_declared(self, version: int) -> Mapping[str, Capability]:
        """The capabilities by name, as that version of the blueprint declares them."""
        return {name: said.capability(name, version) for name, said in self.capabilities.items()}


class Version(Closed):
    """A blueprint as it was applied. `restores` is the number of the one that it brought back."""

    number: int
    text: str
    applied_at: datetime
    by: Mapping[str, str]
    restores: int | None = None


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the document."""
    return document.json_schema(Blueprint, id="blueprint", title="Blueprint")
