"""Where a smaller model's numbers lie in the whole one's vector."""

import numpy as np
import pytest

from horae.pure.anatomy import Tensor
from horae.training.window import Window

TENSORS = (Tensor("a", (3, 2), 0), Tensor("b", (3,), 6), Tensor("c", (2, 3, 2), 9))


def alive(rows, columns):
    """Rows of a and b live, and the columns of c that belong to them."""
    first = np.zeros((3, 2), bool)
    first[rows] = True
    last = np.zeros((2, 3, 2), bool)
    last[:, columns] = True
    return np.concatenate([first.ravel(), first[:, 0], last.ravel()])


@pytest.mark.parametrize(("rows", "columns"), [([0, 2], [0, 2]), ([1], [1]), ([0, 1, 2], [0, 1, 2])])
def test_what_lives_goes_there_and_back(rows, columns):
    living = alive(rows, columns)
    window, whole = Window.of(TENSORS, living), np.arange(21, dtype=np.float32)
    small = window.gathered(whole)
    np.testing.assert_array_equal(small, whole[living])
    both = np.stack([whole, -whole])
    np.testing.assert_array_equal(window.gathered(both), both[:, living])
    np.testing.assert_array_equal(window.gathered(living), np.ones(small.size, bool))
    out = np.full((2, 21), np.nan, np.float32)
    window.scatter(np.stack([small, -small]), out)
    np.testing.assert_array_equal(out, both * living)


def test_nobody_is_no_trouble():
    window = Window.of(TENSORS, alive([0], [0]))
    assert window.gathered(np.zeros((0, 21), np.float32)).shape == (0, 2 + 1 + 4)
