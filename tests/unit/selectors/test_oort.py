"""Oort's numbers by hand, and beside FedScale's own Oort."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from horae.errors import ConfigError
from horae.selectors import Oort
from horae.selectors.met import nobody
from horae.selectors.oort import Arms

sys.path.insert(0, str(Path(__file__).parent))
from peer_oort import CLIENTS
from rounds import ids, outcome, rng


def arms(clients, utility, seconds, last, rounds=9, preferred=0.3):
    met = nobody("utility", "duration_s", "last")
    met = met.put(np.asarray(clients), utility=np.asarray(utility, float), duration_s=np.asarray(seconds, float),
                  last=np.asarray(last, float))  # fmt: skip
    return Arms(rounds, preferred, np.zeros(0), met)


def test_scores_by_hand():
    # Round 10: bonus sqrt(.1 ln 10 / L) = sqrt(.2302585 / 9) = .159951 and sqrt(.2302585 / 4) = .239926.
    # T is the second of the durations 10, 20, 40. Client 3: (.5 + .239926) (20 / 40)^2 = .184982.
    state = arms([1, 2, 3], [10, 30, 20], [10, 20, 40], [9, 9, 4], preferred=0.5)
    found = Oort(clip=1.0).scores(state, ids(1, 2, 3))
    np.testing.assert_allclose(found, [0.159951, 1.159951, 0.184982], atol=1e-6)


def test_large_utilities_are_clipped():
    # The clip at .9 is the tenth of 0..9, 100: it is 9. Nobody is slow, and ln 1 = 0 in the first round.
    state = arms(range(11), [*range(10), 100], np.ones(11), np.ones(11), rounds=0)
    np.testing.assert_allclose(Oort().scores(state, np.arange(11)), [*np.arange(10) / 100, 0.09])


def test_fedscales_own_oort_has_the_same_chances():
    table = np.array(list(CLIENTS.values()))
    found = Oort(clip=0.7).scores(arms(list(CLIENTS), *table.T), np.array(list(CLIENTS)))
    peer = [0.112674, 0.068669, 0.046125, 0.024653, 0.444753, 0.303126]  # python tests/unit/selectors/peer_oort.py
    np.testing.assert_allclose(found / found.sum(), peer, atol=2e-6)


def test_what_a_round_teaches():
    oort = Oort()
    came = outcome([4, 2], losses=[3.0, 0.5], durations=[7.0, 8.0], samples=[10, 20], invited=[2, 4, 6], lasted=9.0)
    state = oort.learn(oort.init(), came)
    assert state.met.clients.tolist() == [2, 4, 6]
    np.testing.assert_array_equal(state.met.columns["utility"], [10, 30, np.nan])
    np.testing.assert_array_equal(state.met.columns["duration_s"], [8, 7, 9])  # 6 came in vain: at least the round's
    np.testing.assert_array_equal(state.met.columns["last"], [1, 1, 1])
    assert (state.round, state.history.tolist()) == (1, [20.0])
    again = oort.learn(state, outcome([2], invited=[2, 4], lasted=3.0))
    assert again.met.of(ids(4), "duration_s").tolist() == [7.0]
    assert again.met.of(ids(4, 6), "last").tolist() == [2.0, 1.0]


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_a_loss_that_is_unknown_counts_as_the_mean(loss):
    oort = Oort(bonus=0.0)
    state = oort.learn(oort.init(), outcome([0, 1, 2], losses=[1.0, loss, 3.0]))
    np.testing.assert_allclose(oort.scores(state, ids(0, 1, 2)), [0, 0.5, 1])
    nothing = oort.learn(oort.init(), outcome([0, 1], losses=[loss, loss]))
    assert nothing.history.tolist() == [0.0]
    assert oort.pick(nothing, ids(0, 1, 2), 2, 0.0, rng()).size == 2


@pytest.mark.parametrize(
    ("history", "share"), [([10, 10, 10, 11], 0.35), ([10, 10, 2, 2], 0.3), ([1, 1, 6, 6], 0.25), ([1, 1, 6, 5], 0.3)]
)
def test_the_pacer(history, share):
    # Two rounds against the two before: 20, 21 is flat; 20, 4 is not; 2, 12 is fivefold (10 >= 5 * 2); 2, 11 is not.
    oort = Oort(pacer_rounds=2)
    state = oort.init()
    for loss in history:
        state = oort.learn(state, outcome([0], losses=[loss]))
    assert state.preferred == pytest.approx(share)


def test_the_share_of_newcomers_falls():
    # 40 met, 40 new, 20 wanted: int(20 * .9) = 18 new ones at first, int(20 * .9 * .98^20) = 12, int(20 * .3) = 6.
    state, people = arms(range(40), np.arange(40), np.ones(40), np.ones(40)), np.arange(80)
    for rounds, new in ((0, 18), (20, 12), (500, 6)):
        picked = Oort().pick(replace(state, round=rounds), people, 20, 0.0, rng())
        assert (picked.size, int((picked >= 40).sum())) == (20, new)
    assert (Oort().pick(state, np.arange(30, 45), 12, 0.0, rng()) >= 40).sum() == 5  # there are no more of them
    assert (Oort().pick(replace(state, round=500), np.arange(38, 80), 20, 0.0, rng()) >= 40).sum() == 18


def test_chances_are_in_proportion_to_scores():
    # Scores 1 and 1/3 (clip 1, no bonus, nobody slow; the third scores 0): 3/4 and 1/4.
    state = arms([0, 1, 2], [3, 1, 0], np.ones(3), np.ones(3))
    oort, chance = Oort(clip=1.0, bonus=0.0, explore=0.0, explore_least=0.0), rng()
    firsts = [int(oort.pick(state, ids(0, 1, 2), 1, 0.0, chance)[0]) for _ in range(1500)]
    assert np.mean(np.array(firsts) == 0) == pytest.approx(0.75, abs=0.035)


def test_the_cut_keeps_those_near_the_best():
    # pool 1: the two best, and whoever has half of the second's score (6 -> 3).
    state = arms(range(6), [10, 6, 4, 3.1, 2, 0], np.ones(6), np.ones(6))
    oort, chance = Oort(clip=1.0, bonus=0.0, explore=0.0, explore_least=0.0, cutoff=0.5, pool=1), rng()
    seen = {c for _ in range(300) for c in oort.pick(state, np.arange(6), 2, 0.0, chance).tolist()}
    assert seen == {0, 1, 2, 3}


@given(st.integers(0, 30), st.integers(0, 40), st.integers(0, 25), st.integers(0, 60), st.integers(0, 9))
def test_any_selection_is_distinct_and_full(known, there, n, rounds, seed):
    chance = rng(seed)
    utility = np.where(chance.random(known) < 0.3, np.nan, chance.random(known))
    state = arms(np.arange(known) * 2, utility, chance.random(known) * 100, np.ones(known), rounds=rounds)
    people = np.sort(chance.permutation(70)[:there])
    picked = Oort().pick(state, people, n, 0.0, chance)
    assert picked.size == min(n, there) == np.unique(picked).size
    assert np.isin(picked, people).all()


def test_nobody_starves_and_nobody_is_remembered_who_was_not_met():
    # 60 clients, the slowest 50 times as slow as T and never harder than anybody: the staleness bonus brings them back.
    oort, chance, visits = Oort(), rng(), np.zeros(60, int)
    state, seconds = oort.init(), np.linspace(1, 50, 60)
    for _ in range(400):
        there = np.sort(chance.permutation(60)[:30])
        picked = oort.pick(state, there, 10, 0.0, chance)
        visits[picked] += 1
        state = oort.learn(state, outcome(picked, losses=60.0 - picked, durations=seconds[picked]))
        assert state.met.clients.size == (visits > 0).sum()
    assert visits.min() >= 5
    assert visits[:20].mean() > 1.5 * visits[40:].mean()


@pytest.mark.parametrize(
    ("field", "value"),
    [("explore", 1.5), ("explore_least", 0.95), ("alpha", -1.0), ("preferred", 0.0), ("pacer_rounds", 0), ("pool", 0),
     ("clip", float("nan")), ("bonus", -0.1), ("pacer_step", 2.0), ("cutoff", -1.0), ("explore_decay", 2.0)],
)  # fmt: skip
def test_a_constant_out_of_range_is_one_line(field, value):
    with pytest.raises(ConfigError, match=rf"^selector\.{field} should be .*, got .*$"):
        Oort(**{field: value})
