"""Articles of another system as JSON lines, read by a map that says which field is what.

    article: id            # the field with the article's name
    title: title
    body: body             # Markdown. With front matter of the other system's, its `title` is the title
    topics: [hub]          # fields with one topic each, or a list of them
    restricted: private    # true there: for employees only, roles AGENT and ADMIN; each line says true or false
    at: revised_at         # when it was published; then each line is a version, and several are a history
    reason: commit
    author: editor
    locale: en             # not a field: of all lines

Without `at` each line is an article, which is published now.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from steadylight_server.core import document
from steadylight_server.core.clock import in_milliseconds
from steadylight_server.core.errors import Invalid
from steadylight_server.knowledge.audience import EMPLOYEES, EVERYBODY, Audience
from steadylight_server.knowledge.folder import BadFolder, Fault
from steadylight_server.knowledge.models import UNKNOWN, Content, Fragment, State, Version, check_slug
from steadylight_server.knowledge.page import BODY, OWN_LOCALE, Names

_FRONT = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*$\n?", re.DOTALL | re.MULTILINE)
_TITLE = re.compile(r"^title:[ \t]*(?:\"(?P<double>.*)\"|'(?P<single>.*)'|(?P<plain>.*?))[ \t]*$", re.MULTILINE)
_EMPLOYEES = Audience.of(roles=[role.value for role in EMPLOYEES])


class RowMap(BaseModel):
    """Which field of a line is what, for `steadylight articles import`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    article: str = Field(description="The field with the article's name.")
    body: str = Field(description="The field with Markdown.")
    title: str | None = Field(None, description="The field with the title. Left out: from the body's front matter.")
    topics: Annotated[Names, BeforeValidator(lambda given: given or ())] = Field((), description="Fields with topics.")
    restricted: str | None = Field(None, description="The field that is true where only employees may see it.")
    at: str | None = Field(None, description="The field with the time at which it was published.")
    reason: str | None = Field(None, description="The field that says why.")
    author: str | None = Field(None, description="The field that says who.")
    locale: str = Field(OWN_LOCALE, description="The locale of all lines.")


@dataclass(frozen=True)
class Rows:
    """What was read: articles by name, or where the map has `at`, versions by article."""

    articles: Mapping[str, Content]
    histories: Mapping[str, list[Version]]


def read_map(text: str) -> RowMap:
    """The map that the text is. Raises Invalid, with a line for each fault."""
    return document.read(text, RowMap, what="a map of articles", begins="article: …")


def read(file: Path, given: RowMap) -> Rows:
    """What is in the file. Raises BadFolder, with every line that cannot be taken."""
    faults: list[Fault] = []
    articles: dict[str, Content] = {}
    histories: dict[str, list[Version]] = {}
    for number, text in enumerate(file.read_bytes().split(b"\n"), 1):
        if not text.strip():
            continue
        try:
            version = _version(_object(text), given)
            if given.at is not None:
                histories.setdefault(version.article, []).append(version)
            elif version.article in articles:
                raise Invalid(f"{version.article} is there twice.")
            else:
                articles[version.article] = version.content
        except Invalid as error:
            faults.append(Fault(file.name, number, error.message.removesuffix(".")))
    if faults:
        raise BadFolder(faults)
    return Rows(articles, histories)


def _object(text: bytes) -> Mapping[str, Any]:
    try:
        found: Any = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"not JSON: {error}") from None
    if not isinstance(found, dict):
        raise Invalid("not a JSON object")
    return found


def _version(row: Mapping[str, Any], given: RowMap) -> Version:
    slug, body = _text(row, given.article), _text(row, given.body).replace("\r\n", "\n")
    check_slug(slug)
    title = _text(row, given.title) if given.title else None
    front = _FRONT.match(body)
    if front is not None:
        body = body[front.end() :]
        title = title or _front_title(front[1])
    if title is None:
        raise Invalid(f"{given.title or 'title'}: is missing.")
    restricted = row.get(given.restricted) if given.restricted else False
    if not isinstance(restricted, bool):  # what is unclear, or misnamed in the map, is shown to nobody by mistake
        raise Invalid(f"{given.restricted}: true or false is wanted.")
    audience = _EMPLOYEES if restricted else EVERYBODY
    topics = dict.fromkeys(topic for field in given.topics for topic in _topics(row, field))
    fragment = Fragment(BODY, body, given.locale, audience)
    content = Content({given.locale: title}, given.locale, (fragment,), tuple(topics)).arranged()
    content.check()
    at = _moment(_text(row, given.at), given.at) if given.at else datetime.now(UTC)
    author = _text(row, given.author) if given.author else UNKNOWN
    return Version(slug, 0, State.PUBLISHED, content, author, _text(row, given.reason) if given.reason else "", at)


def _text(row: Mapping[str, Any], field: str) -> str:
    value = row.get(field)
    if not isinstance(value, str) or not value.strip():
        raise Invalid(f"{field}: text is wanted.")
    return value


def _topics(row: Mapping[str, Any], field: str) -> Iterable[str]:
    value = row.get(field)
    listed = value if isinstance(value, list) else [] if value is None else [value]
    if not all(isinstance(one, str) for one in listed):
        raise Invalid(f"{field}: text is wanted, or a list of texts.")
    return [one for one in listed if one.strip()]


def _front_title(front: str) -> str | None:
    found = _TITLE.search(front)
    return (found["double"] or found["single"] or found["plain"] or None) if found else None


def _moment(text: str, field: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        return in_milliseconds(at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC))
    except (ValueError, OverflowError):
        raise Invalid(f"{field}: a time such as 2026-11-20T09:30:00Z is wanted.") from None
