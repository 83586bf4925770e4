"""Convolutional networks by hand: against their twin, with wide layers as factors, by any number of workers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from horae.errors import ConfigError
from horae.training import Cnn, Trainer, Training, Work, initial
from horae.training import conv as path
from horae.training.conv import Chunk
from horae.training.conv_kernel import compiled
from horae.training.conv_updates import Factored, fold
from horae.training.models.classic import AutoFlipCnn, LeafCnn
from horae.training.plan import batches
from horae.training.reference import train_one
from horae.types import Correction, Updates

SHAPE, CLASSES, SEED, SIZES = (12, 13), 4, 5, (0, 1, 3, 13, 20, 9, 7)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, *SHAPE)).astype(np.float32)
Y = RNG.integers(0, CLASSES, 80)
TRAININGS = [
    Training(),
    Training(batch=7, momentum=0.9, weight_decay=0.05, steps=4, chunk=3),
    Training(epochs=2, batch=4, chunk=2),
]


@pytest.fixture(autouse=True)
def a_layer_of_65536_is_wide(monkeypatch):
    monkeypatch.setattr(path, "WIDE", 2**16)


def trainer(training=TRAININGS[0], model=None, x=X, workers=1, **more):
    return Trainer(initial(model or LeafCnn(256), x.shape[1:], CLASSES, SEED), training, x, Y, SEED, workers, **more)


def work(of, **more):
    rng = np.random.default_rng(1)
    rows = [rng.integers(0, 80, n) for n in SIZES]
    return replace(Work(of.initial_params, of.initial_buffers, np.arange(len(rows)) * 3, rows, 1), **more)


def twin_of(training, job, row):
    """In float64: which of a pool's numbers is largest, where two are nearly alike, is chance in float32."""
    module, exact = initial(LeafCnn(256), SHAPE, CLASSES, SEED), replace(job, params=job.params.astype(np.float64))
    return train_one(module, training, exact, row, X.astype(np.float64), Y, SEED)


@pytest.mark.parametrize("training", TRAININGS)
@pytest.mark.parametrize("more", [{}, {"correction": Correction(0.3)}, {"lr_scale": 0.5}])
def test_wide_layers_are_never_formed_and_yet_the_twins(training, more):
    of = trainer(training)
    job = work(of, **more)
    done = of.train(job)
    assert isinstance(done.told, Factored) and done.told.packed.shape[1] < 0.8 * of.n_params
    for row in range(len(SIZES)):
        twin = twin_of(training, job, row)
        np.testing.assert_allclose(done.updates[row], twin.updates[0], rtol=1e-3, atol=1e-5)
        assert done.losses[row] == pytest.approx(twin.losses[0], rel=1e-4)
        assert done.sums[row].sum() == pytest.approx(twin.sums[0].sum(), rel=1e-4)


def test_weights_of_samples_count():
    of = trainer()
    job = work(of)
    job = replace(job, weights=[np.random.default_rng(2).exponential(size=len(own)) for own in job.rows])
    done = of.train(job)
    for row in range(len(SIZES)):
        twin = twin_of(of.training, job, row)
        np.testing.assert_allclose(done.updates[row], twin.updates[0], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("training", "bend"),
    [
        (Training(optimizer="adam", lr=0.003), {}),
        (Training(), {"drift": True}),
        (Training(momentum=0.9), {"keep": True}),
        (Training(steps=18, lr=0.01), {}),  # 180 samples: the factors would be larger than the weights
    ],
)
def test_what_factors_cannot_honour_is_formed(training, bend):
    of, plain = trainer(training), trainer(replace(training, path="lean"))
    rng = np.random.default_rng(3)
    drift = rng.normal(scale=0.1, size=(len(SIZES), of.n_params)).astype(np.float32) if bend.get("drift") else None
    keep = rng.random(of.n_params) < 0.6 if bend.get("keep") else None
    job = work(of, correction=Correction(0.1, drift), keep=keep)
    done, other = of.train(job), plain.train(job)
    assert type(done.told) is Updates and plain.path_name == "lean"
    apart = ~np.isclose(done.updates, other.updates, rtol=1e-3, atol=2e-4)
    # Adam divides by a gradient's size: of one that is nearly none it makes a step of what was rounded.
    assert np.count_nonzero(apart) <= (10 if training.optimizer == "adam" else 0)
    np.testing.assert_allclose(done.updates, other.updates, rtol=1e-3, atol=training.lr)
    assert keep is None or not done.updates[:, ~keep].any()


@pytest.mark.parametrize("training", TRAININGS)
def test_factors_answer_as_rows_do(training):
    of = trainer(training)
    done = of.train(work(of))
    rows, weights = Updates(done.updates), np.random.default_rng(2).random(len(SIZES))
    ways = np.random.default_rng(3).normal(size=(2, of.n_params)).astype(np.float32)
    for ask in (
        lambda u: u.combine(weights),
        lambda u: u.norms(),
        lambda u: u.sketch(64),
        lambda u: u.sketch(1000),
        lambda u: u.sketch(2**30),
        lambda u: u.along(ways),
        lambda u: u.gram(),
        lambda u: u.columns(slice(37, 2011)),
        lambda u: u.columns(slice(100, None, 997)),
        lambda u: u.only(np.array(SIZES) > 3).combine(weights[np.array(SIZES) > 3]),
        lambda u: np.array(len(u)),
    ):
        found, expected = ask(done.told), ask(rows)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5 * max(1.0, float(np.abs(expected).max())))
    assert len(done.told.only(np.zeros(len(SIZES), bool)).norms()) == 0


def test_blocks_and_threads_change_no_answer(monkeypatch):
    of = trainer()
    told = of.train(work(of)).told
    weights, gram = np.full(len(SIZES), 0.1), told.gram()
    two = Factored(told.packed, told.packing, told.start, 2)
    np.testing.assert_array_equal(two.combine(weights), told.combine(weights))
    np.testing.assert_array_equal(two.sketch(100), told.sketch(100))
    np.testing.assert_array_equal(two.norms(), told.norms())
    ways = np.random.default_rng(3).normal(size=(2, of.n_params)).astype(np.float32)
    np.testing.assert_array_equal(two.along(ways), told.along(ways))
    nobody = told.only(np.zeros(len(SIZES), bool))
    assert (nobody.along(ways).shape, nobody.norms().shape) == ((0, 2), (0,))
    monkeypatch.setattr("horae.training.conv_updates.BLOCK", 7 * 64 * 50)
    np.testing.assert_allclose(told.gram(), gram, rtol=1e-4, atol=1e-5)


def test_folding_by_hand():
    # places 2 to 8 modulo 3: 2 | 0 1 2 | 0 1 2; the first alone, then two whole rows
    into = torch.zeros(3)
    fold(torch.tensor([1.0, 2, 3, 4, 5, 6, 7]), 2, into)
    assert into.tolist() == [2 + 5, 3 + 6, 1 + 4 + 7]
    fold(torch.tensor([1.0, 1.0]), 3, into)  # less than a row
    assert into.tolist() == [8, 10, 12]
    fold(torch.tensor([5.0]), 1, into)  # which ends before the next row begins
    assert into.tolist() == [8, 15, 12]


def test_an_update_that_is_not_finite_is_told():
    of = trainer()
    told = of.train(work(of)).told
    told.packed[3, -1] = np.inf
    assert np.isfinite(told.norms()).tolist() == [True] * 3 + [False] + [True] * 3


@pytest.mark.parametrize("model", [LeafCnn(256), Cnn((4,), 2)])
def test_workers_change_no_bit(model):
    training = Training(batch=20, chunk=3)  # parts of two, then one
    alone, two = trainer(training, model), trainer(training, model, workers=2)
    try:
        for _ in range(2):
            one, many = alone.train(work(alone)), two.train(work(two))
            for name in ("updates", "losses", "processed", "sums"):
                np.testing.assert_array_equal(getattr(one, name), getattr(many, name))
            np.testing.assert_array_equal(one.told.combine(np.ones(7)), many.told.combine(np.ones(7)))
    finally:
        two.close()


@pytest.mark.parametrize(
    ("batch", "chunk", "clients", "grain"),
    [
        (20, 16, 20, 5),  # a hundred samples to a product: four parts
        (20, 16, 24, 4),  # six parts, all alike, where fives would be four parts and four clients
        (10, 16, 10, 5),  # two parts, of ten who would have been one
        (10, 16, 12, 6),
        (10, 16, 6, 4),  # forty samples at least
        (20, 16, 0, 2),
        (200, 16, 9, 1),
        (10, 3, 20, 3),
    ],
)
def test_rounds_fall_into_pairs_of_parts(batch, chunk, clients, grain):
    training = Training(batch=batch, chunk=chunk)
    assert trainer(training)._path.grain(clients) == grain
    assert trainer(training, Cnn((4,), 2))._path.grain(clients) == 1  # nothing wide


def test_a_part_is_trained_as_the_whole_would_be(monkeypatch):
    """By two workers seven clients are four and three; alone they must not be two and two, and two and one."""
    seen = []
    monkeypatch.setattr(path, "Chunk", lambda *of: seen.append(len(of[4])) or Chunk(*of))
    of = trainer()
    of.train(work(of))
    job, plan = replace(work(of), together=4), batches(Training(), np.array(SIZES), np.arange(7), SEED, 1)
    part = slice(0, 4)
    of._path.train(job.part(part), plan.of_dataset(job.rows).part(part), np.empty((4, of.n_params), np.float32))
    assert seen == [4, 3, 4]


def test_units_that_do_not_live_are_left_out():
    of = trainer()
    units = np.random.default_rng(4).random(of.anatomy.n_units) < 0.7
    units[[0, 40, 100]] = True
    job = work(of)
    small = of.train(replace(job, units=units))
    whole = of.train(replace(job, keep=of.anatomy.living(units)))
    np.testing.assert_allclose(small.updates, whole.updates, rtol=1e-3, atol=1e-4)
    assert not small.updates[:, ~of.anatomy.living(units)].any()


@pytest.mark.parametrize(
    "layers",
    [
        (nn.Conv2d(1, 4, 3, bias=False), nn.ReLU(), nn.MaxPool2d(3, 2, 1), nn.Conv2d(4, 6, 3, 2, 1, groups=2)),
        (nn.Conv2d(1, 4, (3, 5), padding=(1, 2)), nn.GroupNorm(2, 4), nn.ReLU(), nn.MaxPool2d(2), nn.GroupNorm(1, 4)),
        (nn.Conv2d(1, 4, 5, dilation=2), nn.MaxPool2d(2), nn.MaxPool2d(2), nn.ReLU(), nn.ReLU()),
        (nn.Conv2d(1, 40, 7, padding=3), nn.ReLU(), nn.AdaptiveAvgPool2d((3, 2))),
        (nn.Conv2d(1, 4, 3, 2), nn.GroupNorm(4, 4), nn.MaxPool2d(2)),
    ],
)
def test_layers_of_every_kind(layers):
    torch.manual_seed(0)
    body = nn.Sequential(nn.Unflatten(1, (1, SHAPE[0])), *layers, nn.Flatten())
    with torch.no_grad():
        width = body(torch.zeros(1, *SHAPE)).shape[1]
    module = nn.Sequential(*body, nn.Linear(width, CLASSES, bias=False))
    of = Trainer(module, Training(momentum=0.5), X, Y, SEED)
    assert of.path_name == ("conv" if compiled() else "conv-torch")
    job = work(of)
    done = of.train(job)
    for row in range(len(SIZES)):
        twin = train_one(module, of.training, job, row, X, Y, SEED)
        np.testing.assert_allclose(done.updates[row], twin.updates[0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("missing", ["conv_net.compiled", "conv_net.direct"])
def test_without_a_compiler_torch_does_it(monkeypatch, missing):
    whole = trainer(model=AutoFlipCnn(4, 16), x=(x := RNG.normal(size=(80, 3, 24, 24)).astype(np.float32)))
    images = trainer(model=Cnn((4,), 2))
    monkeypatch.setattr(f"horae.training.{missing}", lambda: None)
    for of in (whole, images):
        bare = Trainer(of.module, of.training, x if of is whole else X, Y, SEED)
        assert bare.path_name == "conv-torch"
        np.testing.assert_allclose(bare.train(work(of)).updates, of.train(work(of)).updates, rtol=1e-3, atol=1e-4)


def test_other_networks_are_for_lean():
    dropped = nn.Sequential(
        nn.Unflatten(1, (1, 12)), nn.Conv2d(1, 2, 3), nn.Dropout(), nn.Flatten(), nn.Linear(220, CLASSES)
    )
    normed = nn.Sequential(
        nn.Unflatten(1, (1, 12)), nn.Conv2d(1, 2, (12, 13)), nn.GroupNorm(2, 2), nn.Flatten(), nn.Linear(2, CLASSES)
    )
    assert Trainer(dropped, Training(), X, Y, SEED).path_name == "lean"
    with pytest.raises(ConfigError, match=r"^training.path should suit model and machine"):
        Trainer(dropped, Training(path="conv"), X, Y, SEED)
    assert path.Conv.of(normed, Training(), trainer()._samples) is None  # a group of one number


def test_nobody_trains():
    of = trainer()
    done = of.train(Work(of.initial_params, of.initial_buffers, np.arange(0), [], 0))
    assert done.updates.shape == (0, of.n_params)
    idle = of.train(Work(of.initial_params, of.initial_buffers, np.arange(1), [np.zeros(0, np.int64)], 0))
    assert not idle.updates.any() and idle.steps.tolist() == [0]
