"""What customers do, as it happens."""

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from steadylight_server.api.actions import Action, action
from steadylight_server.api.customers import CustomerBy, find
from steadylight_server.api.info import Info


@strawberry.type
class ActivitySubscriptions:
    """What customers do."""

    @strawberry.subscription(
        description="A customer's new actions, in every channel. Ends with UNAVAILABLE where some may have been missed."
    )
    async def customer_activity(
        self, info: Info, by: Annotated[CustomerBy, strawberry.argument(description="How to find the customer.")]
    ) -> AsyncGenerator[Action, None]:
        person = await find(info, by)
        async with info.context.services.activity.follow(person.profile_ids) as facts:
            async for fact in facts:
                yield action(fact)
