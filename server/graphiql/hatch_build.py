"""Makes GraphiQL's files, with node and npm: for the source tree as a program, for a package as hatch's build hook.

Without node the package is built all the same and its page says how to add them; STEADYLIGHT_REQUIRE_GRAPHIQL=1 in the
environment makes that an error, for whoever builds what is shipped.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = Path(__file__).parent
MADE = HERE.parent / "steadylight_server/api/assets/manifest.json"
# The packages' thousands of files stay out of the source folders, where linters, tests and builds would walk them.
WORKSHOP = HERE.parents[1] / ".cache/graphiql"
COMMANDS = (("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"), ("node", "build.mjs", str(MADE.parent)))


class GraphiQLHook(BuildHookInterface[Any]):
    """Runs before a wheel or a source archive is put together; in a source tree the Makefile sees to it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Makes the files if need be. Raises RuntimeError if it must and cannot."""
        if version == "editable" or (problem := made()) is None:
            return
        if _is_required():
            raise RuntimeError(f"GraphiQL was not built: {problem}")
        self.app.display_warning(f"Built without GraphiQL, whose page will say how to add it: {problem}")


def made() -> str | None:
    """Makes the files, unless they are there and newer than their sources. What went wrong, in a line, or None."""
    if MADE.exists() and all(source.stat().st_mtime <= MADE.stat().st_mtime for source in HERE.glob("*.*")):
        return None
    if not (shutil.which("node") and shutil.which("npm")):
        return "node and npm are not installed."
    shutil.copytree(HERE, WORKSHOP, dirs_exist_ok=True)
    for command in COMMANDS:
        ended = subprocess.run(command, cwd=WORKSHOP, capture_output=True, text=True, check=False)
        if ended.returncode:
            # npm's warnings come first, and there are always some.
            complaint = [line for line in ended.stderr.splitlines() if line and not line.startswith("npm warn")]
            return f"`{' '.join(command)}` failed. {' '.join(complaint[:3])}"
    return None


def _is_required() -> bool:
    return os.environ.get("STEADYLIGHT_REQUIRE_GRAPHIQL") == "1"


if __name__ == "__main__":
    if problem := made():
        sys.stderr.write(f"GraphiQL is left out, and its page says how to add it: {problem}\n")
        sys.exit(_is_required())
