"""`to_json` of pydantic_core, without the package around it.

The package loads the types of all its schemas, which take a sixth of the time in which there is a client; who only
records needs one function of its extension. Where a host has loaded the package, or its extension is not found where it
has always been, it is the package's own. Whoever imports the package later gets it whole, and the same classes.
"""

import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from typing import Any


def _core() -> Any:
    if "pydantic_core" not in sys.modules:
        package = PathFinder.find_spec("pydantic_core")
        spec = package and PathFinder.find_spec("pydantic_core._pydantic_core", package.submodule_search_locations)
        if spec is not None and spec.loader is not None:
            with suppress(ImportError):  # The package knows what it needs.
                extension = module_from_spec(spec)
                spec.loader.exec_module(extension)
                return extension
    return import_module("pydantic_core")


_CORE = _core()
to_json: Callable[[object], bytes] = _CORE.to_json
SerializationError: type[Exception] = _CORE.PydanticSerializationError
