"""What a model without some of its channels saves, in seconds: python benchmarks/compact.py (a minute).

autoflip-cnn on images of 3x24x24, batches of 64, one thread. The whole model, the one with zeros in place of units, and
those without them take turns (A B C A B C ...) in one process; ratios are taken inside each turn, of wall-clock seconds
and of the processor's, which other processes on the machine lengthen less. "forward" is a batch without gradients,
"round" local training of one client by the trainer, from the model it is sent to its update. Each group of n units
keeps int((1 - share) n), as torch-pruning does, or the nearest multiple of eight to it, which processors like better.
Results go to benchmarks/results/compact.{json,md}.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a file

from benchmarks.train.machine import machine
from horae.training import MODELS, Trainer, Training, Work, initial
from horae.training.compact import compacted

CASES = {"0.3": (0.3, 1), "0.3, in eights": (0.3, 8), "0.5": (0.5, 1)}  # share, and what widths are multiples of
BATCH, STEPS, TARGET = 64, 2, 1.3
RESULTS = Path(__file__).parent / "results"
CLOCKS = ("wall", "processor")

Times = dict[str, dict[str, list[tuple[float, float]]]]


def trainer() -> Trainer:
    """Of autoflip-cnn, on made-up images."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(BATCH * STEPS, 3, 24, 24)).astype(np.float32), rng.integers(0, 10, BATCH * STEPS)
    module = initial(MODELS["autoflip-cnn"](), (3, 24, 24), 10, seed=0)
    return Trainer(module, Training(steps=STEPS, batch=BATCH), x, y, seed=0)


def units_of(of: Trainer, case: str) -> np.ndarray:
    """The first units of each group live: which they are changes no time."""
    share, multiple = CASES[case]
    units = np.zeros(of.anatomy.n_units, bool)
    for first, group in zip(of.anatomy.first, of.anatomy.groups, strict=True):
        left = (1 - share) * group.n
        units[first : first + (int(left) if multiple == 1 else multiple * round(left / multiple))] = True
    return units


def work(of: Trainer, **more: Any) -> Work:
    """One client's round."""
    return Work(of.initial_params, of.initial_buffers, np.arange(1), [np.arange(BATCH * STEPS)], 0, **more)


def jobs(of: Trainer) -> dict[str, dict[str, Callable[[], Any]]]:
    """What is timed, by what and by model."""
    x = torch.randn(BATCH, 3, 24, 24)
    modules, works = {"whole": of.module.eval()}, {"whole": work(of)}
    for case in CASES:
        units = units_of(of, case)
        modules[case] = compacted(of.module, of.anatomy, units).eval()
        works[case] = work(of, units=units)
    works["zeros"] = work(of, keep=of.anatomy.living(units_of(of, "0.3")))
    return {
        "forward": {name: (lambda m=module: m(x)) for name, module in modules.items()},
        "round": {name: (lambda w=one: of.train(w)) for name, one in works.items()},
    }


def timed(job: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of the clock, and of the processor."""
    started, busy = time.perf_counter(), time.process_time()
    job()
    return time.perf_counter() - started, time.process_time() - busy


def measured(turns: int) -> Times:
    """Seconds of every turn, by what and by model; the first two warm up."""
    found: Times = {}
    with threadpool_limits(limits=1):
        for what, models in jobs(trainer()).items():
            found[what] = {name: [] for name in models}
            for turn in range(turns + 2):
                for name, job in models.items():
                    with torch.set_grad_enabled(what == "round"):
                        taken = timed(job)
                    if turn >= 2:
                        found[what][name].append(taken)
    return found


def ratios(whole: list[tuple[float, float]], small: list[tuple[float, float]], clock: int) -> list[float]:
    """How many times as fast, turn by turn; clock: 0 is the wall's, 1 the processor's."""
    return [a[clock] / b[clock] for a, b in zip(whole, small, strict=True)]


def sizes() -> dict[str, dict[str, int]]:
    """Parameters and FLOPs of a forward pass, by model."""
    of = trainer()
    found = {"whole": {"parameters": of.n_params, "flops": of.flops_per_sample}}
    for case in CASES:
        units = units_of(of, case)
        left = int(np.count_nonzero(of.anatomy.living(units)))
        found[case] = {"parameters": left, "flops": of.flops_of(units)}
    return found


def lines(times: Times, size: dict[str, dict[str, int]]) -> list[str]:
    """The table."""
    heads = ["units taken out", "parameters", "FLOPs", "what"]
    for clock in CLOCKS:
        heads += [f"{clock} ms, median", "times as fast, median (min - max)"]
    rows = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for what, models in times.items():
        for name, mine in models.items():
            counts = size.get(name, size["whole"])
            title = {"whole": "none", "zeros": "none, zeros for 0.3"}.get(name, name)
            cells = [title, *(f"{counts[key] / size['whole'][key]:.3f}" for key in ("parameters", "flops")), what]
            for clock in range(len(CLOCKS)):
                gains = ratios(models["whole"], mine, clock)
                cells.append(f"{1000 * statistics.median(taken[clock] for taken in mine):.1f}")
                cells.append(f"{statistics.median(gains):.2f} ({min(gains):.2f} - {max(gains):.2f})")
            rows.append(f"| {' | '.join(cells)} |")
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Take turns, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=31)
    options = parser.parse_args(arguments)
    about, load = machine(), os.getloadavg()[0]
    times, size = measured(options.turns), sizes()
    whole = times["forward"]["whole"]
    verdict = [f"Asked: forward {TARGET} times as fast at 0.3. Measured, by the clock and by the processor's time:"]
    for case in ("0.3", "0.3, in eights"):
        found = [statistics.median(ratios(whole, times["forward"][case], clock)) for clock in range(len(CLOCKS))]
        verdict.append(f"{case}: {found[0]:.2f} and {found[1]:.2f}.")
    text = [
        "Made by `python benchmarks/compact.py`.\n",
        f"{about['cpu']}, {about['cores']} cores, one used; python {about['python']}, torch {about['torch']}; "
        f"{about['date']}, load {load:.1f}; {options.turns} turns.",
        f"autoflip-cnn, 3x24x24, batch {BATCH}; a round: {STEPS} steps of a client, with all that the trainer does.\n",
        *lines(times, size),
        f"\n{' '.join(verdict)}",
    ]
    print("\n".join(text))
    RESULTS.joinpath("compact.md").write_text("\n".join(text) + "\n", encoding="utf-8")
    held = {"machine": about, "load": load, "turns": options.turns, "sizes": size, "seconds": times}
    RESULTS.joinpath("compact.json").write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
