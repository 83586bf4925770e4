"""Upstream's rule, by hand and as properties."""

from fractions import Fraction

import numpy as np
import pytest
from alignment_cases import cases
from hypothesis import given

from horae.alignment.common import distance, shares
from horae.alignment.exact import exact_counts


@pytest.mark.parametrize(
    ("counts", "target", "quota"),
    [
        # g / p = .25·16/10, .5·16/6: m = 1, its 6 samples are half of the view, so 3 of the other; label 2 is missing
        ([10, 6, 0], [0.25, 0.5, 0.25], [3, 6, 0]),
        # m = 2 with 3 samples for 0.3: 10 a unit, ⌊5⌋ and ⌊2⌋
        ([50, 7, 3], [0.5, 0.2, 0.3], [5, 2, 3]),
        # m = 1 with 2 for 0.3: ⌊0.7 / 0.3 · 2⌋ = ⌊4.67⌋
        ([9, 2], [0.7, 0.3], [4, 2]),
        # one rare label too many: 1 / 5 of 1 sample is none at all
        ([10, 1], [1 / 6, 5 / 6], [0, 1]),
        # alike already: nothing is lost
        ([4, 4, 8], [0.25, 0.25, 0.5], [4, 4, 8]),
        # one label only
        ([0, 20], [0.9, 0.1], [0, 20]),
        # a label that the population lacks is left out
        ([5, 5, 9], [0.5, 0.5, 0.0], [5, 5, 0]),
        # nothing that the population has; nothing at all
        ([0, 5], [1.0, 0.0], [0, 0]),
        ([0, 0], [0.5, 0.5], [0, 0]),
    ],
)
def test_the_formula_by_hand(counts, target, quota):
    assert exact_counts(np.array(counts), np.array(target)).tolist() == quota


def test_a_proportional_client_loses_nothing_to_rounding():
    for counts in ([3, 7, 11], [1, 10, 100], [49, 49, 2], [6, 60, 600]):
        held = np.array(counts)
        assert exact_counts(held, held / held.sum()).tolist() == counts


@given(cases())
def test_no_more_than_there_is_and_proportional_to_the_target_within_one(case):
    counts, target = case
    quota = exact_counts(counts, target)
    assert (quota >= 0).all() and (quota <= counts).all()
    asked = (counts > 0) & (target > 0)
    assert (quota[~asked] == 0).all()
    if asked.any():
        unit = (counts[asked] / target[asked]).min()
        assert (np.abs(quota[asked] - target[asked] * unit) < 1 + 1e-6).all()
        assert distance(shares(quota), target) >= target[~asked].sum() - 1e-12
        tight = quota[asked] == counts[asked]
        assert tight.any()


@given(cases())
def test_as_with_fractions(case):
    counts, target = case
    total = 10**6
    whole = np.round(target * total).astype(int).tolist()
    held = [c for c in range(counts.size) if counts[c] and whole[c]]
    quota = [0] * counts.size
    if held:
        m = max(held, key=lambda c: Fraction(whole[c], int(counts[c])))
        for c in held:
            quota[c] = min(int(counts[c]), Fraction(whole[c], whole[m]) * int(counts[m]) // 1)
    assert exact_counts(counts, np.array(whole) / sum(whole)).tolist() == quota
