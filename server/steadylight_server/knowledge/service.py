"""Shows of articles what is for who asks.

What is not for somebody does not exist for them: an article of which no fragment is theirs is NOT_FOUND, in the same
words as one that was never written.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

from steadylight_server.core.clock import Clock, now
from steadylight_server.core.errors import NotFound
from steadylight_server.core.paging import Page, Window
from steadylight_server.knowledge.audience import Viewpoint, holding
from steadylight_server.knowledge.models import EVERY, NOBODY, Article, ArticleFilter, Showing, Shown
from steadylight_server.knowledge.showings import ShowingStore
from steadylight_server.knowledge.store import ArticleStore, Changes
from steadylight_server.knowledge.view import shown, shown_to

# Articles that are read in one go.
_TOGETHER = 100


class KnowledgeService:
    """The only way to what articles show."""

    def __init__(self, store: ArticleStore, showings: ShowingStore, *, clock: Clock = now) -> None:
        self._store = store
        self._showings = showings
        self.clock = clock

    async def shown_to(self, slug: str, viewpoint: Viewpoint, locale: str | None = None) -> Shown:
        """What of an article is for a viewer. Raises NotFound where that is nothing, whatever the reason."""
        article = await self._store.article(slug)
        published = article.shown_at(self.clock()) if article is not None else None
        found = shown_to(published, viewpoint, locale) if published is not None else None
        if found is None:
            raise NotFound(NOBODY)
        return found

    async def listed(
        self,
        viewpoint: Viewpoint,
        locale: str | None = None,
        *,
        after: str | None = None,
        before: str | None = None,
        backwards: bool = False,
        limit: int,
        filter: ArticleFilter = EVERY,
    ) -> list[Shown]:
        """What is for a viewer, by the articles' names, or backwards: at most `limit`; nothing else is looked at."""
        held = holding(viewpoint, await self._store.audiences())
        at = self.clock()
        found: list[Shown] = []
        while len(found) < limit:
            together = min(_TOGETHER, limit - len(found))
            articles = await self._store.shown(
                held, at, after=after, before=before, backwards=backwards, limit=together, filter=filter
            )
            versions = [one.published for one in articles if one.published is not None]
            found += [one for version in versions if (one := shown(version, held, locale)) is not None]
            if len(articles) < together:
                break
            if backwards:
                before = articles[-1].slug
            else:
                after = articles[-1].slug
        return found

    def lasts(self, shown: Shown) -> timedelta | None:
        """How long it goes on being shown; None where it does not end by itself."""
        ends = shown.content.expires_at
        return max(ends - self.clock(), timedelta()) if ends is not None else None

    async def note(self, showings: Sequence[Showing]) -> None:
        """Keeps who was shown what; again, or in another order, is harmless."""
        await self._showings.project(showings)

    async def affected_by(self, slug: str, version: int, window: Window) -> Page[Showing]:
        """Everybody who is recorded to have been shown that version, each time, the latest first. Raises NotFound."""
        if await self._store.version(slug, version) is None:
            raise NotFound(NOBODY)
        return await self._showings.page(slug, version, window)

    async def published(self) -> AsyncIterator[Article]:
        """Every article that is published, in no order; of each, `published` is what is shown."""
        async for article in self._store.all():
            if article.published is not None:
                yield article

    def changes(self) -> AbstractAsyncContextManager[Changes]:
        """Articles that are changed from now on: what is no longer shown has no `published`."""
        return self._store.changes()
