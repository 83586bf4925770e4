"""What may be asked of a round's updates."""

import numpy as np

from horae.types import Updates


def test_a_few_parameters_are_their_own_sketch():
    rows = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert Updates(rows).sketch(3) is rows


def test_a_sketch_adds_every_coordinate_to_one_bucket_with_a_sign():
    units = np.eye(10, dtype=np.float32)
    folded = Updates(units).sketch(4)
    assert folded.shape == (10, 4)
    for i, row in enumerate(folded):  # coordinate i lands in i mod 4, the last two among them
        assert np.flatnonzero(row).tolist() == [i % 4]
        assert abs(row[i % 4]) == 1
    whole = Updates(units.sum(0, keepdims=True)).sketch(4)
    np.testing.assert_array_equal(whole[0], folded.sum(0))


def test_a_sketch_keeps_inner_products_on_average():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 20_000)).astype(np.float32)
    rows[:30] += 0.3 * rng.normal(size=20_000)  # half of them have something in common
    true, seen = (r @ r.T for r in (rows.astype(float), Updates(rows).sketch(1024).astype(float)))
    assert abs((seen / true).diagonal().mean() - 1) < 0.02
    apart = ~np.eye(60, dtype=bool)
    assert np.corrcoef(true[apart], seen[apart])[0, 1] > 0.6
    same = Updates(rows).sketch(1024)
    np.testing.assert_array_equal(same, Updates(rows[::-1]).sketch(1024)[::-1])


def test_norms_are_of_whole_updates_and_show_what_is_not_finite():
    rows = np.array([[3, 4], [np.nan, 0], [3e38, 3e38]], np.float32)
    norms = Updates(rows).norms()
    assert norms[0] == 5
    assert not np.isfinite(norms[1:]).any()


def test_combine_is_the_weighted_sum():
    rows = np.array([[1, 2], [10, 20]], np.float32)
    assert Updates(rows).combine(np.array([0.5, 0.25])).tolist() == [3, 6]
