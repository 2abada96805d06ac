"""The law of who is shown what, for one made-up world of articles and viewers: what is for somebody, and nothing else.

Over GraphQL and the SDK, in every rendering: in lists, by name and id, in errors, by search, in its counts, topics,
languages and suggestions. Worlds are drawn by hypothesis; a few are looked at with the tests, many as a proof.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import strategies as st

from steadylight import Client, NotFound
from steadylight.testing import FAST
from steadylight_server.core.embedded import EmbeddedDatabase
from tests.conftest import LiveServer, settings_for
from tests.eyes import CHANNELS, Eyes, eyes
from tests.factories import action, batch, login
from tests.viewers import OPEN, RENDERINGS, Article, articles

RECORD = "mutation ($input: RecordActionsInput!) { recordActions(input: $input) { refused } }"
PUBLISH = "mutation ($input: PublishArticleInput!) { publishArticle(input: $input) { article { revision } } }"
EXPIRE = "mutation ($input: ExpireArticleInput!) { expireArticle(input: $input) { article { revision } } }"
PART = "{ id locale html plain sms spoken }"
SHOWN = f"{{ slug title locale topics fragments {PART} }}"
PAGE = f"nodes {SHOWN} pageInfo {{ hasNextPage endCursor }}"
LISTED = f"query ($for: ViewpointInput, $after: String) {{ articles(for: $for, first: 3, after: $after) {{ {PAGE} }} }}"
HITS = f"hits {{ article {SHOWN} fragment {PART} snippetHtml }}"
FOUND = f"{{ totalCount meant topics {{ name count }} locales {{ name count }} {HITS} }}"
NOTHING = "There is no such article."
MOST = 50  # hits that are told


@dataclass(frozen=True)
class World:
    """What is published, and who looks at it."""

    articles: tuple[Article, ...]
    viewers: tuple[Eyes, ...]


def worlds(*, least: int, most: int) -> st.SearchStrategy[World]:
    """So many articles, and as many viewers."""
    some = (st.lists(kind, min_size=least, max_size=most).map(tuple) for kind in (articles, eyes))
    return st.builds(World, *some)


class Matrix:
    """A server with all channels. What is published for one world is taken back before the next."""

    def __init__(self, mongod: EmbeddedDatabase) -> None:
        rates = {"rate_per_credential": "unlimited", "rate_per_customer": "unlimited"}
        self._server = server = LiveServer(settings_for(mongod, **rates, max_searches=100))
        self._keys = {name: server.key(name, kind) for name, kind in CHANNELS.items()}
        self._lights = {name: Client(server.url, key, options=FAST) for name, key in self._keys.items()}
        self._http = httpx.Client(base_url=server.url, timeout=20, verify=False)
        #: What was compared, by what it is.
        self.counts: Counter[str] = Counter()

    def close(self) -> None:
        """Ends its clients, and the server."""
        self._http.close()
        for light in self._lights.values():
            light.close(timeout=0)
        self._server.stop()

    def hold(self, world: World) -> None:
        """Raises AssertionError where anybody in that world is shown anything else than what is for them."""
        mark = f"zq7{uuid4().hex[:12]}"  # with a figure, so that no other word is near it
        library = {f"{mark}-{place}": article for place, article in enumerate((*world.articles, OPEN))}
        with self._published(library):
            self._tell(mark, world.viewers)
            while f"{mark}-{len(world.articles)}" not in self._slugs(mark):
                pass
            for place, one in enumerate(world.viewers):
                self._look(f"{mark}-v{place}", one, library)
        self.counts["worlds"] += 1

    @contextmanager
    def _published(self, library: Mapping[str, Article]) -> Iterator[None]:
        revisions = {}
        try:
            for slug, article in library.items():
                given = {"slug": slug, "revision": 0, "reason": "new", "files": article.files(slug, _words(slug))}
                told = self._done(PUBLISH, {"input": given}, self._server.admin_key)
                revisions[slug] = told["publishArticle"]["article"]["revision"]
            yield
        finally:
            for slug, revision in revisions.items():
                given = {"slug": slug, "revision": revision, "reason": "over"}
                self._done(EXPIRE, {"input": given}, self._server.admin_key)

    def _tell(self, mark: str, viewers: tuple[Eyes, ...]) -> None:
        """What is known of each."""
        known = [action(login(f"{mark}-v{place}"), traits=dict(one.traits)) for place, one in enumerate(viewers)]
        told = self._done(RECORD, {"input": {"batch": batch(*known)}}, self._keys["web"])
        assert told["recordActions"]["refused"] == 0

    def _slugs(self, word: str) -> list[str]:
        query = "query ($input: SearchInput!) { search(input: $input) { hits { article { slug } } } }"
        told = self._done(query, {"input": {"query": word, "first": MOST}}, self._keys["web"])
        return [hit["article"]["slug"] for hit in told["search"]["hits"]]

    def _look(self, name: str, who: Eyes, library: Mapping[str, Article]) -> None:
        """Everything that one viewer is answered, compared with what they are to be shown."""
        answers = {slug: article.answer(slug, _words(slug), who.seen) for slug, article in library.items()}
        expected = {slug: answer for slug, answer in answers.items() if answer is not None}
        given: dict[str, Any] = {"identifiers": [login(name, who.level)], "locale": who.locale}
        given |= {"asEmployee": True} if who.is_employee else {}
        key = self._keys[who.channel]

        assert self._listed(given, key) == [expected[slug] for slug in sorted(expected)]
        self._by_name(given, key, library, expected)
        self._by_search(given, key, library, expected)
        self._by_sdk(name, who, library, expected)
        self.counts["pairs"] += len(library)
        self.counts["shown"] += len(expected)
        fragments = sum(len(one["fragments"]) for one in expected.values())
        # In the list, by name, by id, as a hit and as part of its article; and twice by the SDK.
        self.counts["renderings"] += len(RENDERINGS) * fragments * 7

    def _listed(self, given: Mapping[str, Any], key: str) -> list[Any]:
        """Page by page."""
        found: list[Any] = []
        after = None
        while True:
            page = self._done(LISTED, {"for": given, "after": after}, key)["articles"]
            found += page["nodes"]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                return found
            assert page["nodes"], "more was promised than is there"

    def _by_name(
        self, given: Mapping[str, Any], key: str, library: Mapping[str, Article], expected: Mapping[str, Any]
    ) -> None:
        """Each by its name and by its id: what is not for them is answered as what never was."""
        ways, asked = {}, []
        for place, slug in enumerate([*library, "never"]):
            for alias, by in ((f"slug{place}", f'slug: "{slug}"'), (f"id{place}", f'id: "art_{slug}"')):
                ways[alias] = slug
                asked.append(f"{alias}: article(by: {{{by}}}, for: $for) {SHOWN}")
        query = f"query ($for: ViewpointInput) {{ {' '.join(asked)} }}"
        answer = self._answer(query, {"for": given}, key)
        assert answer["data"] == {alias: expected.get(slug) for alias, slug in ways.items()}
        errors = sorted((one["path"], one["message"]) for one in answer["errors"])
        assert errors == sorted(([alias], NOTHING) for alias, slug in ways.items() if slug not in expected)

    def _by_search(
        self, given: Mapping[str, Any], key: str, library: Mapping[str, Article], expected: Mapping[str, Any]
    ) -> None:
        """By a word that is in every fragment, and by one that is in those of one article: both are found, counted and
        suggested only where something with it is for them.
        """
        mark = _mark(next(iter(library)))
        words = {f"one{place}": _word(slug) for place, slug in enumerate(library)}
        inputs = {
            alias: {**given, "query": f"{word} ", "first": MOST} for alias, word in {"all": mark, **words}.items()
        }
        named = " ".join(f"${alias}: SearchInput!" for alias in inputs)
        asked = " ".join(f"{alias}: search(input: ${alias}) {FOUND}" for alias in inputs)
        query = f"query ($begun: SuggestInput! {named}) {{ suggest(input: $begun) {asked} }}"
        answer = self._done(query, {**inputs, "begun": {**given, "prefix": mark, "first": 20}}, key)
        assert set(answer["suggest"]) == {mark, *(_word(slug) for slug in expected)}
        assert _tidy(answer["all"]) == _found(mark, expected)
        for alias, slug in zip(words, library, strict=True):
            mine = {slug: expected[slug]} if slug in expected else {}
            assert _tidy(answer[alias]) == _found(_word(slug), mine)

    def _by_sdk(self, name: str, who: Eyes, library: Mapping[str, Article], expected: Mapping[str, Any]) -> None:
        """The same by the SDK, and once more, when it knows the articles already."""
        contact = self._lights[who.channel].customer(login=name, assurance=who.level).contact(key=f"{name}-visit")
        asking: dict[str, Any] = {"locale": who.locale, "as_employee": who.is_employee, "within": 10}
        for slug in library:
            if slug not in expected:
                with pytest.raises(NotFound):
                    contact.article(slug, **asking)
                continue
            first, again = contact.article(slug, **asking), contact.article(slug, **asking)
            mine = {one: getattr(first, one) for one in ("slug", "title", "locale")}
            parts = [one.model_dump(include={"id", "locale", *RENDERINGS}) for one in first.fragments]
            assert {**mine, "topics": list(first.topics), "fragments": parts} == expected[slug]
            assert again == first
        mark = _mark(next(iter(library)))
        found = contact.search(f"{mark} ", first=MOST, **asking)
        hits = sorted((one.slug, one.title, one.fragment, one.locale) for one in found.hits)
        right = [(slug, one["title"], part["id"], part["locale"]) for slug, one, part in _parts(expected)]
        assert (found.total, found.meant, hits) == (len(right), None, sorted(right))
        assert all(f"<mark>{mark}</mark>" in one.html and _words(one.slug) in one.snippet for one in found.hits)

    def _done(self, query: str, variables: Mapping[str, Any], key: str) -> dict[str, Any]:
        answer = self._answer(query, variables, key)
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data

    def _answer(self, query: str, variables: Mapping[str, Any], key: str) -> dict[str, Any]:
        body = {"query": query, "variables": variables}
        answer: dict[str, Any] = self._http.post(
            "/graphql", json=body, headers={"Authorization": f"Bearer {key}"}
        ).json()
        return answer


def _mark(slug: str) -> str:
    return slug.partition("-")[0]


def _word(slug: str) -> str:
    """The article's own, which begins with the world's."""
    return f"{_mark(slug)}{slug.rpartition('-')[2]}x"


def _words(slug: str) -> str:
    """What all fragments of an article say: the world's own word, and the article's."""
    return f"{_mark(slug)} {_word(slug)}"


def _parts(expected: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    return [(slug, one, part) for slug, one in expected.items() for part in one["fragments"]]


def _found(word: str, expected: Mapping[str, Any]) -> dict[str, Any]:
    """What a search for the word is to answer; hits in the order of names."""
    parts = _parts(expected)
    topics = Counter(topic for _, one, _ in parts for topic in one["topics"])
    locales = Counter(part["locale"] for _, _, part in parts)
    hits = [{"article": one, "fragment": part, "marked": word} for _, one, part in parts]
    return {
        "totalCount": len(parts),
        "meant": None,
        "topics": _counts(topics),
        "locales": _counts(locales),
        "hits": sorted(hits, key=_place),
    }


def _tidy(told: Mapping[str, Any]) -> dict[str, Any]:
    """The same of what was answered."""
    hits = [
        {
            "article": hit["article"],
            "fragment": hit["fragment"],
            "marked": hit["snippetHtml"].partition("<mark>")[2].partition("</mark>")[0],
        }
        for hit in told["hits"]
    ]
    return {**told, "hits": sorted(hits, key=_place)}


def _counts(counted: Counter[str]) -> list[dict[str, Any]]:
    """The most frequent first."""
    most = sorted(counted.items(), key=lambda one: (-one[1], one[0]))
    return [{"name": name, "count": count} for name, count in most]


def _place(hit: Mapping[str, Any]) -> tuple[str, str]:
    return hit["article"]["slug"], hit["fragment"]["id"]
