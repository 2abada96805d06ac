"""One way for all logs: structlog's, the standard library's and uvicorn's leave as JSON lines or as text on stderr.

A traceback is written without its exceptions' messages, since a driver's or a validator's message names the values it
choked on, and those are a customer's. Level `debug`, meant for a developer's own machine, shows them.
"""

import logging
import sys
import traceback
from collections.abc import Iterator
from typing import Literal, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger


def configure(
    level: Literal["debug", "info", "warning", "error"] = "info",
    format: Literal["json", "console"] = "json",
    stream: TextIO | None = None,
) -> None:
    """Sends every log line of this process to `stream` (stderr if None). Call once, at start; again replaces.

    Give uvicorn `log_config=None`, or it puts its own handlers back.
    """
    stream = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor] = [_traceback(shows_values=level == "debug"), _renderer(format, stream)]
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
    )
    _take_over_the_standard_library(threshold, stream, shared, last)


def _take_over_the_standard_library(
    threshold: int, stream: TextIO, shared: list[Processor], last: list[Processor]
) -> None:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Not below INFO: at DEBUG the database driver logs whole commands, with customers' data.
    root.setLevel(max(threshold, logging.INFO))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.asgi"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    # Its lines carry the query string, which a GET puts variables into; core/requests writes ours.
    logging.getLogger("uvicorn.access").disabled = True
    for name in ("pymongo", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)


def _renderer(format: Literal["json", "console"], stream: TextIO) -> Processor:
    if format == "console":
        return structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)
    return structlog.processors.JSONRenderer(
        serializer=lambda event, **_: orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    )


def _traceback(*, shows_values: bool) -> Processor:
    def render(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
        error = event.pop("exc_info", None)
        if error is True:
            error = sys.exc_info()
        if isinstance(error, tuple):
            error = error[1]
        if isinstance(error, BaseException):
            event["exception"] = "".join(traceback.format_exception(error)) if shows_values else describe(error)
        return event

    return render


def describe(error: BaseException) -> str:
    """The stack and type of an error and of what led to it, the first cause first; no messages."""
    return "\n".join(
        f"{''.join(traceback.format_tb(link.__traceback__))}{type(link).__module__}.{type(link).__qualname__}"
        for link in _chain(error)
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    led_to_it = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if led_to_it is not None:
        yield from _chain(led_to_it)
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from _chain(member)
    yield error
