"""Bags of words: both paths against the twin, whatever the rule; only what was met is sent; workers change no bit."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from horae.errors import ConfigError
from horae.training import Trainer, Training, Work, native
from horae.training.models.sparse import SparseLogistic
from horae.training.native import compiled
from horae.training.reference import train_one
from horae.training.sparse_kernel import compiled_sparse
from horae.types import Correction, SparseUpdates, Updates

SEED, WIDTH = 5, 6
PATHS = ["gathered", *(["sparse"] if compiled() else [])]
needs_compiler = pytest.mark.skipif(compiled() is None, reason="there is no C compiler here")

trainings = st.builds(
    Training,
    optimizer=st.sampled_from(["sgd", "sgd", "adam"]),
    lr=st.just(0.05),
    weight_decay=st.sampled_from([0.0, 0.0, 0.05]),
    steps=st.integers(1, 4),
    epochs=st.integers(0, 2),
    batch=st.integers(1, 6),
    chunk=st.integers(1, 4),
)


def texts(features, classes, seed=0, n=60):
    """Rows of numbers with zeros anywhere, words more than once, some samples empty; and a model that is not zero."""
    rng = np.random.default_rng(seed)
    x = rng.integers(1, features, (n, WIDTH)) * (rng.random((n, WIDTH)) < 0.7)
    x[:5] = 0
    x[5:10] = x[5:10, :1]
    torch.manual_seed(seed)
    module = SparseLogistic(features).build((WIDTH,), classes)
    for p in module.parameters():
        torch.nn.init.normal_(p)
    return module, x.astype(np.int32), rng.integers(0, classes, n)


@st.composite
def works(draw, n_params):
    sizes = draw(st.lists(st.sampled_from([0, 1, 2, 7, 20]), min_size=1, max_size=5))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    shape = draw(st.sampled_from([None, None, (n_params,), (len(sizes), n_params)]))
    drift = None if shape is None else rng.normal(scale=0.1, size=shape).astype(np.float32)
    return {
        "clients": rng.permutation(1000)[: len(sizes)],
        "rows": [rng.integers(0, 60, n) for n in sizes],
        "round": draw(st.integers(0, 3)),
        "lr_scale": draw(st.sampled_from([1.0, 0.5])),
        "correction": Correction(draw(st.sampled_from([0.0, 0.5])), drift),
        "keep": draw(st.sampled_from([None, rng.random(n_params) < 0.6])),
        "weights": draw(st.sampled_from([None, [rng.exponential(size=n) for n in sizes]])),
    }


@settings(deadline=None, max_examples=40, derandomize=True)
@given(trainings, st.sampled_from([(20, 2), (20, 5), (3000, 3), (900, 17)]), st.sampled_from([0.0, 0.9]), st.data())
def test_both_paths_are_the_twin(training, sizes, momentum, data):
    if training.optimizer == "sgd":
        training = replace(training, momentum=momentum)
    module, x, y = texts(*sizes)
    trainers = [Trainer(module, replace(training, path=path), x, y, SEED) for path in PATHS]
    first = trainers[0]
    work = Work(first.initial_params, first.initial_buffers, **data.draw(works(first.n_params)))
    found = [trainer.train(work) for trainer in trainers]
    for row in range(len(work.clients)):
        twin = train_one(module, training, work, row, x, y, SEED)
        for done in found:
            np.testing.assert_allclose(done.updates[row], twin.updates[0], rtol=1e-4, atol=1e-5)
            assert done.losses[row] == pytest.approx(twin.losses[0], rel=1e-4)
            assert done.processed[row] == twin.processed[0]


@pytest.mark.parametrize("path", PATHS)
def test_one_step_by_hand(path):
    """At zero both classes have probability ½: a word of a sample of class 1 gains ½ there, or 1 if it stands twice."""
    module = SparseLogistic(1000).build((4,), 2)
    x, y = np.array([[7, 7, 0, 3]]), np.array([1])
    trainer = Trainer(module, Training(steps=1, batch=1, lr=1.0, path=path), x, y, 0)
    work = Work(trainer.initial_params, trainer.initial_buffers, np.array([3]), [np.array([0])], 0)
    done = trainer.train(work)
    assert isinstance(done.told, SparseUpdates)
    assert done.told.heads.tolist() == [[-0.5, 0.5]] and done.told.counts.tolist() == [2]
    changed = dict(zip(done.told.names[0, :2].tolist(), done.told.values[0, :2].tolist(), strict=True))
    assert changed == {7: [-1.0, 1.0], 3: [-0.5, 0.5]}
    assert done.losses[0] == pytest.approx(np.log(2))
    assert np.count_nonzero(done.updates) == 6


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("training", "sent"),
    [
        ({}, SparseUpdates), ({"momentum": 0.9}, SparseUpdates), ({"optimizer": "adam"}, SparseUpdates),
        ({"weight_decay": 0.1}, Updates),
    ],
)  # fmt: skip
def test_only_weight_decay_moves_what_nobody_met(path, training, sent):
    module, x, y = texts(3000, 3)
    trainer = Trainer(module, Training(steps=2, batch=4, path=path, **training), x, y, SEED)
    rows = [np.arange(10, 30), np.arange(30, 60)]
    done = trainer.train(Work(trainer.initial_params, trainer.initial_buffers, np.arange(2), rows, 0))
    assert type(done.told) is sent
    touched = (done.updates[:, 3:].reshape(2, 3000, 3) != 0).any(axis=2).sum(axis=1)
    assert (touched <= 8 * WIDTH).all() if sent is SparseUpdates else (touched > 2900).all()


@pytest.mark.parametrize("path", PATHS)
def test_workers_change_no_bit(path):
    module, x, y = texts(3000, 5)
    training = Training(steps=3, batch=4, path=path, chunk=2, momentum=0.5)
    rows = [np.arange(10 * i, 10 * i + 10) for i in range(6)]
    alone, two = (Trainer(module, training, x, y, SEED, workers) for workers in (1, 2))
    try:
        work = Work(alone.initial_params, alone.initial_buffers, np.arange(6), rows, 1)
        one, many = alone.train(work), two.train(work)
        assert type(one.told) is type(many.told)
        for weights in (np.full(6, 1 / 6), np.arange(6.0)):
            assert one.told.combine(weights).tobytes() == many.told.combine(weights).tobytes()
        assert one.told.sketch(16).tobytes() == many.told.sketch(16).tobytes()
        np.testing.assert_array_equal(one.updates, many.updates)
        np.testing.assert_array_equal(one.losses, many.losses)
    finally:
        two.close()


@pytest.mark.parametrize("path", PATHS)
def test_it_is_tested_as_the_module_answers(path):
    module, x, y = texts(30, 5)
    rows = [np.arange(40), np.zeros(0, np.int64), np.arange(40, 60)]
    lean, other = (Trainer(module, Training(path=name), x, y, SEED) for name in ("lean", path))
    expected, found = (of.evaluate(of.initial_params, of.initial_buffers, rows) for of in (lean, other))
    for one, same in zip(expected[:2], found[:2], strict=True):
        np.testing.assert_array_equal(one, same)
    np.testing.assert_allclose(expected[2], found[2], rtol=1e-5)


def test_a_million_words_take_the_room_of_those_that_are_met():
    module, x, y = texts(10**6, 5)
    trainer = Trainer(module, Training(steps=2, batch=5), x, y, SEED)
    done = trainer.train(Work(trainer.initial_params, trainer.initial_buffers, np.arange(30), [np.arange(60)] * 30, 0))
    assert trainer.path_name == PATHS[-1]
    assert isinstance(done.told, SparseUpdates)
    assert done.told.values.shape[1] <= 10 * WIDTH  # in full: 600 MB
    assert done.told.combine(np.full(30, 1 / 30)).shape == (trainer.n_params,)


def test_auto_takes_the_quickest_that_there_is(monkeypatch):
    module, x, y = texts(20, 2)
    assert Trainer(module, Training(), x, y, SEED).path_name == PATHS[-1]
    monkeypatch.setattr("horae.training.sparse_torch.compiled_sparse", lambda: None)
    assert Trainer(module, Training(), x, y, SEED).path_name == "gathered"
    with pytest.raises(ConfigError, match=r"training\.path should suit model and machine.*no C compiler"):
        Trainer(module, Training(path="sparse"), x, y, SEED)
    assert Trainer(module, Training(path="lean"), x, y, SEED).path_name == "lean"
    module.bias.requires_grad_(False)
    assert Trainer(module, Training(), x, y, SEED).path_name == "lean"
    with pytest.raises(ConfigError, match="no sparse-logistic on bags of words"):
        Trainer(torch.nn.Linear(3, 2), Training(path="gathered"), np.zeros((4, 3), np.float32), np.zeros(4, int), 0)


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        ([[4]], [0], r"model\.features should be >= 5, the samples go up to 4, got 4; raise it"),
        ([[-1]], [0], "the samples should be whole numbers >= 0, got -1"),
        ([[1]], [2], r"the labels should be in \[0, 2\)"),
    ],
)
def test_what_would_be_read_beyond_the_table_is_refused(x, y, words):
    with pytest.raises(ConfigError, match=words):
        Trainer(SparseLogistic(4).build((1,), 2), Training(), np.array(x), np.array(y), 0)


@needs_compiler
def test_a_kernel_that_computes_something_else_is_not_used(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    wrong, right = tmp_path / "kernel.c", native.SOURCE.read_text()
    assert "b->z[k] *= -how->lr" in right
    wrong.write_text(right.replace("b->z[k] *= -how->lr", "b->z[k] *= how->lr"))
    monkeypatch.setattr(native, "SOURCE", wrong)
    found = compiled.__wrapped__()
    assert found is not None  # linear layers are as they were
    monkeypatch.setattr("horae.training.sparse_kernel.compiled", lambda: found)
    assert compiled_sparse.__wrapped__() is None
