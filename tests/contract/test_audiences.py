"""Viewers of all sorts against articles of all sorts, for a few worlds; `make prove-audiences` looks at hundreds."""

from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings

from steadylight_server.core.embedded import EmbeddedDatabase
from tests.conditions import age, sure
from tests.eyes import Eyes
from tests.matrix import Matrix, World, worlds
from tests.viewers import Article, Part

# What decides here is one thing at a time, whatever is drawn beside it: a region, a trait, the order of locales, and
# whether somebody can have come in person.
_PARTS = (
    Part("part-0", "en", {"regions": ("north",)}, None, 0, ()),
    Part("part-1", "en", {}, age(">=", 18), 0, ()),
    Part("part-2", "en", {}, None, 0, ()),
    Part("part-3", "en", {}, sure(">=", "IN_PERSON"), 0, ()),
    Part("part-2", "de", {}, None, 0, ()),
)
_VIEWERS = (
    Eyes("web", False, "de-CH", {"region": "north", "age": 18}),
    Eyes("web", False, None, {"region": "south", "age": 17}, "IN_PERSON"),
    Eyes("ivr", False, None, {}, "IN_PERSON"),
    Eyes("desk", False, None, {}, "IN_PERSON"),
)
KNOWN = World((Article("en", (), (), _PARTS),), _VIEWERS)


@pytest.fixture(scope="module")
def matrix(mongod: EmbeddedDatabase) -> Iterator[Matrix]:
    matrix = Matrix(mongod)
    yield matrix
    matrix.close()


@pytest.mark.timeout(400)  # what fails is made smaller first, for which hypothesis takes five minutes at most
@settings(max_examples=10, deadline=None, print_blob=True)
@example(KNOWN)
@given(worlds(least=2, most=3))
def test_each_viewer_is_shown_what_is_for_them_and_nothing_else(matrix: Matrix, world: World) -> None:
    matrix.hold(world)
