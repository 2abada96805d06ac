"""The composition root: the application as it is served, with its database and without."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
import structlog
from starlette.applications import Starlette

from steadylight_server.app import create_app, database_uri
from steadylight_server.core import mongo
from steadylight_server.core.config import Settings
from steadylight_server.core.embedded import EmbeddedDatabase
from steadylight_server.identity.models import Key
from tests.conftest import settings_for
from tests.factories import BY, action, batch, login

RECORD = "mutation($input: RecordActionsInput!) { recordActions(input: $input) { stored } }"


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """The application sets up the logs of this process, which other tests look at."""
    yield
    structlog.reset_defaults()


@asynccontextmanager
async def running(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """The application in this process, from its start to its end."""
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://steadylight") as client:
            yield client


def test_without_a_database_there_is_no_application(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STEADYLIGHT_MONGODB_URI", raising=False)

    with pytest.raises(ValueError, match="create_app needs STEADYLIGHT_MONGODB_URI"):
        create_app()


def test_the_environment_says_which_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEADYLIGHT_MONGODB_URI", "mongodb://127.0.0.1:9")

    assert isinstance(create_app(), Starlette)


async def test_a_started_application_is_healthy_and_ready(mongod: EmbeddedDatabase) -> None:
    settings = settings_for(mongod)

    async with running(create_app(settings)) as client:
        health, ready, metrics = [await client.get(path) for path in ("/healthz", "/readyz", "/metrics")]

    assert (health.status_code, health.json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
    assert metrics.status_code == 200
    assert len(ready.headers["X-Request-Id"]) == 32


async def test_a_stopped_application_gives_its_connections_back(mongod: EmbeddedDatabase) -> None:
    app = create_app(settings_for(mongod))
    async with running(app) as client:
        await client.get("/readyz")
        services = app.state.services

    with pytest.raises(Exception, match="after close"):
        await services.ping()


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (None, 401),
        ("Basic {}", 401),
        ("Bearer", 401),
        ("Bearer sl_000000000000_" + "x" * 43, 401),
        ("Bearer {}", 200),
        ("bearer  {} ", 200),
    ],
)
async def test_a_credential_is_a_bearer_key(mongod: EmbeddedDatabase, header: str | None, status: int) -> None:
    app = create_app(settings_for(mongod))
    async with running(app) as client:
        _, key = await app.state.services.access.add_key(None, by=BY)
        headers = {"Authorization": header.format(key)} if header else {}

        response = await client.post("/graphql", json={"query": "{ viewer { channel } }"}, headers=headers)

    assert response.status_code == status
    if status == 401:
        (error,) = response.json()["errors"]
        assert error["extensions"]["code"] == "UNAUTHENTICATED"
    else:
        assert response.json() == {"data": {"viewer": {"channel": None}}}


async def test_nobody_in_particular_may_ask_for_typename(mongod: EmbeddedDatabase) -> None:
    async with running(create_app(settings_for(mongod))) as client:
        response = await client.post("/graphql", json={"query": "{ __typename }"})

    assert response.json() == {"data": {"__typename": "Query"}}


async def test_while_the_database_is_down_the_process_lives_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongo, "PATIENCE", 1.0)
    embedded = Settings(data=tmp_path, mongodb_uri=None, log_level="error")
    with ExitStack() as stack:
        uri = stack.enter_context(database_uri(embedded))
        with database_uri(embedded, join=True) as joined:
            assert joined == uri
        app = create_app(embedded.model_copy(update={"mongodb_uri": uri}))
        async with running(app) as client:
            _, key = await app.state.services.access.add_key(None, by=BY)
            before = await client.get("/readyz")
            stack.close()

            health, ready = await client.get("/healthz"), await client.get("/readyz")
            headers = {"Authorization": f"Bearer {key}"}
            asked = await client.post("/graphql", json={"query": "{ channels { name } }"}, headers=headers)
            started = time.monotonic()

    assert time.monotonic() - started < 5
    assert (before.status_code, health.status_code) == (200, 200)
    for response in (ready, asked):
        (error,) = response.json()["errors"]
        assert response.status_code == 503
        assert error == {
            "message": "The database cannot answer now. Try again shortly.",
            "extensions": {
                "code": "UNAVAILABLE",
                "retryAfter": 1.0,
                "requestId": response.headers["X-Request-Id"],
            },
        }
        assert response.headers["Retry-After"] == "1"


def test_the_settings_address_is_used_as_it_is() -> None:
    with database_uri(Settings(mongodb_uri="mongodb://db.internal"), join=True) as uri:
        assert uri == "mongodb://db.internal"


async def test_a_batch_that_is_too_large_stores_nothing(mongod: EmbeddedDatabase) -> None:
    app = create_app(settings_for(mongod))
    async with running(app) as client:
        services = app.state.services
        _, admin = await services.access.add_key(None, by=BY)
        register = 'mutation { registerChannel(input: {name: "web", kind: SELF_SERVICE}) { key } }'
        made = await client.post("/graphql", json={"query": register}, headers={"Authorization": f"Bearer {admin}"})
        headers = {"Authorization": f"Bearer {made.json()['data']['registerChannel']['key']}"}
        large = batch(*(action(login("C-1"), properties={"a": "x" * 20_000}) for _ in range(26)))

        response = await client.post(
            "/graphql", json={"query": RECORD, "variables": {"input": {"batch": large}}}, headers=headers
        )

        (error,) = response.json()["errors"]
        assert (error["extensions"]["code"], error["path"]) == ("INVALID", ["recordActions"])
        assert error["message"] == "A batch has at most 500,000 bytes. Send it in halves."
        assert await services.identity.profile(Key("login", "C-1")) is None
