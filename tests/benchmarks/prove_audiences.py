"""Viewers of all sorts are shown what is for them and nothing else, over GraphQL and the SDK, in every rendering."""

import tempfile
from pathlib import Path

from steadylight_server.core.embedded import EmbeddedDatabase
from tests.conftest import LiveServer, settings_for
from tests.contract.test_audiences import matrix

from .figures import Figures

VIEWERS, ARTICLES = 100, 60


def prove(figures: Figures) -> None:
    """Every answer equals what the rules of the audiences, written a second time, make of it."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedDatabase.start(Path(folder)) as database:
        server = LiveServer(settings_for(database, rate_per_credential="unlimited", rate_per_customer="unlimited"))
        try:
            counts = matrix(server, viewers=VIEWERS, articles=ARTICLES, seed=20261122)
        finally:
            server.stop()
    figures.note("answers compared", counts["compared"], "", at_least=18_000)
    figures.note("articles shown", counts["shown"], "", at_least=1_000)
    figures.note("articles that were not there", counts["nothing"], "", at_least=1_000)
