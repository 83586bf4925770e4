"""Compact modules: the same answers as the model with zeros, in fewer numbers."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from horae.errors import ConfigError
from horae.training import MODELS
from horae.training.anatomy import anatomy_of
from horae.training.compact import compacted
from horae.training.flops import forward_flops
from horae.training.layout import Layout

CASES = [
    ("mlp", {"hidden": (32, 16)}, (6,)),
    ("cnn", {}, (8, 8)),
    ("leaf-cnn", {"dense": 64}, (8, 8)),
    ("two-cnn", {"dense": 64}, (8, 8)),
    ("autoflip-cnn", {"dense": 64}, (8, 8)),
    ("resnet18", {"stem": "cifar", "groups": 2}, (3, 8, 8)),
    ("resnet18", {"stem": "cifar", "norm": "batch"}, (3, 8, 8)),
    ("resnet34", {"stem": "cifar", "groups": 2}, (8, 8)),
    ("mobilenetv2", {"width": 0.5, "groups": 4}, (3, 16, 16)),
    ("mobilenetv2", {"width": 0.5, "norm": "batch"}, (16, 16)),
    ("shufflenetv2", {"width": 0.5, "norm": "batch"}, (3, 16, 16)),
]
LEAST = {"mlp": 2, "cnn": 2, "resnet18": 12, "resnet34": 20, "mobilenetv2": 25, "shufflenetv2": 18}  # groups; else 3


@pytest.fixture(autouse=True)
def one_thread():
    """As a trainer has: two threads that wait for a busy machine are slower than one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def half(anatomy, rng):
    """Random units, one of each group at least."""
    units = rng.random(anatomy.n_units) < 0.5
    units[list(anatomy.first)] = True
    return units


def masked(module, keep):
    """The module with zeros where `keep` says so."""
    module, params = copy.deepcopy(module), Layout.of_params(module)
    named, views = dict(module.named_parameters()), params.views(torch.from_numpy(params.flatten(module) * keep))
    with torch.no_grad():
        for name, view in views.items():
            named[name].copy_(view)
    return module


def unlike_new(module, rng):
    """Norms that scale and shift, and statistics that are not 0 and 1."""
    with torch.no_grad():
        for tensor in [*module.parameters(), *module.buffers()]:
            if tensor.is_floating_point() and tensor.ndim == 1:
                tensor += torch.from_numpy(rng.uniform(0, 0.2, len(tensor)).astype(np.float32))
    return module


@pytest.mark.parametrize(("name", "fields", "shape"), CASES)
def test_zero_masked_and_compact_models_agree(name, fields, shape, monkeypatch):
    monkeypatch.setattr("horae.training.models.resnet.WIDTHS", (8, 16, 32, 64))
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    module = unlike_new(MODELS[name](**fields).build(shape, 10), rng).eval()
    anatomy = anatomy_of(module, torch.zeros(1, *shape))
    assert len(anatomy.groups) == LEAST.get(name, 3)
    x, params, buffers = torch.randn(4, *shape), Layout.of_params(module), Layout.of_buffers(module)
    for _ in range(2):
        units = half(anatomy, rng)
        small, keep = compacted(module, anatomy, units), anatomy.living(units)
        np.testing.assert_array_equal(Layout.of_params(small).flatten(small), params.flatten(module)[keep])
        held = Layout.of_buffers(small).flatten(small)
        np.testing.assert_array_equal(held, buffers.flatten(module)[anatomy.living_buffers(units)])
        with torch.no_grad():
            whole, less = masked(module, keep)(x), small(x)
        bound = 1e-5 * max(1.0, float(whole.abs().max()))
        torch.testing.assert_close(less, whole, atol=bound, rtol=0)
        assert (whole - module(x)).abs().max() > 100 * bound, "what went had something to say"


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_compact_and_expanded_is_what_it_was(seed):
    module, rng = MODELS["mlp"](hidden=(5, 4)).build((3,), 2), np.random.default_rng(seed)
    anatomy = anatomy_of(module, torch.zeros(1, 3))
    units = half(anatomy, rng)
    keep, vector = anatomy.living(units), rng.normal(size=anatomy.n_params).astype(np.float32)
    small = compacted(masked(module, keep), anatomy, units)
    layout = Layout.of_params(small)
    assert layout.size == keep.sum()
    back = np.zeros_like(vector)
    back[keep] = np.concatenate([v.reshape(-1) for v in layout.views(torch.from_numpy(vector[keep])).values()])
    np.testing.assert_array_equal(back, np.where(keep, vector, 0))


def test_layers_say_their_new_widths():
    module = nn.Sequential(
        nn.Conv2d(1, 4, 1, bias=False), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1, groups=4), nn.GroupNorm(2, 4),
        nn.Flatten(), nn.Linear(4, 2),
    )  # fmt: skip
    anatomy = anatomy_of(module, torch.zeros(1, 1, 1, 1))
    assert [group.n for group in anatomy.groups] == [2]
    small = compacted(module, anatomy, np.array([False, True]))
    first, norm, apart, by_group, _, last = small
    assert (first.out_channels, norm.num_features, last.in_features) == (2, 2, 2)
    assert (apart.in_channels, apart.out_channels, apart.groups) == (2, 2, 2)
    assert (by_group.num_groups, by_group.num_channels) == (1, 2)
    assert torch.equal(first.weight, module[0].weight[2:])


@pytest.mark.parametrize(
    ("kept", "params", "flops", "within"),
    [
        # 22, 44 and 358 of 32, 64 and 512 are left: int(0.7 n), as torch-pruning leaves them
        (
            lambda n: int(n * 0.7),
            22 * 76 + 44 * 551 + 358 * 2157 + 3590,
            2 * (22 * 75 * 484 + 44 * 550 * 100 + 775428),
            0.02,
        ),
        # 23, 45 and 359 are left: int(0.3 n) are lost
        (lambda n: n - int(n * 0.3), 823_222, 8_435_170, 0.025),
    ],
)
def test_structured_pruning_by_three_tenths(kept, params, flops, within):
    """Fact 7 of notes/autoflip.md: 0.48 of the parameters, 0.51 of the FLOPs, within 0.02 (the first rounding)."""
    module, sample = MODELS["autoflip-cnn"]().build((3, 24, 24), 10), torch.zeros(1, 3, 24, 24)
    anatomy = anatomy_of(module, sample)
    units = np.zeros(anatomy.n_units, bool)
    for first, group in zip(anatomy.first, anatomy.groups, strict=True):
        units[first : first + kept(group.n)] = True
    small = compacted(module, anatomy, units)
    assert (anatomy.n_params, forward_flops(module, sample)) == (1_664_970, 15_784_704)
    assert Layout.of_params(small).size == np.count_nonzero(anatomy.living(units)) == params
    assert forward_flops(small, sample) == flops
    assert params / anatomy.n_params == pytest.approx(0.48, abs=0.02)
    assert flops / 15_784_704 == pytest.approx(0.51, abs=within)


@pytest.mark.parametrize(
    ("model", "units", "says"),
    [
        ("mlp", np.zeros(4, bool), "units should leave layer 1 one of its 4 units, got 0; prune less"),
        ("mlp", np.ones(3, bool), "units should be 4, the model's, got 3"),
        ("logistic", np.ones(3, bool), "units should be None for this model, whose layers keep their width, got 3; "),
    ],
)
def test_units_that_leave_no_model_are_refused_in_one_line(model, units, says):
    module = MODELS[model](**({"hidden": (4,)} if model == "mlp" else {})).build((3,), 2)
    with pytest.raises(ConfigError, match=f"^{says}"):
        compacted(module, anatomy_of(module, torch.zeros(1, 3)), units)
