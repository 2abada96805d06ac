"""Made-up actions for the speed figures: customers who view plans, ten actions to a visit."""

import itertools
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from steadylight_server.access.models import ChannelKind
from steadylight_server.app import Stores, open_services
from steadylight_server.core.assurance import Assurance
from steadylight_server.core.clock import now
from steadylight_server.core.config import Settings
from steadylight_server.core.mongo import Database
from steadylight_server.identity.models import Identifier, Key
from steadylight_server.timeline.models import Action, Subject
from tests.factories import BY

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
        # One customer after the other: neighbours in the index are made together, or a million would take all day.
        owner = index * len(profile_ids) // count
        at = latest - timedelta(seconds=random.randrange(63_000_000))
        yield Action(
            id=uuid4(),
            sequence=index,
            type=f"plan.{('viewed', 'compared', 'ordered')[index % 3]}",
            at=at,
            channel=("web", "ivr", "branch")[index % 3],
            profile_id=profile_ids[owner],
            identifiers=(Identifier("login", f"C-{owner}", Assurance.LOGIN),),
            actor="CUSTOMER",
            properties=_PROPERTIES,
            received_at=at,
            contact=f"visit-{index // per_visit}",
            subject=Subject("plan", f"plan-{index % 7}"),
        )


async def prepared(
    settings: Settings, *, actions: int, of_one: int = 100, customers: int = 1_000, batches: int = 0
) -> str:
    """A database with that many actions of so many customers, and two of 10 and of `of_one`; a key of `web`.

    So many `batches` are recorded besides, through which all customers are known.
    """
    uri = settings.mongodb_uri
    assert uri is not None
    async with open_services(settings, uri) as services:
        await services.access.add_channel("web", ChannelKind.SELF_SERVICE, by=BY)
        _, key = await services.access.add_key("web", by=BY)
        viewer = await services.gate.key(key)
        for number in range(batches):
            await services.ingest.record(viewer, batch(number))
        names = [Key("login", name) for name in ("FEW", "MANY", *(f"C-{number}" for number in range(customers)))]
        ids: list[UUID] = []
        for start in range(0, len(names), 1_000):
            some = names[start : start + 1_000]
            profiles = await services.identity.resolve(some)
            ids += [profiles[name] for name in some]
        few, many, *crowd = ids
    database = Database(uri, settings.database)
    stores = Stores.of(database, settings)
    for owners, count in (([few], 10), ([many], of_one), (crowd, actions)):
        coming = history(owners, count, per_visit=max(1, min(50, count // len(owners))) if owners is crowd else 1)
        while several := list(itertools.islice(coming, 2_000)):
            await stores.actions.append(several)
            await stores.contacts.project(several)
    await database.close()
    return key
