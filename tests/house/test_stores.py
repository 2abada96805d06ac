"""Every store is known to the composition root, owns its collections alone, and is private to its slice."""

import importlib
import pkgutil
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import steadylight_server
from steadylight_server.app import Stores
from steadylight_server.core.stores import Store

ROOT = Path(__file__).parents[2]


def stores() -> list[type[Store]]:
    """All there are in the server's modules."""
    for module in pkgutil.walk_packages(steadylight_server.__path__, "steadylight_server."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return Store.__subclasses__()


def test_the_composition_root_knows_every_store() -> None:
    hints = get_type_hints(Stores)

    assert {hints[field.name] for field in fields(Stores)} == set(stores())


def test_no_two_stores_share_a_collection() -> None:
    collections = [name for store in stores() for name in store.collections]

    assert sorted(collections) == sorted(set(collections))


def test_every_store_is_private_to_its_slice() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    private = {
        module: set(contract["allowed_importers"])
        for contract in contracts
        if contract["type"] == "protected"
        for module in contract["protected_modules"]
    }

    for store in stores():
        package = store.__module__.rpartition(".")[0]
        if package == "steadylight_server.core":
            continue  # what every slice may use
        assert private.get(store.__module__) == {package, "steadylight_server.app"}, store.__module__
