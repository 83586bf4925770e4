"""Updates that name rows of a table answer as those in full do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from horae.training.native import compiled
from horae.training.sparse_kernel import Compiled
from horae.types import SparseUpdates, Updates

QUICK = [None, *([Compiled(), Compiled(3)] if compiled() else [])]


def made(seed, clients, table_rows, width, head, most, quick=None):
    """What some clients changed; behind what counts lies anything."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, min(most, table_rows) + 1, clients)
    names = np.full((clients, most), 2**30, np.int32)
    values = np.full((clients, most, width), np.nan, np.float32)
    for i, n in enumerate(counts):
        names[i, :n], values[i, :n] = rng.permutation(table_rows)[:n], rng.normal(size=(n, width))
    return SparseUpdates(rng.normal(size=(clients, head)).astype("f4"), names, values, counts, table_rows, quick)


@pytest.mark.skipif(compiled() is None, reason="no C compiler")
def test_threads_change_no_bit():
    one, three = (made(4, 21, 50, 3, 2, 50, Compiled(threads)) for threads in (1, 3))
    weights = np.random.default_rng(5).random(21)
    assert one.counts.sum() * 3 > 4 * one.params  # halves are added up
    np.testing.assert_array_equal(one.combine(weights), three.combine(weights))
    np.testing.assert_array_equal(one.sketch(7), three.sketch(7))


def test_by_hand():
    heads, names = np.array([[1.0], [2.0]], np.float32), np.array([[2, 0], [1, 9]], np.int32)
    values = np.array([[[3, 4], [5, 6]], [[7, 8], [9, 9]]], np.float32)
    told = SparseUpdates(heads, names, values, np.array([2, 1]), 3)
    assert told.rows.tolist() == [[1, 5, 6, 0, 0, 3, 4], [2, 0, 0, 7, 8, 0, 0]]
    assert told.combine(np.array([2.0, 1.0])).tolist() == [4, 10, 12, 7, 8, 6, 8]
    assert told.norms() == pytest.approx([87**0.5, 117**0.5])
    assert told.gram().tolist() == [[87, 2], [2, 117]]
    assert (len(told), told.params) == (2, 7)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    st.integers(0, 10**6), st.integers(0, 5), st.integers(1, 9), st.integers(1, 4), st.integers(0, 3),
    st.integers(0, 12), st.sampled_from(QUICK), st.data(),
)  # fmt: skip
def test_every_answer_is_that_of_the_updates_in_full(seed, clients, table_rows, width, head, most, quick, data):
    told = made(seed, clients, table_rows, width, head, most, quick)
    full, rng = Updates(told.rows), np.random.default_rng(seed)
    weights, ways = rng.random(clients), rng.normal(size=(2, told.params)).astype("f4")
    part = slice(*sorted(data.draw(st.tuples(st.integers(0, 40), st.integers(0, 40)))), data.draw(st.integers(1, 3)))
    for dims in (1, 2, 5, 1000):
        np.testing.assert_allclose(told.sketch(dims), full.sketch(dims), rtol=1e-4, atol=1e-5)
    for mine, theirs in (
        (told.combine(weights), full.combine(weights)), (told.norms(), full.norms()), (told.gram(), full.gram()),
        (told.along(ways), full.along(ways)), (told.columns(part), full.columns(part)),
    ):  # fmt: skip
        assert mine.shape == theirs.shape and mine.dtype == theirs.dtype
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)
    some = rng.random(clients) < 0.5
    np.testing.assert_array_equal(told.only(some).rows, full.rows[some])
    np.testing.assert_allclose(
        told.only(some).combine(weights[some]), full.only(some).combine(weights[some]), atol=1e-5
    )


@pytest.mark.parametrize("quick", QUICK)
def test_what_is_not_finite_shows(quick):
    told = made(0, 3, 6, 2, 1, 4, quick)
    told.counts[:] = 2
    told.names[:, :2], told.values[:, :2] = [0, 5], 1.0
    told.values[1, 0, 1] = np.inf
    assert np.isfinite(told.norms()).tolist() == [True, False, True]
    assert np.isfinite(told.only(np.isfinite(told.norms())).combine(np.ones(2))).all()
