"""The training benchmark: its yardstick stays what it was, its engines do the same work, its tables say what is so."""

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.train import table, turns  # noqa: E402
from benchmarks.train.engines import SGEMM, Entry  # noqa: E402
from benchmarks.train.engines.horae import Horae  # noqa: E402
from benchmarks.train.engines.naive import Naive  # noqa: E402
from benchmarks.train.process import EngineFailed, EngineProcess, python_of, tree  # noqa: E402
from benchmarks.train.task import Task  # noqa: E402
from benchmarks.train.workloads import WORKLOADS, Workload  # noqa: E402

TINY = Workload("tiny", (1, 8, 8), 4, clients=3, channels=(4,), groups=2, hidden=(5,), population=9)


def test_the_yardstick_is_frozen():
    found = hashlib.sha256((ROOT / "benchmarks" / "train" / "naive.py").read_bytes()).hexdigest()
    assert found == "c351385a329f6e4e60f6c1cf587760bdf53761bf6c31afc97efe2957ce9acdee", (
        "old and new ratios could not be compared: leave naive.py as it was"
    )


def test_flops_are_counted_by_hand():
    # 784 x 62 multiply-adds forward and to the weights, none to the inputs: 2 x 2 x 48,608 x 20,000 samples.
    assert WORKLOADS["logistic"].flops == 4 * 48_608 * 20_000
    assert WORKLOADS["logistic"].forward_share == 0.5
    # Two 5x5 convolutions at 28x28 and 14x14, one linear layer.
    assert WORKLOADS["cnn-plain"].macs == [25 * 16 * 784, 25 * 16 * 32 * 196, 1568 * 62]
    assert WORKLOADS["cnn-plain"].n_params == 110_526


def test_a_task_comes_back_from_its_file(tmp_path):
    task = TINY.task()
    task.save(tmp_path / "task.npz")
    again = Task.load(tmp_path / "task.npz")
    assert (again.spec, again.lr, again.steps, again.batch, again.population) == (task.spec, 0.05, 5, 20, 9)
    x, y = again.in_order(1)
    assert np.array_equal(x[20:40], task.x[task.rows[1][task.index[1, 1]]])
    assert np.array_equal(y, task.y[task.rows[1][task.index[1].reshape(-1)]])


def test_horae_does_the_work_of_the_yardstick():
    task = TINY.task()
    engines = Naive(task), Horae(task, workers=1)
    for engine in engines:
        engine.round()
        engine.round()
    naive, horae = (engine.params() - task.params for engine in engines)
    assert np.linalg.norm(horae - naive) < 1e-4 * np.linalg.norm(naive)
    assert torch.get_num_threads() == 1


def test_turns_rotate_and_ratios_stay_inside_a_turn():
    assert [turns.rotated("abc", turn) for turn in (0, 1, 5)] == [list("abc"), list("bca"), list("cab")]
    assert turns.ratios([2.0, 9.0], [1.0, 3.0]) == [2.0, 3.0]


def test_who_is_missing_is_said_in_the_table():
    done = vars(turns.Record([2.0, 4.0], [2.0, 4.0], 0.0, 7.0, {}))
    fast = vars(turns.Record([1.0, 1.0], [1.0, 1.0], 3e-6, 1.0, {"path": "dense"}))
    gone = vars(turns.Record(absent="not installed: make bench-peers"))
    engines = {"naive-1": done, "horae-1": fast, "pfl-1": gone}
    about = {"title": "a net", "parameters": 5, "turns": 2, "load": [0.5, 1.0]}
    result = {**about, "gflop": 8.0, "sgemm_gflop": 10.0, "sgemm_s": [0.5, 1.0], "engines": engines}
    rows = table.rows_of(result)
    assert rows[0][1:3] + rows[0][-1:] == ["1.00 (1.00 - 1.00)", "3,000.0", "3.00"]
    # 8 GFLOP/s where sgemm did 20 and 10: 40 and 80 %.
    assert rows[1] == ["horae-1 (dense)", "3.00 (2.00 - 4.00)", "1,000.0", "1,000.0", "8.00", "60 %", "1", "3e-06", "-"]
    assert rows[2][:2] == ["pfl-1", "not installed: make bench-peers"]
    page = table.markdown({"machine": dict.fromkeys(("cpu", "cores", "python", "torch", "numpy", "date"), "x"),
                           "workloads": {"net": result}})  # fmt: skip
    assert "| pfl-1 | not installed: make bench-peers |" in page and "load 0.5 to 1.0, sgemm 15 GFLOP/s" in page


def test_an_engine_answers_from_a_process_of_its_own(tmp_path):
    engine = EngineProcess(python_of(None), SGEMM, tmp_path, tmp_path / "log")
    pid = engine._process.pid
    seconds, cpu_s = engine.round()
    assert seconds > 0 and cpu_s > 0 and engine.peak_mb() < 1000 and pid in tree(pid)
    engine.stop()
    assert tree(pid) == {}


def test_an_engine_that_does_not_start_leaves_its_last_words(tmp_path):
    with pytest.raises(EngineFailed, match="No module named"):
        EngineProcess(python_of(None), Entry("nobody"), tmp_path, tmp_path / "log")
