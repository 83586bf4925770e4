"""Counting, drawing, distances."""

import numpy as np
import pytest
from alignment_cases import cases, labels_of
from hypothesis import given
from hypothesis import strategies as st

from horae.alignment.common import distance, drawn, floors, label_counts, shares, unfixable
from horae.errors import ConfigError
from horae.pure.streams import stream

EVEN = np.full(4, 0.25)


def test_counts_and_shares():
    assert label_counts(np.array([3, 1, 3]), EVEN).tolist() == [0, 1, 0, 2]
    assert label_counts(np.zeros(0, np.int64), EVEN).tolist() == [0, 0, 0, 0]
    assert shares(np.array([1, 0, 3])).tolist() == [0.25, 0.0, 0.75]
    assert shares(np.zeros(2)).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (np.array([0.5, 0.4]), "be shares >= 0 that sum to 1"),
        (np.array([1.5, -0.5]), "be shares >= 0 that sum to 1"),
        (np.array([np.nan, 1.0]), "be shares >= 0 that sum to 1"),
        (np.zeros((2, 2)) + 0.25, "be shares >= 0 that sum to 1"),
        (np.array([0.5, 0.5]), "have a share for each label"),
    ],
)
def test_what_is_no_target_is_refused_in_a_line(target, why):
    with pytest.raises(ConfigError, match=why) as refusal:
        label_counts(np.array([0, 2]), target)
    assert "\n" not in str(refusal.value)


def test_labels_below_nought_are_refused():
    with pytest.raises(ConfigError, match="have a share for each label"):
        label_counts(np.array([0, -1]), EVEN)


def test_distances_by_hand():
    assert distance(np.array([0.5, 0.5, 0.0]), np.array([0.2, 0.3, 0.5])) == pytest.approx(0.5)  # (.3 + .2 + .5) / 2
    assert distance(EVEN, EVEN) == 0.0
    assert distance(np.zeros(4), EVEN) == 1.0


@given(cases(), cases())
def test_both_forms_of_total_variation_agree(one, other):
    p, g = shares(one[0]), other[1]
    if p.size == g.size:
        assert distance(p, g) == pytest.approx(0.5 * np.abs(p - g).sum())


def test_unfixable_is_what_is_not_held():
    target = np.array([0.1, 0.2, 0.3, 0.4])
    assert unfixable(np.array([3, 3]), target) == pytest.approx(0.6)
    assert unfixable(np.zeros(0, np.int64), target) == pytest.approx(1.0)
    assert unfixable(np.array([0, 1, 2, 3]), target) == 0.0


@given(cases(), st.integers(0, 2**32 - 1))
def test_no_resampling_comes_nearer_than_the_unfixable(case, seed):
    counts, target = case
    labels = labels_of(counts)
    picked = np.random.default_rng(seed).choice(labels, 20)
    assert distance(shares(label_counts(picked, target)), target) >= unfixable(labels, target) - 1e-9


def test_rounding_down_forgives_the_last_bits():
    assert floors(np.array([0.0, 0.3 / 0.1, 2.999, 1e6 - 1e-10])).tolist() == [0, 3, 2, 10**6]


@given(cases(), st.data())
def test_drawn_samples_are_as_many_as_said_and_spread_evenly(case, data):
    counts, _ = case
    labels = labels_of(counts)
    quota = np.array([data.draw(st.integers(0, 3 * n)) for n in counts.tolist()])
    index = drawn(labels, quota, np.random.default_rng(0))
    np.testing.assert_array_equal(np.bincount(labels[index], minlength=counts.size), quota)
    times = np.bincount(index, minlength=labels.size)
    assert (np.diff(index) >= 0).all()
    for c in np.flatnonzero(counts):
        assert np.ptp(times[labels == c]) <= 1


def test_a_fresh_lot_each_time_and_the_same_again_from_the_same_stream():
    labels, quota = np.arange(200) % 4, np.array([10, 0, 20, 5])
    first, again, other = (drawn(labels, quota, stream(0, "alignment", n)) for n in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_sample_has_its_turn():
    """1 of 3 in each of 60 draws: each is drawn 20 times on average, with a deviation of 3.7."""
    labels, quota, rng = np.zeros(3, np.int64), np.array([1]), np.random.default_rng(5)
    times = np.bincount(np.concatenate([drawn(labels, quota, rng) for _ in range(60)]), minlength=3)
    assert (np.abs(times - 20) < 12).all()


def test_a_larger_view_holds_the_smaller_one():
    labels = np.arange(50) % 2
    small, large = (drawn(labels, np.array([n, n]), stream(3, "alignment")) for n in (4, 9))
    assert np.isin(small, large).all()
