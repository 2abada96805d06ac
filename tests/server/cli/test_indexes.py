"""`steadylight indexes`."""

import pymongo

from steadylight_server.core.embedded import EmbeddedDatabase

from .conftest import Steadylight


def test_missing_indexes_are_said_then_made_then_there(
    environment: str, steadylight: Steadylight, mongod: EmbeddedDatabase
) -> None:
    said = steadylight.json("indexes", "--check", code=1)
    made = steadylight.json("indexes")
    there = steadylight.json("indexes", "--check")

    assert {one["state"] for one in said} == {"missing"}
    assert {one["state"] for one in made} == {"made"}
    assert {one["state"] for one in there} == {"present"}
    assert {
        "collection": "identifiers",
        "name": "identifier",
        "keys": {"kind": 1, "value": 1},
        "unique": True,
        "state": "present",
    } in there
    with pymongo.MongoClient[dict[str, object]](mongod.uri) as client:
        assert "identifier" in client[environment]["identifiers"].index_information()


def test_one_that_was_dropped_is_named(environment: str, steadylight: Steadylight, mongod: EmbeddedDatabase) -> None:
    steadylight("indexes")
    with pymongo.MongoClient[dict[str, object]](mongod.uri) as client:
        client[environment]["credentials"].drop_index("owner")

    table = steadylight("indexes", "--check", code=1).stdout

    states = {tuple(line.split()[:2]): line.split()[-1] for line in table.splitlines() if line.strip()}
    assert states["credentials", "owner"] == "missing"
    assert states["identifiers", "identifier"] == "present"
