"""Models of whole numbers: sparse features, characters, words."""

import numpy as np
import pytest
import torch

from horae.errors import ConfigError
from horae.training import MODELS, initial

WORDS = torch.tensor([[1, 4, 2, 0, 3], [2, 2, 0, 0, 0]])


def test_sparse_logistic_sums_the_rows_that_a_sample_names():
    module = MODELS["sparse-logistic"](features=5).build((5,), 2)
    assert (module(WORDS) == 0).all()  # it begins at zero
    with torch.no_grad():
        module.table.weight.copy_(torch.arange(10.0).view(5, 2))
        module.bias.copy_(torch.tensor([0.5, -0.5]))
    # W[j] = (2 j, 2 j + 1): features 1, 4, 2, 3 sum to (20, 24); feature 2 twice to (8, 10). Row 0 is no feature.
    np.testing.assert_array_equal(module(WORDS).detach(), [[20.5, 23.5], [8.5, 9.5]])


def test_sparse_logistic_is_logistic_regression_on_counts():
    torch.manual_seed(0)
    module, counts = MODELS["sparse-logistic"](features=5).build((5,), 3), torch.zeros(2, 5)
    torch.nn.init.normal_(module.table.weight)
    counts.scatter_add_(1, WORDS, (WORDS != 0).float())
    counts.requires_grad_()
    torch.testing.assert_close(module(WORDS), counts @ module.table.weight + module.bias)
    module(WORDS).square().sum().backward()
    assert (module.table.weight.grad[0] == 0).all()  # padding learns nothing
    assert (module.table.weight.grad[1:] != 0).all()


def test_one_class_is_a_regression():
    assert MODELS["sparse-logistic"]().build((3,), 1)(torch.zeros(4, 3, dtype=torch.int64)).shape == (4, 1)


@pytest.mark.parametrize("name", ["char-lstm", "albert"])
def test_every_position_or_the_last(name):
    every, last = (initial(MODELS[name](every=every), (5,), 6, 0) for every in (True, False))
    assert every(WORDS).shape == (2, 5, 6)
    assert last(WORDS).shape == (2, 6)
    torch.testing.assert_close(every(WORDS)[:, -1], last(WORDS))


@pytest.mark.parametrize("name", ["char-lstm", "albert"])
def test_a_position_does_not_see_what_comes_after_it(name):
    module, other = initial(MODELS[name](), (5,), 6, 0), WORDS.clone()
    other[:, 3] = 5
    one, two = module(WORDS), module(other)
    torch.testing.assert_close(one[:, :3], two[:, :3], rtol=1e-5, atol=1e-6)
    assert (one[:, 3:] - two[:, 3:]).abs().amax(dim=(0, 2)).min() > 1e-6


def test_albert_that_is_not_causal_sees_everything():
    module, other = initial(MODELS["albert"](causal=False), (5,), 6, 0), WORDS.clone()
    other[:, 4] = 5
    assert (module(WORDS) - module(other)).abs().amax(dim=(0, 2)).min() > 1e-6


def test_alberts_layers_are_one():
    shallow, deep = (MODELS["albert"](layers=layers).build((5,), 6) for layers in (1, 9))
    assert sum(p.numel() for p in shallow.parameters()) == sum(p.numel() for p in deep.parameters())
    deep.load_state_dict(shallow.state_dict())
    assert not torch.allclose(shallow(WORDS), deep(WORDS))


def test_a_vocabulary_may_be_larger_than_the_classes():
    for name in ("char-lstm", "albert"):
        module = MODELS[name](vocabulary=50, every=False).build((5,), 2)
        assert module(WORDS + 40).shape == (2, 2)


@pytest.mark.parametrize(
    ("name", "fields", "shape", "says"),
    [
        ("sparse-logistic", {"features": 0}, (5,), "model.features should be a whole number >= 1, got 0"),
        ("sparse-logistic", {"features": 2**31}, (5,), "model.features should make at most"),
        ("sparse-logistic", {"features": 4}, (5,), "model.features should be >= 5, the samples go up to 4, got 4"),
        ("sparse-logistic", {}, (5, 5), r"the sample shape should be \(length,\) of whole numbers for sparse-logistic"),
        ("char-lstm", {"vocabulary": -1}, (5,), "model.vocabulary should be a whole number >= 0, got -1"),
        ("char-lstm", {"vocabulary": 3}, (5,), "model.vocabulary should be >= 5, the samples go up to 4, got 3"),
        ("char-lstm", {"layers": 0}, (5,), "model.layers should be a whole number >= 1, got 0"),
        ("char-lstm", {"units": 2**20}, (5,), "model.units should make at most"),
        ("char-lstm", {}, (8, 8), r"the sample shape should be \(length,\) of whole numbers for char-lstm"),
        ("albert", {"heads": 3}, (5,), "model.heads should divide model.dim 128, got 3"),
        ("albert", {"layers": 2000}, (5,), "model.layers should be <= 1000, got 2000"),
        ("albert", {"dim": 2**20}, (5,), "model.dim should make at most"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(name, fields, shape, says):
    with pytest.raises(ConfigError, match=says):
        MODELS[name](**fields).build(shape, 6)(WORDS)


def test_negative_numbers_are_refused():
    with pytest.raises(ConfigError, match="the samples should be whole numbers >= 0, got -1"):
        MODELS["char-lstm"]().build((5,), 6)(WORDS - 1)
