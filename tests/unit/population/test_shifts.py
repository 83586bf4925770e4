import numpy as np
import pytest

from horae.population import shifts


def test_quarter_turns_are_exact():
    x = np.array([[[1, 2], [3, 4]]], np.float32)
    assert shifts.rotate(x, 90).tolist() == [[[2, 4], [1, 3]]]
    assert shifts.rotate(x, 180).tolist() == [[[4, 3], [2, 1]]]
    assert shifts.rotate(x, -90).tolist() == shifts.rotate(x, 270).tolist() == [[[3, 1], [4, 2]]]
    same = shifts.rotate(x, 360)
    assert same.tolist() == x.tolist() and not np.shares_memory(same, x)


def test_other_angles_turn_the_same_way():
    x = np.random.default_rng(0).random((3, 9, 9)).astype(np.float32)
    inner = np.s_[:, 1:-1, 1:-1]  # the border is partly outside the frame
    np.testing.assert_allclose(shifts.rotate(x, 89.999)[inner], shifts.rotate(x, 90)[inner], atol=1e-3)
    turned = shifts.rotate(x, 45)
    assert turned.shape == x.shape and turned.dtype == np.float32
    assert turned.min() >= 0 and turned.max() <= 1
    assert turned[0, 4, 4] == pytest.approx(x[0, 4, 4])  # the centre stays


def test_labels_are_renamed_one_to_one():
    y = np.arange(10)
    rename = [shifts.permute_labels(y, group, 10, np.random.default_rng(group)) for group in range(3)]
    assert rename[0].tolist() == y.tolist()
    assert sorted(rename[1]) == sorted(rename[2]) == y.tolist()
    assert rename[1].tolist() != rename[2].tolist()
