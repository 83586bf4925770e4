"""What cohorts of an earlier run are worth to a short one: python benchmarks/reuse.py (half a minute).

Accuracy of the demo's clients after 300 participations, in the cohorts of a run of 3,000 and afresh, three seeds.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

import horae

SEEDS = (0, 1, 2)


def accuracy(out: Path, seed: int, participations: int, **more: str) -> float:
    """Of one run, in percent."""
    changes = {"seed": seed, "baseline": "none", "budget.participations": participations, **more}
    return 100 * float(horae.run("demo", out=out, changes=changes).summary["accuracy"])


def main() -> None:
    """Run and print."""
    reused, afresh = [], []
    with tempfile.TemporaryDirectory() as folder:
        for seed in SEEDS:
            before = Path(folder) / f"before-{seed}"
            accuracy(before, seed, 3000)
            reused.append(accuracy(Path(folder) / f"reused-{seed}", seed, 300, **{"clustering.from": str(before)}))
            afresh.append(accuracy(Path(folder) / f"afresh-{seed}", seed, 300))
    for name, found in (("in known cohorts", reused), ("afresh", afresh)):
        print(f"{name}: {statistics.mean(found):.1f} ± {statistics.stdev(found):.1f} %")


if __name__ == "__main__":
    main()
