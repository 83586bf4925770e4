"""StoCFL: merging, models of merged clusters and the hold at the global model, by numbers worked out by hand."""

import json

import numpy as np
import pytest

import horae
from horae.algorithms import FedAvg
from horae.clustering.stocfl import StoCfl, merged
from horae.federate import correction
from horae.pure.tree import ROOT, Cohort, CohortTree
from horae.types import Correction, Practice, Records, Tethering, Updates

TRIAL = {
    "participants": 20, "budget": {"participations": 160}, "baseline": "none", "clustering": {"name": "stocfl"},
    "population": {"name": "digits-rotated", "clients": 60}, "availability": {"name": "always"},
}  # fmt: skip


def begun(method):
    root = Cohort(ROOT, np.array([1, 2], np.float32), np.zeros(0, np.float32))
    return method.prepare(CohortTree({ROOT: root}), None)


class Clients:
    """Ψ of each client is given by its id."""

    def __init__(self, psi):
        self.psi, self.asked = psi, []

    def __call__(self, work, *, charge=True):
        assert charge
        self.asked.append(work)
        rows = np.array([self.psi[c] for c in work.clients.tolist()], np.float32).reshape(-1, 2)
        return Practice(work.clients, Updates(rows), work.clients + 1, np.ones(work.clients.size))


def who(ids):
    empty = np.zeros((len(ids), 0))
    return Records(
        np.array(ids), (), empty, empty.astype(int), empty.astype(int), empty.astype(bool), np.zeros(len(ids))
    )


def test_the_best_pair_is_merged_first_and_means_are_worked_out_anew():
    """At 0°, 10°, 40° and 100°: the first two merge (cos 10° = 0.985), to 5° by their sum; 40° is 35° away (0.819) and
    100° is 60° from 40° (0.5). With τ = 0.7 the third comes too; (1, .985, .766) sum to about 16.5°, and 100° stays."""
    rows = np.array([[np.cos(a), np.sin(a)] for a in np.deg2rad([0, 10, 40, 100])])
    heir, best = merged(rows, 0.7, [(False, 1)] * 4)
    assert heir == [0, 0, 0, 3]
    total = rows[:3].sum(axis=0)
    assert best == pytest.approx(rows[3] @ total / np.linalg.norm(total))
    assert merged(rows, 0.9, [(False, 1)] * 4)[0] == [0, 0, 2, 3]
    assert merged(rows, -0.9, [(False, 1)] * 4)[0] == [0, 0, 0, 0]


def test_of_two_the_trained_and_then_the_larger_one_stays():
    same = np.ones((2, 3))
    assert merged(same, 0.5, [(False, 9), (True, 1)])[0] == [1, 1]
    assert merged(same, 0.5, [(True, 2), (True, 3)])[0] == [1, 1]
    assert merged(same, 0.5, [(True, 3), (True, 3)])[0] == [0, 0]


def test_newcomers_are_clusters_of_their_own_until_they_are_merged():
    method, ask = StoCfl(tau=0.5, lam=0.0, steps=3), Clients({5: [1, 0], 6: [0, 1], 7: [2, 0.1], 8: [-1, 0], 9: [1, 1]})
    tree = method.meet(begun(method), np.array([5, 6, 7]), ask)
    assert ask.asked[0].clients.tolist() == [5, 6, 7] and ask.asked[0].steps == 3
    assert tree.common.home == {5: (0,), 6: (1,), 7: (0,)}
    assert tree.paths() == ((0,), (1,))
    tree = method.meet(tree, np.array([6, 8]), ask)
    assert ask.asked[1].clients.tolist() == [8]
    assert tree.common.home[8] == (3,)
    # clusters that are not here are not touched: 9 lies between (0,) and (1,), but of these only (1,) was drawn
    tree = method.meet(tree, np.array([6, 9]), ask)
    assert tree.common.home == {5: (0,), 6: (1,), 7: (0,), 8: (3,), 9: (1,)}
    tree, verdicts = method.settle(tree, 3, 0.0, ask)
    assert [v.reason for v in verdicts] == ["3 clusters of 5 clients that were met"]
    assert len(ask.asked) == 3  # λ = 0: nobody trains a global model


def test_unmet_clients_are_served_by_the_largest_cluster():
    method = StoCfl(lam=0.0)
    tree = method.meet(begun(method), np.array([1, 2, 3]), Clients({1: [0, 1], 2: [1, 0], 3: [1, 0]}))
    wishes = method.request(who([1, 2, 50, 51]), tree, 0, explore=False)
    assert [wishes.paths[i] for i in wishes.choice] == [(0,), (1,), (1,), (1,)]


def test_the_global_model_moves_by_the_participants_mean_and_new_clusters_begin_with_it():
    """Samples are id + 1: clients 1 and 3 weigh 2 and 4 of 6."""
    method, ask = StoCfl(tau=0.9, lam=0.5), Clients({1: [3, 0], 3: [0, 3], 4: [-1, -1]})
    tree = method.meet(begun(method), np.array([1, 3]), ask)
    for path, client in (((0,), 1), ((1,), 3)):
        leaf = tree[path]
        tree = tree.put(Cohort(path, leaf.params, leaf.buffers, 1, clustering=np.array([client])))
    tree, _ = method.settle(tree, 2, 0.1, ask)
    assert ask.asked[-1].purpose == "global model" and ask.asked[-1].clients.tolist() == [1, 3]
    np.testing.assert_allclose(tree.common.omega, [1 + 3 * 2 / 6, 2 + 3 * 4 / 6])
    assert all(leaf.clustering is None for leaf in tree.leaves())
    tree = method.meet(tree, np.array([4]), ask)
    np.testing.assert_allclose(tree[(2,)].params, [2, 4])


def test_training_is_held_at_the_global_model():
    """λ (w - ω) = λ (w - w0) + λ (w0 - ω), on top of the algorithm's own prox."""

    class Plan:
        clustering, algorithm = StoCfl(lam=0.5), FedAvg()

    tree = begun(Plan.clustering)
    moved = Cohort((0,), np.array([3, 2], np.float32), np.zeros(0, np.float32))
    bent = correction(Plan, tree, moved)
    assert isinstance(Plan.clustering, Tethering)
    assert bent.prox == Correction().prox + 0.5
    np.testing.assert_allclose(bent.drift, [1.0, 0.0])
    Plan.clustering = StoCfl(lam=0.0)
    assert correction(Plan, tree, moved).drift is None


@pytest.fixture(autouse=True, scope="module")
def no_reports():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("horae.report.html.write_report", lambda directory: None)
        yield


def test_it_finds_the_rotations_and_pays_for_the_global_model(tmp_path):
    result = horae.run(TRIAL, out=tmp_path / "run")
    assert result.summary["cohorts"] == 4
    assert result.summary["adjusted_rand_index"] >= 0.95
    ledger = json.loads((tmp_path / "run" / "events.jsonl").read_text().splitlines()[-1])["ledger"]
    for column in ("participations", "nbytes_up", "nbytes_down", "flops"):
        assert ledger["global model"][column] == ledger["train"][column]


def test_a_strong_hold_makes_clusters_alike(tmp_path):
    def spread(lam):
        table = {**TRIAL, "clustering": {"name": "stocfl", "lam": lam}}
        models = np.stack(list(horae.run(table, out=tmp_path / str(lam)).models.values()))
        return models.var(axis=0).sum()

    assert spread(5.0) < 0.2 * spread(0.0)
