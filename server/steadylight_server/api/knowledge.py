"""Articles in the graph, as they are shown: what is for the viewer, and nothing else."""

from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Annotated, Any

import strawberry

from steadylight_server.access.models import Scope
from steadylight_server.api import admission, nodes
from steadylight_server.api.actions import IdentifierInput
from steadylight_server.api.info import Info, viewer
from steadylight_server.api.pages import After, Before, Connection, First, Last, connection
from steadylight_server.api.scalars import ArticleDocument, written
from steadylight_server.core.errors import Forbidden, Invalid, NotFound
from steadylight_server.core.paging import Page, Window
from steadylight_server.identity.models import Identifier as Asserted
from steadylight_server.knowledge.audience import Viewpoint
from steadylight_server.knowledge.models import ArticleFilter as Wanted
from steadylight_server.knowledge.models import Fragment, Shown, locale
from steadylight_server.knowledge.render import REVISION, Rendered, hashed, rendered

_RENDERINGS = ("html", "plain", "sms", "spoken")
_LOCALE = "In which language, such as de-CH; then de, then the article's own. Left out: the article's own."


@strawberry.type(description="A part of an article, as each kind of channel shows it.")
class ArticleFragment:
    fragment: strawberry.Private[Fragment]

    @strawberry.field(description="Within the article.")
    def id(self) -> str:
        return self.fragment.id

    @strawberry.field(description="What stands above it.")
    def heading(self) -> str | None:
        return self.fragment.heading

    @strawberry.field(description="The language that it is in.")
    def locale(self) -> str:
        return self.fragment.locale

    @strawberry.field(description="For pages: cleaned, so that nothing in it runs.")
    def html(self) -> str:
        return self.shown.html

    @strawberry.field(description="In plain text.")
    def plain(self) -> str:
        return self.shown.plain

    @strawberry.field(description="In one line, in the alphabet of text messages.")
    def sms(self) -> str:
        return self.shown.sms

    @strawberry.field(description="For a voice.")
    def spoken(self) -> str:
        return self.shown.spoken

    @cached_property
    def shown(self) -> Rendered:
        """In every rendering; for who asks for none, nothing is rendered."""
        return rendered(self.fragment)


@strawberry.type(description="What of an article is for the viewer.")
class Article(nodes.Node):
    shown: strawberry.Private[Shown]

    @strawberry.field(description="Its name.")
    def slug(self) -> str:
        return self.shown.slug

    @strawberry.field(description="The version that is shown; it goes into `article.shown`.")
    def version(self) -> int:
        return self.shown.version

    @strawberry.field(description="What it is called.")
    def title(self) -> str:
        return self.shown.title

    @strawberry.field(description="The language that was asked for, or the article's own.")
    def locale(self) -> str:
        return self.shown.locale

    @strawberry.field(description="What it is about.")
    def topics(self) -> list[str]:
        return list(self.shown.content.topics)

    @strawberry.field(description="Its fragments that are for the viewer, in the order of reading.")
    def fragments(self) -> list[ArticleFragment]:
        return [ArticleFragment(fragment=one) for one in self.shown.fragments]

    @strawberry.field(description="When what is shown was published.")
    def updated_at(self) -> datetime:
        return self.shown.updated_at

    @strawberry.field(description="From when on nobody is shown it; null for no such moment.")
    def expires_at(self) -> datetime | None:
        return self.shown.content.expires_at


@strawberry.input(one_of=True, description="How to find an article: exactly one of these.")
class ArticleBy:
    id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="Its global id.")
    slug: str | None = strawberry.field(default=strawberry.UNSET, description="Its name.")


@strawberry.input(
    description="For whose eyes it is. Without it, for those of who asks, and a customer of whom nothing is known."
)
class ViewpointInput:
    identifiers: list[IdentifierInput] = strawberry.field(
        default_factory=list, description="Who the customer is, as the channel knows now, at most 10."
    )
    contact: str | None = strawberry.field(default=None, description="The channel's key for the contact under way.")
    locale: str | None = strawberry.field(default=None, description=_LOCALE)
    as_employee: bool | None = strawberry.field(
        default=None,
        description="Whether it is for an employee. Left out: employees are; a channel's key asks for its customer. "
        "Only an ASSISTED channel may say true, and not beside a customer's token.",
    )


@strawberry.input(description="Which articles. What is left out, or null, is open; the rest must all hold.")
class ArticleFilter:
    capability: str | None = strawberry.field(default=None, description="Helping with this capability, by name.")
    journey: str | None = strawberry.field(default=None, description="Helping with this type of journey, by name.")
    topic: str | None = strawberry.field(default=None, description="About this.")
    review_before: date | None = strawberry.field(
        default=None, description="To be looked at again before this day. For who writes articles."
    )


@strawberry.input(description="Which article, for whose eyes.")
class ArticleInput(ViewpointInput):
    slug: str = strawberry.field(description="The article's name.")
    if_none_match: str | None = strawberry.field(
        default=None, description="The `etag` of what is there already: if that is still so, null is the answer."
    )


For = Annotated[ViewpointInput | None, strawberry.argument(name="for", description="For whose eyes.")]


async def viewpoint(info: Info, given: ViewpointInput | None) -> tuple[Viewpoint, str | None]:
    """For whose eyes it is, and in which locale. Raises Forbidden for what the viewer may not say, Invalid."""
    given = given or ViewpointInput()
    wanted = locale(given.locale) if given.locale is not None else None
    found, person = await info.context.services.viewpoints.of(
        viewer(info),
        [Asserted(one.kind, one.value, one.assurance) for one in given.identifiers],
        contact=given.contact,
        as_employee=given.as_employee,
    )
    if given.identifiers or given.contact:
        with admission.looked_up(info):
            await admission.admit(info, *([person] if person else []))
    return found, wanted


def article(shown: Shown) -> Article:
    """What of an article is for the viewer, as the graph shows it."""
    return Article(id=id(shown.slug), shown=shown)


def id(slug: str) -> strawberry.ID:
    """The global id of an article."""
    return strawberry.ID(f"{nodes.ARTICLE}_{slug}")


def slug_of(id: str) -> str:
    """The name in a global id. Raises NotFound."""
    prefix, _, slug = id.partition("_")
    if prefix != nodes.ARTICLE:
        raise nodes.nothing(id)
    return slug


async def by_id(info: Info, id: str) -> Article:
    """An article by its global id, for the viewer's own eyes. Raises NotFound."""
    eyes, _ = await viewpoint(info, None)
    try:
        return article(await info.context.services.knowledge.shown_to(slug_of(id), eyes))
    except NotFound:
        raise nodes.nothing(id) from None


@strawberry.type
class KnowledgeQueries:
    """Reading articles."""

    @strawberry.field(
        description="What of an article is for the viewer. NOT_FOUND alike for one of which nothing is, and for one "
        "that was never there."
    )
    async def article(
        self,
        info: Info,
        by: Annotated[ArticleBy, strawberry.argument(description="How to find it.")],
        for_: For = None,
    ) -> Article | None:
        eyes, wanted = await viewpoint(info, for_)
        slug = by.slug if by.slug else slug_of(by.id or "")
        return article(await info.context.services.knowledge.shown_to(slug, eyes, wanted))

    @strawberry.field(description="The articles of which something is for the viewer, by name.")
    async def articles(
        self,
        info: Info,
        for_: For = None,
        filter: Annotated[ArticleFilter | None, strawberry.argument(description="Which ones; all if left out.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Article]:
        limit = Window.of(first, None, last, None).limit
        which = _wanted(info, filter)
        eyes, wanted = await viewpoint(info, for_)
        found = await info.context.services.knowledge.listed(
            eyes,
            wanted,
            after=_read(after),
            before=_read(before),
            backwards=last is not None,
            limit=limit + 1,
            filter=which,
        )
        sides = {"is_after": after is not None, "is_before": before is not None}
        page = Page.cut(found, limit, backwards=last is not None, **sides)
        return connection(page, article, lambda one: str(id(one.slug)))

    @strawberry.field(description="What of an article is for the viewer in one JSON object, which the SDK reads.")
    async def article_document(
        self, info: Info, input: Annotated[ArticleInput, strawberry.argument(description="Which, for whose eyes.")]
    ) -> ArticleDocument | None:
        eyes, wanted = await viewpoint(info, input)
        knowledge = info.context.services.knowledge
        shown = await knowledge.shown_to(input.slug, eyes, wanted)
        etag = _etag(shown)
        if input.if_none_match == etag:
            return None
        return ArticleDocument(document(shown, etag, knowledge.lasts(shown)))


def document(shown: Shown, etag: str, lasts: timedelta | None) -> dict[str, Any]:
    """As article.schema.json says."""
    ends = shown.content.expires_at
    parts = [(one, rendered(one)) for one in shown.fragments]
    return {
        "id": id(shown.slug),
        "slug": shown.slug,
        "version": shown.version,
        "title": shown.title,
        "locale": shown.locale,
        "topics": list(shown.content.topics),
        "updated_at": written(shown.updated_at),
        **({"expires_at": written(ends)} if ends is not None else {}),
        **max_age(lasts),
        "fragments": [_fragment(one, made) for one, made in parts],
        "hashes": {name: hashed(getattr(made, name) for _, made in parts) for name in _RENDERINGS},
        "etag": etag,
    }


def max_age(lasts: timedelta | None) -> dict[str, float]:
    """How long an answer may be kept, in seconds; nothing for as long as anybody likes."""
    return {"max_age": lasts.total_seconds()} if lasts is not None else {}


def _fragment(one: Fragment, made: Rendered) -> dict[str, Any]:
    return {
        "id": one.id,
        **({"heading": one.heading} if one.heading is not None else {}),
        "locale": one.locale,
        **{name: getattr(made, name) for name in _RENDERINGS},
    }


def _etag(shown: Shown) -> str:
    """The same while the same is shown: a version never changes, so what of it is shown says all. Renders nothing."""
    places = [f"{one.id}/{one.locale}" for one in shown.fragments]
    return hashed([f"{REVISION}", f"{shown.slug}@{shown.version}", shown.title, shown.locale, *places])


def _wanted(info: Info, given: ArticleFilter | None) -> Wanted:
    """Raises Forbidden for who asks what is said among those who write."""
    given = given or ArticleFilter()
    if given.review_before is not None and not viewer(info).may(Scope.KNOWLEDGE_WRITE):
        raise Forbidden(f"reviewBefore: this credential lacks the scope {Scope.KNOWLEDGE_WRITE}.")
    return Wanted(given.capability, given.journey, given.topic, given.review_before)


def _read(cursor: str | None) -> str | None:
    """The name that a cursor stands for. Raises Invalid."""
    if cursor is None:
        return None
    try:
        return slug_of(cursor)
    except NotFound:
        raise Invalid("The cursor is not one of ours. Pass on what pageInfo or an edge gave you.") from None
