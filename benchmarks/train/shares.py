"""What a round of a convolutional network is made of, on one core: `python -m benchmarks.train.shares leaf [clients]`.

With CC=none torch's own norms and pools instead of the compiled pass.

CPU milliseconds of a client's step, layer by layer, each the least of a few rounds; and the rate of its products. A
network of the lean path is taken apart by kinds of work instead, as torch's profiler tells them.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from threadpoolctl import threadpool_limits
from torch.profiler import ProfilerActivity, profile

from benchmarks.train.engines.horae import Horae
from benchmarks.train.engines.sgemm import GFLOP, Sgemm
from benchmarks.train.workloads import WORKLOADS
from horae.training import conv_layers
from horae.training.conv_wide import Wide

ROUNDS = 3
KINDS = (
    *(
        conv_layers.Direct,
        conv_layers.Unfolded,
        conv_layers.Convolve,
        conv_layers.Norm,
        conv_layers.Pool,
        conv_layers.Relu,
    ),
    *(conv_layers.Linear, conv_layers.Reshape, Wide),
)
PASSES = ("squeeze", "unsqueeze")
WORK = {  # of the lean path
    "our convolutions, there": ("_Convolved",),
    "our convolutions, back": ("_ConvolvedBackward",),
    "torch's convolutions, there": ("aten::mkldnn_convolution", "aten::_slow_conv2d_forward", "aten::thnn_conv2d"),
    "torch's convolutions, back": ("aten::convolution_backward",),
    "products: kernels of a pixel, the last layer": ("aten::mm", "aten::addmm", "aten::bmm"),
    "norms": ("_Normalised", "_NormalisedBackward", "aten::native_group_norm", "aten::native_group_norm_backward"),
    "whole vectors: copies, gradient, step, update": (
        "aten::cat",
        "aten::copy_",
        "aten::sub_",
        "aten::sub",
        "aten::repeat",
    ),
}

spent: defaultdict[str, float] = defaultdict(float)


def clocked(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
    """The same, its CPU time noted under its name, and that of the tensors it has."""

    def timed(*given: Any, **named: Any) -> Any:
        started = time.process_time()
        answer = work(*given, **named)
        layer = getattr(given[0], "layer", given[0])
        spent[f"{name} {getattr(layer, 'weight', '')}".strip()] += time.process_time() - started
        return answer

    return timed


def by_kind(engine: Horae) -> dict[str, float]:
    """Seconds of a round's kinds of work, autograd's own among the rest."""
    with profile(activities=[ProfilerActivity.CPU]) as told:
        engine.round()
    found = {event.key: event.self_cpu_time_total / 1e6 for event in told.key_averages()}
    kinds = {kind: sum(found.pop(name, 0.0) for name in names) for kind, names in WORK.items()}
    return {**kinds, "the rest: activations, pools, autograd": sum(found.values())}


def main() -> None:
    """Rounds, then the table."""
    name, clients = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10
    for kind in KINDS:
        for way in ("forward", "backward"):
            setattr(kind, way, clocked(f"{kind.__name__}.{way}", getattr(kind, way)))
    for way in PASSES:
        setattr(conv_layers, way, clocked("norm, pool, relu " + way, getattr(conv_layers, way)))
    workload = replace(WORKLOADS[name], clients=clients)
    with threadpool_limits(limits=1):
        engine, sgemm, least, whole = Horae(workload.task(), 1), Sgemm(), dict[str, float](), float("inf")
        peak = max(GFLOP / sgemm.round() for _ in range(9))
        for _ in range(ROUNDS + 1):
            spent.clear()
            started = time.process_time()
            engine.round()
            whole = min(whole, time.process_time() - started)
            told = by_kind(engine) if engine.trainer.path_name.startswith("lean") else spent
            least = {key: min(least.get(key, float("inf")), value) for key, value in told.items()}
    steps = workload.client_steps
    print(f"{name}, {clients} clients, one core; sgemm {peak:.0f} GFLOP/s")
    print(f"{1e3 * whole / steps:8.2f} ms a step, {workload.flops / whole / 1e9:.0f} GFLOP/s")
    for key, value in sorted(least.items(), key=lambda item: -item[1]):
        print(f"{1e3 * value / steps:8.2f} ms  {100 * value / whole:3.0f} %  {key}")


if __name__ == "__main__":
    main()
