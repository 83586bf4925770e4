"""The benchmark's row of bags of words: a frozen yardstick, and engines that do its work."""

import hashlib
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.train.engines.horae import Horae  # noqa: E402
from benchmarks.train.engines.naive import Naive  # noqa: E402
from benchmarks.train.task import Task  # noqa: E402
from benchmarks.train.workloads import WORKLOADS, Words  # noqa: E402

TINY = Words("tiny", (6,), 3, clients=4, features=500)


def test_the_yardstick_is_frozen():
    found = hashlib.sha256((ROOT / "benchmarks" / "train" / "naive_words.py").read_bytes()).hexdigest()
    assert found == "d3752032024397757f79f62ad01ae51f790ab590f092a5b36a94e3cb8311084d", (
        "old and new ratios could not be compared: leave naive_words.py as it was"
    )


def test_sizes_are_counted_by_hand():
    # 64 rows of 5 weights a sample, forward and to the table: 2 x 2 x 320 x 20,000 samples.
    assert WORKLOADS["words"].flops == 4 * 320 * 20_000
    assert WORKLOADS["words"].n_params == 50_005
    x = TINY.task().x
    assert x.shape == (400, 6) and x.min() >= 1 and x.max() < 500


def test_horae_does_the_work_of_the_yardstick(tmp_path):
    TINY.task().save(tmp_path / "task.npz")
    task = Task.load(tmp_path / "task.npz")
    engines = Naive(task), Horae(task, workers=1)
    assert engines[1].trainer.path_name in ("sparse", "gathered")
    for engine in engines:
        engine.round()
        engine.round()
    naive, horae = (engine.params() - task.params for engine in engines)
    assert np.linalg.norm(horae - naive) < 1e-5 * np.linalg.norm(naive)
