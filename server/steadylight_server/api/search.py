"""Search over articles in the graph: what is found is for the viewer, and nothing else is counted or told."""

from collections.abc import Sequence
from typing import Annotated, Any

import strawberry

from steadylight_server.api.info import Info
from steadylight_server.api.knowledge import Article, ArticleFragment, ViewpointInput, article, max_age, viewpoint
from steadylight_server.api.scalars import SearchDocument
from steadylight_server.core.errors import Invalid
from steadylight_server.knowledge.models import MOST_NAME, MOST_NAMES, locale
from steadylight_server.knowledge.query import MOST_QUERY, MOST_RANKED, MOST_SUGGESTIONS, Count
from steadylight_server.knowledge.search import MOST_HITS, Answer, Hit, Inquiry


@strawberry.type(description="A fragment that was found.")
class SearchHit:
    hit: strawberry.Private[Hit]

    @strawberry.field(description="Of which article, as the viewer is shown it.")
    def article(self) -> Article:
        return article(self.hit.article)

    @strawberry.field(description="What of it.")
    def fragment(self) -> ArticleFragment:
        return ArticleFragment(fragment=self.hit.fragment)

    @strawberry.field(description="The piece of it that shows why, escaped, with `<mark>` around what was looked for.")
    def snippet_html(self) -> str:
        return self.hit.snippet.html

    @strawberry.field(description="How well it answers, beside the other hits; it says nothing beyond this answer.")
    def score(self) -> float:
        return self.hit.score


@strawberry.type(description="How many fragments were found with a topic, or in a locale.")
class SearchCount:
    name: str = strawberry.field(description="The topic, or the locale.")
    count: int = strawberry.field(description="How many.")


@strawberry.type(description="What was found for the viewer.")
class SearchResults:
    asked: strawberry.Private[Inquiry]
    answer: strawberry.Private[Answer]

    @strawberry.field(description="The best first.")
    def hits(self) -> list[SearchHit]:
        return [SearchHit(hit=one) for one in self.answer.hits]

    @strawberry.field(description=f"How many fragments were found, of which the best {MOST_RANKED} can be had.")
    def total_count(self) -> int:
        return self.answer.total

    @strawberry.field(description="The query with words that are there in place of those that are not; null if none.")
    def meant(self) -> str | None:
        return self.answer.meant

    @strawberry.field(description="Topics of what was found, the most frequent first.")
    async def topics(self) -> list[SearchCount]:
        return _counts(await self.asked.topics())

    @strawberry.field(description="The languages of what was found, the most frequent first.")
    async def locales(self) -> list[SearchCount]:
        return _counts(await self.asked.locales())


@strawberry.input(description="What is looked for, for whose eyes.")
class SearchInput(ViewpointInput):
    query: str = strawberry.field(
        description=f"As somebody typed or said it; at most {MOST_QUERY} characters of it count. Words need not be "
        "whole, nor without mistakes."
    )
    topics: list[str] = strawberry.field(default_factory=list, description="With one of these topics; none for all.")
    locales: list[str] = strawberry.field(default_factory=list, description="In one of these languages; none for all.")
    first: int = strawberry.field(default=10, description=f"How many hits, at most {MOST_HITS}.")
    offset: int = strawberry.field(default=0, description="How many of the best to leave out.")


@strawberry.input(description="What somebody is typing, for whose eyes.")
class SuggestInput(ViewpointInput):
    prefix: str = strawberry.field(description="What was typed so far.")
    first: int = strawberry.field(default=5, description=f"How many, at most {MOST_SUGGESTIONS}.")


@strawberry.type
class SearchQueries:
    """Finding articles."""

    @strawberry.field(description="Fragments of articles that answer a query, of those that are for the viewer.")
    async def search(
        self, info: Info, input: Annotated[SearchInput, strawberry.argument(description="What, for whose eyes.")]
    ) -> SearchResults:
        asked = await _asked(info, input)
        return SearchResults(asked=asked, answer=await asked.answer(first=input.first, offset=input.offset))

    @strawberry.field(description="What was typed with its last word completed, so that something is found by it.")
    async def suggest(
        self, info: Info, input: Annotated[SuggestInput, strawberry.argument(description="What, for whose eyes.")]
    ) -> list[str]:
        _check(input.first, MOST_SUGGESTIONS, 0)
        eyes, wanted = await viewpoint(info, input)
        return info.context.services.search.suggest(input.prefix, eyes, wanted, limit=input.first)

    @strawberry.field(description="What is found in one JSON object, which the SDK reads.")
    async def search_document(
        self, info: Info, input: Annotated[SearchInput, strawberry.argument(description="What, for whose eyes.")]
    ) -> SearchDocument:
        asked = await _asked(info, input)
        return SearchDocument(document(await asked.answer(first=input.first, offset=input.offset)))


def document(answer: Answer) -> dict[str, Any]:
    """As search.schema.json says."""
    return {
        "hits": [_hit(one) for one in answer.hits],
        "total": answer.total,
        **({"meant": answer.meant} if answer.meant is not None else {}),
        **max_age(answer.lasts),
    }


def _hit(hit: Hit) -> dict[str, Any]:
    heading = {"heading": hit.fragment.heading} if hit.fragment.heading is not None else {}
    return {
        "slug": hit.article.slug,
        "version": hit.article.version,
        "title": hit.article.title,
        "fragment": hit.fragment.id,
        "locale": hit.fragment.locale,
        **heading,
        "snippet": hit.snippet.text,
        "html": hit.snippet.html,
        "score": hit.score,
    }


async def _asked(info: Info, given: SearchInput) -> Inquiry:
    _check(given.first, MOST_HITS, given.offset)
    for what, names in (("topics", given.topics), ("locales", given.locales)):
        if len(names) > MOST_NAMES or any(len(name) > MOST_NAME for name in names):
            raise Invalid(f"{what}: at most {MOST_NAMES}, each with at most {MOST_NAME} characters.")
    eyes, wanted = await viewpoint(info, given)
    locales = [locale(one) for one in given.locales]
    return info.context.services.search.ask(given.query, eyes, wanted, topics=given.topics, locales=locales)


def _check(first: int, most: int, offset: int) -> None:
    if not 0 < first <= most or offset < 0:
        raise Invalid(f"first: 1 to {most}, and an offset of 0 or more.")


def _counts(counts: Sequence[Count]) -> list[SearchCount]:
    return [SearchCount(name=one.name, count=one.count) for one in counts]
