"""What types of journey there are. A type that nobody declared works: journeys are tracked, not prescribed."""

from collections.abc import Mapping

from steadylight_server.journeys.models import JourneyType


class JourneyTypes:
    """The types that are in force. Whoever holds it sees a new declaration at once."""

    def __init__(self) -> None:
        self._declared: Mapping[str, JourneyType] = {}

    def declare(self, declared: Mapping[str, JourneyType]) -> None:
        """Puts these, by name, in the place of all that were."""
        self._declared = dict(declared)

    @property
    def declared(self) -> Mapping[str, JourneyType]:
        """Those that somebody declared, by name."""
        return self._declared

    def of(self, name: str) -> JourneyType:
        """The type of that name; one that nobody declared has no rules."""
        return self._declared.get(name) or JourneyType(name)
