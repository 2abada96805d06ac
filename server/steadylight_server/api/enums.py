"""The enumerations of the graph: the services' own, each value described. Import this module before using one."""

from collections.abc import Mapping
from enum import Enum

import strawberry

from steadylight_server.access.models import ChannelKind, Role
from steadylight_server.capabilities.models import State as PerformanceState
from steadylight_server.capabilities.models import Why as WithheldWhy
from steadylight_server.capabilities.parity import Parity as CapabilityParity
from steadylight_server.context.models import BriefForm
from steadylight_server.core.assurance import Assurance
from steadylight_server.identity.models import Reason, Refusal
from steadylight_server.ingest.models import VerdictKind
from steadylight_server.journeys.models import Again
from steadylight_server.journeys.models import Category as JourneyCategory
from steadylight_server.journeys.models import Form as AnswerForm
from steadylight_server.journeys.models import Reuse as AnswerUse
from steadylight_server.journeys.models import Status as JourneyStatus
from steadylight_server.knowledge.models import State as ArticleState
from steadylight_server.timeline.models import Actor, Order


def _shown(enum: type[Enum], name: str, description: str, values: Mapping[Enum, str]) -> None:
    """Makes an enumeration of a lower slice known to the graph. Raises KeyError for a value without description."""
    definition = strawberry.enum(enum, name=name, description=description).__strawberry_definition__  # type: ignore[attr-defined]
    for value in definition.values:
        value.description = values[enum[value.name]]


_shown(
    Assurance,
    "Assurance",
    "How sure a channel is who this is, weakest first.",
    {
        Assurance.CLAIMED: "They said so.",
        Assurance.CALLER_ID: "The network says so; it can be forged.",
        Assurance.KNOWLEDGE: "They knew something that only they should know.",
        Assurance.OTP: "They read back a one-time code.",
        Assurance.LOGIN: "They signed in.",
        Assurance.IN_PERSON: "They showed a document to an employee.",
    },
)
_shown(
    Role,
    "Role",
    "On whose behalf somebody asks.",
    {
        Role.CHANNEL: "A channel's back end.",
        Role.CUSTOMER: "A customer, with their own token.",
        Role.AGENT: "An employee who serves customers.",
        Role.ADMIN: "An employee who runs Steadylight, or their tool.",
    },
)
_shown(
    Reason,
    "LinkReason",
    "Why two profiles are one customer.",
    {
        Reason.DECISION: "An employee said so.",
        Reason.EVIDENCE: "One action proved both.",
        Reason.PERSONA: "The one is what the other did before it was known who they are.",
        Reason.IMPORT: "One record of another system holds both.",
    },
)
_shown(
    Refusal,
    "LinkRefusal",
    "The rule that a link would break.",
    {
        Refusal.TOO_MANY_OF_A_KIND: "A customer may not have so many identifiers of a kind: two logins, as a rule.",
        Refusal.TOO_MANY_PROFILES: "A customer has at most 50 profiles.",
        Refusal.TAKEN: "Somebody said whose it is.",
        Refusal.PARTED: "Somebody parted two of their profiles.",
    },
)
_shown(
    Actor,
    "Actor",
    "Who did something.",
    {
        Actor.CUSTOMER: "The customer.",
        Actor.AGENT: "An employee.",
        Actor.SYSTEM: "A machine, by itself.",
    },
)
_shown(
    VerdictKind,
    "VerdictKind",
    "What became of an action.",
    {
        VerdictKind.STORED: "It is stored now and was not before.",
        VerdictKind.DUPLICATE: "It was stored before, with the same content.",
        VerdictKind.REFUSED: "It cannot be stored, now or later.",
        VerdictKind.RETRY: "It was not stored this time; send it again.",
    },
)
_shown(
    Order,
    "ActionOrder",
    "In which direction a timeline is read.",
    {
        Order.NEWEST_FIRST: "The latest action comes first.",
        Order.OLDEST_FIRST: "The earliest action comes first.",
    },
)
_shown(
    ChannelKind,
    "ChannelKind",
    "Who acts at the company's end of a channel.",
    {
        ChannelKind.SELF_SERVICE: "Nobody: the customer serves themselves.",
        ChannelKind.ASSISTED: "An employee.",
        ChannelKind.AUTOMATED_AGENT: "A machine that talks.",
    },
)

_shown(
    JourneyStatus,
    "JourneyStatus",
    "Where a journey stands. It is open, and can be picked up, while it is OPEN or WAITING.",
    {
        JourneyStatus.OPEN: "It goes on.",
        JourneyStatus.WAITING: "It waits for somebody who is not the customer.",
        JourneyStatus.COMPLETED: "It is done. It can be opened again, which is counted.",
        JourneyStatus.ABANDONED: "Nobody went on with it.",
        JourneyStatus.CANCELLED: "The customer does not want it any more.",
    },
)
_shown(
    JourneyCategory,
    "JourneyCategory",
    "What a journey is about.",
    {
        JourneyCategory.PURCHASE: "They want something new.",
        JourneyCategory.SERVICE: "They want something changed, or done.",
        JourneyCategory.ISSUE: "Something does not work.",
        JourneyCategory.COMPLAINT: "They are not content.",
        JourneyCategory.ONBOARDING: "They have just come.",
        JourneyCategory.OTHER: "Anything else, or nobody said.",
    },
)
_shown(
    AnswerForm,
    "AnswerForm",
    "What an answer is.",
    {
        AnswerForm.TEXT: "Text.",
        AnswerForm.NUMBER: "A number.",
        AnswerForm.BOOLEAN: "True or false.",
        AnswerForm.DATE: "A date like 2026-11-22.",
    },
)
_shown(
    AnswerUse,
    "AnswerUse",
    "What to do with an answer that is known.",
    {
        AnswerUse.USE: "Use it: nobody asks again.",
        AnswerUse.CONFIRM: "Show it to the customer, who says whether it still holds.",
        AnswerUse.NEVER: "Ask anew each time.",
    },
)
_shown(
    Again,
    "AskedAgain",
    "Why a customer had to be asked what they had been asked before.",
    {
        Again.NOT_RECORDED: "It was asked, the conversation went on, and no answer was recorded.",
        Again.NOT_FETCHED: "The channel asked the customer without asking Steadylight.",
        Again.FETCHED_NOT_SHOWN: "The channel was told the answer, and asked all the same.",
        Again.STALE: "The answer is older than it may be.",
        Again.ASSURANCE_TOO_LOW: "The channel was not sure enough of who it is to be told.",
        Again.REVERIFY: "It is asked anew each time.",
    },
)
_shown(
    BriefForm,
    "BriefForm",
    "How short a context is told, and to whom.",
    {
        BriefForm.SMS: "One text message of at most 160 characters of GSM 03.38, which others may read.",
        BriefForm.CARD: "At most 5 lines of at most 100 characters, for whoever serves the customer.",
    },
)
_shown(
    PerformanceState,
    "PerformanceState",
    "What has become of a performance.",
    {
        PerformanceState.RUNNING: "It is under way. Perform it again with the same key to wait for it.",
        PerformanceState.ACCEPTED: "It goes on by itself, and whoever does it will say what comes of it.",
        PerformanceState.DONE: "It is done.",
        PerformanceState.FAILED: "It was tried, and was not done.",
        PerformanceState.UNKNOWN: "It may have been done, or not; it is never tried again. Somebody has to look.",
    },
)
_shown(
    WithheldWhy,
    "WithheldWhy",
    "Why a channel may not offer a capability to a customer now, or not all of it.",
    {
        WithheldWhy.NOT_FEASIBLE: "It cannot be performed in this channel.",
        WithheldWhy.LIMITED: "It is offered, but not all of it is there in this channel.",
        WithheldWhy.ASSURANCE_TOO_LOW: "It is offered once the customer has proven more.",
        WithheldWhy.SCOPE_MISSING: "The channel's key lacks a scope.",
        WithheldWhy.UNAVAILABLE: "What does it cannot be reached now.",
    },
)
_shown(
    CapabilityParity,
    "CapabilityParity",
    "What a channel makes of a capability.",
    {
        CapabilityParity.AVAILABLE: "It is offered whole.",
        CapabilityParity.LIMITED: "It is offered, but not all of it is there.",
        CapabilityParity.NOT_FEASIBLE: "It cannot be performed there.",
        CapabilityParity.UNDECLARED: "It is offered, since the blueprint says nothing of this channel.",
    },
)
_shown(
    ArticleState,
    "ArticleState",
    "Where an article stands, and what a version made of it.",
    {
        ArticleState.DRAFT: "Written; shown to nobody.",
        ArticleState.PUBLISHED: "Shown to whom it is for.",
        ArticleState.EXPIRED: "It was published, and is shown no more.",
    },
)

__all__ = [
    "Actor",
    "Again",
    "AnswerForm",
    "AnswerUse",
    "ArticleState",
    "Assurance",
    "BriefForm",
    "CapabilityParity",
    "ChannelKind",
    "JourneyCategory",
    "JourneyStatus",
    "Order",
    "PerformanceState",
    "VerdictKind",
    "WithheldWhy",
]
