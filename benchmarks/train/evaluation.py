"""What testing costs: `python -m benchmarks.train.evaluation WORKLOAD`, an answer in JSON.

2,000 clients of 20 samples share four models; a round of training takes turns with it. What training spends on its
forward passes is taken to be their share of its FLOPs.
"""

from __future__ import annotations

import json
import sys
import time
from statistics import median
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.train.engines.horae import Horae
from benchmarks.train.workloads import WORKLOADS

CLIENTS, SAMPLES, MODELS, TURNS = 2000, 20, 4, 7


def measure(name: str) -> dict[str, Any]:
    """Samples per second of testing, and of the forward passes inside training."""
    workload = WORKLOADS[name]
    task = workload.task()
    engine = Horae(task, workers=1)
    rng = np.random.default_rng(0)
    firsts = rng.integers(len(task.x) - SAMPLES, size=CLIENTS)  # a client's samples lie together, as in training
    rows = [np.arange(first, first + SAMPLES) for first in firsts]
    shares = np.array_split(np.arange(CLIENTS), MODELS)
    models = [engine.model + np.float32(i / 100) for i in range(MODELS)]
    engine.round()
    tested, trained = [], []
    for _ in range(TURNS):
        started = time.perf_counter()
        for model, share in zip(models, shares, strict=True):
            engine.trainer.evaluate(model, engine.buffers, [rows[i] for i in share])
        tested.append(CLIENTS * SAMPLES / (time.perf_counter() - started))
        started = time.perf_counter()
        engine.round()
        inside = (time.perf_counter() - started) * workload.forward_share
        trained.append(task.index.size / inside)
    ratio = [a / b for a, b in zip(tested, trained, strict=True)]
    return {
        "workload": name,
        "path": engine.trainer.path_name,
        "tested_per_s": median(tested),
        "forward_in_training_per_s": median(trained),
        "ratio": [median(ratio), min(ratio), max(ratio)],
    }


if __name__ == "__main__":
    with threadpool_limits(limits=1):
        print(json.dumps(measure(sys.argv[1])))
