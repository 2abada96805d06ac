"""Media types, methods, parameters and status codes of GraphQL over HTTP."""

import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from strawberry.extensions import SchemaExtension

from steadylight_server.api.errors import Schema
from steadylight_server.api.http import GraphQLEndpoint, negotiated
from steadylight_server.core import errors as core
from steadylight_server.core.config import Settings
from tests.server.api.conftest import served
from tests.server.api.small import KEY, TRUSTED, Query, Small

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
GREET = {"query": TRUSTED, "variables": {"name": "Ann"}}


async def post(client: httpx.AsyncClient, body: Any, accept: str = GRAPHQL, **headers: str) -> httpx.Response:
    return await client.post("/graphql", json=body, headers={"Accept": accept, **headers})


def code(response: httpx.Response) -> str:
    (error,) = response.json()["errors"]
    assert error["extensions"]["requestId"] == response.headers["x-request-id"]
    return str(error["extensions"]["code"])


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (GRAPHQL, GRAPHQL),
        (f"{GRAPHQL}, {JSON}", GRAPHQL),
        (f"{JSON}, {GRAPHQL}", JSON),
        (f"{JSON};q=0.9, {GRAPHQL}", GRAPHQL),
        (f"{GRAPHQL};q=0.5, {JSON};q=0.9", JSON),
        (f"{GRAPHQL};q=0.5, */*;q=0.9", JSON),
        (f"{JSON};q=0, */*", GRAPHQL),
        (f"{GRAPHQL}; charset=utf-8", GRAPHQL),
        ("APPLICATION/JSON", JSON),
        ("text/html,application/xhtml+xml,*/*;q=0.8", JSON),
        ("text/html", None),
        (f"{JSON};q=0", None),
        (f"{JSON};q=nonsense", None),
    ],
)
def test_the_media_type_is_the_one_the_caller_wants_most(accept: str, media_type: str | None) -> None:
    assert negotiated(accept) == media_type


@pytest.mark.parametrize("media_type", [JSON, GRAPHQL])
async def test_an_answer_has_data_only_and_the_media_type_in_utf_8(client: httpx.AsyncClient, media_type: str) -> None:
    response = await post(client, GREET, media_type)

    assert response.status_code == 200
    assert response.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["vary"] == "Accept, Authorization, Cookie, Steadylight-Customer"
    assert response.content == b'{"data":{"greet":"Hello Ann"}}'


async def test_text_is_answered_in_utf_8(client: httpx.AsyncClient) -> None:
    response = await post(client, {"query": "{ document }"})

    assert response.content == '{"data":{"document":{"text":"ä🏃"}}}'.encode()


async def test_a_media_type_that_is_not_offered_is_406(client: httpx.AsyncClient) -> None:
    response = await post(client, GREET, "text/html")

    assert (response.status_code, code(response)) == (406, "INVALID")
    assert response.headers["content-type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_another_method_is_405_and_told_which_are_allowed(client: httpx.AsyncClient, method: str) -> None:
    response = await client.request(method, "/graphql", json=GREET)

    assert (response.status_code, code(response)) == (405, "INVALID")
    assert response.headers["allow"] == "GET, POST"


async def test_a_get_queries_with_variables_extensions_and_a_name(client: httpx.AsyncClient) -> None:
    query = 'query A { greet(name: "A") } query B($name: String!) { greet(name: $name) }'
    params = {"query": query, "operationName": "B", "variables": '{"name": "Bea"}', "extensions": "{}"}

    response = await client.get("/graphql", params=params)

    assert (response.status_code, response.json()) == (200, {"data": {"greet": "Hello Bea"}})


async def test_an_empty_operation_name_is_none(client: httpx.AsyncClient) -> None:
    response = await client.get("/graphql", params={"query": "{ __typename }", "operationName": ""})

    assert response.json() == {"data": {"__typename": "Query"}}


async def test_a_get_may_not_change_anything(client: httpx.AsyncClient) -> None:
    response = await client.get("/graphql", params={"query": 'mutation { rename(to: "x") }'})

    assert (response.status_code, code(response)) == (405, "INVALID")
    assert response.headers["allow"] == "POST"


async def test_a_subscription_is_refused_over_http(client: httpx.AsyncClient) -> None:
    response = await post(client, {"query": "subscription { tick }"})

    assert (response.status_code, code(response)) == (405, "INVALID")


@pytest.mark.parametrize(
    "params",
    [
        [],
        [("variables", "{}")],
        [("query", "{ __typename }"), ("query", "{ node { id } }")],
        [("query", "{ __typename }"), ("variables", "{")],
        [("query", "{ __typename }"), ("variables", "")],
        [("query", "{ __typename }"), ("variables", "[]")],
        [("query", "{ __typename }"), ("extensions", "1")],
    ],
)
async def test_a_malformed_get_is_400(client: httpx.AsyncClient, params: list[tuple[str, Any]]) -> None:
    response = await client.get("/graphql", params=httpx.QueryParams(params))

    assert (response.status_code, code(response)) == (400, "INVALID")


@pytest.mark.parametrize("accept", [JSON, GRAPHQL])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The body must be JSON in UTF-8."),
        (b"{", "The body must be JSON in UTF-8."),
        (b'{"query": "\xff"}', "The body must be JSON in UTF-8."),
        (b'{"query": NaN}', "The body must be JSON in UTF-8."),
        (b"[" * 100_000, "The body must be JSON in UTF-8."),
        (b'[{"query": "{ __typename }"}]', "The request must be a JSON object."),
        (b"null", "The request must be a JSON object."),
        (b"{}", "`query` must be given, as a string."),
        (b'{"query": null}', "`query` must be given, as a string."),
        (b'{"query": ["{ __typename }"]}', "`query` must be given, as a string."),
        (b'{"query": "{ __typename }", "operationName": 0}', "`operationName` must be a string or null."),
        (b'{"query": "{ __typename }", "variables": "x"}', "`variables` must be an object or null."),
        (b'{"query": "{ __typename }", "variables": false}', "`variables` must be an object or null."),
        (b'{"query": "{ __typename }", "extensions": []}', "`extensions` must be an object or null."),
    ],
)
async def test_a_malformed_body_is_400_whatever_is_accepted(
    client: httpx.AsyncClient, body: bytes, message: str, accept: str
) -> None:
    response = await client.post("/graphql", content=body, headers={"Accept": accept, "Content-Type": JSON})

    assert (response.status_code, code(response)) == (400, "INVALID")
    assert response.headers["content-type"] == f"{accept}; charset=utf-8"
    assert response.json()["errors"][0]["message"] == message


async def test_null_parameters_are_absent_ones(client: httpx.AsyncClient) -> None:
    body = {"query": "{ __typename }", "operationName": None, "variables": None, "extensions": None, "unknown": 1}

    response = await post(client, body)

    assert response.json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/graphql", "multipart/form-data", f"{JSON}; charset=utf-16"]
)
async def test_a_body_of_another_type_or_charset_is_415(client: httpx.AsyncClient, content_type: str) -> None:
    headers = {"Content-Type": content_type} if content_type else {}

    response = await client.post("/graphql", content=json.dumps(GREET), headers=headers)

    assert (response.status_code, code(response)) == (415, "INVALID")
    assert response.headers["accept-post"] == JSON


@pytest.mark.parametrize("content_type", [f"{JSON};charset=UTF-8", f'{JSON}; charset="utf-8"', "Application/JSON"])
async def test_utf_8_may_be_said(client: httpx.AsyncClient, content_type: str) -> None:
    response = await client.post("/graphql", content=json.dumps(GREET), headers={"Content-Type": content_type})

    assert response.status_code == 200


async def test_a_body_may_be_gzip(client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": JSON, "Content-Encoding": "gzip"}

    response = await client.post("/graphql", content=gzip.compress(json.dumps(GREET).encode()), headers=headers)

    assert response.json() == {"data": {"greet": "Hello Ann"}}


async def test_another_encoding_is_415_and_told_which_is_taken(client: httpx.AsyncClient) -> None:
    response = await client.post("/graphql", content=b"x", headers={"Content-Type": JSON, "Content-Encoding": "br"})

    assert (response.status_code, code(response)) == (415, "INVALID")
    assert response.headers["accept-encoding"] == "gzip"


async def test_a_body_that_inflates_beyond_the_limit_is_413(client: httpx.AsyncClient) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < 100_000

    response = await client.post("/graphql", content=bomb, headers={"Content-Type": JSON, "Content-Encoding": "gzip"})

    assert (response.status_code, code(response)) == (413, "INVALID")
    assert response.json()["errors"][0]["message"] == "The body is longer than 1000000 bytes."


async def test_a_body_beyond_the_limit_is_told_413_over_a_real_connection() -> None:
    small = Small(Settings(max_body_bytes=1_000))

    async with served(small.app) as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
        too_long = await client.post("/graphql", content=b" " * 1_001, headers={"Content-Type": JSON})
        far_too_long = await client.post("/graphql", content=b" " * 7_000, headers={"Content-Type": JSON})
        long = await client.post(
            "/graphql", content=json.dumps({"query": "{ __typename }"}).ljust(1_000), headers={"Content-Type": JSON}
        )

    assert [too_long.status_code, far_too_long.status_code, long.status_code] == [413, 413, 200]
    assert code(too_long) == "INVALID"
    assert too_long.headers["connection"] == "close"


@pytest.mark.parametrize(
    "body",
    [
        {"query": ""},
        {"query": "{"},
        {"query": "{ nothing }"},
        {"query": "{ greet }"},
        {"query": TRUSTED},
        {"query": TRUSTED, "variables": {"name": None}},
        {"query": TRUSTED, "variables": {"name": 1}},
        {"query": TRUSTED, "operationName": "Other"},
        {"query": "query A { __typename } query B { __typename }"},
        {"query": "fragment F on Query { __typename }"},
    ],
)
async def test_a_document_that_cannot_run_has_no_data_and_a_status_by_media_type(
    client: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    as_graphql, as_json = await post(client, body, GRAPHQL), await post(client, body, JSON)

    assert (as_graphql.status_code, as_json.status_code) == (400, 200)
    for response in (as_graphql, as_json):
        assert set(response.json()) == {"errors"}
        assert {error["extensions"]["code"] for error in response.json()["errors"]} == {"INVALID"}


async def test_a_field_that_fails_is_200_with_what_could_be_read(client: httpx.AsyncClient) -> None:
    response = await post(client, {"query": '{ greet(name: "Ann") refuse(code: "NOT_FOUND") }'})

    assert response.status_code == 200
    assert response.json() == {
        "errors": [
            {
                "message": "No: NOT_FOUND.",
                "locations": [{"line": 1, "column": 22}],
                "path": ["refuse"],
                "extensions": {"code": "NOT_FOUND", "requestId": response.headers["x-request-id"]},
            }
        ],
        "data": {"greet": "Hello Ann", "refuse": None},
    }


async def test_a_required_field_that_fails_is_200_with_data_null(client: httpx.AsyncClient) -> None:
    response = await post(client, {"query": "{ broken }"})

    assert response.status_code == 200
    assert response.json()["data"] is None
    assert code(response) == "INTERNAL"


@pytest.mark.parametrize(
    "query", ["{ __typename }", "query A { a: __typename b: __typename }", "mutation { __typename }"]
)
async def test_nobody_may_ask_for_typename(small: Small, query: str) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(small.app), base_url="http://x") as nobody:
        first = await post(nobody, {"query": query})
        again = await post(nobody, {"query": query})

    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert "errors" not in first.json()


@pytest.mark.parametrize("accept", [JSON, GRAPHQL])
@pytest.mark.parametrize(
    "query",
    [
        "{ node { id } }",
        "{ __schema { queryType { name } } }",
        '{ __type(name: "Query") { name } }',
        "{ __typename node { id } }",
        "{ nothing }",
        "{ ...F } fragment F on Query { __typename }",
        "{ ... { __typename } }",
        TRUSTED,
        "{ __typename }" + " " * 1_000,
    ],
)
async def test_nobody_is_told_401_for_everything_else(small: Small, query: str, accept: str) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(small.app), base_url="http://x") as nobody:
        response = await post(nobody, {"query": query, "variables": {"name": "Ann"}}, accept)

    assert (response.status_code, code(response)) == (401, "UNAUTHENTICATED")
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("body", [b'{"query": "{ __typename }"}', b"{", b'{"query": "{"}'])
async def test_a_wrong_key_is_told_401_whatever_is_asked(client: httpx.AsyncClient, body: bytes) -> None:
    headers = {"Authorization": "Bearer wrong", "Content-Type": JSON}

    response = await client.post("/graphql", content=body, headers=headers)

    assert (response.status_code, code(response)) == (401, "UNAUTHENTICATED")
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("failure", "status", "retry_after"),
    [
        (core.Forbidden("No."), 403, None),
        (core.RateLimited("No.", retry_after=2.5), 429, "3"),
        (core.Unavailable("No.", retry_after=0.2), 503, "1"),
    ],
)
async def test_who_cannot_be_let_in_is_told_why_and_when_to_come_again(
    small: Small, client: httpx.AsyncClient, failure: core.SteadylightError, status: int, retry_after: str | None
) -> None:
    small.failure = failure

    response = await post(client, GREET, JSON)

    assert (response.status_code, code(response)) == (status, failure.code)
    assert response.headers.get("retry-after") == retry_after


async def test_a_body_without_end_is_not_read_on_forever() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b" " * 1_000

    transport = httpx.ASGITransport(Small(Settings(max_body_bytes=1_000)).app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        response = await client.post("/graphql", content=endless(), headers={"Content-Type": JSON})

    assert (response.status_code, code(response)) == (413, "INVALID")
    assert sent == 9


async def test_what_a_schema_extension_adds_is_answered(small: Small) -> None:
    class Cost(SchemaExtension):
        def get_results(self) -> dict[str, Any]:
            return {"cost": 1}

    schema = Schema(Query, extensions=[Cost])
    app = GraphQLEndpoint(schema, small.context_for, small.settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        response = await client.post("/", json={"query": "{ __typename }"})

    assert response.json() == {"data": {"__typename": "Query"}, "extensions": {"cost": 1}}


async def test_a_client_that_leaves_while_it_sends_is_no_error(small: Small) -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/graphql", "query_string": b"", "root_path": "",
        "headers": [(b"authorization", f"Bearer {KEY}".encode()), (b"content-type", b"application/json")],
    }  # fmt: skip
    await small.app(scope, receive, send)

    assert sent == []
