"""The server's half of Auxo: labels, hints, and when a cohort splits."""

from dataclasses import replace

import numpy as np
import pytest

from horae.clustering import Auxo
from horae.clustering.memory import Memory
from horae.errors import ConfigError
from horae.types import ROOT, UNKNOWN, Cohort, CohortTree, Outcome, Ref, Round, Split, Stay, Updates

DIMS = 6
EAST, WEST = np.eye(DIMS)[0], -np.eye(DIMS)[0]


def seedling(round=10, params=None):
    start = np.zeros(DIMS, np.float32) if params is None else np.asarray(params, np.float32)
    return CohortTree({ROOT: Cohort(ROOT, start, np.zeros(0, np.float32), round=round)})


def outcome(clients, rows, exploring=None, claims=None, path=ROOT, number=0):
    n = len(clients)
    exploring = np.zeros(n, bool) if exploring is None else np.asarray(exploring)
    claims = np.full(n, np.nan) if claims is None else np.asarray(claims)
    ids = np.asarray(clients)
    round = Round(path, number, Ref("m", 0), ids, n, 1e9, claims, exploring)
    return Outcome(
        round, 0.0, 1.0, ids, Updates(np.asarray(rows, np.float32)), np.zeros(0, np.float32), np.ones(n, int),
        np.zeros(n), np.ones(n), claims, exploring,
    )  # fmt: skip


def near(centres, sd=0.05, seed=0):
    return np.array(centres) + np.random.default_rng(seed).normal(size=(len(centres), DIMS)) * sd


# ---------------------------------------------------------------- labels


def first_round():
    return Auxo().learn(Memory(), outcome(range(6), near([EAST, WEST] * 3)), seedling())


def test_the_first_round_is_clustered():
    memory, feedback = first_round()
    assert feedback.cluster.tolist() == [0, 1, 0, 1, 0, 1]  # numbered by the lowest id
    assert memory.labels_of(np.arange(6)).tolist() == [0, 1, 0, 1, 0, 1]
    assert np.isnan(feedback.reward).all()  # one cohort: nothing to be rewarded for (line 23)
    assert (feedback.towards == UNKNOWN).all()
    assert feedback.leaves == (ROOT,)


def test_later_rounds_follow_the_nearest_centre_of_those_labelled():
    memory, _ = first_round()
    memory, feedback = Auxo().learn(memory, outcome([0, 1, 20, 21], near([EAST, WEST, WEST, EAST])), seedling())
    assert feedback.cluster.tolist() == [0, 1, 1, 0]
    assert memory.labels_of(np.array([20, 21])).tolist() == [1, 0]


def test_a_member_that_changed_sides_is_relabelled():
    memory, _ = first_round()
    turned = outcome([0, 2, 1, 3, 4], near([EAST, EAST, WEST, WEST, WEST]))  # 4 was in the east
    memory, feedback = Auxo().learn(memory, turned, seedling())
    assert feedback.cluster.tolist() == [0, 0, 1, 1, 1]
    assert memory.labels_of(np.array([4])).tolist() == [1]


def test_where_a_cluster_has_nobody_labelled_labels_stay():
    memory, _ = first_round()
    memory, feedback = Auxo().learn(memory, outcome([0, 2, 30], near([EAST, WEST, WEST])), seedling())
    assert feedback.cluster.tolist() == [0, 0, UNKNOWN]  # 2 is not moved, 30 gets none
    assert 30 in memory.members
    assert memory.members[2].visits == 2


def test_explorers_are_rewarded_but_neither_labelled_nor_remembered():
    tree = seedling().split(ROOT, 2, Memory())
    came = outcome(range(5), near([EAST, EAST, WEST, WEST, WEST]), [False, False, False, False, True], path=(0,))
    memory, feedback = Auxo().learn(Memory(), came, tree)
    assert feedback.cluster.tolist() == [0, 0, 1, 1, UNKNOWN]
    assert sorted(memory.members) == [0, 1, 2, 3]
    assert np.isfinite(feedback.reward).all()


def test_an_explorer_does_not_move_the_middle():
    # With (and without) a stranger far away the deviations of the others are the same.
    rows = near([EAST, EAST, WEST, WEST, 50 * np.eye(DIMS)[3]])
    with_, _ = Auxo().learn(Memory(), outcome(range(5), rows, [False] * 4 + [True]), seedling())
    alone, _ = Auxo().learn(Memory(), outcome(range(4), rows[:4]), seedling())
    np.testing.assert_allclose(with_.table()[1], alone.table()[1], atol=1e-6)


def test_one_who_comes_alone_is_remembered_without_a_label():
    memory, feedback = Auxo().learn(Memory(), outcome([4], [EAST]), seedling())
    assert feedback.cluster.tolist() == [UNKNOWN]
    assert memory.members[4].visits == 1


def test_rewards_are_measured_from_those_who_are_known():
    # Claims above 0 make 0 and 1 the known; they are 2 apart, 2 is at 5 from their middle, 1.
    tree = seedling().split(ROOT, 2, Memory())
    rows = np.outer([0.0, 2.0, 6.0], EAST)
    came = outcome(range(3), rows, claims=[0.5, 0.5, -0.1], path=(0,))
    _, feedback = Auxo().learn(Memory(), came, tree)
    d = np.array([2.0, 2.0, 5.0])
    np.testing.assert_allclose(feedback.reward, 1 - d / (d.mean() + d.std()), rtol=1e-6)
    _, paper = Auxo(reward="paper").learn(Memory(), came, tree)
    d = np.array([1.0, 1.0, 5.0])
    np.testing.assert_allclose(paper.reward, 1 - d / (d.mean() + d.std()), rtol=1e-6)


def test_whoever_points_to_another_cohorts_model_is_told_so():
    tree = seedling().split(ROOT, 3, Memory())
    tree = tree.put(replace(tree[(2,)], params=EAST.astype(np.float32)))
    tree = tree.put(replace(tree[(1,)], params=-EAST.astype(np.float32)))
    north = np.eye(DIMS)[1]
    rows = [north, north, north + EAST, north + WEST, 1.1 * north]
    _, feedback = Auxo().learn(Memory(), outcome(range(5), rows, path=(0,)), tree)
    assert feedback.towards.tolist() == [UNKNOWN, UNKNOWN, 2, 1, UNKNOWN]
    _, paper = Auxo(reward="paper").learn(Memory(), outcome(range(5), rows, path=(0,)), tree)
    assert (paper.towards == UNKNOWN).all()


# ---------------------------------------------------------------- splitting


def memory_of(groups, each=20, sd=0.1, visits=3, seed=0):
    """A cohort that has seen `each` members of every group `visits` times."""
    rng, memory = np.random.default_rng(seed), Memory()
    ids = np.arange(each * len(groups))
    own = np.repeat(np.array(groups, float), each, axis=0) + rng.normal(size=(ids.size, DIMS)) * sd
    for _ in range(visits):
        memory = memory.remember(ids, own.astype(np.float32), np.arange(ids.size) * 2 // ids.size)
    return memory


TWO = [EAST, WEST]
FOUR = [10 * EAST, 10 * EAST + np.eye(DIMS)[1] * 4, 10 * WEST, 10 * WEST + np.eye(DIMS)[1] * 4]


def verdict(memory, auxo=None, round=10, participants=30, spent=0.5, tree=None):
    tree = tree or seedling(round)
    return (auxo or Auxo()).reshape(memory, tree.paths()[0], tree, participants, spent)


def test_a_cohort_of_two_groups_splits_into_them():
    (split,) = verdict(memory_of(TWO))
    assert isinstance(split, Split)
    assert (split.path, split.k, split.clients.tolist()) == (ROOT, 2, list(range(40)))
    assert split.cluster.tolist() == [0] * 20 + [1] * 20
    assert split.threshold == pytest.approx(0.78 + 2 / 40)
    assert split.statistic >= split.threshold
    assert split.reason == f"split into 2: explained {split.statistic:.2f} >= 0.83, members 20 + 20"


def test_a_cohort_without_groups_stays_and_says_why():
    (stay,) = verdict(memory_of([np.zeros(DIMS)] * 2, sd=1.0))
    assert isinstance(stay, Stay)
    assert stay.statistic < stay.threshold
    assert stay.reason == f"no split: explained {stay.statistic:.2f} < 0.83"


@pytest.mark.parametrize(("round", "looks"), [(9, 0), (10, 1), (11, 0), (20, 1)])
def test_it_looks_every_check_every_rounds(round, looks):
    assert len(verdict(memory_of(TWO), round=round)) == looks


@pytest.mark.parametrize(("spent", "looks"), [(0.0, 0), (0.09, 0), (0.1, 1), (0.8, 1), (0.81, 0), (1.0, 0)])
def test_it_looks_between_start_and_stop(spent, looks):
    assert len(verdict(memory_of(TWO), spent=spent)) == looks


def test_a_cohort_that_knows_nobody_is_not_looked_into():
    assert verdict(Memory()) == []


@pytest.mark.parametrize(
    ("auxo", "participants", "why"),
    [
        (Auxo(max_cohorts=1), 30, "no split: 1 cohorts are the most for 30 participants"),
        (Auxo(), 9, "no split: 1 cohorts are the most for 9 participants"),  # two would need 2 x 5
        (Auxo(min_participants=16), 30, "no split: 1 cohorts are the most for 30 participants"),
    ],
)
def test_too_few_participants_or_cohorts_forbid_a_split_and_it_says_so(auxo, participants, why):
    (stay,) = verdict(memory_of(TWO), auxo, participants=participants)
    assert isinstance(stay, Stay)
    assert stay.reason == why


def test_the_leaves_there_are_count_against_the_most():
    tree = seedling().split(ROOT, 3, Memory())
    (stay,) = verdict(memory_of(TWO), Auxo(max_cohorts=3), tree=tree)
    assert stay.reason == "no split: 3 cohorts are the most for 30 participants"
    (split,) = verdict(memory_of(TWO), Auxo(max_cohorts=4), tree=tree)
    assert (split.k, split.path) == (2, (0,))


@pytest.mark.parametrize(
    ("auxo", "participants", "k"),
    [(Auxo(), 30, 4), (Auxo(k_max=8, max_cohorts=2), 30, 2), (Auxo(), 12, 2)],  # 12 // 5 = 2
)
def test_k_is_limited_by_cohorts_and_participants(auxo, participants, k):
    (split,) = verdict(memory_of(FOUR), auxo, participants=participants)
    assert isinstance(split, Split)
    assert split.k == k
    assert np.unique(split.cluster).tolist() == list(range(k))


def test_few_members_or_members_seen_once_are_not_enough():
    (stay,) = verdict(memory_of(TWO, each=9))
    assert stay.reason == "no split: 18 members < 20"
    (stay,) = verdict(memory_of(TWO, visits=1))
    assert stay.reason == "no split: 0% of members seen twice < 60%"


def test_a_verdict_is_the_same_whenever_it_is_asked_for():
    one, two = (verdict(memory_of(FOUR))[0] for _ in range(2))
    assert one.statistic == two.statistic
    np.testing.assert_array_equal(one.cluster, two.cluster)


# ---------------------------------------------------------------- the paper's rule


def watched(rows_of, auxo):
    """A cohort after 20 rounds of ten random clients out of 40."""
    memory, rng = Memory(), np.random.default_rng(0)
    for number in range(20):
        ids = np.sort(rng.permutation(40)[:10])
        memory, _ = auxo.learn(memory, outcome(ids, rows_of(ids, rng), number=number), seedling())
    return memory


def test_the_papers_ratio_splits_what_is_far_apart():
    auxo = Auxo(partition="paper", min_members=5)
    memory = watched(lambda ids, rng: np.outer(np.where(ids < 20, 3, -3), EAST) + rng.normal(size=(10, DIMS)), auxo)
    (split,) = verdict(memory, auxo)
    assert isinstance(split, Split)
    assert split.k == 2
    assert split.statistic <= split.threshold == 2**-0.5
    groups = set(zip((split.clients < 20).tolist(), split.cluster.tolist(), strict=True))
    assert len(groups) == 2
    assert split.reason == f"split into 2: heterogeneity ratio {split.statistic:.2f} <= 0.71"


def test_the_papers_ratio_leaves_alike_clients_together():
    auxo = Auxo(partition="paper", min_members=5)
    (stay,) = verdict(watched(lambda ids, rng: rng.normal(size=(10, DIMS)), auxo), auxo)
    assert isinstance(stay, Stay)
    assert stay.statistic > stay.threshold == 2**-0.5
    assert stay.reason == f"no split: heterogeneity ratio {stay.statistic:.2f} > 0.71"


def test_the_papers_rule_wants_members_on_both_sides():
    auxo = Auxo(partition="paper", min_members=25)
    memory = watched(lambda ids, rng: np.outer(np.where(ids < 20, 3, -3), EAST) + rng.normal(size=(10, DIMS)), auxo)
    (stay,) = verdict(memory, auxo)
    assert isinstance(stay, Stay)
    assert stay.reason.endswith("members < 25")


# ---------------------------------------------------------------- what can be refused


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("gamma", 0.0), ("gamma", 1.1), ("epsilon", 1.0), ("epsilon", -0.1), ("k_max", 1), ("max_cohorts", 0),
        ("threshold", 0.0), ("threshold", 1.1), ("drop", 1.0), ("drop", -0.1), ("pull", 0.0), ("pull", 1.1),
        ("start", 0.9), ("start", -0.1), ("stop", 1.1), ("stop", -0.1), ("check_every", 0), ("min_members", 1),
        ("min_participants", 0), ("dims", 1),
    ],
)  # fmt: skip
def test_a_value_out_of_range_is_refused_by_name(field, value):
    with pytest.raises(ConfigError, match=rf"^clustering\.{field} should be .*, got {value}$"):
        Auxo(**{field: value})


def test_the_ends_of_the_ranges_are_allowed():
    Auxo(gamma=1.0, epsilon=0.0, k_max=2, max_cohorts=1, threshold=1.0, drop=0.0, pull=1.0, start=0.0, stop=1.0,
         check_every=1, min_members=2, min_participants=1, dims=2)  # fmt: skip
