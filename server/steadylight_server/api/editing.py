"""Articles in the graph as they are written: drafts, versions, what changed, and who was shown what."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated

import strawberry

from steadylight_server.api import admission, nodes
from steadylight_server.api.enums import ArticleState
from steadylight_server.api.info import Info, viewer
from steadylight_server.api.knowledge import id
from steadylight_server.api.pages import After, Before, Connection, First, Last, connection
from steadylight_server.core.errors import Invalid
from steadylight_server.core.paging import Window
from steadylight_server.knowledge import folder
from steadylight_server.knowledge.models import Article as Standing
from steadylight_server.knowledge.models import Content
from steadylight_server.knowledge.models import Showing as Told
from steadylight_server.knowledge.models import Version as Written

_MOST_VERSIONS = 100
_REVISION = "The one that was read, 0 for an article that is not there yet: whoever comes second is told CONFLICT."


@strawberry.type(
    description="A file of an article: Markdown with front matter, as `steadylight articles export` writes it."
)
class ArticleFile:
    name: str = strawberry.field(description="Such as roaming-charges.md, or roaming-charges.de.md for German.")
    text: str = strawberry.field(description="What is in it.")


@strawberry.type(description="One change of an article, whole.")
class ArticleVersion:
    version: strawberry.Private[Written]

    @strawberry.field(description="Counts from 1 within the article.")
    def number(self) -> int:
        return self.version.number

    @strawberry.field(description="What it made of the article.")
    def state(self) -> ArticleState:
        return self.version.state

    @strawberry.field(description="Who made it; `unknown` where nobody said.")
    def author(self) -> str:
        return self.version.author

    @strawberry.field(description="Why.")
    def reason(self) -> str:
        return self.version.reason

    @strawberry.field(description="When.")
    def at(self) -> datetime:
        return self.version.at

    @strawberry.field(description="All that it says, with the audience of each fragment.")
    def files(self) -> list[ArticleFile]:
        return [ArticleFile(name=name, text=text) for name, text in folder.files(self.version).items()]


@strawberry.type(description="A part of an article that two versions say otherwise.")
class ArticleDifference:
    part: str = strawberry.field(description="A fragment's id, or `article` for what is said of the whole.")
    locale: str = strawberry.field(description="In which language.")
    diff: str = strawberry.field(description="A unified diff.")


@strawberry.type(description="An article as those see it who write it.")
class ArticleRecord:
    standing: strawberry.Private[Standing]
    latest: strawberry.Private[Written]
    state: ArticleState = strawberry.field(description="Where it stands.")

    @strawberry.field(description="The global id, which is the article's.")
    def id(self) -> strawberry.ID:
        return id(self.standing.slug)

    @strawberry.field(description="Its name.")
    def slug(self) -> str:
        return self.standing.slug

    @strawberry.field(description="Counts its changes; a change names the one that was read.")
    def revision(self) -> int:
        return self.standing.revision

    @strawberry.field(description="What is shown; null where nothing is.")
    def published(self) -> ArticleVersion | None:
        published = self.standing.published if self.state is not ArticleState.EXPIRED else None
        return ArticleVersion(version=published) if published is not None else None

    @strawberry.field(description="What was written and is not published yet.")
    def draft(self) -> ArticleVersion | None:
        return ArticleVersion(version=self.latest) if self.standing.draft is not None else None

    @strawberry.field(description="Who answers for it.")
    def owner(self) -> str | None:
        return self._content.owner

    @strawberry.field(description="The day on which somebody should look at it again, such as 2027-01-31.")
    def review_on(self) -> date | None:
        return self._content.review_on

    @strawberry.field(description="From when on nobody is shown it; null for no such moment.")
    def expires_at(self) -> datetime | None:
        return self._content.expires_at

    @strawberry.field(description="The capabilities that it helps with.")
    def capabilities(self) -> list[str]:
        return list(self._content.capabilities)

    @strawberry.field(description="The types of journey that it helps with.")
    def journeys(self) -> list[str]:
        return list(self._content.journeys)

    @strawberry.field(description="Its versions, the latest first, at most 100.")
    async def versions(
        self,
        info: Info,
        below: Annotated[int | None, strawberry.argument(description="Only those with a smaller number.")] = None,
    ) -> list[ArticleVersion]:
        found = await info.context.services.editing.versions(self.standing.slug, after=below, limit=_MOST_VERSIONS)
        return [ArticleVersion(version=one) for one in found]

    @strawberry.field(description="What changed between two of its versions.")
    async def diff(
        self,
        info: Info,
        before: Annotated[int, strawberry.argument(description="The number of the one.")],
        after: Annotated[int, strawberry.argument(description="The number of the other.")],
    ) -> list[ArticleDifference]:
        found = await info.context.services.editing.diff(self.standing.slug, before, after)
        return [ArticleDifference(part=one.part, locale=one.locale, diff=one.diff) for one in found]

    @property
    def _content(self) -> Content:
        return (self.standing.published or self.latest).content


@strawberry.type(description="Somebody is recorded to have been shown a version of an article.")
class Showing:
    customer: strawberry.ID = strawberry.field(description="The customer: whom, or with whom the employee spoke.")
    channel: str = strawberry.field(description="Through what.")
    contact: str | None = strawberry.field(description="In which contact of that channel, by its key.")
    at: datetime = strawberry.field(description="When.")
    fragments: list[str] = strawberry.field(description="What of it, by the fragments' ids.")
    rendering: str | None = strawberry.field(description="As what: html, plain, sms or spoken.")
    locale: str | None = strawberry.field(description="In which language.")
    hash: str | None = strawberry.field(description="Of what was shown, as `hashes` of the article's document.")
    action_id: strawberry.ID = strawberry.field(description="The action that tells of it.")


@strawberry.input(description="A file of an article.")
class ArticleFileInput:
    name: str = strawberry.field(description="Such as roaming-charges.md, or roaming-charges.de.md for German.")
    text: str = strawberry.field(description="Markdown with front matter.")


@strawberry.input
class ChangeInput:
    """What the input of each change begins with. Not in the schema by itself."""

    slug: str = strawberry.field(description="The article's name.")
    revision: int = strawberry.field(description=_REVISION)
    reason: str = strawberry.field(description="Why, 1 to 500 characters.")


@strawberry.input(description="A draft.")
class SaveArticleInput(ChangeInput):
    files: list[ArticleFileInput] = strawberry.field(description="All that it says.")


@strawberry.input(description="What everybody is shown from now on.")
class PublishArticleInput(ChangeInput):
    files: list[ArticleFileInput] | None = strawberry.field(
        default=None, description="All that it says. Left out: what the draft says."
    )


@strawberry.input(description="An article that is shown no more.")
class ExpireArticleInput(ChangeInput):
    pass


@strawberry.type(description="The draft is kept.")
class SaveArticlePayload:
    article: ArticleRecord = strawberry.field(description="As it is now.")


@strawberry.type(description="It is published.")
class PublishArticlePayload:
    article: ArticleRecord = strawberry.field(description="As it is now.")


@strawberry.type(description="It has expired.")
class ExpireArticlePayload:
    article: ArticleRecord = strawberry.field(description="As it is now.")


@strawberry.type
class EditingQueries:
    """Reading what is written, and who was shown it."""

    @strawberry.field(description="An article with its drafts and versions, for those who write it.")
    async def article_record(
        self, info: Info, slug: Annotated[str, strawberry.argument(description="The article's name.")]
    ) -> ArticleRecord | None:
        return await _record(info, await info.context.services.editing.article(slug))

    @strawberry.field(
        description="Everybody who is recorded to have been shown that version, each time, the latest first. For "
        "employees: whom to tell when it was corrected."
    )
    async def affected_by(
        self,
        info: Info,
        article: Annotated[str, strawberry.argument(description="The article's name.")],
        version: Annotated[int, strawberry.argument(description="Which version.")],
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Showing]:
        services = info.context.services
        page = await services.knowledge.affected_by(article, version, Window.of(first, after, last, before))
        people = await services.identity.customers([one.profile_id for one in page.items])
        await admission.admit(info, *people.values())

        def shown(one: Told) -> Showing:
            return Showing(
                customer=nodes.shown(nodes.CUSTOMER, people[one.profile_id].id),
                channel=one.channel,
                contact=one.contact,
                at=one.at,
                fragments=list(one.fragments),
                rendering=one.rendering,
                locale=one.locale,
                hash=one.hash,
                action_id=nodes.shown(nodes.ACTION, one.id),
            )

        return connection(page, shown, lambda one: one.position.cursor())


@strawberry.type
class EditingMutations:
    """Writing articles. Each change is a version, and is audited."""

    @strawberry.mutation(description="Keeps a draft; what is published stays as it is.")
    async def save_article(
        self, info: Info, input: Annotated[SaveArticleInput, strawberry.argument(description="The draft.")]
    ) -> SaveArticlePayload:
        who = viewer(info).described()
        content = _content(input.slug, input.files)
        done = await info.context.services.editing.save(
            input.slug, content, revision=input.revision, reason=input.reason, by=who
        )
        return SaveArticlePayload(article=await _record(info, done))

    @strawberry.mutation(description="Publishes an article; over a published one, corrects it.")
    async def publish_article(
        self, info: Info, input: Annotated[PublishArticleInput, strawberry.argument(description="What is shown.")]
    ) -> PublishArticlePayload:
        who = viewer(info).described()
        content = _content(input.slug, input.files) if input.files is not None else None
        done = await info.context.services.editing.publish(
            input.slug, content, revision=input.revision, reason=input.reason, by=who
        )
        return PublishArticlePayload(article=await _record(info, done))

    @strawberry.mutation(description="Takes an article back: nobody is shown it any more.")
    async def expire_article(
        self, info: Info, input: Annotated[ExpireArticleInput, strawberry.argument(description="Which, and why.")]
    ) -> ExpireArticlePayload:
        done = await info.context.services.editing.expire(
            input.slug, revision=input.revision, reason=input.reason, by=viewer(info).described()
        )
        return ExpireArticlePayload(article=await _record(info, done))


async def _record(info: Info, standing: Standing) -> ArticleRecord:
    editing = info.context.services.editing
    return ArticleRecord(standing=standing, latest=await editing.latest(standing), state=editing.state(standing))


def _content(slug: str, files: Sequence[ArticleFileInput]) -> Content:
    """What the files say, which must be one article's. Raises Invalid, with file and line of each fault."""
    try:
        found = folder.content({one.name: one.text for one in files})
    except folder.BadFolder as error:
        raise Invalid(str(error)) from None
    if found.keys() != {slug}:
        raise Invalid(f"files: they are named {slug}.md, or {slug}.de.md for German.")
    return found[slug]
