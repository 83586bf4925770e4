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
from collections.abc import Sequence
from pathlib import Path

from threadpoolctl import threadpool_limits

import horae
from horae.engines import Simulation
from horae.experiment import load
from horae.federate import federate
from horae.types import CohortTree, Outcome, Verdict

SIZES = (200, 2_000, 20_000)


class Count:
    """Counts the rounds that had participants."""

    rounds = 0

    def round(self, outcome: Outcome, tree: CohortTree, verdicts: Sequence[Verdict]) -> None:
        """One more."""
        self.rounds += not outcome.empty


def seconds_per_round(clients: int) -> float:
    """Wall seconds per cohort round of 50 rounds' worth of participations, without evaluation."""
    changes = {"baseline": "none", "population.clients": clients, "budget.participations": 1500}
    experiment = load(None, changes)
    world, plan, count = experiment.world(), experiment.plan(), Count()
    model = (world.trainer.initial_params, world.trainer.initial_buffers)
    started = time.perf_counter()
    with threadpool_limits(limits=1):
        federate(plan, model, Simulation(plan, world, experiment.engine), count)
    return (time.perf_counter() - started) / count.rounds


def main() -> None:
    """Take turns, print ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    times: dict[int, list[float]] = {size: [] for size in SIZES}
    for turn in range(options.turns + 1):  # the first warms up
        for size in SIZES:
            taken = seconds_per_round(size)
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
