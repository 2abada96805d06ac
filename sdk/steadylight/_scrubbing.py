"""What the host does not want to be recorded: its own hook first, then names of properties that are never told."""

from collections.abc import Mapping
from typing import Any

from ._actions import MAX_DEPTH, Unfit
from ._options import Options

#: Stands for what was redacted.
REDACTED = "[redacted]"


class Dropped(Exception):
    """`before_record` wants nothing of this action to be kept."""


class Scrubbing:
    """What the options ask for; `is_needed` is False where that is nothing."""

    def __init__(self, options: Options) -> None:
        self._hook = options.before_record
        self._names = frozenset(name.casefold() for name in options.redact)
        self.is_needed = self._hook is not None or bool(self._names)

    def scrubbed(
        self, head: Mapping[str, Any], properties: Mapping[str, Any] | None
    ) -> tuple[dict[str, Any], Mapping[str, Any] | None]:
        """Head and properties as they may be kept. Raises Dropped, Unfit, and what the hook raises."""
        action: Any = {**head, "properties": {} if properties is None else properties}
        if self._hook is not None:
            if isinstance(properties, Mapping):
                action["properties"] = dict(properties)  # The hook may change it; the host's own stays as it is.
            action = self._hook(action)
            if action is None:
                raise Dropped
            if not isinstance(action, dict):
                raise Unfit(f"before_record returned {type(action).__name__}, not a dict or None")
        kept = action.pop("properties", None)
        return action, self._redacted(kept, 0) if self._names else kept

    def _redacted(self, value: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            return value  # It is too deep to be recorded.
        if isinstance(value, Mapping):
            return {
                name: REDACTED if str(name).casefold() in self._names else self._redacted(each, depth + 1)
                for name, each in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self._redacted(each, depth + 1) for each in value]
        return value
