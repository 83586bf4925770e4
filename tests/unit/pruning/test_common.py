"""Exact numbers of weights by scores: worked by hand, and for any scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from horae.errors import ConfigError
from horae.pruning.common import exact_mask, floor_of, living_units, masked, normalised, prunable, smallest
from horae.pruning.guidance import Guidance
from horae.pure.anatomy import Anatomy, Group, Slab, Tensor

# A perceptron 2 -> 3 -> 2: weights 0-5, biases 6-8, classifier 9-14, its biases 15-16. A neuron owns a row, a bias and
# a column of the classifier.
NEURONS = Group("hidden", 3, (Slab(0, 0, np.arange(3)), Slab(1, 0, np.arange(3)), Slab(2, 1, np.arange(3))))
PERCEPTRON = Anatomy(
    (
        Tensor("hidden.weight", (3, 2), 0, "weight", 12),
        Tensor("hidden.bias", (3,), 6, "bias"),
        Tensor("out.weight", (2, 3), 9, "classifier", 12),
        Tensor("out.bias", (2,), 15, "bias"),
    ),
    (),
    (NEURONS,),
)
TWO = Anatomy((Tensor("a", (4,), 0), Tensor("b", (6,), 4)))


def living(mask):
    return np.flatnonzero(mask).tolist()


def test_weights_are_prunable_and_nothing_else():
    assert living(prunable(PERCEPTRON)) == [0, 1, 2, 3, 4, 5]


def test_of_equal_scores_the_lower_index_goes():
    every = np.ones(5, bool)
    assert living(smallest(np.array([2.0, 1, 1, 1, 0]), 3, every)) == [1, 2, 4]
    assert living(smallest(np.zeros(5), 2, np.array([0, 1, 0, 1, 1], bool))) == [1, 3]
    assert living(smallest(np.zeros(5), 9, every)) == [0, 1, 2, 3, 4]
    assert living(smallest(np.zeros(5), 0, every)) == []


def test_floors_keep_the_best_of_each_tensor():
    scores = np.array([0.0, 0.1, 0.2, 0.3, 5, 6, 7, 8, 9, 10])
    every = np.ones(10, bool)
    assert living(exact_mask(TWO, scores, 4, 0.0, every)) == [4, 5, 6, 7, 8, 9]
    assert living(exact_mask(TWO, scores, 4, 0.25, every)) == [3, 5, 6, 7, 8, 9]  # one of `a` stays, the best
    assert living(exact_mask(TWO, scores, 9, 0.25, every)) == [3, 8, 9]  # and two of `b`: fewer go than asked for


def test_floor_of_is_exact_where_binary_fractions_are_not():
    assert [floor_of(0.29, 100), floor_of(0.7, 10), floor_of(0.3, 17_280), floor_of(1 / 3, 9)] == [29, 7, 5184, 3]


def test_units_go_by_what_their_weights_are_worth():
    scores = np.zeros(17)
    scores[:6] = [3, 3, 1, 0, 1, 1]  # neurons: 6, 1, 2
    assert living_units(PERCEPTRON, scores, 0.33).tolist() == [True, False, True]  # ⌊2.01⌋ stay
    assert living_units(PERCEPTRON, scores, 0.34).tolist() == [True, False, False]  # ⌊1.98⌋
    assert living_units(PERCEPTRON, scores, 0.9).tolist() == [True, False, False]  # one always
    assert living_units(PERCEPTRON, scores, 0.0).tolist() == [True, True, True]
    assert living(PERCEPTRON.living(np.array([True, False, True]))) == [0, 1, 4, 5, 6, 8, 9, 11, 12, 14, 15, 16]


def test_whole_units_go_first_and_single_weights_make_up_the_number():
    scores = np.zeros(17)
    scores[:6] = [3, 4, 1, 0, 1, 2]
    whole = masked(PERCEPTRON, scores, 0.5, structured=0.33)  # three of six go: neuron 1 has two of them, then weight 4
    assert living(whole.keep) == [0, 1, 5, 6, 8, 9, 11, 12, 14, 15, 16]
    assert PERCEPTRON.alive(whole.keep).tolist() == [True, False, True]
    more = masked(PERCEPTRON, scores, 0.1, structured=0.33)  # units hold more than the share: no others go
    assert living(more.keep)[:4] == [0, 1, 4, 5]


def test_a_mask_that_empties_a_neuron_of_weights_leaves_it_its_bias():
    keep = masked(PERCEPTRON, np.array([9, 9, 0, 0, 9, 9, *[0] * 11]), 1 / 3).keep
    assert living(keep)[:4] == [0, 1, 4, 5] and PERCEPTRON.alive(keep).all()


def test_each_tensor_by_itself():
    g = np.array([1.0, 2, 3, 5, 7, 7, 7, 7, 7, 7])
    np.testing.assert_allclose(normalised(TWO, g, "minmax"), [0, 0.25, 0.5, 1, 1, 1, 1, 1, 1, 1])
    np.testing.assert_allclose(normalised(TWO, g, "robust")[:4], (g[:4] - 2.5) / 1.75)
    np.testing.assert_array_equal(normalised(TWO, g, "robust")[4:], 0)
    np.testing.assert_array_equal(normalised(TWO, np.zeros(10), "minmax"), 0)


GUIDE = Guidance(np.array([4.0, 1, 0], np.float32), np.array([2.0, 0.5, 0], np.float32), 5)
THREE = Anatomy((Tensor("a", (3,), 0),))


def test_scores_by_hand():
    params = np.array([-0.5, 3.0, 1.0], np.float32)
    np.testing.assert_allclose(GUIDE.scores(params, THREE, "weighted", "minmax"), [1, 3, 0])
    np.testing.assert_allclose(GUIDE.scores(params, THREE, "square", "minmax"), [4, 1, 0])
    np.testing.assert_allclose(GUIDE.scores(params, THREE, "agreement", "minmax"), [4, 0.25, 0])
    np.testing.assert_allclose(GUIDE.scores(params, THREE, "paper", "minmax"), [1, 0.25, 0])
    with pytest.raises(ConfigError, match="holds no signed sums"):
        Guidance(GUIDE.square, None, 5).scores(params, THREE, "agreement", "minmax")


def test_few_explorers_tell_little_by_themselves():
    other = Guidance(np.zeros(3, np.float32), np.ones(3, np.float32), 100)
    mixed = GUIDE.towards(other, 10)  # λ = 5 / 15
    np.testing.assert_allclose(mixed.square, GUIDE.square / 3, rtol=1e-6)
    np.testing.assert_allclose(mixed.signed, GUIDE.signed / 3 + 2 / 3, rtol=1e-6)
    np.testing.assert_array_equal(GUIDE.towards(other, 0).square, GUIDE.square)
    assert Guidance(GUIDE.square, None, 5).towards(other, 10).signed is None


@given(arrays(np.float32, st.integers(2, 60), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0, 3.0])), st.floats(0, 0.99))
def test_exactly_so_many_go_and_none_that_is_worth_more_than_one_that_stays(scores, share):
    anatomy = Anatomy((Tensor("a", (scores.size,), 0),))
    keep = masked(anatomy, scores, share).keep
    gone = floor_of(share, scores.size)
    assert (~keep).sum() == gone
    if 0 < gone < scores.size:
        assert scores[~keep].max() <= scores[keep].min()
    np.testing.assert_array_equal(keep, masked(anatomy, scores.copy(), share).keep)


@pytest.mark.slow
def test_beyond_2_to_the_24_weights():
    n = 2**24 + 3
    scores = np.arange(n, dtype=np.float32)
    assert masked(Anatomy((Tensor("a", (n,), 0),)), scores, 0.3).kept == n - floor_of(0.3, n)
