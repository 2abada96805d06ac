"""For whom something is done, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, TypeVar
from uuid import UUID

from steadylight_server.access.models import Scope, Viewer
from steadylight_server.core.errors import Forbidden

T = TypeVar("T")


@dataclass(frozen=True)
class Asker:
    """For whom, and in which contact, a channel does something: `id` is the operation's."""

    id: UUID
    identifiers: Sequence[Mapping[str, str]]
    contact: str | None
    agent: str | None = None

    def raw(
        self, viewer: Viewer, type: str, properties: Mapping[str, Any] = MappingProxyType({})
    ) -> Mapping[str, object]:
        """What is asked, for `Ingest.draft`. Raises Forbidden where the viewer may not be told what comes of it."""
        if not viewer.may(Scope.CUSTOMERS_READ):
            raise Forbidden(f"This credential lacks the scope {Scope.CUSTOMERS_READ}.")
        given = {"contact": self.contact, "agent": self.agent}
        return {
            "id": str(self.id),
            "type": type,
            "identifiers": [dict(one) for one in self.identifiers],
            "properties": dict(properties),
            **({"actor": "AGENT"} if self.agent is not None else {}),
            **{name: value for name, value in given.items() if value is not None},
        }


@dataclass(frozen=True)
class Done(Generic[T]):
    """What came of it; a read that presents the token sees it."""

    result: T
    token: str | None
