"""Spread and paired differences, against numbers worked out by hand and against scipy."""

import doctest
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from horae.pure import paired
from horae.pure.paired import BETTER, IDENTICAL, UNCLEAR, WORSE, Difference, difference, spread, student_bound, verdict

NUMBERS = st.floats(-1e3, 1e3, allow_nan=False)


def test_docstrings_tell_the_truth():
    assert doctest.testmod(paired).failed == 0


def test_spread_by_hand():
    # mean (2 + 4 + 4 + 6) / 4 = 4; squares 4 + 0 + 0 + 4 = 8, by n - 1 = 3
    found = spread([2.0, 4.0, 4.0, 6.0])
    assert (found.n, found.mean, found.low, found.high) == (4, 4.0, 2.0, 6.0)
    assert found.sd == pytest.approx(math.sqrt(8 / 3))


def test_spread_of_one_value_has_no_deviation_and_of_none_is_nothing():
    assert spread([7]) == paired.Spread(1, 7.0, None, 7, 7)
    assert spread([]) is None


def test_difference_by_hand():
    # differences 1, 2, 3: mean 2, deviation 1; t for 2 degrees of freedom is 4.302653; half = 4.302653 / sqrt(3)
    found = difference([11.0, 22.0, 33.0], [10.0, 20.0, 30.0])
    assert (found.n, found.mean, found.identical) == (3, 2.0, False)
    assert found.low == pytest.approx(2 - 2.484138, abs=1e-6)
    assert found.high == pytest.approx(2 + 2.484138, abs=1e-6)
    assert verdict(found, True) == UNCLEAR


def test_pairing_takes_out_what_the_seeds_share():
    # the seeds differ by tens, the arms by about one: unpaired nobody could tell, paired one can
    theirs = [10.0, 20.0, 30.0, 40.0]
    assert verdict(difference([11.0, 21.1, 30.9, 41.0], theirs), True) == BETTER


def test_one_seed_has_a_difference_and_no_verdict():
    found = difference([3.0], [1.0])
    assert found == Difference(1, 2.0, None, None, False)
    assert verdict(found, True) == UNCLEAR
    assert difference([], []) is None
    assert verdict(None, True) == UNCLEAR


def test_no_seed_differs():
    found = difference([0.5, 0.7], [0.5, 0.7])
    assert found == Difference(2, 0.0, 0.0, 0.0, True)
    assert verdict(found, True) == IDENTICAL
    assert verdict(difference([0.5], [0.5]), True) == UNCLEAR  # one seed says nothing


def test_the_same_difference_on_every_seed_is_an_interval_of_no_width():
    found = difference([2.0, 3.0, 4.0], [1.0, 2.0, 3.0])
    assert (found.low, found.high, found.identical) == (1.0, 1.0, False)
    assert verdict(found, True) == BETTER


@pytest.mark.parametrize(
    ("low", "high", "higher_is_better", "word"),
    [
        (0.1, 0.3, True, BETTER),
        (0.1, 0.3, False, WORSE),
        (-0.3, -0.1, True, WORSE),
        (-0.3, -0.1, False, BETTER),
        (-0.1, 0.3, True, UNCLEAR),
        (0.0, 0.4, True, UNCLEAR),
        (-0.4, 0.0, False, UNCLEAR),
    ],
)
def test_a_verdict_needs_an_interval_without_zero(low, high, higher_is_better, word):
    assert verdict(Difference(5, (low + high) / 2, low, high, False), higher_is_better) == word


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 10, 29, 30, 500])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
def test_students_bound_is_scipys(level, freedom):
    assert student_bound(level, freedom) == pytest.approx(stats.t.ppf((1 + level) / 2, freedom), rel=1e-9)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=30))
def test_the_interval_is_scipys(pairs):
    ours, theirs = map(list, zip(*pairs, strict=True))
    found = difference(ours, theirs)
    steps = [a - b for a, b in pairs]
    if spread(steps).sd < 1e-6:  # scipy warns of lost digits
        return
    expected = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    assert found.low == pytest.approx(expected.low, rel=1e-6, abs=1e-6)
    assert found.high == pytest.approx(expected.high, rel=1e-6, abs=1e-6)
