"""ResNet-18's updates are 45 MB each: however many clients there are, no more than a few are in memory at once.

`pytest -m slow -s tests/unit/training/test_streamed_memory.py` prints what it measured; PARTICIPANTS=200 beside it is
the round that the decision tells of.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROUND = """
import sys, threading
from pathlib import Path
import numpy as np
from horae.training import Trainer, Training, Wanted, Work
from horae.training.models.resnet import Resnet18


def together(made):  # MB of the parent and its workers, what they share once
    pids = ["self", *(made._pool.hands._executor._processes if made._pool and made._pool.hands._executor else [])]
    texts = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    return sum(int(line.split()[1]) for text in texts for line in text.splitlines() if line.startswith("Pss:")) / 1e3


def watch(made, over, most):
    while not over.wait(0.05):
        most.append(together(made))


if __name__ == "__main__":
    clients, workers = int(sys.argv[1]), int(sys.argv[2])
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 1, 28, 28)).astype(np.float32), rng.integers(0, 62, 200)
    made = Trainer(Resnet18().build((1, 28, 28), 62), Training(steps=1, batch=2), x, y, 0, workers)
    rows = list(rng.integers(0, 200, (clients, 2)))
    wanted = Wanted(np.ones(clients), 1024, rng.standard_normal((1, made.n_params), np.float32))
    over, most = threading.Event(), []
    looks = threading.Thread(target=watch, args=(made, over, most))
    looks.start()
    start = (made.initial_params, made.initial_buffers)
    done = made.train(Work(*start, np.arange(clients), rows, 0, wanted=wanted))
    over.set()
    looks.join()
    assert (done.told.norms() > 0).all() and len(done.told) == clients
    print(made.n_params, round(max(most)))
    made.close()
"""


def peak(file, clients, workers):
    """Parameters, and the most megabytes of all processes together."""
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(file), str(clients), str(workers)], capture_output=True, text=True, env=env, check=False
    )
    assert done.returncode == 0, done.stderr
    params, most = (int(word) for word in done.stdout.split())
    print(f"{clients} clients of {params:,} parameters, {workers} workers: {most:,} MB")
    return params, most


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("workers", [1, 2])
def test_the_peak_does_not_grow_with_participants(tmp_path, workers):
    file = tmp_path / "round.py"
    file.write_text(ROUND)
    (params, few), (_, many) = peak(file, 13, workers), peak(file, int(os.environ.get("PARTICIPANTS", "40")), workers)
    assert 13 * params > 2**27  # these are not held either
    assert many < few + 2 * 4e-6 * params  # 27 more would be 1,200 MB
    assert many < 1500
