"""Viewers of all sorts against articles of all sorts, for a few worlds; `make prove-audiences` looks at hundreds."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings

from steadylight_server.core.embedded import EmbeddedDatabase
from tests.conftest import LiveServer, settings_for
from tests.matrix import Matrix, World, worlds


@pytest.fixture(scope="module")
def matrix(mongod: EmbeddedDatabase) -> Iterator[Matrix]:
    server = LiveServer(settings_for(mongod, rate_per_credential="unlimited", rate_per_customer="unlimited"))
    matrix = Matrix(server)
    yield matrix
    matrix.close()
    server.stop()


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.timeout(400)  # what fails is made smaller first, for which hypothesis takes five minutes at most
@settings(max_examples=10, deadline=None, print_blob=True)
@given(worlds(least=1, most=4))
def test_each_viewer_is_shown_what_is_for_them_and_nothing_else(matrix: Matrix, world: World) -> None:
    matrix.hold(world)
