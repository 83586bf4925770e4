"""Workers: the same bits as one process, also when they are killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from horae.errors import RunError
from horae.training import Trainer, Training, Work
from horae.training.native import compiled
from horae.training.pool import _cuts
from horae.types import Correction

CLIENTS = 37


def module(kind):
    if kind == "lean":
        return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Dropout(0.3), nn.BatchNorm1d(8), nn.Linear(8, 3))
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))


def trainer(kind):
    rng = np.random.default_rng(0)
    nn.init.normal_((made := module(kind))[0].weight, generator=None)
    x, y = rng.normal(size=(400, 6)).astype(np.float32), rng.integers(0, 3, 400)
    with np.errstate(all="ignore"):
        return made, Trainer(made, Training(steps=3, batch=4, chunk=8, path=kind), x, y, 0)


def work(trainer):
    rng = np.random.default_rng(1)
    rows = [np.sort(rng.choice(400, rng.integers(2, 12), replace=False)) for _ in range(CLIENTS)]
    drift = rng.normal(size=(CLIENTS, trainer.n_params)).astype(np.float32) * 0.01
    return Work(
        trainer.initial_params,
        trainer.initial_buffers,
        np.arange(CLIENTS) * 3,
        rows,
        2,
        correction=Correction(0.1, drift),
    )


def same(one, other):
    for name in ("updates", "buffers", "losses", "processed"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def many_of(alone, kind, workers):
    """A trainer of the same module with that many workers."""
    data = (alone._samples.x.numpy(), alone._samples.y.numpy())
    return Trainer(alone.module, alone.training, *data, alone.seed, workers)


@pytest.mark.parametrize("kind", ["dense", "lean", *(["native"] if compiled() else [])])
def test_workers_change_no_bit_also_when_they_are_killed(kind):
    _, alone = trainer(kind)
    assert alone.path_name == kind
    wanted = alone.train(work(alone))
    many = many_of(alone, kind, 2)
    try:
        same(many.train(work(many)), wanted)
        before = set(many._pool.hands._executor._processes)
        for worker in before:
            os.kill(worker, signal.SIGKILL)
        same(many.train(work(many)), wanted)
        assert before.isdisjoint(many._pool.hands._executor._processes)
    finally:
        many.close()
    assert many._pool.hands._executor is None


def test_workers_that_keep_dying_are_given_up(monkeypatch):
    _, alone = trainer("dense")
    many = many_of(alone, "dense", 2)
    monkeypatch.setattr(many._pool, "_attempt", lambda parts: ({}, RuntimeError("worker 7 is gone")))
    with pytest.raises(RunError, match=r"2 workers keep dying \(worker 7 is gone\)"):
        many.train(work(many))


@pytest.mark.parametrize(
    ("clients", "grain", "workers", "edges"),
    [
        (37, 8, 2, [0, 16, 37]),  # five chunks: two and three
        (37, 8, 9, [0, 8, 16, 24, 32, 37]),
        (5, 8, 4, [0, 5]),
        (4, 1, 4, [0, 1, 2, 3, 4]),
        (0, 8, 2, [0]),
    ],
)
def test_rounds_are_cut_between_chunks(clients, grain, workers, edges):
    cuts = list(_cuts(clients, grain, workers))
    assert [cut.start for cut in cuts] == edges[:-1]
    assert [cut.stop for cut in cuts] == edges[1:]


def lives(pid):
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()  # a zombie is dead
    except OSError:
        return False


def test_workers_end_with_whoever_started_them(tmp_path):
    script = """
import os, sys
import numpy as np
from torch import nn
from horae.training import Trainer, Training, Work
if __name__ == "__main__":
    x, y = np.zeros((8, 2), np.float32), np.zeros(8, np.int64)
    made = Trainer(nn.Linear(2, 2), Training(steps=1, batch=2, chunk=1, path="lean"), x, y, 0, 2)
    made.train(Work(made.initial_params, made.initial_buffers, np.arange(2), [np.arange(4), np.arange(4, 8)], 0))
    print(*made._pool.hands._executor._processes, flush=True)
    os.kill(os.getpid(), 9)
"""
    file = tmp_path / "main.py"
    file.write_text(script)
    done = subprocess.run([sys.executable, str(file)], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    left, until = [int(word) for word in done.stdout.split()], time.monotonic() + 20
    assert len(left) == 2
    while left and time.monotonic() < until:
        left = [pid for pid in left if lives(pid)]
        time.sleep(0.05)
    assert left == []
