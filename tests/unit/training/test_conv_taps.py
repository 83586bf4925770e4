"""Taps that only ever see padding: found by hand, left out, and moved by weight decay alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from horae.training import Trainer, Training, Work
from horae.training.conv_taps import Taps, _living
from horae.training.models.resnet import Resnet18
from horae.training.reference import train_one
from horae.types import Correction

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 1, 4, 4)).astype(np.float32)
Y = RNG.integers(0, 3, 40)


class Net(nn.Module):
    """4x4, then 2x2, then one pixel: the last kernel's middle is all that meets a number."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two, self.three = nn.Conv2d(1, 3, 3, 2, 1), nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 5, 3, 1, 1)
        self.last = nn.Linear(5, 3)

    def forward(self, x):
        return self.last(torch.tanh(self.three(torch.tanh(self.two(torch.tanh(self.one(x)))))).flatten(1))


def trainer(training, taps=True):
    of = Trainer(Net(), training, X, Y, 0)
    assert of.path_name == "lean"
    of._shaped.whole = replace(of._path, taps=taps)
    return of


def work(of, **more):
    rng = np.random.default_rng(1)
    rows = [rng.integers(0, 40, n) for n in (7, 0, 30)]
    return replace(Work(of.initial_params, of.initial_buffers, np.arange(3), rows, 0), **more)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation", "size", "expected"),
    [
        (3, 1, 1, 1, 1, slice(1, 2)),  # one pixel: -1, 0, 1
        (3, 2, 1, 1, 2, slice(1, 3)),  # two pixels, one step: -1, 0, 1
        (3, 2, 1, 1, 4, slice(0, 3)),  # -1, 0, 1 and 1, 2, 3
        (7, 2, 3, 1, 2, slice(3, 5)),  # -3 to 3: only 0 and 1 are there
        (3, 1, 2, 2, 1, slice(1, 2)),  # -2, 0, 2
        (5, 1, 2, 1, 2, slice(1, 4)),  # -2 to 2 and -1 to 3: the second starts at the second tap
        (3, 1, 3, 1, 1, slice(0, 3)),  # five answers, the first of padding alone: it must stay
        (1, 1, 0, 1, 1, slice(0, 1)),
    ],
)
def test_living_taps_by_hand(kernel, stride, padding, dilation, size, expected):
    conv = nn.Conv2d(1, 1, kernel, stride, padding, dilation)
    assert _living(conv, 0, {(size, 9)}) == expected
    assert _living(conv, 1, {(9, size)}) == expected


def test_what_lives_in_any_map_lives():
    assert _living(nn.Conv2d(1, 1, 3, 1, 1), 0, {(1, 1), (2, 2)}) == slice(0, 3)


def test_the_smaller_module_answers_alike():
    net = Net()
    taps = Taps.of(net, torch.zeros(1, 1, 4, 4))
    assert taps.spans == {"two.weight": (slice(1, 3), slice(1, 3)), "three.weight": (slice(1, 2), slice(1, 2))}
    assert taps.live.size == taps.whole.size - 12 * 5 - 20 * 8
    assert Taps.of(net, torch.zeros(1, 1, 16, 16)) is None  # every tap meets a number; and the last layer refuses


def test_a_resnet_of_small_images_loses_most_of_its_last_stage():
    taps = Taps.of(Resnet18().build((28, 28), 62), torch.zeros(1, 28, 28))
    # 512-wide kernels on one pixel: three keep 1 tap of 9, the one that steps from 2x2 keeps 4
    assert taps.whole.size - taps.live.size == 3 * 8 * 512 * 512 + 5 * 256 * 512
    assert Taps.of(Resnet18().build((64, 64), 62), torch.zeros(1, 64, 64)) is None


def test_a_vector_is_cropped_and_spread_again():
    taps = Taps.of(Net(), torch.zeros(1, 1, 4, 4))
    whole = torch.arange(float(taps.whole.size))
    own, again = taps.crop(whole), torch.zeros(taps.whole.size)
    taps.spread(own, again)
    assert len(own) == taps.live.size
    assert ((again == whole) | (again == 0)).all() and (again > 0).sum() == taps.live.size - 1  # the first is 0


TRAININGS = [
    Training(),
    Training(momentum=0.9, weight_decay=0.1),
    Training(optimizer="adam", lr=0.01, weight_decay=0.1),
]


@pytest.mark.parametrize("training", TRAININGS)
@pytest.mark.parametrize("bent", [False, True])
def test_lean_trains_them_as_their_twin_does(training, bent):
    of, full = trainer(training), trainer(training, taps=False)
    rng = np.random.default_rng(2)
    more = {}
    if bent:
        drift = rng.normal(scale=0.1, size=(3, of.n_params)).astype(np.float32)
        more = {"correction": Correction(0.2, drift), "keep": rng.random(of.n_params) < 0.7}
    job = work(of, **more)
    done, other = of.train(job), full.train(job)
    assert of._shaped.whole._living is not None and full._shaped.whole._living is None
    np.testing.assert_allclose(done.updates, other.updates, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(done.losses, other.losses, rtol=1e-5)
    for row in range(3):
        twin = train_one(Net(), training, job, row, X, Y, 0)
        np.testing.assert_allclose(done.updates[row], twin.updates[0], rtol=1e-3, atol=1e-4)


def test_modules_that_look_at_their_kernels_are_left_alone():
    class Odd(Net):
        def forward(self, x):
            return super().forward(x) + self.three.weight.sum()

    class Shared(Net):
        def __init__(self):
            super().__init__()
            self.again = nn.Conv2d(4, 5, 3, 1, 1)
            self.again.weight = self.three.weight

    assert Taps.of(Odd(), torch.zeros(1, 1, 4, 4)) is None
    assert "three.weight" not in Taps.of(Shared(), torch.zeros(1, 1, 4, 4)).spans
