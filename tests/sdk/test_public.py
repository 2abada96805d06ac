"""The public surface: what is exported, documented and loaded."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import steadylight
import steadylight.testing
from steadylight._operations import OPERATIONS

_SCHEMA = Path(__file__).parents[2] / "schema" / "operations"


def test_every_exported_name_is_there() -> None:
    assert {name: hasattr(steadylight, name) for name in steadylight.__all__} == dict.fromkeys(
        steadylight.__all__, True
    )


def test_exports_are_listed_in_order_and_once() -> None:
    assert steadylight.__all__ == sorted(set(steadylight.__all__))


def test_nothing_else_is_public() -> None:
    public = {name for name in vars(steadylight) if not name.startswith("_")}

    assert public - set(steadylight.__all__) <= {"import_module", "TYPE_CHECKING", "testing", "integrations"}


def test_dir_lists_the_exports() -> None:
    assert dir(steadylight) == steadylight.__all__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'steadylight' has no attribute 'Klient'"):
        _ = steadylight.Klient  # type: ignore[attr-defined]


@pytest.mark.parametrize("module", [steadylight, steadylight.testing])
def test_public_names_and_their_public_members_have_docstrings(module: object) -> None:
    bare = []
    for name in module.__all__:  # type: ignore[attr-defined]
        thing = getattr(module, name)
        if not inspect.isclass(thing):
            continue
        if not inspect.getdoc(thing):
            bare.append(name)
        members = {n: m for n, m in vars(thing).items() if not n.startswith("_") and n != "model_config"}
        bare += [
            f"{name}.{member}"
            for member, value in members.items()
            if (inspect.isfunction(value) or isinstance(value, property)) and not inspect.getdoc(value)
        ]

    assert bare == []


def test_both_clients_have_the_same_verbs() -> None:
    def verbs(kind: type) -> dict[str, list[str]]:
        return {
            name: list(inspect.signature(verb).parameters)
            for name, verb in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("_")
        }

    assert verbs(steadylight.Client) == verbs(steadylight.AsyncClient)
    assert verbs(steadylight.Contact) == verbs(steadylight.AsyncContact)


def test_importing_the_package_loads_nothing_heavy() -> None:
    told = "import sys, steadylight; print(sorted({'httpx', 'pydantic', 'asyncio', 'ssl'} & set(sys.modules)))"

    result = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)

    assert result.stdout == "[]\n"


def test_who_only_records_loads_no_models_and_no_event_loop() -> None:
    told = (
        "import sys; from steadylight import Client, Options, Assurance; "
        "light = Client('http://127.0.0.1:9', 'sl_x', options=Options(spool=None)); light.contact('k').record('a.b'); "
        "print(sorted({'pydantic', 'pydantic_core', 'asyncio'} & set(sys.modules)), light.stats().recorded); "
        "light.close(0)"
    )

    result = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)

    assert result.stdout == "[] 1\n"


@pytest.mark.parametrize("first", ["pydantic, pydantic_core", "steadylight._json"])
def test_pydantic_is_whole_whoever_is_loaded_first(first: str) -> None:
    told = (
        f"import {first}; import pydantic_core._pydantic_core, pydantic; from steadylight import _json; "
        "same = pydantic_core._pydantic_core.PydanticSerializationError is _json.SerializationError; "
        "print(same, pydantic.TypeAdapter(dict[str, int]).dump_json({'a': 1}) == _json.to_json({'a': 1}))"
    )

    result = subprocess.run([sys.executable, "-W", "error", "-c", told], capture_output=True, text=True, check=True)

    assert result.stdout == "True True\n"


def test_without_its_extension_the_package_is_loaded() -> None:
    told = (
        "import sys; from importlib.machinery import PathFinder; found = PathFinder.find_spec; "
        "PathFinder.find_spec = lambda name, *where: None if where and name.startswith('pydantic_core._') and "
        "'pydantic_core' not in sys.modules else found(name, *where); "
        "from steadylight import _json; print('pydantic_core' in sys.modules, _json.to_json({'a': 1}))"
    )

    result = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)

    assert result.stdout == "True b'{\"a\":1}'\n"


def test_the_operations_are_the_files_of_the_contract() -> None:
    assert {file.stem: file.read_text() for file in _SCHEMA.glob("*.graphql")} == OPERATIONS
