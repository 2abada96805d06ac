"""One article in one locale as a file of Markdown with YAML front matter, read and written.

    ---
    title: Roaming charges
    owner: a.singh
    review_on: 2027-01-31
    expires: 2027-06-30
    topics: [roaming, costs]
    ---
    What comes first is the fragment `body`, for everybody.

    <!-- fragment
    id: refunds
    heading: Refunds
    audience: {roles: [AGENT, ADMIN], condition: 'customer.age >= 18'}
    sms: Up to £50 without asking.
    -->
    What follows is a fragment of its own, up to the next such comment, which no Markdown viewer shows.

The front matter of the article's own locale may say `locale` (else it is en), `owner`, `review_on`, `expires`,
`topics`, `capabilities` and `journeys`; that of another locale says the `title` there, or nothing. `audience` in it is
that of each fragment of the file that names none. From `expires` on nobody is shown the article: a moment such as
2027-06-30T18:00:00+02:00, or a day, which ends it when that day begins, in UTC.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import pairwise
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from steadylight_server.core import document
from steadylight_server.core.clock import in_milliseconds
from steadylight_server.core.errors import Invalid
from steadylight_server.knowledge.audience import EVERYBODY, Audience
from steadylight_server.knowledge.models import MARK, MOST_FRAGMENTS, Content, Fragment, check_fragment

OWN_LOCALE = "en"
BODY = "body"  # the fragment before the first comment
_FENCE, _END = "---", "-->"
_MOST_CHARACTERS = 2_000_000
_LINE = re.compile(r"^line (\d+): ", re.MULTILINE)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOMENT = re.compile(rf"{_DAY.pattern}[Tt ]\d\d:\d\d:\d\d(\.\d{{1,6}})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _listed(given: object) -> object:
    """One is a list of one."""
    return [given] if isinstance(given, str) else given


def _moment(given: object) -> object:
    """A moment as RFC 3339 with its offset, or a day, for when it begins in UTC. Raises ValueError."""
    if given is None:
        return None
    try:
        if isinstance(given, str) and _DAY.fullmatch(given):
            return datetime.combine(date.fromisoformat(given), time(), UTC)
        if isinstance(given, str) and _MOMENT.fullmatch(given):
            return in_milliseconds(datetime.fromisoformat(given.upper()).astimezone(UTC))
    except (ValueError, OverflowError):
        pass
    raise ValueError("a day such as 2027-06-30 is wanted, or a moment such as 2027-06-30T18:00:00Z")


Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class For(_Closed):
    """For whom a fragment is, as it is written down."""

    roles: Names = ()
    segments: Names = ()
    channels: Names = ()
    products: Names = ()
    regions: Names = ()
    condition: str | None = None

    def audience(self) -> Audience:
        """Raises Invalid."""
        return Audience.of(**self.model_dump())


class Front(_Closed):
    """What is said of the article, or of it in one locale."""

    title: str | None = None
    locale: str | None = None
    owner: str | None = None
    review_on: date | None = None
    expires: Annotated[datetime | None, BeforeValidator(_moment)] = None
    topics: Names = ()
    capabilities: Names = ()
    journeys: Names = ()
    audience: For | None = None


class _Head(_Closed):
    id: str = Field(description="Within the article.")
    heading: str | None = None
    audience: For | None = None
    spoken: str | None = None
    sms: str | None = None


class Faults(Exception):
    """What is wrong with a file: each with its line, in the order of the file."""

    def __init__(self, faults: Sequence[tuple[int, str]]) -> None:
        super().__init__("; ".join(f"line {line}: {message}" for line, message in faults))
        self.faults = sorted(faults)


@dataclass(frozen=True)
class Page:
    """A file as it was read, and on which line each fragment begins, by its id."""

    front: Front
    fragments: tuple[Fragment, ...]
    lines: dict[str, int]


def read(text: str, locale: str) -> Page:
    """The file that the text is, its fragments in that locale unless the front matter names one. Raises Faults."""
    if len(text) > _MOST_CHARACTERS:
        raise Faults([(1, f"a file has at most {_MOST_CHARACTERS:,} characters")])
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    end = _closing(lines, 0, _FENCE) if lines[0].rstrip() == _FENCE else None
    if end is None:
        raise Faults([(1, "a file begins with front matter, between two lines of `---`")])
    faults: list[tuple[int, str]] = []
    front = _part(lines[1:end], 1, Front, faults, what="front matter", begins="title: …")
    shared = _audience(front.audience if front else None, 1, faults)
    locale = (front.locale if front else None) or locale
    found: dict[str, Fragment] = {}
    places: dict[str, int] = {}
    for line, head, body in _pieces(lines, end + 1, faults):
        made = Fragment(
            head.id,
            body,
            locale,
            _audience(head.audience, line, faults) if head.audience else shared,
            head.heading,
            head.spoken,
            head.sms,
        )
        try:
            check_fragment(made)
            if made.id in found:
                raise Invalid(f"the fragment {made.id} begins on line {places[made.id]} already.")
        except Invalid as error:
            faults.append((line, error.message.removeprefix("fragments: ").removesuffix(".")))
        found.setdefault(made.id, made)
        places.setdefault(made.id, line)
    if faults or front is None:
        raise Faults(faults)
    return Page(front, tuple(found.values()), places)


def written(content: Content, locale: str) -> str:
    """The file of an article in one of its locales. `read` gives the same again."""
    front: dict[str, Any] = {"title": content.titles[locale]} if locale in content.titles else {}
    if locale == content.locale:
        front |= {"locale": locale} if locale != OWN_LOCALE else {}
        front |= {"owner": content.owner, "review_on": content.review_on, "expires": _expires(content.expires_at)}
        front |= {"topics": content.topics, "capabilities": content.capabilities, "journeys": content.journeys}
    parts = [f"{_FENCE}\n{_yaml(front)}{_FENCE}"]
    for place, one in enumerate(one for one in content.fragments if one.locale == locale):
        head = {"id": one.id, "heading": one.heading, "audience": _for(one.audience), "spoken": one.spoken}
        is_plain = place == 0 and one == Fragment(BODY, one.body, locale)
        parts.append(one.body if is_plain else f"{MARK}\n{_yaml({**head, 'sms': one.sms})}{_END}\n{one.body}")
    return "\n\n".join(parts).replace(f"{_FENCE}\n\n", f"{_FENCE}\n", 1) + "\n"


def _pieces(lines: Sequence[str], start: int, faults: list[tuple[int, str]]) -> Sequence[tuple[int, _Head, str]]:
    """The fragments after the front matter: the line on which each begins, what it says of itself, its body."""
    marks = [number for number in range(start, len(lines)) if lines[number].rstrip() == MARK]
    if len(marks) > MOST_FRAGMENTS:  # each is YAML, which is slow to read
        raise Faults([*faults, (marks[MOST_FRAGMENTS] + 1, f"a file has at most {MOST_FRAGMENTS} fragments")])
    first = "\n".join(lines[start : marks[0] if marks else len(lines)])
    found = [(start + 1, _Head(id=BODY), first)] if first.strip() else []
    for number, after in pairwise([*marks, len(lines)]):
        end = _closing(lines[:after], number, _END)
        if end is None:
            faults.append((number + 1, f"the comment that begins here ends with a line `{_END}`"))
            continue
        head = _part(lines[number + 1 : end], number + 1, _Head, faults, what="a fragment's comment", begins="id: …")
        if head is not None:
            found.append((number + 1, head, "\n".join(lines[end + 1 : after])))
    return found


def _closing(lines: Sequence[str], start: int, end: str) -> int | None:
    """The first line after `start` that is `end`."""
    return next((number for number in range(start + 1, len(lines)) if lines[number].rstrip() == end), None)


def _part(
    lines: Sequence[str],
    before: int,
    model: type[document.M],
    faults: list[tuple[int, str]],
    *,
    what: str,
    begins: str,
) -> document.M | None:
    """The YAML of these lines, before which there are so many in the file."""
    text = "\n".join(lines)
    if model is Front and not text.strip():
        return model()
    try:
        return document.read(text, model, what=what, begins=begins)
    except Invalid as error:
        for one in error.message.split("\n"):
            found = _LINE.match(one) if text.strip() else None
            line = before + int(found[1]) if found else before
            faults.append((line, _LINE.sub("", one, count=1)))
        return None


def _audience(given: For | None, line: int, faults: list[tuple[int, str]]) -> Audience:
    try:
        return given.audience() if given is not None else EVERYBODY
    except Invalid as error:
        faults.append((line, error.message.removesuffix(".")))
        return EVERYBODY


def _expires(at: datetime | None) -> date | str | None:
    """As `_moment` reads it: a day where that says all."""
    if at is None or at.timetz() == time(tzinfo=UTC):
        return at and at.date()
    parts = "milliseconds" if at.microsecond else "seconds"
    return at.replace(tzinfo=None).isoformat(timespec=parts) + "Z"


def _for(audience: Audience) -> dict[str, Any]:
    sets = ("roles", "segments", "channels", "products", "regions")
    told = {name: sorted(map(str, getattr(audience, name))) for name in sets}
    return {name: value for name, value in {**told, "condition": audience.condition}.items() if value}


def _yaml(said: dict[str, Any]) -> str:
    """A line for each that says anything; lists stay on theirs."""

    def line(name: str, value: Any) -> str:
        plain = list(value) if isinstance(value, tuple) else value
        flow = None if isinstance(plain, list | dict) else False
        return yaml.safe_dump({name: plain}, sort_keys=False, allow_unicode=True, width=10**9, default_flow_style=flow)

    return "".join(line(name, value) for name, value in said.items() if value)
