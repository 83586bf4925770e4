"""The [training] table, the learning rate, and which samples go into which step."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from horae.errors import ConfigError
from horae.training import Training, batches


def plan(training, sizes, clients=None, number=0):
    sizes = np.array(sizes, np.int64)
    return batches(training, sizes, np.arange(len(sizes)) if clients is None else np.array(clients), 0, number)


@pytest.mark.parametrize(
    ("training", "rates"),
    [
        (Training(lr=0.5), {0: 0.5, 1000: 0.5}),
        (Training(lr=1.0, schedule="step", decay=0.5, decay_every=10), {0: 1.0, 9: 1.0, 10: 0.5, 29: 0.25, 30: 0.125}),
        (Training(lr=1.0, schedule="exponential", decay=0.25, decay_every=10), {0: 1.0, 5: 0.5, 10: 0.25, 20: 0.0625}),
        (Training(lr=1.0, schedule="step", decay=0.5, decay_every=1, min_lr=0.2), {2: 0.25, 3: 0.2, 99: 0.2}),
        (Training(lr=1.0, schedule="cosine", total_rounds=10, min_lr=0.2), {0: 1.0, 5: 0.6, 10: 0.2, 11: 0.2}),
    ],
)
def test_learning_rates_by_hand(training, rates):
    assert {number: pytest.approx(training.lr_at(number)) for number in rates} == rates


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("lr", -1.0, r"training.lr should be > 0, got -1.0; 0.1 is a common start"),
        ("lr", float("nan"), "training.lr should be > 0, got nan"),
        ("optimizer", "adm", "training.optimizer should be one of sgd, adam, got 'adm'; did you mean 'adam'?"),
        ("schedule", "cosin", "did you mean 'cosine'?"),
        ("lr_scaling", "sqrt", "training.lr_scaling should be one of none, linear"),
        ("momentum", 1.0, r"training.momentum should be in \[0, 1\), got 1.0"),
        ("weight_decay", -0.1, "training.weight_decay should be >= 0"),
        ("decay", 0.0, r"training.decay should be in \(0, 1\]"),
        ("min_lr", 0.2, r"training.min_lr should be in \[0, lr = 0.1\], got 0.2"),
        ("steps", 0, "training.steps should be a whole number >= 1, got 0"),
        ("batch", 2.5, "training.batch should be a whole number >= 1, got 2.5"),
        ("epochs", -1, "training.epochs should be a whole number >= 0, got -1"),
    ],
)
def test_what_cannot_be_trained_is_refused(field, value, says):
    with pytest.raises(ConfigError, match=says):
        Training(**{field: value})


def test_what_does_not_go_together_is_refused():
    with pytest.raises(ConfigError, match=r"training\.total_rounds should be >= 1 with schedule"):
        Training(schedule="cosine")
    with pytest.raises(ConfigError, match=r"training\.momentum should be 0 with optimizer"):
        Training(optimizer="adam", momentum=0.9)


def test_steps_walk_along_epochs():
    # 28 samples, 5 x 10: the second epoch begins in the third batch, after 8 samples
    drawn = plan(Training(steps=6, batch=10), [28]).index.reshape(-1)
    assert sorted(drawn[:28]) == sorted(drawn[28:56]) == list(range(28))
    assert drawn[:28].tolist() != drawn[28:56].tolist()


def test_a_small_client_uses_all_it_has_in_each_step():
    found = plan(Training(steps=3, batch=4), [3, 0])
    assert [sorted(step[:3]) for step in found.index[0].tolist()] == [[0, 1, 2]] * 3
    assert found.weight[0].tolist() == [[np.float32(1 / 3)] * 3 + [0.0]] * 3
    assert not found.weight[1].any() and not found.index[1].any()


def test_epochs_are_cut_one_by_one():
    # batch 4: 6 samples are 4 + 2 per epoch, 3 samples one step per epoch, none none
    found = plan(Training(epochs=2, batch=4), [6, 3, 0])
    assert found.counts.tolist() == [[4, 2, 4, 2], [3, 3, 0, 0], [0, 0, 0, 0]]
    epochs = [found.index[0, s, : found.counts[0, s]] for s in range(4)]
    assert sorted(np.concatenate(epochs[:2])) == sorted(np.concatenate(epochs[2:])) == list(range(6))


def test_the_round_changes_the_batches():
    training = Training()
    assert (plan(training, [50], number=1).index != plan(training, [50], number=2).index).any()
    assert (plan(training, [50], number=1).index == plan(training, [50], number=1).index).all()


def test_every_sample_comes_first_equally_often():
    first = [int(plan(Training(), [10], number=number).index[0, 0, 0]) for number in range(2000)]
    assert np.abs(np.bincount(first, minlength=10) - 200).max() < 60  # 4.5 standard deviations


def test_positions_become_rows_of_the_data_set():
    rows = [np.array([7, 7, 9]), np.array([], np.int64)]
    found = plan(Training(steps=1, batch=4), [3, 0]).of_dataset(rows)
    assert sorted(found.index[0, 0, :3]) == [7, 7, 9]
    assert found.weight[1].sum() == 0


SIZES = st.lists(st.integers(0, 25), max_size=6)
TRAININGS = st.builds(Training, steps=st.integers(1, 6), epochs=st.integers(0, 3), batch=st.integers(1, 9))


@settings(deadline=None, max_examples=60, derandomize=True)
@given(SIZES, TRAININGS, st.integers(0, 100))
def test_facts_of_every_plan(sizes, training, number):
    found, own = plan(training, sizes, number=number), np.array(sizes, np.int64)
    assert found.index.shape == found.weight.shape == (*found.counts.shape, training.batch)
    assert (found.counts.sum(1) == training.n_processed(own)).all()
    np.testing.assert_allclose(found.weight.sum(2), found.counts > 0, rtol=1e-6)
    assert ((found.weight > 0).sum(2) == found.counts).all()
    assert (found.index <= np.maximum(own - 1, 0)[:, None, None]).all() and (found.index >= 0).all()
    assert ((found.counts[:, 1:] > 0) <= (found.counts[:, :-1] > 0)).all()  # empty steps come last
    for client, n in enumerate(sizes):
        chain = found.index[client][found.weight[client] > 0]
        for epoch in range(len(chain) // n if n else 0):
            assert sorted(chain[epoch * n : (epoch + 1) * n]) == list(range(n))


@settings(deadline=None, max_examples=30, derandomize=True)
@given(SIZES.filter(bool), TRAININGS, st.data())
def test_a_client_s_plan_depends_on_nobody_else(sizes, training, data):
    chosen = data.draw(st.integers(0, len(sizes) - 1))
    among, alone = plan(training, sizes), plan(training, [sizes[chosen]], [chosen])
    steps = alone.counts.shape[1]
    assert (among.index[chosen, :steps] == alone.index[0]).all()
    assert (among.weight[chosen, :steps] == alone.weight[0]).all()
    assert not among.weight[chosen, steps:].any()
