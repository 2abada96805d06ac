"""A front end that follows customers: graphql-transport-ws, spoken by hand so that it can also misbehave."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

PROTOCOL = Subprotocol("graphql-transport-ws")
ACTIVITY = (
    "subscription Activity($by: CustomerBy!) { customerActivity(by: $by) { id type channel sequence properties } }"
)


class Follower:
    """One connection, let in already."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    @classmethod
    @asynccontextmanager
    async def at(cls, url: str, key: str, **options: Any) -> AsyncIterator["Follower"]:
        """Connected to the server of that HTTP URL and let in. `options` are websockets' own."""
        address = f"{url.replace('http', 'ws', 1)}/graphql"
        options = {"subprotocols": [PROTOCOL], "proxy": None, **options}
        async with connect(address, **options) as connection:
            follower = cls(connection)
            await follower.tell({"type": "connection_init", "payload": {"authorization": f"Bearer {key}"}})
            assert await follower.heard() == {"type": "connection_ack"}
            yield follower

    async def tell(self, message: dict[str, Any]) -> None:
        await self.connection.send(json.dumps(message))

    async def heard(self, within: float = 10) -> dict[str, Any]:
        """The next message."""
        message = await asyncio.wait_for(self.connection.recv(), within)
        heard: dict[str, Any] = json.loads(message)
        return heard

    async def subscribe(self, query: str, variables: dict[str, Any] | None = None, id: str = "1") -> None:
        await self.tell({"type": "subscribe", "id": id, "payload": {"query": query, "variables": variables or {}}})

    async def follow(self, by: dict[str, Any], id: str = "1") -> None:
        """A customer's activity, as `CustomerBy` names the customer."""
        await self.subscribe(ACTIVITY, {"by": by}, id)

    async def activity(self) -> dict[str, Any]:
        """The next action that happened."""
        message = await self.heard()
        assert message["type"] == "next", message
        action: dict[str, Any] = message["payload"]["data"]["customerActivity"]
        return action

    async def closed(self, within: float = 10) -> int | None:
        """The code with which the server closes, whatever is heard before."""
        async with asyncio.timeout(within):
            with suppress(ConnectionClosed):
                while True:
                    await self.connection.recv()
        return self.connection.close_code
