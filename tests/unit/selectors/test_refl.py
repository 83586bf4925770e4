"""REFL: the least available first, and late updates."""

import numpy as np
import pytest
from rounds import ids, outcome, rng

from horae.errors import ConfigError
from horae.selectors import Refl
from horae.types import Forecasting, Late

GOES = np.array([500.0, 150.0, 40.0, 250.0, 110.0])  # client i is there until then


def stays(clients, from_s, to_s):
    return (GOES[clients] > from_s) & (GOES[clients] >= to_s)


def known(mu=100.0, **changes):
    refl = Refl(**changes)
    return refl, refl.learn(refl.init(), outcome([77], lasted=mu))


def test_mu_is_an_average_of_round_lengths():
    refl, state = known(40.0)
    assert state.mu_s == 40.0
    assert refl.learn(state, outcome([77], lasted=80.0)).mu_s == 70.0  # .75 * 80 + .25 * 40


def test_who_will_soon_be_gone_comes_first_and_who_goes_too_soon_last():
    # It opens at 0, μ = 100: 1 and 4 stay for one μ only, 0 and 3 for two, 2 leaves before.
    refl, state = known()
    orders = [[refl.pick_staying(state, np.arange(5), n, 0.0, rng(s), stays).tolist() for n in (2, 4)] for s in (1, 2)]
    assert orders == [[[1, 4], [0, 1, 3, 4]]] * 2
    thirds = {tuple(refl.pick_staying(state, np.arange(5), 3, 0.0, rng(s), stays).tolist()) for s in range(20)}
    assert thirds == {(0, 1, 4), (1, 3, 4)}  # equal ones by chance
    assert refl.pick_staying(state, np.arange(5), 1, 150.0, rng(), stays).tolist() == [3]  # there, 3 leaves within 2 μ


def test_who_was_invited_lately_waits():
    refl, state = known(blackout=2)
    state = refl.learn(state, outcome([1], invited=[1, 4]))
    assert refl.pick_staying(state, np.arange(5), 3, 0.0, rng(), stays).tolist() == [0, 2, 3]
    assert refl.pick_staying(state, np.arange(5), 4, 0.0, rng(), stays).size == 4  # but nobody is left out for it
    for _ in range(2):
        state = refl.learn(state, outcome([77]))
    assert refl.pick_staying(state, np.arange(5), 2, 0.0, rng(), stays).tolist() == [1, 4]


def test_before_the_first_round_and_with_few_candidates_nobody_is_asked():
    def never(*_):
        raise AssertionError

    assert Refl().pick_staying(Refl().init(), np.arange(5), 2, 0.0, rng(), never).size == 2
    assert known()[0].pick_staying(known()[1], ids(1, 2), 5, 0.0, rng(), never).tolist() == [1, 2]


def test_it_forecasts_and_uses_late_updates():
    assert isinstance(Refl(), Forecasting)
    assert isinstance(Refl(), Late)
    assert Refl(staleness=3).staleness == 3


@pytest.mark.parametrize(("field", "value"), [("alpha", 1.0), ("blackout", -1), ("staleness", -1), ("pool", 0)])
def test_a_constant_out_of_range_is_one_line(field, value):
    with pytest.raises(ConfigError, match=rf"^selector\.{field} should be .*, got .*$"):
        Refl(**{field: value})
