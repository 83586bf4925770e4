"""The rows of convolutional networks: the networks they say they are, and the same work for naive and horae."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.train.engines.horae import Horae  # noqa: E402
from benchmarks.train.engines.naive import Naive  # noqa: E402
from benchmarks.train.workloads import WORKLOADS  # noqa: E402


def test_the_networks_have_their_published_sizes():
    assert WORKLOADS["leaf"].n_params == 6_603_710
    assert WORKLOADS["cnn-wide"].n_params == 1_229_390
    assert WORKLOADS["resnet"].n_params == 11_172_292 + 58 * 513  # that of 4 classes, and 58 more


def test_a_step_of_the_resnet_is_counted():
    macs = WORKLOADS["resnet"].macs
    assert macs[0] == 49 * 64 * 14 * 14 and macs[-1] == 512 * 62
    assert len(macs) == 1 + 16 + 3 + 1  # the stem, two of each block, three shortcuts, the last layer


def test_six_samples_a_step():
    assert replace(WORKLOADS["cnn-six"], clients=2).task().batch == 6


def test_naive_and_horae_do_the_same_work_also_with_a_resnet():
    task = replace(WORKLOADS["resnet"], clients=1, batch=2).task()
    naive, horae = Naive(task), Horae(task, 1)
    for engine in (naive, horae):
        engine.round()
    one, other = (engine.params() - task.params for engine in (naive, horae))
    assert horae.trainer.path_name == "lean"
    assert np.linalg.norm(other - one) < 0.02 * np.linalg.norm(one)  # rounding picks other maxima of near ties
