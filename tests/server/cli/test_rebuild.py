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
    answered = {"type": "journey.answered", "journey": "move", "properties": {"question": "postcode", "value": "SW1"}}
    visit = [action(login("C-1"), channel="web", contact="visit", **given) for given in ({}, {}, answered)]
    steadylight("replay", written(*visit))
    with pymongo.MongoClient[dict[str, object]](mongod.uri) as client:
        made = [client[environment][name] for name in ("contacts", "answers")]
        before = [list(one.find()) for one in made]
        for one in made:
            one.delete_many({})

        said = steadylight("rebuild")
        after = [list(one.find()) for one in made]

    assert said.stdout.startswith("Rebuilt from 3 actions in ")
    assert [len(one) for one in before] == [1, 1]
    assert after == before
    assert steadylight.json("rebuild")["actions"] == 3
