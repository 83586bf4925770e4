"""Where each tensor lies in the flat vector."""

import numpy as np
import pytest
import torch
from torch import nn

from horae.errors import ConfigError
from horae.training.layout import Layout


def small() -> nn.Module:
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    with torch.no_grad():
        for number, tensor in enumerate([*module.parameters(), module[1].running_mean, module[1].running_var]):
            tensor.fill_(number)
    return module


def test_params_in_order():
    layout = Layout.of_params(small())
    assert layout.names == ("0.weight", "0.bias", "1.weight", "1.bias")
    assert layout.size == 6 + 3 + 3 + 3
    assert layout.flatten(small()).tolist() == [0.0] * 6 + [1.0] * 3 + [2.0] * 3 + [3.0] * 3


def test_buffers_without_their_counters():
    layout = Layout.of_buffers(small())
    assert layout.names == ("1.running_mean", "1.running_var")
    assert layout.flatten(small()).tolist() == [4.0] * 3 + [5.0] * 3


def test_frozen_parameters_stay_in_the_module():
    module = small()
    module[0].requires_grad_(False)
    assert Layout.of_params(module).names == ("1.weight", "1.bias")


def test_views_share_memory_for_one_model_and_for_many():
    layout = Layout.of_params(small())
    one, many = torch.zeros(layout.size), torch.zeros(4, layout.size)
    layout.views(one)["0.bias"].fill_(7)
    layout.views(many)["0.weight"][2].fill_(8)
    assert one[6:9].tolist() == [7.0] * 3 and one.sum() == 21
    assert many[2, :6].tolist() == [8.0] * 6 and many.sum() == 48


def test_nothing_to_lay_out():
    empty = Layout.of_buffers(nn.Linear(2, 2))
    assert empty.size == 0 and empty.flatten(nn.Linear(2, 2)).dtype == np.float32


def test_other_floats_are_refused():
    with pytest.raises(
        ConfigError, match=r"the model's weight should be float32, got torch.float64; call module.float"
    ):
        Layout.of_params(nn.Linear(2, 2).double())
