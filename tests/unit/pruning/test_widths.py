"""Narrower models: which units stay, what becomes of their weights, and who trains which."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_autoflip import outcome
from test_baselines import FIVE
from test_common import PERCEPTRON, living

from horae.errors import ConfigError
from horae.pruning import HeteroFL, Slim
from horae.pruning.slim import nearest_width, rescaled
from horae.pruning.widths import first_units
from horae.pure.anatomy import Anatomy, Group, Slab, Tensor
from horae.pure.packing import pack, unpack
from horae.types import Capacity, Layers, Speeds

NONE = np.zeros(0, np.float32)

# A perceptron 2 -> 4 -> 4 -> 3, its parameters in order: 8 + 4, 16 + 4, 12 + 3 = 47; 24 are prunable.
DEEP = Anatomy(
    (
        Tensor("1.weight", (4, 2), 0, "weight"),
        Tensor("1.bias", (4,), 8, "bias"),
        Tensor("3.weight", (4, 4), 12, "weight"),
        Tensor("3.bias", (4,), 28, "bias"),
        Tensor("5.weight", (3, 4), 32, "classifier"),
        Tensor("5.bias", (3,), 44, "bias"),
    ),
    (),
    (
        Group("1", 4, (Slab(0, 0, np.arange(4)), Slab(1, 0, np.arange(4)), Slab(2, 1, np.arange(4)))),
        Group("3", 4, (Slab(2, 0, np.arange(4)), Slab(3, 0, np.arange(4)), Slab(4, 1, np.arange(4)))),
    ),
)
LEFT = {0.25: 11, 0.5: 21, 0.75: 33, 1.0: 47}  # w units each: 2 w + w + w² + w + 3 w + 3


def answers(anatomy, ms=()):
    """Layers and speeds; `ms`: of all clients there are."""

    def ask(work, *, charge=True):
        if isinstance(work, Layers):
            return anatomy
        assert isinstance(work, Speeds) and not charge
        found = np.asarray(ms, float) if work.clients is None else np.asarray(ms, float)[work.clients]
        return Capacity(found, np.ones(found.size))

    return ask


def test_the_first_units_of_every_group_are_left():
    assert living(first_units(DEEP, 0.5)) == [0, 1, 4, 5]
    assert living(first_units(DEEP, 0.51)) == [0, 1, 2, 4, 5, 6]
    assert living(first_units(DEEP, 0.0)) == [0, 4]
    wide = Anatomy((), (), (Group("wide", 25, ()),))
    assert first_units(wide, 7 / 25).sum() == 7  # 7.000000000000001 of binary fractions is no eighth unit
    assert living(first_units(PERCEPTRON, 0.34)) == [0, 1]
    for width, n in LEFT.items():
        assert DEEP.living(first_units(DEEP, width)).sum() == n


@pytest.mark.parametrize(
    ("target", "width"), [(47, 1.0), (41, 1.0), (40, 0.75), (28, 0.75), (27, 0.5), (16, 0.25), (1, 0.25)]
)
def test_the_nearest_width(target, width):
    assert nearest_width(DEEP, target) == width


@given(st.integers(1, 47))
def test_no_width_is_nearer(target):
    found = abs(LEFT[nearest_width(DEEP, target)] - target)
    assert found == min(abs(n - target) for n in LEFT.values())


def test_a_slim_model_has_the_bytes_of_a_pruned_one_and_weights_as_if_drawn_for_it():
    # 3/5 of 24 weights: 14 go, 33 are left, which is width 3/4. Fan-ins: 2 as before, 3 of 4, 3 of 4.
    slim, params = Slim(threshold=0.6), np.ones(47, np.float32)
    begun, state = slim.begin(params, NONE, 0, answers(DEEP))
    assert (state.width, state.submodel.kept) == (0.75, 33)
    np.testing.assert_array_equal(params, np.ones(47))  # the first model stays as it was
    scale = np.sqrt(4 / 3)
    first, second, last = begun[:8].reshape(4, 2), begun[12:28].reshape(4, 4), begun[32:44].reshape(3, 4)
    np.testing.assert_array_equal(first, [[1, 1], [1, 1], [1, 1], [0, 0]])
    np.testing.assert_allclose(second[:3, :3], np.full((3, 3), scale), rtol=1e-6)
    np.testing.assert_allclose(last[:, :3], np.full((3, 3), scale), rtol=1e-6)
    np.testing.assert_allclose(begun[28:31], scale, rtol=1e-6)
    np.testing.assert_array_equal(begun[8:12], [1, 1, 1, 0])
    assert np.count_nonzero(begun) == 33
    later, after = slim.learn(unpack(pack(state)), begun + 1, outcome(0), None, frozen=False)
    np.testing.assert_array_equal(later[state.submodel.keep], begun[state.submodel.keep] + 1)
    assert not later[~state.submodel.keep].any() and after.width == 0.75
    (held,) = slim.plan(state, 0, np.arange(3), None).submodels
    assert held is state.submodel


def test_a_whole_model_is_not_rescaled():
    params = np.linspace(-1, 1, 47, dtype=np.float32)
    np.testing.assert_array_equal(rescaled(DEEP, params, np.ones(47, bool)), params)
    begun, state = Slim(threshold=0.0).begin(params, NONE, 0, None)
    assert begun is params and state is None and Slim().plan(None, 0, np.arange(2), None) is None


def test_slower_devices_train_slices():
    ms = np.array([50.0, 10, 40, 20, 30, 60, 70, 80, 90, 100])
    hetero = HeteroFL(levels=(1.0, 0.5, 0.25), shares=(0.3, 0.3, 0.4))
    params = np.ones(47, np.float32)
    begun, state = hetero.begin(params, NONE, 0, answers(DEEP, ms))
    assert begun is params
    held = hetero.plan(unpack(pack(state)), 5, np.array([0, 1, 2, 4, 9]), answers(DEEP, ms))
    assert held.which.tolist() == [1, 0, 1, 0, 2]
    assert [s.kept for s in held.submodels] == [47, 21, 11]
    whole = hetero.plan(state, 0, np.arange(10), answers(DEEP, ms))
    assert np.bincount(whole.which).tolist() == [3, 3, 4]  # the shares
    later, after = hetero.learn(state, params, outcome(0), None, frozen=False)
    assert later is params and after is state


def test_slices_are_nested_and_averaged_over_their_holders():
    hetero = HeteroFL()
    _, state = hetero.begin(np.ones(47, np.float32), NONE, 0, answers(DEEP, np.arange(1.0, 11)))
    whole, half, quarter = (s.keep for s in state.submodels)
    assert whole.all() and (half | quarter).sum() == half.sum()
    held = hetero.plan(state, 0, np.array([0, 9]), answers(DEEP, np.arange(1.0, 11)))
    mass = held.mass(np.array([0.25, 0.75]))
    np.testing.assert_allclose(mass[quarter], 1.0)
    np.testing.assert_allclose(mass[~quarter], 0.25)


def test_where_all_are_equally_fast_all_train_everything():
    same = answers(DEEP, np.full(10, 7.0))
    hetero = HeteroFL()
    _, state = hetero.begin(np.ones(47, np.float32), NONE, 0, same)
    assert hetero.plan(state, 0, np.arange(10), same).which.tolist() == [0] * 10


def test_a_share_is_the_least_that_a_level_has():
    ask, two = answers(DEEP, [3.0, 1.0, 2.0]), HeteroFL(levels=(1.0, 0.5), shares=(0.4, 0.6))
    _, state = two.begin(np.ones(47, np.float32), NONE, 0, ask)
    assert two.plan(state, 0, np.arange(3), ask).which.tolist() == [1, 0, 0]


def test_a_level_alone_is_even():
    assert HeteroFL().uneven and not HeteroFL(levels=(1.0,), shares=(1.0,)).uneven


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"levels": ()}, "levels"),
        ({"levels": (0.5, 0.25), "shares": (0.5, 0.5)}, "levels"),
        ({"levels": (1.0, 1.0), "shares": (0.5, 0.5)}, "levels"),
        ({"levels": (1.0, 0.0), "shares": (0.5, 0.5)}, "levels"),
        ({"levels": (1.0, 0.5)}, "shares"),
        ({"shares": (0.5, 0.5, 0.5)}, "shares"),
        ({"shares": (1.0, 0.0, 0.0)}, "shares"),
    ],
)
def test_levels_and_shares_that_cannot_be_are_refused(fields, field):
    with pytest.raises(ConfigError, match=rf"pruning\.{field} should"):
        HeteroFL(**fields)


@pytest.mark.parametrize(("pruning", "name"), [(Slim(), "slim"), (HeteroFL(), "heterofl")])
def test_models_without_units_are_refused_by_name(pruning, name):
    pruning.fits(DEEP)
    with pytest.raises(ConfigError, match=rf"pruning\.name = '{name}'"):
        pruning.fits(FIVE)
    with pytest.raises(ConfigError, match=rf"pruning\.name = '{name}'"):
        pruning.begin(np.ones(7, np.float32), NONE, 0, answers(FIVE, np.ones(3)))
