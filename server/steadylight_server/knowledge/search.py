"""Keeps the index of this server up to date with what is published on any, and searches it for a viewer.

All that is published is read at the start and in memory then; a change stream tells of each change. Whatever is read
is applied in one go, so that many changes at once cost little more than one. A stream that is lost is opened again and
all is read anew: what was missed meanwhile is not known.

What ends by itself needs neither: each question is answered from what is there at its moment. The next change takes it
out of memory.

What tantivy does of searches at the same time is done in threads, without Python's lock: meanwhile others are answered.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import structlog

from steadylight_server.core.errors import Unavailable
from steadylight_server.knowledge.audience import Audience, Viewpoint, holding
from steadylight_server.knowledge.entries import Entry
from steadylight_server.knowledge.index import Index
from steadylight_server.knowledge.models import Article, Content, Fragment, Shown, Version
from steadylight_server.knowledge.query import Count
from steadylight_server.knowledge.question import Question
from steadylight_server.knowledge.render import plain
from steadylight_server.knowledge.selection import Selection, Selections
from steadylight_server.knowledge.service import KnowledgeService
from steadylight_server.knowledge.snippets import Marked
from steadylight_server.knowledge.store import Changes
from steadylight_server.knowledge.view import shown

T = TypeVar("T")

log = structlog.get_logger("steadylight.knowledge")

MOST_HITS = 50
_THREADS = 2  # more would only wait for one another's turn at Python's lock
_MOST_SEEN = 10_000  # articles as somebody sees them that are remembered
RETRY = 1.0  # seconds until a lost stream is opened again


@dataclass(frozen=True)
class Hit:
    """A fragment that was found, of an article as it is shown to the viewer."""

    article: Shown
    fragment: Fragment
    score: float
    snippet: Marked


@dataclass(frozen=True)
class Answer:
    """What was found for a viewer, the best first. `total` counts all that could be found; `meant` is the query as it
    was mended, None where nothing was. `lasts` is how long it may be kept: until the first of what is for the viewer
    ends; None where nothing does.
    """

    hits: Sequence[Hit] = ()
    total: int = 0
    meant: str | None = None
    lasts: timedelta | None = None


class Inquiry:
    """A viewer's query to what was there when they asked: whatever changes before it is answered is not seen."""

    def __init__(
        self, question: Question | None, at: datetime, shown: Callable[[Version], Shown], threads: "_Threads"
    ) -> None:
        self._question, self._at, self._shown, self._threads = question, at, shown, threads
        self._counts: asyncio.Task[tuple[Sequence[Count], Sequence[Count]]] | None = None

    async def answer(self, *, first: int = 10, offset: int = 0) -> Answer:
        """What answers it best: at most `MOST_HITS` behind the offset."""
        if self._question is None:
            return Answer()
        looked = await self._threads.run(self._question.look)
        found = self._question.found(looked, first=min(first, MOST_HITS), offset=offset)
        hits = []
        for entry, score, snippet in found.hits:
            version, fragment = entry.source
            hits.append(Hit(self._shown(version), fragment, score, snippet))
        return Answer(tuple(hits), found.total, found.meant, found.until - self._at if found.until else None)

    async def topics(self) -> Sequence[Count]:
        """Those of all that could be found, the most frequent first."""
        return (await self._counted())[0]

    async def locales(self) -> Sequence[Count]:
        """Those of all that could be found, the most frequent first."""
        return (await self._counted())[1]

    async def _counted(self) -> tuple[Sequence[Count], Sequence[Count]]:
        """By topic and by locale: counted once, however often it is asked for."""
        if self._question is None:
            return (), ()
        if self._counts is None:
            self._counts = asyncio.create_task(self._threads.run(self._question.counted))
        return await asyncio.shield(self._counts)  # who gives up keeps nobody from the counts


class _Threads:
    """Run what several searches have to do at the same time, each beside the others."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(_THREADS, "search")
        self._running = 0

    async def run(self, work: Callable[[], T]) -> T:
        """What the work returns. Who is alone does it here: to a thread and back takes as long as most of it."""
        self._running += 1
        try:
            await asyncio.sleep(0)  # who came at the same moment gets here, too
            if self._running == 1:
                return work()
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        finally:
            self._running -= 1

    def close(self) -> None:
        """Ends them. Nothing can be run any more."""
        self._executor.shutdown(wait=False)


class SearchService:
    """Finds what is published, and for the viewer."""

    def __init__(self, knowledge: KnowledgeService) -> None:
        self._knowledge = knowledge
        self._clock = knowledge.clock
        self._index = Index()
        self._selections = Selections()
        # What was read of each article.
        self._articles: Mapping[str, Article] = {}
        # By the very version, which is kept so that no other has its id: who asked before a change is still answered.
        self._seen: dict[tuple[int, frozenset[Audience], str | None], tuple[Version, Shown]] = {}
        self._threads = _Threads()

    def close(self) -> None:
        """Ends its threads. Nothing can be asked any more."""
        self._threads.close()

    def ask(
        self,
        query: str,
        viewpoint: Viewpoint,
        locale: str | None = None,
        *,
        topics: Collection[str] = (),
        locales: Collection[str] = (),
    ) -> Inquiry:
        """The query, over what is shown to the viewer, who asks for that locale. It says nothing of anything else;
        whatever is typed is a query.
        """
        held, keys = self._held(viewpoint, locale)
        at = self._clock()
        question = self._index.ask(query, audiences=keys, at=at, topics=topics, locales=locales)
        return Inquiry(question, at, partial(self._shown, held, locale), self._threads)

    def suggest(self, text: str, viewpoint: Viewpoint, locale: str | None = None, *, limit: int = 5) -> list[str]:
        """The text with its last word completed in ways by which something is found that is shown to the viewer."""
        _, keys = self._held(viewpoint, locale)
        return self._index.suggest(text, audiences=keys, at=self._clock(), limit=limit)

    def _shown(self, held: frozenset[Audience], locale: str | None, version: Version) -> Shown:
        """What of it is shown, of which something was found; remembered until something changes."""
        key = (id(version), held, locale)
        if (known := self._seen.get(key)) is not None:
            return known[1]
        article = shown(version, held, locale)
        assert article is not None, "what is found is shown"
        if len(self._seen) >= _MOST_SEEN:
            self._seen.clear()
        self._seen[key] = version, article
        return article

    def _held(self, viewpoint: Viewpoint, locale: str | None) -> tuple[frozenset[Audience], Sequence[str]]:
        held = holding(viewpoint, self._selections.audiences())
        return held, self._selections.holding(held, locale)

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """All that is published can be found when this is entered, and whatever changes, soon after.

        Raises Unavailable where the database cannot be asked at the start.
        """
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._follow(ready))
        try:
            await ready
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _follow(self, ready: "asyncio.Future[None]") -> None:
        while True:
            try:
                async with self._knowledge.changes() as changes:
                    await self._read_anew()
                    if not ready.done():
                        ready.set_result(None)
                    await self._apply_all(changes)
            except Unavailable as error:
                if not ready.done():
                    ready.set_exception(error)
                    return
                log.warning("changes of articles were lost; all will be read anew", seconds=RETRY)
            except Exception as error:
                if not ready.done():
                    ready.set_exception(error)
                    return
                log.exception("following changes of articles failed; all will be read anew", seconds=RETRY)
            await asyncio.sleep(RETRY)

    async def _read_anew(self) -> None:
        articles = [article async for article in self._knowledge.published()]
        await self._apply(articles, anew=True)
        log.info("articles can be searched", articles=len(articles), fragments=len(self._index))

    async def _apply_all(self, changes: Changes) -> None:
        """Applies what the stream tells, together with what came meanwhile, until it fails. Raises Unavailable."""
        told: asyncio.Queue[Article | Exception] = asyncio.Queue()

        async def read() -> None:
            try:
                while True:
                    if (article := await changes.next()) is not None:
                        told.put_nowait(article)
            except Exception as error:
                told.put_nowait(error)

        reading = asyncio.create_task(read())
        try:
            while True:
                several = [await told.get()]
                while not told.empty():
                    several.append(told.get_nowait())
                await self._apply([one for one in several if isinstance(one, Article)])
                for one in several:
                    if isinstance(one, Exception):
                        raise one
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading

    async def _apply(self, articles: Iterable[Article], *, anew: bool = False) -> None:
        """Brings the index to these articles; what it has already, and a draft, changes nothing."""
        before = {} if anew else self._articles
        read = dict(before)
        for one in articles:
            known = read.get(one.slug)
            if known is None or one.revision > known.revision:
                read[one.slug] = one
        changed = [one for slug, one in read.items() if one is not before.get(slug)]
        entries = {one.slug: self._entries(one.published) for one in changed if one.published != _of(before, one.slug)}
        self._articles = read
        self._seen.clear()
        if entries:
            entries = {**{slug: [] for slug in self._index.ended(self._clock())}, **entries}
        if anew:
            await asyncio.to_thread(self._index.replace, entries)
        elif entries:
            await asyncio.to_thread(self._index.change, entries)
        self._selections.keep(self._index.audiences)

    def _entries(self, version: Version | None) -> list[Entry]:
        """What of a version is searched."""
        if version is None:
            return []
        return [
            Entry(
                article=version.article,
                fragment=one.id,
                locale=one.locale,
                title=_title(version.content, one.locale),
                heading=one.heading or "",
                body=plain(one.body),
                audience=self._selections.key(Selection.of(one, version.content)),
                version=version.number,
                topics=version.content.topics,
                expires_at=version.content.expires_at,
                source=(version, one),
            )
            for one in version.content.fragments
        ]


def _of(articles: Mapping[str, Article], slug: str) -> Version | None:
    return articles[slug].published if slug in articles else None


def _title(content: Content, locale: str) -> str:
    """In that locale, or the article's own: these are told whoever is shown the fragment (`view`), and no other is."""
    return content.titles.get(locale, content.title)
