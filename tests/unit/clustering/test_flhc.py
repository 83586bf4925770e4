import json

import numpy as np
import pytest
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score
from test_lockstep import practised, refused, resumed_is_the_same, seedling, shared_round, small_run

from horae.clustering import FlHc
from horae.clustering.flhc import agglomerated, gaps
from horae.errors import ConfigError
from horae.types import ROOT, Practise, Split, Stay

LINE = np.array([[0.0], [1.0], [10.0], [11.0], [30.0]])
WIDE = {5: [9.0, 0.0], 1: [0.0, 1.0], 2: [0.0, 3.0], 6: [11.0, 0.0]}


def test_what_is_nearer_than_the_threshold_is_joined():
    labels, height = agglomerated(LINE, "single", "l1", 5.0, 2)
    assert (labels.tolist(), height) == ([0, 0, 1, 1, 2], 1.0)
    labels, height = agglomerated(LINE, "single", "l1", 9.0, 2)  # 1 and 10 are nine apart
    assert (labels.tolist(), height) == ([0, 0, 0, 0, 1], 9.0)
    labels, height = agglomerated(LINE, "complete", "l1", 0.0, 2)  # 0 and 11 before 10 and 30
    assert (labels.tolist(), height) == ([0, 0, 0, 0, 1], 11.0)
    assert agglomerated(LINE, "single", "l1", 0.5, 2)[0].tolist() == [0, 1, 2, 3, 4]


def test_distances_by_hand():
    x, centres = np.array([[3.0, 4.0]]), np.array([[0.0, 0.0], [3.0, 0.0]])
    assert gaps(x, centres, "l1").tolist() == [[7, 4]]
    assert gaps(x, centres, "l2").tolist() == [[5, 4]]
    np.testing.assert_allclose(gaps(np.array([[0.6, 0.8]]), np.array([[1.0, 0.0], [0.6, 0.8]]), "cosine"), [[0.4, 0]])


@pytest.mark.parametrize("linkage", ["single", "complete", "average", "ward"])
@pytest.mark.parametrize(("metric", "theirs"), [("l1", "manhattan"), ("l2", "euclidean"), ("cosine", "cosine")])
def test_it_is_what_scikit_learn_finds(linkage, metric, theirs):
    if linkage == "ward" and metric != "l2":
        pytest.skip("Ward's linkage is for Euclidean distances")
    for seed in range(5):
        x = np.random.default_rng(seed).normal(size=(40, 6))
        x /= np.linalg.norm(x, axis=1, keepdims=True) if metric == "cosine" else 1
        for k in (2, 4, 9):
            found, height = agglomerated(x, linkage, metric, 0.0, k)
            peer = AgglomerativeClustering(k, metric=theirs, linkage=linkage, compute_distances=True).fit(x)
            assert adjusted_rand_score(found, peer.labels_) == 1
            assert height == pytest.approx(sorted(peer.distances_)[40 - k - 1])
            cut = AgglomerativeClustering(None, metric=theirs, linkage=linkage, distance_threshold=height * 1.0001).fit(
                x
            )
            assert adjusted_rand_score(agglomerated(x, linkage, metric, height * 1.0001, 0)[0], cut.labels_) == 1


def cut(**fields):
    """Clients 1, 2, 5 and 6 were there at the end of the only round before the clustering."""
    flhc = FlHc(rounds=1, k=2, **fields)
    ask, asked = practised(WIDE)
    tree, verdicts = shared_round(flhc, flhc.prepare(seedling(), None), {ROOT: ([1, 5], [[2.0, 0], [0, 2.0]])}, ask)
    return flhc, tree, verdicts, asked


def test_everybody_who_is_there_trains_once_and_the_updates_are_clustered():
    _, tree, (verdict,), asked = cut()
    assert asked == [([1, 2, 5, 6], [1.0, 1.0])]  # the model after the round
    assert isinstance(verdict, Split)
    assert verdict.cluster.tolist() == [0, 0, 1, 1]
    assert verdict.statistic == pytest.approx(2)
    assert tree.common.home == {1: (0,), 2: (0,), 5: (1,), 6: (1,)}
    assert tree.common.centres.tolist() == [[0, 2], [10, 0]]
    assert [leaf.params.tolist() for leaf in tree] == [[1, 1], [1, 1]]


def test_who_was_not_there_trains_once_and_goes_to_the_nearest_mean():
    flhc, tree, _, _ = cut()
    moved, _ = shared_round(flhc, tree, {(0,): ([1], [[5.0, 5.0]])})
    ask, asked = practised({8: [4.0, 1.0], 9: [7.0, 0.0]})  # from (4, 1): 4.1 against 6.1
    met = flhc.meet(moved, np.array([1, 8, 9]), ask)
    assert asked == [([8, 9], [1.0, 1.0])]  # the model of the clustering, not today's
    assert (met.common.home[8], met.common.home[9]) == ((0,), (1,))
    assert flhc.meet(met, np.array([8, 9]), None) is met


def test_by_cosine_length_does_not_count():
    flhc, tree, _, _ = cut(metric="cosine", linkage="average")
    assert tree.common.centres.tolist() == [[0, 1], [1, 0]]
    ask, _ = practised({8: [0.001, 0.002]})
    assert flhc.meet(tree, np.array([8]), ask).common.home[8] == (0,)


def test_one_cluster_is_no_split():
    flhc, tree, (verdict,), _ = cut(threshold=1000.0)
    assert isinstance(verdict, Stay)
    assert tree.paths() == (ROOT,)
    ask, _ = practised({8: [4.0, 1.0]})
    assert flhc.meet(tree, np.array([8]), ask).common.home == {1: ROOT, 2: ROOT, 5: ROOT, 6: ROOT, 8: ROOT}
    assert shared_round(flhc, tree, {ROOT: ([1], [[1.0, 1.0]])})[1] == []  # it is done once


def test_it_waits_for_the_rounds_and_for_enough_clients():
    flhc = FlHc(rounds=2, k=4)
    tree = flhc.prepare(seedling(), None)
    tree, verdicts = shared_round(flhc, tree, {ROOT: ([1], [[1.0, 0]])})
    assert verdicts == []
    assert flhc.meet(tree, np.array([1, 2]), None) is tree
    ask, _ = practised({1: [1.0, 0], 2: [0, 1.0]})
    tree, (verdict,) = shared_round(flhc, tree, {ROOT: ([1], [[1.0, 0]])}, ask)
    assert verdict.reason == "no clustering yet: 2 clients were there"
    tree, (verdict,) = shared_round(flhc, tree, {ROOT: ([1], [[1.0, 0]])}, practised(WIDE)[0])
    assert isinstance(verdict, Split)


def test_values_out_of_range_are_one_line():
    assert refused("flhc", "rounds", 0) == "clustering.rounds should be in [1, 1000000], got 0"
    assert refused("flhc", "threshold", -1.0) == "clustering.threshold should be >= 0, got -1.0"
    assert refused("flhc", "k", 1) == "clustering.k should be in [2, 255], got 1"
    assert (
        refused("flhc", "metric", "l1")
        == "clustering.metric should be 'l2' where clustering.linkage is 'ward', got 'l1'"
    )
    with pytest.raises(ConfigError, match=r"clustering.reach should be in \[2, 10000\]"):
        FlHc(reach=1)


def test_four_groups_are_found_and_the_practice_is_paid_for(tmp_path):
    changes = {"budget.participations": 800, "clustering.rounds": 5}
    run = small_run(tmp_path / "run", "flhc", changes)
    assert run.adjusted_rand_index == 1
    *_, end = (json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines())
    paid, trained = end["ledger"]["pre-training"], end["ledger"]["train"]
    assert paid["participations"] == 40  # each client once
    assert [paid[key] * 20 for key in ("flops", "nbytes_up", "nbytes_down")] == [
        trained[key] for key in ("flops", "nbytes_up", "nbytes_down")
    ]
    single = small_run(tmp_path / "single", "single", changes={"budget.participations": 800})
    assert run.simulated_s > single.simulated_s


def test_newcomers_are_paid_for_and_a_run_goes_on_where_it_stopped(tmp_path):
    changes = {"budget.participations": 200, "clustering.rounds": 2, "clustering.reach": 10, "participants": 8}
    for rounds in (1, 9):
        assert resumed_is_the_same(tmp_path / str(rounds), "flhc", changes, rounds)
    *_, end = (json.loads(line) for line in (tmp_path / "9" / "whole" / "events.jsonl").read_text().splitlines())
    assert 30 < end["ledger"]["pre-training"]["participations"] <= 40


def test_practise_says_who_asked():
    assert Practise(np.zeros(1, np.float32), np.zeros(0, np.float32)).purpose == "pre-training"
