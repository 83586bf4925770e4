"""Clients side by side by torch.func, on the processor: the code that a GPU runs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from horae.errors import ConfigError
from horae.training import Cnn, Mlp, Trainer, Training, Work, initial
from horae.training.reference import train_one
from horae.training.vmapped import Vmapped
from horae.training.vmapped_updates import Resident
from horae.types import Correction

SEED, CLASSES = 5, 4
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(80, 6, 6)).astype(np.float32), RNG.integers(0, CLASSES, 80)
MODELS = {"mlp": Mlp((5,)), "cnn": Cnn(channels=(4,), groups=2)}
MODULES = {name: initial(model, (6, 6), CLASSES, SEED) for name, model in MODELS.items()}
SIZES = [13, 0, 1, 5, 2, 20]


def trainer(module=None, x=X, y=Y, workers=1, task="classification", **table):
    training = Training(**{"path": "vmap", "batch": 4, "chunk": 4, **table})
    return Trainer(MODULES["cnn"] if module is None else module, training, x, y, SEED, workers, task=task)


def work(of, sizes=SIZES, **changes):
    rng = np.random.default_rng(1)
    rows = [rng.integers(0, 80, n) for n in sizes]
    return replace(Work(of.initial_params, of.initial_buffers, np.arange(len(sizes)) + 3, rows, 2), **changes)


def bent(of, name):
    rng = np.random.default_rng(2)
    own = rng.normal(scale=0.1, size=(len(SIZES), of.n_params)).astype(np.float32)
    return {
        "plain": {},
        "prox": {"correction": Correction(0.5, None)},
        "drift": {"correction": Correction(0.0, own)},
        "shared drift": {"correction": Correction(0.2, own[0])},
        "mask": {"keep": rng.random(of.n_params) < 0.6},
        "weights": {"weights": [rng.exponential(size=n) for n in SIZES]},
    }[name]


@pytest.mark.parametrize("name", ["plain", "prox", "drift", "shared drift", "mask", "weights"])
@pytest.mark.parametrize("model", ["mlp", "cnn"])
@pytest.mark.parametrize(
    "table", [{"momentum": 0.9, "weight_decay": 0.05}, {"epochs": 2}, {"optimizer": "adam", "lr": 0.003}], ids=str
)
def test_it_trains_as_its_twin_does(model, table, name):
    if model == "cnn" and "optimizer" in table:
        pytest.skip("a bias before GroupNorm has a gradient of noise, which Adam makes as large as any")
    of = trainer(MODULES[model], **table)
    asked = work(of, **bent(of, name))
    done = of.train(asked)
    assert of.path_name == "vmap" and isinstance(done.told, Resident)
    for row in range(len(SIZES)):
        twin = train_one(MODULES[model], of.training, asked, row, X, Y, SEED)
        np.testing.assert_allclose(done.updates[row], twin.updates[0], rtol=1e-3, atol=2e-5)
        assert done.losses[row] == pytest.approx(twin.losses[0], rel=1e-4)
        assert done.processed[row] == twin.processed[0] and done.steps[row] == twin.steps[0]
        width = twin.sums.shape[1]
        np.testing.assert_allclose(done.sums[row, :width], twin.sums[0], rtol=1e-4, atol=1e-5)
    if asked.keep is not None:
        assert (done.updates[:, ~asked.keep] == 0).all()


@settings(deadline=None, max_examples=15, derandomize=True)
@given(st.lists(st.sampled_from([0, 1, 3, 9]), min_size=0, max_size=5), st.integers(1, 5), st.integers(1, 6))
def test_whatever_clients_hold(sizes, chunk, batch):
    one, other = (trainer(MODULES["mlp"], chunk=chunk, batch=batch, path=path) for path in ("vmap", "lean"))
    done, lean = one.train(work(one, sizes)), other.train(work(other, sizes))
    assert done.updates.shape == lean.updates.shape
    np.testing.assert_allclose(done.updates, lean.updates, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(done.losses, lean.losses, rtol=1e-4, atol=1e-6)


def test_efforts_and_units_are_as_on_the_other_paths():
    efforts = np.array([1.0, 2.0, 0.2, 1.0, 0.4, 3.0])
    one, other = trainer(), trainer(path="lean")
    units = np.arange(one.anatomy.n_units) > 0
    for changes in ({"efforts": efforts}, {"steps": 3}, {"units": units}, {"table": replace(one.training, lr=0.5)}):
        done, lean = one.train(work(one, **changes)), other.train(work(other, **changes))
        np.testing.assert_allclose(done.updates, lean.updates, rtol=1e-3, atol=2e-5)
        np.testing.assert_array_equal(done.steps, lean.steps)


def test_same_bits_again_and_for_a_new_trainer():
    one, other = trainer(momentum=0.9), trainer(momentum=0.9)
    first = one.train(work(one)).updates
    one.train(work(one, round=7))
    one.evaluate(one.initial_params, one.initial_buffers, [np.arange(9)])
    assert first.tobytes() == one.train(work(one)).updates.tobytes() == other.train(work(other)).updates.tobytes()


@pytest.mark.slow
def test_workers_change_no_bit():
    one, two = trainer(momentum=0.9), trainer(momentum=0.9, workers=2)
    first = one.train(work(one)).updates
    try:
        assert first.tobytes() == two.train(work(two)).updates.tobytes()
    finally:
        two.close()


def test_the_model_is_tested_alike_and_before_training_too():
    one, other = trainer(), trainer(path="lean")
    rows = [np.arange(30), np.zeros(0, np.int64), np.arange(30, 80)]
    found, lean = (of.evaluate(of.initial_params, of.initial_buffers, rows) for of in (one, other))
    np.testing.assert_array_equal(found[0], lean[0])
    np.testing.assert_allclose(found[2], lean[2], rtol=1e-5)
    assert one.train(work(one)).updates.any()


def test_tokens_and_numbers_are_asked_as_lean_asks():
    class Next(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.out = nn.Embedding(9, 5), nn.Linear(5, 9)

        def forward(self, x):
            return self.out(torch.tanh(self.words(x)))

    torch.manual_seed(0)
    tokens = RNG.integers(0, 9, (80, 7))
    truth = np.where(RNG.random((80, 7)) < 0.4, -1, RNG.integers(0, 9, (80, 7)))  # some are not asked
    cases = [
        (Next(), tokens, truth, "next-token"),
        (nn.Sequential(nn.Flatten(), nn.Linear(36, 1)), X, Y.astype(np.float32), "regression"),
    ]
    for module, x, y, task in cases:
        one, other = (trainer(module, x, y, task=task, path=path, lr=0.02) for path in ("vmap", "lean"))
        assert one.path_name == "vmap"
        for changes in ({}, bent(one, "weights")):
            done, lean = one.train(work(one, **changes)), other.train(work(other, **changes))
            np.testing.assert_allclose(done.updates, lean.updates, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(done.losses, lean.losses, rtol=1e-4)


class Looks(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(36, CLASSES)

    def forward(self, x):
        return self.out(x.flatten(1)) if x.max() < 100 else x


class Centred(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(6, CLASSES)

    def forward(self, x):
        return self.out(x.mean(1) - x.mean((0, 1)))


@pytest.mark.parametrize(
    "part, why",
    [
        (nn.BatchNorm1d(6), "BatchNorm"),
        (nn.Dropout(0.5), "random"),
        (Centred(), "depends on the others"),
        (Looks(), "asks for values"),
    ],
)
def test_what_cannot_train_side_by_side_says_so_in_a_line_and_is_lean(part, why, caplog):
    torch.manual_seed(0)
    tail = [] if isinstance(part, Centred | Looks) else [nn.Flatten(), nn.Linear(36, CLASSES)]
    module = nn.Sequential(part, *tail)
    assert trainer(module).path_name == "lean"
    (record,) = caplog.records
    assert "cannot train side by side" in record.getMessage() and why in record.getMessage()
    with pytest.raises(ConfigError, match=r"training.precision should be float32"):
        trainer(module, precision="bf16")


def test_bfloat16_is_near_and_only_for_this_path():
    exact, rough = trainer(), trainer(precision="bf16")
    one, other = exact.train(work(exact)).updates, rough.train(work(rough)).updates
    assert one.tobytes() != other.tobytes() and other.dtype == np.float32
    assert np.linalg.norm(one - other) < 0.1 * np.linalg.norm(one)
    with pytest.raises(ConfigError, match=r"training\.precision"):
        trainer(path="lean", precision="bf16")


def test_a_gpu_is_found_or_the_user_is_told(monkeypatch):
    monkeypatch.setattr("horae.training.vmapped_device.gpu", lambda: None)
    assert trainer(path="auto").path_name != "vmap"
    with pytest.raises(ConfigError, match=r"training.device should be there, got 'cuda'; torch sees no GPU here"):
        trainer(device="cuda")
    with pytest.raises(ConfigError, match=r"training\.device"):
        Training(device="tpu")
    monkeypatch.setattr("horae.training.vmapped_device.gpu", lambda: torch.device("cpu"))  # as if there were one
    assert trainer(path="auto").path_name == trainer(path="auto", device="cuda").path_name == "vmap"
    assert trainer(path="auto", device="cpu").path_name != "vmap"
    assert trainer(path="lean").path_name == "lean"
    with pytest.raises(ConfigError, match=r'training\.path should be auto or vmap with device = "cuda", got \'lean\''):
        trainer(path="lean", device="cuda")


def short_of_memory(monkeypatch, most):
    """As on a device where more than `most` clients at a time are too many; how many were tried, call by call."""
    whole, tried = Vmapped._train_chunk, []

    def chunk(self, work, plan):
        tried.append(len(work.clients))
        if len(work.clients) > most:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return whole(self, work, plan)

    monkeypatch.setattr(Vmapped, "_train_chunk", chunk)
    return tried


def test_a_chunk_halves_itself_where_memory_is_short(monkeypatch, caplog):
    usual = trainer().train(work(trainer())).updates
    tried = short_of_memory(monkeypatch, 1)
    of = trainer()
    done = of.train(work(of)).updates
    assert tried == [4, 2, 1, 1, 1, 1, 1, 1]
    assert [record.getMessage().split(": ")[1] for record in caplog.records] == [
        f"memory is short; {n} clients train at a time from now on. For the same bits again say so" for n in (2, 1)
    ]
    np.testing.assert_allclose(done, usual, rtol=1e-4, atol=1e-5)
    of.train(work(of))
    assert tried[8:] == [1] * 6 and len(caplog.records) == 2  # it remembers
    small = trainer(chunk=1)
    assert done.tobytes() == small.train(work(small)).updates.tobytes()  # as the line says


def test_where_one_client_is_too_much_the_processor_trains(monkeypatch, caplog):
    tried = short_of_memory(monkeypatch, 0)
    one, lean = trainer(chunk=2), trainer(path="lean")
    done, other = one.train(work(one)), lean.train(work(lean))
    assert tried == [2, 1]
    assert 'the processor trains from now on, as training.path = "lean"' in caplog.records[-1].getMessage()
    assert done.updates.tobytes() == other.updates.tobytes()
    np.testing.assert_array_equal(done.sums, other.sums)
    one.train(work(one))
    assert tried == [2, 1]


def test_data_that_do_not_fit_stay(monkeypatch, caplog):
    of, whole = trainer(), torch.Tensor.to

    def to(tensor, *given, **named):
        if tensor.shape[:1] == (80,):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return whole(tensor, *given, **named)

    monkeypatch.setattr(torch.Tensor, "to", to)
    done = of.train(work(of)).updates
    monkeypatch.undo()
    assert "does not fit on the device" in caplog.text
    assert done.tobytes() == trainer().train(work(of)).updates.tobytes()


def test_where_testing_is_too_much_the_processor_tests(monkeypatch, caplog):
    one, other = trainer(), trainer(path="lean")

    def short(self, index):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Vmapped, "_some", short)
    found, lean = (of.evaluate(of.initial_params, of.initial_buffers, [np.arange(80)]) for of in (one, other))
    assert caplog.text.count("the processor tests models from now on") == 1
    np.testing.assert_array_equal(found[2], lean[2])
    monkeypatch.undo()
    assert one.train(work(one)).updates.any()


def test_graphs_pad_finished_clients_to_one_shape(monkeypatch):
    """What torch.compile is given on a GPU, without it: every call has the chunk's shape, and the numbers stay."""
    of, shapes = trainer(momentum=0.9, weight_decay=0.1, epochs=1), set()
    usual = of.train(work(of)).updates
    monkeypatch.setattr(Vmapped, "_compiles", True)
    monkeypatch.setattr(torch.compiler, "cudagraph_mark_step_begin", lambda: None)

    def compiled(step, **_):
        def call(weights, held, x, *rest):
            shapes.add(tuple(x.shape[:1]))
            return step(weights, held, x, *rest)

        return call

    monkeypatch.setattr(torch, "compile", compiled)
    again = trainer(momentum=0.9, weight_decay=0.1, epochs=1)
    np.testing.assert_allclose(again.train(work(again)).updates, usual, rtol=1e-4, atol=1e-6)
    assert shapes == {(4,), (2,)}  # six clients in chunks of four
