"""Anatomies: which numbers are whose, worked out by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from horae.pure.anatomy import Group
from horae.training import MODELS
from horae.training.anatomy import anatomy_of
from horae.training.dependencies import dependent_groups
from horae.training.flops import flops_by_tensor, forward_flops
from horae.training.layout import Layout

WHOLE = {"sparse-logistic", "char-lstm", "albert"}
FOREIGN = {"module", "torchvision", "timm"}


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """Residual networks of an eighth of their width; one thread, as a trainer has."""
    monkeypatch.setattr("horae.training.models.resnet.WIDTHS", (8, 16, 32, 64))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def living(module, shape, dropped):
    """What is left, tensor by tensor, as lists of 0 and 1 in the tensors' shapes."""
    anatomy = anatomy_of(module, torch.zeros(1, *shape))
    units = np.ones(anatomy.n_units, bool)
    units[dropped] = False
    alive = anatomy.living(units).astype(int)
    return anatomy, [alive[t.part].reshape(t.shape).tolist() for t in anatomy.tensors]


def test_a_neuron_owns_a_row_a_bias_and_a_column():
    module = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 4))
    anatomy, left = living(module, (3,), [1])
    assert [(group.name, group.n) for group in anatomy.groups] == [("0", 2)]
    assert left == [[[1, 1, 1], [0, 0, 0]], [1, 0], [[1, 0]] * 4, [1] * 4]
    assert [t.kind for t in anatomy.tensors] == ["weight", "bias", "classifier", "bias"]
    assert [t.flops for t in anatomy.tensors] == [12, 0, 16, 0]
    assert [t.start for t in anatomy.tensors] == [0, 6, 8, 16]


def test_a_unit_before_a_groupnorm_is_a_group_of_channels_and_their_columns():
    """Four channels in two groups, of 2x2 pixels: a unit has two kernels, two of all else, eight columns."""
    module = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))
    anatomy, left = living(module, (1, 2, 2), [0])
    assert [group.n for group in anatomy.groups] == [2]
    kernels, bias, scale, shift, columns, last = left
    assert np.array(kernels).reshape(4, 9).tolist() == [[0] * 9] * 2 + [[1] * 9] * 2
    assert bias == scale == shift == [0, 0, 1, 1]
    assert columns == [[0] * 8 + [1] * 8] * 3
    assert last == [1, 1, 1]
    assert [t.kind for t in anatomy.tensors] == ["weight", "bias", "norm", "norm", "classifier", "bias"]
    # nine taps at each of four pixels of four channels, and 16 times 3, two for a multiply-add
    assert [t.flops for t in anatomy.tensors] == [2 * 9 * 4 * 4, 0, 0, 0, 2 * 48, 0]


def test_running_statistics_go_with_their_channel():
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2))
    anatomy, left = living(module, (2,), [2])
    assert left == [[[1, 1], [1, 1], [0, 0]], [1, 1, 0], [1, 1, 0], [1, 1, 0], [[1, 1, 0]] * 2, [1, 1]]
    assert [t.name for t in anatomy.buffers] == ["1.running_mean", "1.running_var"]
    assert anatomy.living_buffers(np.array([True, True, False])).tolist() == [True, True, False] * 2
    assert anatomy.worth(np.ones(anatomy.n_params)).tolist() == [2 + 1 + 1 + 1 + 2] * 3


class Around(nn.Module):
    """A shortcut: what is added must lose the same channels."""

    def __init__(self):
        super().__init__()
        self.first, self.inner, self.last = nn.Linear(2, 3), nn.Linear(3, 3), nn.Linear(3, 2)

    def forward(self, x):
        state = self.first(x)
        return self.last(state + torch.relu(self.inner(state)))


def test_what_is_added_loses_the_same_channels():
    anatomy, left = living(Around(), (2,), [1])
    assert [(group.name, group.n) for group in anatomy.groups] == [("first", 3)]
    assert left[0] == [[1, 1], [0, 0], [1, 1]]
    assert left[2] == [[1, 0, 1], [0, 0, 0], [1, 0, 1]]  # a row and a column, which cross
    assert left[4] == [[1, 0, 1]] * 2


def test_a_depthwise_convolution_loses_its_channel():
    module = nn.Sequential(
        nn.Conv2d(1, 3, 1), nn.Conv2d(3, 3, 3, padding=1, groups=3), nn.Flatten(), nn.Linear(3 * 4, 2)
    )
    anatomy, left = living(module, (1, 2, 2), [0])
    assert [group.n for group in anatomy.groups] == [3]
    assert np.array(left[2]).reshape(3, 9).tolist() == [[0] * 9, [1] * 9, [1] * 9]
    assert left[4] == [[0] * 4 + [1] * 8] * 2


class Shared(nn.Module):
    """One layer, used twice."""

    def __init__(self):
        super().__init__()
        self.layer, self.last = nn.Linear(3, 3), nn.Linear(3, 2)

    def forward(self, x):
        return self.last(self.layer(torch.relu(self.layer(x))))


class Fixed(nn.Module):
    """Counts on its width."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x):
        return self.last(self.first(x).reshape(-1, 2, 2).flatten(1))


class Scaled(nn.Module):
    """A parameter outside any layer."""

    def __init__(self):
        super().__init__()
        self.first, self.last, self.scale = nn.Linear(3, 4), nn.Linear(4, 2), nn.Parameter(torch.full((4,), 2.0))

    def forward(self, x):
        return self.last(self.first(x) * self.scale)


def tied():
    module = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2))
    module[2].weight = module[0].weight
    return module


def frozen():
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    module[0].weight.requires_grad_(False)
    return module


def between(*layers):
    return nn.Sequential(nn.Linear(3, 4), *layers, nn.Linear(4, 2))


@pytest.mark.parametrize(
    "module",
    [
        between(nn.LayerNorm(4)),
        between(nn.GroupNorm(1, 4)),  # one unit is none
        between(nn.GroupNorm(2, 4, affine=False)),
        between(nn.PReLU(4)),
        between(nn.Softmax(1)),  # zeros have a share: the trial finds out
        between(nn.Unflatten(1, (2, 2)), nn.Flatten()),
        between(nn.Unflatten(1, (4, 1)), nn.Conv1d(4, 4, 1, groups=2), nn.Flatten()),
        Shared(), Fixed(), Scaled(), tied(), frozen(),
        nn.Sequential(nn.Linear(3, 2), nn.ReLU()),  # the answer keeps its width
    ],
)  # fmt: skip
def test_what_cannot_be_taken_out_faithfully_is_left_alone(module):
    anatomy = anatomy_of(module, torch.zeros(1, 3))
    for group in anatomy.groups:  # at most a unit elsewhere
        assert group.name not in {"0", "first", "layer"}
    assert anatomy.n_params == Layout.of_params(module).size


def test_a_group_that_fails_its_trial_costs_the_others_nothing():
    module = nn.Sequential(nn.Linear(3, 4), nn.Softmax(1), nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2))
    found = dependent_groups(module, torch.zeros(1, 3), "4.weight")
    assert [group.name for group in found] == ["0", "2"]
    assert [group.name for group in anatomy_of(module, torch.zeros(1, 3)).groups] == ["2"]


@pytest.mark.parametrize("name", [name for name in MODELS if name not in FOREIGN])
def test_the_tensors_flops_are_the_models(name):
    shape, fields = (
        ((12,) if name in WHOLE else (3, 16, 16)),
        {"stem": "cifar", "groups": 2} if "resnet" in name else {},
    )
    module = MODELS[name](**fields).build(shape, 10)
    sample = torch.zeros(1, *shape, dtype=torch.int64 if name in WHOLE else torch.float32)
    total, found = forward_flops(module, sample), sum(flops_by_tensor(module, sample).values())
    # Q K^T and its product with V: four layers of two, 12 by 12 places and 128 numbers. sparse-logistic only gathers.
    apart = {"albert": 4 * 2 * 2 * 12 * 12 * 128, "sparse-logistic": 2 * 12 * 10}.get(name, 0)
    assert total - found == apart


@pytest.mark.parametrize(
    ("name", "classifier"), [("char-lstm", "head.weight"), ("albert", "encoder.words.weight"), ("sparse-logistic", "")]
)
def test_models_of_tokens_have_tensors_but_no_units(name, classifier):
    module = MODELS[name]().build((12,), 10)
    anatomy = anatomy_of(module, torch.zeros(1, 12, dtype=torch.int64))
    assert anatomy.groups == ()
    assert [t.name for t in anatomy.tensors if t.kind == "classifier"] == [classifier] * bool(classifier)
    assert {"weight"} <= {t.kind for t in anatomy.tensors}


def test_the_only_weight_can_be_pruned():
    anatomy = anatomy_of(MODELS["logistic"]().build((4,), 3), torch.zeros(1, 4))
    assert [t.kind for t in anatomy.tensors] == ["weight", "bias"]


def test_the_module_stays_as_it_was():
    module = MODELS["resnet18"](stem="cifar", norm="batch").build((8, 8), 3).train()
    layout, held = Layout.of_params(module), Layout.of_buffers(module)
    before = layout.flatten(module), held.flatten(module)
    anatomy = anatomy_of(module, torch.zeros(1, 8, 8))
    assert len(anatomy.groups) == 12 and all(isinstance(group, Group) for group in anatomy.groups)
    assert module.training and all(not part._forward_hooks for part in module.modules())
    np.testing.assert_array_equal(before[0], layout.flatten(module))
    np.testing.assert_array_equal(before[1], held.flatten(module))
