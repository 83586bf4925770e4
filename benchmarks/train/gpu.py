"""A round of many clients on a GPU: `make bench-gpu`, or `python -m benchmarks.train.gpu --only leaf --clients 200`.

Clients per second, and what share of the device's own products that is, each measured at the moment: float32 without
TF32, and bfloat16. Without a GPU a line says so; `--device cpu` runs the same code on the processor, as a trial.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

import torch

from benchmarks.train.engines.vmapped import vmapped
from benchmarks.train.workloads import WORKLOADS

ROUNDS, SIDE = 5, {"cuda": 8192, "cpu": 1024}
PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16}


def seconds(work: Callable[[], object], device: str, times: int) -> float:
    """The least time that it took, after once to warm up."""
    least = float("inf")
    for turn in range(times + 1):
        started = time.perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        least = min(least, time.perf_counter() - started) if turn else least
    return least


def peak(device: str, kind: torch.dtype) -> float:
    """FLOPs per second of a square product."""
    side = SIDE[device]
    one = torch.ones(side, side, device=device, dtype=kind)
    return 2 * side**3 / seconds(lambda: one @ one, device, 10)


def measured(name: str, clients: int, device: str, *, precision: str, chunk: int, compiled: bool) -> str:
    """A line of the table."""
    workload = replace(WORKLOADS[name], clients=clients)
    table = {"device": device, "precision": precision, "chunk": chunk, "compile": compiled}
    engine = vmapped(workload.task(), **table)
    if not engine.trainer.path_name.startswith("vmap"):
        return f"{name:14} its clients cannot train side by side"
    least = seconds(engine.round, device, ROUNDS)
    share = workload.flops / least / peak(device, PRECISIONS[precision])
    words = (
        f"{name:14} {precision:8} {clients:5} clients  {clients / least:9.1f} clients/s  {100 * share:5.1f} % of peak"
    )
    return f"{words}  ({engine.trainer.path_name}, chunk {chunk})"


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser("python -m benchmarks.train.gpu", description=__doc__)
    parser.add_argument("--only", default="leaf,resnet", help=f"of {', '.join(WORKLOADS)}")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--chunk", type=int, default=50)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--compile", action="store_true", help="torch.compile and CUDA graphs")
    asked = parser.parse_args(arguments)
    if wrong := [name for name in asked.only.split(",") if name not in WORKLOADS]:
        parser.error(f"no {', '.join(wrong)}; there are {', '.join(WORKLOADS)}")
    if asked.device == "cuda" and not torch.cuda.is_available():
        print("skipped: torch sees no GPU here, so nothing was measured; --device cpu tries the same code")
        return
    torch.backends.cuda.matmul.allow_tf32 = False
    print(torch.cuda.get_device_name() if asked.device == "cuda" else "processor", "torch", torch.__version__)
    for name in asked.only.split(","):
        for precision in PRECISIONS:
            how = {"precision": precision, "chunk": asked.chunk, "compiled": asked.compile}
            print(measured(name, asked.clients, asked.device, **how), flush=True)


if __name__ == "__main__":
    main()
