"""Weights, by hand and as properties."""

import numpy as np
import pytest
from alignment_cases import cases
from hypothesis import given
from hypothesis import strategies as st

from horae.alignment.common import distance, shares
from horae.alignment.weight import label_weights


@pytest.mark.parametrize(
    ("counts", "target", "cap", "weights"),
    [
        ([3, 1], [0.5, 0.5], 5.0, [2 / 3, 2.0]),  # .5 / .75 and .5 / .25: their mean is 1 already
        ([3, 1, 0], [0.25, 0.25, 0.5], 5.0, [2 / 3, 2.0, 0.0]),  # half is missing: 1/3 and 1, doubled
        ([9, 1], [0.2, 0.8], 2.0, [2 / 9 / 0.4, 2 / 0.4]),  # .2 / .9; .8 / .1 = 8 is cut at 2; the mean is .2 + .2
        ([0, 7], [0.9, 0.1], 5.0, [0.0, 1.0]),  # one label
        ([4, 4], [1.0, 0.0], 5.0, [2.0, 0.0]),  # a label that the population lacks counts nothing
        ([0, 7], [1.0, 0.0], 5.0, [0.0, 1.0]),  # nothing that it has: all alike
        ([0, 0], [0.5, 0.5], 5.0, [0.0, 0.0]),
    ],
)
def test_by_hand(counts, target, cap, weights):
    found = label_weights(np.array(counts), np.array(target), cap)
    np.testing.assert_allclose(found, weights, rtol=1e-12)


@given(cases(), st.floats(1, 20))
def test_mean_one_and_bounded(case, cap):
    counts, target = case
    weights, p = label_weights(counts, target, cap), shares(counts)
    assert weights @ p == pytest.approx(1)
    asked = np.minimum(target, cap * p).sum()
    if asked > 0:
        assert weights.max() <= cap / asked * (1 + 1e-9)


@given(cases(), st.floats(1, 20))
def test_nearer_to_the_target_than_raw_and_as_near_as_can_be_where_nothing_is_cut(case, cap):
    counts, target = case
    p = shares(counts)
    after = distance(p * label_weights(counts, target, cap), target)
    assert after <= distance(p, target) + 1e-9
    if (target <= cap * p)[counts > 0].all() and target[counts > 0].any():
        assert after == pytest.approx(target[counts == 0].sum())
