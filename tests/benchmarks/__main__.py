"""Runs proofs by name, or all: `python -m tests.benchmarks replay`, `--all`.

A proof is a file `prove_NAME.py` here: its docstring says what is shown, and its `prove(figures)`, plain or async,
notes figures with the bound each must keep. They are written to `build/figures/NAME.json` and, all together, to
`build/figures.md`. The exit status is 1 when a bound is broken or a proof fails; the others still run.
"""

import asyncio
import importlib
import inspect
import sys
import time
import traceback
from pathlib import Path

from .figures import Figures, summarise

HERE = Path(__file__).parent
BUILD = HERE.parents[1] / "build"


def names() -> list[str]:
    """The proofs there are, in alphabetical order."""
    return sorted(file.stem.removeprefix("prove_") for file in HERE.glob("prove_*.py"))


def run(name: str) -> bool:
    """Whether the proof ran to its end and every bound was kept; its figures are written either way."""
    module = importlib.import_module(f"{__package__}.prove_{name}")
    figures = Figures(name, inspect.getdoc(module) or name)
    print(f"── {name}: {figures.title}", flush=True)
    started = time.monotonic()
    try:
        outcome = module.prove(figures)
        if inspect.iscoroutine(outcome):
            asyncio.run(outcome)
    except Exception:
        traceback.print_exc()
        figures.failure = traceback.format_exc(limit=-1).strip().splitlines()[-1]
    figures.seconds = round(time.monotonic() - started, 1)
    figures.write(BUILD / "figures" / f"{name}.json")
    return figures.is_kept


def main(arguments: list[str]) -> int:
    """The exit status."""
    wanted = names() if arguments == ["--all"] else arguments
    unknown = sorted(set(wanted) - set(names()))
    if unknown or not wanted:
        print(f"No such proof: {', '.join(unknown)}. There are: {', '.join(names())}")
        return 2
    kept = [run(name) for name in wanted]
    summarise(BUILD / "figures", BUILD / "figures.md")
    print(f"{sum(kept)} of {len(kept)} kept their bounds; written to build/figures.md")
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
