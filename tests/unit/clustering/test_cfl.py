import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_lockstep import practised, refused, resumed_is_the_same, seedling, shared_round, small_run

from horae.clustering import Cfl
from horae.clustering.cfl import bipartition
from horae.types import ROOT, Split, Stay

APART = ([1, 2, 3, 4], [[1.0, 0.1], [1.0, -0.1], [-1.0, 0.1], [-1.0, -0.1]])  # they cancel out


def begun(**fields):
    cfl = Cfl(check_every=1, **fields)
    return cfl, cfl.prepare(seedling(), None)


def test_the_cut_keeps_the_greatest_cosine_across_it_least():
    # cosines: 0-1 .8, 1-2 .6 and all others 0: the chain 0-1-2 holds together, 3 is on its own
    rows = np.array([[1, 0, 0], [0.8, 0.6, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    side, across = bipartition(rows)
    assert side.tolist() == [0, 0, 0, 1]
    assert across == 0
    side, across = bipartition(rows[:3])
    assert side.tolist() == [0, 0, 1]
    assert across == pytest.approx(0.6)
    assert bipartition(rows[:2])[0].tolist() == [0, 1]


@given(st.integers(2, 12), st.integers(0, 10_000))
def test_it_is_what_single_linkage_of_scipy_finds(n, seed):
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import pdist

    rows = np.random.default_rng(seed).normal(size=(n, 4)).astype(np.float32)
    side, across = bipartition(rows)
    joins = linkage(pdist(rows.astype(float), "cosine"), "single")
    theirs = fcluster(joins, 2, "maxclust")
    np.testing.assert_array_equal(side, theirs != theirs[0])
    assert 1 - across == pytest.approx(joins[-1, 2], abs=1e-5)


@given(st.integers(2, 7), st.integers(0, 10_000))
def test_no_other_cut_does_better(n, seed):
    rows = np.random.default_rng(seed).normal(size=(n, 3)).astype(np.float32)
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = units @ units.T
    least = min(
        max(cosines[i, k] for i in range(n) for k in range(n) if (mask >> i & 1) != (mask >> k & 1))
        for mask in range(1, 2 ** (n - 1))
    )
    assert bipartition(rows)[1] == pytest.approx(least, abs=1e-5)


def test_members_that_cancel_out_are_cut_in_two():
    cfl, tree = begun()
    tree, (verdict,) = shared_round(cfl, tree, {ROOT: APART})
    assert isinstance(verdict, Split)
    assert verdict.cluster.tolist() == [0, 0, 1, 1]
    assert verdict.statistic == pytest.approx(0, abs=1e-7)
    assert tree.paths() == ((0,), (1,))
    assert tree.common.home == {1: (0,), 2: (0,), 3: (1,), 4: (1,)}
    (fork,) = tree.common.forks
    np.testing.assert_allclose(fork.sides, [[1 / np.sqrt(1.01), 0], [-1 / np.sqrt(1.01), 0]], atol=1e-6)


def test_it_is_not_cut_while_it_moves_nor_when_all_are_content():
    cfl, tree = begun()
    moving = ([1, 2], [[1.0, 0.0], [0.0, 1.0]])  # the mean has norm .71 of the longest
    tree, (verdict,) = shared_round(cfl, tree, {ROOT: moving})
    assert isinstance(verdict, Stay)
    assert verdict.statistic == pytest.approx(np.sqrt(0.5))
    content = ([1, 2], [[0.5, 0.0], [-0.5, 0.0]])  # half of the longest so far is not more than eps2
    tree, (verdict,) = shared_round(cfl, tree, {ROOT: content})
    assert "no member's > 0.50" in verdict.reason
    tree, (verdict,) = shared_round(cfl, tree, {ROOT: ([1, 2], [[0.51, 0.0], [-0.51, 0.0]])})
    assert isinstance(verdict, Split)


def test_the_last_update_stands_for_a_member_that_is_away():
    cfl, tree = begun()
    rows = dict(zip(*APART, strict=True))
    tree, (verdict,) = shared_round(cfl, tree, {ROOT: ([1, 2], [rows[1], rows[2]])})
    assert isinstance(verdict, Stay)
    tree, (verdict,) = shared_round(cfl, tree, {ROOT: ([3, 4], [rows[3], rows[4]])})
    assert isinstance(verdict, Split)
    assert verdict.clients.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(("fields", "why"), [
    ({"gamma_max": 1.0}, "√((1 - -0.98) / 2) = 1.00 <= 1.00"),  # the cosine of (1, .1) and (-1, .1) is -.99 / 1.01
    ({"min_members": 3}, "4 members < 6"),
])  # fmt: skip
def test_what_may_keep_it_whole(fields, why):
    cfl, tree = begun(**fields)
    _, (verdict,) = shared_round(cfl, tree, {ROOT: APART})
    assert isinstance(verdict, Stay)
    assert why in verdict.reason
    cfl, tree = begun(gamma_max=0.99)  # √((1 + .98) / 2) = .995
    assert isinstance(shared_round(cfl, tree, {ROOT: APART})[1][0], Split)


def test_a_side_that_is_too_small_is_not_cut_off():
    cfl, tree = begun(min_members=2)
    odd = ([1, 2, 3, 4], [[1.0, 0.5], [1.0, -0.5], [1.0, 0.0], [-3.0, 0.0]])
    _, (verdict,) = shared_round(cfl, tree, {ROOT: odd})
    assert verdict.reason == "no split: 1 members on one side < 2"


def test_newcomers_train_at_each_fork_on_their_way_down():
    cfl, tree = begun()
    tree, _ = shared_round(cfl, tree, {ROOT: APART})
    below = ([1, 2], [[0.0, 1.0], [0.0, -1.0]])
    tree, _ = shared_round(cfl, tree, {(0,): below, (1,): ([3, 4], [[-1.0, 0], [-1.0, 0]])})
    assert tree.paths() == ((0, 0), (0, 1), (1,))
    ask, asked = practised({7: [0.5, 0.6], 8: [0.5, -0.4], 9: [-2.0, 5.0]})
    met = cfl.meet(tree, np.array([1, 7, 8, 9]), ask)
    assert {c: met.common.home[c] for c in (7, 8, 9)} == {7: (0, 0), 8: (0, 1), 9: (1,)}
    assert [clients for clients, _ in asked] == [[7, 8, 9], [7, 8]]
    assert cfl.meet(met, np.array([1, 7, 8, 9]), None) is met  # nobody is asked twice


def test_before_there_are_forks_nobody_is_asked():
    cfl, tree = begun()
    assert cfl.meet(tree, np.array([1, 2]), None) is tree


def test_values_out_of_range_are_one_line():
    assert refused("cfl", "eps1", 0.0) == "clustering.eps1 should be in (0, 1], got 0.0"
    assert refused("cfl", "eps2", 1.5) == "clustering.eps2 should be in [0, 1], got 1.5"
    assert refused("cfl", "gamma_max", -0.1) == "clustering.gamma_max should be in [0, 1], got -0.1"
    assert refused("cfl", "min_members", 0) == "clustering.min_members should be in [1, 1000000], got 0"


EASY = {"budget.participations": 1200, "clustering.eps1": 0.2, "clustering.eps2": 0.6}


def test_it_goes_on_where_it_stopped_after_a_cut(tmp_path):
    changes = {**EASY, "participants": 30}  # so that there are newcomers
    assert resumed_is_the_same(tmp_path, "cfl", changes, rounds=30)
    events = [json.loads(line) for line in (tmp_path / "whole" / "events.jsonl").read_text().splitlines()]
    assert any(e["event"] == "verdict" and e["split"] for e in events)


def test_a_quick_cut_follows_the_groups(tmp_path):
    run = small_run(tmp_path / "run", "cfl", EASY)
    events = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    groups = next(e for e in events if e["event"] == "clients")["group"]
    first = next(e for e in events if e["event"] == "verdict" and e["split"])
    sides = [{groups[c] for c in members} for members in first["members"].values()]
    assert not sides[0] & sides[1]
    assert run.cohorts >= 2
