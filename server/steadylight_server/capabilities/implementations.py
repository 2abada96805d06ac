"""Which implementation is whose: found when a blueprint comes into force, and kept for as long as it says the same."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from importlib.metadata import entry_points

import structlog

from steadylight_server.capabilities.functions import FunctionImplementation
from steadylight_server.capabilities.models import (
    Answer,
    Call,
    Capability,
    Function,
    FunctionBinding,
    Implementation,
    NotDone,
    Tell,
    WebhookBinding,
)

log = structlog.get_logger("steadylight.capabilities")

GROUP = "steadylight.capabilities"

# Makes what calls a webhook, within so long. Raises ValueError where it cannot, as without its secret.
Webhooks = Callable[[WebhookBinding, timedelta], Implementation]


class Missing:
    """Stands for an implementation that is not there; `unavailable` says why."""

    honours_keys = False

    def __init__(self, why: str) -> None:
        self.unavailable: str | None = why

    async def __call__(self, call: Call, tell: Tell) -> Answer:
        """Raises NotDone."""
        raise NotDone(self.unavailable or "")


class Implementations:
    """Finds implementations. What one remembers, as that its server is away, it remembers through new blueprints."""

    def __init__(self, *, functions: Mapping[str, Function] | None = None, webhooks: Webhooks | None = None) -> None:
        """`functions` stand in the place of those that are installed, by the names of their entry points."""
        self._functions = functions
        self._webhooks = webhooks
        self._known: dict[tuple[FunctionBinding | WebhookBinding, timedelta], Implementation] = {}

    def keep(self, capabilities: Mapping[str, Capability]) -> None:
        """Finds those of these capabilities, and forgets the others."""
        wanted = {(one.implementation, one.timeout) for one in capabilities.values()}
        self._known = {key: self._known.get(key) or self._found(*key) for key in wanted}

    def of(self, capability: Capability) -> Implementation:
        """What does it; where there is nothing, what says so."""
        key = (capability.implementation, capability.timeout)
        return self._known.get(key) or self._found(*key)

    def _found(self, binding: FunctionBinding | WebhookBinding, timeout: timedelta) -> Implementation:
        try:
            if isinstance(binding, FunctionBinding):
                return FunctionImplementation(self._function(binding.name), honours_keys=binding.honours_keys)
            if self._webhooks is None:
                raise ValueError("This server calls no webhooks.")
            return self._webhooks(binding, timeout)
        except Exception as error:  # an import runs anybody's code
            named = binding.name if isinstance(binding, FunctionBinding) else f"the webhook of {binding.secret}"
            log.error("what implements a capability is not there", implementation=named, why=str(error))
            return Missing(f"{named} is not there: {error}")

    def _function(self, name: str) -> Function:
        if self._functions is not None:
            if name not in self._functions:
                raise ValueError(f"there is no function {name}")
            return self._functions[name]
        found = list(entry_points(group=GROUP, name=name))
        if len(found) != 1:
            raise ValueError(f"{len(found)} entry points of that name in {GROUP} are installed; one is wanted")
        function: Function = found[0].load()
        return function
