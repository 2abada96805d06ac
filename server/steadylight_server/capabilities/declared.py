"""What capabilities there are, by the blueprint in force, and what does each."""

from collections.abc import Mapping

from steadylight_server.capabilities.implementations import Implementations
from steadylight_server.capabilities.models import Capability, Implementation
from steadylight_server.core.errors import NotFound


class Capabilities:
    """Those that are in force. Whoever holds it sees a new declaration at once."""

    def __init__(self, implementations: Implementations | None = None) -> None:
        self._implementations = implementations or Implementations()
        self._declared: Mapping[str, Capability] = {}

    def declare(self, declared: Mapping[str, Capability]) -> None:
        """Puts these, by name, in the place of all that were."""
        self._implementations.keep(declared)
        self._declared = dict(declared)

    @property
    def declared(self) -> Mapping[str, Capability]:
        """All of them, by name."""
        return self._declared

    def of(self, name: str) -> Capability:
        """The one of that name. Raises NotFound."""
        if (found := self._declared.get(name)) is None:
            raise NotFound(f"The blueprint declares no capability {name[:80]!r}.")
        return found

    def implementation(self, capability: Capability) -> Implementation:
        """What does it."""
        return self._implementations.of(capability)
