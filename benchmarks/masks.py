"""What masks and corrections cost on the fast paths, in seconds: python benchmarks/masks.py (a minute).

A round of 784-100-62, 100 clients of 5 steps of 20, one worker. The whole model takes turns (A B C ... A B C ...) with
the same without 70 % of its hidden units (as a smaller stack, and as zeros), with 70 % of its weights dropped at
random, and with what FedProx and SCAFFOLD add to a gradient. Ratios are taken inside each turn, of wall-clock seconds
and of the processor's. Results go to benchmarks/results/masks.{json,md}.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a file

from benchmarks.train.machine import machine
from horae.training import Mlp, Trainer, Training, Work, initial
from horae.training.native import compiled
from horae.types import Correction

CLIENTS, SAMPLES, INPUTS, HIDDEN, CLASSES, GONE = 100, 100, 784, 100, 62, 0.7
WARM_UP = 2
RESULTS = Path(__file__).parent / "results"
Times = dict[str, list[tuple[float, float]]]


def trainer(path: str) -> Trainer:
    """Of a perceptron, on made-up samples."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(CLIENTS * SAMPLES, INPUTS)).astype(np.float32)
    module = initial(Mlp((HIDDEN,)), (INPUTS,), CLASSES, seed=0)
    return Trainer(module, Training(steps=5, batch=20, lr=0.05, path=path), x, rng.integers(CLASSES, size=len(x)), 0)


def works(of: Trainer) -> dict[str, Work]:
    """What is timed, by name."""
    rng = np.random.default_rng(1)
    rows = list(np.arange(CLIENTS * SAMPLES).reshape(CLIENTS, SAMPLES))
    whole = Work(of.initial_params, of.initial_buffers, np.arange(CLIENTS), rows, 0)
    units = np.arange(of.anatomy.n_units) < round((1 - GONE) * HIDDEN)
    living = of.anatomy.living(units)
    each = rng.normal(scale=0.01, size=(CLIENTS, of.n_params)).astype(np.float32)
    scaffold = Correction(drift=each)
    return {
        "whole": whole,
        "70 % of units, smaller stack": replace(whole, units=units, keep=living),
        "70 % of units, zeros": replace(whole, keep=living),
        "70 % of weights": replace(whole, keep=rng.random(of.n_params) >= GONE),
        "FedProx": replace(whole, correction=Correction(prox=0.1)),
        "SCAFFOLD": replace(whole, correction=scaffold),
        "70 % of units, smaller stack, SCAFFOLD": replace(whole, units=units, keep=living, correction=scaffold),
    }


def measured(path: str, turns: int) -> Times:
    """Seconds of the clock and of the processor, turn by turn; the first ones warm up."""
    of = trainer(path)
    jobs = works(of)
    found: Times = {name: [] for name in jobs}
    for turn in range(turns + WARM_UP):
        for name, job in jobs.items():
            started, busy = time.perf_counter(), time.process_time()
            of.train(job)
            if turn >= WARM_UP:
                found[name].append((time.perf_counter() - started, time.process_time() - busy))
    return found


def row(path: str, name: str, whole: list[tuple[float, float]], mine: list[tuple[float, float]]) -> str:
    """A line of the table."""
    cells = [path, name]
    for clock in (0, 1):
        gains = [a[clock] / b[clock] for a, b in zip(whole, mine, strict=True)]
        cells.append(f"{1000 * statistics.median(taken[clock] for taken in mine):.0f}")
        cells.append(f"{statistics.median(gains):.2f} ({min(gains):.2f} - {max(gains):.2f})")
    return f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Take turns, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=15)
    options = parser.parse_args(arguments)
    about, load = machine(), os.getloadavg()[0]
    with threadpool_limits(limits=1):
        times = {path: measured(path, options.turns) for path in ("native", "dense") if path == "dense" or compiled()}
    heads = ["path", "what", "wall ms", "times as fast as whole, median (min - max)"]
    heads += ["processor ms", "times as fast as whole, median (min - max)"]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for path, mine in times.items():
        lines += [row(path, name, mine["whole"], taken) for name, taken in mine.items()]
    text = [
        "Made by `python benchmarks/masks.py`.\n",
        f"{about['cpu']}, {about['cores']} cores, one used; python {about['python']}, torch {about['torch']}; "
        f"{about['date']}, load {load:.1f} to {os.getloadavg()[0]:.1f}; {options.turns} turns.",
        f"{INPUTS}-{HIDDEN}-{CLASSES}, {CLIENTS} clients, 5 steps of 20, SGD; a round with all the trainer does.\n",
        *lines,
    ]
    print("\n".join(text))
    RESULTS.joinpath("masks.md").write_text("\n".join(text) + "\n", encoding="utf-8")
    held = {"machine": about, "load": load, "turns": options.turns, "seconds": times}
    RESULTS.joinpath("masks.json").write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
