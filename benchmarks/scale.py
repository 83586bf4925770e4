"""What a round costs when there are more clients to choose from: `make bench`, or python benchmarks/scale.py.

Runs with 10^4 to 10^7 clients of the population `virtual` and 200 participants per round take turns (A B C A B C ...),
in one process; the ratio of time per round is taken inside each turn. Evaluation is left out, since it asks many
clients by its nature. Memory is that of a process which does nothing else. Then: how many requests a second the
coordinator matches, and the whole demo, as a user waits for it. Results go to benchmarks/results/scale.md.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a file

import horae
from benchmarks.train.machine import machine
from horae.engines import Simulation
from horae.engines.matching import Matching
from horae.experiment import load
from horae.federate import federate, first_tree, news
from horae.types import Split

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
ROUNDS, KNOWN = 50, 200_000
RESULTS = Path(__file__).parent / "results"


class Count:
    """Counts the rounds that had participants."""

    rounds = 0

    def round(self, outcome: Any, *_: Any) -> None:
        """One more."""
        self.rounds += not outcome.empty


def parts(clients: int, **more: Any) -> tuple[Any, Any, Simulation]:
    """Plan, world and engine of the experiment with that many clients."""
    changes = {
        "baseline": "none", "participants": 200, "population.name": "virtual", "population.clients": clients,
        "budget.participations": 200 * ROUNDS, **more,
    }  # fmt: skip
    experiment = load(None, changes)
    world, plan = experiment.world(), experiment.plan()
    return plan, world, Simulation(plan, world, experiment.engine)


def seconds_per_round(clients: int) -> float:
    """Wall seconds per cohort round, without evaluation."""
    plan, world, engine = parts(clients)
    model, count = (world.trainer.initial_params, world.trainer.initial_buffers), Count()
    started = time.perf_counter()
    federate(plan, model, engine, count)
    return (time.perf_counter() - started) / count.rounds


def memory_mb(clients: int) -> float:
    """Peak resident memory of this process, libraries included, after a run."""
    seconds_per_round(clients)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def requests_per_s(clients: int = SIZES[-1]) -> float:
    """How many requests a second are matched to four cohorts, when KNOWN clients remember where they were.

    Everybody is online and asks; half of those looked at are known.
    """
    plan, world, engine = parts(clients, **{"availability.name": "always", "engine.look": 2})
    model = (world.trainer.initial_params, world.trainer.initial_buffers)
    tree = first_tree(plan, model, engine.ask).split((), 4, plan.clustering.init())
    looked = _looked_at(engine, tree)
    known = np.sort(np.random.default_rng(0).choice(looked, min(KNOWN, looked.size) // 2, replace=False))
    split = Split((), 1.0, 0.0, "for the measurement", 4, known, world.population.groups[known])
    engine.tell(news(split, tree))
    times = []
    for _ in range(5):
        started = time.perf_counter()
        engine.check_in(tree, (0,), looked.size // 2, 0)
        times.append(time.perf_counter() - started)
    return looked.size / statistics.median(times)


def _looked_at(engine: Simulation, tree: Any) -> np.ndarray:
    """Who is looked at in round 0: all who ask, whatever they ask for."""
    seen: list[np.ndarray] = []

    def served(self: Matching, tree: Any, some: np.ndarray, *where: Any) -> Any:
        seen.append(some)
        return usually(self, tree, some, *where)

    usually = Matching.served
    with patch.object(Matching, "served", served):
        engine.check_in(tree, (0,), KNOWN, 0)
    return np.concatenate(seen)


def table(turns: int) -> list[str]:
    """The lines about time and memory."""
    times: dict[int, list[float]] = {size: [] for size in SIZES}
    for turn in range(turns + 1):  # the first warms up
        for size in SIZES:
            taken = seconds_per_round(size)
            if turn:
                times[size].append(taken)
    lines = [
        "| clients | ms per round, median | over 10,000 clients, median (min - max) | peak memory, MB |",
        "|---|---|---|---|",
    ]
    for size in SIZES:
        ratios = [mine / base for mine, base in zip(times[size], times[SIZES[0]], strict=True)]
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} - {max(ratios):.2f})"
        words = [sys.executable, __file__, "--memory", str(size)]
        used = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
        lines.append(f"| {size:,} | {1000 * statistics.median(times[size]):.1f} | {spread} | {used:,.0f} |")
    return lines


def demo_s() -> float:
    """Seconds of the whole demo."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        horae.run("demo", out=Path(folder) / "run")
        return time.perf_counter() - started


def main(arguments: Sequence[str] | None = None) -> None:
    """Take turns, print ratios, write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--memory", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    with threadpool_limits(limits=1):
        if options.memory:
            print(json.dumps(memory_mb(options.memory)))
            return
        about = machine()
        lines = [
            "Made by `make bench`.\n",
            f"{about['cpu']}, {about['cores']} cores; python {about['python']}; {about['date']}; "
            f"{options.turns} turns; 200 participants a round.\n",
            *table(options.turns),
            f"\nRequests matched to four cohorts, of {SIZES[-1]:,} clients: {requests_per_s():,.0f} a second.",
        ]
    lines.append(f"`horae run` (cohorts, baseline, report): {demo_s():.1f} s")
    print("\n".join(lines))
    (RESULTS / "scale.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
