"""Paired ratios: geometric means, intervals on the logarithms, seeds that are missing."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from horae.pure.paired import Ratio, ratio, ratio_verdict

POSITIVE = st.floats(0.01, 100)


def test_the_interval_is_students_on_the_logarithms():
    # ratios e, e^2, e^3: mean of the logarithms 2, deviation 1, half of the interval 4.3027 / sqrt(3) = 2.4841
    found = ratio([math.e, math.e**2, math.e**3], [1.0, 1.0, 1.0])
    assert (found.n, found.of, found.identical) == (3, 3, False)
    assert math.log(found.mean) == pytest.approx(2)
    assert (math.log(found.low), math.log(found.high)) == pytest.approx((-0.4841, 4.4841), abs=1e-4)
    assert ratio_verdict(found) == "not distinguishable"


@pytest.mark.parametrize(
    ("ours", "theirs", "n", "mean", "word"),
    [
        ([2.0, 2.1, 1.9], [1.0, 1.0, 1.0], 3, (2.0 * 2.1 * 1.9) ** (1 / 3), "better"),
        ([1.0, 1.0, 1.0], [2.0, 2.1, 1.9], 3, (2.0 * 2.1 * 1.9) ** (-1 / 3), "worse"),
        ([3.0, 5.0], [3.0, 5.0], 2, 1.0, "identical"),
        ([3.0], [1.0], 1, 3.0, "not distinguishable"),
        ([2.0, None, 8.0], [1.0, 1.0, 1.0], 2, 4.0, None),
        ([2.0, 3.0], [None, 3.0], 1, 1.0, None),
        ([2.0, 0.0], [1.0, 1.0], 1, 2.0, None),  # reached by the first model: no number of times faster
        ([None, None], [1.0, 1.0], 0, None, None),
        ([], [], 0, None, None),
    ],
)
def test_seeds_without_a_ratio_are_counted_and_leave_no_verdict(ours, theirs, n, mean, word):
    found = ratio(ours, theirs)
    assert (found.n, found.of) == (n, len(ours))
    assert found.mean == (None if mean is None else pytest.approx(mean))
    assert ratio_verdict(found) == word


def test_an_interval_that_no_float_holds_is_none():
    found = ratio([1e-300, 1e300], [1e300, 1e-300])
    assert found.mean == pytest.approx(1.0)
    assert found.high is None
    assert ratio_verdict(found) == "not distinguishable"


def test_an_interval_that_touches_one_is_not_distinguishable():
    assert ratio_verdict(Ratio(3, 3, 1.5, 1.0, 2.0, False)) == "not distinguishable"
    assert ratio_verdict(Ratio(3, 3, 1.5, 1.01, 2.0, False)) == "better"


@given(st.lists(st.tuples(POSITIVE, POSITIVE), min_size=2, max_size=6))
def test_swapping_the_arms_turns_everything_over(pairs):
    one = ratio(*zip(*pairs, strict=True))
    other = ratio(*[[b for _, b in pairs], [a for a, _ in pairs]])
    assert one.mean == pytest.approx(1 / other.mean)
    if one.high is not None and other.low:
        assert one.high == pytest.approx(1 / other.low, rel=1e-6)
