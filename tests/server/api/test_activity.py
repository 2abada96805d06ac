"""A customer's new actions over a real WebSocket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import anyio.to_thread
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.conftest import LiveServer
from tests.factories import action, batch, login

RECORD = "mutation($input: RecordActionsInput!) { recordActions(input: $input) { stored } }"
FOLLOW = "subscription($by: CustomerBy!) { customerActivity(by: $by) { id type channel properties } }"


@pytest.fixture(scope="module")
def web(shared_server: LiveServer) -> str:
    """The key of who follows."""
    return shared_server.key("web")


@pytest.fixture(scope="module")
def ivr(shared_server: LiveServer) -> str:
    """The key of who records."""
    return shared_server.key("ivr")


@pytest.fixture(scope="module")
def mute(shared_server: LiveServer) -> str:
    """A key that opens nothing."""
    return shared_server.key("mute", scopes=frozenset())


class Somebody:
    """A customer who was seen before."""

    def __init__(self, server: LiveServer, ivr: str) -> None:
        self._server, self._key = server, ivr
        self.value = f"C-{uuid4().hex}"
        self._record(action(login(self.value)))

    async def does(self, **fields: Any) -> str:
        """What an action of theirs, recorded through the IVR, is called in the graph."""
        one = action(login(self.value), **fields)
        await anyio.to_thread.run_sync(self._record, action(login(f"C-{uuid4().hex}")), one)
        return f"act_{one['id'].replace('-', '')}"

    def _record(self, *actions: dict[str, Any]) -> None:
        answer = self._server.graphql(RECORD, {"input": {"batch": batch(*actions)}}, self._key)
        assert answer["data"]["recordActions"]["stored"] == len(actions)


@pytest.fixture
def ann(shared_server: LiveServer, ivr: str) -> Somebody:
    return Somebody(shared_server, ivr)


@asynccontextmanager
async def socket(server: LiveServer, key: str) -> AsyncIterator[ClientConnection]:
    url = server.url.replace("http", "ws") + "/graphql"
    async with connect(url, subprotocols=["graphql-transport-ws"], proxy=None) as connection:  # type: ignore[list-item]
        await connection.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {key}"}}))
        assert await heard(connection) == {"type": "connection_ack"}
        yield connection


async def heard(connection: ClientConnection) -> Any:
    return json.loads(await asyncio.wait_for(connection.recv(), 10))


async def follow(connection: ClientConnection, by: dict[str, Any]) -> None:
    payload = {"query": FOLLOW, "variables": {"by": by}}
    await connection.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))


async def until_followed(connection: ClientConnection, ann: Somebody) -> None:
    """They do something now and then, until it is heard of."""
    while True:
        await ann.does(type="are.you.there")
        try:
            async with asyncio.timeout(0.2):
                await connection.recv()
        except TimeoutError:
            continue
        break


async def heard_after(connection: ClientConnection) -> Any:
    """The next thing heard that is not left from `until_followed`."""
    while (message := await heard(connection))["payload"]["data"]["customerActivity"]["type"] == "are.you.there":
        pass
    return message


async def test_what_any_channel_records_is_told_at_once(shared_server: LiveServer, web: str, ann: Somebody) -> None:
    async with socket(shared_server, web) as connection:
        await follow(connection, {"identifier": login(ann.value)})
        await until_followed(connection, ann)

        id = await ann.does(type="call.started", properties={"menu": 2})

        assert await heard_after(connection) == {
            "id": "1",
            "type": "next",
            "payload": {
                "data": {
                    "customerActivity": {
                        "id": id,
                        "type": "call.started",
                        "channel": "ivr",
                        "properties": {"menu": 2},
                    }
                }
            },
        }


async def test_a_customer_is_followed_by_id_too(shared_server: LiveServer, web: str, ann: Somebody) -> None:
    query = "query($by: CustomerBy!) { customer(by: $by) { id } }"
    found = shared_server.graphql(query, {"by": {"identifier": login(ann.value)}}, web)
    async with socket(shared_server, web) as connection:
        await follow(connection, {"id": found["data"]["customer"]["id"]})
        await until_followed(connection, ann)

        await ann.does(type="call.ended")

        told = (await heard_after(connection))["payload"]["data"]["customerActivity"]
        assert told["type"] == "call.ended"


@pytest.mark.parametrize("assurance", ["CLAIMED", "CALLER_ID", "KNOWLEDGE"])
async def test_a_claim_follows_nobody(shared_server: LiveServer, web: str, ann: Somebody, assurance: str) -> None:
    async with socket(shared_server, web) as connection:
        await follow(connection, {"identifier": login(ann.value, assurance)})

        told, ended = await heard(connection), await heard(connection)

    (error,) = told["payload"]["errors"]
    assert (told["type"], told["payload"]["data"]) == ("next", None)
    assert error["extensions"]["code"] == "NOT_FOUND"
    assert ended == {"id": "1", "type": "complete"}


async def test_following_needs_its_scope(shared_server: LiveServer, mute: str, ann: Somebody) -> None:
    async with socket(shared_server, mute) as connection:
        await follow(connection, {"identifier": login(ann.value)})

        (error,) = (await heard(connection))["payload"]
        assert error["extensions"]["code"] == "FORBIDDEN"
