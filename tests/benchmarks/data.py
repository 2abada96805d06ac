"""Made-up actions for the speed figures: customers who view plans, ten actions to a visit."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from steadylight_server.core.assurance import Assurance
from steadylight_server.core.clock import now
from steadylight_server.identity.models import Identifier
from steadylight_server.timeline.models import Action, Subject

CUSTOMERS = 5_000
PER_VISIT = 10
PER_BATCH = 500
_PROPERTIES = {"plan": "fibre-500", "price": 39.9, "step": 3, "page": "/plans/fibre", "query": "fast internet"}


def written(at: datetime) -> str:
    """As an action states it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def batch(number: int) -> dict[str, Any]:
    """The batch of that number: 50 visits of 10 actions, by 50 of 5,000 customers."""
    visits = PER_BATCH // PER_VISIT
    at = written(now())
    return {
        "sent_at": at,
        "actions": [
            {
                "id": str(uuid4()),
                "sequence": number * PER_BATCH + index,
                "type": "plan.viewed",
                "at": at,
                "identifiers": [_login(number * visits + index % visits)],
                "contact": f"visit-{number}-{index % visits}",
                "subject": {"kind": "plan", "id": f"plan-{index % 7}"},
                "properties": _PROPERTIES,
            }
            for index in range(PER_BATCH)
        ],
    }


def _login(customer: int) -> dict[str, str]:
    return {"kind": "login", "value": f"C-{customer % CUSTOMERS}", "assurance": "LOGIN"}


def history(profile_ids: list[UUID], count: int, *, per_visit: int) -> Iterator[Action]:
    """So many actions of these profiles, spread over two years, as they would have been stored."""
    random.seed(7)
    latest = now()
    for index in range(count):
        at = latest - timedelta(seconds=random.randrange(63_000_000))
        yield Action(
            id=uuid4(),
            sequence=index,
            type=f"plan.{('viewed', 'compared', 'ordered')[index % 3]}",
            at=at,
            channel=("web", "ivr", "branch")[index % 3],
            profile_id=profile_ids[index % len(profile_ids)],
            identifiers=(Identifier("login", f"C-{index % len(profile_ids)}", Assurance.LOGIN),),
            actor="CUSTOMER",
            properties=_PROPERTIES,
            received_at=at,
            contact=f"visit-{index // (per_visit * len(profile_ids))}",
            subject=Subject("plan", f"plan-{index % 7}"),
        )
