"""FedClust: clusters from the final layer, by numbers worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import AgglomerativeClustering

import horae
from horae.clustering.fedclust import FedClust, agglomerate
from horae.pure.fairness import adjusted_rand_index
from horae.pure.tree import ROOT, Cohort, CohortTree
from horae.types import Practice, Split, Stay, Updates


def first():
    return CohortTree({ROOT: Cohort(ROOT, np.zeros(4, np.float32), np.zeros(0, np.float32))})


class Clients:
    """The first half of an update is noise; the second half, the final layer, tells even ids from odd ones."""

    def __init__(self, there):
        self.there, self.asked = np.array(there, np.int64), []

    def __call__(self, work, *, charge=True):
        assert charge
        self.asked.append(work)
        ids = self.there if work.clients is None else work.clients
        rows = np.array([[50.0, c, c % 2, 1 - c % 2] for c in ids], np.float32).reshape(-1, 4)
        return Practice(ids, Updates(rows), np.full(ids.size, 10), np.ones(ids.size))


def test_clusters_are_joined_by_mean_distance():
    """0, 1 and 3: 0 and 1 join at 1; 3 is at (3 + 2) / 2 = 2.5 from them."""
    rows = np.array([[3.0], [0.0], [1.0]])
    assert agglomerate(rows, 2.4).tolist() == [0, 1, 1]
    assert agglomerate(rows, 2.6).tolist() == [0, 0, 0]
    assert agglomerate(rows, 0.9).tolist() == [0, 1, 2]
    assert agglomerate(rows, 0.9, k=2).tolist() == [0, 1, 1]


@given(st.integers(0, 10_000), st.integers(2, 5))
def test_clusters_agree_with_scikit_learn(seed, k):
    rows = np.random.default_rng(seed).normal(size=(15, 4))
    theirs = AgglomerativeClustering(k, linkage="average").fit_predict(rows).astype(np.int64)
    assert adjusted_rand_index(agglomerate(rows, 1.0, k), theirs) == 1.0


def test_only_the_final_layer_counts_and_is_sent():
    method, ask = FedClust(last=0.5, threshold=0.5, steps=9, most=77), Clients([0, 1, 2, 3, 5])
    tree = method.meet(first(), np.array([0, 1]), ask)
    (work,) = ask.asked
    assert (work.n, work.steps, work.sent) == (77, 9, 0.5)
    assert tree.common.home == {0: (0,), 1: (1,), 2: (0,), 3: (1,), 5: (1,)}
    np.testing.assert_array_equal([leaf.params for leaf in tree.leaves()], np.zeros((2, 4)))  # both begin anew
    tree = method.meet(tree, np.array([1, 8, 9]), ask)
    assert ask.asked[1].clients.tolist() == [8, 9]
    assert (tree.common.home[8], tree.common.home[9]) == ((0,), (1,))
    tree, verdicts = method.settle(tree, 4, 0.0, None)
    assert [type(v) for v in verdicts] == [Split]
    assert method.settle(tree, 4, 0.0, None)[1] == []


def test_the_whole_vector_says_something_else():
    """With the first half, unit updates are nearly equal: one cluster."""
    tree = FedClust(last=1.0, threshold=0.5).meet(first(), np.array([0]), Clients([0, 1, 2, 3]))
    assert tree.paths() == ((0,),)


@pytest.mark.parametrize("there", [[], [4]])
def test_one_client_is_no_cluster(there):
    method = FedClust()
    tree = method.meet(first(), np.array([4]), Clients(there))
    assert tree.paths() == (ROOT,)
    assert isinstance(method.settle(tree, 4, 0.0, None)[1][0], Stay)


def test_it_finds_the_rotations(tmp_path, monkeypatch):
    monkeypatch.setattr("horae.report.html.write_report", lambda directory: None)
    table = {
        "participants": 20, "budget": {"participations": 160}, "baseline": "none", "clustering": {"name": "fedclust"},
        "population": {"name": "digits-rotated", "clients": 60}, "availability": {"name": "always"},
    }  # fmt: skip
    summary = horae.run(table, out=tmp_path / "run").summary
    assert summary["cohorts"] == 4
    assert summary["adjusted_rand_index"] >= 0.95
