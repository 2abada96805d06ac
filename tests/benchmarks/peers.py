"""The bench that measures the SDKs of others, with ours beside them: the same worker and sink, one after the other.

It is not part of this project. It is copied to a folder of its own together with the adapter for this SDK, and makes a
virtual environment for each SDK: STEADYLIGHT_PEERS_VENVS names the folder where they are, or are to be.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BENCH = ROOT.parent / "shared/peers/sdk"
VENVS = Path(os.environ.get("STEADYLIGHT_PEERS_VENVS", ROOT / "build/peers")).absolute()
OURS = "steadylight"
#: By adapter. Those that do HTTP in the caller are left out, since they keep nothing.
PEERS = ("posthog", "segment", "rudder", "snowplow_async", "amplitude", "sentry_logs", "otel_logs", "mixpanel_buffered")

# How often a case is begun that its bench could not begin.
_MOST_STARTS = 5


class Bench:
    """A copy of the bench in `folder`, ready to run. Raises FileNotFoundError where there is none to copy."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "bench"
        shutil.copytree(BENCH, self._folder)
        shutil.copy(HERE / "sdk/steadylight.py", self._folder / "adapters")
        if not (VENVS / "snowplow").exists():
            VENVS.mkdir(parents=True, exist_ok=True)
            subprocess.run(["sh", self._folder / "setup.sh", VENVS], check=True)
        if not (VENVS / OURS).exists():
            venv.create(VENVS / OURS, with_pip=True)
            pip = VENVS / OURS / "bin/pip"
            subprocess.run([pip, "install", "-q", "httpx", "pydantic"], check=True)

    def run(self, sdk: str, case: str, reps: int = 1, **options: Any) -> list[dict[str, Any]]:
        """What each repetition measured."""
        command = [sys.executable, "run.py", "--sdk", sdk, "--case", case, "--venvs", VENVS]
        for name, value in options.items():
            command += ["--set", f"{name}={json.dumps(value)}"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("STEADYLIGHT")}
        rows: list[dict[str, Any]] = []
        starts = 0
        while len(rows) < reps:
            done = subprocess.run(
                [str(part) for part in (*command, "--reps", reps - len(rows))],
                cwd=self._folder,
                env={**environment, "STEADYLIGHT_SDK": str(ROOT / "sdk")},
                capture_output=True,
                text=True,
            )
            rows += [json.loads(line) for line in done.stdout.splitlines()]
            starts += 1
            # Now and then somebody has taken the port that the bench found free for its sink: it goes on from there.
            if done.returncode and ("the sink did not start" not in done.stderr or starts > _MOST_STARTS):
                raise RuntimeError(f"{sdk} {case}: {done.stderr[-500:]}")
        return rows


def median(rows: list[dict[str, Any]], name: str) -> float:
    """Of the repetitions."""
    return statistics.median(row[name] for row in rows)
