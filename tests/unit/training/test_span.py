"""Training in sample space: what the weights are made of, by hand, and what is handed over."""

import numpy as np
import pytest
import torch
from torch import nn

from horae.training import Trainer, Training, Work
from horae.training.descent import coefficients
from horae.training.span import MOST_SAMPLES
from horae.types import Correction

EMPTY = np.zeros(0, np.float32)


def work(**more):
    return Work(EMPTY, EMPTY, np.arange(1), [np.arange(1)], 0, **more)


def test_plain_steps_take_every_gradient_alike():
    table = coefficients(Training(lr=0.5), work(), 2)
    assert table.tolist() == [[1, 0, 0], [1, -0.5, 0], [1, -0.5, -0.5]]


def test_momentum_repeats_the_first_gradient():
    # m1 = g0, m2 = ½ g0 + g1: w2 = w0 - 1.5 g0 - g1
    assert coefficients(Training(lr=1.0, momentum=0.5), work(), 2)[2].tolist() == [1, -1.5, -1]


def test_weight_decay_shrinks_and_prox_pulls_back():
    # w1 = (1 - ½) w0 - g0; w2 = ½ w1 - g1 = ¼ w0 - ½ g0 - g1
    assert coefficients(Training(lr=1.0, weight_decay=0.5), work(), 2)[2].tolist() == [0.25, -0.5, -1]
    # w1 = w0 - g0; w2 = w1 - ½ (w1 - w0) - g1 = w0 - ½ g0 - g1
    assert coefficients(Training(lr=1.0), work(correction=Correction(0.5)), 2)[2].tolist() == [1, -0.5, -1]


@pytest.mark.parametrize(
    ("training", "more"),
    [
        ({"optimizer": "adam", "lr": 0.01}, {}),
        ({}, {"correction": Correction(0.0, np.full(10, 0.1, np.float32))}),
        ({}, {"keep": np.arange(10) % 2 == 0}),
        ({"steps": MOST_SAMPLES, "batch": 2}, {}),
    ],
)
def test_what_it_cannot_honour_is_handed_over_bit_for_bit(training, more):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 4)).astype(np.float32), rng.integers(0, 2, 30)
    torch.manual_seed(0)
    module, found = nn.Sequential(nn.Linear(4, 2)), []
    for path in ("span", "dense"):
        trainer = Trainer(module, Training(**training, path=path), x, y, 0)
        asked = Work(
            trainer.initial_params,
            trainer.initial_buffers,
            np.arange(3),
            [np.arange(i, 30, 3) for i in range(3)],
            0,
            **more,
        )
        found.append(trainer.train(asked).updates.copy())
    np.testing.assert_array_equal(*found)
