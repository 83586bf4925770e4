"""Samples stay in the population's memory, and become numbers a batch at a time."""

import numpy as np
import pytest
import torch
from torch import nn

from horae.errors import ConfigError
from horae.population import Population
from horae.population.rows import Ragged
from horae.training import Samples, Trainer, Training, Work

BYTES = np.array([[0, 51], [255, 102]], np.uint8)


def test_bytes_are_scaled_when_they_are_read():
    samples = Samples.of(BYTES, np.array([0, 1]), 1 / 255)
    x, y = samples.some(torch.tensor([1, 0]))
    assert x.tolist() == [[1.0, pytest.approx(0.4)], [0.0, pytest.approx(0.2)]]
    assert y.tolist() == [1, 0]
    assert samples.x.data_ptr() == BYTES.ctypes.data  # nothing was copied
    assert samples.example.dtype == torch.float32
    assert not samples.tokens


def test_a_frozen_array_is_shared_too():
    frozen = np.zeros((3, 2), np.float32)
    frozen.setflags(write=False)
    assert Samples.of(frozen, np.zeros(3, np.int64)).x.data_ptr() == frozen.ctypes.data


def test_tokens_stay_whole():
    samples = Samples.of(np.array([[3, 0]], np.int32), np.array([1]))
    assert samples.tokens
    assert samples.some(torch.tensor([0]))[0].dtype == samples.example.dtype == torch.int64


def test_floats_have_no_scale():
    with pytest.raises(ConfigError, match="scale should be left out"):
        Samples.of(np.zeros((1, 2)), np.zeros(1), 0.5)


def test_bytes_train_as_the_floats_they_stand_for():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (40, 6)).astype(np.uint8), rng.integers(0, 3, 40)
    floats = x.astype(np.float32) * np.float32(1 / 255)
    module, work = nn.Sequential(nn.Linear(6, 3)), [np.arange(20), np.arange(20, 40)]
    for path in ("lean", "dense"):
        training = Training(steps=3, batch=5, path=path)
        a = Trainer(module, training, x, y, 0, scale=1 / 255)
        b = Trainer(module, training, floats, y, 0)
        job = Work(a.initial_params, a.initial_buffers, np.array([0, 1]), work, 0)
        assert np.array_equal(a.train(job).updates, b.train(job).updates)
        assert np.array_equal(a.evaluate(a.initial_params, a.initial_buffers, work)[0], b.evaluate(
            b.initial_params, b.initial_buffers, work)[0])  # fmt: skip


def test_a_regression_learns_a_line():
    x = np.linspace(-1, 1, 50, dtype=np.float32)[:, None]
    trainer = Trainer(nn.Linear(1, 1), Training(steps=200, batch=50, lr=0.3), x, 3 * x[:, 0] + 1, 0, task="regression")
    job = Work(trainer.initial_params, trainer.initial_buffers, np.array([0]), [np.arange(50)], 0)
    slope, intercept = trainer.initial_params + trainer.train(job).updates[0]
    assert (slope, intercept) == (pytest.approx(3, abs=1e-3), pytest.approx(1, abs=1e-3))
    assert trainer.path_name == "lean"


def test_every_position_of_a_text_is_asked():
    # the next of two tokens that take turns is learned from a table of pairs
    x = np.array([[0, 1, 0, 1], [1, 0, 1, 0]], np.int32)
    y = np.array([[1, 0, 1, 0], [0, 1, 0, -1]])
    module = nn.Sequential(nn.Embedding(2, 2))
    trainer = Trainer(module, Training(steps=100, batch=2, lr=1.0), x, y, 0, task="next-token")
    job = Work(trainer.initial_params, trainer.initial_buffers, np.array([0]), [np.arange(2)], 0)
    params = trainer.initial_params + trainer.train(job).updates[0]
    correct, tested, losses = trainer.evaluate(params, trainer.initial_buffers, [np.arange(2)])
    assert (correct.tolist(), tested.tolist()) == ([7], [7])
    assert losses[0] < 0.05


def held(n):
    return Ragged.of([range(n)])


@pytest.mark.parametrize(
    ("x", "y", "task", "words"),
    [
        (np.array([[-1]], np.int32), np.array([0]), "classification", "x should hold tokens numbered from 0"),
        (np.zeros((1, 1), np.float64), np.array([0]), "classification", "x should be float32 or whole numbers"),
        (np.zeros((1, 1), np.float32), np.array([0.5]), "classification", "y should be whole numbers"),
        (np.zeros((1, 1), np.float32), np.array([np.nan], np.float32), "regression", "y should be one finite number"),
        (np.zeros((1, 2), np.int32), np.array([[0, 7]]), "next-token", r"y should hold labels in \[0, 1\), got 0 to 7"),
    ],
)
def test_samples_that_are_none_are_refused(x, y, task, words):
    with pytest.raises(Exception, match=words):
        Population("p", x, y, held(1), held(1), np.array([-1]), 1, task=task)
