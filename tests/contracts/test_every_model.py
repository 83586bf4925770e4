"""What every model an experiment can name promises. A new member is tested by being registered.

Members that need something of somebody else's are given it: a path, a package that is made up.
"""

import dataclasses
import pickle
import sys
import types

import numpy as np
import pytest
import torch
from torch import nn

import horae
from horae.errors import ConfigError, HoraeError
from horae.experiment import load
from horae.population import Population, Ragged
from horae.training import MODELS, Samples, Trainer, Training, Work, check_module, initial
from horae.training.flops import forward_flops
from horae.training.layout import Layout

CLASSES, N = 4, 24
RNG = np.random.default_rng(0)
LABELS = np.arange(N) % CLASSES
IMAGES = RNG.normal(size=(N, 16, 16)).astype(np.float32) + LABELS[:, None, None].astype(np.float32)
TOKENS = np.stack([RNG.integers(0, CLASSES, N), *[LABELS] * 4], axis=1)
OF_TOKENS = {"sparse-logistic", "char-lstm", "albert"}
SMALL = {  # as small as they come, so that a test takes no time
    "leaf-cnn": {"dense": 16}, "two-cnn": {"dense": 16},
    "resnet18": {"stem": "cifar", "groups": 2}, "resnet34": {"stem": "cifar", "groups": 2},
    "mobilenetv2": {"width": 0.25, "groups": 4}, "shufflenetv2": {"width": 0.5}, "sparse-logistic": {"features": 8},
    "char-lstm": {"units": 16, "every": False}, "albert": {"dim": 16, "heads": 2, "ff": 16, "every": False},
    "module": {"path": "a_package:build"},
}  # fmt: skip
RATES = {"mobilenetv2": 3e-4, "shufflenetv2": 3e-4, "char-lstm": 0.01, "sparse-logistic": 0.01}  # of Adam; else 0.001
each = pytest.mark.parametrize("name", MODELS)


def build(shape, classes):
    """Somebody's own network."""
    return nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(shape)), classes))


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """Residual networks of an eighth of their width, and so a sixty-fourth of their work."""
    monkeypatch.setattr("horae.training.models.resnet.WIDTHS", (8, 16, 32, 64))


@pytest.fixture(autouse=True)
def packages(monkeypatch):
    """A user's package, and something in the place of torchvision and timm."""
    ours = {"a_package": {"build": build}, "torchvision": {}, "timm": {}, "torchvision.models": {}}
    for package, held in ours.items():
        module = types.ModuleType(package)
        vars(module).update(held)
        monkeypatch.setitem(sys.modules, package, module)

    def make(name, num_classes, in_chans=3, **_):
        return build((in_chans, 16, 16), num_classes)

    vars(sys.modules["torchvision.models"])["get_model"] = vars(sys.modules["timm"])["create_model"] = make


def member(name):
    return MODELS[name](**SMALL.get(name, {}))


def samples(name):
    return TOKENS if name in OF_TOKENS else IMAGES


def module_of(name, seed=0):
    return initial(member(name), samples(name).shape[1:], CLASSES, seed)


def trainer(name, **training):
    table = Training(**{"steps": 5, "batch": N, **training})
    return Trainer(module_of(name), table, samples(name), LABELS, seed=0)


def work(of, params, buffers, number=0):
    return Work(params, buffers, np.arange(1), [np.arange(N)], round=number)


@each
def test_it_answers_each_sample_with_a_number_for_each_class(name):
    module, x = module_of(name), Samples.of(samples(name), LABELS)
    check_module(module, x.example, x.truth, CLASSES)
    for n in (1, 3):
        assert module(x.some(torch.arange(n))[0]).shape == (n, CLASSES)
    assert forward_flops(module, x.example) > 0


@each
def test_a_seed_is_one_model(name):
    one, same, other = (Layout.of_params(module := module_of(name, seed)).flatten(module) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert name == "sparse-logistic" or (one != other).any()  # which begins at zero


@each
def test_the_same_work_gives_the_same_bits_and_the_loss_falls(name):
    of = trainer(name, optimizer="adam", lr=RATES.get(name, 0.001))
    params, buffers = of.initial_params, of.initial_buffers
    first, again = of.train(work(of, params, buffers)), trainer(name, optimizer="adam", lr=RATES.get(name, 0.001))
    same = again.train(work(again, again.initial_params, again.initial_buffers))
    np.testing.assert_array_equal(first.updates, same.updates)
    np.testing.assert_array_equal(first.buffers, same.buffers)
    assert first.losses == same.losses
    done = first
    for number in (1, 2):
        params, buffers = params + done.updates[0], done.buffers[0]
        done = of.train(work(of, params, buffers, number))
    assert done.losses[0] < first.losses[0]


@each
def test_a_worker_can_be_sent_it(name):
    module, x = module_of(name), Samples.of(samples(name), LABELS)
    copy = pickle.loads(pickle.dumps(module)).eval()
    assert torch.equal(copy(x.example), module.eval()(x.example))


@each
def test_whole_numbers_of_no_size_are_refused_in_one_line(name):
    fields = [f.name for f in dataclasses.fields(MODELS[name]) if f.type == "int" and f.name != "vocabulary"]
    for field in fields:
        for silly in (0, -1):
            with pytest.raises(ConfigError, match=rf"^model.{field} should be a whole number >= 1, got {silly}$"):
                MODELS[name](**{field: silly})
    with pytest.raises(ConfigError, match=f"^model '{name}' has no 'nonsense'; "):
        load({"model": {"name": name, "nonsense": 1}})


@each
@pytest.mark.parametrize("shape", [(), (1, 1, 1, 1), (3, 1)])
def test_samples_it_cannot_take_are_refused_in_one_line(name, shape):
    """Or taken: a perceptron takes anything."""
    x = Samples.of(np.zeros((1, *shape), np.int64 if name in OF_TOKENS else np.float32), LABELS[:1])
    try:
        check_module(initial(member(name), shape, CLASSES, 0), x.example, x.truth, CLASSES)
    except HoraeError as error:
        assert str(error).isprintable() and len(str(error)) < 300


@each
def test_it_trains_in_a_whole_run(name, tmp_path):
    parts = [slice(0, 8), slice(8, 14), slice(14, 24)]
    x, y = samples(name), LABELS
    rows = [np.arange(N)[part] for part in parts]
    train, test = Ragged.of([own[:-2] for own in rows]), Ragged.of([own[-2:] for own in rows])
    held = Population("three", x, y, train, test, np.full(3, -1), CLASSES)
    table = {
        "participants": 2, "overcommit": 1.0, "baseline": "none", "budget": {"participations": 4},
        "training": {"lr": 0.05, "steps": 1, "batch": 4}, "algorithm": {"name": "fedyogi"},
        "clustering": {"name": "single"}, "availability": {"name": "always"},
        "model": {"name": name, **SMALL.get(name, {})},
    }  # fmt: skip
    result = horae.run(table, population=held, out=tmp_path / "run")
    assert result.participations >= 4
    (root,) = result.tree.leaves()
    start = module_of(name)
    assert root.buffers.size == Layout.of_buffers(start).size
    assert (root.params != Layout.of_params(start).flatten(start)).any()
    assert np.isfinite(root.params).all()
    assert np.isfinite(result.scores[-1]["loss"])
