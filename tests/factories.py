"""The one way to make test data: actions as a channel sends them."""

from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import uuid4

_sequence = count()


def now() -> str:
    """The present as an action states it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def login(value: str, assurance: str = "LOGIN") -> dict[str, str]:
    """A customer signed in."""
    return {"kind": "login", "value": value, "assurance": assurance}


def action(*identifiers: dict[str, str], **fields: Any) -> dict[str, Any]:
    """A well-formed action; `fields` replace or add, and None leaves one out."""
    made = {
        "id": str(uuid4()),
        "sequence": next(_sequence),
        "type": "plan.viewed",
        "at": now(),
        "identifiers": list(identifiers),
        "properties": {"plan": "fibre-500"},
        **fields,
    }
    return {name: value for name, value in made.items() if value is not None}


def batch(*actions: dict[str, Any], sent_at: str | None = None) -> dict[str, Any]:
    """Actions as they are sent."""
    return {"sent_at": sent_at or now(), "actions": list(actions)}
