"""Writes articles: drafts, what is published and corrected, what has expired.

Whoever writes names the revision that they read, and is told CONFLICT where somebody else was first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from steadylight_server.core.audit import Audit
from steadylight_server.core.clock import Clock, now
from steadylight_server.core.errors import Conflict, Invalid, NotFound
from steadylight_server.knowledge.difference import Difference, difference
from steadylight_server.knowledge.models import (
    CHANGED,
    MOST_REASON,
    NOBODY,
    UNKNOWN,
    Article,
    Content,
    State,
    Version,
    check_slug,
)
from steadylight_server.knowledge.store import ArticleStore

_DEEDS = {State.DRAFT: "saved", State.PUBLISHED: "published", State.EXPIRED: "expired"}


class Editing:
    """The only way to write articles, and to read what is not shown. `by` says who, for the audit."""

    def __init__(self, store: ArticleStore, audit: Audit, *, clock: Clock = now) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock

    async def article(self, slug: str) -> Article:
        """An article as it stands, for who may edit. Raises NotFound."""
        article = await self._store.article(slug)
        if article is None:
            raise NotFound(NOBODY)
        return article

    async def articles(
        self, *, after: str | None = None, before: str | None = None, backwards: bool = False, limit: int
    ) -> list[Article]:
        """All articles by name, or backwards, published or not, for who may edit: at most `limit`."""
        return await self._store.page(after=after, before=before, backwards=backwards, limit=limit)

    def state(self, article: Article) -> State:
        """Where an article stands now: what has ended by itself is EXPIRED, too."""
        return article.state_at(self._clock())

    async def latest(self, article: Article) -> Version:
        """An article's latest version: its draft, or what it was when it was last published or expired."""
        return await self.version(article.slug, article.number)

    async def standing(self, slug: str) -> tuple[Article, Version] | None:
        """An article and its latest version; None where there is none."""
        article = await self._store.article(slug)
        return (article, await self.latest(article)) if article is not None else None

    async def version(self, slug: str, number: int) -> Version:
        """One version of an article. Raises NotFound."""
        version = await self._store.version(slug, number)
        if version is None:
            raise NotFound(NOBODY)
        return version

    async def versions(
        self, slug: str, *, after: int | None = None, before: int | None = None, backwards: bool = False, limit: int = 0
    ) -> list[Version]:
        """An article's versions, the latest first, or backwards; all where `limit` is 0."""
        return await self._store.versions(slug, after=after, before=before, backwards=backwards, limit=limit)

    async def diff(self, slug: str, before: int, after: int) -> Sequence[Difference]:
        """What changed between two versions of an article. Raises NotFound."""
        return difference(await self.version(slug, before), await self.version(slug, after))

    async def save(self, slug: str, content: Content, *, revision: int, reason: str, by: Mapping[str, str]) -> Article:
        """The article with a new draft; what is published stays as it is. `revision` is the one read, 0 for a new one.

        Raises Invalid, Conflict.
        """
        before = await self._before(slug, revision)
        content = content.arranged()
        content.check()
        if before is not None and says(before, await self.latest(before), content, State.DRAFT):
            return before
        return await self._change(before, slug, State.DRAFT, content, reason, by)

    async def publish(
        self, slug: str, content: Content | None = None, *, revision: int, reason: str, by: Mapping[str, str]
    ) -> Article:
        """The article as everybody is shown it from now on: with that content, or that of its latest version.

        Over a published one this is a correction. Again with the same content changes nothing. Raises NotFound,
        Invalid, Conflict.
        """
        before = await self._before(slug, revision)
        latest = await self.latest(before) if before is not None else None
        drafted = latest.content if latest is not None else None
        if drafted is None and content is None:
            raise NotFound(NOBODY)
        if content is None and before is not None and before.draft is None and before.published is not None:
            return before
        given = content or drafted
        assert given is not None
        said = given.arranged()
        said.check()
        if content is not None and before is not None and says(before, latest, said, State.PUBLISHED):
            return before
        return await self._change(before, slug, State.PUBLISHED, said, reason, by)

    async def expire(self, slug: str, *, revision: int, reason: str, by: Mapping[str, str]) -> Article:
        """The article, which nobody is shown any more. Again changes nothing. Raises NotFound, Invalid, Conflict."""
        before = await self._before(slug, revision)
        if before is None:
            raise NotFound(NOBODY)
        if before.state is State.DRAFT:
            raise Invalid("This article was never published.")
        if before.state is State.EXPIRED:
            return before
        assert before.published is not None
        return await self._change(before, slug, State.EXPIRED, before.published.content, reason, by)

    async def record(self, slug: str, written: Sequence[Version], *, by: Mapping[str, str]) -> tuple[Article, int]:
        """The article with versions that were published elsewhere, in their order in time, and how many were new.

        Those that are there already are passed over: again changes nothing. Raises Invalid for one
        that is earlier than what is there, Conflict where somebody else changes the article meanwhile.
        """
        check_slug(slug)
        article = await self._store.article(slug)
        there = {(one.at, one.reason): one for one in await self._store.versions(slug)} if article is not None else {}
        fresh: list[Version] = []
        for given in sorted(written, key=lambda one: one.at):
            one = replace(given, article=slug, content=given.content.arranged())
            one.content.check()
            known = there.get((one.at, one.reason))
            if known is not None and known.content == one.content:
                continue
            latest = fresh[-1].at if fresh else article.updated_at if article is not None else None
            if known is not None or (latest is not None and one.at < latest):
                raise Invalid(f"{slug}: there is a version later than that of {one.at:%Y-%m-%d %H:%M}, or another.")
            number = (article.number if article is not None else 0) + len(fresh) + 1
            fresh.append(replace(one, number=number))
        if not fresh:
            if article is None:
                raise Invalid(f"{slug}: there is nothing to record.")
            return article, 0
        last = fresh[-1]
        after = Article(
            slug=slug,
            state=last.state,
            number=last.number,
            revision=(article.revision if article is not None else 0) + 1,
            updated_at=last.at,
            published=last if last.state is State.PUBLISHED else None,
        )
        why = f"{slug}@{fresh[0].number} to {last.number}: published before, elsewhere"
        await self._audit.note(who=by, deed="article.recorded", why=why)
        await self._store.put(after, fresh)
        return after, len(fresh)

    async def _before(self, slug: str, revision: int) -> Article | None:
        """The article that is to be changed; None where it is to be made."""
        check_slug(slug)
        article = await self._store.article(slug)
        if (article.revision if article is not None else 0) != revision:
            raise Conflict(CHANGED)
        return article

    async def _change(
        self, before: Article | None, slug: str, state: State, content: Content, reason: str, by: Mapping[str, str]
    ) -> Article:
        if not reason.strip() or len(reason) > MOST_REASON:
            raise Invalid(f"reason: 1 to {MOST_REASON} characters.")
        number, revision = (before.number, before.revision) if before is not None else (0, 0)
        version = Version(slug, number + 1, state, content, author(by), reason, self._at(before))
        published = before.published if before is not None else None
        if state is State.DRAFT:
            standing = before.state if before is not None else State.DRAFT
        else:
            standing, published = state, version if state is State.PUBLISHED else None
        draft = version.number if state is State.DRAFT else None
        after = Article(slug, standing, number + 1, revision + 1, version.at, published, draft)
        await self._audit.note(who=by, deed=f"article.{_DEEDS[state]}", why=f"{slug}@{number + 1}: {reason}")
        await self._store.put(after, [version])
        return after

    def _at(self, before: Article | None) -> datetime:
        """Never before the version before, whatever the clocks of two servers say."""
        return max(self._clock(), before.updated_at) if before is not None else self._clock()


def says(article: Article, latest: Version | None, content: Content, state: State) -> bool:
    """Whether a draft of that content, or its publication, would change nothing. A draft beside it does not count."""
    if article.published is not None and article.published.content == content:
        return state is State.PUBLISHED or article.draft is None
    return state is State.DRAFT and article.draft is not None and latest is not None and latest.content == content


def author(by: Mapping[str, str]) -> str:
    """The name of who writes: an employee's, a channel's, or that of the credential."""
    return by.get("name") or by.get("channel") or by.get("id") or UNKNOWN
