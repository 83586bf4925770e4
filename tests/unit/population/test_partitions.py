import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from horae.errors import ConfigError
from horae.population import partitions

seeds = st.integers(0, 2**32 - 1)


def rows(ragged):
    return [ragged.row(i).tolist() for i in range(len(ragged))]


def rng(seed=0):
    return np.random.default_rng(seed)


def test_deal_reuses_nothing_before_the_pool_is_spent():
    # ten samples serve three clients of three; the next three get theirs from another shuffle
    hands = rows(partitions.deal(np.arange(10), 7, 3, rng()))
    assert len(set(np.concatenate(hands[:3]))) == 9
    assert len(set(np.concatenate(hands[3:6]))) == 9
    assert rows(partitions.deal(np.arange(4), 2, 0, rng())) == [[], []]
    with pytest.raises(ConfigError, match="at most 2 samples, the pool of its group, got 3; lower it"):
        partitions.deal(np.arange(2), 1, 3, rng())


@given(st.integers(1, 30), st.integers(0, 20), st.integers(0, 30), seeds)
def test_deal_gives_distinct_samples_of_the_pool(size, n, each, seed):
    pool = 100 + np.arange(size)
    dealt = partitions.deal(pool, n, min(each, size), rng(seed))
    assert len(dealt) == n
    for hand in rows(dealt):
        assert len(set(hand)) == len(hand) == min(each, size)
        assert set(hand) <= set(pool.tolist())


def test_deal_groups_keeps_to_the_pools():
    groups = np.array([1, 0, 1, 2, 1])
    pools = [np.arange(0, 5), np.arange(5, 10), np.arange(10, 15)]
    dealt = partitions.deal_groups(pools, groups, 4, rng())
    assert [{i // 5 for i in hand} for hand in rows(dealt)] == [{1}, {0}, {1}, {2}, {1}]
    assert partitions.deal_groups(pools, groups, 0, rng()).sizes.tolist() == [0] * 5


@given(st.integers(1, 40), st.data(), seeds)
def test_iid_is_a_near_equal_partition(size, data, seed):
    n = data.draw(st.integers(1, size))
    parts = partitions.iid(np.arange(size), n, rng(seed))
    assert sorted(parts.indices.tolist()) == list(range(size))
    assert parts.sizes.max() - parts.sizes.min() <= 1


def test_iid_refuses_more_clients_than_samples():
    with pytest.raises(ConfigError, match=r"population.clients should be in \[1, 3\]"):
        partitions.iid(np.arange(3), 4, rng())


@settings(max_examples=60, deadline=None)
@given(
    alpha=st.one_of(st.sampled_from([5e-324, 1e-6, 1e300]), st.floats(1e-9, 1e6)),
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=40),
    n=st.integers(0, 6),
    each=st.integers(0, 60),
    seed=seeds,
)
def test_dirichlet_always_ends(alpha, labels, n, each, seed):
    labels, pool = np.array(labels), np.arange(len(labels))
    dealt, q = partitions.dirichlet(labels, pool, n, each, alpha, rng(seed))
    assert dealt.sizes.tolist() == [each] * n
    assert np.isfinite(q).all() and np.allclose(q.sum(axis=1), 1)
    for hand in rows(dealt):
        held = np.bincount(hand, minlength=len(labels))
        for c in np.unique(labels):
            # copies of a class's samples differ by no more than the class being short of samples makes them
            members = held[labels == c]
            if members.sum() <= members.size:
                assert members.max() <= 1


def test_dirichlet_extremes():
    labels, pool = np.repeat(np.arange(4), 100), np.arange(400)
    tiny, _ = partitions.dirichlet(labels, pool, 50, 20, 1e-6, rng())
    assert all(len(set(labels[hand])) == 1 for hand in rows(tiny))
    _, even = partitions.dirichlet(labels, pool, 50, 20, 1e9, rng())
    assert np.abs(even - 0.25).max() < 1e-3


def test_dirichlet_mean_is_the_prior():
    # Dir(α p) has mean p and variance p (1 - p) / (α + 1): here .16 / 2 = .08
    q = partitions.dirichlet_rows(1.0 * np.array([0.8, 0.2, 0.0]), 20_000, rng())
    np.testing.assert_allclose(q.mean(axis=0), [0.8, 0.2, 0.0], atol=0.01)
    np.testing.assert_allclose(q.var(axis=0), [0.08, 0.08, 0.0], atol=0.005)


def test_dirichlet_draws_again_from_the_same_proportions():
    labels = np.array([0, 0, 0, 1, 1, 1])
    q = np.array([[1.0, 0.0], [0.0, 1.0]])
    dealt, same = partitions.dirichlet(labels, np.arange(6), 2, 3, 0.3, rng(), q)
    assert same is q
    assert [sorted(hand) for hand in rows(dealt)] == [[0, 1, 2], [3, 4, 5]]
    # a pool without label 1 gives the second client what it has
    lacking, _ = partitions.dirichlet(labels, np.arange(3), 2, 3, 0.3, rng(), q)
    assert [sorted(hand) for hand in rows(lacking)] == [[0, 1, 2], [0, 1, 2]]


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("inf"), float("nan")])
def test_dirichlet_refuses(alpha):
    with pytest.raises(ConfigError, match=r"population.alpha should be in \(0, inf\)"):
        partitions.dirichlet(np.zeros(3, np.int64), np.arange(3), 1, 1, alpha, rng())


def test_shards_by_hand():
    # twelve samples of three labels make six shards of two, each of one label
    labels = np.tile([0, 1, 2], 4)
    dealt = partitions.shards(labels, np.arange(12), 3, 2, rng())
    assert sorted(dealt.indices.tolist()) == list(range(12))
    for hand in rows(dealt):
        assert len(hand) == 4
        assert labels[hand[0]] == labels[hand[1]] and labels[hand[2]] == labels[hand[3]]
    with pytest.raises(ConfigError, match="make 1 to 12 shards"):
        partitions.shards(labels, np.arange(12), 7, 2, rng())


def test_natural_is_one_client_per_owner():
    assert rows(partitions.natural(np.array([7, 3, 7, 9, 3]))) == [[1, 4], [0, 2], [3]]
