"""What combining a round's updates costs: `python -m benchmarks.train.aggregation UPDATES FLOATS`, an answer in JSON.

The limit is one read of the same memory, a sum by torch on the same one thread; both take turns.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks.train.machine import free_gb
from horae.types import Updates

TURNS = 5


def rows_of(updates: int, floats: int) -> np.ndarray:
    """Updates in memory, as many as there is room for (a third is left free), each with values of its own."""
    fit = int(free_gb() * 2**30 * 2 / 3 / (4 * floats))
    rows = np.empty((max(2, min(updates, fit)), floats), np.float32)
    first = np.random.default_rng(0).standard_normal(floats, np.float32)
    for i, row in enumerate(rows):
        np.multiply(first, 1 + i / 100, out=row)
    return rows


def measure(updates: int, floats: int) -> dict[str, Any]:
    """Seconds of combining and of reading, and the memory that combining adds."""
    rows = rows_of(updates, floats)
    weights = np.full(len(rows), 1 / len(rows))
    held, tensor = Updates(rows), torch.from_numpy(rows)
    combine, read = [], []
    Path("/proc/self/clear_refs").write_text("5")
    before = _peak_mb()
    for _ in range(TURNS):
        combine.append(_seconds(lambda: held.combine(weights)))
        read.append(_seconds(tensor.sum))
    ratio = [a / b for a, b in zip(combine, read, strict=True)]
    return {
        "updates": len(rows),
        "floats": floats,
        "combine_s": median(combine),
        "read_s": median(read),
        "over_read": [median(ratio), min(ratio), max(ratio)],
        "added_mb": _peak_mb() - before,
        "result_mb": floats * 4 / 2**20,
    }


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _peak_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


if __name__ == "__main__":
    torch.set_num_threads(1)
    with threadpool_limits(limits=1):
        print(json.dumps(measure(int(sys.argv[1]), int(sys.argv[2]))))
