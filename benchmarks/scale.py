"""What a round costs when there are more clients to choose from: `make bench`.

Runs of the demo's experiment with 200, 2,000 and 20,000 clients and the same participants per round take turns (A B C
A B C ...), in one process; the ratio of time per round is taken inside each turn. Evaluation is left out, since it
asks every client by its nature. The last line is the whole demo, as a user waits for it.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

import horae
from horae.experiment import load
from horae.runner import train

SIZES = (200, 2_000, 20_000)


def seconds_per_round(clients: int, folder: Path) -> float:
    """Wall seconds per cohort round of 50 rounds' worth of participations."""
    experiment = load(
        None,
        {
            "baseline": "none",
            "population.clients": clients,
            "budget.participations": 1500,
            "evaluation.every": 10_000,
            "evaluation.clients": 1,
        },
    )
    world = experiment.world()
    started = time.perf_counter()
    done = train(experiment, world, folder)
    return (time.perf_counter() - started) / done.summary["rounds"]


def main() -> None:
    """Take turns, print ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    times: dict[int, list[float]] = {size: [] for size in SIZES}
    for turn in range(options.turns + 1):  # the first warms up
        for size in SIZES:
            with tempfile.TemporaryDirectory() as folder:
                taken = seconds_per_round(size, Path(folder))
            if turn:
                times[size].append(taken)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {options.turns} turns")
    print("| clients | ms per round, median | over 200 clients, median (min - max) |\n|---|---|---|")
    for size in SIZES:
        ratios = [mine / base for mine, base in zip(times[size], times[SIZES[0]], strict=True)]
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} - {max(ratios):.2f})"
        print(f"| {size:,} | {1000 * statistics.median(times[size]):.1f} | {spread} |")
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        horae.run("demo", out=Path(folder) / "run")
        print(f"\n`horae run` (cohorts, baseline, report): {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main()
