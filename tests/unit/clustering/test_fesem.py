import json

import numpy as np
from test_lockstep import refused, resumed_is_the_same, seedling, shared_round, small_run

from horae.clustering import FeSem
from horae.types import ROOT, Split, Stay


def begun():
    """Two leaves at (1.75, 0) and (-1, 0) whose clients are 1 and 2, and 3 and 4."""
    replies = ([1, 2, 3, 4], [[1.0, 0.0], [2.0, 0.0], [-1.0, 0.1], [-1.0, -0.1]], [1, 3, 2, 2])
    return shared_round(FeSem(k=2), seedling(), {ROOT: replies})


def test_the_first_models_cluster_into_centres():
    tree, verdicts = begun()
    assert tree.paths() == ((0,), (1,))
    np.testing.assert_allclose(tree[(0,)].params, [1.75, 0])  # (1 · 1 + 3 · 2) / 4
    np.testing.assert_allclose(tree[(1,)].params, [-1, 0], atol=1e-7)
    assert tree.common.home == {1: (0,), 2: (0,), 3: (1,), 4: (1,)}
    assert isinstance(verdicts[0], Split)
    assert verdicts[0].cluster.tolist() == [0, 0, 1, 1]
    assert tree[(0,)].round == 1


def test_who_ends_nearer_to_another_centre_moves_there():
    tree, _ = begun()
    # Client 2 goes from 1.75 to -0.25, client 9 comes to the other cohort and goes from -1 to 0. After the round the
    # centres are 0.75 (mean of 1.75 and -0.25) and -0.5 (of -1 and 0). From -0.25: 1 to .25; from 0: .75 to .5
    replies = {(0,): ([1, 2], [[0.0, 0], [-2.0, 0]]), (1,): ([3, 9], [[0.0, 0], [1.0, 0]])}
    after, verdicts = shared_round(FeSem(k=2), tree, replies)
    assert verdicts == []
    np.testing.assert_allclose([after[(0,)].params[0], after[(1,)].params[0]], [0.75, -0.5])
    assert after.common.home == {1: (0,), 2: (1,), 3: (1,), 9: (1,), 4: (1,)}


def test_fewer_clients_than_centres_are_waited_for():
    tree, verdicts = shared_round(FeSem(k=3), seedling(), {ROOT: ([1, 2], [[1.0, 0], [0, 1.0]])})
    assert tree.paths() == (ROOT,)
    assert isinstance(verdicts[0], Stay)
    assert "2 clients do not make 3 centres" in verdicts[0].reason
    assert shared_round(FeSem(), tree, {}) == (tree, [])  # nor does an empty round change anything
    tree, _ = shared_round(FeSem(k=3), tree, {ROOT: ([1, 2, 3], [[1.0, 0], [0, 1.0], [-3.0, 0]])})
    assert len(tree.paths()) == 3


def test_values_out_of_range_are_one_line():
    assert refused("fesem", "k", 1) == "clustering.k should be in [2, 255], got 1"


def test_four_groups_are_found_where_everybody_is_there(tmp_path):
    run = small_run(tmp_path / "run", "fesem", {"budget.participations": 800})
    assert run.adjusted_rand_index >= 0.9
    *_, end = (json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines())
    assert set(end["ledger"]) == {"train"}  # it costs nothing beside training


def test_it_goes_on_where_it_stopped(tmp_path):
    assert resumed_is_the_same(tmp_path, "fesem", {"budget.participations": 200}, rounds=6)
