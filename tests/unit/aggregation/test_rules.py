"""Median, trimmed mean and Krum, with numbers worked out by hand."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from horae.aggregation import AGGREGATION, CentralDP, Krum, Mean, Median, TrimmedMean, common
from horae.errors import ConfigError
from horae.types import Updates


def combined(rule, rows, weights=None, seed=0):
    rows = np.asarray(rows, np.float32)
    shares = np.full(len(rows), 1 / len(rows)) if weights is None else np.asarray(weights, float)
    return rule.combine(Updates(rows), shares, np.random.default_rng(seed))


def test_the_median_by_hand():
    rows = [[1, 10], [2, 0], [900, 5]]
    np.testing.assert_array_equal(combined(Median(), rows), [2, 5])
    np.testing.assert_array_equal(combined(Median(), [*rows, [4, 7]]), [3, 6])  # (2 + 4)/2, (5 + 7)/2
    np.testing.assert_array_equal(combined(Median(), rows, [0.98, 0.01, 0.01]), [2, 5])  # no weight counts,
    np.testing.assert_array_equal(combined(Median(), rows, [0.5, 0.5, 0.0]), [1.5, 5])  # but 0 does


def test_the_trimmed_mean_by_hand():
    rows = [[1, 7], [2, -900], [3, 6], [900, 5], [4, 4]]
    np.testing.assert_allclose(combined(TrimmedMean(0.2), rows), [3, 5])  # without 1 and 900; without -900 and 7
    np.testing.assert_allclose(combined(TrimmedMean(0.19), rows), np.mean(rows, axis=0))  # ⌊0.95⌋ = 0
    np.testing.assert_allclose(combined(TrimmedMean(0.4), rows), combined(Median(), rows))
    np.testing.assert_allclose(combined(TrimmedMean(0.2), rows, [1, 1, 1, 0, 1]), np.delete(rows, 3, 0).mean(axis=0))


def test_a_share_cuts_as_many_as_it_says():
    rows = np.arange(100.0)[:, None]
    rows[:29] = -1e6  # 0.29 x 100 is 28.999... in binary
    assert combined(TrimmedMean(0.29), rows) == np.arange(29, 71).mean()


def test_krum_by_hand():
    """Points 0, 1, 2, 4 and 100 on a line, f = 1: the scores add the n - f - 2 = 2 nearest squared distances.

    0: 1 + 4; 1: 1 + 1; 2: 1 + 4; 4: 4 + 9; 100: 96² + 98².
    """
    rows = np.array([[0.0], [1], [2], [4], [100]])
    assert combined(Krum(f=1, m=1), rows) == 1
    assert combined(Krum(f=1, m=3), rows) == 1  # 1, then 0 and 2
    assert combined(Krum(f=1), rows) == 7 / 4  # m = n - f
    assert Krum(f=1, m=2).chosen(rows @ rows.T, np.arange(5)).tolist() == [0, 1]  # of equal scores the first
    np.testing.assert_allclose(combined(Krum(f=1, m=2), rows, [0.25, 0, 0.25, 0.25, 0.25]), 1)  # 0 and 2
    assert combined(Krum(f=3), [[5.0], [7.0]]) == 5  # too few for f: m = 1, by the nearest
    assert combined(Krum(), [[5.0]]) == 5


@pytest.mark.parametrize("rule", [Median(), TrimmedMean(0.3), Krum(f=3)])
def test_three_liars_among_ten_do_not_move_it_far(rule):
    rng = np.random.default_rng(0)
    rows = rng.normal(1.0, 0.1, size=(10, 50)).astype(np.float32)
    rows[[1, 4, 8]] = -1e4
    assert np.abs(combined(rule, rows) - 1).max() < 0.2
    assert np.abs(combined(Mean(), rows) - 1).min() > 1000


@pytest.mark.parametrize("name", AGGREGATION)
def test_equal_updates_give_that_update(name):
    rule, row = (CentralDP(clip=100.0, noise=0.0) if name == "central-dp" else AGGREGATION[name]()), [1.0, -2.0, 3.0]
    for n in (1, 2, 3, 10):
        found = combined(rule, [row] * n)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, row, rtol=1e-6)


@given(st.integers(1, 12), st.integers(1, 40), st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_blocks_of_any_width_give_what_numpy_gives_at_once(q, params, seed, cells):
    rows = np.random.default_rng(seed).normal(size=(q, params)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(common, "CELLS", cells)
        np.testing.assert_array_equal(combined(Median(), rows), np.median(rows, axis=0))
        cut = int(0.25 * q)
        left = np.sort(rows.astype(np.float64), axis=0)[cut : q - cut].mean(axis=0)
        np.testing.assert_allclose(combined(TrimmedMean(0.25), rows), left, rtol=1e-4, atol=1e-6)


@given(st.integers(6, 12), st.integers(0, 2**32 - 1))
def test_the_order_of_clients_does_not_matter(q, seed):
    rng = np.random.default_rng(seed)
    rows, order = rng.normal(size=(q, 5)).astype(np.float32), rng.permutation(q)
    for rule in (Median(), TrimmedMean(), Krum(f=1)):
        np.testing.assert_allclose(combined(rule, rows), combined(rule, rows[order]), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("rule", [Median(), TrimmedMean(), Krum(), CentralDP(clip=1.0, noise=0.0)])
def test_no_rule_copies_all_updates(rule):
    """40 updates of 200,000 weights are 32 MB; a rule may take a block of 4 MB a few times, and the answer's 1."""
    rows = np.random.default_rng(0).normal(size=(40, 200_000)).astype(np.float32)
    tracemalloc.start()
    combined(rule, rows)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 16e6


@pytest.mark.parametrize(
    ("cls", "field", "value"),
    [(TrimmedMean, "share", 0.5), (TrimmedMean, "share", -0.1), (Krum, "f", -1), (Krum, "m", -1),
     (CentralDP, "clip", 0.0), (CentralDP, "noise", -1.0), (CentralDP, "delta", 1.0), (CentralDP, "visits", -1)],
)  # fmt: skip
def test_a_value_out_of_range_is_one_line(cls, field, value):
    with pytest.raises(ConfigError, match=rf"^aggregation\.{field} should be .*, got {value}[^\n]*$"):
        cls(**{field: value})
