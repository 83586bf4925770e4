"""Channels last: for networks that pool often, and for no other."""

import pytest
import torch
from torch import nn

from horae.training.images import prefer_channels_last


def conv(planes=3, width=4):
    return nn.Conv2d(planes, width, 3, padding=1)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([conv(), nn.MaxPool2d(2)], True),
        ([conv(), *[conv(4)] * 3, nn.MaxPool2d(2)], True),  # the same module three times is one
        ([conv(), conv(4), conv(4), conv(4), conv(4), nn.MaxPool2d(2)], False),  # a residual network's share
        ([conv(), nn.AvgPool2d(2)], False),
        ([conv(), nn.MaxPool2d(2), nn.Dropout(0.5)], False),
        ([conv(), nn.MaxPool2d(2), nn.Dropout2d(0.5)], True),  # whole channels: no order to depend on
        ([nn.Flatten(), nn.Linear(4, 2)], False),
        ([nn.MaxPool2d(2)], False),
    ],
)
def test_who_prefers_it(layers, expected):
    assert prefer_channels_last(nn.Sequential(*layers)) is expected


@pytest.mark.parametrize("planes", [1, 3])
def test_images_are_turned_and_stay_what_they_are(planes):
    torch.manual_seed(0)
    module, x = nn.Sequential(conv(planes), nn.MaxPool2d(2)), torch.randn(5, planes, 6, 6)
    before = module(x)
    assert before.is_contiguous()
    prefer_channels_last(module)
    after = module(x)
    assert after.is_contiguous(memory_format=torch.channels_last) and not after.is_contiguous()
    torch.testing.assert_close(before, after)


def test_a_convolution_that_is_given_one_image_is_let_be():
    module = nn.Sequential(conv(), nn.MaxPool2d(2))
    x = torch.randn(3, 6, 6)
    before = module(x)
    prefer_channels_last(module)
    assert torch.equal(before, module(x))
