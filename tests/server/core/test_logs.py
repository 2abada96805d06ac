"""One format for all logs, and no customer's data in a traceback."""

import json
import logging
import warnings
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
import structlog

from steadylight_server.core.logs import configure, describe

SECRET = "ann@example.org"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    logging.getLogger("uvicorn.access").disabled = False
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def stream() -> StringIO:
    return StringIO()


def lines(stream: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def fail() -> None:
    try:
        raise KeyError(SECRET)
    except KeyError as error:
        raise RuntimeError(SECRET) from error


def test_a_line_is_json_with_time_level_and_what_is_bound(stream: StringIO) -> None:
    configure(stream=stream)
    structlog.contextvars.bind_contextvars(request_id="request-1")

    structlog.get_logger().info("request", path="/graphql", kind=int)

    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "request",
        "level": "info",
        "request_id": "request-1",
        "path": "/graphql",
        "kind": "<class 'int'>",
    }


@pytest.mark.parametrize("name", ["uvicorn.error", "some.library"])
def test_the_standard_librarys_lines_look_the_same(stream: StringIO, name: str) -> None:
    configure(stream=stream)
    structlog.contextvars.bind_contextvars(request_id="request-1")

    logging.getLogger(name).warning("Disk %s is full", "a")

    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "Disk a is full", "level": "warning", "logger": name, "request_id": "request-1"}


def test_uvicorns_access_lines_are_dropped_since_they_carry_the_query(stream: StringIO) -> None:
    configure(stream=stream)

    logging.getLogger("uvicorn.access").info("GET /graphql?variables=%s", SECRET)

    assert stream.getvalue() == ""


def test_a_warning_is_a_line(stream: StringIO) -> None:
    configure(stream=stream)

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.warn("old", DeprecationWarning, stacklevel=1)

    (line,) = lines(stream)
    assert line["logger"] == "py.warnings"
    assert "DeprecationWarning: old" in line["event"]


def test_less_than_the_level_is_not_written(stream: StringIO) -> None:
    configure("warning", stream=stream)

    structlog.get_logger().info("request")
    logging.getLogger("some.library").info("request")
    structlog.get_logger().warning("slow")

    assert [line["event"] for line in lines(stream)] == ["slow"]


def test_debug_is_ours_alone_since_the_driver_would_show_its_commands(stream: StringIO) -> None:
    configure("debug", stream=stream)

    structlog.get_logger().debug("ours")
    logging.getLogger("pymongo.command").debug(SECRET)
    logging.getLogger("some.library").debug(SECRET)

    assert [line["event"] for line in lines(stream)] == ["ours"]


@pytest.mark.parametrize("through", ["structlog", "stdlib"])
def test_a_traceback_shows_the_stack_and_the_types_without_messages(stream: StringIO, through: str) -> None:
    configure(stream=stream)
    logger = structlog.get_logger() if through == "structlog" else logging.getLogger("some.library")

    try:
        fail()
    except RuntimeError:
        logger.exception("failed")

    (line,) = lines(stream)
    assert SECRET not in stream.getvalue()
    assert line["exception"].index("builtins.KeyError") < line["exception"].index("builtins.RuntimeError")
    assert "in fail" in line["exception"]


def test_a_traceback_on_a_developers_machine_shows_messages(stream: StringIO) -> None:
    configure("debug", stream=stream)

    try:
        fail()
    except RuntimeError as error:
        structlog.get_logger().error("failed", exc_info=error)

    (line,) = lines(stream)
    assert f"RuntimeError: {SECRET}" in line["exception"]


def test_nothing_to_trace_is_no_traceback(stream: StringIO) -> None:
    configure(stream=stream)

    structlog.get_logger().error("failed", exc_info=True)

    assert "exception" not in lines(stream)[0]


def test_the_members_of_a_group_are_described() -> None:
    group = ExceptionGroup("both", [ValueError(SECRET), OSError(SECRET)])

    assert describe(group) == "builtins.ValueError\nbuiltins.OSError\nbuiltins.ExceptionGroup"


def test_the_console_format_is_text(stream: StringIO) -> None:
    configure(format="console", stream=stream)

    structlog.get_logger().info("request", path="/graphql")
    try:
        fail()
    except RuntimeError:
        structlog.get_logger().exception("failed")

    assert "[info     ] request" in stream.getvalue()
    assert "path=/graphql" in stream.getvalue()
    assert "builtins.KeyError" in stream.getvalue()
    assert SECRET not in stream.getvalue()
