"""Scalars: times as RFC 3339 in UTC, and the documents of the bulk paths, each described by a JSON Schema."""

from datetime import UTC, date, datetime
from typing import Any, NewType

import strawberry
from pydantic import TypeAdapter, ValidationError
from strawberry.types.scalar import ScalarDefinition

from steadylight_server.core.errors import Invalid
from steadylight_server.ingest.models import Time

Json = NewType("Json", object)
Counter = NewType("Counter", int)
ActionBatch = NewType("ActionBatch", object)
VerdictBatch = NewType("VerdictBatch", object)
ContextDocument = NewType("ContextDocument", object)
ArticleDocument = NewType("ArticleDocument", object)
SearchDocument = NewType("SearchDocument", object)

_time = TypeAdapter(Time)


def written(at: datetime) -> str:
    """RFC 3339, UTC, milliseconds: `2026-11-22T09:30:00.125Z`."""
    text = at.isoformat(timespec="milliseconds")  # which asks for the offset; an answer has dozens of times
    return f"{text[:-6]}Z" if text.endswith("+00:00") else written(at.astimezone(UTC))


def _read(value: Any) -> datetime:
    try:
        return _time.validate_python(value).astimezone(UTC)
    except (ValidationError, OverflowError):
        raise Invalid("A DateTime reads like 2026-11-22T09:30:00Z: RFC 3339, with its offset.") from None


def _day(value: Any) -> date:
    try:
        if isinstance(value, str) and len(value) == 10:  # Python's own reads weeks, too, and days without hyphens
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise Invalid("A Date reads like 2026-11-22.")


def _counted(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**53:
        raise Invalid("A Counter is a whole number from 0 to 2^53 - 1.")
    return value


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A moment as RFC 3339, given in UTC with milliseconds: `2026-11-22T09:30:00.125Z`.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=written,
        parse_value=_read,
    ),
    Json: strawberry.scalar(
        name="JSON", description="Any JSON value.", specified_by_url="https://www.rfc-editor.org/rfc/rfc8259"
    ),
    Counter: strawberry.scalar(
        name="Counter",
        description="A whole number from 0 to 2^53 - 1, which every JSON reader holds exactly.",
        parse_value=_counted,
    ),
    ActionBatch: strawberry.scalar(
        name="ActionBatch",
        description="Up to 500 actions in one JSON object, and when they were sent. Its names are in snake_case.",
        specified_by_url="actions.schema.json",
    ),
    VerdictBatch: strawberry.scalar(
        name="VerdictBatch",
        description="What became of each action of a batch: counts, one letter per action, and the exceptions in full.",
        specified_by_url="verdicts.schema.json",
    ),
    ContextDocument: strawberry.scalar(
        name="ContextDocument",
        description="A whole context in one JSON object: what `Context` says, at a fraction of the cost.",
        specified_by_url="context.schema.json",
    ),
    ArticleDocument: strawberry.scalar(
        name="ArticleDocument",
        description="What of an article is for the viewer in one JSON object, in every rendering.",
        specified_by_url="article.schema.json",
    ),
    SearchDocument: strawberry.scalar(
        name="SearchDocument",
        description="What was found for the viewer in one JSON object: what `SearchResults` says, at less of the cost.",
        specified_by_url="search.schema.json",
    ),
    date: strawberry.scalar(
        name="Date",
        description="A day: `2026-11-22`.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=date.isoformat,
        parse_value=_day,
    ),
}
