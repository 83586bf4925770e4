import json

import numpy as np
import pytest
from test_lockstep import no_records, refused, resumed_is_the_same, seedling, shared_round, small_run

from horae.clustering import Ifca
from horae.types import ROOT


def begun(**fields):
    ifca = Ifca(**{"k": 2, **fields})
    return ifca, ifca.prepare(seedling((3.0, 4.0)), None)


def test_each_client_asks_for_the_model_of_its_lowest_loss():
    ifca, tree = begun(k=3)
    losses = np.array([[0.5, 0.2, 0.9], [0.4, 0.4, 0.9], [np.nan, np.inf, 7.0], [np.nan, np.nan, np.nan]])
    asked = ifca.request(no_records(range(4), losses), tree, 0, explore=True)
    assert asked.choice.tolist() == [1, 0, 2, 0]
    assert ifca.needs_losses


def test_the_models_begin_as_the_first_one_plus_noise_of_its_size():
    first = np.linspace(-2, 2, 20_000).astype(np.float32)  # rms 2 / sqrt(3)
    trees = [Ifca(k=2, noise=noise).prepare(seedling(first), None) for noise in (1.0, 1.0, 0.5)]
    drawn = [[leaf.params - first for leaf in tree] for tree in trees]
    assert np.sqrt((drawn[0][0] ** 2).mean()) == pytest.approx(2 / np.sqrt(3), rel=0.02)
    np.testing.assert_array_equal(drawn[0], drawn[1])  # the same for the same first model
    np.testing.assert_allclose(drawn[2][0], drawn[0][0] / 2, atol=1e-6)
    assert abs(np.corrcoef(drawn[0])[0, 1]) < 0.05
    other = Ifca(k=2).prepare(seedling(first + np.float32(1e-3)), None)
    assert np.abs(other[(0,)].params - first - drawn[0][0]).max() > 0.1


def trained(ifca, tree, losses):
    return shared_round(
        ifca, tree, {(0,): ([1], [[1.0, 0.0]], None, losses[:1]), (1,): ([2], [[0.0, 1.0]], None, losses[1:])}
    )


@pytest.mark.parametrize(("first", "second", "winner"), [(2.0, 3.0, 0), (3.0, 2.0, 1)])
def test_the_start_of_the_lowest_training_loss_goes_on(first, second, winner):
    ifca, tree = begun(restarts=2, trial=2)
    starts = []
    for loss in (first, second):
        tree, verdicts = trained(ifca, tree, [9.0, 9.0])  # the first half of a trial does not count
        assert verdicts == []
        starts.append([leaf.params for leaf in tree])
        tree, verdicts = trained(ifca, tree, [loss - 0.5, loss + 0.5])
        assert verdicts[0].statistic == loss
    assert "start 2 of 2" in verdicts[0].reason
    assert ("best so far" in verdicts[0].reason) == (winner == 1)
    for leaf, start, step in zip(tree, starts[winner], ([1, 0], [0, 1]), strict=True):
        np.testing.assert_allclose(leaf.params, start + step, atol=1e-6)
    assert tree.common is None
    assert [leaf.round for leaf in tree] == [4, 4]  # rounds are counted on
    after, verdicts = trained(ifca, tree, [1.0, 1.0])
    assert verdicts == []
    assert after[(0,)].params.tolist() == (tree[(0,)].params + np.array([1, 0], np.float32)).tolist()


def test_a_round_to_which_nobody_came_is_no_part_of_a_trial():
    ifca, tree = begun(restarts=2, trial=1)
    assert shared_round(ifca, tree, {}) == (tree, [])


def test_without_restarts_there_is_no_trial():
    ifca, tree = begun(restarts=1)
    assert tree.common is None
    assert trained(ifca, tree, [1.0, 1.0])[1] == []


def test_gradient_averaging_divides_by_all_participants():
    # three of four in the first cohort, with mean update 4: a step of 3/4 · 4; the other one: 1/4 · 4
    ifca, tree = begun(restarts=1, averaging="gradients")
    ended, _ = shared_round(ifca, tree, {(0,): ([1, 2, 3], [[4.0, 0], [5.0, 0], [3.0, 0]]), (1,): ([4], [[0, 4.0]])})
    np.testing.assert_allclose(ended[(0,)].params - tree[(0,)].params, [3, 0], atol=1e-6)
    np.testing.assert_allclose(ended[(1,)].params - tree[(1,)].params, [0, 1], atol=1e-6)


def test_values_out_of_range_are_one_line():
    assert refused("ifca", "k", 0) == "clustering.k should be in [1, 255], got 0"
    assert refused("ifca", "noise", 0.0) == "clustering.noise should be in (0, 100], got 0.0"
    assert refused("ifca", "trial", 0) == "clustering.trial should be in [1, 10000], got 0"
    assert refused("ifca", "restarts", 0) == "clustering.restarts should be in [1, 100], got 0"
    assert "'models', 'gradients'" in refused("ifca", "averaging", "means")


def test_four_groups_are_found_and_every_model_is_paid_for(tmp_path):
    changes = {"budget.participations": 800, "clustering.restarts": 2, "clustering.trial": 3}
    run = small_run(tmp_path / "run", "ifca", changes)
    assert run.adjusted_rand_index >= 0.95
    events = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    ledger, model = events[-1]["ledger"], 4 * 650
    assert ledger["train"]["participations"] == 800
    assert ledger["losses"]["participations"] == 800  # the trial's rounds too
    assert ledger["losses"]["nbytes_down"] + ledger["train"]["nbytes_down"] == 800 * 4 * model
    per_sample = ledger["train"]["flops"] // (800 * 50 * 3)  # five steps of ten, there and back
    assert ledger["losses"]["flops"] == 800 * 4 * 29 * per_sample  # one pass of 29 samples for each model
    assert sum(e["event"] == "verdict" for e in events) == 2
    single = small_run(tmp_path / "single", "single", {"budget.participations": 800})
    assert run.simulated_s > single.simulated_s  # twenty rounds each: fetching and measuring take time


def test_a_trial_that_is_interrupted_goes_on(tmp_path):
    changes = {"budget.participations": 400, "clustering.restarts": 2, "clustering.trial": 3}
    assert resumed_is_the_same(tmp_path, "ifca", changes, rounds=13)


def test_the_root_is_gone():
    _, tree = begun()
    assert tree.paths() == ((0,), (1,))
    assert ROOT in tree.children
