"""record() costs less than the SDKs of others that forget, and what it keeps arrives faster; all in one run.

The bench in `../shared/peers/sdk` is the judge: a call with 8 properties at 2,000 a second, 50,000 calls back to back,
the fastest pace without loss, import and memory.
"""

import os
import tempfile
from pathlib import Path

from .figures import Figures
from .peers import OURS, PEERS, Bench, median

CALLS = int(os.environ.get("STEADYLIGHT_PROOF_CALLS", "50000"))
# Rounds in which each SDK's pace is measured.
FLOWS = 5


def prove(figures: Figures) -> None:
    """Measures each SDK in turn, so that a slow minute of the machine is everybody's."""
    with tempfile.TemporaryDirectory(prefix="steadylight-peers-") as folder:
        bench = Bench(Path(folder))
        calls, bursts, imports = {}, {}, {}
        for sdk in (OURS, *PEERS):
            imports[sdk] = bench.run(sdk, "import")
            calls[sdk] = bench.run(sdk, "call", n=CALLS)
            bursts[sdk] = bench.run(sdk, "burst", n=CALLS)
        flows: dict[str, list[dict[str, float]]] = {sdk: [] for sdk in calls}
        for _ in range(FLOWS):  # They are short, ours half a second: one after the other, again and again.
            for sdk, rows in flows.items():
                rows += bench.run(sdk, "throughput")
        memory = bench.run(OURS, "memory")
    for name, label in (("us_p50", "µs of a call, median"), ("us_p99", "µs of a call, 99 in 100 are faster")):
        figures.note(f"{label}: ours", median(calls[OURS], name), "µs")
        for sdk in PEERS:
            figures.note(f"{label}: {sdk}", median(calls[sdk], name), "µs")
    ours = median(calls[OURS], "us_p50")
    figures.note("µs of a call, median", ours, "µs", at_most=10)
    cheapest = min(median(calls[sdk], "us_p50") for sdk in PEERS)
    figures.note("the same, as a share of the cheapest peer's", ours / cheapest, at_most=0.5)
    slowest = median(calls[OURS], "us_p99")
    steadiest = min(median(calls[sdk], "us_p99") for sdk in PEERS)
    figures.note("99 in 100 calls, as a share of the steadiest peer's", slowest / steadiest, at_most=1)
    figures.note(f"lost of {CALLS} back to back", median(bursts[OURS], "lost"), exactly=0)
    for sdk in PEERS:
        figures.note(f"lost of {CALLS} back to back: {sdk}", median(bursts[sdk], "lost"))
    pace = median(flows[OURS], "events_per_s")
    best = max(median(flows[sdk], "events_per_s") for sdk in PEERS)
    figures.note("actions a second from end to end", pace)
    figures.note("the same, times the best peer's", pace / best, at_least=3)
    cpu = median(flows[OURS], "cpu_s_per_10k")
    figures.note("CPU of 10,000 actions", cpu, "s")
    figures.note(
        "the same, as a share of the best peer's",
        cpu / min(median(flows[p], "cpu_s_per_10k") for p in PEERS),
        at_most=0.5,
    )
    for sdk in ("posthog", "segment", "rudder"):
        share = begun(imports[OURS]) / begun(imports[sdk])
        figures.note(f"import and creation, as a share of {sdk}'s", share, at_most=1)
    figures.note("memory for 100,000 undelivered actions", median(memory, "delta_mb"), "MB", at_most=30)
    noise = max(row["other_cpu_cores"] for rows in (*calls.values(), *flows.values()) for row in rows)
    figures.note("cores that others used meanwhile; distrust times above 0.3", noise)


def begun(rows: list[dict[str, float]]) -> float:
    """Milliseconds until there is a client."""
    return median(rows, "import_ms") + median(rows, "create_ms")
