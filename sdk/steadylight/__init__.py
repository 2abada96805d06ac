"""Steadylight's client: record what customers do in your channel, and know what they did in every other.

    from steadylight import Client

    light = Client()                                    # STEADYLIGHT_URL and STEADYLIGHT_KEY, or arguments
    contact = light.customer(login="C-1001", assurance="LOGIN").contact(key="session-1")
    contact.record("plan.viewed", {"plan": "fibre-500"})
    context = contact.context(within=0.3)

Importing this package loads nothing else; each name loads what it needs when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:
    from ._async_client import AsyncClient, AsyncContact, AsyncJourney
    from ._client import Client, Contact
    from ._contact import Customer
    from ._errors import (
        Conflict,
        Forbidden,
        Internal,
        Invalid,
        Misconfigured,
        NotFound,
        ProtocolError,
        RateLimited,
        SteadylightError,
        Timeout,
        TooComplex,
        Unauthenticated,
        Unavailable,
        Unreachable,
    )
    from ._journeys import Journey
    from ._models import (
        Action,
        Answer,
        Article,
        ArticleFragment,
        Asked,
        Capability,
        Check,
        Claim,
        Context,
        Failure,
        Identifier,
        JourneyState,
        PastContact,
        Performance,
        Progress,
        Question,
        SearchHit,
        SearchResults,
        Subject,
        Trait,
        Verdicts,
    )
    from ._options import Options
    from ._plain import Assurance, Notice, Stats, Verdict

__all__ = [
    "Action",
    "Answer",
    "Article",
    "ArticleFragment",
    "Asked",
    "Assurance",
    "AsyncClient",
    "AsyncContact",
    "AsyncJourney",
    "Capability",
    "Check",
    "Claim",
    "Client",
    "Conflict",
    "Contact",
    "Context",
    "Customer",
    "Failure",
    "Forbidden",
    "Identifier",
    "Internal",
    "Invalid",
    "Journey",
    "JourneyState",
    "Misconfigured",
    "NotFound",
    "Notice",
    "Options",
    "PastContact",
    "Performance",
    "Progress",
    "ProtocolError",
    "Question",
    "RateLimited",
    "SearchHit",
    "SearchResults",
    "Stats",
    "SteadylightError",
    "Subject",
    "Timeout",
    "TooComplex",
    "Trait",
    "Unauthenticated",
    "Unavailable",
    "Unreachable",
    "Verdict",
    "Verdicts",
    "__version__",
]

# Where the names are; the errors' module has all the others.
_HOMES = {
    "_async_client": ("AsyncClient", "AsyncContact", "AsyncJourney"),
    "_client": ("Client", "Contact"),
    "_contact": ("Customer",),
    "_journeys": ("Journey",),
    "_models": (
        "Action",
        "Answer",
        "Article",
        "ArticleFragment",
        "Asked",
        "Capability",
        "Check",
        "Claim",
        "Context",
        "Failure",
        "Identifier",
        "JourneyState",
        "PastContact",
        "Performance",
        "Progress",
        "Question",
        "SearchHit",
        "SearchResults",
        "Subject",
        "Trait",
        "Verdicts",
    ),
    "_options": ("Options",),
    "_plain": ("Assurance", "Notice", "Stats", "Verdict"),
}

if not TYPE_CHECKING:  # A type checker would take any name for granted.

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        home = next((home for home, names in _HOMES.items() if name in names), "_errors")
        globals()[name] = getattr(import_module(f".{home}", __name__), name)
        return globals()[name]

    def __dir__() -> list[str]:
        return __all__
