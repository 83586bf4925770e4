"""Splits that are forced, at which rounds and into how many."""

from dataclasses import replace

import numpy as np
import pytest

from horae.clustering import Auxo
from horae.clustering.forced import forced_partition, forced_verdict
from horae.clustering.memory import Memory
from horae.compare.arms import find_arm
from horae.errors import ConfigError
from horae.pure.splitting import Rule
from horae.reproduce import plan_of
from horae.reproduce.finding import find
from horae.types import ROOT, UNKNOWN, Cohort, CohortTree, Split, Stay

RULE = Rule()


def heaps(sizes, sd=0.05, apart=1.0):
    """Heaps of points on the corners of a simplex."""
    owner = np.repeat(np.arange(len(sizes)), sizes)
    return apart * np.eye(6)[owner] + np.random.default_rng(0).normal(size=(owner.size, 6)) * sd, owner


def memory_of(points):
    ids = np.arange(len(points))
    return Memory().remember(ids, points.astype(np.float32), np.full(ids.size, UNKNOWN))


def rng():
    return np.random.default_rng(1)


def test_exactly_k_groups_whatever_the_statistic_says():
    alike = np.random.default_rng(0).normal(size=(60, 6))
    for k in (2, 3, 5):
        found = forced_partition(alike, k, 8, RULE, rng())
        assert found.k == k
        assert np.bincount(found.labels).min() >= 1
        assert found.statistic < RULE.limit(60)  # the criterion would have left it whole


def test_k_of_zero_is_the_number_that_the_criterion_finds():
    points, owner = heaps([20, 20, 20])
    found = forced_partition(points, 0, 8, RULE, rng())
    assert found.k == 3
    assert {tuple(set(found.labels[owner == g].tolist())) for g in range(3)} == {(0,), (1,), (2,)}


def test_where_the_criterion_finds_none_it_is_the_best_of_those_there_are():
    alike = np.random.default_rng(0).normal(size=(60, 6))
    assert 2 <= forced_partition(alike, 0, 4, RULE, rng()).k <= 4


def test_a_group_may_be_smaller_than_the_criterion_allows():
    points, _ = heaps([30, 3])
    assert sorted(np.bincount(forced_partition(points, 2, 8, RULE, rng()).labels)) == [3, 30]


def test_members_that_do_not_make_as_many_groups():
    points, _ = heaps([1, 1, 1])
    assert forced_partition(points, 4, 8, RULE, rng()) is None
    assert forced_partition(np.zeros((9, 6)), 2, 8, RULE, rng()) is None  # all the same
    three = forced_partition(points, 3, 8, RULE, rng())
    assert sorted(three.labels.tolist()) == [0, 1, 2]
    assert np.isnan(three.statistic)  # too few to hold some out


def test_the_verdict_says_that_it_was_forced_and_why_not_where_it_was_not():
    points, _ = heaps([20, 20])
    cohort = Cohort(ROOT, np.zeros(2, np.float32), np.zeros(0, np.float32), round=12)
    split = forced_verdict(cohort, memory_of(points), 2, 8, RULE)
    assert isinstance(split, Split)
    assert split.reason.startswith("split into 2: forced at round 12, explained ")
    assert split.reason.endswith("members 20 + 20")
    assert split.clients.tolist() == list(range(40))
    full = forced_verdict(cohort, memory_of(points), 4, 3, RULE)
    assert isinstance(full, Stay)
    assert full.reason == "no split: forced into 4, but 3 cohorts are the most that this one may become"
    few = forced_verdict(cohort, memory_of(points[:3]), 4, 8, RULE)
    assert few.reason == "no split: forced into 4, but 3 members do not make as many"


# ---------------------------------------------------------------- in Auxo


def seedling(round):
    return CohortTree({ROOT: Cohort(ROOT, np.zeros(2, np.float32), np.zeros(0, np.float32), round=round)})


def looked(auxo, round, points, participants=60, spent=0.01):
    return auxo.reshape(memory_of(points), ROOT, seedling(round), participants, spent)


def test_with_at_a_cohort_splits_at_these_rounds_and_at_no_other():
    points, _ = heaps([20, 20])
    auxo = Auxo(at=(3, 7), k=2)
    assert [bool(looked(auxo, n, points)) for n in range(1, 11)] == [n in (3, 7) for n in range(1, 11)]
    assert looked(auxo, 3, points)[0].k == 2
    # Round 10, half of the budget: here the criterion would look.
    assert looked(auxo, 10, points, spent=0.5) == []
    assert len(looked(Auxo(), 10, points, spent=0.5)) == 1


def test_rounds_of_ancestors_count():
    points, _ = heaps([20, 20])
    tree = seedling(3).split(ROOT, 2, Memory())
    tree = tree.put(replace(tree[(1,)], round=7))  # three of the root, four of its own
    assert isinstance(Auxo(at=(7,), k=2).reshape(memory_of(points), (1,), tree, 60, 0.1)[0], Split)


def test_there_is_room_for_as_many_cohorts_as_participants_and_max_cohorts_allow():
    points, _ = heaps([20, 20, 20, 20])
    auxo = Auxo(at=(3,), k=4, max_cohorts=8)
    assert isinstance(looked(auxo, 3, points, participants=20)[0], Split)  # 20 / 5 = 4
    assert isinstance(looked(auxo, 3, points, participants=19)[0], Stay)
    assert isinstance(looked(replace(auxo, max_cohorts=3), 3, points)[0], Stay)
    assert isinstance(looked(replace(auxo, k_max=2), 3, points)[0], Split)  # k is what was asked for
    assert looked(replace(auxo, k=0, k_max=2), 3, points)[0].k == 2


@pytest.mark.parametrize("fields", [{"at": (0,)}, {"at": (5, -1)}, {"k": 1}, {"k": -2}, {"k": 256}])
def test_fields_out_of_range_are_refused(fields):
    with pytest.raises(ConfigError, match=f"clustering.{next(iter(fields))} should "):
        Auxo(**fields)


@pytest.mark.parametrize(("name", "arm", "k", "room"), [("figure13b", "after 20", 4, 6), ("figure13c", "k=4", 4, 10)])
def test_the_experiments_of_figure_13_are_what_their_comments_say(name, arm, k, room):
    plan = plan_of(find(f"auxo/{name}").sizes["small"], [0])
    experiment = plan.experiment(find_arm(plan.arms, arm), 0)
    auxo = experiment.parts["clustering"]
    assert (auxo.at, auxo.k) == ((20,), k)
    assert min(auxo.max_cohorts, experiment.participants // auxo.min_participants) == room
