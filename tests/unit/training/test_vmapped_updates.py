"""Updates on a device answer as updates in memory do."""

import numpy as np
import pytest
import torch

from horae.training.vmapped_updates import Resident
from horae.types import Updates

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(5, 23)).astype(np.float32)
CUT = [ROWS[:2], ROWS[2:3], ROWS[3:]]


def resident():
    return Resident([torch.from_numpy(rows.copy()) for rows in CUT], 23)


def test_by_hand():
    told = Resident([torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 1.0], [6.0, 8.0]])], 2)
    assert told.norms().tolist() == [5.0, 1.0, 10.0] and told.norms().dtype == np.float64
    assert told.combine(np.array([1.0, 2.0, 0.5])).tolist() == [6.0, 10.0]
    assert told.gram().tolist() == [[25, 4, 50], [4, 1, 8], [50, 8, 100]]
    assert told.only(np.array([False, True, True])).rows.tolist() == [[0.0, 1.0], [6.0, 8.0]]
    assert len(told) == 3 and len(told.only(np.array([False, True, False]))) == 1


@pytest.mark.parametrize("dims", [4, 5, 22, 23, 100])
def test_sketches_are_those_of_updates_in_memory(dims):
    np.testing.assert_allclose(resident().sketch(dims), Updates(ROWS).sketch(dims), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("part", [slice(None), slice(3, 9), slice(20, 50), slice(1, 20, 3), slice(None, None, -1)])
def test_columns(part):
    np.testing.assert_array_equal(resident().columns(part), ROWS[:, part])


def test_the_rest():
    one, other, ways = resident(), Updates(ROWS), RNG.normal(size=(3, 23)).astype(np.float32)
    np.testing.assert_array_equal(one.rows, ROWS)
    np.testing.assert_allclose(one.along(ways), other.along(ways), rtol=1e-5, atol=1e-6)
    weights = RNG.random(5)
    np.testing.assert_allclose(one.combine(weights), other.combine(weights), rtol=1e-5, atol=1e-6)


def test_of_nobody():
    none = resident().only(np.zeros(5, bool))
    assert len(none) == 0 and none.rows.shape == (0, 23) and none.norms().shape == (0,) and none.gram().shape == (0, 0)
    assert none.combine(np.zeros(0)).tolist() == [0.0] * 23 and none.sketch(4).shape == (0, 4)
    assert none.along(ROWS[:2]).shape == (0, 2)
