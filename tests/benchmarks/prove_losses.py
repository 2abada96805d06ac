"""Nothing that was recorded is lost or arrives twice: SIGKILL, exit, outages and forks, through the bench of the peers.

The bench's sink counts what arrived. STEADYLIGHT_PROOF_SCALE makes it smaller: 0.1 is a tenth of the repetitions.
"""

import os
import tempfile
from pathlib import Path

from .figures import Figures
from .peers import OURS, Bench

SCALE = float(os.environ.get("STEADYLIGHT_PROOF_SCALE", "1"))
KILLS = max(2, round(20 * SCALE))
FORKS = max(3, round(200 * SCALE))
OUTAGES = (20, 120) if SCALE >= 1 else (20,)


def prove(figures: Figures) -> None:
    """Each case as often as asked."""
    with tempfile.TemporaryDirectory(prefix="steadylight-losses-") as folder:
        bench = Bench(Path(folder))
        rows = bench.run(OURS, "sigkill", KILLS)
        figures.note("times killed at once after 1,000 calls", len(rows), exactly=KILLS)
        figures.note("lost in all", sum(row["lost"] for row in rows), exactly=0)
        # 200 is garbage: an answer that looks well and is none of a Steadylight's.
        for mode in ("refuse", "hang", 500, 429, "cut", 200):
            rows = bench.run(OURS, "exit", 3, mode=mode)
            figures.note(f"lost at exit, server: {mode}", sum(row["lost"] for row in rows), exactly=0)
            figures.note("longest exit", max(row["exit_s"] for row in rows), "s", at_most=2)
        for seconds in OUTAGES:
            for mode in ("refuse", "hang", 500):
                [row] = bench.run(OURS, "outage", down_s=seconds, mode=mode)
                figures.note(f"lost of {row['made']} with an outage of {seconds} s, {mode}", row["lost"], exactly=0)
        rows = bench.run(OURS, "fork", FORKS, child_s=0.2)
        figures.note("forks", len(rows), exactly=FORKS)
        figures.note("lost in parents and children", sum(row["lost"] for row in rows), exactly=0)
        figures.note("delivered twice", sum(row["duplicates"] for row in rows), exactly=0)
        figures.note("children that did not end well", sum(row["child_exit"] != 0 for row in rows), exactly=0)
