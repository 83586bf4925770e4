"""Facts of the Auxo paper (SoCC 2023) that are small enough to check."""

import hashlib
import json

import numpy as np
import pytest

import horae
from horae.clustering import Auxo
from horae.clustering.policy import remember
from horae.engines.store import ClientStore
from horae.pure.affinity import instant_reward
from horae.types import ROOT, UNKNOWN, Cohort, CohortTree, Feedback

SIBLING, HERE, COUSIN = (0, 0), (0, 1), (1,)  # the paper's 0.0.0, 0.0.1 and 0.1


def seedling():
    return CohortTree({ROOT: Cohort(ROOT, np.zeros(2, np.float32), np.zeros(0, np.float32))})


def tell(store, path, leaves, reward=np.nan, cluster=UNKNOWN, visit=1, taste=None):
    taste = taste or Auxo(gamma=1.0)
    message = Feedback(path, np.array([7]), np.array([reward]), np.array([cluster]), leaves, np.array([UNKNOWN]), visit)
    store.make_room(message)
    store.write(remember(taste, store.records(message.clients), message))
    records = store.records(message.clients)
    return dict(zip(records.paths, records.reward[0].tolist(), strict=True))


def test_figure_7_a_bad_visit_halves_for_the_sibling_and_thirds_for_the_cousin():
    reward = tell(ClientStore(), HERE, (SIBLING, HERE, COUSIN), -3.0)
    assert (reward[HERE], reward[SIBLING], reward[COUSIN]) == (-3.0, -1.5, -1.0)


def test_at_mean_plus_deviation_a_reward_is_zero_and_beyond_it_marks_an_outlier():
    # Four known at distances 1, 1, 3, 3 from their centre 0: mean 2, deviation 1, so 3 is exactly the border.
    x = np.array([[1.0], [-1.0], [3.0], [-3.0]])
    reward = instant_reward(x, np.ones(4, bool), leave_one_out=False)
    np.testing.assert_allclose(reward, [2 / 3, 2 / 3, 0, 0], atol=1e-12)
    assert instant_reward(np.array([[0.0], [0.0], [0.0], [9.0]]), np.array([True] * 3 + [False]))[3] < 0


def test_a_child_starts_as_its_parent_and_the_own_one_a_tenth_better():
    store = ClientStore()
    tell(store, (0,), ((0,), (1,)), 0.5)
    reward = tell(store, (0,), ((0, 0), (0, 1), (1,)), cluster=1, visit=0)  # news of a split of (0,)
    assert reward[(0, 0)] == 0.5
    assert reward[(0, 1)] == pytest.approx(0.6)


def test_the_number_of_participants_is_the_same_however_many_cohorts_there_are():
    tree, auxo = seedling(), Auxo()
    for path in (ROOT, (0,), (1,), (0, 1)):
        assert sum(auxo.quota(tree, 200).values()) == 200
        tree = tree.split(path, 2, None)
    quota = auxo.quota(tree, 200)
    assert set(quota) == set(tree.paths())
    assert set(quota.values()) == {40}  # five leaves
    assert sorted(auxo.quota(tree, 203).values()) == [40, 40, 41, 41, 41]


def test_a_request_for_what_is_no_leaf_is_served_by_a_leaf():
    tree = seedling().split(ROOT, 2, None).split((0,), 2, None)
    assert tree.resolve((0,), {(0,): 1}, 0.0) == (0, 1)  # its own child, where it is known
    assert tree.resolve((0,), {}, 0.9) == (0, 1)
    assert tree.resolve((1, 5, 5), {}, 0.0) == (1,)  # made up
    assert tree.resolve(ROOT, {ROOT: 0, (0,): 0}, 0.9) == (0, 0)


def test_four_planted_groups_are_found_and_served_better(tmp_path):
    result = horae.run("demo", out=tmp_path / "run", budget={"participations": 3000})
    assert result.cohorts == 4
    assert result.adjusted_rand_index >= 0.95
    assert result.gain >= 0.05
    assert result.accuracy_worst10 > result.summary["baseline"]["accuracy_worst10"]
    assert result.baseline.tree.paths() == (ROOT,)
    *_, end = (tmp_path / "run" / "events.jsonl").read_text().splitlines()
    ledger = json.loads(end)["ledger"]
    cost = {purpose: row["nbytes_up"] + row["nbytes_down"] for purpose, row in ledger.items()}
    assert 0 < cost["affinity"] < 0.02 * sum(cost.values())  # of a model of 650 weights; 0.02 % of the paper's


def digest(arm):
    sha = hashlib.sha256()
    for path in arm.tree.paths():
        sha.update(arm.tree[path].params.tobytes())
    for score in arm.scores:
        sha.update(repr([score[key] for key in ("accuracy", "worst10", "best10", "variance", "loss")]).encode())
    return sha.hexdigest()


@pytest.mark.slow
def test_of_twenty_homogeneous_populations_at_most_one_splits_and_the_rest_are_plain_training(tmp_path):
    split = []
    for seed in range(20):
        table = {
            "name": "iid",
            "participants": 30,
            "budget": {"participations": 3000},
            "population": {"name": "digits-iid"},
        }
        result = horae.run(table, out=tmp_path / str(seed), seed=seed)
        if result.splits:
            split.append(seed)
        else:
            assert digest(result) == digest(result.baseline)
    assert len(split) <= 1, split
