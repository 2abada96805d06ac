"""What a caller is told when something fails, and what only the log is told."""

import httpx
import pytest
from structlog.testing import capture_logs

from tests.server.api.small import SECRET, Small

MASKED = "Something went wrong on our side."


@pytest.mark.parametrize("code", ["NOT_FOUND", "CONFLICT", "INVALID", "UNAUTHENTICATED", "FORBIDDEN", "TOO_COMPLEX"])
async def test_an_expected_error_is_told_as_it_is_and_not_logged_as_an_error(
    client: httpx.AsyncClient, code: str
) -> None:
    with capture_logs() as logs:
        response = await client.post("/graphql", json={"query": f'{{ refuse(code: "{code}") }}'})

    (error,) = response.json()["errors"]
    assert (error["message"], error["path"]) == (f"No: {code}.", ["refuse"])
    assert error["extensions"] == {"code": code, "requestId": response.headers["x-request-id"]}
    assert [(line["event"], line["log_level"]) for line in logs] == [("refused", "info"), ("request", "info")]


async def test_what_may_be_tried_again_says_when(client: httpx.AsyncClient) -> None:
    response = await client.post("/graphql", json={"query": '{ refuse(code: "UNAVAILABLE") }'})

    (error,) = response.json()["errors"]
    assert error["extensions"]["retryAfter"] == 2.5


@pytest.mark.parametrize("query", ["{ broken }", "{ maybe { broken } }", "{ misfit }"])
async def test_what_is_unexpected_is_masked_and_logged_once_with_its_stack(
    client: httpx.AsyncClient, query: str
) -> None:
    with capture_logs() as logs:
        response = await client.post("/graphql", json={"query": query})

    (error,) = response.json()["errors"]
    assert error["message"] == MASKED
    assert error["extensions"] == {"code": "INTERNAL", "requestId": response.headers["x-request-id"]}
    assert SECRET not in response.text
    (logged,) = [line for line in logs if line["log_level"] == "error"]
    assert logged["path"] == error["path"]
    assert isinstance(logged["exc_info"], Exception)
    assert logged["exc_info"].__traceback__ is not None


async def test_every_error_of_a_request_is_shown_apart(client: httpx.AsyncClient) -> None:
    query = '{ maybe { broken } a: refuse(code: "CONFLICT") b: refuse(code: "NOT_FOUND") }'

    response = await client.post("/graphql", json={"query": query})

    codes = {error["path"][0]: error["extensions"]["code"] for error in response.json()["errors"]}
    assert codes == {"maybe": "INTERNAL", "a": "CONFLICT", "b": "NOT_FOUND"}


async def test_a_document_that_is_refused_twice_has_the_request_id_of_each(client: httpx.AsyncClient) -> None:
    first = await client.post("/graphql", json={"query": "{ nothing }"})
    second = await client.post("/graphql", json={"query": "{ nothing }"})

    for response in (first, second):
        (error,) = response.json()["errors"]
        assert error["extensions"] == {"code": "INVALID", "requestId": response.headers["x-request-id"]}


@pytest.mark.parametrize(
    ("method", "path", "status", "message", "code"),
    [
        ("GET", "/nowhere", 404, "Not Found", "NOT_FOUND"),
        ("DELETE", "/metrics", 405, "Method Not Allowed", "INVALID"),
        ("GET", "/conflict", 409, "Taken.", "CONFLICT"),
        ("GET", "/crash", 500, MASKED, "INTERNAL"),
    ],
)
async def test_an_error_outside_of_graphql_has_the_same_shape(
    client: httpx.AsyncClient, method: str, path: str, status: int, message: str, code: str
) -> None:
    response = await client.request(method, path)

    extensions = {"code": code, "requestId": response.headers["x-request-id"]}
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert response.json() == {"errors": [{"message": message, "extensions": extensions}]}


async def test_a_crash_while_authenticating_shows_only_the_request_id(small: Small, client: httpx.AsyncClient) -> None:
    small.failure = RuntimeError(SECRET)

    with capture_logs() as logs:
        response = await client.post("/graphql", json={"query": "{ __typename }"})

    extensions = {"code": "INTERNAL", "requestId": response.headers["x-request-id"]}
    assert response.status_code == 500
    assert response.json() == {"errors": [{"message": MASKED, "extensions": extensions}]}
    assert [line["event"] for line in logs] == ["unexpected error", "request"]


async def test_showing_an_error_twice_changes_nothing(small: Small) -> None:
    result = await small.schema.execute('{ refuse(code: "CONFLICT") }')
    assert result.errors is not None
    (before,) = result.errors

    small.schema.process_errors(result.errors)

    assert result.errors == [before]
