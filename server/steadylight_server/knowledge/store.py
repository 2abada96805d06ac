"""Articles in MongoDB. Both collections are ledgers: what was written, by whom and when, is known from nowhere else.

articles           _id: the article's name · state · number: of its latest version · revision: counts its changes ·
                   updated_at · draft?: the number of a version that is not published · published?: what is shown, as a
                   version without `article`, with `audiences`: the canonical texts of those of its fragments
                   index: readers = (published.audiences, _id, published.content.expires_at), by which only what is for
                   a viewer, and has not ended, is looked at
article_versions   _id: article@number · article · number · state · author · reason · at · content: {titles: by locale ·
                   locale · fragments: [{id, body, locale, audience: its canonical text, heading?, spoken?, sms?}] ·
                   topics · capabilities · journeys · owner? · review_on?: as text · expires_at?}
                   index: numbers = (article, number), unique

A change is one transaction: the article, if it has the revision that whoever changes it had read, and its new versions.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Any

from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from steadylight_server.core.errors import Conflict
from steadylight_server.core.mongo import Database, Document, Inserts
from steadylight_server.core.stores import Kept, Store
from steadylight_server.knowledge.audience import Audience
from steadylight_server.knowledge.models import (
    CHANGED,
    EVERY,
    Article,
    ArticleFilter,
    Content,
    Fragment,
    State,
    Version,
)


class ArticleStore(Store):
    """Keeps articles and their versions. Nothing here changes or removes a version."""

    collections = {"articles": Kept.LEDGER, "article_versions": Kept.LEDGER}
    indexes = {
        "articles": [
            IndexModel([("published.audiences", 1), ("_id", 1), ("published.content.expires_at", 1)], name="readers")
        ],
        "article_versions": [IndexModel([("article", 1), ("number", 1)], name="numbers", unique=True)],
    }

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._articles = self.collection("articles")
        self._versions = self.collection("article_versions")

    async def put(self, article: Article, versions: Sequence[Version]) -> None:
        """The article as it is now, with its new versions: all or nothing.

        Raises Conflict where it has no longer the revision before this one.
        """

        async def work() -> None:
            if article.revision == 1:
                await self._articles.insert_one(_document(article))
            else:
                rest = {name: value for name, value in _document(article).items() if name != "_id"}
                gone = {name: "" for name in ("published", "draft") if name not in rest}
                before = {"_id": article.slug, "revision": article.revision - 1}
                found, _ = await self._articles.update_one(before, {"$set": rest, **({"$unset": gone} if gone else {})})
                if not found:
                    raise Conflict(CHANGED)
            await self._versions.insert_many([_version(one) for one in versions])

        try:
            await self.database.transaction(work)
        except DuplicateKeyError:
            raise Conflict(CHANGED) from None

    async def article(self, slug: str) -> Article | None:
        """The article of that name."""
        found = await self._articles.find_one({"_id": slug})
        return _article(found) if found else None

    async def all(self) -> AsyncIterator[Article]:
        """Every article, in no order, as it was written before this is asked, confirmed by a majority or not."""
        async with self.database.session():
            await self.database.moment()
            async for found in self._articles.each({}):
                yield _article(found)

    async def page(
        self, *, after: str | None = None, before: str | None = None, backwards: bool = False, limit: int
    ) -> list[Article]:
        """All articles by name, or backwards, published or not: at most `limit`."""
        return await self._page({}, after, before, backwards, limit)

    async def shown(
        self,
        among: Collection[Audience],
        at: datetime,
        *,
        after: str | None = None,
        before: str | None = None,
        backwards: bool = False,
        limit: int,
        filter: ArticleFilter = EVERY,
    ) -> list[Article]:
        """Articles by name, or backwards, of which something is for one of these audiences at that moment: at most
        `limit`.
        """
        query: Document = {
            "published.audiences": {"$in": sorted(audience.text for audience in among)},
            "published.content.expires_at": {"$not": {"$lte": at}},
            **_wanted(filter),
        }
        return await self._page(query, after, before, backwards, limit)

    async def _page(
        self, query: Document, after: str | None, before: str | None, backwards: bool, limit: int
    ) -> list[Article]:
        span = {**({"$gt": after} if after is not None else {}), **({"$lt": before} if before is not None else {})}
        query = {**query, **({"_id": span} if span else {})}
        found = await self._articles.find(query, sort=[("_id", -1 if backwards else 1)], limit=limit)
        return [_article(one) for one in found]

    async def audiences(self) -> frozenset[Audience]:
        """Those of all that is published, each once."""
        texts = await self._articles.distinct("published.audiences")
        return frozenset(Audience.from_text(text) for text in texts if text is not None)

    async def version(self, slug: str, number: int) -> Version | None:
        """One of an article's versions."""
        found = await self._versions.find_one({"article": slug, "number": number})
        return _read(found) if found else None

    async def versions(
        self, slug: str, *, after: int | None = None, before: int | None = None, backwards: bool = False, limit: int = 0
    ) -> list[Version]:
        """An article's versions, the latest first, or backwards; those below `after` and above `before`. All for 0."""
        span = {**({"$lt": after} if after is not None else {}), **({"$gt": before} if before is not None else {})}
        query: Document = {"article": slug, **({"number": span} if span else {})}
        found = await self._versions.find(query, sort=[("number", 1 if backwards else -1)], limit=limit)
        return [_read(one) for one in found]

    @asynccontextmanager
    async def changes(self) -> AsyncIterator["Changes"]:
        """What is changed from now on."""
        async with self._articles.changes() as changed:
            yield Changes(changed)


class Changes:
    """A stream of articles that were changed."""

    def __init__(self, changed: Inserts) -> None:
        self._changed = changed

    async def next(self) -> Article | None:
        """The next article that was changed, as it is by now; None when there was none for a second.

        Raises Unavailable.
        """
        found = await self._changed.next()
        return _article(found) if found is not None else None


def _wanted(filter: ArticleFilter) -> Document:
    named = {"capabilities": filter.capability, "journeys": filter.journey, "topics": filter.topic}
    query: Document = {f"published.content.{name}": said for name, said in named.items() if said is not None}
    if filter.review_before is not None:  # days as text come in their order
        query["published.content.review_on"] = {"$lt": filter.review_before.isoformat()}
    return query


def _document(article: Article) -> Document:
    published = article.published
    return {
        "_id": article.slug,
        "state": article.state.value,
        "number": article.number,
        "revision": article.revision,
        "updated_at": article.updated_at,
        **({"published": _shown(published)} if published is not None else {}),
        **({"draft": article.draft} if article.draft is not None else {}),
    }


def _shown(version: Version) -> Document:
    told = {name: value for name, value in _version(version).items() if name not in ("_id", "article")}
    return {**told, "audiences": sorted(audience.text for audience in version.content.audiences)}


def _article(found: Mapping[str, Any]) -> Article:
    published = found.get("published")
    return Article(
        slug=found["_id"],
        state=State(found["state"]),
        number=found["number"],
        revision=found["revision"],
        updated_at=found["updated_at"],
        published=_read({**published, "article": found["_id"]}) if published is not None else None,
        draft=found.get("draft"),
    )


def _version(version: Version) -> Document:
    return {
        "_id": f"{version.article}@{version.number}",
        "article": version.article,
        "number": version.number,
        "state": version.state.value,
        "author": version.author,
        "reason": version.reason,
        "at": version.at,
        "content": _content(version.content),
    }


def _read(found: Mapping[str, Any]) -> Version:
    return Version(
        article=found["article"],
        number=found["number"],
        state=State(found["state"]),
        content=_content_of(found["content"]),
        author=found["author"],
        reason=found["reason"],
        at=found["at"],
    )


def _content(content: Content) -> Document:
    optional = {
        "owner": content.owner,
        "review_on": content.review_on and content.review_on.isoformat(),
        "expires_at": content.expires_at,
    }
    return {
        "titles": dict(content.titles),
        "locale": content.locale,
        "fragments": [_fragment(one) for one in content.fragments],
        "topics": list(content.topics),
        "capabilities": list(content.capabilities),
        "journeys": list(content.journeys),
        **{name: value for name, value in optional.items() if value is not None},
    }


def _content_of(found: Mapping[str, Any]) -> Content:
    review_on = found.get("review_on")
    return Content(
        titles=found["titles"],
        locale=found["locale"],
        fragments=tuple(map(_fragment_of, found["fragments"])),
        topics=tuple(found["topics"]),
        capabilities=tuple(found["capabilities"]),
        journeys=tuple(found["journeys"]),
        owner=found.get("owner"),
        review_on=date.fromisoformat(review_on) if review_on else None,
        expires_at=found.get("expires_at"),
    )


def _fragment(one: Fragment) -> Document:
    optional = {"heading": one.heading, "spoken": one.spoken, "sms": one.sms}
    return {
        "id": one.id,
        "body": one.body,
        "locale": one.locale,
        "audience": one.audience.text,
        **{name: value for name, value in optional.items() if value is not None},
    }


def _fragment_of(found: Mapping[str, Any]) -> Fragment:
    return Fragment(
        id=found["id"],
        body=found["body"],
        locale=found["locale"],
        audience=Audience.from_text(found["audience"]),
        heading=found.get("heading"),
        spoken=found.get("spoken"),
        sms=found.get("sms"),
    )
