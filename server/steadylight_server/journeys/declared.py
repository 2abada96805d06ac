"""What types of journey there are. A type that nobody declared works: journeys are tracked, not prescribed."""

from collections.abc import Mapping, Sequence

from steadylight_server.journeys.models import JourneyType, Threading


class JourneyTypes:
    """The types that are in force. Whoever holds it sees a new declaration at once."""

    def __init__(self) -> None:
        self._declared: Mapping[str, JourneyType] = {}
        self._threadings: Mapping[str, Sequence[tuple[str, Threading]]] = {}

    def declare(self, declared: Mapping[str, JourneyType]) -> None:
        """Puts these, by name, in the place of all that were."""
        self._declared = dict(declared)
        threadings: dict[str, list[tuple[str, Threading]]] = {}
        for name, type in declared.items():
            if type.threads is not None:
                threadings.setdefault(type.threads.subject, []).append((name, type.threads))
        self._threadings = threadings

    @property
    def declared(self) -> Mapping[str, JourneyType]:
        """Those that somebody declared, by name."""
        return self._declared

    @property
    def threadings(self) -> Mapping[str, Sequence[tuple[str, Threading]]]:
        """How actions are threaded, by the kind of their subject, each with the name of the type."""
        return self._threadings

    def of(self, name: str) -> JourneyType:
        """The type of that name; one that nobody declared has no rules."""
        return self._declared.get(name) or JourneyType(name)
