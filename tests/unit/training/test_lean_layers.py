"""Modules with convolutions of our own answer as they did."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from horae.training import Trainer, Training, Work
from horae.training.conv_direct import compiled
from horae.training.lean_layers import Own, OwnNorm, quickened
from horae.training.models.mobilenet import MobileNetV2
from horae.training.models.resnet import Resnet18
from horae.training.models.shufflenet import ShuffleNetV2

pytestmark = pytest.mark.skipif(compiled() is None, reason="no C compiler")


def net():
    torch.manual_seed(0)
    parts = (nn.Conv2d(2, 6, 3, 2, 1), nn.GroupNorm(2, 6), nn.ReLU(), nn.Conv2d(6, 5, 3, padding=1, bias=False))
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3))


def slopes(module, x):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(module(x).square().sum(), [x, *module.parameters()])


@pytest.mark.parametrize("samples", [1, 3, 4, 9])
def test_answers_and_slopes_are_the_modules(samples):
    module = net()
    quick, x = quickened(module), torch.randn(samples, 2, 9, 7, generator=torch.Generator().manual_seed(1))
    assert [type(part) for part in quick if isinstance(part, nn.Conv2d)] == [Own, Own]
    np.testing.assert_allclose(quick(x).detach(), module(x).detach(), rtol=1e-4, atol=1e-5)
    for mine, theirs in zip(slopes(quick, x), slopes(module, x), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)


def test_a_resnet():
    torch.manual_seed(0)
    module, x = Resnet18("imagenet").build((1, 28, 28), 5), torch.randn(6, 1, 28, 28)
    quick = quickened(module)
    assert sum(type(part) is Own for part in quick.modules()) == 20
    assert sum(type(part) is OwnNorm for part in quick.modules()) == 20
    np.testing.assert_allclose(quick(x).detach(), module(x).detach(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("model", [MobileNetV2(), ShuffleNetV2()])
def test_planes_by_themselves(model):
    torch.manual_seed(0)
    module, x = model.build((1, 16, 16), 5), torch.randn(6, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    for mine, theirs in zip(slopes(quickened(module), x), slopes(module, x), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-3 * float(theirs.abs().max()))


def test_the_module_itself_is_left_as_it_was():
    module = net()
    quick = quickened(module)
    assert not any(type(part) is Own for part in module.modules())
    assert all(mine is theirs for mine, theirs in zip(quick.parameters(), module.parameters(), strict=True))


@pytest.mark.parametrize(
    "part",
    [
        nn.Conv2d(2, 2, 3, padding="same"), nn.Conv2d(2, 4, 3, groups=2), nn.Conv2d(2, 2, 3, dilation=2),
        nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect"), nn.Conv2d(2, 2, 1, padding=1), nn.Conv1d(2, 2, 3),
        nn.Sequential(nn.Conv2d(2, 2, 3), nn.Dropout(0.5)),
    ],
)  # fmt: skip
def test_what_it_does_not_know_is_torchs(part):
    assert quickened(part) is part


def test_a_trainer_tells_whose_convolutions_are_its(monkeypatch):
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net()

        def forward(self, x):
            return self.net(x) * 1.0

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 2, 9, 9)).astype(np.float32), rng.integers(0, 3, 30)
    of = Trainer(Odd(), Training(), x, y, 0)
    monkeypatch.setattr("horae.training.lean.kernels", lambda: False)
    monkeypatch.setattr("horae.training.lean_layers.kernels", lambda: False)
    bare = Trainer(Odd(), Training(), x, y, 0)
    assert (of.path_name, bare.path_name) == ("lean", "lean-torch")
    work = Work(of.initial_params, of.initial_buffers, np.arange(2), [np.arange(20), np.arange(20, 30)], 0)
    np.testing.assert_allclose(of.train(work).updates, bare.train(work).updates, rtol=1e-3, atol=1e-5)


def test_other_numbers_and_a_single_image_are_torchs():
    quick = quickened(net())
    double = copy.deepcopy(quick).double()
    assert double(torch.ones(5, 2, 9, 9, dtype=torch.float64)).dtype == torch.float64
    assert quick[0](torch.ones(2, 9, 9)).shape == (6, 5, 5)
