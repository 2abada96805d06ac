"""Judging what came back."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pytest

from steadylight import (
    Conflict,
    Forbidden,
    Internal,
    Invalid,
    ProtocolError,
    RateLimited,
    SteadylightError,
    Timeout,
    Unauthenticated,
    Unavailable,
)
from steadylight._answers import Response, judge, read, retry_after

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def answer(body: Any, status: int = 200, **headers: str) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


def error(code: str | None = None, **extensions: Any) -> dict[str, Any]:
    return {"errors": [{"message": "No.", "extensions": {**({"code": code} if code else {}), **extensions}}]}


def verdicts(letters: Any, **more: Any) -> dict[str, Any]:
    return {"data": {"recordActions": {"verdicts": {"verdicts": letters, **more}}}}


def test_data_is_read() -> None:
    assert read(answer({"data": {"a": 1}}), NOW) == {"a": 1}


def test_an_error_in_a_200_is_an_error() -> None:
    with pytest.raises(Conflict, match="No") as caught:
        read(answer({"data": None, **error("CONFLICT", requestId="r-1")}), NOW)

    assert caught.value.request_id == "r-1"
    assert caught.value.errors == ({"message": "No.", "extensions": {"code": "CONFLICT", "requestId": "r-1"}},)


def test_partial_data_beside_an_error_is_an_error() -> None:
    with pytest.raises(Invalid):
        read(answer({"data": {"a": 1}, **error("INVALID")}), NOW)


def test_an_error_without_code_is_the_base() -> None:
    with pytest.raises(SteadylightError) as caught:
        read(answer({"errors": [{}]}), NOW)

    assert type(caught.value) is SteadylightError
    assert caught.value.code == "UNKNOWN"
    assert caught.value.message == "The server answered with an error that says nothing."


def test_errors_that_are_no_objects_are_still_an_error() -> None:
    with pytest.raises(SteadylightError, match="says nothing"):
        read(answer({"errors": ["x"]}), NOW)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, Unauthenticated),
        (403, Forbidden),
        (404, ProtocolError),
        (413, Invalid),
        (429, RateLimited),
        (500, Internal),
        (502, Unavailable),
        (503, Unavailable),
    ],
)
def test_without_a_graphql_body_the_status_decides(status: int, kind: type[SteadylightError]) -> None:
    with pytest.raises(SteadylightError, match=f"HTTP {status}") as caught:
        read(answer(b"<html>", status, x_request_id="r-2"), NOW)

    assert type(caught.value) is kind
    assert caught.value.request_id == "r-2"


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"\xff", b"[]", b"{}", b'{"data": null}', b'{"data": [1]}', b"[" * 99_999]
)
def test_garbage_in_a_200_is_a_protocol_error(body: bytes) -> None:
    with pytest.raises(ProtocolError, match="not GraphQL"):
        read(answer(body), NOW)


def test_a_failure_of_the_network_is_raised() -> None:
    with pytest.raises(Timeout, match="late"):
        read(Timeout("late"), NOW)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("3", 3.0),
        ("2.5", 2.5),
        ("-1", 0.0),
        ("99999999", 3600.0),
        ("Sun, 22 Nov 2026 00:00:07 GMT", 7.0),
        ("Sun, 22 Nov 2026 00:00:07", 7.0),
        ("Sat, 21 Nov 2026 00:00:00 GMT", 0.0),
        ("soon", None),
        ("nan", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


def test_the_longer_of_header_and_extension_counts() -> None:
    with pytest.raises(RateLimited) as header:
        read(answer(error("RATE_LIMITED", retryAfter=2), 429, retry_after="5"), NOW)
    with pytest.raises(RateLimited) as extension:
        read(answer(error("RATE_LIMITED", retryAfter=7)), NOW)

    assert (header.value.retry_after, extension.value.retry_after) == (5.0, 7.0)


def test_verdicts_are_read() -> None:
    exception = {"index": 1, "id": "b", "verdict": "REFUSED", "code": "INVALID", "message": "m"}
    warning = {"index": 0, "code": "NEW_TYPE", "message": "w"}

    judgement = judge(answer(verdicts("SX", exceptions=[exception], warnings=[warning], token="t")), 2, NOW)

    assert judgement.letters == "SX"
    assert [asdict(verdict) for verdict in judgement.exceptions] == [exception]
    assert [asdict(notice) for notice in judgement.notices] == [warning]
    assert judgement.token == "t"


@pytest.mark.parametrize(
    "body",
    [
        verdicts("S"),
        verdicts("SSS"),
        verdicts("S?"),
        verdicts(7),
        verdicts("SX", exceptions=[{"index": 1}]),
        {"data": {}},
        {"data": {"recordActions": None}},
        {"data": {"recordActions": {"verdicts": "SS"}}},
    ],
)
def test_verdicts_that_do_not_fit_are_a_protocol_error(body: Any) -> None:
    with pytest.raises(ProtocolError):
        judge(answer(body), 2, NOW)
