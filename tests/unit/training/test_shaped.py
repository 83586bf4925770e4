"""Training without some units: a smaller module does what the whole one does with zeros."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from horae.errors import ConfigError
from horae.training import Trainer, Training, Work
from horae.training.images import _turned
from horae.training.native import compiled
from horae.training.shaped import KEPT
from horae.types import Correction

CLIENTS = 5
PATHS = ["dense", "lean", *(["native"] if compiled() else [])]


def stack():
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 3))


def by_group():
    pooled = (nn.Conv2d(1, 8, 3, padding=1), nn.GroupNorm(4, 8), nn.MaxPool2d(2), nn.ReLU())
    return nn.Sequential(nn.Unflatten(1, (1, 6)), *pooled, nn.Flatten(), nn.Linear(72, 3))


def by_batch():
    first = (nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU())
    return nn.Sequential(nn.Unflatten(1, (1, 6)), *first, nn.Conv2d(6, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))


def trainer(make, shape, workers=1, **training):
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, *shape)).astype(np.float32), rng.integers(0, 3, 60)
    return Trainer(make(), Training(**{"steps": 4, "batch": 5, "lr": 0.1, "chunk": 2, **training}), x, y, 0, workers)


def work(of, **more):
    rows = [np.arange(12 * i, 12 * i + 12) for i in range(CLIENTS)]
    return Work(of.initial_params, of.initial_buffers, np.arange(CLIENTS) * 7, rows, 3, **more)


def some(of, seed=0):
    """About half of the units, one of each group at least."""
    units = np.random.default_rng(seed).random(of.anatomy.n_units) < 0.5
    units[list(of.anatomy.first)] = True
    return units


CASES = [
    *[(stack, (6,), {"path": path, **how}) for path in PATHS for how in ({}, {"momentum": 0.9, "weight_decay": 0.01})],
    *[(stack, (6,), {"path": path, "optimizer": "adam", "lr": 0.01}) for path in PATHS],
    (by_group, (6, 6), {}),
    (by_group, (6, 6), {"optimizer": "adam", "lr": 0.01}),
    (by_batch, (6, 6), {"momentum": 0.9}),
]


@pytest.mark.parametrize(("make", "shape", "training"), CASES)
@pytest.mark.parametrize("bent", ["plain", "one drift", "a drift each"])
def test_a_round_is_the_whole_models_with_zeros(make, shape, training, bent):
    of = trainer(make, shape, **training)
    units = some(of)
    living, held = of.anatomy.living(units), of.anatomy.living_buffers(units)
    drifts = np.random.default_rng(1).normal(size=(CLIENTS, of.n_params)).astype(np.float32) * 0.1
    drift = {"plain": None, "one drift": drifts[0], "a drift each": drifts}[bent]
    bend = {"correction": Correction(0.1 * (bent != "plain"), drift)}
    whole, small = of.train(work(of, keep=living, **bend)), of.train(work(of, units=units, **bend))
    np.testing.assert_allclose(small.updates, whole.updates, atol=1e-4)
    np.testing.assert_allclose(small.losses, whole.losses, atol=1e-4)
    np.testing.assert_allclose(small.buffers[:, held], whole.buffers[:, held], atol=1e-4)
    np.testing.assert_array_equal(small.buffers[:, ~held], np.tile(of.initial_buffers[~held], (CLIENTS, 1)))
    assert not small.updates[:, ~living].any() and (small.updates[:, living] != 0).mean() > 0.3
    np.testing.assert_array_equal(small.processed, whole.processed)


def test_single_weights_of_a_compact_model_can_be_pruned():
    of = trainer(stack, (6,))
    units = some(of)
    keep = np.random.default_rng(2).random(of.n_params) < 0.7
    living = of.anatomy.living(units)
    small, whole = of.train(work(of, units=units, keep=keep)), of.train(work(of, keep=keep & living))
    np.testing.assert_allclose(small.updates, whole.updates, atol=1e-4)
    assert not small.updates[:, ~(keep & living)].any()


def test_all_units_are_the_whole_model():
    of = trainer(stack, (6,))
    whole, all_of_it = of.train(work(of)), of.train(work(of, units=np.ones(12, bool)))
    np.testing.assert_array_equal(whole.updates, all_of_it.updates)
    assert of.flops_of(np.ones(12, bool)) == of.flops_per_sample == 2 * (48 + 32 + 12)


@pytest.mark.parametrize(("make", "shape", "path"), [(stack, (6,), "dense"), (by_group, (6, 6), "lean")])
def test_workers_change_no_bit(make, shape, path):
    """Also those that began before anybody asked for the anatomy, and find it themselves."""
    alone, two = (trainer(make, shape, workers, path=path) for workers in (1, 2))
    units, other = some(alone), some(alone, 1)
    assert make is stack or two.anatomy.n_units == units.size
    try:
        for given in (None, units, other, units):
            one, many = alone.train(work(alone, units=given)), two.train(work(two, units=given))
            for name in ("updates", "buffers", "losses", "processed"):
                np.testing.assert_array_equal(getattr(one, name), getattr(many, name))
    finally:
        two.close()


def test_flops_are_those_of_the_compact_model():
    of = trainer(stack, (6,))
    units = np.zeros(12, bool)
    units[[0, 1, 2, 8]] = True  # 6-3-1-3
    assert of.flops_of(units) == 2 * (18 + 3 + 3)


def test_a_few_compact_models_are_kept_and_none_is_sent():
    of = trainer(stack, (6,))
    for seed in range(KEPT + 3):
        of.train(work(of, units=some(of, seed)))
    assert len(of._shaped._kept) == KEPT
    sent = pickle.loads(pickle.dumps(of._shaped))
    assert not sent._kept and sent.anatomy.n_units == 12 and "anatomy" in vars(of._shaped)


def test_compact_images_lie_in_memory_as_the_whole_models_do():
    of = trainer(by_group, (6, 6))
    units = some(of)
    of.train(work(of, units=units))
    (kept,) = of._shaped._kept.values()
    hooks = [list(part._forward_pre_hooks.values()) for part in kept.module.modules() if isinstance(part, nn.Conv2d)]
    assert hooks == [[_turned]]


def test_models_that_keep_their_width_refuse_units_in_one_line():
    of = trainer(lambda: nn.Sequential(nn.Linear(6, 3)), (6,))
    with pytest.raises(
        ConfigError, match=r"^units should be None for this model, whose layers keep their width, got 2; "
    ):
        of.train(work(of, units=np.ones(2, bool)))
    with pytest.raises(ConfigError, match=r"^units should be None"):
        of.flops_of(np.ones(2, bool))


def test_a_part_of_the_work_has_the_same_units():
    of = trainer(stack, (6,))
    units = some(of)
    whole = of.train(replace(work(of, units=units)))
    part = of.train(work(of, units=units).part(slice(2, 4)))
    np.testing.assert_allclose(part.updates, whole.updates[2:4], atol=1e-6)
