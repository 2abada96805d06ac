"""Articles, their fragments and versions, as the rest of the server sees them.

An article is one subject. It is made of fragments, each for an audience; the same fragment may be there in several
locales. What it says is its content, and each change of that, or of its state, is a version: nothing is overwritten.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from steadylight_server.core.errors import Invalid
from steadylight_server.core.paging import Position
from steadylight_server.knowledge.audience import EVERYBODY, Audience, line

MOST_SLUG = 200
MOST_TITLE = 300
MOST_NAME = 100  # of an owner, a topic, a capability, a type of journey
MOST_NAMES = 50  # of one kind in an article
MOST_FRAGMENTS = 200
MOST_BODY = 100_000
MOST_SHORT = 2_000  # of what is spoken or sent as a text message
MOST_CHARACTERS = 1_000_000  # of a whole article: a document of the database holds 16 MB
MOST_REASON = 500

MARK = "<!-- fragment"  # the line that begins a fragment in a file
NOBODY = "There is no such article."
CHANGED = "Somebody else changed this article meanwhile. Read it again, and look at what they did."
UNKNOWN = "unknown"  # an author of whom nobody said who it was

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)*")
_FRAGMENT = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
_MARK = re.compile(rf"^{MARK}\s*$", re.MULTILINE)
_BLANK = re.compile(r"\A(?:[ \t]*\n)+")
_LOCALE = re.compile(r"([A-Za-z]{2,3})(?:-([A-Za-z]{4}))?(?:-([A-Za-z]{2}|\d{3}))?")


class State(StrEnum):
    """Where an article stands, and what a version made of it."""

    DRAFT = "DRAFT"  # written; shown to nobody who may not edit
    PUBLISHED = "PUBLISHED"
    EXPIRED = "EXPIRED"  # it was published, and is shown no more


@dataclass(frozen=True)
class Fragment:
    """A part of an article for one audience, in one locale. `body` is Markdown.

    `spoken` and `sms` are short forms of it for a voice and for a text message; None where nobody wrote one.
    """

    id: str
    body: str
    locale: str
    audience: Audience = EVERYBODY
    heading: str | None = None
    spoken: str | None = None
    sms: str | None = None


@dataclass(frozen=True)
class Content:
    """What an article says. `titles` has one for `locale`, the article's own; `fragments` are in the order of reading.

    `capabilities` and `journeys` are names of those it helps with; `topics` are what it is about. From `expires_at` on
    nobody is shown it.
    """

    titles: Mapping[str, str]
    locale: str
    fragments: tuple[Fragment, ...] = ()
    topics: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    journeys: tuple[str, ...] = ()
    owner: str | None = None
    review_on: date | None = None
    expires_at: datetime | None = None

    def is_over(self, at: datetime) -> bool:
        """Whether nobody is shown it at that moment any more."""
        return self.expires_at is not None and self.expires_at <= at

    @property
    def title(self) -> str:
        """In the article's own locale."""
        return self.titles[self.locale]

    @property
    def audiences(self) -> frozenset[Audience]:
        """Those of its fragments, each once."""
        return frozenset(fragment.audience for fragment in self.fragments)

    def arranged(self) -> "Content":
        """The same in the one order in which it is kept, so that what says the same is equal, however it was written.

        The own locale comes first, the others by name; in each, fragments are in the order of reading, which is that of
        the own locale, then of what is in others alone. Blank lines around a body go, and what is short is one line.
        """
        places = sorted(self.fragments, key=lambda one: (one.locale != self.locale, one.locale))
        order = {id: place for place, id in enumerate(dict.fromkeys(one.id for one in places))}
        places.sort(key=lambda one: (one.locale != self.locale, one.locale, order[one.id]))
        return replace(
            self,
            titles={locale: line(title) for locale, title in self.titles.items()},
            fragments=tuple(map(_tidy, places)),
            topics=tuple(map(line, self.topics)),
            capabilities=tuple(map(line, self.capabilities)),
            journeys=tuple(map(line, self.journeys)),
            owner=None if self.owner is None else line(self.owner),
        )

    def check(self) -> None:
        """Raises Invalid for what breaks a rule; the message says where."""
        _check_locale(self.locale)
        if self.locale not in self.titles:
            raise Invalid(f"title: there is none in {self.locale}, the article's own locale.")
        for locale, title in self.titles.items():
            _check_locale(locale)
            if not title.strip() or len(title) > MOST_TITLE:
                raise Invalid(f"title: 1 to {MOST_TITLE} characters.")
        if not 0 < len(self.fragments) <= MOST_FRAGMENTS:
            raise Invalid(f"fragments: 1 to {MOST_FRAGMENTS} of them.")
        seen = set()
        for fragment in self.fragments:
            check_fragment(fragment)
            if (fragment.id, fragment.locale) in seen:
                raise Invalid(f"fragments: {fragment.id} is there twice in {fragment.locale}.")
            seen.add((fragment.id, fragment.locale))
        _check_names("topics", self.topics)
        _check_names("capabilities", self.capabilities)
        _check_names("journeys", self.journeys)
        _check_names("owner", [] if self.owner is None else [self.owner])
        texts = ((one.heading, one.body, one.spoken, one.sms, one.audience.text) for one in self.fragments)
        told = [text or "" for several in texts for text in several]
        if sum(map(len, told)) > MOST_CHARACTERS:
            raise Invalid(f"fragments: at most {MOST_CHARACTERS:,} characters together.")
        told += [*self.titles.values(), *self.topics, *self.capabilities, *self.journeys, self.owner or ""]
        if not all(map(_is_text, told)):
            raise Invalid("What an article says is text: no halves of characters, and no zeros.")


@dataclass(frozen=True)
class Version:
    """One change of an article, whole. `number` counts from 1 within the article; `author` is a name, or "unknown"."""

    article: str
    number: int
    state: State
    content: Content
    author: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class Article:
    """An article as it stands. `published` is what is shown, None where nothing is. `number` is of its latest version,
    `draft` of one that was written since it was last published or expired.

    `revision` counts its changes: whoever changes it names the one that they read.
    """

    slug: str
    state: State
    number: int
    revision: int
    updated_at: datetime
    published: Version | None = None
    draft: int | None = None

    def shown_at(self, at: datetime) -> Version | None:
        """What is shown at that moment: what is published, until it ends by itself."""
        return None if self.published is None or self.published.content.is_over(at) else self.published

    def state_at(self, at: datetime) -> State:
        """Where it stands at that moment: what has ended by itself is EXPIRED, too."""
        is_over = self.published is not None and self.published.content.is_over(at)
        return State.EXPIRED if is_over else self.state


@dataclass(frozen=True)
class ArticleFilter:
    """Which articles. What is None is open; the rest must all hold.

    `review_before` asks for those whose review date is earlier; the others for what the article names.
    """

    capability: str | None = None
    journey: str | None = None
    topic: str | None = None
    review_before: date | None = None


EVERY = ArticleFilter()


@dataclass(frozen=True)
class Shown:
    """What of an article is for one viewer: its fragments in the order of reading, each in the best locale.

    `locale` is the one asked for, or the article's own where none was.
    """

    slug: str
    version: int
    title: str
    locale: str
    fragments: tuple[Fragment, ...]
    updated_at: datetime
    content: Content = field(repr=False)


class Showing(NamedTuple):
    """Somebody was shown a version of an article: through what, when, and which of its fragments.

    `position` is the action's place in time. `hash` is of what was shown, as `rendering` was; see `render.hashed`.
    """

    id: UUID
    position: Position
    article: str
    version: int
    profile_id: UUID
    at: datetime
    channel: str
    contact: str | None = None
    fragments: tuple[str, ...] = ()
    rendering: str | None = None
    locale: str | None = None
    hash: str | None = None


def locale(text: str) -> str:
    """A locale as it is kept: `de`, `de-CH`, `zh-Hant-TW`. Raises Invalid for what is none (BCP 47: language, script,
    region).
    """
    found = _LOCALE.fullmatch(text.replace("_", "-"))
    if found is None:
        raise Invalid(f"{text[:50]!r} is no locale such as en or de-CH.")
    language, script, region = found.groups()
    return "-".join(part for part in (language.lower(), script and script.title(), region and region.upper()) if part)


def fallbacks(wanted: str | None, own: str) -> Sequence[str]:
    """Where to look for a text, the best first: de-CH, de, then the article's own locale in the same way (RFC 4647)."""
    found: list[str] = []
    for one in (wanted, own):
        parts = one.split("-") if one else []
        found += ["-".join(parts[:end]) for end in range(len(parts), 0, -1)]
    return list(dict.fromkeys(found))


def check_slug(slug: str) -> None:
    """Raises Invalid for what cannot name an article."""
    if len(slug) > MOST_SLUG or not _SLUG.fullmatch(slug):
        raise Invalid(
            f"{slug[:50]!r} is no article's name: at most {MOST_SLUG} lower-case letters, digits, hyphens and"
            " underscores, in parts divided by slashes."
        )


def _tidy(one: Fragment) -> Fragment:
    body = _BLANK.sub("", one.body.replace("\r\n", "\n").replace("\r", "\n")).rstrip()
    heading, spoken, sms = (text and line(text) for text in (one.heading, one.spoken, one.sms))
    return replace(one, body=body, heading=heading, spoken=spoken, sms=sms)


def _check_locale(given: str) -> None:
    if locale(given) != given:
        raise Invalid(f"A locale is written {locale(given)!r}, not {given!r}.")


def check_fragment(one: Fragment) -> None:
    """Raises Invalid for a fragment that breaks a rule."""
    if not _FRAGMENT.fullmatch(one.id):
        raise Invalid(f"fragments: {one.id[:50]!r} is no name: up to 100 lower-case letters, digits and hyphens.")
    _check_locale(one.locale)
    if not one.body.strip() or len(one.body) > MOST_BODY:
        raise Invalid(f"fragments: the body of {one.id} has 1 to {MOST_BODY:,} characters.")
    if _MARK.search(one.body):
        raise Invalid(f"fragments: a line of {one.id} is `{MARK}`, which divides fragments in a file.")
    if one.heading is not None and not 0 < len(one.heading.strip()) <= MOST_TITLE:
        raise Invalid(f"fragments: the heading of {one.id} has 1 to {MOST_TITLE} characters.")
    for name, short in (("spoken", one.spoken), ("sms", one.sms)):
        if short is not None and not 0 < len(short.strip()) <= MOST_SHORT:
            raise Invalid(f"fragments: {name} of {one.id} has 1 to {MOST_SHORT:,} characters.")


def _is_text(given: str) -> bool:
    try:
        return "\0" not in given and bool(given.encode()) is bool(given)
    except UnicodeEncodeError:
        return False


def _check_names(what: str, names: Sequence[str]) -> None:
    if len(names) > MOST_NAMES or len(set(names)) < len(names):
        raise Invalid(f"{what}: at most {MOST_NAMES}, each once.")
    if any(not 0 < len(name.strip()) <= MOST_NAME for name in names):
        raise Invalid(f"{what}: each has 1 to {MOST_NAME} characters.")
