"""`steadylight rebuild`."""

from collections.abc import Callable
from pathlib import Path

import pymongo

from steadylight_server.core.embedded import EmbeddedDatabase
from tests.factories import action, login

from .conftest import Steadylight


def test_projections_are_made_anew(
    environment: str, steadylight: Steadylight, written: Callable[..., Path], mongod: EmbeddedDatabase
) -> None:
    steadylight("replay", written(*(action(login("C-1"), channel="web", contact="visit") for _ in range(3))))
    with pymongo.MongoClient[dict[str, object]](mongod.uri) as client:
        contacts = client[environment]["contacts"]
        before = list(contacts.find())
        contacts.delete_many({})

        said = steadylight("rebuild")
        after = list(contacts.find())

    assert said.stdout.startswith("Rebuilt from 3 actions in ")
    assert len(before) == 1
    assert after == before
    assert steadylight.json("rebuild")["actions"] == 3
