"""Fielding: moves by label shares, by numbers worked out by hand."""

import json

import numpy as np
import pytest
from sklearn.metrics import silhouette_score

import horae
from horae.clustering.fielding import Fielding, best_k, silhouette, spacing
from horae.pure.packing import pack, unpack
from horae.pure.tree import ROOT, Cohort, CohortTree
from horae.types import LabelCounts

LEFT, RIGHT, BOTH = [9, 1, 0], [0, 1, 9], [5, 0, 5]


def first():
    return CohortTree({ROOT: Cohort(ROOT, np.array([0.0, 8.0], np.float32), np.zeros(0, np.float32))})


class Clients:
    """Label counts by client."""

    def __init__(self, **held):
        self.held = {int(name[1:]): counts for name, counts in held.items()}
        self.asked = []

    def __call__(self, work, *, charge=True):
        assert charge and isinstance(work, LabelCounts)
        self.asked += work.clients.tolist()
        return np.array([self.held[c] for c in work.clients.tolist()])


def met(method, tree, ask, *ids):
    return method.meet(tree, np.array(ids), ask)


def begun():
    ask = Clients(c0=LEFT, c1=LEFT, c2=RIGHT, c3=RIGHT, c4=LEFT, c5=RIGHT)
    return ask, met(Fielding(), first(), ask, 0, 1, 2, 3)


def test_silhouette_by_hand_and_as_in_scikit_learn():
    """0, 1 | 5, 5: a = 1, b = 5 and 4 for the first two; a = 0 for the others. (4/5 + 3/4 + 1 + 1) / 4."""
    x = np.array([[0.0], [1.0], [5.0], [5.0]])
    assert silhouette(x, np.array([0, 0, 1, 1])) == pytest.approx((0.8 + 0.75 + 2) / 4)
    assert silhouette(x, np.zeros(4, int)) == 0.0
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(30, 4)), np.arange(30) % 3
    labels[0] = 7  # alone in its cluster
    assert silhouette(x, labels) == pytest.approx(silhouette_score(x, labels))


def test_the_number_of_clusters_is_that_of_the_best_silhouette():
    rng = np.random.default_rng(0)
    rows = np.eye(4)[np.arange(40) % 4] + 0.05 * rng.random((40, 4))
    labels, k = best_k(rows, 8, rng)
    assert k == 4
    assert len({(a, b) for a, b in zip(labels.tolist(), (np.arange(40) % 4).tolist(), strict=True)}) == 4
    assert best_k(rng.normal(size=(60, 10)), 8, rng)[1] == 1  # no structure, one cluster
    assert best_k(np.ones((9, 3)), 8, rng)[1] == 1


def test_spacing_is_the_mean_distance_of_two_centres():
    assert spacing(np.array([[0.0], [1.0], [3.0]])) == pytest.approx((1 + 3 + 2) / 3)


def test_the_first_to_come_are_clustered_and_newcomers_join_the_nearest():
    ask, tree = begun()
    assert tree.paths() == ((0,), (1,))
    assert tree.common.home == {0: (0,), 1: (0,), 2: (1,), 3: (1,)}
    np.testing.assert_allclose(tree.common.centres, [[0.9, 0.1, 0], [0, 0.1, 0.9]], atol=1e-7)
    tree = met(Fielding(), tree, ask, 1, 4, 5)
    assert (tree.common.home[4], tree.common.home[5]) == ((0,), (1,))
    assert ask.asked == [0, 1, 2, 3, 1, 4, 5]  # whoever comes is asked again
    tree, verdicts = Fielding().settle(tree, 4, 0.0, None)
    assert [v.reason for v in verdicts] == ["all clustered anew: 2 clusters, of 2 + 2 clients"]
    assert Fielding().settle(tree, 4, 0.0, None)[1] == []
    unpack(pack(tree.common))


def test_a_client_whose_labels_changed_moves_alone():
    """One of 2 + 1 clients on the left turns right: the right centre stays where it was."""
    ask, tree = begun()
    tree = met(Fielding(), tree, ask, 4)
    tree, _ = Fielding().settle(tree, 4, 0.0, None)
    ask.held[4] = RIGHT
    tree = met(Fielding(), tree, ask, 4)
    assert tree.common.home[4] == (1,)
    assert tree.common.counted == 1
    _, verdicts = Fielding().settle(tree, 4, 0.0, None)
    assert [v.reason for v in verdicts] == ["1 clients whose labels changed went to another cluster"]


def test_centres_that_moved_too_far_cluster_everybody_anew():
    """The left centre goes from (.9, .1, 0) to (.7, .05, .25) when one of two becomes BOTH: by 0.32. The centres were
    0.9 √2 = 1.273 apart; a third of that is 0.42, a fifth 0.25."""
    for tau, counted in ((1 / 3, 1), (0.2, 2)):
        ask, tree = begun()
        ask.held[1] = BOTH
        tree = met(Fielding(tau=tau), tree, ask, 1)
        assert tree.common.counted == counted
    assert tree.paths() == ((0,), (1,))  # a cluster of one client has no silhouette
    assert tree.common.news[-1].statistic == pytest.approx(np.sqrt(0.2**2 + 0.05**2 + 0.25**2))
    assert tree.common.news[-1].threshold == pytest.approx(0.2 * 0.9 * np.sqrt(2))


def test_a_new_cluster_has_the_mean_of_the_models_that_its_clients_had():
    ask, tree = begun()
    for path, params in (((0,), [0, 4]), ((1,), [2, 0])):
        leaf = tree[path]
        tree = tree.put(Cohort(path, np.array(params, np.float32), leaf.buffers, 3))
    ask.held |= {0: LEFT, 1: RIGHT}  # two of the right cluster's three come from the right
    method = Fielding(tau=0.01)
    tree = met(method, met(method, tree, ask, 5), ask, 1)
    models = {tree.common.home[c]: tree[tree.common.home[c]].params for c in (0, 2)}
    assert len(models) == 2
    np.testing.assert_allclose(tree[tree.common.home[0]].params, [0, 4])
    # client 1 had moved by itself before all were clustered, so that all four of the right had its model
    np.testing.assert_allclose(tree[tree.common.home[2]].params, [2, 0])


def test_nobody_came():
    tree = first()
    assert Fielding().meet(tree, np.zeros(0, np.int64), None) is tree
    assert Fielding().settle(tree, 4, 0.0, None) == (tree, [])


def test_alike_clients_are_one_cluster_until_they_are_not():
    ask = Clients(**{f"c{i}": LEFT for i in range(8)})
    method = Fielding(tau=0.3)
    tree = met(method, first(), ask, *range(8))
    assert tree.paths() == (ROOT,)
    ask.held |= {i: RIGHT for i in range(4)}
    tree = met(method, tree, ask, *range(8))
    assert tree.paths() == ((0,), (1,))
    assert tree.common.home[0] != tree.common.home[7]


def test_counts_are_charged(tmp_path, monkeypatch):
    """Ten labels of four bytes each time, from everybody who was gathered."""
    monkeypatch.setattr("horae.report.html.write_report", lambda directory: None)
    table = {
        "participants": 8, "budget": {"participations": 40}, "baseline": "none", "clustering": {"name": "fielding"},
        "population": {"name": "digits-rotated", "clients": 30}, "availability": {"name": "always"}, "overcommit": 1.0,
    }  # fmt: skip
    horae.run(table, out=tmp_path / "run")
    ledger = json.loads((tmp_path / "run" / "events.jsonl").read_text().splitlines()[-1])["ledger"]
    assert ledger["labels"]["participations"] == ledger["train"]["participations"] == 40
    assert ledger["labels"]["nbytes_up"] == 40 * 40
    assert ledger["labels"]["nbytes_down"] == 0
