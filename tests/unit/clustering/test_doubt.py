"""Who is not believed any more, and how such a client is served."""

from dataclasses import replace

import numpy as np
import pytest

from horae.clustering import Auxo, Single
from horae.clustering.doubt import MOST, counted, disbelieved, doubted
from horae.clustering.memory import Memory
from horae.errors import ConfigError
from horae.types import ROOT, Cohort, CohortTree, Outcome, Ref, Round, Sceptic, Updates, Wishes

NONE = np.nan


def visit(strikes, claim, reward, client=7, tau=0.1, q=3):
    return counted(strikes, np.array([client]), np.array([claim]), np.array([reward]), tau, q)


def test_a_claim_that_the_update_contradicts_counts():
    assert visit({}, 0.5, -0.2) == {7: 1}
    assert visit({7: 1}, 0.5, -0.2) == {7: 2}


@pytest.mark.parametrize(
    ("claim", "reward"),
    [(0.5, 0.2), (0.5, 0.0), (0.1, -0.2), (0.0, -0.2), (NONE, -0.2)],
    ids=["it fits", "it just fits", "not above tau", "no claim to speak of", "no claim"],
)
def test_any_other_visit_begins_anew(claim, reward):
    assert visit({7: 2, 8: 1}, claim, reward) == {8: 1}


def test_a_visit_without_a_reward_tells_nothing():
    assert visit({7: 2}, 0.5, NONE) == {7: 2}


def test_q_visits_in_a_row_are_for_good():
    strikes = {}
    for _ in range(3):
        strikes = visit(strikes, 0.9, -0.1)
    assert strikes == {7: 3}
    assert visit(strikes, 0.9, 0.8) == visit(strikes, NONE, 0.8) == visit(strikes, 0.9, -0.1) == {7: 3}


def test_clients_are_counted_one_by_one_and_the_old_value_stays():
    before = {1: 1, 2: 1}
    after = counted(before, np.array([1, 2, 3]), np.array([1.0, 1.0, 1.0]), np.array([-1.0, 0.5, -0.1]), 0.1, 3)
    assert after == {1: 2, 3: 1}
    assert before == {1: 1, 2: 1}


def test_no_more_are_kept_than_there_is_room_for():
    n = MOST + 3
    after = counted({}, np.arange(n), np.ones(n), -np.ones(n), 0.1, 3)
    assert len(after) == MOST
    assert min(after) == 3  # those counted first are forgotten


# ---------------------------------------------------------------- served


def tree(*strikes):
    seed = CohortTree({ROOT: Cohort(ROOT, np.zeros(2, np.float32), np.zeros(0, np.float32), round=30)})
    made = seed.split(ROOT, len(strikes), Memory())
    for i, black in enumerate(strikes):
        made = made.put(replace(made[(i,)], clustering=Memory(strikes=black)))
    return made


def test_whoever_is_on_any_leafs_list_is_doubted_everywhere():
    made = tree({1: 3, 2: 2}, {4: 3}, {})
    assert doubted(made, np.array([1, 2, 3, 4]), 3).tolist() == [True, False, False, True]


def test_the_doubted_are_placed_at_random_as_explorers_without_a_claim():
    n = 400
    made = tree({c: 2 for c in range(0, n, 2)}, {}, {}, {})
    paths = ((0,), (1,), (2,), (3,), ())
    said = Wishes(paths, np.ones(n, np.int64), np.ones(n), np.zeros(n, bool), np.full(n, 7))
    served = disbelieved(said, made, np.arange(n), 0, 2)
    asked = [served.paths[i] for i in served.choice.tolist()]
    assert set(asked[1::2]) == {(1,)}
    counts = [asked[::2].count((i,)) for i in range(4)]
    assert sum(counts) == 200
    assert min(counts) > 30  # of 50 each, standard deviation 6
    assert np.isnan(served.claims[::2]).all() and (served.claims[1::2] == 1.0).all()
    assert served.exploring.tolist() == [True, False] * 200
    np.testing.assert_array_equal(served.nbytes, said.nbytes)
    elsewhere = replace(made, cohorts={p: replace(c, round=31) for p, c in made.cohorts.items()})
    later = disbelieved(said, elsewhere, np.arange(n), 0, 2)
    assert later.choice[::2].tolist() != served.choice[::2].tolist()  # another draw in another round


def test_where_nobody_is_doubted_or_there_is_one_leaf_requests_are_as_they_were():
    said = Wishes(((0,), (1,)), np.array([1]), np.array([0.5]), np.array([False]), np.array([7]))
    assert disbelieved(said, tree({8: 3}, {}), np.array([7]), 0, 3) is said
    root = CohortTree({ROOT: Cohort(ROOT, np.zeros(2), np.zeros(0), clustering=Memory(strikes={7: 3}))})
    assert disbelieved(said, root, np.array([7]), 0, 3) is said


# ---------------------------------------------------------------- in Auxo


def lying_round(auxo, memory, made):
    """0 to 4 point east; 5 claims that it does, and points west."""
    rows = np.array([[1.0, 0.01 * i] for i in range(5)] + [[-1.0, 0.0]], np.float32)
    ids, claims, here = np.arange(6), np.full(6, 1.0), np.zeros(6, bool)
    round = Round((0,), 0, Ref("m", 0), ids, 6, 1e9, claims, here)
    outcome = Outcome(
        round, 0.0, 1.0, ids, Updates(rows), np.zeros(0, np.float32), np.ones(6, int), np.zeros(6), np.ones(6),
        claims, here,
    )  # fmt: skip
    return auxo.learn(memory, outcome, made)[0]


def test_auxo_counts_only_when_it_is_told_to_and_stops_believing_after_q():
    made, memory = tree({}, {}), Memory()
    assert lying_round(Auxo(), memory, made).strikes == {}
    doubting = Auxo(doubt_after=2)
    once = lying_round(doubting, memory, made)
    assert once.strikes == {5: 1}
    twice = lying_round(doubting, once, made)
    made = made.put(replace(made[(0,)], clustering=twice))
    said = Wishes(((0,), (1,)), np.zeros(6, int), np.ones(6), np.zeros(6, bool), np.full(6, 7))
    served = doubting.believe(said, made, np.arange(6), 0)
    assert served.exploring.tolist() == [False] * 5 + [True]
    assert Auxo().believe(said, made, np.arange(6), 0) is said


def test_children_begin_without_doubts():
    made = tree({5: 9}, {}).split((0,), 2, Auxo().init())
    assert not doubted(made, np.array([5]), 1).any()


def test_who_is_a_sceptic():
    assert isinstance(Auxo(), Sceptic)
    assert not isinstance(Single(), Sceptic)


@pytest.mark.parametrize("fields", [{"doubt_after": -1}, {"doubt_after": 1001}, {"doubt_claim": 1.0}])
def test_fields_out_of_range_are_refused(fields):
    with pytest.raises(ConfigError, match=f"clustering.{next(iter(fields))} should be in"):
        Auxo(**fields)
