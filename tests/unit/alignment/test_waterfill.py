"""Water-filling, by hand and as properties."""

from itertools import product

import numpy as np
import pytest
from alignment_cases import cases
from hypothesis import given
from hypothesis import strategies as st

from horae.alignment.common import distance, floors, shares
from horae.alignment.exact import exact_counts
from horae.alignment.waterfill import filled, level, rounded, waterfill_counts


@pytest.mark.parametrize(
    ("counts", "target", "total", "kappa", "quota"),
    [
        # λ = 12 / .75 = 16: 4 and 8, but there are 6 only; then 6 + .25 λ = 12
        ([10, 6, 0], [0.25, 0.5, 0.25], 12, 1.0, [6, 6, 0]),
        # λ = 8: none is full
        ([10, 6, 0], [0.25, 0.5, 0.25], 6, 1.0, [2, 4, 0]),
        # as many as there are, and more
        ([10, 6, 0], [0.25, 0.5, 0.25], 16, 1.0, [10, 6, 0]),
        ([10, 6, 0], [0.25, 0.5, 0.25], 99, 1.0, [10, 6, 0]),
        # each twice: 12 of label 1 fit, λ = 24 gives 6 and 12
        ([10, 6, 0], [0.25, 0.5, 0.25], 18, 2.0, [6, 12, 0]),
        # 1.5 times three samples is 4
        ([3, 3], [0.5, 0.5], 99, 1.5, [4, 4]),
        # thirds of 10: 3 each, and one more where the remainder is largest: they are equal, so the first
        ([9, 9, 9], [1 / 3, 1 / 3, 1 / 3], 10, 1.0, [4, 3, 3]),
        # 7 λ-units of .5, .3, .2: 3.5, 2.1, 1.4
        ([9, 9, 9], [0.5, 0.3, 0.2], 7, 1.0, [4, 2, 1]),
        # a label that the population lacks is left out, whatever is asked for
        ([5, 9], [1.0, 0.0], 14, 1.0, [5, 0]),
        ([0, 5], [1.0, 0.0], 3, 1.0, [0, 0]),
        ([0, 0], [0.5, 0.5], 3, 1.0, [0, 0]),
        ([4, 4], [0.5, 0.5], 0, 1.0, [0, 0]),
    ],
)
def test_by_hand(counts, target, total, kappa, quota):
    assert waterfill_counts(np.array(counts), np.array(target), total, kappa).tolist() == quota


@given(cases(), st.integers(1, 300), st.floats(1, 4))
def test_the_view_has_the_size_asked_for_and_no_label_too_often(case, total, kappa):
    counts, target = case
    quota = waterfill_counts(counts, target, total, kappa)
    most = np.where(target > 0, floors(kappa * counts), 0)
    assert quota.sum() == min(total, most.sum())
    assert (quota >= 0).all() and (quota <= most).all()


@given(cases(), st.integers(1, 300), st.floats(1, 4))
def test_no_further_from_the_target_than_raw_but_for_rounding(case, share, kappa):
    counts, target = case
    total = max(1, min(share, int(counts.sum())))
    quota = waterfill_counts(counts, target, total, kappa)
    if quota.sum():
        q, raw = shares(quota), distance(shares(counts), target)
        assert distance(q, target) <= raw + counts.size / (2 * quota.sum()) + 1e-9


@given(cases(), st.floats(0.01, 1))
def test_the_level_solves_and_before_rounding_is_never_further_than_raw(case, part):
    counts, target = case
    asked = (counts > 0) & (target > 0)
    caps, g = counts[asked], target[asked]
    total = max(1, int(part * caps.sum()))
    if asked.any():
        amounts = filled(caps, g, level(caps, g, total))
        assert amounts.sum() == pytest.approx(total, rel=1e-9)
        assert distance(shares(amounts), g) <= distance(shares(counts), target) + 1e-9


@given(cases())
def test_with_the_level_of_exact_rounded_down_it_is_exact(case):
    counts, target = case
    asked = (counts > 0) & (target > 0)
    if asked.any():
        n, g = counts[asked], target[asked]
        m = np.argmax(g / n)
        assert floors(filled(n, g, n[m] / g[m])).tolist() == exact_counts(counts, target)[asked].tolist()


def test_no_view_of_that_size_is_nearer():
    """All views of 7 samples of three labels, tried."""
    counts, target = np.array([5, 2, 6]), np.array([0.2, 0.5, 0.3])
    views = [q for q in product(range(6), range(3), range(7)) if sum(q) == 7]
    best = min(distance(shares(np.array(q)), target) for q in views)
    assert distance(shares(waterfill_counts(counts, target, 7)), target) == pytest.approx(best)


def test_a_small_share_is_filled_last_and_next_to_none_is_none():
    counts = np.array([8, 8])
    assert waterfill_counts(counts, np.array([1 - 1e-9, 1e-9]), 6).tolist() == [6, 0]
    assert waterfill_counts(counts, np.array([1 - 1e-9, 1e-9]), 10).tolist() == [8, 2]
    assert waterfill_counts(counts, np.array([1 - 1e-308, 1e-308]), 10).tolist() == [8, 0]


def test_remainders_go_where_there_is_room():
    assert rounded(np.array([2.0, 1.6, 1.4]), np.array([2, 9, 9]), 5).tolist() == [2, 2, 1]
