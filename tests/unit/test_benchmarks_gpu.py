"""The benchmark for a GPU: it does the yardstick's work, and says so where there is nothing to measure on."""

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.train import gpu
from benchmarks.train.engines.naive import Naive
from benchmarks.train.engines.vmapped import vmapped
from benchmarks.train.workloads import WORKLOADS, Workload

TINY = Workload("tiny", (1, 8, 8), 4, clients=3, channels=(4,), groups=2, hidden=(5,), population=9)


def test_it_does_the_work_of_the_yardstick():
    task = TINY.task()
    naive, horae = Naive(task), vmapped(task, chunk=2)
    assert horae.trainer.path_name == "vmap"
    for engine in (naive, horae):
        engine.round()
    one, other = (engine.params() - task.params for engine in (naive, horae))
    assert np.linalg.norm(other - one) < 1e-4 * np.linalg.norm(one)


def test_without_a_gpu_nothing_is_measured(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    gpu.main([])
    assert capsys.readouterr().out.startswith("skipped: torch sees no GPU here")


def test_a_line_on_the_processor(monkeypatch, capsys):
    monkeypatch.setitem(WORKLOADS, "tiny", TINY)
    monkeypatch.setattr(gpu, "ROUNDS", 1)
    monkeypatch.setattr(gpu, "SIDE", {"cpu": 64})
    gpu.main(["--device", "cpu", "--only", "tiny", "--clients", "3", "--chunk", "2"])
    _, exact, rough = capsys.readouterr().out.splitlines()
    assert exact.split()[:4] == ["tiny", "float32", "3", "clients"] and rough.split()[1] == "bf16"
    assert "clients/s" in exact and "% of peak  (vmap, chunk 2)" in exact
