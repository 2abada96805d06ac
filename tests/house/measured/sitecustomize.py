"""Python runs this first in each process that a test starts: the coverage floor puts this folder in its path."""

import importlib.util
from pathlib import Path

_spec = importlib.util.spec_from_file_location("steadylight_probes", Path(__file__).parents[1] / "probes.py")
assert _spec is not None
assert _spec.loader is not None
_probes = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_probes)
_probes.install()
