"""Training and testing models on one data set."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from horae.errors import ConfigError
from horae.training import Cnn, Logistic, Mlp, Trainer, Training, Work, initial
from horae.training.native import compiled
from horae.training.stack import affine_stack

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)).astype(np.float32)
Y = RNG.integers(0, 3, 60)
ROWS = [np.arange(20), np.array([], np.int64), np.arange(20, 60)]


def trainer(module=None, training=None, x=X, y=Y) -> Trainer:
    return Trainer(module or initial(Mlp((5,)), x.shape[1:], 3, 0), training or Training(), x, y, seed=0)


def work(of: Trainer, **changes) -> Work:
    return replace(Work(of.initial_params, of.initial_buffers, np.array([4, 7, 9]), ROWS, round=1), **changes)


def normed(*extra: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), *extra, nn.Linear(6, 3))


@pytest.fixture(autouse=True)
def global_random_state_stays():
    with torch.random.fork_rng(devices=[]):
        yield


def test_evaluation_by_hand():
    # Logits are the two inputs themselves: (2, 0) is class 0 with loss log(1 + e^-2).
    module = nn.Sequential(nn.Linear(2, 2))
    with torch.no_grad():
        module[0].weight.copy_(torch.eye(2))
        module[0].bias.zero_()
    x = np.array([[2, 0], [2, 0], [0, 2], [0, 0]], np.float32)
    of = trainer(module, x=x, y=np.array([0, 1, 1, 0]))
    rows = [
        np.array([], np.int64),
        np.array([0, 1]),
        np.array([], np.int64),
        np.array([2, 2, 3]),
        np.array([], np.int64),
    ]
    correct, tested, losses = of.evaluate(of.initial_params, of.initial_buffers, rows)
    right, wrong, even = np.log1p(np.exp(-2)), np.log1p(np.exp(2)), np.log(2)
    assert correct.tolist() == [0, 1, 0, 3, 0]
    assert tested.tolist() == [0, 2, 0, 3, 0]
    np.testing.assert_allclose(losses, [0, (right + wrong) / 2, 0, (2 * right + even) / 3, 0], rtol=1e-6)


def test_evaluation_of_nobody():
    of = trainer()
    for rows in ([], [np.array([], np.int64)]):
        assert all(column.shape == (len(rows),) for column in of.evaluate(of.initial_params, of.initial_buffers, rows))


def test_blocks_do_not_change_the_counts(monkeypatch):
    of = trainer()
    whole = of.evaluate(of.initial_params, of.initial_buffers, ROWS)
    monkeypatch.setattr("horae.training.trainer.TEST_BLOCK", 7)
    of = trainer()
    parts = of.evaluate(of.initial_params, of.initial_buffers, ROWS)
    assert (whole[0] == parts[0]).all()
    np.testing.assert_allclose(whole[2], parts[2], rtol=1e-5)


@pytest.mark.parametrize("model", [Logistic(), Mlp((5,)), Cnn(channels=(4,), groups=2)])
def test_the_same_work_gives_the_same_bits(model):
    x = RNG.normal(size=(60, 4, 4)).astype(np.float32)
    one, other = (trainer(initial(model, (4, 4), 3, 0), x=x) for _ in range(2))
    first = one.train(work(one)).updates
    one.train(work(one, round=5))
    one.evaluate(one.initial_params, one.initial_buffers, ROWS)
    assert first.tobytes() == one.train(work(one)).updates.tobytes() == other.train(work(other)).updates.tobytes()
    assert first.tobytes() != one.train(work(one, round=2)).updates.tobytes()


@pytest.mark.parametrize("epochs", [0, 2])
@pytest.mark.parametrize("model", [Mlp((5,)), Cnn(channels=(4,), groups=2)])
def test_nobody_and_nothing_to_train_on(model, epochs):
    x = RNG.normal(size=(60, 4, 4)).astype(np.float32)
    of = trainer(initial(model, (4, 4), 3, 0), Training(epochs=epochs, momentum=0.9, weight_decay=0.1), x=x)
    none = of.train(work(of, clients=np.zeros(0, np.int64), rows=[]))
    assert none.updates.shape == (0, of.n_params) and none.losses.shape == none.processed.shape == (0,)
    idle = of.train(work(of, clients=np.array([1]), rows=[np.array([], np.int64)]))
    assert not idle.updates.any() and idle.losses.tolist() == [0.0] and idle.processed.tolist() == [0]


def test_training_lowers_the_loss():
    x = np.eye(3, dtype=np.float32)[Y]
    of = trainer(initial(Logistic(), (3,), 3, 0), Training(lr=1.0, steps=20), x=x)
    done = of.train(work(of, rows=[np.arange(60)] * 3))
    before = of.evaluate(of.initial_params, of.initial_buffers, [np.arange(60)])[2]
    correct, _, after = of.evaluate(of.initial_params + done.updates[0], of.initial_buffers, [np.arange(60)])
    assert after < before and correct.tolist() == [60]
    assert done.updates.dtype == np.float32 and done.losses.dtype == np.float64


def test_read_only_arrays_are_welcome():
    of = trainer()
    for array in (of.initial_params, of.initial_buffers):
        array.flags.writeable = False
    x = X.copy()
    x.flags.writeable = False
    again = trainer(x=x)
    assert of.train(work(of)).updates.tobytes() == again.train(work(again)).updates.tobytes()


def test_the_module_given_is_not_touched():
    module = normed().eval()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    of = trainer(module)
    of.train(work(of))
    assert not module.training
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())


def test_batch_norm_statistics_are_carried_and_handed_back():
    of = trainer(normed(), Training(steps=1, batch=100, lr=1e-9))
    done = of.train(work(of))
    assert of.path_name == "lean" and of.initial_buffers.tolist() == [0.0] * 6 + [1.0] * 6
    hidden = normed()[0](torch.tensor(X[:20])).detach()
    expected = torch.cat([0.1 * hidden.mean(0), 0.9 + 0.1 * hidden.var(0)]).numpy()  # torch's momentum is 0.1
    np.testing.assert_allclose(done.buffers[0], expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(done.buffers[1], of.initial_buffers)  # no samples, nothing learnt
    assert done.buffers.tobytes() == of.train(work(of)).buffers.tobytes()


def test_dropout_draws_from_the_client_s_own_stream():
    of = trainer(normed(nn.Dropout(0.5)))
    state = torch.random.get_rng_state()
    everyone = of.train(work(of))
    assert torch.equal(torch.random.get_rng_state(), state)
    alone = of.train(work(of, clients=np.array([9]), rows=ROWS[2:]))
    np.testing.assert_array_equal(everyone.updates[2], alone.updates[0])


def test_unused_and_frozen_parameters():
    class Spare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.spare, self.frozen = nn.Linear(4, 3), nn.Parameter(torch.ones(2)), nn.Linear(3, 3)
            self.frozen.requires_grad_(False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.frozen(self.used(x))

    torch.manual_seed(0)
    of = trainer(Spare())
    moved = of.train(work(of)).updates
    assert of.n_params == 2 + 15
    assert not moved[:, :2].any() and moved[0, 2:].all()  # the module's own parameters come before its children's


def test_what_the_fast_path_takes():
    linear, relu, flatten = nn.Linear(4, 4), nn.ReLU(), nn.Flatten()
    assert affine_stack(nn.Sequential(linear), (4,)) is not None
    assert affine_stack(nn.Sequential(flatten, linear, relu), (2, 2)) is not None
    assert affine_stack(nn.Sequential(nn.Linear(4, 4, bias=False)), (4,)) is not None
    for module, shape in [
        (linear, (4,)),  # not a stack
        (nn.Sequential(linear), (2, 4)),  # acts on the last axis
        (nn.Sequential(relu, linear), (4,)),
        (nn.Sequential(linear, linear), (4,)),  # shared
        (nn.Sequential(linear, nn.Tanh()), (4,)),
        (nn.Sequential(nn.Linear(4, 4).requires_grad_(False)), (4,)),
    ]:
        assert affine_stack(module, shape) is None


def test_stacks_too_large_for_lock_step_train_one_by_one(monkeypatch):
    monkeypatch.setattr("horae.training.trainer.LOCKSTEP_FLOATS", 100)
    monkeypatch.setattr("horae.training.trainer.compiled", lambda: None)
    assert trainer().path_name == "lean"


def test_the_quickest_path_is_taken_and_a_named_one_is_insisted_on(monkeypatch):
    tall = np.zeros((20, 2000), np.float32)
    linear = initial(Logistic(), (2000,), 6, 0)
    if compiled():
        assert trainer().path_name == trainer(linear, x=tall).path_name == "native"
    monkeypatch.setattr("horae.training.trainer.compiled", lambda: None)
    assert (trainer().path_name, trainer(linear, x=tall).path_name) == ("dense", "span")
    assert trainer(initial(Logistic(), X.shape[1:], 3, 0)).path_name == "dense"  # as quick for a small one
    for path in ("span", "native"):
        with pytest.raises(ConfigError, match=r"training.path should suit model and machine"):
            trainer(training=Training(path=path))
    with pytest.raises(ConfigError, match="is no stack of linear layers"):
        trainer(nn.Sequential(nn.Linear(4, 3), nn.Tanh()), Training(path="dense"))


def test_a_stack_without_biases_and_with_a_last_relu():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 5, bias=False), nn.ReLU(), nn.Linear(5, 3), nn.ReLU())
    fast, slow = trainer(module), trainer(nn.Sequential(module))  # a nested stack takes the other path
    assert (fast.path_name, slow.path_name) == ("dense", "lean")
    np.testing.assert_allclose(fast.train(work(fast)).updates, slow.train(work(slow)).updates, rtol=1e-4, atol=1e-6)


def test_numbers_shown_to_users():
    of = trainer()
    assert of.n_params == of.initial_params.size == 4 * 5 + 5 + 5 * 3 + 3
    assert of.flops_per_sample == 2 * (4 * 5 + 5 * 3)
    assert torch.get_num_threads() == 1
