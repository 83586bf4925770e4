"""FedGWC: rewards, interactions and splits, by numbers worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.cluster import SpectralClustering
from sklearn.metrics import davies_bouldin_score

from horae.clustering.fedgwc import FedGwc, affinity, davies_bouldin, rewards, spectral
from horae.pure.fairness import adjusted_rand_index
from horae.pure.packing import pack, unpack
from horae.pure.tree import ROOT, Cohort, CohortTree
from horae.types import Outcome, Ref, Round, Split, Updates

NOBODY = np.zeros(0, np.int64)


def first():
    return CohortTree({ROOT: Cohort(ROOT, np.zeros(2, np.float32), np.zeros(0, np.float32))})


def outcome(clients, losses, population, path=ROOT, number=0):
    ids, n = np.asarray(clients), len(clients)
    round_ = Round(path, number, Ref("m", 0), ids, n, 1e9, np.full(n, np.nan), np.zeros(n, bool))
    updates = Updates(np.zeros((n, 2), np.float32))
    return Outcome(round_, 0.0, 1.0, ids, updates, np.zeros(0, np.float32), np.full(n, 10), np.asarray(losses, float),
                   np.ones(n), round_.claims, round_.exploring, population=population)  # fmt: skip


def trained(method, tree, groups, rounds, q, seed=0):
    """Rounds in which group 1's losses are higher by one; the tree after the first split."""
    rng, n = np.random.default_rng(seed), groups.size
    for number in range(rounds):
        ids = np.sort(rng.choice(n, q, replace=False))
        losses = 1 + groups[ids] + 0.1 * rng.normal(size=q)
        state, said = method.learn(tree[ROOT].clustering, outcome(ids, losses, n, number=number), tree)
        assert said is None
        tree, verdicts = method.settle(tree.put(replace(tree[ROOT], clustering=state)), q, 0.0, None)
        if tree.paths() != (ROOT,):
            return tree, verdicts
    return tree, []


def test_rewards_are_gaussian():
    """Losses 1, 2 and 3, equal samples: μ = 2, σ² = 2/3, r = exp(-1 / (4/3)) = exp(-0.75) at the ends."""
    np.testing.assert_allclose(rewards(np.array([1.0, 2.0, 3.0]), np.ones(3)), [np.exp(-0.75), 1, np.exp(-0.75)])
    # samples 3 and 1: μ = (3 · 0 + 1 · 4) / 4 = 1, σ² = (3 · 1 + 1 · 9) / 4 = 3
    np.testing.assert_allclose(rewards(np.array([0.0, 4.0]), np.array([3, 1])), np.exp([-1 / 6, -9 / 6]))
    np.testing.assert_allclose(rewards(np.array([5.0, 5.0]), np.ones(2)), [1, 1])


def test_interactions_and_the_running_mse():
    """Two of K = 4 clients, α = 1/2, rewards alike: W_ij = 1/2 · 1/16 + 1/2 · 1/2 = 9/32, a step of 7/32."""
    method, tree = FedGwc(), first()
    state, _ = method.learn(None, outcome([4, 7], [1, 1], 4), tree)
    np.testing.assert_allclose(state.w, np.full((2, 2), 9 / 32))
    assert state.mse == pytest.approx(0.5 * 1 + 0.5 * (7 / 32) ** 2)
    assert (state.calm, state.wait, state.size) == (0, 2, 4)
    state, _ = method.learn(state, outcome([5, 7], [1, 1], 4), tree)
    assert state.clients.tolist() == [4, 5, 7]
    # rows 4, 5, 7: the pair (4, 5) never met; 7 alone has been there twice: 9/64 + 1/4 = 25/64
    np.testing.assert_allclose(state.w * 64, [[18, 4, 18], [4, 18, 18], [18, 18, 25]])
    unpack(pack(state))


def test_a_loss_that_is_not_finite_is_not_rewarded():
    state, _ = FedGwc().learn(None, outcome([1, 2, 3], [1, np.nan, 1], 4), first())
    assert state.clients.tolist() == [1, 3]
    assert FedGwc().learn(None, outcome([1], [np.inf], 4), first()) == (None, None)


def test_affinity_leaves_the_pair_itself_out():
    """W is in [0, 1] already. Rows 0 and 1 differ in column 2 alone beside 0 and 1: (1 - 0)² = 1; rows 0 and 2 in
    column 1: (0.5 - 0)²; rows 1 and 2 in column 0: (0.2 - 0.4)²."""
    w = np.array([[0.9, 0.5, 1.0], [0.2, 0.7, 0.0], [0.4, 0.0, 0.3]])
    a = affinity(w, 2.0)
    np.testing.assert_allclose([a[0, 1], a[0, 2], a[1, 2]], np.exp([-2.0, -0.5, -0.08]))
    np.testing.assert_allclose(a, a.T)
    assert not np.diag(a).any()
    np.testing.assert_allclose(affinity(5 + 3 * w, 2.0), a)  # W is scaled first


def test_davies_bouldin_by_hand_and_as_in_scikit_learn():
    """Clusters 0, 2 and 10, 14: spreads 1 and 2, centres 11 apart, (1 + 2) / 11."""
    x = np.array([[0.0], [2.0], [10.0], [14.0]])
    assert davies_bouldin(x, np.array([0, 0, 1, 1]), 2) == pytest.approx(3 / 11)
    assert davies_bouldin(x, np.array([0, 0, 0, 0]), 2) == np.inf
    rng = np.random.default_rng(1)
    x, labels = rng.normal(size=(40, 3)), np.arange(40) % 4
    assert davies_bouldin(x, labels, 4) == pytest.approx(davies_bouldin_score(x, labels))


def test_spectral_clusters_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    planted = np.arange(30) % 3
    a = np.where(planted[:, None] == planted[None, :], 0.8, 0.1) + 0.05 * rng.random((30, 30))
    a = (a + a.T) / 2
    np.fill_diagonal(a, 0.0)
    labels, score = spectral(a, 3, np.random.default_rng(0))
    theirs = SpectralClustering(3, affinity="precomputed", random_state=0).fit_predict(a).astype(np.int64)
    assert adjusted_rand_index(labels, theirs) == adjusted_rand_index(labels, planted) == 1.0
    assert score < spectral(a, 4, np.random.default_rng(0))[1]


def test_a_minority_of_other_losses_is_found():
    groups = (np.arange(80) % 5 == 0).astype(np.int64)
    tree, verdicts = trained(FedGwc(), first(), groups, 60, 40)
    (split,) = verdicts
    assert isinstance(split, Split)
    found = np.array([tree.common.home[c][0] for c in range(80)])
    assert adjusted_rand_index(found, groups) == 1.0
    assert [leaf.clustering.size for leaf in tree.leaves()] == [16, 64]
    assert all(leaf.clustering.mse == 1.0 for leaf in tree.leaves())


def test_halves_are_not_found():
    """Both are as far from the mean loss: the rewards are the same. A limit of the method with one loss per round."""
    groups = np.arange(80) % 2
    tree, _ = trained(FedGwc(), first(), groups, 60, 40)
    found = np.array([tree.paths().index(tree.common.home[c]) for c in range(80)])
    assert abs(adjusted_rand_index(found, groups)) < 0.1


def test_clusters_no_larger_than_a_round_are_left_alone():
    tree, verdicts = trained(FedGwc(eps=1.0), first(), np.arange(20) % 5 // 4, 30, 20)
    assert tree.paths() == (ROOT,) and verdicts == []


def test_those_who_come_later_belong_where_they_were_served():
    method, tree = FedGwc(), first().split(ROOT, 2, None)
    state, _ = method.learn(None, outcome([3, 9], [1, 1], 4, (1,)), tree)
    tree, _ = method.settle(tree.put(replace(tree[(1,)], clustering=state)), 2, 0.0, None)
    assert tree.common.home == {3: (1,), 9: (1,)}
