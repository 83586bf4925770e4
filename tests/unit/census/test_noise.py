"""Noise in shares: its distribution, and that shares add up to it."""

import numpy as np

from horae.census import Terms, local
from horae.census.noise import rounded_gaussian, scaled


def test_deviation_and_mean():
    drawn = rounded_gaussian(3.0, 40_000, bytes(32))
    assert abs(drawn.mean()) < 5 * 3 / 200  # five standard errors
    assert abs(drawn.std() - 3) < 5 * 3 / np.sqrt(80_000)
    assert abs(np.mean(drawn == 0) - 1 / (3 * np.sqrt(2 * np.pi))) < 0.01  # P(0) = 1 / Σ exp(-x²/18) = 0.133
    assert (rounded_gaussian(3.0, 5, bytes(32)) == drawn[:5]).all()
    assert (rounded_gaussian(0.0, 5, bytes(32)) == 0).all()


def test_scaled_by_hand():
    assert scaled(np.array([7, 2, 1], np.uint64), 5).tolist() == [3, 1, 0]  # 3.5, 1, 0.5
    assert scaled(np.array([7, 2, 1], np.uint64), 10).tolist() == [7, 2, 1]


def test_totals_carry_noise_of_the_size_that_was_asked_for():
    terms = Terms(labels=200, noise=20.0, most=50)
    result = local({client: np.zeros(200, int) for client in range(10)}, terms, seed=5)
    # ten members of share 20 / √10 each; of 200 totals the deviation is known to ± 5 %
    assert result.totals is not None and 16 < result.totals.std() < 24
    assert (result.totals < 0).any()
