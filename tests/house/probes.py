"""Branch coverage without a tracer: our own modules are given probes when they are imported, and nobody else is slowed.

A tracer is called for every line of every library, and keeps the interpreter from its faster paths: the tests took
twice as long. A probe is an assignment, `_probes_[number] = 1`, at the beginning of each statement and of each branch.
What was noted is told to coverage.py as the lines and arcs that its tracer would have told, so that it alone judges
what is a statement, what is a branch and what is left out.

What is noted of a module is a file mapped into memory that all processes share, a byte for each probe: nothing is
collected at the end, and what a process ran is known even if it was killed. Beside it lies the module compiled with its
probes, so that each is made once. This file is loaded by every process that a test starts, so it imports little.
"""

import importlib.machinery
import importlib.util
import marshal
import mmap
import os
import shutil
import sys
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

ROOT = Path(__file__).parents[2]
PACKAGES = {"steadylight": ROOT / "sdk/steadylight", "steadylight_server": ROOT / "server/steadylight_server"}
FOLDER = ROOT / "build/coverage"
# In the path of the processes that are started: with it Python runs `install` there.
MEASURED = ROOT / "tests/house/measured"
_INSTRUMENTED = ROOT / "tests/house/instrumented.py"
_MADE_BY = _INSTRUMENTED.read_bytes()
_MADE_BY += str(sys.implementation.cache_tag).encode()


def place(path: str, source: bytes) -> Path:
    """Where what is known of a file with this text is kept, but for the suffix."""
    told = importlib.util.source_hash(b"\0".join((_MADE_BY, path.encode(), source)))
    return FOLDER / f"{Path(path).stem}-{told.hex()}"


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module with its probes; where Python caches modules it leaves nothing."""

    def exec_module(self, module: ModuleType) -> None:
        source = self.get_data(self.path)
        kept = place(self.path, source)
        count, code = _made(kept.with_suffix(".code"), self.path, source)
        module.__dict__["_probes_"] = _mapped(kept.with_suffix(".noted"), count)
        exec(code, module.__dict__)


def _made(kept: Path, path: str, source: bytes) -> tuple[int, CodeType]:
    """How many probes there are, and the code with them."""
    try:
        made: tuple[int, CodeType] = marshal.loads(kept.read_bytes())
        return made
    except FileNotFoundError:
        pass
    spec = importlib.util.spec_from_file_location("steadylight_instrumented", _INSTRUMENTED)
    assert spec is not None
    assert spec.loader is not None
    instrumented: Any = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = instrumented  # dataclasses look for it
    spec.loader.exec_module(instrumented)
    it = instrumented.Instrumented(source, path)
    made = len(it.probes), compile(it.tree, path, "exec", dont_inherit=True)
    ours = kept.with_suffix(f".{os.getpid()}")
    ours.write_bytes(marshal.dumps(made))
    ours.replace(kept)  # whole, or not there
    return made


def _mapped(kept: Path, size: int) -> mmap.mmap:
    """The file in memory, for all who map it."""
    file = os.open(kept, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        os.ftruncate(file, max(size, 1))  # to what it is already, if another process was first
        return mmap.mmap(file, max(size, 1))
    finally:
        os.close(file)


class Finder:
    """Goes into `sys.meta_path` before all others: finds our own modules, for a loader that adds probes."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """The module; None for what is not in one of the packages."""
        folder = PACKAGES.get(name.partition(".")[0])
        spec = folder and importlib.machinery.PathFinder.find_spec(name, path, target)
        # Somebody else's may have the same name, as in the tests of wheels.
        if spec and folder and spec.origin and Path(spec.origin).is_relative_to(folder):
            if type(spec.loader) is importlib.machinery.SourceFileLoader:
                spec.loader = _Loader(name, spec.origin)
            return spec
        return None


def install() -> None:
    """Gives probes to what this process imports of the packages from now on."""
    if "_steadylight_probes" not in sys.__dict__:
        sys.__dict__["_steadylight_probes"] = True  # this module may be here under two names
        sys.meta_path.insert(0, Finder())


def begin() -> None:
    """Forgets what was noted before, and has the processes that are started from now on give probes, too."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(MEASURED), *([before] if before else [])])


def noted() -> dict[str, tuple[bytes, bytes]]:
    """For each file that was imported its text, and what its probes noted: 1 for each that was reached, else 0."""
    told = {}
    for folder in PACKAGES.values():
        for file in folder.rglob("*.py"):
            source = file.read_bytes()
            kept = place(str(file), source)
            if kept.with_suffix(".code").exists():
                count, _ = marshal.loads(kept.with_suffix(".code").read_bytes())
                told[str(file)] = source, kept.with_suffix(".noted").read_bytes()[:count]
    return told
