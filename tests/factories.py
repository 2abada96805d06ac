"""The one way to make test data: actions as a channel sends them and as they are stored, and who sends them."""

from collections.abc import Set
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from steadylight_server.access.models import CHANNEL_SCOPES, Proven, Role, Viewer
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.clock import now as present
from steadylight_server.knowledge.models import Content, Fragment
from steadylight_server.timeline.models import Action

# Who makes keys and channels in tests, for the audit.
BY = {"role": "OPERATOR", "name": "tests"}

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


def fact(profile_id: UUID, **fields: Any) -> Action:
    """A stored action; `fields` replace."""
    made = {
        "id": uuid4(),
        "sequence": next(_sequence),
        "type": "plan.viewed",
        "at": present(),
        "channel": "web",
        "identifiers": (),
        "actor": "CUSTOMER",
        "properties": {},
        "received_at": present(),
        **fields,
    }
    return Action(profile_id=profile_id, **made)


def viewer(
    channel: str | None = "web",
    *,
    highest: Assurance = Assurance.LOGIN,
    scopes: Set[str] = CHANNEL_SCOPES,
    customer: Proven | None = None,
) -> Viewer:
    """Somebody whose key was checked; `channel` None is an admin. `customer` is whom a token beside the key proves."""
    id = "0" * 12
    role = Role.CHANNEL if channel else Role.ADMIN
    return Viewer(
        role=role,
        id=id,
        credential=id,
        channel=channel,
        scopes=frozenset(scopes),
        highest_assurance=highest,
        customer=customer,
    )


def fragment(id: str = "body", body: str = "Text.", **fields: Any) -> Fragment:
    """A fragment in English; `fields` replace."""
    return Fragment(**{"id": id, "body": body, "locale": "en", **fields})


def content(*fragments: Fragment, title: str = "Roaming charges", **fields: Any) -> Content:
    """What an article in English says; `fields` replace."""
    return Content(**{"titles": {"en": title}, "locale": "en", "fragments": fragments or (fragment(),), **fields})
