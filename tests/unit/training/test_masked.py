"""Masks and corrections on the compiled path: the same as the twin's, for any number of workers."""

from dataclasses import replace

import numpy as np
import pytest

from horae.training import Mlp, Trainer, Training, Work, initial
from horae.training.native import compiled
from horae.training.reference import train_one
from horae.types import Correction

SHAPE, CLASSES, CLIENTS = (7,), 3, 5
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(60, *SHAPE)).astype(np.float32), RNG.integers(0, CLASSES, 60)
PATHS = ["dense", *(["native"] if compiled() else [])]


def trainer(path, workers=1, **training):
    table = Training(**{"steps": 4, "batch": 5, "lr": 0.1, "chunk": 2, "path": path, **training})
    return Trainer(initial(Mlp((20,)), SHAPE, CLASSES, 0), table, X, Y, 0, workers)


def work(of, **more):
    rows = [np.arange(12 * i, 12 * i + 12) for i in range(CLIENTS)]
    return Work(of.initial_params, of.initial_buffers, np.arange(CLIENTS) * 7, rows, 3, **more)


def bent(n_params, each=True):
    """As SCAFFOLD and FedProx together would have it."""
    shape = (CLIENTS, n_params) if each else (n_params,)
    return Correction(0.2, np.random.default_rng(1).normal(scale=0.1, size=shape).astype(np.float32))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "training", [{}, {"momentum": 0.9, "weight_decay": 0.05}, {"optimizer": "adam", "lr": 0.01}], ids=str
)
@pytest.mark.parametrize("each", [True, False])
def test_seventy_percent_structured_with_corrections_is_the_twin(path, training, each):
    of = trainer(path, **training)
    units = np.arange(20) % 10 < 3
    living, correction = of.anatomy.living(units), bent(of.n_params, each)
    small = of.train(work(of, units=units, keep=living, correction=correction))
    masked = work(of, keep=living, correction=correction)
    for row in range(CLIENTS):
        twin = train_one(of.module, of.training, masked, row, X, Y, 0)
        np.testing.assert_allclose(small.updates[row], twin.updates[0], rtol=1e-4, atol=1e-5)
    assert not small.updates[:, ~living].any()


@pytest.mark.parametrize("path", PATHS)
def test_a_mask_that_drops_nothing_more_costs_nothing(path):
    of = trainer(path)
    units = np.arange(20) < 6
    bare, told = (of.train(work(of, units=units, keep=keep)) for keep in (None, of.anatomy.living(units)))
    np.testing.assert_array_equal(bare.updates, told.updates)


@pytest.mark.skipif(compiled() is None, reason="there is no C compiler here")
def test_workers_change_no_bit():
    alone, two = trainer("native"), trainer("native", 2)
    units = np.arange(20) < 6
    keep = np.random.default_rng(2).random(alone.n_params) < 0.3
    try:
        for given in ({"units": units}, {"keep": keep}, {"units": units, "keep": keep & alone.anatomy.living(units)}):
            for momentum in (0.0, 0.9):
                table = replace(alone.training, momentum=momentum)
                job = work(alone, correction=bent(alone.n_params), table=table, **given)
                np.testing.assert_array_equal(alone.train(job).updates, two.train(job).updates)
    finally:
        two.close()
