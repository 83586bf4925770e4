"""Several ways to train, one result: the readable twin and every path there is.

Tolerance: float32 sums in another order, rtol 1e-4 and atol 1e-5, on updates of size 0.01 to 1.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from horae.training import Cnn, Logistic, Mlp, Trainer, Training, Work, initial
from horae.training.native import compiled
from horae.training.reference import train_one
from horae.types import Correction

SHAPE, CLASSES, SEED = (3, 2), 4, 5
RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, *SHAPE)).astype(np.float32)
Y = RNG.integers(0, CLASSES, 80)

trainings = st.builds(
    Training,
    momentum=st.sampled_from([0.0, 0.9]),
    weight_decay=st.sampled_from([0.0, 0.05]),
    steps=st.integers(1, 5),
    epochs=st.integers(0, 2),
    batch=st.integers(1, 7),
    chunk=st.integers(1, 4),
)
adams = trainings.map(lambda t: replace(t, optimizer="adam", momentum=0.0, lr=0.003))
models = st.sampled_from([Logistic(), Mlp((6,)), Mlp((5, 7))])


@st.composite
def works(draw, n_params):
    """A round for up to six clients, some with one sample or none."""
    sizes = draw(st.lists(st.sampled_from([0, 1, 2, 5, 13]), min_size=1, max_size=6))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    shape = draw(st.sampled_from([None, (n_params,), (len(sizes), n_params)]))
    drift = None if shape is None else rng.normal(scale=0.1, size=shape).astype(np.float32)
    return {
        "clients": rng.permutation(1000)[: len(sizes)],
        "rows": [rng.integers(0, len(X), n) for n in sizes],
        "round": draw(st.integers(0, 3)),
        "lr_scale": draw(st.sampled_from([1.0, 0.5])),
        "correction": Correction(draw(st.sampled_from([0.0, 0.5])), drift),
        "keep": draw(st.sampled_from([None, rng.random(n_params) < 0.6])),
        "weights": draw(st.sampled_from([None, [rng.exponential(size=n) for n in sizes]])),
    }


def paths_of(model):
    """Every path that can train the model here."""
    names = ["dense", "lean", *(["native"] if compiled() else []), *(["span"] if isinstance(model, Logistic) else [])]
    return {name: name for name in names}


def assert_alike(one, other):
    np.testing.assert_allclose(one.updates, other.updates, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(one.losses, other.losses, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(one.processed, other.processed)


@settings(deadline=None, max_examples=80, derandomize=True)
@given(models, st.one_of(trainings, adams), st.data())
def test_all_paths_train_alike(model, training, data):
    module = initial(model, SHAPE, CLASSES, SEED)
    trainers = {name: Trainer(module, replace(training, path=name), X, Y, SEED) for name in paths_of(model)}
    assert {name: trainer.path_name for name, trainer in trainers.items()} == paths_of(model)
    dense = trainers.pop("dense")
    work = Work(dense.initial_params, dense.initial_buffers, **data.draw(works(dense.n_params)))
    dense = dense.train(work)
    for trainer in trainers.values():
        assert_alike(trainer.train(work), dense)
    for row in range(len(work.clients)):
        twin = train_one(module, training, work, row, X, Y, SEED)
        np.testing.assert_allclose(dense.updates[row], twin.updates[0], rtol=1e-4, atol=1e-5)
        assert dense.losses[row] == pytest.approx(twin.losses[0], rel=1e-4)
        assert dense.processed[row] == twin.processed[0]


@settings(deadline=None, max_examples=25, derandomize=True)
@given(models, st.one_of(trainings, adams), st.data())
def test_dropped_weights_are_zero_and_stay_zero(model, training, data):
    module = initial(model, SHAPE, CLASSES, SEED)
    trainers = [Trainer(module, replace(training, path=name), X, Y, SEED) for name in paths_of(model)]
    start, buffers, n_params = trainers[0].initial_params, trainers[0].initial_buffers, trainers[0].n_params
    asked = data.draw(works(n_params))
    keep = np.random.default_rng(0).random(n_params) < 0.5
    masked = Work(start, buffers, **{**asked, "keep": keep})
    already = replace(masked, params=np.where(keep, masked.params, np.float32(0)))
    for trainer in trainers:
        updates = trainer.train(masked).updates
        assert (updates[:, ~keep] == 0).all()
        np.testing.assert_array_equal(updates, trainer.train(already).updates)


@pytest.mark.parametrize("model", [Mlp((6,)), Cnn(channels=(4,), groups=2)])
@pytest.mark.parametrize("epochs", [0, 2])
def test_a_client_does_not_depend_on_who_else_is_in_the_round(model, epochs):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(80, 4, 4)).astype(np.float32), rng.integers(0, CLASSES, 80)
    trainer = Trainer(initial(model, (4, 4), CLASSES, SEED), Training(epochs=epochs, chunk=4), x, y, SEED)
    sizes = [12, 0, 30, 1, 7, 19]
    everyone = Work(
        trainer.initial_params, trainer.initial_buffers, np.arange(6), [rng.integers(0, 80, n) for n in sizes], round=2
    )
    together = trainer.train(everyone)
    for row in range(6):
        alone = trainer.train(replace(everyone, clients=np.array([row]), rows=[everyone.rows[row]]))
        np.testing.assert_allclose(together.updates[row], alone.updates[0], rtol=1e-4, atol=1e-5)


widths = st.lists(st.sampled_from([2, 4, 6]), min_size=1, max_size=2).map(tuple)
networks = st.builds(Cnn, channels=widths, groups=st.just(2))


@settings(deadline=None, max_examples=20, derandomize=True)
@given(networks, st.sampled_from([(8, 8), (1, 9, 8), (3, 8, 10)]), trainings, st.data())
def test_convolutions_match_their_twin(model, shape, training, data):
    """Not with Adam: a bias before GroupNorm has a gradient of nothing but noise, which Adam makes as large as any."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(len(X), *shape)).astype(np.float32)
    module = initial(model, shape, CLASSES, SEED)
    trainers = [Trainer(module, replace(training, path=path), x, Y, SEED) for path in ("auto", "lean")]
    trainer = trainers[0]
    work = Work(trainer.initial_params, trainer.initial_buffers, **data.draw(works(trainer.n_params)))
    assert trainer.path_name == ("conv" if compiled() else "conv-torch")
    found = [one.train(work) for one in trainers]
    for row in range(len(work.clients)):
        twin = train_one(module, training, work, row, x, Y, SEED)
        for done in found:
            np.testing.assert_allclose(done.updates[row], twin.updates[0], rtol=1e-3, atol=1e-4)
            assert done.losses[row] == pytest.approx(twin.losses[0], rel=1e-4)
