"""How deep, wide and long a document may be."""

import time

import httpx
import pytest
from graphql import get_introspection_query, parse

from steadylight_server.api.limits import Limits, check, parsed
from steadylight_server.core.config import Settings
from steadylight_server.core.errors import TooComplex

SMALL = Limits(depth=3, aliases=2, tokens=4_000)


def refusal(text: str, limits: Limits = SMALL) -> str:
    with pytest.raises(TooComplex) as caught:
        check(parse(text), limits)
    return caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "{ a { b { c } } }",
        "{ a { ... { b { ... on T { c } } } } }",
        "{ a { ...F } } fragment F on T { b { c } }",
        "{ a { ...F } } fragment F on T { b ...F }",
        "{ a { ...F } } fragment F on T { ...G } fragment G on T { b ...F }",
        "{ a { ...Unknown } }",
        "{ x: a y: b }",
        "query A { x: a y: b } query B { x: a y: b }",
        "fragment F on T { a { b { c { d } } } }",
    ],
)
def test_a_document_within_the_limits_passes(text: str) -> None:
    check(parse(text), SMALL)


@pytest.mark.parametrize(
    "text",
    [
        "{ a { b { c { d } } } }",
        "{ a { ...F } } fragment F on T { b { c { d } } }",
        "{ a { ...F } } fragment F on T { b { ...G } } fragment G on T { c { d } }",
        "query A { a } mutation B { a { b { ... { c { d } } } } }",
    ],
)
def test_a_document_too_deep_is_refused_through_fragments_too(text: str) -> None:
    assert refusal(text) == "The document is 4 fields deep; at most 3 are allowed."


@pytest.mark.parametrize(
    "text",
    [
        "{ a: search { hits } b: suggest c: searchDocument }",
        "{ a: search { ...F } b: search { ...F } } fragment F on T { hits }",
        "{ a: articleDocument b: articleDocument }",
        "{ article { fragments { html } } articles { nodes { fragments { id } } } }",
        "query A { ...F } query B { ...F } fragment F on T { a: search b: search c: search }",
    ],
)
def test_a_document_may_search_so_often(text: str) -> None:
    check(parse(text), Limits(searches=3))


@pytest.mark.parametrize(
    "text",
    [
        "{ a: search { hits } b: suggest c: searchDocument d: articleDocument }",
        "{ a: search { hits { article { fragments { id } } } } b: search { hits { article { fragments { id } } } } }",
        "{ ...F ...G } fragment F on T { a: search b: search } fragment G on T { ...F }",
    ],
)
def test_searches_count_as_often_as_their_fragment_is_spread(text: str) -> None:
    expected = "The document asks for 4 searches, suggestions and renderings of articles; at most 3 are allowed."
    assert refusal(text, Limits(searches=3)) == expected


@pytest.mark.parametrize("text", ["{ x: a y: a z: a }", "{ x: a { ...F } y: b { ...F } } fragment F on T { z: c }"])
def test_aliases_count_as_often_as_their_fragment_is_spread(text: str) -> None:
    assert refusal(text) in {
        "The document has 3 aliases; at most 2 are allowed.",
        "The document has 4 aliases; at most 2 are allowed.",
    }


def test_fragments_that_double_each_other_are_measured_at_once() -> None:
    levels = "".join(f"fragment F{n} on T {{ x: a {{ ...F{n + 1} }} y: a {{ ...F{n + 1} }} }}" for n in range(30))
    began = time.perf_counter()

    message = refusal("{ ...F0 } " + levels + "fragment F30 on T { a }", Limits(depth=100))

    assert message == f"The document has {2**31 - 2} aliases; at most 60 are allowed."
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    "text",
    [
        "{ a " + "{ ... " * 120 + "{ b }" + "}" * 120 + "}",
        "{ ...F0 }" + "".join(f"fragment F{n} on T {{ a ...F{n + 1} }}" for n in range(400)),
    ],
)
def test_nesting_without_fields_is_bounded_too(text: str) -> None:
    assert refusal(text) == "Selections may be nested at most 100 times, fragments included."


def test_introspection_is_counted_apart() -> None:
    check(parse(get_introspection_query(input_value_deprecation=True, specified_by_url=True)), SMALL)

    too_deep = "{ __schema { types { " + "ofType { " * 20 + "name" + "}" * 20 + "} } }"
    assert refusal(too_deep) == "Introspection may be at most 20 fields deep."


def test_tokens_are_limited_while_parsing() -> None:
    parsed("{ a b }", Limits(tokens=4))

    with pytest.raises(TooComplex) as caught:
        parsed("{ a b c }", Limits(tokens=4))

    assert caught.value.message == "Document contains more than 4 tokens. Parsing aborted."


def test_comments_and_depth_of_the_text_are_limited_while_parsing() -> None:
    with pytest.raises(TooComplex):
        parsed("#\n" * 10 + "{ a }", Limits(tokens=5))
    with pytest.raises(TooComplex):
        parsed("{ a " * 5_000 + "}" * 5_000, Limits(tokens=100_000))


def test_the_limits_are_the_operators() -> None:
    settings = Settings(max_depth=1, max_aliases=2, max_searches=4, max_tokens=3)

    assert Limits.from_settings(settings) == Limits(depth=1, aliases=2, searches=4, tokens=3)


@pytest.mark.parametrize(
    "query",
    [
        "{ node " + "{ child " * 12 + "{ id }" + "}" * 12 + "}",
        "{ " + " ".join(f"a{n}: __typename" for n in range(61)) + "}",
        "{ " + "__typename " * 4_000 + "}",
    ],
)
async def test_what_passes_a_limit_is_too_complex(client: httpx.AsyncClient, query: str) -> None:
    headers = {"Accept": "application/graphql-response+json"}

    response = await client.post("/graphql", json={"query": query}, headers=headers)

    (error,) = response.json()["errors"]
    assert (response.status_code, error["extensions"]["code"]) == (400, "TOO_COMPLEX")


async def test_graphiql_may_introspect(client: httpx.AsyncClient) -> None:
    response = await client.post("/graphql", json={"query": get_introspection_query()})

    assert response.json()["data"]["__schema"]["queryType"]["name"] == "Query"
