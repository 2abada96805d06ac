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
    from ._client import AsyncClient, AsyncContact, Client, Contact
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
    from ._models import (
        Action,
        Assurance,
        Check,
        Claim,
        Context,
        Identifier,
        Notice,
        PastContact,
        Stats,
        Subject,
        Verdict,
        Verdicts,
    )
    from ._options import Options

__all__ = [
    "Action",
    "Assurance",
    "AsyncClient",
    "AsyncContact",
    "Check",
    "Claim",
    "Client",
    "Conflict",
    "Contact",
    "Context",
    "Customer",
    "Forbidden",
    "Identifier",
    "Internal",
    "Invalid",
    "Misconfigured",
    "NotFound",
    "Notice",
    "Options",
    "PastContact",
    "ProtocolError",
    "RateLimited",
    "Stats",
    "SteadylightError",
    "Subject",
    "Timeout",
    "TooComplex",
    "Unauthenticated",
    "Unavailable",
    "Unreachable",
    "Verdict",
    "Verdicts",
    "__version__",
]

if not TYPE_CHECKING:  # A type checker would take any name for granted.

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        for home in ("_errors", "_options", "_models", "_contact", "_client"):
            module = import_module(f".{home}", __name__)
            if name in vars(module) and getattr(vars(module)[name], "__module__", None) == module.__name__:
                globals()[name] = vars(module)[name]
                return globals()[name]
        raise AssertionError(f"{name} has no home")

    def __dir__() -> list[str]:
        return __all__
