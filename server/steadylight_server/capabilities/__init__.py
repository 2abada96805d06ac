"""Capabilities: business functions that every channel calls, each implemented once.

Who implements one imports from here: `capability`, `Call`, and what may be answered and raised.
"""

from steadylight_server.capabilities.functions import capability
from steadylight_server.capabilities.models import (
    Answer,
    Call,
    CustomerRef,
    Failed,
    IdentifiedBy,
    NotDone,
    Progress,
    Unknown,
)

__all__ = [
    "Answer",
    "Call",
    "CustomerRef",
    "Failed",
    "IdentifiedBy",
    "NotDone",
    "Progress",
    "Unknown",
    "capability",
]
