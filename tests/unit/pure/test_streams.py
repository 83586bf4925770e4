import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from horae.pure.fairness import adjusted_rand_index, tail_means
from horae.pure.streams import stream, uniforms


def test_streams_differ_by_seed_purpose_number_and_path():
    draws = {
        stream(*key).integers(2**60)
        for key in [(0, "a"), (1, "a"), (0, "b"), (0, "a", 1), (0, "a", 1, 0), (0, "a", 1, 0, 0), (0, "a", 0, 1)]
    }
    assert len(draws) == 7
    assert stream(0, "a", 1, 2).integers(2**60) == stream(0, "a", 1, 2).integers(2**60)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=20), st.integers(0, 10**6), st.integers(0, 2**70))
def test_a_clients_number_does_not_depend_on_who_else_is_asked(ids, counter, seed):
    together = uniforms(seed, "x", ids, counter)
    assert ((together >= 0) & (together < 1)).all()
    for i, client in enumerate(ids):
        assert uniforms(seed, "x", client, counter)[0] == together[i]


def test_uniforms_are_uniform_and_uncorrelated():
    grid = uniforms(0, "x", np.arange(500)[:, None], np.arange(400)[None, :])
    assert abs(grid.mean() - 0.5) < 0.002
    assert abs(grid.var() - 1 / 12) < 0.001
    assert np.abs(np.corrcoef(grid[:20])[np.triu_indices(20, 1)]).max() < 0.2
    assert np.abs(np.corrcoef(grid[:, :20].T)[np.triu_indices(20, 1)]).max() < 0.2


def test_tails_by_hand():
    assert tail_means(np.array([0.5, 0.1, 0.9])) == (0.1, 0.9)
    assert tail_means(np.arange(11.0)) == (0.5, 9.5)  # a tenth of eleven is two
    assert np.isnan(tail_means(np.zeros(0))).all()


def test_agreement():
    assert adjusted_rand_index(np.array([0, 0, 1, 1]), np.array([5, 5, 3, 3])) == 1.0
    assert adjusted_rand_index(np.zeros(0, int), np.zeros(0, int)) is None
