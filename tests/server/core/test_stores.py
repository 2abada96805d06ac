"""What a store declares is what the database gets."""

import pytest

from steadylight_server.core.stores import Kept
from steadylight_server.timeline.contacts import ContactStore
from tests.server.conftest import Slices


async def test_indexes_are_made_once_and_missed_before(slices: Slices) -> None:
    store = ContactStore(slices.database, suffix=".fresh")
    await store.collection("contacts").insert_one({"_id": "a"})

    missing = await store.missing_indexes()
    await store.create_indexes()
    await store.create_indexes()

    assert missing == ["contacts.recent", "contacts.met"]
    assert await store.missing_indexes() == []
    assert await store.collection("contacts").index_names() == {"_id_", "recent", "met"}


async def test_a_second_set_takes_the_place_of_the_first(slices: Slices) -> None:
    first, second = ContactStore(slices.database), ContactStore(slices.database, suffix=".fresh")
    await first.collection("contacts").insert_one({"_id": "old"})
    await second.create_indexes()
    await second.collection("contacts").insert_one({"_id": "new"})

    await second.take_the_place_of(first)

    assert await first.collection("contacts").find({}) == [{"_id": "new"}]
    assert await first.missing_indexes() == []
    assert "contacts.fresh" not in await slices.database.collection_names()


async def test_a_store_that_begins_anew_is_empty_and_has_its_indexes(slices: Slices) -> None:
    store = ContactStore(slices.database, suffix=".rebuilt")
    await slices.database.collection("contacts.rebuilt").insert_one({"left": "behind"})

    await store.begin_anew()

    assert await slices.database.collection("contacts.rebuilt").count({}) == 0
    assert await store.missing_indexes() == []


async def test_a_collection_that_was_not_declared_is_a_mistake(slices: Slices) -> None:
    with pytest.raises(AssertionError, match="elsewhere is not declared"):
        ContactStore(slices.database).collection("elsewhere")


async def test_every_collection_of_the_house_is_declared_and_has_its_indexes(slices: Slices) -> None:
    stores = slices.stores.all()

    assert {name: kept for store in stores for name, kept in store.collections.items()} == {
        "channels": Kept.LEDGER,
        "credentials": Kept.LEDGER,
        "secrets": Kept.LEDGER,
        "identifiers": Kept.LEDGER,
        "profiles": Kept.LEDGER,
        "actions": Kept.LEDGER,
        "contacts": Kept.PROJECTION,
        "gaps": Kept.PROJECTION,
        "performances": Kept.LEDGER,
        "action_types": Kept.PROJECTION,
        "traits": Kept.PROJECTION,
        "answers": Kept.PROJECTION,
        "journeys": Kept.LEDGER,
        "threads": Kept.PROJECTION,
        "intents": Kept.TRANSIENT,
        "links": Kept.LEDGER,
        "articles": Kept.LEDGER,
        "article_versions": Kept.LEDGER,
        "showings": Kept.PROJECTION,
        "blueprints": Kept.LEDGER,
        "audit": Kept.LEDGER,
        "audit_head": Kept.LEDGER,
        "rates": Kept.TRANSIENT,
    }
    assert [await store.missing_indexes() for store in stores] == [[]] * len(stores)
