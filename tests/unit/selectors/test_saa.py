"""REFL's weights of late updates."""

import numpy as np
import pytest
from rounds import ids, outcome

from horae.algorithms import SAA, FedAvg
from horae.errors import ConfigError


def test_weights_by_hand():
    # In time (1, 0) and (3, 0): the mean is (2, 0). Late: (2, 2) is 4 away, (0, 0) is 4, (2, 1) is 1; squares. So
    # Λ / Λmax = 1, 1, 1/4; 1 - exp(-1) = .632121, 1 - exp(-1/4) = .221199.
    rows = np.array([[1, 0], [3, 0], [2, 2], [0, 0], [2, 1]], np.float32)
    late = outcome(range(5), rows=rows, samples=[1, 1, 1, 1, 10], staleness=ids(0, 0, 1, 3, 1))
    wanted = [1, 1, 0.65 / 2 + 0.35 * 0.632121, 0.65 / 4 + 0.35 * 0.632121, 10 * (0.65 / 2 + 0.35 * 0.221199)]
    np.testing.assert_allclose(SAA().weigh(late), wanted, atol=1e-5)


def test_the_deviation_is_the_papers():
    # Λ as it is written, with n = 2 in time, has the same ratios.
    rows = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    mean = rows[:2].mean(axis=0)
    far = np.array([np.sum(((u + 2 * mean) / 3 - mean) ** 2) / np.sum(mean**2) for u in rows[2:]])
    found = SAA(beta=1.0).weigh(outcome(range(5), rows=rows, staleness=ids(0, 0, 1, 2, 3)))[2:]
    np.testing.assert_allclose(found, 1 - np.exp(-far / far.max()), rtol=1e-5)


def test_with_nobody_late_or_nobody_in_time():
    rows = np.ones((3, 2), np.float32)
    fresh = outcome(range(3), rows=rows, samples=[1, 2, 3])
    np.testing.assert_array_equal(SAA().weigh(fresh), FedAvg().weigh(fresh))
    np.testing.assert_allclose(
        SAA().weigh(outcome(range(3), rows=rows, staleness=ids(1, 1, 3))), [0.325, 0.325, 0.1625]
    )
    same = outcome(range(3), rows=rows, staleness=ids(0, 0, 1))  # no deviation
    np.testing.assert_allclose(SAA().weigh(same), [1, 1, 0.325], atol=1e-6)


@pytest.mark.parametrize(("field", "value"), [("beta", 1.5), ("staleness", -1), ("lr", 0.0)])
def test_a_constant_out_of_range_is_one_line(field, value):
    with pytest.raises(ConfigError, match=rf"^algorithm\.{field} should be .*, got .*$"):
        SAA(**{field: value})
